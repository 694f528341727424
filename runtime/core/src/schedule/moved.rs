//! Fires that calendars took from their dates, asked for by the time at which they would be without calendars.

use super::allowed::{Fires as _, date_of, day_of};
use super::nominal::InZone;
use super::{Exclusion, Fire, JobSchedule, Schedule};
use crate::time::Timestamp;

/// A day in microseconds.
const DAY: i64 = 86_400_000_000;

/// A fire that calendars moved to another date.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MovedFire {
    /// Which of the job's triggers it is of, counted from 0.
    pub trigger: u16,
    /// When it would be if its date were allowed, before jitter.
    pub from: Timestamp,
    /// Why its date is refused.
    pub exclusion: Exclusion,
    /// When it is instead, before jitter.
    pub to: Timestamp,
}

impl JobSchedule {
    /// The first fire that would be at or after `from` and before `until` by the triggers alone, and that calendars move
    /// to another date.
    #[must_use]
    pub fn moved_away(&self, from: Timestamp, until: Timestamp) -> Option<MovedFire> {
        let moved =
            self.0.iter().zip(0u16..).filter_map(|(schedule, trigger)| schedule.moved_away(trigger, from, until));
        moved.min_by_key(|moved| moved.from)
    }

    /// Why the date is refused from which calendars moved `fire`, a fire of this schedule; none if it did not move.
    #[must_use]
    pub fn why_moved(&self, fire: &Fire) -> Option<Exclusion> {
        let schedule = self.0.get(usize::from(fire.trigger))?;
        schedule.modifiers.as_ref()?.allowed()?.refuses(fire.occurrence.moved_from?)
    }
}

impl Schedule {
    fn moved_away(&self, trigger: u16, from: Timestamp, until: Timestamp) -> Option<MovedFire> {
        let allowed = self.modifiers.as_ref()?.allowed()?;
        let fire = self.nominal.next_after(self.zone, just_before(from)).filter(|fire| *fire < until)?;
        let day = day_of(self.zone, fire);
        let target = allowed.target_of(day)?;
        let exclusion = allowed.refuses(date_of(day)?)?;
        // The same time of day there; where a change of the clocks makes that another one, what moved there first.
        let reading = self.zone.reading_at(fire) + (target - day) * DAY;
        let same_time = InZone { nominal: &self.nominal, zone: self.zone }.at_reading(reading);
        let to = same_time.filter(|to| self.has_nominal(*to)).or_else(|| self.first_on(target))?;
        Some(MovedFire { trigger, from: fire, exclusion, to })
    }

    fn has_nominal(&self, at: Timestamp) -> bool {
        self.nominal_after(just_before(at)) == Some(at)
    }

    /// The first fire on a day, before jitter.
    fn first_on(&self, day: i64) -> Option<Timestamp> {
        let midnight = Timestamp::from_micros(self.zone.first_instant_of(day * DAY));
        self.nominal_after(just_before(midnight)).filter(|fire| day_of(self.zone, *fire) == day)
    }

    fn nominal_after(&self, at: Timestamp) -> Option<Timestamp> {
        let modifiers = self.modifiers.as_ref()?;
        modifiers.nominal_after(&self.nominal, self.zone, at).map(|occurrence| occurrence.at)
    }
}

fn just_before(at: Timestamp) -> Timestamp {
    Timestamp::from_micros(at.as_micros().saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::{Calendars, Planning};
    use crate::spec::{CalendarSpec, JobSpec};

    /// Where the fire of `at` goes, and from which calendar; in Berlin, with Easter Monday and Christmas as holidays.
    fn moved(trigger: serde_json::Value, at: &str) -> Option<(String, String)> {
        let calendars: Vec<CalendarSpec> = serde_json::from_value(serde_json::json!([
            { "name": "holidays", "yearly": [{ "easter": 1 }, "12-25"], "dates": ["2027-03-27"] },
            { "name": "all", "weekdays": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] }
        ]))
        .unwrap();
        let calendars: Calendars = calendars.iter().collect();
        let spec = serde_json::json!({ "name": "a", "triggers": [trigger], "action": { "use": "noop" } });
        let spec: JobSpec = serde_json::from_value(spec).unwrap();
        let (zone, since) = (chrono_tz::Tz::Europe__Berlin, Timestamp::EPOCH);
        let schedule = JobSchedule::new(&spec, &Planning { zone, since, seed: 1, calendars: &calendars });
        let at: Timestamp = at.parse().unwrap();
        let moved = schedule.moved_away(at, at.after(std::time::Duration::from_secs(60)))?;
        assert_eq!((moved.trigger, moved.from), (0, at));
        let Exclusion::In(calendar) = moved.exclusion else { return None };
        Some((calendar.to_string(), moved.to.to_string()))
    }

    fn on_weekdays(shift: &str) -> serde_json::Value {
        serde_json::json!({ "cron": "30 2 * * *", "calendars": { "exclude": ["holidays"], "shift": shift } })
    }

    #[test]
    fn a_fire_is_found_by_the_time_from_which_it_moved() {
        let easter_monday = "2027-03-29T00:30:00Z";
        let to = |at: &str| Some(("holidays".to_owned(), at.to_owned()));
        assert_eq!(moved(on_weekdays("next"), easter_monday), to("2027-03-30T00:30:00Z"));
        // On Sunday the clocks skip 02:30.
        assert_eq!(moved(on_weekdays("previous"), easter_monday), to("2027-03-28T01:30:00Z"));
        assert_eq!(moved(on_weekdays("next"), "2027-03-27T01:30:00Z"), to("2027-03-28T01:30:00Z"));
        assert_eq!(moved(on_weekdays("none"), easter_monday), None);
        assert_eq!(moved(on_weekdays("next"), "2027-03-30T00:30:00Z"), None, "its date is allowed");
        assert_eq!(moved(on_weekdays("next"), "2027-03-29T00:31:00Z"), None, "there is no fire");
        // No date is allowed: it stays, excluded.
        let nowhere = serde_json::json!({ "cron": "30 2 * * *", "calendars": { "exclude": ["all"], "shift": "next" } });
        assert_eq!(moved(nowhere, easter_monday), None);
        let mut ended = on_weekdays("next");
        ended["end_at"] = serde_json::json!("2027-03-30T00:00:00");
        assert_eq!(moved(ended, easter_monday), None, "it would move beyond the end");
    }

    #[test]
    fn jitter_does_not_hide_a_moved_fire() {
        let mut trigger = on_weekdays("next");
        trigger["jitter"] = serde_json::json!("10m");
        assert_eq!(moved(trigger, "2027-03-29T00:30:00Z").map(|(_, to)| to), Some("2027-03-30T00:30:00Z".to_owned()));
    }
}
