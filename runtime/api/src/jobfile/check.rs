//! What the types of a job cannot say: ranges, and texts that could never work.

use std::collections::BTreeMap;

use sandglass_core::capability::{FilesGrant, Grants};
use sandglass_core::spec::{
    JobSpec, MAX_CODES, MAX_PARAM_BYTES, MAX_PARAMETERS, NoticeOn, Notifier, Notifiers, Retry, RetryOutcome, bounds,
    is_parameter_name,
};
use sandglass_core::template::{self, is_template};

/// Every fault of a job that its types do not keep out, with a JSON Pointer (RFC 6901) to it.
#[must_use]
pub fn faults(spec: &JobSpec) -> Vec<(String, String)> {
    let mut faults = Vec::new();
    let mut fault = |pointer: &str, message: String| faults.push((pointer.to_owned(), message));
    if spec.priority > 9 {
        fault("/priority", format!("priority {} is out of range: 0 to 9 are allowed", spec.priority));
    }
    retry("/retry", &spec.retry, spec.idempotent, &mut fault);
    if !(1..=1000).contains(&spec.catch_up.limit) {
        let found = spec.catch_up.limit;
        fault("/catch_up/limit", format!("a limit of {found} is out of range: 1 to 1000 are allowed"));
    }
    if spec.timeout.get().is_zero() {
        fault("/timeout", "a timeout of nothing would end every run at once: write a period such as 1h".to_owned());
    }
    for (key, period) in [("start_deadline", spec.start_deadline), ("deadline", spec.deadline)] {
        if period.is_some_and(|period| period.get().is_zero()) {
            fault(&format!("/{key}"), format!("a {key} of nothing would let no run start: write a period such as 1h"));
        }
    }
    if let Some(dir) = &spec.working_dir
        && ((!dir.starts_with('/') && !is_template(dir)) || dir.contains('\0'))
    {
        fault("/working_dir", format!("'{}' is not an absolute path", dir.escape_debug()));
    }
    if spec.tags.len() > 100 {
        fault("/tags", format!("{} tags are too many: 100 are allowed", spec.tags.len()));
    }
    for (index, tag) in spec.tags.iter().enumerate() {
        if tag.is_empty() || tag.len() > 100 || tag.chars().any(char::is_control) {
            fault(&format!("/tags/{index}"), "a tag has 1 to 100 characters".to_owned());
        }
    }
    faults.extend(bounds::excess(spec).into_iter().map(|excess| (excess.pointer, excess.message)));
    faults.extend(of_env("/env", &spec.env));
    faults.extend(of_grants("", spec.grants.as_deref()));
    faults.extend(of_parameters(spec));
    faults.extend(template::check(spec).into_iter().map(|fault| (fault.pointer, fault.message)));
    let mut fault = |pointer: &str, message: String| faults.push((pointer.to_owned(), message));
    if spec.limits.memory.get() == 0 || spec.limits.fuel.get() == 0 {
        let which = if spec.limits.fuel.get() == 0 { "fuel" } else { "memory" };
        fault(&format!("/limits/{which}"), format!("without any {which} nothing can run"));
    }
    for (place, notifier) in spec.notify.iter() {
        faults.extend(of_notifier(place, notifier));
    }
    faults
}

/// Every fault of a namespace's notifiers that their types do not keep out, with a JSON Pointer (RFC 6901) that begins with
/// `/notify`.
#[must_use]
pub fn faults_of_notifiers(notifiers: &Notifiers) -> Vec<(String, String)> {
    let mut faults: Vec<_> =
        bounds::of_notifiers(notifiers).into_iter().map(|excess| (excess.pointer, excess.message)).collect();
    for (place, notifier) in notifiers.iter() {
        faults.extend(of_notifier(place, notifier));
    }
    faults.extend(template::check_notifiers(notifiers).into_iter().map(|fault| (fault.pointer, fault.message)));
    faults
}

