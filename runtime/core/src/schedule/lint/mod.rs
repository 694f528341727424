//! What is allowed in a job's schedule, and is still likely a slip.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::clock::instant_of;
use super::cron_words::{CronWords, star_step};
use super::words::{and, day, time};
use super::{Admission, ClockEffect, LocalChange, Planning, Schedule, Window, clock_effects};
use crate::quantity::Period;
use crate::spec::{Fold, Gap, JobSpec, Overlap, Trigger, TriggerKind};
use crate::template;
use crate::time::Timestamp;

/// A year, rounded up.
const YEAR: Duration = Duration::from_secs(366 * 86_400);
/// How many fires are looked at to tell how far apart they are.
const LOOKED_AT: usize = 100;
/// Fires closer together than this are many.
const STORM: Duration = Duration::from_secs(60);
/// How many dates a warning names.
const MOST_DATES: usize = 3;

/// Something in a job that is allowed, and likely not meant.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Warning {
    /// What kind of thing it is.
    pub code: WarningCode,
    /// Where it is in the job: a JSON pointer, such as `/triggers/0`.
    pub pointer: String,
    /// What will happen.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

/// Kinds of warnings. The words stay the same; there may be more of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WarningCode {
    /// A local time that the clocks will skip.
    ClockGap,
    /// A local time that the clocks will show twice.
    ClockFold,
    /// A rule for changes of the clocks that the expression has no use for.
    UnusedClockRule,
    /// A cron expression that restricts the day of the month and the day of the week.
    BothDayFields,
    /// A step that starts anew before it comes out even.
    UnevenStep,
    /// Fires less than a minute apart.
    Storm,
    /// Attempts may take longer than the time between fires, which are then skipped.
    TimeoutOverInterval,
    /// The next fire is more than a year off.
    Rare,
    /// There is no further fire.
    NeverAgain,
    /// Jitter of more than half the time between fires.
    LargeJitter,
    /// A calendar that is not there.
    NoSuchCalendar,
    /// Calendars or the window let no fire start a run.
    NeverStarts,
    /// Two triggers with the same fires.
    DuplicateTrigger,
    /// A day of the month that not every month has.
    ShortMonths,
    /// A window that opens when it closes, and so is always open on its days.
    WholeDayWindow,
    /// A zone of the name of an abbreviation, whose clocks never change.
    FixedZone,
    /// A parameter that a shell reads as a part of a command.
    UnquotedParameter,
    /// A secret that is not there.
    NoSuchSecret,
    /// A target or group that is not there, or a selector that names none.
    NoSuchTarget,
}

/// Looks for slips in the schedule of `job`, and in its templates. `planning` is as for its schedules, its zone the daemon's; `now` is from when
/// on fires are looked at.
#[must_use]
pub fn lint(job: &JobSpec, planning: &Planning<'_>, now: Timestamp) -> Vec<Warning> {
    let planning = Planning { zone: job.timezone.map_or(planning.zone, |zone| zone.0), ..*planning };
    let mut warnings = Vec::new();
    let window = job.window.as_ref().map(|window| Window::new(window, planning.zone));
    for (index, trigger) in job.triggers.iter().enumerate() {
        let mut look =
            Look { job, trigger, window: window.as_ref(), planning: &planning, now, index, warnings: &mut warnings };
        look.at_clocks();
        look.at_cron();
        look.at_calendars();
        look.at_fires();
        look.at_starts();
    }
    whole::look(job, &planning, now, &mut warnings);
    warnings.extend(template::lint(job));
    warnings
}

/// A look at one trigger.
struct Look<'a> {
    job: &'a JobSpec,
    trigger: &'a Trigger,
    window: Option<&'a Window>,
    planning: &'a Planning<'a>,
    now: Timestamp,
    index: usize,
    warnings: &'a mut Vec<Warning>,
}

