//! How much a job may hold, so that no job costs so much that it holds up all others.
//!
//! What people and programs write is refused beyond these bounds. What a store already holds is still read: a schedule
//! is made of what lies within them, and [`excess`] tells what lies beyond.

use super::{
    CalendarRules, ConcurrencyGroup, DaysOfMonth, JobSpec, MAX_NOTICE_EVENTS, MAX_NOTIFIERS, Notifiers, Trigger,
    TriggerKind,
};
use crate::id::{CalendarName, JobName, SecretName};
use crate::secret::MAX_SECRETS_OF_JOB;

/// The most triggers of a job.
pub const MAX_TRIGGERS: usize = 100;
/// The most values in a list of a trigger, such as times of day.
pub const MAX_VALUES: usize = 100;
/// The most concurrency groups of a job.
pub const MAX_GROUPS: usize = 8;
/// The most jobs of a trigger `after`, and under `requires`.
pub const MAX_UPSTREAMS: usize = 32;
/// The most calendars under `exclude`, and under `include`.
pub const MAX_CALENDARS: usize = 32;

/// Something of which a job has more than it may.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Excess {
    /// Where, as a JSON Pointer (RFC 6901) into the job.
    pub pointer: String,
    /// What is too much, how much is allowed, and what to do.
    pub message: String,
}

/// Everything of which `spec` has more than it may, in its order.
#[must_use]
pub fn excess(spec: &JobSpec) -> Vec<Excess> {
    let mut found = Vec::new();
    if spec.triggers.len() > MAX_TRIGGERS {
        let (pointer, count) = ("/triggers".to_owned(), spec.triggers.len());
        let message = format!("{count} triggers are too many: {MAX_TRIGGERS} are allowed; make several jobs of it");
        found.push(Excess { pointer, message });
    }
    found.extend(of_secrets(&spec.secrets));
    found.extend(of_groups(&spec.concurrency));
    found.extend(of_jobs("/requires", spec.requires.iter().map(|requirement| &requirement.job)));
    for (index, trigger) in spec.triggers.iter().take(MAX_TRIGGERS).enumerate() {
        let pointer = format!("/triggers/{index}");
        found.extend(lists(trigger).into_iter().filter(|(_, count)| *count > MAX_VALUES).map(|(key, count)| Excess {
            pointer: format!("{pointer}/{key}"),
            message: format!("{count} values are too many: {MAX_VALUES} are allowed; make several triggers of it"),
        }));
        let CalendarRules { exclude, include, .. } = &trigger.calendars;
        for (key, names) in [("exclude", exclude), ("include", include)] {
            found.extend(of_names(&format!("{pointer}/calendars/{key}"), names));
        }
        if let TriggerKind::After(upstreams) = &trigger.kind {
            found.extend(of_jobs(&format!("{pointer}/after"), upstreams.iter().map(|upstream| &upstream.job)));
        }
    }
    found.extend(of_notifiers(&spec.notify));
    found
}

/// Everything of which a job's or a namespace's notifiers have more than they may, with pointers below `/notify`.
#[must_use]
pub fn of_notifiers(notifiers: &Notifiers) -> Vec<Excess> {
    let mut found = Vec::new();
    let count = notifiers.as_slice().len();
    if count > MAX_NOTIFIERS {
        let message = format!("{count} notifiers are too many: {MAX_NOTIFIERS} are allowed");
        found.push(Excess { pointer: "/notify".to_owned(), message });
    }
    for (place, notifier) in notifiers.iter().filter(|(_, notifier)| notifier.on.len() > MAX_NOTICE_EVENTS) {
        let message = format!("{} events are too many: {MAX_NOTICE_EVENTS} are allowed", notifier.on.len());
        found.push(Excess { pointer: format!("/notify/{place}/on"), message });
    }
    found
}