/// Faults of one notifier, but for their number and their templates.
fn of_notifier(place: u16, notifier: &Notifier) -> Vec<(String, String)> {
    let at = format!("/notify/{place}");
    let mut faults = Vec::new();
    let mut fault = |pointer: &str, message: String| faults.push((pointer.to_owned(), message));
    if notifier.on.is_empty() {
        fault(&format!("{at}/on"), "a notifier that tells of nothing: name an event such as failed".to_owned());
    }
    for (index, on) in notifier.on.iter().enumerate() {
        let pointer = format!("{at}/on/{index}");
        match on {
            NoticeOn::Late(period) | NoticeOn::NoSuccessWithin(period) if period.get().is_zero() => {
                fault(&pointer, format!("'{}' wants a period that is not nothing", on.as_str()));
            }
            _ if notifier.on[..index].contains(on) => {
                fault(&pointer, format!("'{}' stands here twice: name it once", on.as_str()));
            }
            _ => {}
        }
    }
    if notifier.timeout.get().is_zero() {
        let message = "a timeout of nothing would end every notification at once: write a period such as 1m";
        fault(&format!("{at}/timeout"), message.to_owned());
    }
    // An attempt that was interrupted is made again in any case.
    retry(&format!("{at}/retry"), &notifier.retry, true, &mut fault);
    faults.extend(of_env(&format!("{at}/env"), &notifier.env));
    faults.extend(of_grants(&at, notifier.grants.as_deref()));
    faults
}

/// A job mounts the folders that it names, so each must be one.
fn of_grants(at: &str, grants: Option<&Grants>) -> Vec<(String, String)> {
    let folders = grants.iter().flat_map(|grants| &grants.files).flat_map(FilesGrant::folders).enumerate();
    folders
        .filter(|(_, folder)| folder.is_pattern())
        .map(|(index, folder)| {
            let message = format!("'{folder}' stands for many folders: name each that the job uses");
            (format!("{at}/grants/files/{index}"), message)
        })
        .collect()
}

fn of_env(at: &str, env: &BTreeMap<String, String>) -> Vec<(String, String)> {
    let mut faults = Vec::new();
    for (name, value) in env {
        let pointer = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
        if name.is_empty() || name.contains(['=', '\0']) {
            faults.push((pointer, format!("'{}' cannot be the name of a variable", name.escape_debug())));
        } else if value.contains('\0') {
            faults.push((pointer, format!("the value of {name} contains a zero byte")));
        }
    }
    faults
}

/// Faults of declared parameters, but for their schemas.
fn of_parameters(spec: &JobSpec) -> Vec<(String, String)> {
    let mut faults = Vec::new();
    let count = spec.parameters.iter().count();
    if count > MAX_PARAMETERS {
        let message = format!("{count} parameters are too many: {MAX_PARAMETERS} are allowed");
        faults.push(("/parameters".to_owned(), message));
    }
    for (name, _) in spec.parameters.iter().filter(|(name, _)| !is_parameter_name(name)) {
        let pointer = format!("/parameters/{}", name.replace('~', "~0").replace('/', "~1"));
        let message = "the name of a parameter has 1 to 100 letters, digits and '_', the first no digit";
        faults.push((pointer, format!("'{}' cannot be a parameter: {message}", name.escape_debug())));
    }
    if let Some(name) = spec.parameters.required().next().filter(|_| !spec.triggers.is_empty()) {
        let message = "no trigger can give it a value: give it a default, or leave the triggers out";
        faults.push((format!("/parameters/{name}"), format!("parameter '{name}' has no default: {message}")));
    }
    let size = serde_json::Value::Object(spec.parameters.defaults()).to_string().len();
    if size > MAX_PARAM_BYTES {
        let message = format!("the defaults have {size} bytes as JSON: {MAX_PARAM_BYTES} are allowed for all");
        faults.push(("/parameters".to_owned(), message));
    }
    faults
}

fn retry(at: &str, retry: &Retry, idempotent: bool, fault: &mut impl FnMut(&str, String)) {
    let Retry { max_attempts, factor, on, exit_codes, .. } = retry;
    if !(1..=100).contains(max_attempts) {
        fault(&format!("{at}/max_attempts"), format!("{max_attempts} attempts are out of range: 1 to 100 are allowed"));
    }
    if !(1.0..=1000.0).contains(factor) {
        fault(&format!("{at}/factor"), format!("factor {factor} is out of range: 1 to 1000 are allowed"));
    }
    if on.is_some_and(|on| on.contains(RetryOutcome::Interrupted)) && !idempotent {
        let message = "an interrupted attempt may have done half of its work: say 'idempotent: true' if a second one does \
                       no harm, or leave out 'interrupted'";
        fault(&format!("{at}/on"), message.to_owned());
    }
    let Some(codes) = exit_codes else { return };
    for (key, list) in [("retry", codes.retry.as_deref().unwrap_or_default()), ("stop", &codes.stop)] {
        if list.len() > MAX_CODES {
            let message = format!("{} codes are too many: {MAX_CODES} are allowed; write ranges", list.len());
            fault(&format!("{at}/exit_codes/{key}"), message);
        }
    }
}
