//! Where templates stand in a job.

use serde_json::{Map, Value};

use super::is_template;
use crate::spec::{JobSpec, Notifier};

/// Calls `visit` with the pointer (RFC 6901) and the text of every template of `spec`, in the order of its keys.
pub(super) fn each<'a>(spec: &'a JobSpec, mut visit: impl FnMut(String, &'a str)) {
    in_map("/action/with", &spec.action.with, &mut visit);
    for (name, text) in spec.env.iter().filter(|(_, text)| is_template(text)) {
        visit(below("/env", name), text);
    }
    if let Some(text) = spec.working_dir.as_deref().filter(|text| is_template(text)) {
        visit("/working_dir".to_owned(), text);
    }
    for (index, group) in spec.concurrency.iter().enumerate() {
        if let Some(text) = group.key.as_deref().filter(|text| is_template(text)) {
            visit(format!("/concurrency/{index}/key"), text);
        }
    }
}

/// As [`each`], of the notifier at `place`.
pub(super) fn each_of_notifier<'a>(place: u16, notifier: &'a Notifier, mut visit: impl FnMut(String, &'a str)) {
    in_map(&format!("{}/with", of_notifier(place)), &notifier.with, &mut visit);
    for (name, text) in notifier.env.iter().filter(|(_, text)| is_template(text)) {
        visit(below(&format!("{}/env", of_notifier(place)), name), text);
    }
}

/// The pointer to the notifier at `place`.
pub(super) fn of_notifier(place: u16) -> String {
    format!("/notify/{place}")
}

fn in_map<'a>(pointer: &str, map: &'a Map<String, Value>, visit: &mut impl FnMut(String, &'a str)) {
    for (key, value) in map {
        in_value(&below(pointer, key), value, visit);
    }
}

pub(super) fn in_value<'a>(pointer: &str, value: &'a Value, visit: &mut impl FnMut(String, &'a str)) {
    match value {
        Value::String(text) if is_template(text) => visit(pointer.to_owned(), text),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                in_value(&format!("{pointer}/{index}"), item, visit);
            }
        }
        Value::Object(map) => in_map(pointer, map, visit),
        _ => {}
    }
}

/// The pointer to `key` in what is at `pointer`.
pub(super) fn below(pointer: &str, key: &str) -> String {
    format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"))
}
