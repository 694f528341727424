//! The JSON Schema of a job, and of a job file.

use sandglass_core::spec::{CalendarSpec, EXTENDS, JobSpec};
use sandglass_core::target::{GroupSpec, TargetSpec};
use serde_json::{Map, Value, json};

/// The JSON Schema (draft 2020-12) of a job in canonical form, made from the type itself.
#[must_use]
pub fn job() -> Value {
    let mut schema = schemars::schema_for!(JobSpec);
    schema.insert("title".to_owned(), "Sandglass job".into());
    schema.to_value()
}

/// The JSON Schema (draft 2020-12) of a job file in canonical form: a job, a target or a group, a list of these, or lists of
/// jobs, calendars, templates, targets and groups.
#[must_use]
pub fn file() -> Value {
    let mut generator = schemars::SchemaGenerator::default();
    let jobs = [generator.subschema_for::<JobSpec>().to_value(), json!({ "$ref": "#/$defs/ExtendingJob" })];
    let calendar = generator.subschema_for::<CalendarSpec>().to_value();
    let fleet = [generator.subschema_for::<TargetSpec>().to_value(), generator.subschema_for::<GroupSpec>().to_value()];
    let mut defs: Map<String, Value> = generator.take_definitions(true);
    let name =
        |what: &str| json!({ "type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$", "description": what });
    let mut part = loosened(&jobs[0], &mut defs);
    let part_def = part.get("$ref").and_then(Value::as_str).and_then(|path| path.rsplit('/').next()).map(str::to_owned);
    if let Some(def) = part_def.and_then(|name| defs.get(&name).cloned()) {
        part = def;
    }
    let mut extending = part.clone();
    extending["description"] = "A job that is laid over a template. `null` takes out what the template says.".into();
    extending["properties"][EXTENDS] = name("The template that the job extends.");
    extending["properties"]["name"] = name("The job's name, unique in its namespace.");
    extending["required"] = json!(["name", EXTENDS]);
    part["description"] = "Keys of a job, but for its name.".into();
    if let Some(Value::Object(properties)) = part.get_mut("properties") {
        properties.remove("name");
    }
    defs.insert("ExtendingJob".to_owned(), extending);
    defs.insert(
        "Template".to_owned(),
        json!({
            "type": "object",
            "description": "A part of a job, for jobs to extend.",
            "properties": {
                "name": name("The template's name, unique in its namespace."),
                "description": { "type": "string", "description": "What the template is for." },
                "job": part,
            },
            "required": ["name", "job"],
            "additionalProperties": false,
        }),
    );
    for (kind, def) in [("target", "Target"), ("group", "Group")] {
        let mut document = defs.get(def).cloned().unwrap_or_default();
        document["properties"]["kind"] = json!({ "const": kind, "description": "What the document is." });
        if let Some(required) = document["required"].as_array_mut() {
            required.push("kind".into());
        }
        defs.insert(format!("{def}Document"), document);
    }
    let [target, group] = &fleet;
    let lists = json!({
        "type": "object",
        "properties": {
            "jobs": { "type": "array", "items": { "anyOf": jobs } },
            "calendars": { "type": "array", "items": calendar },
            "templates": { "type": "array", "items": { "$ref": "#/$defs/Template" } },
            "targets": { "type": "array", "items": target },
            "groups": { "type": "array", "items": group },
        },
        "minProperties": 1,
        "additionalProperties": false,
    });
    let alone: Vec<Value> =
        ["TargetDocument", "GroupDocument"].map(|def| json!({ "$ref": format!("#/$defs/{def}") })).into();
    let alone: Vec<Value> = jobs.iter().cloned().chain(alone).collect();
    let list = json!({ "type": "array", "items": { "anyOf": alone } });
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Sandglass job file",
        "anyOf": alone.into_iter().chain([list, lists]).collect::<Vec<_>>(),
        "$defs": defs,
    })
}

