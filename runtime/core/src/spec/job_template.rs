//! Job templates as they are written, and jobs that are laid over one.

use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use super::JobSpec;
use crate::id::{JobName, TemplateName};

/// The key of a job that names its template.
pub const EXTENDS: &str = "extends";
/// The most bytes of a template's `job` as JSON.
pub const MAX_TEMPLATE_BYTES: usize = 64 << 10;

/// A job template: any part of a job, for jobs to build on.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobTemplateSpec {
    /// The template's name, unique in its namespace.
    pub name: TemplateName,
    /// What the template is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Keys of a job in canonical form, but for its name.
    #[serde(deserialize_with = "read_part")]
    pub job: Map<String, Value>,
}

/// The part of a job that a template is: it has no name, extends nothing, and is not too large.
fn read_part<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Map<String, Value>, D::Error> {
    let job = Map::deserialize(deserializer)?;
    if let Some(key) = ["name", EXTENDS].into_iter().find(|key| job.contains_key(*key)) {
        return Err(D::Error::custom(format!("a template's job cannot have '{key}': only a job that extends it has")));
    }
    let size = Value::Object(job.clone()).to_string().len();
    if size > MAX_TEMPLATE_BYTES {
        let message = format!("the template has {size} bytes as JSON: {MAX_TEMPLATE_BYTES} are allowed; make several");
        return Err(D::Error::custom(message));
    }
    Ok(job)
}

/// A job as it is written: whole, or laid over a template.
#[derive(Clone, PartialEq, Debug)]
pub enum WrittenJob {
    /// It extends nothing.
    Whole(Arc<JobSpec>),
    /// It has `extends`.
    Extending(Arc<Overlay>),
}

impl WrittenJob {
    /// The job's name.
    #[must_use]
    pub fn name(&self) -> &JobName {
        match self {
            Self::Whole(spec) => &spec.name,
            Self::Extending(overlay) => overlay.name(),
        }
    }

    /// What is laid over a template; none if the job extends none.
    #[must_use]
    pub fn overlay(&self) -> Option<&Arc<Overlay>> {
        match self {
            Self::Whole(_) => None,
            Self::Extending(overlay) => Some(overlay),
        }
    }
}

impl Serialize for WrittenJob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Whole(spec) => spec.serialize(serializer),
            Self::Extending(overlay) => overlay.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for WrittenJob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let document = Map::<String, Value>::deserialize(deserializer)?;
        if document.contains_key(EXTENDS) {
            return Overlay::new(document).map(|overlay| Self::Extending(Arc::new(overlay))).map_err(D::Error::custom);
        }
        let spec = serde_path_to_error::deserialize(Value::Object(document)).map_err(D::Error::custom)?;
        Ok(Self::Whole(Arc::new(spec)))
    }
}

/// What is written of a job that extends a template.
#[derive(Clone, PartialEq, Debug)]
pub struct Overlay {
    name: JobName,
    template: TemplateName,
    document: Map<String, Value>,
}

/// A document is no job that extends a template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{key}': {message}")]
pub struct InvalidOverlay {
    /// The key at fault.
    pub key: &'static str,
    /// What is wrong with it.
    pub message: String,
}

impl Overlay {
    /// Of a job's document in canonical form. Only its `name` and `extends` are looked at: the rest may be any part of a job,
    /// and `null` for what the template has and the job shall not have.
    ///
    /// # Errors
    ///
    /// If one of the two is missing or no name.
    pub fn new(document: Map<String, Value>) -> Result<Self, InvalidOverlay> {
        fn named<T: std::str::FromStr<Err: ToString>>(
            document: &Map<String, Value>,
            key: &'static str,
        ) -> Result<T, InvalidOverlay> {
            let text = document.get(key).and_then(Value::as_str);
            let text = text.ok_or_else(|| InvalidOverlay { key, message: "expected a name".to_owned() })?;
            text.parse().map_err(|error: T::Err| InvalidOverlay { key, message: error.to_string() })
        }
        Ok(Self { name: named(&document, "name")?, template: named(&document, EXTENDS)?, document })
    }

