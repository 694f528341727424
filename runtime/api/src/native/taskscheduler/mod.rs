//! Jobs as tasks of Windows' Task Scheduler, in the XML that `schtasks /Create /XML` takes: schema 1.4 of
//! MS-TSCH, section 2.5.

mod days;
#[cfg(test)]
mod tests;
mod times;
mod xml;

use chrono::{Days, NaiveDateTime};
use chrono_tz::Tz;
use sandglass_core::id::{JobName, Namespace};
use sandglass_core::spec::{LocalOrUtc, Trigger, TriggerKind};
use sandglass_core::time::Timestamp;
use serde::Serialize;

use super::interval::Interval;
use super::notes::{self, Habits};
use super::{Caller, Inexpressible, LeftOut, Pattern, Source, not_by_the_clock, title};
use times::{Repeat, repeats};
use xml::{Boundary, Event, Schedule};

const TASK_SCHEDULER: Habits =
    Habits { name: "Task Scheduler", delays: true, has_bounds: true, clocks: None, fires_as_shown: false };
/// How many triggers a task may have.
const MOST_TRIGGERS: usize = 48;
/// The shortest and the longest time between repetitions, in seconds.
const REPETITIONS: std::ops::RangeInclusive<i64> = 60..=31 * 86_400;

/// A job as a task.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct JobTask {
    /// The job.
    pub job: JobName,
    /// Its revision, if it is saved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
    /// Where the task lies, as `\Sandglass\default\nightly-backup`.
    pub path: String,
    /// The task; none if no trigger can be said in Task Scheduler's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub xml: Option<String>,
    /// What comes out otherwise.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Triggers that are not in it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
}

/// The folder of a namespace's tasks, as `\Sandglass\default\`.
#[must_use]
pub fn folder(namespace: &Namespace) -> String {
    format!("\\Sandglass\\{namespace}\\")
}

/// Whether a task is one that an export of this namespace made.
#[must_use]
pub fn is_ours(xml: &str, namespace: &Namespace) -> bool {
    xml.contains(&mark(namespace))
}

/// What the description of each of our tasks begins with.
fn mark(namespace: &Namespace) -> String {
    format!("Made by `sandglass export taskscheduler` (namespace {namespace})")
}

/// The task of a job.
#[must_use]
pub fn task_of(source: &Source<'_>, caller: &Caller) -> JobTask {
    let (mut events, mut notes, mut left_out) =
        (Vec::new(), notes::of_job(source, TASK_SCHEDULER), Vec::<LeftOut>::new());
    let mut fires = Vec::new();
    for (number, trigger) in source.triggers() {
        let found = of_trigger(trigger, source).and_then(|found| match events.len() + found.events.len() {
            count if count > MOST_TRIGGERS => {
                Err(Inexpressible::new(format!("it would have more than the {MOST_TRIGGERS} triggers that a task has")))
            }
            _ => Ok(found),
        });
        match found {
            Ok(found) => {
                let habits = Habits { delays: found.delays(), ..TASK_SCHEDULER };
                events.extend(found.events);
                fires.push(source.words(trigger));
                notes.extend(notes::of_trigger(trigger, source, habits));
                notes.extend(found.notes);
            }
            Err(reason) => left_out.push(source.left_out(number, trigger, reason)),
        }
    }
    let mut lines = vec![format!("{}, which replaces and removes such tasks.", mark(source.namespace))];
    lines.push(format!("{}. The daemon, which must be up, runs it.", title(source.job(), source.revision)));
    lines.extend(fires);
    if events.is_empty() {
        notes.clear();
    } else {
        notes.extend(xml::of_settings(source.spec));
    }
    super::each_once(&mut notes);
    lines.extend(notes.iter().map(|note| format!("note: {note}")));
    lines.extend(left_out.iter().map(|left| format!("{}: not in here: {}; {}", left.fires, left.why, left.instead)));
    let xml = (!events.is_empty()).then(|| xml::task(source, caller, &lines, &events));
    let path = format!("{}{}", folder(source.namespace), source.job());
    JobTask { job: source.job().clone(), revision: source.revision, path, xml, notes, left_out }
}

/// What a trigger becomes.
struct Found {
    events: Vec<Event>,
    notes: Vec<String>,
}

impl Found {
    /// Whether all of it can be put off by chance.
    fn delays(&self) -> bool {
        self.events.iter().all(|event| event.delay.is_some())
    }
}

