//! What comes out otherwise than the daemon does it.

use std::time::Duration;

use chrono_tz::Tz;
use sandglass_core::schedule::{Pattern, clock_effects};
use sandglass_core::spec::{Fold, Gap, LocalOrUtc, Trigger, TriggerKind};

use super::interval::{CountsFrom, Interval};
use super::{Source, Times, printable, word_of, zone};

/// How far ahead changes of the clocks are looked for: two years.
const AHEAD: Duration = Duration::from_secs(2 * 366 * 86_400);

/// What a scheduler does, as far as it matters to notes.
#[derive(Clone, Copy)]
pub(super) struct Habits {
    /// Its name.
    pub(super) name: &'static str,
    /// Whether it can put starts off by chance.
    pub(super) delays: bool,
    /// Whether it knows a first and a last instant.
    pub(super) has_bounds: bool,
    /// What it does with times that the clocks skip or show twice, if that is known.
    pub(super) clocks: Option<(Gap, Fold)>,
    /// Whether a time that is shown twice fires twice where the daemon fires it twice without being told to.
    pub(super) fires_as_shown: bool,
}

/// What comes out otherwise for one trigger, a line each.
pub(super) fn of_trigger(trigger: &Trigger, source: &Source<'_>, habits: Habits) -> Vec<String> {
    let name = habits.name;
    let mut notes = Vec::new();
    let rules = &trigger.calendars;
    if !rules.is_empty() {
        let calendars: Vec<&str> = rules.include.iter().chain(&rules.exclude).map(|name| name.as_str()).collect();
        let (s, have) = if calendars.len() == 1 { ("", "has") } else { ("s", "have") };
        let calendars = calendars.join(", ");
        notes.push(format!("{name} starts it on every date: the calendar{s} {calendars} {have} no say there"));
    }
    if let Some(jitter) = trigger.jitter {
        notes.push(match habits.delays {
            true => format!(
                "{name} puts each start off by chance, up to {jitter}; the daemon always by the same part of it"
            ),
            false => format!("{name} starts it at the time itself: the jitter of up to {jitter} is left out"),
        });
    }
    if !habits.has_bounds {
        let bound = |word: &str, at: LocalOrUtc| format!("{name} does not know that it begins or ends: {word} {at}");
        notes.extend(trigger.start_at.map(|at| bound("not before", at)));
        notes.extend(trigger.end_at.map(|at| bound("not after", at)));
        if let TriggerKind::Every { from: Some(from), .. } = trigger.kind
            && from > source.now
        {
            notes.push(bound("not before", LocalOrUtc::Utc(from)));
        }
    }
    notes.extend(clocks(trigger, source, habits));
    notes
}

/// What comes out otherwise for the whole job, a line each.
pub(super) fn of_job(source: &Source<'_>, habits: Habits) -> Vec<String> {
    let counted = source.spec.max_runs.map(|most| {
        format!(
            "the daemon's {most} runs at most do not count what {} starts: take the entry out after them",
            habits.name
        )
    });
    counted.into_iter().collect()
}

/// What an interval that became times of a day does otherwise.
pub(super) fn of_interval(interval: Interval, to_the_minute: bool) -> Option<String> {
    match interval.counts_from {
        CountsFrom::Stated => None,
        CountsFrom::Saved if to_the_minute && interval.anchor % 60 != 0 => {
            Some("it is counted from when the job was saved, here to the minute".to_owned())
        }
        CountsFrom::Saved => None,
        CountsFrom::Saving => {
            Some("it is counted from midnight in UTC here; the daemon counts from when the job is saved".to_owned())
        }
    }
}

fn clocks(trigger: &Trigger, source: &Source<'_>, habits: Habits) -> Option<String> {
    let (name, zone) = (habits.name, source.zone_of(trigger));
    let planning = source.planning();
    let pattern = Pattern::of(&trigger.kind, planning.seed).filter(|pattern| pattern.as_shown);
    if let Some(pattern) = pattern {
        // What says the same in UTC is said in UTC.
        let in_utc = Times::Local(pattern).keep_in_every_hour() && zone::share_minutes(zone, Tz::UTC, source.now);
        let differs = !habits.fires_as_shown && !in_utc && zone::changes(zone, source.now);
        return differs.then(|| {
            format!(
                "while the clocks of {zone} go back, {name} does not start it a second time at times that come twice, as \
                 the daemon does"
            )
        });
    }
    if matches!(trigger.kind, TriggerKind::Every { .. }) || habits.clocks == Some((trigger.gap, trigger.fold)) {
        return None;
    }
    let effects = clock_effects(trigger, &planning, source.now, source.now.after(AHEAD));
    let first = effects.first()?;
    let does = match habits.clocks {
        None => "does as its version pleases".to_owned(),
        Some((gap, fold)) => {
            let gap = match gap {
                Gap::Shift => "starts it later by the gap",
                Gap::End => "starts it once the gap ends",
                Gap::Skip => "leaves it out",
            };
            let fold = match fold {
                Fold::First => "the first time",
                Fold::Last => "the last time",
                Fold::Both => "both times",
            };
            format!("{gap} if they skip it and starts it {fold} if they show it twice")
        }
    };
    let time = first.local.0.format("%H:%M");
    let (gap, fold) = (word_of(trigger.gap), word_of(trigger.fold));
    Some(printable(&format!(
        "when the clocks of {zone} change over {time}, {name} {does}; the daemon goes by `gap: {gap}` and `fold: {fold}`"
    )))
}
