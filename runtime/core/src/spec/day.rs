//! Days as people name them: days of the week, months, days counted from either end of a month.

use std::fmt;
use std::str::FromStr;

use chrono::{Datelike, Days, NaiveDate};
use schemars::JsonSchema;
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The text or number names no day of the kind wanted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not {kind}: {rule}")]
pub struct InvalidDay {
    text: String,
    kind: &'static str,
    rule: &'static str,
}

/// A day of the week. Read in English, short or whole (`mon`, `Monday`); written short.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Weekday(pub chrono::Weekday);

/// A month. Read as 1 to 12 or in English, short or whole (`mar`, `March`); written short.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Month(pub chrono::Month);

/// A day of a month, counted from its beginning or its end: 1 to 31, -1 to -31, or `last`, which is -1.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct DayOfMonth(i8);

/// A day of the week by its place in a month: `first mon` to `fifth mon`, `last fri`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct NthWeekday {
    /// Which of those in the month.
    pub nth: Nth,
    /// The day of the week.
    pub weekday: Weekday,
}

/// Which of several in a month.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Nth {
    /// Days 1 to 7.
    First,
    /// Days 8 to 14.
    Second,
    /// Days 15 to 21.
    Third,
    /// Days 22 to 28.
    Fourth,
    /// Days 29 to 31; not every month has it.
    Fifth,
    /// The last seven days.
    Last,
}

const NTHS: [(Nth, &str); 6] = [
    (Nth::First, "first"),
    (Nth::Second, "second"),
    (Nth::Third, "third"),
    (Nth::Fourth, "fourth"),
    (Nth::Fifth, "fifth"),
    (Nth::Last, "last"),
];

const WEEKDAY_RULE: &str = "write mon, tue, wed, thu, fri, sat or sun";
const MONTH_RULE: &str = "write 1 to 12 or jan to dec";
const DAY_RULE: &str = "write 1 to 31, -1 to -31 from the end of the month, or last";
const NTH_RULE: &str =
    "write first, second, third, fourth, fifth or last and a day of the week, such as 'first mon' or 'last fri'";

impl Weekday {
    /// The day's bit in a set of weekdays: 1 for Sunday to 64 for Saturday.
    pub(crate) fn bit(self) -> u8 {
        1 << self.0.num_days_from_sunday()
    }
}

impl DayOfMonth {
    /// The last day of a month, whatever its length.
    pub const LAST: Self = Self(-1);

    /// From 1 to 31, or from -1 (the last) to -31.
    ///
    /// # Errors
    /// Any other number.
    pub fn new(day: i64) -> Result<Self, InvalidDay> {
        i8::try_from(day)
            .ok()
            .filter(|day| (1..=31).contains(&day.unsigned_abs()))
            .map(Self)
            .ok_or_else(|| invalid(&day.to_string(), "a day of the month", DAY_RULE))
    }

    /// 1 to 31, or -1 (the last) to -31.
    #[must_use]
    pub fn get(self) -> i8 {
        self.0
    }
}

impl NthWeekday {
    /// Whether `date` is such a day of its month.
    #[must_use]
    pub fn names(self, date: NaiveDate) -> bool {
        date.weekday() == self.weekday.0
            && match self.nth {
                Nth::Last => Self::is_last(date),
                nth => date.day0() / 7 == nth as u32,
            }
    }

    /// Whether `date` is among the last seven days of its month.
    pub(crate) fn is_last(date: NaiveDate) -> bool {
        date.checked_add_days(Days::new(7)).is_none_or(|later| later.month() != date.month())
    }
}

fn invalid(text: &str, kind: &'static str, rule: &'static str) -> InvalidDay {
    InvalidDay { text: text.chars().take(40).collect(), kind, rule }
}

impl FromStr for Weekday {
    type Err = InvalidDay;

    fn from_str(text: &str) -> Result<Self, InvalidDay> {
        text.parse().map(Self).map_err(|_| invalid(text, "a day of the week", WEEKDAY_RULE))
    }
}

impl FromStr for Month {
    type Err = InvalidDay;

    fn from_str(text: &str) -> Result<Self, InvalidDay> {
        let number = || chrono::Month::try_from(text.parse::<u8>().ok()?).ok();
        text.parse().ok().or_else(number).map(Self).ok_or_else(|| invalid(text, "a month", MONTH_RULE))
    }
}

impl FromStr for DayOfMonth {
    type Err = InvalidDay;

    fn from_str(text: &str) -> Result<Self, InvalidDay> {
        if text.eq_ignore_ascii_case("last") {
            return Ok(Self::LAST);
        }
        let day = text.parse().map_err(|_| invalid(text, "a day of the month", DAY_RULE))?;
        Self::new(day)
    }
}

impl FromStr for NthWeekday {
    type Err = InvalidDay;

