//! The hours in which runs may start, in a zone.
//!
//! What the local clock shows decides. When the clocks go forward over the opening, the window opens with the first
//! reading inside; when they go back, it is open whenever they show a time inside, be it twice.

use chrono_tz::Tz;

use super::zone::{self, Zone};
use crate::spec::{self, Outside};
use crate::time::Timestamp;

/// Seconds of a day whose clocks do not change.
const DAY: i64 = 86_400;

/// A window made ready to be asked. Small, and cheap to clone.
#[derive(Clone)]
pub struct Window {
    zone: &'static Zone,
    /// Seconds from midnight.
    opens: i64,
    /// Seconds from the midnight before it opens, more than `opens`, and at most a day more.
    closes: i64,
    /// Days of the week on which it opens, as bits 0 (Sunday) to 6. Not empty.
    weekdays: u8,
    outside: Outside,
}

/// What a window makes of a fire.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Admission {
    /// It is open: the run may start.
    Open,
    /// It is closed, and the fire starts nothing.
    Skipped,
    /// It is closed, and the run waits until it opens at this instant.
    Waits(Timestamp),
}

impl Window {
    /// Prepares `window` in `zone`.
    #[must_use]
    pub fn new(window: &spec::Window, zone: Tz) -> Self {
        let (opens, to) = (i64::from(window.from.secs()), i64::from(window.to.secs()));
        let weekdays = window.days.as_ref().map_or(0x7f, |days| days.iter().fold(0, |set, day| set | day.bit()));
        let closes = if to > opens { to } else { to + DAY };
        Self { zone: zone::table(zone), opens, closes, weekdays, outside: window.outside }
    }

    /// What becomes of a fire outside.
    #[must_use]
    pub fn outside(&self) -> Outside {
        self.outside
    }

    /// What becomes of a fire at `at`.
    #[must_use]
    pub fn admission(&self, at: Timestamp) -> Admission {
        if self.contains(at) {
            return Admission::Open;
        }
        match self.outside {
            Outside::Skip => Admission::Skipped,
            Outside::Defer => self.next_open(at).map_or(Admission::Skipped, Admission::Waits),
        }
    }

    /// Whether a run may start at `at`.
    #[must_use]
    pub fn contains(&self, at: Timestamp) -> bool {
        let secs = at.as_micros().div_euclid(1_000_000);
        let reading = secs + self.zone.periods()[self.zone.index_at(secs)].offset;
        self.next_reading(reading) == reading
    }

    /// The least instant at or after `at` at which a run may start.
    ///
    /// None only for a window that the zone's clocks never show again, which no zone has.
    #[must_use]
    pub fn next_open(&self, at: Timestamp) -> Option<Timestamp> {
        if self.contains(at) {
            return Some(at);
        }
        let secs = at.as_micros().div_euclid(1_000_000);
        let periods = self.zone.periods();
        (self.zone.index_at(secs)..periods.len()).find_map(|index| {
            let period = periods[index];
            let from = if index == self.zone.index_at(secs) { secs } else { period.starts_at };
            let opens = self.next_reading(from + period.offset) - period.offset;
            let ends_at = periods.get(index + 1).map_or(i64::MAX, |next| next.starts_at);
            (opens < ends_at).then(|| Timestamp::from_secs(opens))
        })
    }

    /// The least reading of the clock at or after `reading` that is inside; both in seconds since 1970-01-01T00:00:00 on
    /// the local clock.
    fn next_reading(&self, reading: i64) -> i64 {
        // The window that opened yesterday may still be open; a week later at the latest one opens.
        let yesterday = reading.div_euclid(DAY) - 1;
        (yesterday..=yesterday + 8)
            .filter(|day| self.opens_on(*day))
            .map(|day| (day * DAY + self.opens, day * DAY + self.closes))
            .find(|(_, closes)| reading < *closes)
            .map(|(opens, _)| opens.max(reading))
            .expect("it opens on some day of the week")
    }

    fn opens_on(&self, day: i64) -> bool {
        // 1970-01-01 was a Thursday.
        (self.weekdays >> (day + 4).rem_euclid(7)) & 1 == 1
    }
}

