//! Jobs as units of systemd: a service that starts the job, and a timer that starts the service.

mod calendar;
#[cfg(test)]
mod tests;
mod unit;

use sandglass_core::id::JobName;
use sandglass_core::quantity::Period;
use sandglass_core::spec::{CatchUpPolicy, Fold, Gap, LocalOrUtc, Overlap, Trigger, TriggerKind};
use serde::Serialize;

pub use unit::{Manager, UnitFile, is_ours, prefix};

use super::interval::{CountsFrom, Interval};
use super::notes::{self, Habits};
use super::{Caller, Inexpressible, LeftOut, Pattern, Source, Times, each_once, not_by_the_clock, word_of, zone};
use unit::Timer;

/// How systemd goes with changes of the clocks, as `systemd-analyze calendar` tells: a time that they skip does not come,
/// one that they show twice comes the first time.
const SYSTEMD: Habits = Habits {
    name: "systemd",
    delays: false,
    has_bounds: false,
    clocks: Some((Gap::Skip, Fold::First)),
    fires_as_shown: false,
};
/// How many `OnCalendar=` lines a trigger may take.
const MOST_LINES: usize = 48;

/// A job as units.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct JobUnits {
    /// The job.
    pub job: JobName,
    /// Its revision, if it is saved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
    /// The service and the timer; none of them if no trigger can be said in systemd's words.
    pub files: Vec<UnitFile>,
    /// What comes out otherwise.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Triggers without a line.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
}

/// The units of a job, for the systemd of a user or of the system.
#[must_use]
pub fn units_of(source: &Source<'_>, caller: &Caller, manager: Manager) -> JobUnits {
    let jitter = shared_jitter(&source.spec.triggers);
    let habits = Habits { delays: jitter.is_some(), ..SYSTEMD };
    let mut timer = Timer::new(jitter);
    // What is about the whole job stands at the top of its files, and the rest where it belongs.
    let (mut of_job, mut of_triggers, mut left_out) = (notes::of_job(source, habits), Vec::new(), Vec::new());
    for (number, trigger) in source.triggers() {
        match lines(trigger, source) {
            Ok(lines) => {
                let mut notes = notes::of_trigger(trigger, source, habits);
                notes.extend(lines.notes);
                timer.at_start |= lines.at_start;
                timer.is_calendar |= lines.timer.iter().any(|line| line.starts_with(calendar::KEY));
                if lines.timer.is_empty() {
                    of_job.extend(notes);
                } else {
                    timer.add(&source.words(trigger), &notes, &lines.timer);
                    of_triggers.extend(notes);
                }
            }
            Err(reason) => left_out.push(source.left_out(number, trigger, reason)),
        }
    }
    if timer.is_calendar {
        of_job.extend(persistence(source, &mut timer));
    }
    // A unit is active until `job run --wait` ends, and an active one is not started.
    if source.spec.overlap != Overlap::Skip {
        let overlap = word_of(source.spec.overlap);
        of_job.push(format!(
            "systemd starts nothing while a run that it started goes on, whatever `overlap: {overlap}` says"
        ));
    }
    let files = unit::files(source, caller, manager, &timer, &of_job, &left_out).unwrap_or_else(|reason| {
        let all = source.triggers();
        left_out = all.map(|(number, trigger)| source.left_out(number, trigger, reason.clone())).collect();
        Vec::new()
    });
    let mut notes = of_job;
    notes.extend(of_triggers);
    each_once(&mut notes);
    if files.is_empty() {
        notes.clear();
    }
    JobUnits { job: source.job().clone(), revision: source.revision, files, notes, left_out }
}

/// What a trigger puts into its timer, or into its service.
#[derive(Default)]
struct Lines {
    timer: Vec<String>,
    /// Whether the service starts by itself with the machine or the session.
    at_start: bool,
    notes: Vec<String>,
}

fn lines(trigger: &Trigger, source: &Source<'_>) -> Result<Lines, Inexpressible> {
    if let Some(reason) = not_by_the_clock(&trigger.kind, "systemd") {
        return Err(reason);
    }
    match &trigger.kind {
        TriggerKind::Startup => Ok(Lines {
            at_start: true,
            notes: vec!["systemd starts it with the machine or the session, not with the daemon".to_owned()],
            ..Lines::default()
        }),
        TriggerKind::Every { interval, from } => {
            Ok(of_interval(*interval, Interval::of(*interval, *from, trigger, source)))
        }
        TriggerKind::At(at) => {
            let line = match at {
                LocalOrUtc::Local(local) => calendar::once(*local, source.zone_of(trigger)),
                LocalOrUtc::Utc(at) => calendar::once(at.to_chrono().naive_utc(), chrono_tz::Tz::UTC),
            };
            Ok(Lines { timer: vec![line], ..Lines::default() })
        }
        kind => {
            let pattern = Pattern::of(kind, source.planning().seed)
                .ok_or_else(|| Inexpressible::new("it has no times of day"))?;
            let mut zone = source.zone_of(trigger);
            let times = Times::Local(pattern);
            // In UTC it also fires the second time that the clock shows an hour.
            if times.keep_in_every_hour() && zone::share_minutes(zone, chrono_tz::Tz::UTC, source.now) {
                zone = chrono_tz::Tz::UTC;
            }
            let lines = calendar::lines(&times, zone);
            if lines.len() > MOST_LINES {
                let count = lines.len();
                return Err(Inexpressible::new(format!(
                    "it would take {count} lines, which is more than {MOST_LINES}"
                )));
            }
            Ok(Lines { timer: lines, ..Lines::default() })
        }
    }
}

fn of_interval(period: Period, interval: Interval) -> Lines {
    let lines =
        interval.times().map(|(times, dates)| calendar::lines(&Times::Utc { times, dates }, chrono_tz::Tz::UTC));
    if let Some(timer) = lines.filter(|lines| lines.len() <= MOST_LINES) {
        let notes = notes::of_interval(interval, false).into_iter().collect();
        return Lines { timer, notes, ..Lines::default() };
    }
    let counts = match interval.counts_from {
        CountsFrom::Stated => "the instant that the job states",
        CountsFrom::Saved | CountsFrom::Saving => "when the job was saved",
    };
    Lines {
        timer: vec![format!("OnActiveSec={period}"), format!("OnUnitActiveSec={period}")],
        notes: vec![format!(
            "systemd counts {period} from each start, and first from the timer's own; the daemon from {counts}"
        )],
        ..Lines::default()
    }
}

/// The jitter that all triggers share which have instants, as a timer has one delay for all.
fn shared_jitter(triggers: &[Trigger]) -> Option<Period> {
    let mut timed = triggers.iter().filter(|trigger| trigger.kind.is_timed()).map(|trigger| trigger.jitter);
    let first = timed.next()??;
    timed.all(|jitter| jitter == Some(first)).then_some(first)
}

/// Whether the timer makes up for what it missed, and what comes out otherwise in that.
fn persistence(source: &Source<'_>, timer: &mut Timer) -> Option<String> {
    let catch_up = &source.spec.catch_up;
    timer.persistent = catch_up.policy != CatchUpPolicy::None;
    timer.persistent.then(|| {
        format!(
            "systemd makes up for one missed start, however long ago it was; the daemon goes by `catch_up: {}` and looks \
             back {}",
            word_of(catch_up.policy),
            catch_up.window
        )
    })
}
