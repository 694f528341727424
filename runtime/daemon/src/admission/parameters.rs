//! Declared parameters of a job: their schemas and defaults, and the values that a start gives.

use sandglass_api::problem::{Code, Problem};
use sandglass_core::spec::{JobSpec, MAX_PARAM_BYTES, ParamValues, Parameter, Parameters};
use sandglass_core::spelling::unknown;
use serde_json::Value;

use super::MAX_FAULTS;

/// Checks that each parameter of a job is a JSON Schema, and that its default is a value of it.
pub(super) fn check_declared(spec: &JobSpec) -> Result<(), Problem> {
    let faults = spec.parameters.iter().filter_map(|(name, parameter)| {
        let pointer = format!("/parameters/{name}");
        match validator(parameter) {
            Err(message) => Some((pointer, message)),
            Ok(validator) => {
                let message = first_fault(&validator, parameter.default()?)?;
                Some((format!("{pointer}/default"), message))
            }
        }
    });
    told(Code::InvalidJob, faults, None)
}

/// Checks the values that a start gives: each must be a declared one and fit its schema, and none may be missing.
pub(crate) fn check_given(declared: &Parameters, given: &ParamValues) -> Result<(), Problem> {
    let size = Value::Object(given.clone()).to_string().len();
    if size > MAX_PARAM_BYTES {
        let detail = format!("the parameters have {size} bytes as JSON: {MAX_PARAM_BYTES} are allowed");
        return Err(Problem::new(Code::InvalidParams, detail));
    }
    let wrong = given.iter().filter_map(|(name, value)| {
        let message = match declared.get(name) {
            None => Some(no_such(declared, name)),
            Some(parameter) => match validator(parameter) {
                Ok(validator) => first_fault(&validator, value),
                Err(message) => Some(message),
            },
        };
        Some((format!("/params/{name}"), message?))
    });
    let is_missing =
        |name: &&String, parameter: &Parameter| parameter.default().is_none() && !given.contains_key(*name);
    let missing = declared
        .iter()
        .filter(|(name, parameter)| is_missing(name, parameter))
        .map(|(name, _)| ("/params".to_owned(), format!("parameter '{name}' is missing: it has no default")));
    told(Code::InvalidParams, wrong.chain(missing), Some("give values with `--param NAME=VALUE`"))
}

fn no_such(declared: &Parameters, name: &str) -> String {
    let names: Vec<&str> = declared.iter().map(|(name, _)| name.as_str()).collect();
    if names.is_empty() {
        return format!("there is no parameter '{name}': the job declares none");
    }
    unknown("parameter", name, &names)
}

fn validator(parameter: &Parameter) -> Result<jsonschema::Validator, String> {
    jsonschema::validator_for(&Value::Object(parameter.schema().clone()))
        .map_err(|error| format!("this is no JSON Schema: {error}"))
}

fn first_fault(validator: &jsonschema::Validator, value: &Value) -> Option<String> {
    validator.iter_errors(value).next().map(|error| error.to_string())
}

/// All faults as one problem; none is none.
fn told(code: Code, faults: impl Iterator<Item = (String, String)>, hint: Option<&'static str>) -> Result<(), Problem> {
    let mut faults = faults.take(MAX_FAULTS);
    let Some((pointer, message)) = faults.next() else { return Ok(()) };
    let mut problem = Problem::new(code, format!("{pointer}: {message}")).with_fault(pointer, message);
    if let Some(hint) = hint {
        problem = problem.with_hint(hint);
    }
    Err(faults.fold(problem, |problem, (pointer, message)| problem.with_fault(pointer, message)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(parameters: &Value) -> JobSpec {
        let spec = serde_json::json!({ "name": "a", "action": { "use": "noop" }, "parameters": parameters });
        serde_json::from_value(spec).unwrap()
    }

    fn told(result: Result<(), Problem>) -> Vec<String> {
        let faults = result.err().map(|problem| problem.errors).unwrap_or_default();
        faults.into_iter().map(|fault| format!("{} {}", fault.pointer, fault.message)).collect()
    }

    #[test]
    fn declared_parameters_are_schemas_with_fitting_defaults() {
        let good = serde_json::json!({ "n": { "type": "integer", "minimum": 1, "default": 1 }, "any": {} });
        assert_eq!(told(check_declared(&spec(&good))), Vec::<String>::new());
        let bad = serde_json::json!({ "n": { "type": "integer", "default": "x" }, "m": { "type": "whole" } });
        let told = told(check_declared(&spec(&bad)));
        assert!(told[0].starts_with("/parameters/m this is no JSON Schema"), "{told:?}");
        assert!(told[1].starts_with("/parameters/n/default "), "{told:?}");
    }

    #[test]
    fn a_start_gives_declared_parameters_only_and_all_without_defaults() {
        let declared = serde_json::json!({ "target": { "enum": ["s3", "gcs"], "default": "s3" }, "day": {} });
        let declared = spec(&declared).parameters;
        let check = |given: Value| told(check_given(&declared, given.as_object().unwrap()));
        assert_eq!(check(serde_json::json!({ "day": 1, "target": "gcs" })), Vec::<String>::new());
        let told = check(serde_json::json!({ "tagret": "s3", "target": "s4" }));
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(told[0].contains("did you mean 'target'?"), "{told:?}");
        assert!(told[1].starts_with("/params/target "), "{told:?}");
        assert!(told[2].contains("'day' is missing"), "{told:?}");
    }
}
