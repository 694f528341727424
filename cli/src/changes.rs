//! What differs between two specifications, field by field.

use sandglass_api::wire::SpecForms;
use sandglass_core::spec::JobSpec;
use serde::Serialize;
use serde_json::Value;

/// One value that is another than before.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub(crate) struct Change {
    /// JSON Pointer (RFC 6901) to it in the canonical specification.
    pub(crate) pointer: String,
    /// As it was; none if it was not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) old: Option<Value>,
    /// As it is; none if it is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) new: Option<Value>,
}

/// What differs between two specifications of a kind, in the order of their keys.
pub(crate) fn between<T: Serialize>(old: &T, new: &T) -> Vec<Change> {
    let value = |spec: &T| serde_json::to_value(spec).unwrap_or_default();
    let mut changes = Vec::new();
    compare(String::new(), Some(&value(old)), Some(&value(new)), &mut changes);
    changes
}

/// What differs between two forms of jobs: in what runs; and if that is the same, in what was written.
pub(crate) fn between_forms(old: &SpecForms, new: &SpecForms) -> Vec<Change> {
    let changes = between::<JobSpec>(old, new);
    if !changes.is_empty() {
        return changes;
    }
    let value = |forms: &SpecForms| serde_json::to_value(forms.written()).unwrap_or_default();
    let mut changes = Vec::new();
    compare(String::new(), Some(&value(old)), Some(&value(new)), &mut changes);
    changes
}

fn compare(pointer: String, old: Option<&Value>, new: Option<&Value>, changes: &mut Vec<Change>) {
    match (old, new) {
        (old, new) if old == new => {}
        (Some(Value::Object(old)), Some(Value::Object(new))) => {
            let gone = old.keys().filter(|key| !new.contains_key(*key));
            for key in new.keys().chain(gone) {
                let step = key.replace('~', "~0").replace('/', "~1");
                compare(format!("{pointer}/{step}"), old.get(key), new.get(key), changes);
            }
        }
        (Some(Value::Array(old)), Some(Value::Array(new))) => {
            for index in 0..old.len().max(new.len()) {
                compare(format!("{pointer}/{index}"), old.get(index), new.get(index), changes);
            }
        }
        (old, new) => changes.push(Change { pointer, old: old.cloned(), new: new.cloned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_field_is_compared() {
        let read = |json: Value| serde_json::from_value::<JobSpec>(json).unwrap();
        let old = read(serde_json::json!({
            "name": "a", "tags": ["x", "y"], "timeout": "1h", "env": { "A/B": "1", "C": "2" },
            "action": { "use": "shell", "with": { "command": "date" } }
        }));
        let new = read(serde_json::json!({
            "name": "a", "tags": ["x"], "timeout": "2h", "env": { "A/B": "9", "D": "2" },
            "action": { "use": "shell", "with": { "command": "date" } }
        }));
        assert_eq!(between(&old, &old), []);
        let found: Vec<String> = between(&old, &new)
            .into_iter()
            .map(|change| {
                let text = |value: Option<Value>| value.map_or_else(|| "none".to_owned(), |value| value.to_string());
                format!("{} {} {}", change.pointer, text(change.old), text(change.new))
            })
            .collect();
        let mut sorted = found.clone();
        sorted.sort();
        let expected = [
            "/env/A~1B \"1\" \"9\"",
            "/env/C \"2\" none",
            "/env/D none \"2\"",
            "/tags/1 \"y\" none",
            "/timeout \"1h\" \"2h\"",
        ];
        assert_eq!(sorted, expected);
    }
}
