//! The fires against an oracle that looks at every minute, asks chrono for local times, and shares no code with them.

use std::collections::BTreeSet;

use chrono::offset::LocalResult;
use chrono::{DateTime, Datelike, Duration, NaiveDate, NaiveDateTime, Offset, TimeZone, Timelike, Utc};
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// One field as text, and the values it stands for.
#[derive(Clone, Debug)]
struct Field {
    text: String,
    values: BTreeSet<u32>,
}

#[derive(Clone, Debug)]
struct Expression {
    /// Minute, hour, day of month, month, day of week with Sunday as 0.
    fields: [Field; 5],
}

fn item(min: u32, max: u32) -> impl Strategy<Value = Field> {
    let value = min..=max;
    prop_oneof![
        3 => value.clone().prop_map(|value| (value.to_string(), vec![value])),
        1 => (value.clone(), value.clone()).prop_map(|(one, other)| {
            let (first, last) = (one.min(other), one.max(other));
            (format!("{first}-{last}"), (first..=last).collect())
        }),
        1 => (value.clone(), value.clone(), 1..=12_u32).prop_map(|(one, other, step)| {
            let (first, last, step) = (one.min(other), one.max(other), step.min(7));
            (format!("{first}-{last}/{step}"), (first..=last).filter(|value| (value - first).is_multiple_of(step)).collect())
        }),
        1 => (value, 1..=7_u32).prop_map(move |(first, step)| {
            (format!("{first}/{step}"), (first..=max).filter(|value| (value - first).is_multiple_of(step)).collect())
        }),
    ]
    .prop_map(|(text, values): (String, Vec<u32>)| Field { text, values: values.into_iter().collect() })
}

fn field(min: u32, max: u32, stars: u32) -> impl Strategy<Value = Field> {
    prop_oneof![
        stars => Just(Field { text: "*".to_owned(), values: (min..=max).collect() }),
        1 => (1..=7_u32).prop_map(move |step| Field {
            text: format!("*/{step}"),
            values: (min..=max).filter(|value| (value - min).is_multiple_of(step)).collect(),
        }),
        4 => vec(item(min, max), 1..4).prop_map(|items| Field {
            text: items.iter().map(|item| item.text.clone()).collect::<Vec<_>>().join(","),
            values: items.into_iter().flat_map(|item| item.values).collect(),
        }),
    ]
}

/// Mostly expressions that name many days, as few changes of the clock are near any given one.
fn expression() -> impl Strategy<Value = Expression> {
    (field(0, 59, 1), field(0, 23, 2), field(1, 31, 12), field(1, 12, 40), field(0, 6, 12))
        .prop_map(|(minute, hour, day, month, weekday)| Expression { fields: [minute, hour, day, month, weekday] })
}

impl Expression {
    fn text(&self) -> String {
        self.fields.each_ref().map(|field| field.text.as_str()).join(" ")
    }

    fn starred(&self, field: usize) -> bool {
        self.fields[field].text.starts_with('*')
    }

    fn names_day(&self, date: NaiveDate) -> bool {
        let by_day = self.fields[2].values.contains(&date.day());
        let by_weekday = self.fields[4].values.contains(&date.weekday().num_days_from_sunday());
        let either = !self.starred(2) && !self.starred(4);
        self.fields[3].values.contains(&date.month())
            && if either { by_day || by_weekday } else { by_day && by_weekday }
    }

    fn names(&self, local: NaiveDateTime) -> bool {
        self.fields[0].values.contains(&local.minute())
            && self.fields[1].values.contains(&local.hour())
            && self.names_day(local.date())
    }