impl Look<'_> {
    fn warn(&mut self, code: WarningCode, message: String, hint: impl Into<String>) {
        let pointer = format!("/triggers/{}", self.index);
        self.warnings.push(Warning { code, pointer, message, hint: hint.into() });
    }

    /// Times in gaps and folds within three years. Whoever has said what shall happen then need not be told.
    fn at_clocks(&mut self) {
        let effects = clock_effects(self.trigger, self.planning, self.now, self.now.after(YEAR * 3));
        let of = |change| effects.iter().filter(|effect| effect.change == change).collect::<Vec<_>>();
        let (skipped, repeated) = (of(LocalChange::Skipped), of(LocalChange::Repeated));
        if let (Some(first), Gap::Shift) = (skipped.first(), self.trigger.gap) {
            let zone = first.timezone.0;
            let shown = |fire: &Timestamp| time(fire.to_chrono().with_timezone(&zone).time());
            let (then, hint) = match first.fires_at.first() {
                None => (
                    "it does not fire then".to_owned(),
                    "take times outside of the change, or list minutes and hours, such as '0,30' for '*/30', so that \
                     'gap' has a say",
                ),
                Some(fire) => {
                    let closed = self.window.is_some_and(|window| window.admission(*fire) == Admission::Skipped);
                    let then = if closed { "which is outside of the window, so it is skipped" } else { "it fires" };
                    let then = match closed {
                        true => format!("it comes at {} then, {then}", shown(fire)),
                        false => format!("{then} at {} then", shown(fire)),
                    };
                    (
                        then,
                        "take a time outside of the change, or say what shall happen with 'gap: end' (right after it) or \
                     'gap: skip'",
                    )
                }
            };
            let message = format!("{} does not exist in {zone} on {}; {then}", reading(first), dates(&skipped));
            self.warn(WarningCode::ClockGap, message, hint);
        }
        if let (Some(first), Fold::First) = (repeated.first(), self.trigger.fold) {
            let (then, hint) = if first.fires_at.len() > 1 {
                (
                    "it fires twice then",
                    "take times outside of the change, or list minutes and hours, such as '0,30' for '*/30', so that \
                     'fold' has a say",
                )
            } else {
                (
                    "it fires the first time then",
                    "take a time outside of the change, or say what shall happen with 'fold: last' or 'fold: both'",
                )
            };
            let (reading, dates) = (reading(first), dates(&repeated));
            let message = format!("{reading} comes twice in {} on {dates}; {then}", first.timezone);
            self.warn(WarningCode::ClockFold, message, hint);
        }
    }

    fn at_cron(&mut self) {
        let TriggerKind::Cron(expression) = &self.trigger.kind else { return };
        let Some(words) = CronWords::of(&expression.to_string()) else { return };
        let unused = [
            (self.trigger.gap != Gap::default()).then(|| word("gap", &self.trigger.gap)),
            (self.trigger.fold != Fold::default()).then(|| word("fold", &self.trigger.fold)),
        ];
        for rule in unused.into_iter().flatten().filter(|_| !words.is_fixed()) {
            self.warn(
                WarningCode::UnusedClockRule,
                format!(
                    "'{rule}' has no effect: the minute or the hour of '{expression}' begins with '*', so it fires whenever the clock shows its times"
                ),
                format!("leave '{rule}' out, or list the minutes and hours, such as '0,30' for '*/30'"),
            );
        }
        if words.has_both_days() {
            self.warn(
                WarningCode::BothDayFields,
                format!(
                    "'{expression}' fires on days that either field names: by day of month '{}' and also by day of week '{}'",
                    words.day_of_month, words.day_of_week
                ),
                "for days that both name, leave one of them out and use 'monthly' with 'weekday', or a calendar; if both \
                 are meant, two triggers say so more plainly",
            );
        }
        let fields = [
            (words.second.as_deref().unwrap_or("0"), 60, "second", "minute"),
            (&words.minute, 60, "minute", "hour"),
            (&words.hour, 24, "hour", "day"),
        ];
        for (field, round, unit, anew) in fields {
            if let Some(step) = star_step(field).filter(|step| *step < round && round % step != 0) {
                let last = round - (round - 1) / step * step;
                let plural = if last == 1 { "" } else { "s" };
                self.warn(
                    WarningCode::UnevenStep,
                    format!(
                        "'{field}' starts anew every {anew}, so its last step is {last} {unit}{plural}, not {step}"
                    ),
                    format!("for an even pace use 'every: {step}{}'", &unit[..1]),
                );
            }
        }
    }

    fn at_calendars(&mut self) {
        let rules = &self.trigger.calendars;
        for name in rules.include.iter().chain(&rules.exclude) {
            if self.planning.calendars.get(name).is_none() {
                self.warn(
                    WarningCode::NoSuchCalendar,
                    format!("there is no calendar '{name}', so it has no say here"),
                    "check its name with 'sandglass calendar list', or add it with 'sandglass calendar apply'",
                );
            }
        }
    }

    fn at_fires(&mut self) {
        if !self.trigger.kind.is_timed() {
            return;
        }
        let schedule = Schedule::new(self.trigger, self.planning);
        let Some(first) = schedule.next_after(self.now) else { return self.never() };
        if first.since(self.now) > YEAR {
            self.warn(
                WarningCode::Rare,
                format!("the next fire is more than a year off: {first}"),
                "look at its days once more with 'sandglass schedule next'",
            );
        }
        // Jitter moves fires together and apart; what counts is how far apart they are by themselves.
        let plain = Schedule::new(&Trigger { jitter: None, ..self.trigger.clone() }, self.planning);
        let fires: Vec<Timestamp> =
            std::iter::successors(plain.next_after(self.now), |fire| plain.next_after(*fire)).take(LOOKED_AT).collect();
        let Some(distance) = fires.windows(2).map(|pair| pair[1].since(pair[0])).min() else { return };
        self.at_distance(distance);
    }

    fn at_distance(&mut self, distance: Duration) {
        let shown = Period::from_millis(u64::try_from(distance.as_millis()).unwrap_or(u64::MAX));
        if distance < STORM {
            self.warn(
                WarningCode::Storm,
                format!(
                    "it fires as often as every {shown}: up to {} runs a day",
                    86_400_000 / distance.as_millis().max(1)
                ),
                "check that this many are meant; each is kept in the history for as long as 'retention' says",
            );
        }
        let timeout = self.job.timeout.get();
        if self.job.overlap == Overlap::Skip && timeout > distance {
            self.warn(
                WarningCode::TimeoutOverInterval,
                format!(
                    "an attempt may take {}, but fires are {shown} apart, and those during a run are skipped",
                    self.job.timeout
                ),
                "shorten 'timeout', or choose another 'overlap'",
            );
        }
        if let Some(jitter) = self.trigger.jitter.filter(|jitter| jitter.get() * 2 > distance) {
            self.warn(
                WarningCode::LargeJitter,
                format!("a jitter of {jitter} is more than half of the {shown} between fires, so two may come close together"),
                "take a jitter of at most a tenth of the distance",
            );
        }
    }

    fn never(&mut self) {
        let zone = self.trigger.timezone.map_or(self.planning.zone, |zone| zone.0);
        let instant = |at| instant_of(at, zone);
        let message = match (&self.trigger.kind, self.trigger.end_at) {
            (TriggerKind::At(at), _) if instant(*at) <= self.now => format!("{at} is past: it never fires"),
            (_, Some(end)) if instant(end) <= self.now => format!("'end_at: {end}' is past: it never fires again"),
            _ => "it never fires from now on".to_owned(),
        };
        self.warn(WarningCode::NeverAgain, message, "give a time to come, or remove the trigger");
    }
}

/// A modifier as it is written in a job file.
fn word(key: &str, value: &impl Serialize) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    format!("{key}: {}", value.as_str().unwrap_or_default())
}

fn reading(effect: &ClockEffect) -> String {
    time(effect.local.0.time())
}

/// The dates on which the clocks change, each once.
fn dates(effects: &[&ClockEffect]) -> String {
    let mut dates: Vec<_> = effects.iter().map(|effect| effect.local.0.date()).collect();
    dates.dedup();
    let more = dates.len().saturating_sub(MOST_DATES);
    let mut shown: Vec<String> = dates.into_iter().take(MOST_DATES).map(day).collect();
    if more > 0 {
        shown.push(format!("{more} more"));
    }
    and(&shown)
}

mod starts;
#[cfg(test)]
mod tests;
mod whole;
