//! Parameters against their action's schema, with faults in the words of jobs rather than of JSON Schema. What templates
//! come to is known only when they are filled in, so what they would have to be is judged then.

use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind};
use sandglass_api::problem::{Code, Problem};
use sandglass_core::plugin::ActionInfo;
use sandglass_core::spelling::nearest;
use sandglass_core::template::{holds_template, is_expression, is_template};
use serde_json::Value;

use super::{Doing, MAX_FAULTS};

/// How deep the choices of a schema are followed.
const MAX_NESTING: usize = 4;

/// Checks the parameters of `doing` against the schema of `action`.
pub(super) fn check(doing: Doing<'_>, action: &ActionInfo) -> Result<(), Problem> {
    let plugin = &doing.uses.plugin;
    let params = serde_json::Value::Object(doing.with.clone());
    let validator = jsonschema::validator_for(&action.params_schema).map_err(|error| {
        Problem::new(
            Code::InvalidParams,
            format!("plugin '{plugin}' has a wrong schema for its action '{}': {error}", action.name),
        )
    })?;
    let faults: Vec<(String, String)> = validator
        .iter_errors(&params)
        .filter(|error| !depends_on_template(error))
        .take(MAX_FAULTS)
        .flat_map(|error| faults(doing.at, &error, action, true))
        .collect();
    let Some((pointer, message)) = faults.first() else { return Ok(()) };
    let problem = Problem::new(Code::InvalidParams, format!("{pointer}: {message}"))
        .with_hint(format!("`sandglass plugin show {plugin}` shows what action '{}' takes", action.name));
    Err(faults.into_iter().fold(problem, |problem, (pointer, message)| problem.with_fault(pointer, message)))
}

/// Says what is wrong with parameters whose templates are filled in, if anything is.
pub(super) fn check_filled(at: &str, params: &Value, action: &ActionInfo) -> Result<(), String> {
    let validator = jsonschema::validator_for(&action.params_schema).map_err(|error| error.to_string())?;
    match validator.iter_errors(params).flat_map(|error| faults(at, &error, action, false)).next() {
        Some((pointer, message)) => Err(format!("{pointer}, once its templates are filled in: {message}")),
        None => Ok(()),
    }
}

/// Whether a violation may be none once the templates are filled in.
fn depends_on_template(error: &ValidationError<'_>) -> bool {
    let kind = error.kind();
    match error.instance().as_ref() {
        // What is one expression may come to anything; what is more stays a text.
        Value::String(text) if is_template(text) => {
            is_expression(text) || !matches!(kind, ValidationErrorKind::Type { .. })
        }
        value if holds_template(value) => !matches!(
            kind,
            ValidationErrorKind::Type { .. }
                | ValidationErrorKind::Required { .. }
                | ValidationErrorKind::AdditionalProperties { .. }
        ),
        _ => false,
    }
}

/// A violation as pointers and messages: one for each parameter that is too much or missing. The action is at `at`; `as_written`
/// says that nothing has been filled in.
fn faults(at: &str, error: &ValidationError<'_>, action: &ActionInfo, as_written: bool) -> Vec<(String, String)> {
    let at = format!("{at}/with{}", error.instance_path());
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            let known = known_params(schema_of(error, action).unwrap_or(&action.params_schema));
            let outer = known_params(&action.params_schema);
            unexpected
                .iter()
                .map(|name| {
                    let like = match nearest(name, known.iter().copied()) {
                        Some(like) => format!("did you mean '{like}'?"),
                        None if outer.contains(&name.as_str()) => {
                            "it belongs further out, right under 'with'".to_owned()
                        }
                        None if known.is_empty() => "there are none".to_owned(),
                        None => format!("there are: {}", known.join(", ")),
                    };
                    (format!("{at}/{}", escaped(name)), format!("there is no parameter '{name}' here; {like}"))
                })
                .collect()
        }
        ValidationErrorKind::Required { property } => {
            let name = property.as_str().map_or_else(|| property.to_string(), str::to_owned);
            vec![(at, format!("parameter '{name}' is missing"))]
        }
        ValidationErrorKind::Type { kind } => {
            let wanted = match kind {
                TypeKind::Single(wanted) => wanted.to_string(),
                TypeKind::Multiple(wanted) => {
                    let names: Vec<String> =
                        wanted.iter().map(|wanted| wanted.to_string()).filter(|name| name != "null").collect();
                    names.join(" or ")
                }
            };
            let found = error.instance();
            let quotes = if as_written && wanted == "string" && found.is_number() { ": put it in quotes" } else { "" };
            vec![(at, format!("expected {wanted}, found {found}{quotes}"))]
        }
        ValidationErrorKind::AnyOf { .. } | ValidationErrorKind::OneOfNotValid { .. } => {
            vec![(at, none_fits(error, action))]
        }
        _ => vec![(at, error.to_string())],
    }
}

