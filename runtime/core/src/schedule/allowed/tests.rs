//! Shifted fires against an oracle that moves every fire by itself, over readings that stand for a trigger.

use std::cell::Cell;
use std::collections::BTreeSet;

use chrono::Datelike;
use proptest::prelude::*;

use super::*;
use crate::schedule::fires::ClockRules;
use crate::schedule::zone;
use crate::spec::{CalendarSpec, Fold, Gap};

const HOUR: i64 = DAY / 24;

/// Fires at the same readings of every n-th day.
struct Readings {
    zone: &'static Zone,
    every: i64,
    times: Vec<i64>,
    last_day: i64,
    /// How often it was asked for a fire or a reading.
    asked: Cell<usize>,
}

impl Readings {
    fn new(zone: &str, every: i64, times: &[i64], last_day: i64) -> Self {
        let mut times = times.to_vec();
        times.sort_unstable();
        Self { zone: zone::table(zone.parse().unwrap()), every, times, last_day, asked: Cell::new(0) }
    }

    fn readings(&self, from: i64) -> impl Iterator<Item = i64> {
        (from.div_euclid(DAY)..=self.last_day)
            .filter(|day| day.rem_euclid(self.every) == 0)
            .flat_map(|day| self.times.iter().map(move |time| day * DAY + time))
            .filter(move |reading| *reading >= from)
    }
}

impl Fires for Readings {
    fn next_after(&self, at: Timestamp) -> Option<Timestamp> {
        self.asked.update(|asked| asked + 1);
        let near = self.readings(self.zone.reading_at(at) - 2 * DAY).take(self.times.len() * 5);
        let near = near.filter_map(|reading| self.at_reading(reading)).filter(|fire| *fire > at).min();
        near.or_else(|| self.readings(self.zone.reading_at(at)).find_map(|reading| self.at_reading(reading)))
    }

    fn reading_at_or_after(&self, from: i64) -> Option<i64> {
        self.asked.update(|asked| asked + 1);
        self.readings(from).next()
    }

    fn at_reading(&self, reading: i64) -> Option<Timestamp> {
        let local = chrono::DateTime::from_timestamp_micros(reading).unwrap().naive_utc();
        zone::instants_of(local, self.zone.tz(), ClockRules { gap: Gap::Shift, fold: Fold::First })[0]
    }
}

fn calendars(parts: &[&str]) -> Calendars {
    let specs: Vec<CalendarSpec> = parts.iter().map(|part| serde_json::from_str(part).unwrap()).collect();
    specs.iter().collect()
}

fn allowed(rules: &str, calendars: &Calendars) -> AllowedDates {
    AllowedDates::new(&serde_json::from_str(rules).unwrap(), calendars).unwrap()
}

fn day(text: &str) -> i64 {
    i64::from(text.parse::<NaiveDate>().unwrap().num_days_from_ce()) - DAYS_TO_EPOCH
}

/// All fires up to `end`, moved one by one.
fn oracle(fires: &Readings, allowed: &AllowedDates, from: Timestamp, end: Timestamp) -> Vec<(Timestamp, bool)> {
    let start = day_of(fires.zone, from) - FARTHEST - 5;
    let mut found = BTreeSet::new();
    for reading in fires.readings(start * DAY) {
        let here = fires.at_reading(reading).unwrap();
        let shown = day_of(fires.zone, here);
        let step = match allowed.shift {
            DayShift::None => 0,
            DayShift::Next => 1,
            DayShift::Previous => -1,
        };
        let refused = |day| allowed.refuses_day(day);
        let target = (0..=FARTHEST).map(|days| shown + days * step).find(|day| !refused(*day));
        match target {
            Some(target) if target == shown => found.insert((here, false)),
            Some(target) if shown == reading.div_euclid(DAY) => {
                found.insert((fires.at_reading(reading + (target - shown) * DAY).unwrap(), false))
            }
            Some(_) => false,
            None => found.insert((here, true)),
        };
    }
    found.into_iter().filter(|(at, _)| from < *at && *at <= end).collect()
}

fn check(fires: &Readings, allowed: &AllowedDates, from: Timestamp, days: i64) {
    let end = Timestamp::from_micros(from.as_micros() + days * DAY);
    let expected = oracle(fires, allowed, from, end);
    let mut at = from;
    for (fire, excluded) in &expected {
        // Instants between fires have the same next fire.
        let between = Timestamp::from_micros(i64::midpoint(at.as_micros(), fire.as_micros()));
        for start in [at, between] {
            if start < *fire {
                let next = allowed.next_after(fires, fires.zone, start).map(|next| (next.at, next.exclusion.is_some()));
                assert_eq!(next, Some((*fire, *excluded)), "after {start}");
            }
        }
        at = *fire;
    }
    let next = allowed.next_after(fires, fires.zone, at);
    assert!(next.as_ref().is_none_or(|next| next.at > end), "after {at}: {next:?}");
}

