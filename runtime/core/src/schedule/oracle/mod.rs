//! The fires against an oracle that looks at every minute, asks chrono for local times, and shares no code with them.

mod properties;

use std::collections::BTreeSet;

use chrono::offset::LocalResult;
use chrono::{DateTime, Datelike, Duration, NaiveDate, NaiveDateTime, Offset, TimeZone, Timelike, Utc};
use proptest::collection::vec;
use proptest::prelude::*;

use super::fires::ClockRules;
use super::*;
use crate::spec::{Fold, Gap};

/// One field as text, and the values it stands for.
#[derive(Clone, Debug)]
struct Field {
    text: String,
    values: BTreeSet<u32>,
    counted: Vec<Counted>,
}

/// A day that only its month can tell.
#[derive(Clone, Debug)]
enum Counted {
    /// So many days before the last of the month.
    BeforeLast(i64),
    /// The day from Monday to Friday nearest to this one.
    NearestWorkday(u32),
    /// The last day from Monday to Friday.
    LastWorkday,
    /// The n-th of this weekday, Sunday as 0.
    Nth(u32, u32),
    /// The last of this weekday.
    Last(u32),
}

impl Counted {
    fn names(&self, date: NaiveDate) -> bool {
        let month: Vec<NaiveDate> =
            date.with_day(1).unwrap().iter_days().take_while(|day| day.month() == date.month()).collect();
        let weekday = |day: &NaiveDate| day.weekday().num_days_from_sunday();
        let workday = |day: &NaiveDate| (1..=5).contains(&weekday(day));
        let found = match self {
            Self::BeforeLast(days) => Some(*month.last().unwrap() - Duration::days(*days)),
            Self::LastWorkday => month.into_iter().rfind(workday),
            Self::NearestWorkday(wanted) => {
                let Some(wanted) = date.with_day(*wanted) else { return false };
                // Of two that are equally near there is none: a weekend has two days.
                month.into_iter().filter(workday).min_by_key(|day| (*day - wanted).num_days().abs())
            }
            Self::Nth(nth, wanted) => month.into_iter().filter(|day| weekday(day) == *wanted).nth(*nth as usize - 1),
            Self::Last(wanted) => month.into_iter().rfind(|day| weekday(day) == *wanted),
        };
        found == Some(date)
    }
}

fn counted_day() -> impl Strategy<Value = Field> {
    prop_oneof![
        Just(("L".to_owned(), Counted::BeforeLast(0))),
        (0..=30_i64).prop_map(|days| (format!("L-{days}"), Counted::BeforeLast(days))),
        (1..=31_u32).prop_map(|day| (format!("{day}W"), Counted::NearestWorkday(day))),
        Just(("LW".to_owned(), Counted::LastWorkday)),
    ]
    .prop_map(counted)
}

fn counted_weekday() -> impl Strategy<Value = Field> {
    prop_oneof![
        (1..=5_u32, 0..=7_u32).prop_map(|(nth, day)| (format!("{day}#{nth}"), Counted::Nth(nth, day % 7))),
        (0..=7_u32).prop_map(|day| (format!("{day}L"), Counted::Last(day % 7))),
    ]
    .prop_map(counted)
}

fn counted((text, day): (String, Counted)) -> Field {
    Field { text, values: BTreeSet::new(), counted: vec![day] }
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
    .prop_map(|(text, values): (String, Vec<u32>)| Field { text, values: values.into_iter().collect(), counted: Vec::new() })
}

fn field(min: u32, max: u32, stars: u32) -> BoxedStrategy<Field> {
    field_of(min, max, stars, item(min, max))
}

fn field_of(min: u32, max: u32, stars: u32, items: impl Strategy<Value = Field> + 'static) -> BoxedStrategy<Field> {
    let plain = |text, values| Field { text, values, counted: Vec::new() };
    prop_oneof![
        stars => Just(plain("*".to_owned(), (min..=max).collect())),
        1 => (1..=7_u32).prop_map(move |step| {
            plain(format!("*/{step}"), (min..=max).filter(|value| (value - min).is_multiple_of(step)).collect())
        }),
        4 => vec(items, 1..4).prop_map(|items| Field {
            text: items.iter().map(|item| item.text.clone()).collect::<Vec<_>>().join(","),
            values: items.iter().flat_map(|item| item.values.clone()).collect(),
            counted: items.into_iter().flat_map(|item| item.counted).collect(),
        }),
    ]
    .boxed()
}