/// The part of the schema whose keyword is violated.
fn schema_of<'a>(error: &ValidationError<'_>, action: &'a ActionInfo) -> Option<&'a Value> {
    let (schema, _keyword) = error.schema_path().as_str().rsplit_once('/')?;
    action.params_schema.pointer(schema)
}

/// What is said of a value that is none of several: which there are, or what the schema says that it is.
fn none_fits(error: &ValidationError<'_>, action: &ActionInfo) -> String {
    let (found, schema) = (error.instance(), schema_of(error, action));
    let part = |name: &str| schema.and_then(|schema| schema.get(name));
    let choices = part("oneOf").or_else(|| part("anyOf")).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let names: Option<Vec<Vec<&str>>> = choices.iter().map(|one| names(one, action, MAX_NESTING)).collect();
    if let Some(names) = names.map(|names| names.concat()).filter(|names| !names.is_empty()) {
        let like = found.as_str().and_then(|found| nearest(found, names.iter().copied()));
        let like = like.map(|like| format!("; did you mean '{like}'?")).unwrap_or_default();
        return format!("expected one of {}, found {found}{like}", names.join(", "));
    }
    // What stands for nothing need not be told. Where one of the others says nothing of itself, what all are says more.
    let choices = choices.iter().filter(|one| one.get("type").and_then(Value::as_str) != Some("null"));
    let described: Option<Vec<&str>> = choices.map(|one| description(one, action)).collect();
    let described = described.filter(|described| !described.is_empty()).map(|described| described.join(" Or: "));
    match described.or_else(|| Some(part("description")?.as_str()?.to_owned())) {
        Some(described) => format!("{found} does not fit. What it is: {described}"),
        None => error.to_string(),
    }
}

/// All texts that a part of the schema allows, if it allows nothing else but null: looked for so deep.
fn names<'a>(part: &'a Value, action: &'a ActionInfo, depth: usize) -> Option<Vec<&'a str>> {
    let part = meant(part, action);
    if let Some(name) = part.get("const") {
        return name.as_str().map(|name| vec![name]);
    }
    if let Some(names) = part.get("enum").and_then(Value::as_array) {
        return names.iter().filter(|name| !name.is_null()).map(Value::as_str).collect();
    }
    if part.get("type").and_then(Value::as_str) == Some("null") {
        return Some(Vec::new());
    }
    let choices = part.get("oneOf").or_else(|| part.get("anyOf"))?.as_array()?;
    let depth = depth.checked_sub(1)?;
    choices.iter().map(|one| names(one, action, depth)).collect::<Option<Vec<_>>>().map(|names| names.concat())
}

/// A part of the schema, or the one that it refers to.
fn meant<'a>(part: &'a Value, action: &'a ActionInfo) -> &'a Value {
    let path = part.get("$ref").and_then(Value::as_str).and_then(|path| path.strip_prefix('#'));
    path.and_then(|path| action.params_schema.pointer(path)).unwrap_or(part)
}

/// What a part of the schema, or the one that it refers to, says that it is.
fn description<'a>(part: &'a Value, action: &'a ActionInfo) -> Option<&'a str> {
    meant(part, action).get("description")?.as_str()
}

/// The names of the parameters that a schema has.
fn known_params(schema: &Value) -> Vec<&str> {
    let properties = schema.get("properties").and_then(serde_json::Value::as_object);
    properties.map(|properties| properties.keys().map(String::as_str).collect()).unwrap_or_default()
}