    /// All fires from `from` to before `to`, by looking at each minute.
    fn fires(&self, zone: Tz, from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<DateTime<Utc>> {
        let minutes = |from: NaiveDateTime, to: NaiveDateTime| {
            std::iter::successors(Some(from), |at| Some(*at + Duration::minutes(1))).take_while(move |at| *at < to)
        };
        let fires: BTreeSet<DateTime<Utc>> = if self.starred(0) || self.starred(1) {
            minutes(from.naive_utc(), to.naive_utc())
                .map(|at| at.and_utc())
                .filter(|at| self.names(at.with_timezone(&zone).naive_local()))
                .collect()
        } else {
            let margin = Duration::days(3);
            minutes(from.naive_utc() - margin, to.naive_utc() + margin)
                .filter(|local| self.names(*local))
                .map(|local| fixed(local, zone))
                .filter(|at| (from..to).contains(at))
                .collect()
        };
        fires.into_iter().collect()
    }
}

/// The one instant of a fixed local time: the first, or by the offset that the last local time before the gap had.
fn fixed(local: NaiveDateTime, zone: Tz) -> DateTime<Utc> {
    let mut before = local;
    loop {
        match zone.from_local_datetime(&before) {
            LocalResult::Single(at) | LocalResult::Ambiguous(at, _) if before == local => return at.to_utc(),
            LocalResult::Single(at) | LocalResult::Ambiguous(_, at) => {
                return (local - Duration::seconds(i64::from(at.offset().fix().local_minus_utc()))).and_utc();
            }
            LocalResult::None => before -= Duration::minutes(1),
        }
    }
}

const ZONES: [&str; 22] = [
    "UTC",
    "Europe/Berlin",
    "Europe/Dublin",
    "Europe/London",
    "America/New_York",
    "America/Sao_Paulo",
    "America/St_Johns",
    "America/Havana",
    "America/Santiago",
    "America/Nuuk",
    "America/Caracas",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Pacific/Chatham",
    "Pacific/Kwajalein",
    "Africa/Casablanca",
    "Africa/Cairo",
    "Asia/Kathmandu",
    "Asia/Tehran",
    "Asia/Gaza",
    "Asia/Pyongyang",
    "Antarctica/Troll",
];

/// A zone, and an instant a day or so before one of the changes of its clocks, if it has any.
fn place() -> impl Strategy<Value = (Tz, DateTime<Utc>)> {
    (prop::sample::select(ZONES.to_vec()), 1973..2099_i32, 0..8784_i64, 0..36 * 60_i64).prop_map(
        |(zone, year, hours, before)| {
            let zone: Tz = zone.parse().expect("the table has IANA names");
            let hour = |at: i64| {
                let start = NaiveDate::from_ymd_opt(year, 1, 1).and_then(|day| day.and_hms_opt(0, 0, 0));
                (start.expect("the year is in range") + Duration::hours(at)).and_utc()
            };
            let offset = |at: i64| hour(at).with_timezone(&zone).offset().fix();
            let change = (hours..hours + 8784).find(|at| offset(*at) != offset(*at + 1)).unwrap_or(hours);
            (zone, hour(change) - Duration::minutes(before))
        },
    )
}

fn schedule(expression: &str, zone: Tz) -> Option<Schedule> {
    let expression = expression.parse::<CronExpression>().ok()?;
    let planning = Planning { zone, since: Timestamp::EPOCH, seed: 0, calendars: Calendars::NONE };
    Some(Schedule::new(&TriggerKind::Cron(expression).into(), &planning))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn fires_are_those_of_the_oracle(expression in expression(), (zone, from) in place()) {
        let Some(schedule) = schedule(&expression.text(), zone) else { return Ok(()) };
        let to = from + Duration::hours(60);
        let mut fires = Vec::new();
        let mut at = Timestamp::from_micros(Timestamp::from(from).as_micros() - 1);
        while let Some(fire) = schedule.next_after(at).filter(|fire| *fire < to.into()) {
            prop_assert!(fire > at);
            fires.push(fire.to_chrono());
            at = fire;
        }
        let oracle = expression.fires(zone, from, to);
        prop_assert_eq!(fires, oracle, "'{}' in {} from {}", expression.text(), zone, from);
    }

    #[test]
    fn any_instant_leads_to_the_next_fire(expression in expression(), (zone, from) in place(), at in 0..60 * 3600_i64) {
        let Some(schedule) = schedule(&expression.text(), zone) else { return Ok(()) };
        let at = from + Duration::seconds(at);
        let to = at + Duration::hours(30);
        let fire = schedule.next_after(at.into()).map(Timestamp::to_chrono).filter(|fire| *fire < to);
        prop_assert_eq!(fire, expression.fires(zone, from, to).into_iter().find(|fire| *fire > at));
    }

    #[test]
    fn rare_days_are_found(
        day in item(1, 31), month in item(1, 12), weekday in field(0, 6, 1), since in 0..40_000_u64,
    ) {
        let star = Field { text: "0".to_owned(), values: BTreeSet::from([0]) };
        let expression = Expression { fields: [star.clone(), star, day, month, weekday] };
        let from = NaiveDate::from_ymd_opt(1970, 1, 1).unwrap() + chrono::Days::new(since);
        let last = NaiveDate::from_ymd_opt(2099, 12, 31).unwrap();
        let oracle = from.iter_days().skip(1).take_while(|day| *day <= last).find(|day| expression.names_day(*day));
        match schedule(&expression.text(), Tz::UTC) {
            Some(schedule) => {
                let fire = schedule.next_after(from.and_time(chrono::NaiveTime::MIN).and_utc().into());
                prop_assert_eq!(fire.map(|fire| fire.to_chrono().date_naive()), oracle);
            }
            None => prop_assert_eq!(oracle, None, "'{}' fires after all", expression.text()),
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,40}|[0-9*?/,LWH#a-z @-]{0,60}|([0-9*/,-]{1,5} ){4,6}[a-z0-9*]{0,4}") {
        match text.parse::<CronExpression>() {
            Ok(expression) => prop_assert_eq!(expression.to_string(), text),
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }

    #[test]
    fn any_instant_may_be_asked(expression in expression(), at: i64, (zone, _) in place()) {
        if let Some(schedule) = schedule(&expression.text(), zone) {
            let at = Timestamp::from_micros(at);
            prop_assert!(schedule.next_after(at).is_none_or(|fire| fire > at));
        }
    }
}