#[test]
fn fires_move_over_a_weekend_and_a_holiday() {
    let calendars = calendars(&[
        r#"{"name": "weekend", "weekdays": ["sat", "sun"]}"#,
        r#"{"name": "free", "dates": ["2027-01-04"]}"#,
    ]);
    let fires = Readings::new("UTC", 1, &[2 * HOUR], day("2027-02-01"));
    let from: Timestamp = "2026-12-31T12:00:00Z".parse().unwrap();
    let read = |shift: &str| {
        let rules = format!(r#"{{"exclude": ["weekend", "free"], "shift": "{shift}"}}"#);
        let allowed = allowed(&rules, &calendars);
        let next = |at: Timestamp| allowed.next_after(&fires, fires.zone, at);
        let all = std::iter::successors(next(from), |fire| next(fire.at)).take(4);
        let shown = all.map(|fire| {
            let mark = if fire.exclusion.is_some() {
                "!"
            } else if fire.moved_from.is_some() {
                ">"
            } else {
                ""
            };
            format!("{}{mark}", fire.at.to_chrono().format("%d"))
        });
        shown.collect::<Vec<_>>().join(" ")
    };
    // 2027-01-01 was a Friday. All that move meet a regular fire, as the trigger fires every day.
    assert_eq!(read("none"), "01 02! 03! 04!");
    assert_eq!(read("next"), "01 05 06 07");
    assert_eq!(read("previous"), "01 05 06 07");
    let fires = Readings::new("UTC", 1, &[2 * HOUR], day("2027-01-04"));
    let allowed = allowed(r#"{"exclude": ["weekend", "free"], "shift": "next"}"#, &calendars);
    let at: Timestamp = "2027-01-01T12:00:00Z".parse().unwrap();
    let moved = allowed.next_after(&fires, fires.zone, at).unwrap();
    assert_eq!(moved.at.to_string(), "2027-01-05T02:00:00Z");
    assert_eq!(moved.moved_from.unwrap().to_string(), "2027-01-02");
}

#[test]
fn exclude_wins_over_include() {
    let calendars = calendars(&[
        r#"{"name": "work", "weekdays": ["mon", "tue", "wed", "thu", "fri"]}"#,
        r#"{"name": "odd", "dates": ["2027-01-02"]}"#,
        r#"{"name": "free", "yearly": ["01-01"]}"#,
    ]);
    let allowed = allowed(r#"{"exclude": ["free"], "include": ["work", "odd"]}"#, &calendars);
    let verdict = |text: &str| allowed.refuses(text.parse().unwrap());
    assert!(matches!(verdict("2027-01-01"), Some(Exclusion::In(name)) if name.as_str() == "free"));
    assert_eq!(verdict("2027-01-02"), None);
    assert!(matches!(verdict("2027-01-03"), Some(Exclusion::NotIn(name)) if name.as_str() == "work"));
    assert_eq!(verdict("2027-01-04"), None);
}

#[test]
fn a_fire_without_an_allowed_date_in_a_year_stays_excluded() {
    let calendars = calendars(&[r#"{"name": "once", "dates": ["2027-01-01"]}"#]);
    for shift in ["next", "previous"] {
        let allowed = allowed(&format!(r#"{{"include": ["once"], "shift": "{shift}"}}"#), &calendars);
        for every in [1, 30, 500] {
            let fires = Readings::new("Europe/Berlin", every, &[0, 2 * HOUR], day("2031-01-01"));
            for from in ["2024-06-01T00:00:00Z", "2025-12-28T00:00:00Z", "2026-12-30T00:00:00Z", "2027-12-30T00:00:00Z"]
            {
                check(&fires, &allowed, from.parse().unwrap(), 30);
            }
        }
    }
}

#[test]
fn nothing_is_looked_for_without_an_end() {
    // No date is ever allowed, fires come every minute, and every question is answered at once.
    let calendars = calendars(&[r#"{"name": "never", "dates": []}"#]);
    let times: Vec<i64> = (0..1440).map(|minute| minute * 60_000_000).collect();
    let fires = Readings::new("UTC", 1, &times, day("2099-01-01"));
    for shift in ["none", "next", "previous"] {
        let allowed = allowed(&format!(r#"{{"include": ["never"], "shift": "{shift}"}}"#), &calendars);
        let next = allowed.next_after(&fires, fires.zone, "2027-01-01T00:00:00Z".parse().unwrap()).unwrap();
        assert!(next.exclusion.is_some());
        assert_eq!(next.at.to_string(), "2027-01-01T00:01:00Z");
    }
}

#[test]
fn fires_that_all_move_are_found_without_a_look_at_those_years_ahead() {
    let weekend = r#"{"name": "weekend", "weekdays": ["sat", "sun"]}"#;
    let work = r#"{"name": "work", "weekdays": ["mon", "tue", "wed", "thu", "fri"]}"#;
    let calendars = calendars(&[weekend, work]);
    // Every seventh day from 1970-01-01 is a Thursday.
    for (excluded, shift, every) in [("work", "next", 7), ("work", "previous", 7), ("weekend", "next", 1)] {
        let allowed = allowed(&format!(r#"{{"exclude": ["{excluded}"], "shift": "{shift}"}}"#), &calendars);
        let fires = Readings::new("Europe/Berlin", every, &[3 * HOUR], day("2099-12-31"));
        let mut at: Timestamp = "2027-01-01T00:00:00Z".parse().unwrap();
        for _ in 0..20 {
            fires.asked.set(0);
            at = allowed.next_after(&fires, fires.zone, at).unwrap().at;
            assert!(fires.asked.get() < 60, "{} questions for {excluded}, {shift}", fires.asked.get());
        }
    }
}

#[test]
fn no_fire_moves_from_before_1970() {
    let calendars = calendars(&[r#"{"name": "weekend", "weekdays": ["sat", "sun"]}"#]);
    let trigger = r#"{"weekly": {"days": ["sun", "mon"], "at": "03:00"}, "calendars": {"exclude": ["weekend"], "shift": "next"}}"#;
    let trigger: crate::spec::Trigger = serde_json::from_str(trigger).unwrap();
    let zone = chrono_tz::Tz::UTC;
    let planning = crate::schedule::Planning { zone, since: Timestamp::EPOCH, seed: 1, calendars: &calendars };
    let schedule = crate::schedule::Schedule::new(&trigger, &planning);
    let first = schedule.next_after("1900-01-01T00:00:00Z".parse().unwrap());
    assert_eq!(first.unwrap().to_string(), "1970-01-05T03:00:00Z");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn shifted_fires_equal_the_oracle(
        place in prop::sample::select(vec![
            ("UTC", "2027-01-01T00:00:00Z"),
            ("Europe/Berlin", "2027-03-20T00:00:00Z"),
            ("Europe/Berlin", "2027-10-25T00:00:00Z"),
            ("Australia/Lord_Howe", "2027-10-01T00:00:00Z"),
            ("America/Sao_Paulo", "2018-11-01T00:00:00Z"),
            ("America/Sao_Paulo", "2018-02-14T00:00:00Z"),
        ]),
        every in prop::sample::select(vec![1_i64, 1, 2, 3, 10]),
        times in prop::collection::vec(0_i64..96, 1..4),
        weekdays in prop::collection::btree_set(0_usize..7, 0..5),
        dates in prop::collection::vec((0_u32..60, 0_u32..10), 0..4),
        shift in prop::sample::select(vec!["none", "next", "previous"]),
        include in any::<bool>(),
    ) {
        let (zone, from) = place;
        let from: Timestamp = from.parse().unwrap();
        let start = from.to_chrono().date_naive();
        let names = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
        let weekdays: Vec<&str> = weekdays.iter().map(|day| names[*day]).collect();
        let dates: Vec<String> = dates
            .iter()
            .map(|(first, length)| {
                let first = start + chrono::Days::new(u64::from(*first));
                format!(r#"{{"from": "{first}", "to": "{}"}}"#, first + chrono::Days::new(u64::from(*length)))
            })
            .collect();
        let spec = format!(r#"{{"name": "a", "weekdays": {weekdays:?}, "dates": [{}]}}"#, dates.join(","));
        let key = if include { "include" } else { "exclude" };
        let allowed = allowed(&format!(r#"{{"{key}": ["a"], "shift": "{shift}"}}"#), &calendars(&[&spec]));
        let times: Vec<i64> = times.iter().map(|quarter| quarter * HOUR / 4).collect();
        let last_day = i64::from(start.num_days_from_ce()) - DAYS_TO_EPOCH + 900;
        check(&Readings::new(zone, every, &times, last_day), &allowed, from, 40);
    }
}