/// A name as a part of a JSON Pointer (RFC 6901).
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(with: &serde_json::Value) -> Option<Problem> {
        let action = serde_json::json!({
            "name": "request", "title": "", "description": "", "idempotent": false,
            "params_schema": {
                "type": "object",
                "properties": {
                    "url": { "type": "string" },
                    "method": { "type": ["string", "null"] },
                    "count": { "type": "integer" },
                    "strategy": { "$ref": "#/$defs/Strategy" }
                },
                "required": ["url"],
                "additionalProperties": false,
                "$defs": {
                    "Strategy": {
                        "type": "object",
                        "properties": { "kind": { "$ref": "#/$defs/Kind" }, "pause": { "$ref": "#/$defs/Period" }, "wait": {
                            "anyOf": [{ "$ref": "#/$defs/Period" }, { "type": "null" }], "description": "How long to wait."
                        }, "next": { "anyOf": [{ "$ref": "#/$defs/Kind" }, { "enum": ["none"] }, { "type": "null" }] } },
                        "additionalProperties": false
                    },
                    "Kind": { "oneOf": [{ "const": "parallel" }, { "const": "rolling", "description": "In turn." }] },
                    "Period": { "anyOf": [{ "type": "number" }, { "pattern": "s$", "type": "string" }], "description": "Such as 10s." }
                }
            }
        });
        let (uses, env) = ("http".parse().unwrap(), std::collections::BTreeMap::new());
        let with = with.as_object().unwrap();
        let secrets = std::collections::BTreeSet::new();
        let doing = Doing { at: "/action", uses: &uses, with, env: &env, secrets: &secrets, grants: None };
        check(doing, &serde_json::from_value(action).unwrap()).err()
    }

    #[test]
    fn what_a_template_comes_to_is_judged_when_it_is_filled_in() {
        assert_eq!(problem(&serde_json::json!({ "url": "{{ params.n }}", "method": "{{ params.n }}" })), None);
        assert_eq!(problem(&serde_json::json!({ "url": "x", "count": "{{ params.n }}" })), None);
        // A text with a value in it stays a text.
        let found = problem(&serde_json::json!({ "url": "x", "count": "{{ params.n }}0" })).unwrap();
        assert_eq!(found.errors[0].pointer, "/action/with/count");
        let found = problem(&serde_json::json!({ "metod": "{{ params.n }}" })).unwrap();
        assert_eq!(found.errors.len(), 2, "{found:?}");
    }

    #[test]
    fn faults_are_told_in_the_words_of_jobs() {
        assert_eq!(problem(&serde_json::json!({ "url": "x" })), None);
        let found = problem(&serde_json::json!({ "metod": "GET", "a/b": 1, "method": 5 })).unwrap();
        let mut told: Vec<String> =
            found.errors.iter().map(|fault| format!("{} {}", fault.pointer, fault.message)).collect();
        told.sort();
        assert_eq!(
            told,
            [
                "/action/with parameter 'url' is missing",
                "/action/with/a~1b there is no parameter 'a/b' here; there are: count, method, strategy, url",
                "/action/with/method expected string, found 5: put it in quotes",
                "/action/with/metod there is no parameter 'metod' here; did you mean 'method'?",
            ]
        );
    }

    #[test]
    fn faults_further_in_are_told_alike() {
        let told = |strategy: &Value| {
            let found = problem(&serde_json::json!({ "url": "x", "strategy": strategy })).unwrap();
            found.errors.into_iter().map(|fault| fault.message).collect::<Vec<_>>()
        };
        let json = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        for (strategy, says) in [
            (r#"{"kind": "rollin"}"#, "expected one of parallel, rolling, found \"rollin\"; did you mean 'rolling'?"),
            (r#"{"next": "never"}"#, "expected one of parallel, rolling, none, found \"never\""),
            (r#"{"pause": "soon"}"#, "\"soon\" does not fit. What it is: Such as 10s."),
            (r#"{"wait": "soon"}"#, "\"soon\" does not fit. What it is: Such as 10s."),
            (r#"{"paus": "1s"}"#, "there is no parameter 'paus' here; did you mean 'pause'?"),
            (r#"{"count": 1}"#, "there is no parameter 'count' here; it belongs further out, right under 'with'"),
            (r#"{"xyz": 1}"#, "there is no parameter 'xyz' here; there are: kind, next, pause, wait"),
        ] {
            assert_eq!(told(&json(strategy)), [says], "{strategy}");
        }
    }
}