impl std::fmt::Debug for Window {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (opens, closes, days) = (self.opens, self.closes, self.weekdays);
        write!(f, "Window({opens}s to {closes}s on {days:#09b} in {})", self.zone.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(parts: &str, zone: &str) -> Window {
        let window: spec::Window = serde_json::from_str(&format!("{{{parts}}}")).unwrap();
        Window::new(&window, zone.parse().unwrap())
    }

    fn instant(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn the_days_are_those_on_which_it_opens() {
        let night = window(r#""from": "22:00", "to": "06:00", "days": ["fri", "mon"]"#, "UTC");
        // 2027-01-01 was a Friday.
        for (at, inside, open) in [
            ("2027-01-01T21:59:59.5Z", false, "2027-01-01T22:00:00Z"),
            ("2027-01-01T22:00:00Z", true, "2027-01-01T22:00:00Z"),
            ("2027-01-02T05:59:59.999Z", true, "2027-01-02T05:59:59.999Z"),
            ("2027-01-02T06:00:00Z", false, "2027-01-04T22:00:00Z"),
            ("2027-01-02T23:00:00Z", false, "2027-01-04T22:00:00Z"),
            ("2027-01-05T06:00:00Z", false, "2027-01-08T22:00:00Z"),
        ] {
            assert_eq!(night.contains(instant(at)), inside, "{at}");
            assert_eq!(night.next_open(instant(at)), Some(instant(open)), "{at}");
        }
    }

    #[test]
    fn a_fire_outside_waits_or_starts_nothing() {
        let (inside, outside) = (instant("2027-01-01T12:00:00Z"), instant("2027-01-01T20:00:00Z"));
        let skips = window(r#""from": "09:00", "to": "17:00""#, "UTC");
        assert_eq!([inside, outside].map(|at| skips.admission(at)), [Admission::Open, Admission::Skipped]);
        let defers = window(r#""from": "09:00", "to": "17:00", "outside": "defer""#, "UTC");
        let opens_at = instant("2027-01-02T09:00:00Z");
        assert_eq!([inside, outside].map(|at| defers.admission(at)), [Admission::Open, Admission::Waits(opens_at)]);
    }

    #[test]
    fn equal_times_are_a_whole_day() {
        let always = window(r#""from": "00:00", "to": "00:00""#, "UTC");
        let monday = window(r#""from": "09:00", "to": "09:00", "days": "mon""#, "UTC");
        for hour in 0..24 * 14 {
            let at = Timestamp::from_secs(1_800_000_000 + hour * 3600);
            assert!(always.contains(at));
            let reading = (at.to_chrono() - chrono::Duration::hours(9)).format("%a").to_string();
            assert_eq!(monday.contains(at), reading == "Mon", "{at}");
        }
    }

    #[test]
    fn gaps_and_folds_are_read_off_the_clock() {
        let opening = window(r#""from": "02:30", "to": "04:00""#, "Europe/Berlin");
        assert_eq!(opening.next_open(instant("2027-03-28T00:00:00Z")), Some(instant("2027-03-28T01:00:00Z")));
        let lost = window(r#""from": "02:15", "to": "02:45""#, "Europe/Berlin");
        assert_eq!(lost.next_open(instant("2027-03-28T00:00:00Z")), Some(instant("2027-03-29T00:15:00Z")));
        // 02:15 to 02:45 comes twice on 31 October.
        assert_eq!(lost.next_open(instant("2027-10-31T00:00:00Z")), Some(instant("2027-10-31T00:15:00Z")));
        assert_eq!(lost.next_open(instant("2027-10-31T00:45:00Z")), Some(instant("2027-10-31T01:15:00Z")));
        assert_eq!(lost.next_open(instant("2027-10-31T01:45:00Z")), Some(instant("2027-11-01T01:15:00Z")));
    }

    #[test]
    fn it_equals_a_look_at_every_quarter_of_an_hour() {
        for (zone, from) in [
            ("Europe/Berlin", "2027-03-26T00:00:00Z"),
            ("Europe/Berlin", "2027-10-29T00:00:00Z"),
            ("Australia/Lord_Howe", "2027-10-01T00:00:00Z"),
            ("America/Sao_Paulo", "2018-11-01T00:00:00Z"),
            ("Pacific/Apia", "2011-12-28T00:00:00Z"),
        ] {
            for (opens, closes) in [("22:00", "06:00"), ("02:15", "02:45"), ("00:00", "00:30"), ("23:45", "23:45")] {
                let window = window(&format!(r#""from": "{opens}", "to": "{closes}", "days": ["sat", "sun"]"#), zone);
                let inside = |at: Timestamp| {
                    let local = at.to_chrono().with_timezone(&zone.parse::<Tz>().unwrap());
                    let (time, today) = (local.format("%H:%M").to_string(), local.format("%a").to_string());
                    let yesterday = (local.date_naive().pred_opt().unwrap()).format("%a").to_string();
                    let weekend = |day: &str| matches!(day, "Sat" | "Sun");
                    if opens < closes {
                        weekend(&today) && *opens <= *time && *time < *closes
                    } else {
                        weekend(&today) && *time >= *opens || weekend(&yesterday) && *time < *closes
                    }
                };
                let steps: Vec<Timestamp> = (0..96 * 10)
                    .map(|step| Timestamp::from_secs(instant(from).as_millis() / 1000 + step * 900))
                    .collect();
                let mut open = None;
                for at in steps.iter().rev() {
                    if inside(*at) {
                        open = Some(*at);
                    }
                    assert_eq!(window.contains(*at), inside(*at), "{opens}-{closes} at {at} in {zone}");
                    if open.is_some() {
                        assert_eq!(window.next_open(*at), open, "{opens}-{closes} at {at} in {zone}");
                    }
                }
            }
        }
    }
}
