//! Declared parameters of a job: their schemas and defaults.

use sandglass_api::problem::{Code, Problem};
use sandglass_core::spec::{JobSpec, Parameter};
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
    told(Code::InvalidJob, faults)
}

fn validator(parameter: &Parameter) -> Result<jsonschema::Validator, String> {
    jsonschema::validator_for(&Value::Object(parameter.schema().clone()))
        .map_err(|error| format!("this is no JSON Schema: {error}"))
}

fn first_fault(validator: &jsonschema::Validator, value: &Value) -> Option<String> {
    validator.iter_errors(value).next().map(|error| error.to_string())
}

/// All faults as one problem; none is none.
fn told(code: Code, faults: impl Iterator<Item = (String, String)>) -> Result<(), Problem> {
    let mut faults = faults.take(MAX_FAULTS);
    let Some((pointer, message)) = faults.next() else { return Ok(()) };
    let problem = Problem::new(code, format!("{pointer}: {message}")).with_fault(pointer, message);
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
}
