//! Jobs as entries of the schedulers that machines bring along: crontabs, systemd and Windows' Task Scheduler.
//!
//! An entry calls `sandglass job run`, so the job runs where and as it always does, and only the clock is another's. No entry
//! starts a job at other instants than its triggers do without a note that says so; what a scheduler has no words for is left
//! out, with why and what to do.
//!
//! In reading order: [`Source`] is a job to be rendered and [`Caller`] what its entries call; `interval` turns intervals into
//! times of a day; `zone` and `notes` tell what comes out otherwise; [`crontab`], [`systemd`] and [`taskscheduler`] render.

pub mod crontab;
mod interval;
mod notes;
pub mod systemd;
pub mod taskscheduler;
mod zone;

use std::collections::HashSet;

use chrono_tz::Tz;
use sandglass_core::id::{JobName, Namespace};
use sandglass_core::schedule::{Calendars, DateSets, Pattern, Planning, TimeSets, explain, job_seed};
use sandglass_core::spec::{JobSpec, Trigger, TriggerKind};
use sandglass_core::time::Timestamp;
use serde::Serialize;

/// A job to be rendered.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// Whose job it is.
    pub namespace: &'a Namespace,
    /// The job as it runs.
    pub spec: &'a JobSpec,
    /// Its revision, if it is saved.
    pub revision: Option<u64>,
    /// When its triggers were saved, if they are: intervals without an anchor count from here.
    pub since: Option<Timestamp>,
    /// The zone of jobs that name none.
    pub zone: Tz,
    /// From when on changes of the clocks matter.
    pub now: Timestamp,
}

/// What entries call, without `job run NAME --wait`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Caller {
    program: String,
    daemon: Vec<String>,
}

/// An entry cannot call this.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("no entry can call {word:?}: it has a line break or another control character in it")]
pub struct InvalidCaller {
    word: String,
}

impl Caller {
    /// The program, by its whole path, and where its daemon is, as flags: schedulers give programs a bare environment.
    ///
    /// # Errors
    ///
    /// If one of the words does not fit on a line.
    pub fn new(program: String, daemon: Vec<String>) -> Result<Self, InvalidCaller> {
        match std::iter::once(&program).chain(&daemon).find(|word| word.contains(char::is_control)) {
            Some(word) => Err(InvalidCaller { word: word.clone() }),
            None => Ok(Self { program, daemon }),
        }
    }
}

/// A trigger for which a scheduler has no words.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct LeftOut {
    /// Which of the job's, counted from 0.
    pub trigger: usize,
    /// When it fires, in words.
    pub fires: String,
    /// What the scheduler cannot do.
    pub why: String,
    /// What to do about it.
    pub instead: String,
}

/// Why a trigger is left out, and what to do about it.
#[derive(Clone)]
struct Inexpressible {
    why: String,
    instead: &'static str,
}

/// What is always possible.
const LEAVE_IT: &str = "let the daemon fire it";

impl Inexpressible {
    fn new(why: impl Into<String>) -> Self {
        Self { why: why.into(), instead: LEAVE_IT }
    }
}

/// When a trigger fires, as far as schedulers share it.
enum Times {
    /// At local times.
    Local(Pattern),
    /// At times of each of some days, in UTC.
    Utc { times: Vec<TimeSets>, dates: DateSets },
}

impl Times {
    /// Whether it says the same wherever clocks differ by whole hours: it fires in every hour of every day, and goes with the
    /// clock through its changes.
    fn keep_in_every_hour(&self) -> bool {
        let (times, dates) = match self {
            Self::Local(pattern) if pattern.as_shown => (&pattern.times, pattern.days.date_sets()),
            Self::Local(_) => return false,
            Self::Utc { times, dates } => (times, vec![*dates]),
        };
        dates == [DateSets::ALL] && times.iter().all(|sets| sets.hours.count_ones() == 24)
    }
}