fn of_trigger(trigger: &Trigger, source: &Source<'_>) -> Result<Found, Inexpressible> {
    if let Some(reason) = not_by_the_clock(&trigger.kind, "Task Scheduler") {
        return Err(reason);
    }
    let zone = source.zone_of(trigger);
    match &trigger.kind {
        TriggerKind::Startup => Ok(Found {
            events: vec![Event::of(Schedule::Boot, trigger)],
            notes: vec![
                "Task Scheduler starts it with the machine, not with the daemon; only an administrator may have that \
                         installed"
                    .to_owned(),
            ],
        }),
        TriggerKind::Every { interval, from } => {
            let interval = Interval::of(*interval, *from, trigger, source);
            let secs = interval.millis / 1000;
            let whole = interval.millis % 60_000 == 0;
            if !whole || !REPETITIONS.contains(&secs) {
                return Err(Inexpressible {
                    why: "Task Scheduler repeats after whole minutes, from one minute to 31 days".to_owned(),
                    instead: super::LEAVE_IT,
                });
            }
            let begins = Timestamp::from_secs(interval.anchor).to_chrono().naive_utc();
            let repeat = Repeat { time: 0, every: Some((secs, None)) };
            let event = Event::of(Schedule::Once, trigger).beginning(begins, Tz::UTC).repeating(repeat);
            let notes = notes::of_interval(interval, false).into_iter().collect();
            Ok(Found { events: vec![event.ending(trigger.end_at, zone)], notes })
        }
        TriggerKind::At(at) => {
            let (begins, zone) = match at {
                LocalOrUtc::Local(local) => (*local, zone),
                LocalOrUtc::Utc(at) => (at.to_chrono().naive_utc(), Tz::UTC),
            };
            if begins.and_utc() < source.now.to_chrono() {
                return Err(Inexpressible { why: "it is over".to_owned(), instead: "nothing" });
            }
            let events = vec![Event::of(Schedule::Once, trigger).beginning(begins, zone)];
            Ok(Found { events, notes: of_zone(zone) })
        }
        kind => {
            let pattern = Pattern::of(kind, source.planning().seed)
                .ok_or_else(|| Inexpressible::new("it has no times of day"))?;
            let days = days::schedules(&pattern.days)?;
            let repeats = repeats(&pattern.times)?;
            let mut events = Vec::new();
            for days in &days {
                for repeat in &repeats {
                    let begins = first_day(trigger, source, repeat.time);
                    let event = Event::of(days.clone(), trigger).beginning(begins, zone).repeating(*repeat);
                    events.push(event.ending(trigger.end_at, zone));
                }
            }
            Ok(Found { events, notes: of_zone(zone) })
        }
    }
}

/// Task Scheduler knows its machine's zone and UTC.
fn of_zone(zone: Tz) -> Vec<String> {
    let local = format!("its times are those of the machine's clock, which must be the clock of {zone}");
    (zone != Tz::UTC).then_some(local).into_iter().collect()
}

/// The first day on which a time of day counts, with that time: the day the triggers were saved, or `start_at`.
fn first_day(trigger: &Trigger, source: &Source<'_>, time: u32) -> NaiveDateTime {
    let zone = source.zone_of(trigger);
    let local = |at: Timestamp| at.to_chrono().with_timezone(&zone).naive_local();
    let start = trigger.start_at.map(|at| match at {
        LocalOrUtc::Local(at) => at,
        LocalOrUtc::Utc(at) => local(at),
    });
    let first = start.unwrap_or_else(|| local(source.since.unwrap_or(source.now)));
    let at = |date: chrono::NaiveDate| {
        date.and_hms_opt(time / 3600, time / 60 % 60, time % 60).expect("a time of day is less than a day")
    };
    let day = at(first.date());
    if start.is_some() && day < first { day.checked_add_days(Days::new(1)).unwrap_or(day) } else { day }
}

impl Event {
    fn of(schedule: Schedule, trigger: &Trigger) -> Self {
        Self { schedule, begins: None, ends: None, repeat: None, delay: trigger.jitter }
    }

    fn beginning(self, at: NaiveDateTime, zone: Tz) -> Self {
        Self { begins: Some(Boundary { at, in_utc: zone == Tz::UTC }), ..self }
    }

    fn ending(self, at: Option<LocalOrUtc>, zone: Tz) -> Self {
        let ends = at.map(|at| match at {
            LocalOrUtc::Local(at) => Boundary { at, in_utc: zone == Tz::UTC },
            LocalOrUtc::Utc(at) => Boundary { at: at.to_chrono().naive_utc(), in_utc: true },
        });
        Self { ends, ..self }
    }

    /// A start that repeats is not put off by chance: not every Task Scheduler takes both.
    fn repeating(self, repeat: Repeat) -> Self {
        match repeat.every {
            Some(every) => Self { repeat: Some(every), delay: None, ..self },
            None => self,
        }
    }
}
