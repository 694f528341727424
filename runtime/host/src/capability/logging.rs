//! Structured lines in the run's output.

use sandglass_core::output::OutputStream;
use serde_json::{Map, Value};

use super::clip;
use crate::bindings::logging::{self, Level};
use crate::guest::Guest;

/// The most that a message may have, in bytes; what is longer is cut.
const MESSAGE: usize = 16 << 10;
/// The most that the value of a field may have, in bytes; what is longer becomes a cut text.
const FIELD: usize = 4 << 10;
/// The most fields that a line may have; further ones are left out.
const FIELDS: usize = 64;

impl logging::Host for Guest {
    /// Debug lines are kept too; trace lines are not.
    fn enabled(&mut self, level: Level) -> wasmtime::Result<bool> {
        Ok(level != Level::Trace)
    }

    async fn emit(&mut self, level: Level, message: String, fields: Vec<(String, String)>) -> wasmtime::Result<()> {
        if level == Level::Trace {
            return Ok(());
        }
        self.attempt.output_ready().await;
        // Before it is cut, or a part of a value could stay.
        let message = self.attempt.masked(message);
        let mut line = self.attempt.masked_json(object(level, message, fields)).to_string().into_bytes();
        line.push(b'\n');
        self.attempt.output(OutputStream::Log, line);
        Ok(())
    }
}

/// One JSON object: the fields, then what they must not replace.
fn object(level: Level, message: String, fields: Vec<(String, String)>) -> Value {
    let mut object = Map::new();
    object.insert("level".to_owned(), name(level).into());
    object.insert("message".to_owned(), clip(message, MESSAGE).into());
    for (key, value) in fields.into_iter().take(FIELDS) {
        let key = clip(key, 256);
        if key != "level" && key != "message" {
            object.insert(key, field(value));
        }
    }
    Value::Object(object)
}

/// A field's value is JSON; what is not becomes text.
fn field(value: String) -> Value {
    let parsed = if value.len() <= FIELD { serde_json::from_str(&value).ok() } else { None };
    parsed.unwrap_or_else(|| clip(value, FIELD).into())
}

fn name(level: Level) -> &'static str {
    match level {
        Level::Trace => "trace",
        Level::Debug => "debug",
        Level::Info => "info",
        Level::Warn => "warn",
        Level::Error => "error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_json_object_whatever_the_guest_gives() {
        let fields = vec![
            ("count".to_owned(), "3".to_owned()),
            ("bad".to_owned(), "{not json".to_owned()),
            ("level".to_owned(), "\"forged\"".to_owned()),
        ];
        let value = object(Level::Warn, "two\nlines".to_owned(), fields);
        assert_eq!(
            value,
            serde_json::json!({ "level": "warn", "message": "two\nlines", "count": 3, "bad": "{not json" })
        );
        assert!(!value.to_string().contains('\n'));
    }

    #[test]
    fn long_messages_are_cut_between_characters() {
        let text = clip("ä".repeat(MESSAGE), MESSAGE);
        assert!(text.len() <= MESSAGE + '…'.len_utf8());
        assert!(text.ends_with('…'));
    }
}
