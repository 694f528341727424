//! Named calendars made ready to be asked for dates, and the lookup of a namespace's calendars by name.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{Datelike, NaiveDate};

use crate::id::CalendarName;
use crate::spec::day::{Nth, NthWeekday};
use crate::spec::{CalendarSpec, YearlyDate};

/// The calendars of a namespace by name. Clones share the calendars.
#[derive(Clone, Default, Debug)]
pub struct Calendars(BTreeMap<CalendarName, Arc<NamedCalendar>>);

impl Calendars {
    /// No calendars, for schedules that name none.
    pub const NONE: &'static Self = &Self(BTreeMap::new());

    /// Adds the calendar, or puts it in the place of the one of its name.
    pub fn insert(&mut self, calendar: &CalendarSpec) {
        self.0.insert(calendar.name.clone(), Arc::new(NamedCalendar::new(calendar)));
    }

    /// Takes the calendar out; whether it was there.
    pub fn remove(&mut self, name: &CalendarName) -> bool {
        self.0.remove(name).is_some()
    }

    /// The calendar of this name.
    #[must_use]
    pub fn get(&self, name: &CalendarName) -> Option<&Arc<NamedCalendar>> {
        self.0.get(name)
    }

    /// The names, in order.
    pub fn names(&self) -> impl Iterator<Item = &CalendarName> {
        self.0.keys()
    }
}

impl<'a> FromIterator<&'a CalendarSpec> for Calendars {
    fn from_iter<I: IntoIterator<Item = &'a CalendarSpec>>(calendars: I) -> Self {
        let mut all = Self::default();
        calendars.into_iter().for_each(|calendar| all.insert(calendar));
        all
    }
}

/// A set of dates made ready to be asked for its members.
#[derive(PartialEq, Eq, Debug)]
pub struct NamedCalendar {
    name: CalendarName,
    /// Stretches of chrono's day numbers, first and last day included, in order and apart from one another.
    dates: Box<[(i32, i32)]>,
    /// Bits 0 (Sunday) to 6.
    weekdays: u8,
    /// For every month, bits 1 to 31.
    days_of_months: [u32; 12],
    /// For every month and every place in it, [`Nth`] in its order, bits 0 (Sunday) to 6.
    nth_weekdays: [[u8; 6]; 12],
    /// A bit for every day from [`BEFORE_EASTER`] before Easter Sunday on.
    from_easter: [u64; 6],
}

/// How many days before Easter Sunday a date can be named by it; after it, at most 250.
const BEFORE_EASTER: i64 = 80;