    fn from_str(text: &str) -> Result<Self, InvalidDay> {
        let invalid = || invalid(text, "a day of the week in a month", NTH_RULE);
        let (nth, weekday) = text.trim().split_once(char::is_whitespace).ok_or_else(invalid)?;
        let nth = NTHS.into_iter().find(|(_, name)| name.eq_ignore_ascii_case(nth)).ok_or_else(invalid)?.0;
        Ok(Self { nth, weekday: weekday.trim().parse().map_err(|_| invalid())? })
    }
}

impl fmt::Display for Weekday {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(["mon", "tue", "wed", "thu", "fri", "sat", "sun"][self.0 as usize])
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.0.name().as_bytes();
        name[..3].iter().try_for_each(|&letter| fmt::Write::write_char(f, letter.to_ascii_lowercase().into()))
    }
}

impl fmt::Display for DayOfMonth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::LAST { f.write_str("last") } else { write!(f, "{}", self.0) }
    }
}

impl fmt::Display for Nth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NTHS[*self as usize].1)
    }
}

impl fmt::Display for NthWeekday {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.nth, self.weekday)
    }
}

/// Reads a text, or a whole number as the text of that number.
struct Word<T>(std::marker::PhantomData<T>, &'static str);

impl<T: FromStr<Err = InvalidDay>> Visitor<'_> for Word<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.1)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        text.trim().parse().map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
        number.to_string().parse().map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<T, E> {
        number.to_string().parse().map_err(E::custom)
    }
}

macro_rules! word_serde {
    ($name:ident, $expected:literal, $schema:tt) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        word_serde!(read $name, $expected, $schema);
    };
    (read $name:ident, $expected:literal, $schema:tt) => {
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(Word(std::marker::PhantomData, $expected))
            }
        }
        impl JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!($schema)
            }
        }
    };
}
word_serde!(Weekday, "a day of the week", {
    "type": "string",
    "pattern": "^(?i)(mon(day)?|tue(sday)?|wed(nesday)?|thu(rsday)?|fri(day)?|sat(urday)?|sun(day)?)$"
});
word_serde!(Month, "a month", { "anyOf": [{ "type": "integer", "minimum": 1, "maximum": 12 }, { "type": "string" }] });
word_serde!(NthWeekday, "a day of the week in a month", { "type": "string", "examples": ["first mon", "last fri"] });
word_serde!(read DayOfMonth, "a day of the month", {
    "anyOf": [
        { "type": "integer", "minimum": 1, "maximum": 31 },
        { "type": "integer", "minimum": -31, "maximum": -1 },
        { "const": "last" }
    ]
});

impl Serialize for DayOfMonth {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if *self == Self::LAST { serializer.serialize_str("last") } else { serializer.serialize_i8(self.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: for<'de> Deserialize<'de>>(json: &str) -> Result<T, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn days_read_and_write() {
        for (text, shown) in [("\"Monday\"", "mon"), ("\"sun\"", "sun"), ("\"THU\"", "thu")] {
            assert_eq!(read::<Weekday>(text).unwrap().to_string(), shown);
        }
        for (text, shown) in [("3", "mar"), ("\"december\"", "dec"), ("\"Jan\"", "jan")] {
            assert_eq!(read::<Month>(text).unwrap().to_string(), shown);
        }
        for (text, written) in [("1", "1"), ("\"last\"", "\"last\""), ("-1", "\"last\""), ("-31", "-31")] {
            assert_eq!(serde_json::to_string(&read::<DayOfMonth>(text).unwrap()).unwrap(), written);
        }
        assert_eq!(read::<NthWeekday>("\"Fourth thursday\"").unwrap().to_string(), "fourth thu");
    }

    #[test]
    fn what_is_no_day_is_refused_with_the_rule() {
        assert!(read::<Weekday>("\"noday\"").unwrap_err().contains("write mon, tue"));
        assert!(read::<Weekday>("1").unwrap_err().contains("'1' is not a day of the week"));
        assert!(read::<Month>("13").unwrap_err().contains("write 1 to 12"));
        assert!(read::<DayOfMonth>("0").unwrap_err().contains("write 1 to 31"));
        assert!(read::<DayOfMonth>("-128").unwrap_err().contains("write 1 to 31"));
        assert!(read::<NthWeekday>("\"sixth mon\"").unwrap_err().contains("such as 'first mon'"));
        assert!(read::<NthWeekday>("\"mon\"").is_err());
    }

    #[test]
    fn places_in_a_month_are_counted() {
        let date = |day| NaiveDate::from_ymd_opt(2027, 11, day).unwrap();
        let nth = |text: &str| text.parse::<NthWeekday>().unwrap();
        assert!(nth("fourth thu").names(date(25)) && nth("last thu").names(date(25)));
        assert!(!nth("last mon").names(date(22)) && nth("fifth mon").names(date(29)));
        assert!(nth("first mon").names(date(1)) && nth("second mon").names(date(8)));
    }
}
