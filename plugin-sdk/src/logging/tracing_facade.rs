//! `tracing` events become lines of the run's log, their fields included. Spans are not recorded.

use std::fmt;

use serde_json::{Value, json};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::Level;
use crate::dispatch::text;
use crate::host;

struct HostSubscriber;

/// Installs the subscriber.
pub(super) fn install() {
    // A subscriber that is already there was installed by the plugin, or by an earlier call in the same instance.
    let _ = tracing::subscriber::set_global_default(HostSubscriber);
}

impl Subscriber for HostSubscriber {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && host::log_enabled(level(*metadata.level()))
    }

    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        host::log(level(*event.metadata().level()), &line.message, &line.fields);
    }

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}

/// One event, taken apart into its message and its other fields as JSON text.
#[derive(Default)]
struct Line {
    message: String,
    fields: Vec<(String, String)>,
}

impl Line {
    fn add(&mut self, field: &Field, value: &Value) {
        self.fields.push((field.name().to_owned(), text(value)));
    }
}

impl Visit for Line {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, &json!(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, &json!(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, &json!(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, &json!(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            value.clone_into(&mut self.message);
        } else {
            self.add(field, &json!(value));
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let shown = format!("{value:?}");
        if field.name() == "message" {
            self.message = shown;
        } else {
            self.add(field, &json!(shown));
        }
    }
}

fn level(level: tracing::Level) -> Level {
    match level {
        tracing::Level::TRACE => Level::Trace,
        tracing::Level::DEBUG => Level::Debug,
        tracing::Level::INFO => Level::Info,
        tracing::Level::WARN => Level::Warn,
        tracing::Level::ERROR => Level::Error,
    }
}