impl NamedCalendar {
    /// Prepares `calendar`.
    #[must_use]
    pub fn new(calendar: &CalendarSpec) -> Self {
        let mut days_of_months = [0; 12];
        let (mut nth_weekdays, mut from_easter) = ([[0; 6]; 12], [0; 6]);
        for date in &calendar.yearly {
            match *date {
                YearlyDate::Day { month, day } => {
                    days_of_months[month.0.number_from_month() as usize - 1] |= 1 << day;
                }
                YearlyDate::Weekday { month, weekday: NthWeekday { nth, weekday } } => {
                    nth_weekdays[month.0.number_from_month() as usize - 1][nth as usize] |= weekday.bit();
                }
                YearlyDate::Easter(days) => {
                    if let Some((word, bit)) = easter_bit(days.into()) {
                        from_easter[word] |= bit;
                    }
                }
            }
        }
        let stretches = calendar.dates.iter().map(|dates| (number(dates.from()), number(dates.to())));
        Self {
            name: calendar.name.clone(),
            dates: joined(stretches.collect()).into(),
            weekdays: calendar.weekdays.iter().fold(0, |set, day| set | day.bit()),
            days_of_months,
            nth_weekdays,
            from_easter,
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &CalendarName {
        &self.name
    }

    /// Whether the set has `date`. It takes the same time however much the calendar names, but for single dates, whose
    /// number it halves.
    #[must_use]
    pub fn contains(&self, date: NaiveDate) -> bool {
        (self.weekdays >> date.weekday().num_days_from_sunday()) & 1 == 1
            || (self.days_of_months[date.month0() as usize] >> date.day()) & 1 == 1
            || self.lists(number(date))
            || self.is_nth_weekday(date)
            || self.is_from_easter(date)
    }

    fn lists(&self, day: i32) -> bool {
        let next = self.dates.partition_point(|(first, _)| *first <= day);
        next.checked_sub(1).is_some_and(|index| day <= self.dates[index].1)
    }

    fn is_nth_weekday(&self, date: NaiveDate) -> bool {
        let places = &self.nth_weekdays[date.month0() as usize];
        let mut weekdays = places[date.day0() as usize / 7];
        if NthWeekday::is_last(date) {
            weekdays |= places[Nth::Last as usize];
        }
        (weekdays >> date.weekday().num_days_from_sunday()) & 1 == 1
    }

    fn is_from_easter(&self, date: NaiveDate) -> bool {
        if self.from_easter == [0; 6] {
            return false;
        }
        let (month, day) = easter(date.year());
        let Some(easter) = NaiveDate::from_ymd_opt(date.year(), month, day) else { return false };
        easter_bit((date - easter).num_days()).is_some_and(|(word, bit)| self.from_easter[word] & bit != 0)
    }
}

/// Where the bit of a date is that is so many days after Easter Sunday; none if no calendar can name it.
fn easter_bit(days: i64) -> Option<(usize, u64)> {
    let place = usize::try_from(days + BEFORE_EASTER).ok().filter(|place| *place < 6 * 64)?;
    Some((place / 64, 1 << (place % 64)))
}

fn number(date: NaiveDate) -> i32 {
    date.num_days_from_ce()
}

/// The same days in order, overlapping and adjoining stretches made one.
fn joined(mut stretches: Vec<(i32, i32)>) -> Vec<(i32, i32)> {
    stretches.sort_unstable();
    let mut joined: Vec<(i32, i32)> = Vec::with_capacity(stretches.len());
    for (first, last) in stretches {
        match joined.last_mut() {
            Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
            _ => joined.push((first, last)),
        }
    }
    joined
}

/// Month and day of Easter Sunday in the Gregorian calendar, by the rule of Meeus, Jones and Butcher (J. Meeus,
/// "Astronomical Algorithms", chapter 8), whose letters these are.
fn easter(year: i32) -> (u32, u32) {
    let (a, b, c) = (year.rem_euclid(19), year.div_euclid(100), year.rem_euclid(100));
    let (d, e) = (b / 4, b % 4);
    let g = (8 * b + 13) / 25;
    let h = (19 * a + b - d - g + 15) % 30;
    let (i, k) = (c / 4, c % 4);
    let l = (32 + 2 * e + 2 * i - h - k) % 7;
    let m = (a + 11 * h + 22 * l) / 451;
    let n = h + l - 7 * m + 114;
    // Always 22 March to 25 April, so both are positive.
    ((n / 31).unsigned_abs(), (n % 31 + 1).unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn calendar(parts: &str) -> NamedCalendar {
        NamedCalendar::new(&serde_json::from_str(&format!(r#"{{"name": "a", {parts}}}"#)).unwrap())
    }

    #[test]
    fn easter_sundays_are_right() {
        for (year, month, day) in
            [(1970, 3, 29), (2000, 4, 23), (2008, 3, 23), (2011, 4, 24), (2026, 4, 5), (2027, 3, 28), (2038, 4, 25)]
        {
            assert_eq!(easter(year), (month, day), "{year}");
        }
        for year in 1583..4000 {
            let (month, day) = easter(year);
            let found = NaiveDate::from_ymd_opt(year, month, day).unwrap();
            assert_eq!(found.weekday(), chrono::Weekday::Sun, "{year}");
            assert!((3, 22) <= (month, day) && (month, day) <= (4, 25), "{year}");
        }
    }

    #[test]
    fn a_date_is_in_if_any_part_names_it() {
        let set = calendar(
            r#""dates": ["2027-06-01", {"from": "2027-12-24", "to": "2028-01-01"}], "weekdays": ["sun"],
            "yearly": ["12-25", "02-29", {"month": "nov", "weekday": "fourth thu"}, {"easter": -2}, {"easter": 39}]"#,
        );
        for inside in [
            "2027-06-01",
            "2027-12-24",
            "2027-12-31",
            "2028-01-01",
            "2027-01-03",
            "2030-12-25",
            "2028-02-29",
            "2027-11-25",
            "2027-03-26",
            "2027-05-06",
        ] {
            assert!(set.contains(date(inside)), "{inside}");
        }
        for outside in ["2027-06-02", "2027-12-23", "2028-01-03", "2027-11-18", "2027-03-25", "2027-02-26"] {
            assert!(!set.contains(date(outside)), "{outside}");
        }
    }

    #[test]
    fn nth_weekdays_and_days_from_easter_are_those_that_each_alone_names() {
        let spec: CalendarSpec = serde_json::from_str(
            r#"{"name": "a", "yearly": [{"month": 1, "weekday": "last fri"}, {"month": 1, "weekday": "fifth sun"},
            {"month": 2, "weekday": "fourth mon"}, {"month": 2, "weekday": "last mon"}, {"month": 12, "weekday": "first tue"},
            {"easter": -80}, {"easter": -16}, {"easter": 0}, {"easter": 48}, {"easter": 250}]}"#,
        )
        .unwrap();
        let set = NamedCalendar::new(&spec);
        let named = |date: NaiveDate| {
            spec.yearly.iter().any(|yearly| match *yearly {
                YearlyDate::Weekday { month, weekday } => {
                    month.0.number_from_month() == date.month() && weekday.names(date)
                }
                YearlyDate::Easter(days) => {
                    let (month, day) = easter(date.year());
                    let easter = NaiveDate::from_ymd_opt(date.year(), month, day).unwrap();
                    (date - easter).num_days() == i64::from(days)
                }
                YearlyDate::Day { .. } => false,
            })
        };
        for date in date("2020-01-01").iter_days().take(5000) {
            assert_eq!(set.contains(date), named(date), "{date}");
        }
    }

    #[test]
    fn a_long_calendar_is_no_larger_than_a_short_one() {
        let many = vec![r#"{"month": 1, "weekday": "last fri"}, {"easter": 1}"#; 1000].join(",");
        let one = r#"{"month": 1, "weekday": "last fri"}, {"easter": 1}"#;
        assert!(calendar(&format!(r#""yearly": [{many}]"#)) == calendar(&format!(r#""yearly": [{one}]"#)));
    }

    #[test]
    fn stretches_that_touch_are_one() {
        let set = calendar(
            r#""dates": [{"from": "2027-01-05", "to": "2027-01-09"}, "2027-01-10", "2027-01-07", "2027-01-01",
            {"from": "2027-01-02", "to": "2027-01-03"}]"#,
        );
        assert_eq!(set.dates.len(), 2);
        let days: Vec<u32> =
            (1..=12).filter(|day| set.contains(NaiveDate::from_ymd_opt(2027, 1, *day).unwrap())).collect();
        assert_eq!(days, [1, 2, 3, 5, 6, 7, 8, 9, 10]);
    }

    #[test]
    fn an_empty_calendar_has_no_date() {
        let set = calendar(r#""dates": []"#);
        assert!((0..800).all(|day| !set.contains(date("2027-01-01") + chrono::Days::new(day))));
    }

    #[test]
    fn calendars_are_found_by_name() {
        let spec: CalendarSpec = serde_json::from_str(r#"{"name": "a", "weekdays": ["sun"]}"#).unwrap();
        let mut all = Calendars::from_iter([&spec]);
        assert!(all.get(&spec.name).unwrap().contains(date("2027-01-03")));
        assert!(all.remove(&spec.name) && !all.remove(&spec.name) && all.names().next().is_none());
    }
}
