//! Templates looked at when their job is saved.

use super::{MAX_SOURCE, MAX_TEMPLATES, engine, places, scope, secrets};
use crate::id::{JobName, SecretName};
use crate::spec::{JobSpec, Notifiers};
use crate::spelling::unknown;

/// Something wrong with a template.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// Where in the job, as a JSON Pointer (RFC 6901).
    pub pointer: String,
    /// What is wrong, and what to do.
    pub message: String,
}

/// Where what is filled in is seen by others, so that no secret may stand there.
const OPEN: [&str; 2] = ["/concurrency", "/working_dir"];

/// Everything that is wrong with the templates of `spec`, in its order.
#[must_use]
pub fn check(spec: &JobSpec) -> Vec<Fault> {
    let mut checking = Checking::default();
    places::each(spec, |pointer, text| checking.look_at(pointer, text, Names::OfJob(spec)));
    checking.look_at_notifiers(&spec.notify);
    checking.faults
}

/// Everything that is wrong with the templates of a namespace's notifiers, in their order, with pointers below `/notify`.
#[must_use]
pub fn check_notifiers(notifiers: &Notifiers) -> Vec<Fault> {
    let mut checking = Checking::default();
    checking.look_at_notifiers(notifiers);
    checking.faults
}

/// What templates can name.
#[derive(Clone, Copy)]
enum Names<'a> {
    /// What the attempts of this job have.
    OfJob(&'a JobSpec),
    /// What notifications have.
    OfNotice,
}

/// Templates that are bounded together.
#[derive(Default)]
struct Checking {
    faults: Vec<Fault>,
    count: usize,
    size: usize,
    environment: std::cell::OnceCell<minijinja::Environment<'static>>,
}

impl Checking {
    fn look_at_notifiers(&mut self, notifiers: &Notifiers) {
        for (place, notifier) in notifiers.iter() {
            places::each_of_notifier(place, notifier, |pointer, text| self.look_at(pointer, text, Names::OfNotice));
        }
    }

    fn look_at(&mut self, pointer: String, text: &str, names: Names<'_>) {
        (self.count, self.size) = (self.count + 1, self.size + text.len());
        let message = if self.count > MAX_TEMPLATES {
            let first = self.count == MAX_TEMPLATES + 1;
            first.then(|| format!("these are too many templates: {MAX_TEMPLATES} are allowed"))
        } else if self.size > MAX_SOURCE {
            Some(format!("the job's templates are too long: {} KiB are allowed for all", MAX_SOURCE >> 10))
        } else {
            let environment = self.environment.get_or_init(|| engine::environment(chrono_tz::Tz::UTC));
            one(environment, text, &pointer, names).err()
        };
        self.faults.extend(message.map(|message| Fault { pointer, message }));
    }
}

fn one(environment: &minijinja::Environment<'_>, text: &str, pointer: &str, names: Names<'_>) -> Result<(), String> {
    let used = engine::Shape::of(text).and_then(|_| engine::names(environment, text)).map_err(|message| {
        format!(
            "this is no template: {message}; for '{{{{' and '{{%' as they stand, write {{% raw %}} before and \
             {{% endraw %}} behind"
        )
    })?;
    used.iter().try_for_each(|name| {
        if name.split('.').next() == Some(secrets::HOLDER) {
            return known_secret(name, pointer);
        }
        match names {
            Names::OfJob(spec) => known(name, spec),
            Names::OfNotice => known_of_notice(name),
        }
    })
}

/// Refuses a secret where it would be seen, and what is no name of one. Whether there is a secret of this name is another
/// matter: it may be set later.
fn known_secret(name: &str, pointer: &str) -> Result<(), String> {
    if OPEN.iter().any(|open| pointer.starts_with(open)) {
        return Err("no secret may stand here: what this comes to is shown to everybody".to_owned());
    }
    match name.split_once('.') {
        None => Err("name the secret: write {{ secret.NAME }}".to_owned()),
        Some((_, name)) => {
            let first = name.split('.').next().unwrap_or_default();
            first.parse::<SecretName>().map(drop).map_err(|error| error.to_string())
        }
    }
}

/// Refuses a name that no notification has.
pub(super) fn known_of_notice(name: &str) -> Result<(), String> {
    let mut parts = name.split('.');
    let (first, second) = (parts.next().unwrap_or_default(), parts.next());
    let is_known = match second {
        None => first == "namespace" || scope::NOTICE_HOLDERS.contains(&first),
        Some(key) => scope::NOTICE_NAMES.contains(&format!("{first}.{key}").as_str()),
    };
    if is_known {
        return Ok(());
    }
    let written = second.map_or_else(|| first.to_owned(), |second| format!("{first}.{second}"));
    Err(unknown("value", &written, &scope::NOTICE_NAMES))
}

/// Refuses a name that no attempt has.
fn known(name: &str, spec: &JobSpec) -> Result<(), String> {
    let parameters = &spec.parameters;
    let mut parts = name.split('.');
    let (first, second) = (parts.next().unwrap_or_default(), parts.next());
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
        ("upstream", Some(job)) => return known_upstream(job, parts.next(), spec),
        (holder, None) if scope::HOLDERS.contains(&holder) => return Ok(()),
        (holder, Some(key)) if scope::NAMES.contains(&format!("{holder}.{key}").as_str()) => return Ok(()),
        _ => {}
    }
    let written = second.map_or_else(|| first.to_owned(), |second| format!("{first}.{second}"));
    let parameters: Vec<String> = parameters.iter().map(|(name, _)| format!("params.{name}")).collect();
    let known: Vec<&str> = scope::NAMES.into_iter().chain(parameters.iter().map(String::as_str)).collect();
    Err(unknown("value", &written, &known))
}

/// Refuses a job that the template's does not wait for, and what runs of others do not have.
fn known_upstream(job: &str, value: Option<&str>, spec: &JobSpec) -> Result<(), String> {
    let jobs: Vec<&str> = spec.upstreams().map(JobName::as_str).collect();
    if jobs.is_empty() {
        return Err(format!(
            "there is no upstream '{job}': the job waits for none; name it in a trigger 'after' or under 'requires'"
        ));
    }
    if !jobs.contains(&job) {
        return Err(unknown("upstream", job, &jobs));
    }
    match value {
        Some(value) if !scope::OF_UPSTREAM.contains(&value) => {
            Err(unknown(&format!("value of upstream.{job}"), value, &scope::OF_UPSTREAM))
        }
        _ => Ok(()),
    }
}
