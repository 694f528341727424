//! Templates looked at when their job is saved.

use super::{MAX_SOURCE, MAX_TEMPLATES, engine, places, scope};
use crate::spec::{JobSpec, Parameters};
use crate::spelling::unknown;

/// Something wrong with a template.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// Where in the job, as a JSON Pointer (RFC 6901).
    pub pointer: String,
    /// What is wrong, and what to do.
    pub message: String,
}

/// Names of features that this version lacks.
const LATER: [&str; 2] = ["secret", "upstream"];

/// Everything that is wrong with the templates of `spec`, in its order.
#[must_use]
pub fn check(spec: &JobSpec) -> Vec<Fault> {
    let (mut faults, mut count, mut size) = (Vec::new(), 0, 0);
    let environment = std::cell::OnceCell::new();
    places::each(spec, |pointer, text| {
        (count, size) = (count + 1, size + text.len());
        let message = if count > MAX_TEMPLATES {
            (count == MAX_TEMPLATES + 1).then(|| format!("these are too many templates: {MAX_TEMPLATES} are allowed"))
        } else if size > MAX_SOURCE {
            Some(format!("the job's templates are too long: {} KiB are allowed for all", MAX_SOURCE >> 10))
        } else {
            let environment = environment.get_or_init(|| engine::environment(chrono_tz::Tz::UTC));
            one(environment, text, &spec.parameters).err()
        };
        faults.extend(message.map(|message| Fault { pointer, message }));
    });
    faults
}

fn one(environment: &minijinja::Environment<'_>, text: &str, parameters: &Parameters) -> Result<(), String> {
    let names = engine::Shape::of(text).and_then(|_| engine::names(environment, text)).map_err(|message| {
        format!(
            "this is no template: {message}; for '{{{{' and '{{%' as they stand, write {{% raw %}} before and \
             {{% endraw %}} behind"
        )
    })?;
    names.iter().try_for_each(|name| known(name, parameters))
}

/// Refuses a name that no attempt has.
fn known(name: &str, parameters: &Parameters) -> Result<(), String> {
    let mut parts = name.split('.');
    let (first, second) = (parts.next().unwrap_or_default(), parts.next());
    if LATER.contains(&first) {
        return Err(format!("'{name}' is not supported yet: this version knows no {first} values in templates"));
    }
    match (first, second) {
        ("namespace", _) => return Ok(()),
        ("params", Some(parameter)) => {
            if parameters.get(parameter).is_some() {
                return Ok(());
            }
            if parameters.is_empty() {
                return Err(format!(
                    "there is no parameter '{parameter}': the job declares none; add it under 'parameters'"
                ));
            }
            let names: Vec<&str> = parameters.iter().map(|(name, _)| name.as_str()).collect();
            return Err(unknown("parameter", parameter, &names));
        }
        (holder, None) if scope::HOLDERS.contains(&holder) => return Ok(()),
        (holder, Some(key)) if scope::NAMES.contains(&format!("{holder}.{key}").as_str()) => return Ok(()),
        _ => {}
    }
    let written = second.map_or_else(|| first.to_owned(), |second| format!("{first}.{second}"));
    let parameters: Vec<String> = parameters.iter().map(|(name, _)| format!("params.{name}")).collect();
    let known: Vec<&str> = scope::NAMES.into_iter().chain(parameters.iter().map(String::as_str)).collect();
    Err(unknown("value", &written, &known))
}
