//! Whether the fires of a trigger start anything, and in which months they are.

use super::{Look, WarningCode};
use crate::schedule::allowed::day_of;
use crate::schedule::cron_words::{CronWords, is_any};
use crate::schedule::words::ordinal;
use crate::schedule::{Admission, Exclusion, Occurrence, Schedule};
use crate::spec::{DaysOfMonth, TriggerKind};
use crate::time::Timestamp;

/// How many fires are looked at for one that starts a run. What calendars and windows close is passed over by whole days and
/// nights, so that this is more than a year.
const LOOKED_AT: usize = 400;
/// A day in microseconds.
const DAY: i64 = 86_400_000_000;

impl Look<'_> {
    /// Whether calendars and the window ever let it start a run.
    pub(super) fn at_starts(&mut self) {
        self.at_month_days();
        if self.window.is_none() && self.trigger.calendars.is_empty() {
            return;
        }
        let schedule = Schedule::new(self.trigger, self.planning);
        let (mut at, mut first) = (self.now, None);
        for _ in 0..LOOKED_AT {
            let Some(fire) = schedule.occurrence_after(at) else { break };
            let Some((why, next)) = self.closed(&schedule, &fire) else { return };
            first = first.or(Some(why));
            at = next.max(fire.at);
        }
        // A trigger without any fire is told of elsewhere.
        let Some(why) = first else { return };
        self.warn(
            WarningCode::NeverStarts,
            format!("none of its fires starts a run, as far as is looked: {why}"),
            "see 'sandglass schedule simulate', and change the trigger, its calendars or the window",
        );
    }

    /// Why a fire starts nothing, and up to when those after it start nothing either; none if it starts a run.
    fn closed(&self, schedule: &Schedule, fire: &Occurrence) -> Option<(String, Timestamp)> {
        if let Some(exclusion) = &fire.exclusion {
            let why = match exclusion {
                Exclusion::In(calendar) => format!("calendar '{calendar}' excludes their dates"),
                Exclusion::NotIn(calendar) => format!("their dates are not in calendar '{calendar}'"),
            };
            let tomorrow = (day_of(schedule.zone, fire.nominal) + 1) * DAY;
            return Some((why, Timestamp::from_micros(schedule.zone.first_instant_of(tomorrow) - 1)));
        }
        let window = self.window.filter(|window| window.admission(fire.at) == Admission::Skipped)?;
        let opens_at = window.next_open(fire.at).unwrap_or(Timestamp::MAX);
        let why = "the job's window is closed at their times, and 'outside' says 'skip'";
        Some((why.to_owned(), Timestamp::from_micros(opens_at.as_micros() - 1)))
    }

    /// Days that short months lack, where every month is meant.
    fn at_month_days(&mut self) {
        let days: Vec<u32> = match &self.trigger.kind {
            TriggerKind::Cron(expression) => {
                let words = CronWords::of(&expression.to_string());
                let words = words.filter(|words| is_any(&words.month) && is_any(&words.day_of_week));
                words.and_then(|words| words.day_of_month.parse().ok()).into_iter().collect()
            }
            TriggerKind::Monthly { days: DaysOfMonth::Days(days), .. } => {
                days.iter().filter_map(|day| u32::try_from(day.get()).ok()).collect()
            }
            _ => Vec::new(),
        };
        // Whoever names an earlier day as well has a fire in every month.
        let Some(day) = days.iter().min().copied().filter(|day| *day > 28) else { return };
        let day = ordinal(day);
        self.warn(
            WarningCode::ShortMonths,
            format!("months without a {day} are left out"),
            "for the last day of every month write 'L' as day of month in cron, or 'day: last' in 'monthly'",
        );
    }
}