/// The lists of a trigger, and how many values each has.
fn lists(trigger: &Trigger) -> Vec<(&'static str, usize)> {
    let days_of = |days: &DaysOfMonth| match days {
        DaysOfMonth::Days(days) => days.as_slice().len(),
        DaysOfMonth::Weekdays(days) => days.as_slice().len(),
    };
    let day_key =
        |days: &DaysOfMonth, keys: [&'static str; 2]| keys[usize::from(matches!(days, DaysOfMonth::Weekdays(_)))];
    match &trigger.kind {
        TriggerKind::Daily { at } => vec![("daily", at.as_slice().len())],
        TriggerKind::Weekly { days, at } => {
            vec![("weekly/days", days.as_slice().len()), ("weekly/at", at.as_slice().len())]
        }
        TriggerKind::Monthly { days, at } => vec![
            (day_key(days, ["monthly/day", "monthly/weekday"]), days_of(days)),
            ("monthly/at", at.as_slice().len()),
        ],
        TriggerKind::Yearly { months, days, at } => vec![
            ("yearly/month", months.as_slice().len()),
            (day_key(days, ["yearly/day", "yearly/weekday"]), days_of(days)),
            ("yearly/at", at.as_slice().len()),
        ],
        TriggerKind::Cron(_)
        | TriggerKind::Every { .. }
        | TriggerKind::At(_)
        | TriggerKind::Startup
        | TriggerKind::After(_) => Vec::new(),
    }
}

/// Too many groups, or the first one that stands there before.
fn of_groups(groups: &[ConcurrencyGroup]) -> Option<Excess> {
    if groups.len() > MAX_GROUPS {
        let message = format!("{} concurrency groups are too many: {MAX_GROUPS} are allowed", groups.len());
        return Some(Excess { pointer: "/concurrency".to_owned(), message });
    }
    let is_again = |index: &usize| groups[..*index].iter().any(|before| before.group == groups[*index].group);
    let index = (1..groups.len()).find(is_again)?;
    let message = format!("concurrency group '{}' stands here twice: name it once", groups[index].group);
    Some(Excess { pointer: format!("/concurrency/{index}"), message })
}

/// The groups of a job that count: those within the bound, each once.
pub(crate) fn groups(groups: &[ConcurrencyGroup]) -> impl Iterator<Item = &ConcurrencyGroup> {
    let groups = &groups[..groups.len().min(MAX_GROUPS)];
    let is_first = |index: usize| groups[..index].iter().all(|before| before.group != groups[index].group);
    groups.iter().enumerate().filter(move |(index, _)| is_first(*index)).map(|(_, group)| group)
}

/// Too many secrets, or the first one that stands there before.
fn of_secrets(names: &[SecretName]) -> Option<Excess> {
    if names.len() > MAX_SECRETS_OF_JOB {
        let message = format!("{} secrets are too many: {MAX_SECRETS_OF_JOB} are allowed", names.len());
        return Some(Excess { pointer: "/secrets".to_owned(), message });
    }
    let index = (1..names.len()).find(|index| names[..*index].contains(&names[*index]))?;
    let message = format!("secret '{}' stands here twice: name it once", names[index]);
    Some(Excess { pointer: format!("/secrets/{index}"), message })
}

/// No job where there must be one, too many of them, or the first one that stands there before.
fn of_jobs<'a>(pointer: &str, jobs: impl Iterator<Item = &'a JobName>) -> Option<Excess> {
    let jobs: Vec<&JobName> = jobs.collect();
    if jobs.len() > MAX_UPSTREAMS {
        let message = format!("{} jobs are too many: {MAX_UPSTREAMS} are allowed; put a job between", jobs.len());
        return Some(Excess { pointer: pointer.to_owned(), message });
    }
    let index = (1..jobs.len()).find(|index| jobs[..*index].contains(&jobs[*index]))?;
    let message = format!("job '{}' stands here twice: name it once, with a list of outcomes if need be", jobs[index]);
    Some(Excess { pointer: format!("{pointer}/{index}"), message })
}

/// Too many names, or the first one that stands there before.
fn of_names(pointer: &str, names: &[CalendarName]) -> Option<Excess> {
    if names.len() > MAX_CALENDARS {
        let count = names.len();
        let message =
            format!("{count} calendars are too many: {MAX_CALENDARS} are allowed; put their dates into fewer");
        return Some(Excess { pointer: pointer.to_owned(), message });
    }
    let index = (1..names.len()).find(|index| names[..*index].contains(&names[*index]))?;
    let message = format!("calendar '{}' stands here twice: name it once", names[index]);
    Some(Excess { pointer: format!("{pointer}/{index}"), message })
}

/// The calendars of a list that count: those within the bound, each once.
pub(crate) fn calendars(names: &[CalendarName]) -> impl Iterator<Item = &CalendarName> {
    let names = &names[..names.len().min(MAX_CALENDARS)];
    names.iter().enumerate().filter(|(index, name)| !names[..*index].contains(name)).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(triggers: &serde_json::Value) -> Vec<(String, String)> {
        let spec = serde_json::json!({ "name": "a", "action": { "use": "noop" }, "triggers": triggers });
        let found = excess(&serde_json::from_value(spec).unwrap());
        found.into_iter().map(|excess| (excess.pointer, excess.message)).collect()
    }

    #[test]
    fn what_is_allowed_is_allowed() {
        let names: Vec<String> = (0..MAX_CALENDARS).map(|number| format!("c{number}")).collect();
        let rules = serde_json::json!({ "exclude": names, "include": names });
        let trigger = serde_json::json!({ "daily": vec!["03:00"; MAX_VALUES], "calendars": rules });
        assert_eq!(found(&serde_json::json!(vec![trigger; MAX_TRIGGERS])), []);
    }

    #[test]
    fn everything_beyond_is_told_with_its_place() {
        let many = vec![serde_json::json!({ "every": "9s" }); MAX_TRIGGERS + 1];
        let [(pointer, message)] = found(&many.into()).try_into().unwrap();
        assert_eq!(pointer, "/triggers");
        assert!(message.starts_with("101 triggers are too many: 100 are allowed"), "{message}");
        let (times, days) = (vec!["03:00"; MAX_VALUES + 1], vec![1; MAX_VALUES + 1]);
        let names: Vec<String> = (0..=MAX_CALENDARS).map(|number| format!("c{number}")).collect();
        let triggers = serde_json::json!([
            { "daily": times },
            { "weekly": { "days": vec!["mon"; 101], "at": times } },
            { "monthly": { "day": days, "at": "03:00" } },
            { "yearly": { "month": days.iter().map(|_| "jan").collect::<Vec<_>>(), "weekday": vec!["first mon"; 101], "at": times } },
            { "daily": "03:00", "calendars": { "exclude": names, "include": ["a", "b", "a"] } },
        ]);
        let pointers: Vec<String> = found(&triggers).into_iter().map(|(pointer, _)| pointer).collect();
        assert_eq!(
            pointers,
            [
                "/triggers/0/daily",
                "/triggers/1/weekly/days",
                "/triggers/1/weekly/at",
                "/triggers/2/monthly/day",
                "/triggers/3/yearly/month",
                "/triggers/3/yearly/weekday",
                "/triggers/3/yearly/at",
                "/triggers/4/calendars/exclude",
                "/triggers/4/calendars/include/2",
            ]
        );
    }
}
