//! Jobs as lines of a crontab, as `crontab(5)` of Vixie cron and cronie has them.
//!
//! What cron has no field for, and what a shell can ask the date for, becomes a question before the command: the second
//! Monday of a month is a line for the days 8 to 14 that asks whether it is a Monday.

mod block;
mod field;
mod line;
#[cfg(test)]
mod tests;

use chrono_tz::Tz;
use sandglass_core::id::JobName;
use sandglass_core::spec::{TimeZone, Trigger, TriggerKind};
use serde::Serialize;

pub use block::{UnclearBlock, block, with_block, without_block, zone_before};

use self::line::{Line, lines};
use super::interval::Interval;
use super::notes::{self, Habits};
use super::{Caller, Inexpressible, LeftOut, Source, Times, not_by_the_clock, zone};

const CRON: Habits = Habits { name: "cron", delays: false, has_bounds: false, clocks: None, fires_as_shown: true };
/// The longest line: Vixie cron cuts commands at a thousand characters.
const LONGEST_LINE: usize = 998;

/// A job in a crontab.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct CronJobLines {
    /// The job.
    pub job: JobName,
    /// Its revision, if it is saved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
    /// What starts it, in the order of its triggers.
    pub entries: Vec<CronEntry>,
    /// What comes out otherwise for the whole job.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Triggers without a line.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
}

/// A trigger in a crontab.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct CronEntry {
    /// Which of the job's, counted from 0.
    pub trigger: usize,
    /// When it fires, in words.
    pub fires: String,
    /// The zone of its times; none if it says the same in all that matter here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timezone: Option<TimeZone>,
    /// The lines.
    pub lines: Vec<String>,
    /// What comes out otherwise.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// The lines of a job. `around` is the zone that lines without one have: the machine's, or that of an earlier `CRON_TZ`.
#[must_use]
pub fn lines_of(source: &Source<'_>, caller: &Caller, around: Tz) -> CronJobLines {
    let (mut entries, mut left_out) = (Vec::new(), Vec::new());
    for (number, trigger) in source.triggers() {
        match entry(number, trigger, source, caller, around) {
            Ok(entry) => entries.push(entry),
            Err(reason) => left_out.push(source.left_out(number, trigger, reason)),
        }
    }
    let notes = if entries.is_empty() { Vec::new() } else { notes::of_job(source, CRON) };
    CronJobLines { job: source.job().clone(), revision: source.revision, entries, notes, left_out }
}

fn entry(
    number: usize,
    trigger: &Trigger,
    source: &Source<'_>,
    caller: &Caller,
    around: Tz,
) -> Result<CronEntry, Inexpressible> {
    let command = line::shell(&source.command(caller));
    let fires = source.words(trigger);
    let mut notes = notes::of_trigger(trigger, source, CRON);
    if trigger.kind == TriggerKind::Startup {
        notes.push(
            "cron starts it when cron itself starts, which is when the machine does, not with the daemon".to_owned(),
        );
        let lines = vec![format!("@reboot {}", line::escaped(&command))];
        return Ok(CronEntry { trigger: number, fires, timezone: None, lines, notes });
    }
    let times = times(trigger, source, &mut notes)?;
    let zone = match &times {
        Times::Local(_) => source.zone_of(trigger),
        Times::Utc { .. } => Tz::UTC,
    };
    let found: Vec<Line> = lines(&times)?;
    if found.iter().any(Line::asks) {
        notes.push(
            "cron has no field for its days, so the command asks for the date before it starts anything".to_owned(),
        );
    }
    let free = times.keep_in_every_hour() && zone::share_minutes(zone, around, source.now);
    let lines: Vec<String> = found.iter().map(|line| line.text(&command, zone)).collect();
    if lines.iter().any(|line| line.len() > LONGEST_LINE) {
        return Err(Inexpressible {
            why: format!("its line would have more than the {LONGEST_LINE} characters that cron reads"),
            instead: "shorten the path of the program or of the data directory",
        });
    }
    let timezone = (!free).then_some(TimeZone(zone));
    Ok(CronEntry { trigger: number, fires, timezone, lines, notes })
}

/// When a trigger by the clock fires.
fn times(trigger: &Trigger, source: &Source<'_>, notes: &mut Vec<String>) -> Result<Times, Inexpressible> {
    if let Some(reason) = not_by_the_clock(&trigger.kind, "cron") {
        return Err(reason);
    }
    match &trigger.kind {
        TriggerKind::Every { interval, from } => {
            let counted = Interval::of(*interval, *from, trigger, source);
            let (times, dates) = counted.at_minutes().times().ok_or_else(|| Inexpressible {
                why: format!("cron counts every day anew, and {interval} does not go into a day"),
                instead: "choose an interval that does, such as 5m or 8h, or let the daemon fire it",
            })?;
            notes.extend(notes::of_interval(counted, true));
            Ok(Times::Utc { times, dates })
        }
        TriggerKind::At(_) => Err(Inexpressible::new("cron knows no years, so it would come again every year")),
        kind => super::Pattern::of(kind, source.planning().seed)
            .map(Times::Local)
            .ok_or_else(|| Inexpressible::new("it has no times of day")),
    }
}