/// Mostly expressions that name many days, as few changes of the clock are near any given one.
fn expression() -> impl Strategy<Value = Expression> {
    let month_day = field_of(1, 31, 12, prop_oneof![2 => item(1, 31), 1 => counted_day()]);
    let weekday = field_of(0, 6, 12, prop_oneof![2 => item(0, 6), 1 => counted_weekday()]);
    (field(0, 59, 1), field(0, 23, 2), month_day, field(1, 12, 40), weekday)
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
        let named = |field: usize, value: u32| {
            let field: &Field = &self.fields[field];
            field.values.contains(&value) || field.counted.iter().any(|counted| counted.names(date))
        };
        let by_day = named(2, date.day());
        let by_weekday = named(4, date.weekday().num_days_from_sunday());
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
    fn fires(&self, rules: ClockRules, zone: Tz, from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<DateTime<Utc>> {
        if self.starred(0) || self.starred(1) {
            return minutes(from.naive_utc(), to.naive_utc())
                .map(|at| at.and_utc())
                .filter(|at| self.names(at.with_timezone(&zone).naive_local()))
                .collect();
        }
        fires_of(|local| self.names(local), rules, zone, from, to)
    }
}

fn minutes(from: NaiveDateTime, to: NaiveDateTime) -> impl Iterator<Item = NaiveDateTime> {
    std::iter::successors(Some(from), |at| Some(*at + Duration::minutes(1))).take_while(move |at| *at < to)
}

/// The fires of fixed local times from `from` to before `to`.
fn fires_of(
    names: impl Fn(NaiveDateTime) -> bool,
    rules: ClockRules,
    zone: Tz,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Vec<DateTime<Utc>> {
    let margin = Duration::days(3);
    let named = minutes(from.naive_utc() - margin, to.naive_utc() + margin).filter(|local| names(*local));
    let fires: BTreeSet<DateTime<Utc>> = named.flat_map(|local| fixed(local, rules, zone)).collect();
    fires.range(from..to).copied().collect()
}

/// The instants of a fixed local time. In a gap, it is by the offset that the last local time before the gap had, or the
/// first local time after it.
fn fixed(local: NaiveDateTime, rules: ClockRules, zone: Tz) -> Vec<DateTime<Utc>> {
    match (zone.from_local_datetime(&local), rules.gap) {
        (LocalResult::Single(at), _) => vec![at.to_utc()],
        (LocalResult::Ambiguous(first, last), _) => match rules.fold {
            Fold::First => vec![first.to_utc()],
            Fold::Last => vec![last.to_utc()],
            Fold::Both => vec![first.to_utc(), last.to_utc()],
        },
        (LocalResult::None, Gap::Skip) => Vec::new(),
        (LocalResult::None, Gap::End) => {
            let mut after = local;
            while zone.from_local_datetime(&after) == LocalResult::None {
                after += Duration::minutes(1);
            }
            vec![zone.from_local_datetime(&after).earliest().unwrap().to_utc()]
        }
        (LocalResult::None, Gap::Shift) => {
            let mut before = local;
            while zone.from_local_datetime(&before) == LocalResult::None {
                before -= Duration::minutes(1);
            }
            let at = zone.from_local_datetime(&before).latest().unwrap();
            vec![(local - Duration::seconds(i64::from(at.offset().fix().local_minus_utc()))).and_utc()]
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

fn rules() -> impl Strategy<Value = ClockRules> {
    let gaps = prop::sample::select(vec![Gap::Shift, Gap::End, Gap::Skip]);
    let folds = prop::sample::select(vec![Fold::First, Fold::Last, Fold::Both]);
    (gaps, folds).prop_map(|(gap, fold)| ClockRules { gap, fold })
}

const SHIFT_FIRST: ClockRules = ClockRules { gap: Gap::Shift, fold: Fold::First };

fn schedule(kind: TriggerKind, rules: ClockRules, zone: Tz) -> Schedule {
    let trigger = Trigger { gap: rules.gap, fold: rules.fold, ..kind.into() };
    Schedule::new(&trigger, &Planning { zone, since: Timestamp::EPOCH, seed: 0, calendars: Calendars::NONE })
}

fn cron(expression: &str, rules: ClockRules, zone: Tz) -> Option<Schedule> {
    Some(schedule(TriggerKind::Cron(expression.parse().ok()?), rules, zone))
}

/// The fires from `from` to before `to`, one after another.
fn all_fires(schedule: &Schedule, from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<DateTime<Utc>> {
    let before = Timestamp::from_micros(Timestamp::from(from).as_micros() - 1);
    let fires = std::iter::successors(schedule.next_after(before), |at| schedule.next_after(*at));
    fires.map(Timestamp::to_chrono).take_while(|fire| *fire < to).collect()
}

/// A trigger by the calendar as JSON, with what tells whether it names a local time.
#[derive(Clone)]
struct ByCalendar {
    kind: serde_json::Value,
    days: Vec<Counted>,
    plain: BTreeSet<u32>,
    weekdays: Option<BTreeSet<u32>>,
    months: Option<u32>,
    times: BTreeSet<u32>,
}

impl std::fmt::Debug for ByCalendar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.kind)
    }
}

impl ByCalendar {
    fn names(&self, local: NaiveDateTime) -> bool {
        let date = local.date();
        let weekday = date.weekday().num_days_from_sunday();
        let any_day = self.days.is_empty() && self.plain.is_empty();
        self.times.contains(&(local.hour() * 60 + local.minute()))
            && local.second() == 0
            && self.months.is_none_or(|month| month == date.month())
            && self.weekdays.as_ref().is_none_or(|days| days.contains(&weekday))
            && (any_day || self.plain.contains(&date.day()) || self.days.iter().any(|day| day.names(date)))
    }
}

/// Daily, weekly, monthly by day or weekday, or yearly.
fn by_calendar() -> impl Strategy<Value = ByCalendar> {
    const NAMES: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
    const NTHS: [&str; 5] = ["first", "second", "third", "fourth", "fifth"];
    // Around the small hours, when clocks change.
    let times = vec(prop_oneof![3 => 0..240_u32, 1 => 0..1440_u32], 1..4);
    let days = vec(prop_oneof![1..=31_i64, -31..=-1_i64], 1..12);
    let nths = vec((1..=6_u32, 0..=6_u32), 1..8);
    (0..4_usize, times, prop::collection::btree_set(0..=6_u32, 1..6), days, nths, any::<bool>(), 1..=12_u32).prop_map(
        |(kind, times, weekdays, days, nths, by_day, month)| {
            let at: Vec<String> = times.iter().map(|time| format!("{:02}:{:02}", time / 60, time % 60)).collect();
            let mut trigger = ByCalendar {
                kind: serde_json::Value::Null,
                days: Vec::new(),
                plain: BTreeSet::new(),
                weekdays: None,
                months: None,
                times: times.into_iter().collect(),
            };
            let names: Vec<&str> = weekdays.iter().map(|day| NAMES[*day as usize]).collect();
            let mut fields = serde_json::json!({ "at": at });
            if kind >= 2 && by_day {
                fields["day"] = serde_json::json!(days);
                trigger.plain = days.iter().filter_map(|day| u32::try_from(*day).ok()).collect();
                trigger.days = days.iter().filter(|day| **day < 0).map(|day| Counted::BeforeLast(-1 - day)).collect();
            } else if kind >= 2 {
                let name = |(nth, day): &(u32, u32)| {
                    format!("{} {}", NTHS.get(*nth as usize - 1).unwrap_or(&"last"), NAMES[*day as usize])
                };
                fields["weekday"] = nths.iter().map(name).collect::<Vec<_>>().into();
                let counted = |(nth, day)| if nth == 6 { Counted::Last(day) } else { Counted::Nth(nth, day) };
                trigger.days = nths.into_iter().map(counted).collect();
            }
            trigger.kind = match kind {
                0 => serde_json::json!({ "daily": at }),
                1 => {
                    trigger.weekdays = Some(weekdays);
                    serde_json::json!({ "weekly": { "days": names, "at": at } })
                }
                2 => serde_json::json!({ "monthly": fields }),
                _ => {
                    trigger.months = Some(month);
                    fields["month"] = month.into();
                    serde_json::json!({ "yearly": fields })
                }
            };
            trigger
        },
    )
}

/// Any kind of trigger with any modifiers, as JSON; not all of them make sense.
fn modified() -> impl Strategy<Value = serde_json::Value> {
    let kind = prop_oneof![
        2 => by_calendar().prop_map(|trigger| trigger.kind),
        2 => expression().prop_map(|expression| serde_json::json!({ "cron": expression.text() })),
        1 => expression().prop_map(|expression| {
            serde_json::json!({ "cron": format!("5/20 {}", expression.text()), "seconds": true })
        }),
        1 => (60..100_000_u32).prop_map(|secs| serde_json::json!({ "every": secs })),
    ];
    let calendars = prop::sample::select(vec![
        serde_json::json!({}),
        serde_json::json!({ "exclude": ["weekend"] }),
        serde_json::json!({ "exclude": ["weekend"], "shift": "next" }),
        serde_json::json!({ "exclude": ["weekend", "firsts"], "shift": "previous" }),
        serde_json::json!({ "include": ["firsts"] }),
    ]);
    let jitter = prop_oneof![Just(0_u32), 1..7200_u32];
    let clocks =
        (prop::sample::select(vec!["shift", "end", "skip"]), prop::sample::select(vec!["first", "last", "both"]));
    (kind, clocks, calendars, jitter).prop_map(|(mut trigger, (gap, fold), calendars, jitter)| {
        let every = trigger.get("every").is_some();
        if !every {
            trigger["gap"] = gap.into();
            trigger["fold"] = fold.into();
        }
        if !every || calendars.get("shift").is_none() {
            trigger["calendars"] = calendars;
        }
        if jitter > 0 {
            trigger["jitter"] = jitter.into();
        }
        trigger
    })
}

fn calendars() -> Calendars {
    let specs: Vec<crate::spec::CalendarSpec> = [
        r#"{"name": "weekend", "weekdays": ["sat", "sun"]}"#,
        r#"{"name": "firsts", "yearly": ["01-01", "04-01", "10-01", "11-01"], "weekdays": ["mon"]}"#,
    ]
    .map(|json| serde_json::from_str(json).unwrap())
    .into();
    specs.iter().collect()
}