    /// The job's name.
    #[must_use]
    pub fn name(&self) -> &JobName {
        &self.name
    }

    /// The template that it extends.
    #[must_use]
    pub fn template(&self) -> &TemplateName {
        &self.template
    }

    /// As it is written, name and `extends` included.
    #[must_use]
    pub fn document(&self) -> &Map<String, Value> {
        &self.document
    }

    /// The job that this comes to over `template`: maps merge key by key at every depth, `null` takes a key out, and anything
    /// else replaces what the template has. These are the rules of JSON Merge Patch (RFC 7396). Only then what neither of
    /// them says gets its default.
    ///
    /// # Errors
    ///
    /// If that is no job.
    pub fn resolve(&self, template: &JobTemplateSpec) -> Result<JobSpec, Unresolved> {
        let mut merged = Value::Object(template.job.clone());
        merge(&mut merged, &self.document);
        if let Value::Object(merged) = &mut merged {
            merged.remove(EXTENDS);
        }
        serde_path_to_error::deserialize(merged).map_err(|error| {
            let pointer = pointer(error.path());
            let message = error.into_inner().to_string();
            let missing = message.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`'));
            let message = missing.map_or(message.clone(), |key| {
                format!("key '{key}' is missing: neither the job nor template '{}' has it", self.template)
            });
            Unresolved { pointer, message }
        })
    }
}

impl Serialize for Overlay {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.document.serialize(serializer)
    }
}

/// A job and its template do not come to a job together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Unresolved {
    /// Where, as a JSON Pointer (RFC 6901) into the job that they come to.
    pub pointer: String,
    /// What is wrong.
    pub message: String,
}

/// Applies a merge patch (RFC 7396) to `target`.
fn merge(target: &mut Value, patch: &Map<String, Value>) {
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(target) = target else { return };
    for (key, value) in patch {
        match value {
            Value::Null => _ = target.remove(key),
            Value::Object(patch) => merge(target.entry(key.as_str()).or_insert(Value::Null), patch),
            other => _ = target.insert(key.clone(), other.clone()),
        }
    }
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let step = |segment: &Segment| match segment {
        Segment::Seq { index } => format!("/{index}"),
        Segment::Map { key } => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
        Segment::Enum { variant } => format!("/{variant}"),
        Segment::Unknown => String::new(),
    };
    path.iter().map(step).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn template(job: Value) -> JobTemplateSpec {
        serde_json::from_value(json!({ "name": "backup", "job": job })).unwrap()
    }

    fn overlay(mut document: Value) -> Overlay {
        document["name"] = "nightly".into();
        document["extends"] = "backup".into();
        let Value::Object(document) = document else { panic!("a job is a map") };
        Overlay::new(document).unwrap()
    }

    fn resolved(job: Value, template_job: Value) -> Value {
        serde_json::to_value(overlay(job).resolve(&template(template_job)).unwrap()).unwrap()
    }

    #[test]
    fn maps_merge_lists_replace_and_null_takes_out() {
        let base = json!({
            "timeout": "2h", "description": "of the template", "tags": ["a", "b"],
            "retry": { "max_attempts": 3, "initial": "1m" },
            "action": { "use": "shell", "with": { "interpreter": "bash", "command": "true" } },
            "env": { "TARGET": "s3", "KEEP": "7" },
        });
        let job = json!({
            "description": null, "tags": ["c"], "retry": { "max_attempts": 5 },
            "action": { "with": { "command": "./backup.sh" } }, "env": { "TARGET": null, "DAY": "mon" },
        });
        let found = resolved(job, base);
        assert_eq!(found["name"], "nightly");
        assert_eq!((found.get("description"), &found["tags"]), (None, &json!(["c"])));
        assert_eq!((&found["retry"]["max_attempts"], &found["retry"]["initial"]), (&json!(5), &json!("1m")));
        let action = json!({ "use": "shell", "with": { "interpreter": "bash", "command": "./backup.sh" } });
        assert_eq!(found["action"], action);
        assert_eq!((&found["env"], &found["timeout"]), (&json!({ "KEEP": "7", "DAY": "mon" }), &json!("2h")));
        // Defaults come last: what neither says is as in any job.
        assert_eq!(found["grace"], "30s");
        assert!(found.get("extends").is_none(), "{found}");
    }

    #[test]
    fn the_examples_of_the_standard_come_out_as_it_says() {
        // RFC 7396, appendix A, as far as both are objects.
        for (target, patch, expected) in [
            (json!({"a":"b"}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"b"}), json!({"b":"c"}), json!({"a":"b","b":"c"})),
            (json!({"a":"b"}), json!({"a":null}), json!({})),
            (json!({"a":"b","b":"c"}), json!({"a":null}), json!({"b":"c"})),
            (json!({"a":["b"]}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"c"}), json!({"a":["b"]}), json!({"a":["b"]})),
            (json!({"a":{"b":"c"}}), json!({"a":{"b":"d","c":null}}), json!({"a":{"b":"d"}})),
            (json!({"a":[{"b":"c"}]}), json!({"a":[1]}), json!({"a":[1]})),
            (json!({"e":null}), json!({"a":1}), json!({"e":null,"a":1})),
            (json!([1, 2]), json!({"a":"b","c":null}), json!({"a":"b"})),
            (json!({}), json!({"a":{"bb":{"ccc":null}}}), json!({"a":{"bb":{}}})),
        ] {
            let mut found = target.clone();
            merge(&mut found, patch.as_object().unwrap());
            assert_eq!(found, expected, "{target} with {patch}");
        }
    }

    #[test]
    fn what_is_missing_of_both_is_told_with_its_place() {
        let error = overlay(json!({ "action": { "with": {} } })).resolve(&template(json!({}))).unwrap_err();
        assert_eq!(error.pointer, "/action");
        assert_eq!(error.message, "key 'use' is missing: neither the job nor template 'backup' has it");
        let error = overlay(json!({ "retry": 3 })).resolve(&template(json!({ "action": { "use": "a" } }))).unwrap_err();
        assert_eq!(error.pointer, "/retry");
    }

    #[test]
    fn a_template_has_no_name_extends_nothing_and_is_bounded() {
        let read = |job: Value| serde_json::from_value::<JobTemplateSpec>(json!({ "name": "t", "job": job }));
        for (job, says) in [
            (json!({ "name": "a" }), "cannot have 'name'"),
            (json!({ "extends": "a" }), "cannot have 'extends'"),
            (json!({ "description": "x".repeat(MAX_TEMPLATE_BYTES) }), "are allowed"),
        ] {
            assert!(read(job).unwrap_err().to_string().contains(says), "{says}");
        }
    }

    #[test]
    fn jobs_with_and_without_a_template_read_and_write() {
        for text in [
            r#"{"env":{"A":null},"extends":"backup","name":"a"}"#,
            r#"{"extends":"backup","name":"a","retry":{"max_attempts":2}}"#,
        ] {
            let job: WrittenJob = serde_json::from_str(text).unwrap();
            assert_eq!((job.name().as_str(), job.overlay().unwrap().template().as_str()), ("a", "backup"));
            assert_eq!(serde_json::to_string(&job).unwrap(), text);
        }
        let whole: WrittenJob = serde_json::from_str(r#"{"name":"a","action":{"use":"b"}}"#).unwrap();
        assert!(whole.overlay().is_none());
        for bad in [r#"{"extends":"b"}"#, r#"{"name":"a","extends":null}"#, r#"{"name":"a","extends":"-"}"#] {
            assert!(serde_json::from_str::<WrittenJob>(bad).is_err(), "{bad}");
        }
    }
}