impl<'a> Source<'a> {
    fn planning(&self) -> Planning<'static> {
        Planning {
            zone: self.spec.timezone.map_or(self.zone, |zone| zone.0),
            since: self.since.unwrap_or(self.now),
            seed: job_seed(self.namespace, &self.spec.name),
            calendars: Calendars::NONE,
        }
    }

    fn zone_of(&self, trigger: &Trigger) -> Tz {
        trigger.timezone.map_or(self.planning().zone, |zone| zone.0)
    }

    /// The triggers with their numbers.
    fn triggers(&self) -> impl Iterator<Item = (usize, &'a Trigger)> {
        self.spec.triggers.iter().enumerate()
    }

    fn left_out(&self, number: usize, trigger: &Trigger, reason: Inexpressible) -> LeftOut {
        let Inexpressible { why, instead } = reason;
        LeftOut { trigger: number, fires: self.words(trigger), why, instead: instead.to_owned() }
    }

    /// When the trigger fires, in words on one line.
    fn words(&self, trigger: &Trigger) -> String {
        printable(&explain(trigger, &self.planning(), self.now).summary)
    }

    fn job(&self) -> &'a JobName {
        &self.spec.name
    }

    /// The words that start the job and wait for its end.
    fn command<'c>(&'c self, caller: &'c Caller) -> Vec<&'c str> {
        let mut words = vec![caller.program.as_str()];
        words.extend(caller.daemon.iter().map(String::as_str));
        words.extend(["--namespace", self.namespace.as_str(), "job", "run", self.job().as_str(), "--wait"]);
        words
    }
}

/// Why a trigger that fires when something happens is left out, by the scheduler's name.
fn not_by_the_clock(kind: &TriggerKind, scheduler: &str) -> Option<Inexpressible> {
    match kind {
        TriggerKind::After(_) => Some(Inexpressible {
            why: format!("{scheduler} knows nothing of the ends of other jobs"),
            instead: "nothing: the daemon fires it when they end, however they were started",
        }),
        TriggerKind::Cron(_)
        | TriggerKind::Every { .. }
        | TriggerKind::Daily { .. }
        | TriggerKind::Weekly { .. }
        | TriggerKind::Monthly { .. }
        | TriggerKind::Yearly { .. }
        | TriggerKind::At(_)
        | TriggerKind::Startup => None,
    }
}

/// `job nightly, revision 3`.
fn title(job: &JobName, revision: Option<u64>) -> String {
    let revision = revision.map(|revision| format!(", revision {revision}")).unwrap_or_default();
    format!("job {job}{revision}")
}

/// A text as part of one line.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A word of a closed set as job files have it.
fn word_of<T: Serialize>(value: T) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// Says each line once: several triggers may come out otherwise in the same way.
fn each_once(lines: &mut Vec<String>) {
    let mut said = HashSet::new();
    lines.retain(|line| said.insert(line.clone()));
}

/// The values of a set from `min` to `max`.
fn values(set: u64, min: u32, max: u32) -> impl Iterator<Item = u32> {
    (min..=max).filter(move |value| set >> value & 1 == 1)
}

/// The values of a set as `(first, last, step)`, each in one of them, as few as a look from left to right finds.
fn runs(set: u64, min: u32, max: u32) -> Vec<(u32, u32, u32)> {
    let values: Vec<u32> = values(set, min, max).collect();
    let mut runs = Vec::new();
    let mut rest = values.as_slice();
    while let [first, tail @ ..] = rest {
        let step = tail.first().map_or(1, |next| next - first);
        let steps = (0..).zip(tail).take_while(|(count, value)| **value == first + step * (count + 1)).count();
        // Two values are a range only if nothing lies between them.
        let length = if steps >= 2 || step == 1 { steps } else { 0 };
        runs.push((*first, rest[length], if length == 0 { 1 } else { step }));
        rest = &rest[length + 1..];
    }
    runs
}
