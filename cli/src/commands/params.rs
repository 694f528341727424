//! `--param NAME=VALUE`: values of a job's parameters, read by the kind that the job declares.

use sandglass_core::id::JobName;
use sandglass_core::spec::{ParamValues, Parameters};
use serde_json::Value;

use crate::context::Context;
use crate::failure::Failure;

/// A value as it was typed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Param {
    name: String,
    value: Typed,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Typed {
    /// Read by the parameter's kind.
    Text(String),
    /// JSON as it stands.
    Json(Value),
}

/// Reads `NAME=VALUE` or `NAME:=JSON`.
pub(crate) fn parse_param(text: &str) -> Result<Param, String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE, or NAME:=JSON")?;
    let (name, value) = match name.strip_suffix(':') {
        Some(name) => {
            let value =
                serde_json::from_str(value).map_err(|error| format!("what follows ':=' is no JSON: {error}"))?;
            (name, Typed::Json(value))
        }
        None => (name, Typed::Text(value.to_owned())),
    };
    if name.is_empty() {
        return Err("the name before '=' is missing".to_owned());
    }
    Ok(Param { name: name.to_owned(), value })
}

/// The values of `params` by what `job` declares. The daemon checks them against their schemas.
pub(crate) async fn values(job: &JobName, params: &[Param], context: &Context) -> Result<ParamValues, Failure> {
    if params.is_empty() {
        return Ok(ParamValues::new());
    }
    let declared = context.client.job(job).await?;
    read(params, &declared.spec.parameters).map_err(Failure::usage)
}

fn read(params: &[Param], declared: &Parameters) -> Result<ParamValues, String> {
    let mut values = ParamValues::new();
    for Param { name, value } in params {
        let value = match value {
            Typed::Json(value) => value.clone(),
            Typed::Text(text) => {
                let kind = declared.get(name).and_then(|parameter| parameter.kind());
                of_kind(kind, text).map_err(|wanted| format!("--param {name}: expected {wanted}, found '{text}'"))?
            }
        };
        if values.insert(name.clone(), value).is_some() {
            return Err(format!("--param {name} is given twice"));
        }
    }
    Ok(values)
}

/// `text` as a value of `kind`; what was expected if it is none.
fn of_kind(kind: Option<&str>, text: &str) -> Result<Value, &'static str> {
    let (wanted, fits): (_, fn(&Value) -> bool) = match kind {
        Some("integer") => ("a whole number", |value| value.is_i64() || value.is_u64()),
        Some("number") => ("a number", Value::is_number),
        Some("boolean") => ("true or false", Value::is_boolean),
        Some("array") => ("a list in JSON", Value::is_array),
        Some("object") => ("a map in JSON", Value::is_object),
        _ => return Ok(Value::String(text.to_owned())),
    };
    serde_json::from_str(text).ok().filter(fits).ok_or(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_by_their_kind() {
        let declared =
            serde_json::json!({ "n": { "type": "integer" }, "s": { "type": "string" }, "l": { "type": "array" } });
        let declared: Parameters = serde_json::from_value(declared).unwrap();
        let values = |texts: &[&str]| {
            let params: Vec<Param> = texts.iter().map(|text| parse_param(text).unwrap()).collect();
            read(&params, &declared).map(Value::Object)
        };
        let good = values(&["n=7", "s=7", "l=[1]", "other=x=y", "raw:={\"a\":1}"]).unwrap();
        assert_eq!(good, serde_json::json!({ "n": 7, "s": "7", "l": [1], "other": "x=y", "raw": { "a": 1 } }));
        assert_eq!(values(&["n=x"]), Err("--param n: expected a whole number, found 'x'".to_owned()));
        assert_eq!(values(&["s=1", "s=2"]), Err("--param s is given twice".to_owned()));
        assert!(parse_param("x").is_err() && parse_param("=x").is_err() && parse_param("x:=y").is_err());
    }
}