/// The schema of a part of what `schema` describes: in maps, at every depth, nothing is required and anything may be `null`.
/// Lists are taken whole, so what is in them stays as it is.
fn loosened(schema: &Value, defs: &mut Map<String, Value>) -> Value {
    let Value::Object(schema) = schema else { return schema.clone() };
    let mut schema = schema.clone();
    if let Some(name) = schema.get("$ref").and_then(Value::as_str).and_then(|path| path.strip_prefix("#/$defs/")) {
        let (name, part) = (name.to_owned(), format!("{name}Part"));
        let Some(def) = defs.get(&name).filter(|def| is_map(def)).cloned() else { return schema.into() };
        if !defs.contains_key(&part) {
            // There before its content is, so that a schema may hold itself.
            defs.insert(part.clone(), Value::Bool(true));
            let content = loosened(&def, defs);
            defs.insert(part.clone(), content);
        }
        schema.insert("$ref".to_owned(), format!("#/$defs/{part}").into());
        return schema.into();
    }
    if let Some(Value::Array(branches)) = schema.get_mut("anyOf") {
        branches.iter_mut().for_each(|branch| *branch = loosened(branch, defs));
    }
    if is_map(&Value::Object(schema.clone())) {
        schema.remove("required");
        let or_null = |value: &mut Value, defs: &mut Map<String, Value>| {
            *value = json!({ "anyOf": [loosened(value, defs), { "type": "null" }] });
        };
        if let Some(Value::Object(properties)) = schema.get_mut("properties") {
            properties.values_mut().for_each(|value| or_null(value, defs));
        }
        if let Some(value @ Value::Object(_)) = schema.get_mut("additionalProperties") {
            or_null(value, defs);
        }
    }
    schema.into()
}

fn is_map(schema: &Value) -> bool {
    schema.get("type").is_some_and(|kind| kind == "object")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_of_files_takes_what_is_a_file_and_nothing_else() {
        let schema = file();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let whole = json!({ "name": "a", "action": { "use": "shell" }, "retry": { "max_attempts": 2 } });
        let over = json!({
            "name": "a", "extends": "t", "action": { "with": { "command": "x" } }, "env": { "A": null },
            "window": { "to": "10:00" }, "triggers": null,
        });
        let template = json!({ "name": "t", "job": { "timeout": "2h", "retry": { "max_attempts": 3 } } });
        let calendar = json!({ "name": "off", "weekdays": ["sat"] });
        let key = format!("SHA256:{}", "A".repeat(43));
        let target =
            json!({ "name": "a", "address": "a", "account": "a", "host_key": key, "key": "K", "labels": { "b": "c" } });
        let group = json!({ "name": "g", "members": ["a", "group:b"], "where": "b == c" });
        let with = |spec: &Value, key: &str, value: Value| {
            let mut spec = spec.clone();
            spec[key] = value;
            spec
        };
        for good in [
            whole.clone(),
            over.clone(),
            json!([whole, over]),
            json!({ "templates": [template] }),
            json!({ "targets": [target], "groups": [group], "jobs": [whole] }),
            with(&target, "kind", "target".into()),
            json!([with(&group, "kind", "group".into()), whole]),
            json!({ "jobs": [whole, over], "templates": [template], "calendars": [calendar] }),
        ] {
            let error = validator.iter_errors(&good).next();
            assert!(error.is_none(), "{good}: {error:?}");
        }
        for bad in [
            json!({ "name": "a" }),
            json!({ "name": "a", "timeout": "1h" }),
            target.clone(),
            with(&target, "kind", "group".into()),
            json!({ "targets": [with(&target, "agent", "/run/a.sock".into())] }),
            json!({ "targets": [with(&target, "port", 0.into())] }),
            json!({ "targets": [with(&target, "host_key", "MD5:aa".into())] }),
            json!({ "groups": [{ "name": "g" }] }),
            json!({ "extends": "t" }),
            json!({ "name": "a", "extends": "t", "timout": 5 }),
            json!({ "name": "a", "extends": "t", "retry": { "max_atempts": 5 } }),
            json!({ "templates": [{ "name": "t" }] }),
            json!({ "templates": [{ "name": "t", "job": { "name": "a" } }] }),
            json!({ "jobs": [whole], "template": [] }),
            json!({}),
        ] {
            assert!(!validator.is_valid(&bad), "{bad}");
        }
    }
}
