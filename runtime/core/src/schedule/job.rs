//! The fires of a job: those of all its triggers, in order.

use super::{Occurrence, Planning, Schedule};
use crate::spec::JobSpec;
use crate::spec::bounds::MAX_TRIGGERS;
use crate::time::Timestamp;

/// The triggers of a job made ready, in their order. Two that fire at one instant are one fire.
#[derive(Clone, Debug, Default)]
pub struct JobSchedule(pub(super) Box<[Schedule]>);

/// One fire of a job in full.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fire {
    /// Which trigger fires, counted from 0: the first one, but rather one that no calendar excludes.
    pub trigger: u16,
    /// When, and how it came to that.
    pub occurrence: Occurrence,
}

/// How far back [`JobSchedule::fire_before`] looks: somewhat more than the longest time between two fires of a cron
/// expression, in microseconds.
const LONGEST_LOOK_BACK: i64 = 45 * 366 * 86_400 * 1_000_000;

impl JobSchedule {
    /// Prepares the triggers of `spec`, as many as [`MAX_TRIGGERS`]: only a job that was saved before there was a bound has
    /// more.
    #[must_use]
    pub fn new(spec: &JobSpec, planning: &Planning<'_>) -> Self {
        Self(spec.triggers.iter().take(MAX_TRIGGERS).map(|trigger| Schedule::new(trigger, planning)).collect())
    }

    /// The instant of the least fire strictly after `at`.
    #[must_use]
    pub fn next_after(&self, at: Timestamp) -> Option<Timestamp> {
        self.0.iter().filter_map(|schedule| schedule.next_after(at)).min()
    }

    /// The least fire strictly after `at` in full.
    #[must_use]
    pub fn fire_after(&self, at: Timestamp) -> Option<Fire> {
        let fires = self.0.iter().enumerate().filter_map(|(trigger, schedule)| {
            Some(Fire { trigger: u16::try_from(trigger).ok()?, occurrence: schedule.occurrence_after(at)? })
        });
        fires.min_by_key(|fire| (fire.occurrence.at, fire.occurrence.exclusion.is_some(), fire.trigger))
    }

    /// The distance from each fire to the next, in microseconds, if it is the same for ever: a single interval without
    /// modifiers.
    pub(crate) fn interval(&self) -> Option<i64> {
        match &*self.0 {
            [schedule] => schedule.interval(),
            _ => None,
        }
    }

    /// The fire at `at`, if there is one.
    #[must_use]
    pub fn fire_at(&self, at: Timestamp) -> Option<Fire> {
        let just_before = Timestamp::from_micros(at.as_micros().saturating_sub(1));
        self.fire_after(just_before).filter(|fire| fire.occurrence.at == at)
    }

    /// The latest fire before `at`, if there is one in the 45 years before.
    #[must_use]
    pub fn fire_before(&self, at: Timestamp) -> Option<Fire> {
        let end = at.as_micros();
        let before = |fire: Option<Timestamp>| fire.map(Timestamp::as_micros).filter(|fire| *fire < end);
        let mut span = 60_000_000;
        let mut latest = loop {
            if let Some(fire) = before(self.next_after(Timestamp::from_micros(end.saturating_sub(span)))) {
                break fire;
            }
            if span > LONGEST_LOOK_BACK {
                return None;
            }
            span *= 4;
        };
        // No fire lies from `none_from` to the end; halving what is between leads to the last one.
        let mut none_from = end;
        while let Some(next) = before(self.next_after(Timestamp::from_micros(latest))) {
            let middle = latest.midpoint(none_from);
            match before(self.next_after(Timestamp::from_micros(middle))) {
                Some(fire) => latest = fire,
                None if middle > next => none_from = middle,
                None => latest = next,
            }
        }
        self.fire_at(Timestamp::from_micros(latest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::Calendars;
    use chrono_tz::Tz;

    fn schedule(triggers: &serde_json::Value, zone: Tz) -> JobSchedule {
        let spec = serde_json::json!({ "name": "a", "triggers": triggers, "action": { "use": "noop" } });
        let spec: JobSpec = serde_json::from_value(spec).unwrap();
        let since = Timestamp::from_secs(1_800_000_000);
        JobSchedule::new(&spec, &Planning { zone, since, seed: 1, calendars: Calendars::NONE })
    }

    #[test]
    fn triggers_that_meet_are_one_fire_of_the_first() {
        let both = schedule(&serde_json::json!([{ "cron": "0 * * * *" }, { "cron": "*/30 * * * *" }]), Tz::UTC);
        let at = Timestamp::from_secs(1_800_000_000);
        let fires: Vec<_> = std::iter::successors(both.fire_after(at), |fire| both.fire_after(fire.occurrence.at))
            .take(4)
            .map(|fire| (fire.occurrence.at.as_micros() / 60_000_000 % 60, fire.trigger))
            .collect();
        assert_eq!(fires, [(30, 1), (0, 0), (30, 1), (0, 0)]);
        assert_eq!(both.fire_at(at).map(|fire| fire.trigger), Some(0));
        assert_eq!(both.fire_at(Timestamp::from_secs(1_800_000_001)), None);
    }

    #[test]
    fn the_fire_before_is_the_one_that_leads_here() {
        let schedules = [
            serde_json::json!([{ "cron": "*/7 3,9-17 * * 1-5" }, { "every": "1000s", "from": "2020-01-01T00:00:00Z" }]),
            serde_json::json!([{ "cron": "30 2 29 2 *" }]),
            serde_json::json!([{ "at": "2026-12-24T18:00:00" }, { "at": "2031-12-24T18:00:00" }]),
        ];
        let mut rng = fastrand::Rng::with_seed(4);
        for triggers in schedules {
            let schedule = schedule(&triggers, Tz::Europe__Berlin);
            for _ in 0..300 {
                let at = Timestamp::from_micros(rng.i64(1_750_000_000_000_000..2_000_000_000_000_000));
                let before = schedule.fire_before(at).map(|fire| fire.occurrence.at);
                match before {
                    None => assert!(schedule.next_after(Timestamp::EPOCH).is_none_or(|first| first >= at)),
                    Some(before) => {
                        assert!(before < at);
                        assert!(schedule.next_after(before).is_none_or(|next| next >= at), "{before} is not the last");
                    }
                }
            }
        }
        assert_eq!(JobSchedule::default().fire_before(Timestamp::MAX), None);
    }
}
