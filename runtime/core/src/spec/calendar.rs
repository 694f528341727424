//! Named calendars as they are written: sets of dates, such as a country's holidays.

use std::fmt;

use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::day::{Month, NthWeekday, Weekday};
use crate::id::CalendarName;

/// A named set of dates: local dates in the zone of whichever trigger uses it. A date is in it if any of its parts names
/// it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CalendarSpec {
    /// The calendar's name, unique in its namespace.
    pub name: CalendarName,
    /// What the dates are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Single dates and stretches of dates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dates: Vec<Dates>,
    /// Days of every week.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub weekdays: Vec<Weekday>,
    /// Dates of every year.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub yearly: Vec<YearlyDate>,
}

/// A date, written `2027-01-01`, or the dates from one to another, both included: `{from: 2027-12-24, to: 2028-01-01}`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Dates {
    from: NaiveDate,
    to: NaiveDate,
}

/// A date that comes every year.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum YearlyDate {
    /// `12-25` or `{month: dec, day: 25}`. 29 February comes in leap years.
    Day {
        /// The month.
        month: Month,
        /// 1 to the length of the month in a leap year.
        day: u8,
    },
    /// `{month: nov, weekday: "fourth thu"}`.
    Weekday {
        /// The month.
        month: Month,
        /// Which day of the week.
        weekday: NthWeekday,
    },
    /// `{easter: -2}`: as many days after Easter Sunday of the Western churches; -80 to 250.
    Easter(i16),
}

/// The value is no date of a calendar.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCalendar {
    /// The text is no date.
    #[error("'{0}' is not a date: write year, month and day, such as 2027-01-01")]
    Date(String),
    /// A stretch that ends before it begins.
    #[error("the dates end before they begin: {from} is after {to}; exchange 'from' and 'to'")]
    Backwards {
        /// Where it begins.
        from: NaiveDate,
        /// Where it ends.
        to: NaiveDate,
    },
    /// The text is no day of a year.
    #[error("'{0}' is not a day of a year: write month and day, such as 12-25")]
    DayOfYear(String),
    /// The month never has such a day.
    #[error("{month} never has a day {day}")]
    NoSuchDay {
        /// The month.
        month: Month,
        /// The day.
        day: u64,
    },
    /// Not exactly one form of a yearly date.
    #[error("a yearly date is '12-25', {{month, day}}, {{month, weekday}} or {{easter}}; this one has {found}")]
    Yearly {
        /// The keys that were there.
        found: String,
    },
    /// So far from Easter that it would lie in another year.
    #[error("{0} days from Easter may lie in another year: write -80 to 250")]
    Easter(i64),
}

impl Dates {
    /// One date.
    #[must_use]
    pub fn on(date: NaiveDate) -> Self {
        Self { from: date, to: date }
    }

    /// The dates from `from` to `to`, both included.
    ///
    /// # Errors
    /// `to` is before `from`.
    pub fn between(from: NaiveDate, to: NaiveDate) -> Result<Self, InvalidCalendar> {
        if from <= to { Ok(Self { from, to }) } else { Err(InvalidCalendar::Backwards { from, to }) }
    }

    /// The first date.
    #[must_use]
    pub fn from(self) -> NaiveDate {
        self.from
    }

    /// The last date.
    #[must_use]
    pub fn to(self) -> NaiveDate {
        self.to
    }
}

fn read_date(text: &str) -> Result<NaiveDate, InvalidCalendar> {
    let bytes = text.as_bytes();
    // The parser alone would also take years of five digits and blanks.
    let plain = bytes.len() == 10 && bytes.iter().all(|byte| byte.is_ascii_digit() || *byte == b'-');
    let date = plain.then(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()).flatten();
    date.ok_or_else(|| InvalidCalendar::Date(text.chars().take(40).collect()))
}

impl YearlyDate {
    /// A day of a month.
    ///
    /// # Errors
    /// The month has no such day in any year.
    pub fn day(month: Month, day: u64) -> Result<Self, InvalidCalendar> {
        let longest = match month.0 {
            chrono::Month::February => 29,
            chrono::Month::April | chrono::Month::June | chrono::Month::September | chrono::Month::November => 30,
            _ => 31,
        };
        match u8::try_from(day) {
            Ok(day) if (1..=longest).contains(&day) => Ok(Self::Day { month, day }),
            _ => Err(InvalidCalendar::NoSuchDay { month, day }),
        }
    }

    fn read(text: &str) -> Result<Self, InvalidCalendar> {
        let invalid = || InvalidCalendar::DayOfYear(text.chars().take(40).collect());
        let (month, day) = text.trim().split_once('-').ok_or_else(invalid)?;
        Self::day(month.parse().map_err(|_| invalid())?, day.parse().map_err(|_| invalid())?)
    }
}

impl TryFrom<YearlyFields> for YearlyDate {
    type Error = InvalidCalendar;

    fn try_from(fields: YearlyFields) -> Result<Self, InvalidCalendar> {
        match fields {
            YearlyFields { month: Some(month), day: Some(day), weekday: None, easter: None } => Self::day(month, day),
            YearlyFields { month: Some(month), day: None, weekday: Some(weekday), easter: None } => {
                Ok(Self::Weekday { month, weekday })
            }
            YearlyFields { month: None, day: None, weekday: None, easter: Some(days) } => i16::try_from(days)
                .ok()
                .filter(|days| (-80..=250).contains(days))
                .map(Self::Easter)
                .ok_or(InvalidCalendar::Easter(days)),
            YearlyFields { month, day, weekday, easter } => {
                let keys = [
                    ("month", month.is_some()),
                    ("day", day.is_some()),
                    ("weekday", weekday.is_some()),
                    ("easter", easter.is_some()),
                ];
                let present: Vec<&str> = keys.into_iter().filter(|(_, is)| *is).map(|(key, _)| key).collect();
                let found = if present.is_empty() { "none of these keys".to_owned() } else { present.join(" and ") };
                Err(InvalidCalendar::Yearly { found })
            }
        }
    }
}

/// The keys of a yearly date that is written as a map.
#[derive(Deserialize, Serialize, JsonSchema, Default)]
#[serde(deny_unknown_fields)]
struct YearlyFields {
    /// 1 to 12, or a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    month: Option<Month>,
    /// A day of that month.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    day: Option<u64>,
    /// A day of the week in that month.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    weekday: Option<NthWeekday>,
    /// Days after Easter Sunday.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    easter: Option<i64>,
}

/// The keys of a stretch of dates.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Stretch {
    from: String,
    to: String,
}

impl Serialize for Dates {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.from == self.to {
            return serializer.collect_str(&self.from);
        }
        Stretch { from: self.from.to_string(), to: self.to.to_string() }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Dates {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct DatesVisitor;
        impl<'de> Visitor<'de> for DatesVisitor {
            type Value = Dates;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a date such as 2027-01-01, or a map of 'from' and 'to'")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Dates, E> {
                read_date(text).map(Dates::on).map_err(E::custom)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Dates, A::Error> {
                let stretch = Stretch::deserialize(de::value::MapAccessDeserializer::new(map))?;
                let read = |text: &str| read_date(text).map_err(de::Error::custom);
                Dates::between(read(&stretch.from)?, read(&stretch.to)?).map_err(de::Error::custom)
            }
        }
        deserializer.deserialize_any(DatesVisitor)
    }
}

impl Serialize for YearlyDate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fields = match *self {
            Self::Day { month, day } => {
                return serializer.collect_str(&format_args!("{:02}-{day:02}", month.0.number_from_month()));
            }
            Self::Weekday { month, weekday } => {
                YearlyFields { month: Some(month), weekday: Some(weekday), ..YearlyFields::default() }
            }
            Self::Easter(days) => YearlyFields { easter: Some(days.into()), ..YearlyFields::default() },
        };
        fields.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for YearlyDate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct YearlyVisitor;
        impl<'de> Visitor<'de> for YearlyVisitor {
            type Value = YearlyDate;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("month and day such as 12-25, or a map of 'month' and 'day' or 'weekday', or of 'easter'")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<YearlyDate, E> {
                YearlyDate::read(text).map_err(E::custom)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<YearlyDate, A::Error> {
                let fields = YearlyFields::deserialize(de::value::MapAccessDeserializer::new(map))?;
                fields.try_into().map_err(de::Error::custom)
            }
        }
        deserializer.deserialize_any(YearlyVisitor)
    }
}

impl JsonSchema for Dates {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Dates".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "anyOf": [
            { "type": "string", "format": "date" },
            {
                "type": "object",
                "properties": { "from": { "type": "string", "format": "date" }, "to": { "type": "string", "format": "date" } },
                "required": ["from", "to"],
                "additionalProperties": false
            }
        ] })
    }
}

impl JsonSchema for YearlyDate {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "YearlyDate".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let fields = generator.subschema_for::<YearlyFields>();
        schemars::json_schema!({ "anyOf": [{ "type": "string", "examples": ["12-25"] }, fields] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calendars_read_and_write() {
        let text = r#"{"name": "de", "dates": ["2027-01-01", {"from": "2027-12-24", "to": "2028-01-01"}],
            "weekdays": ["Saturday", "sun"], "yearly": ["12-25", {"month": 5, "day": 1},
            {"month": "nov", "weekday": "fourth thu"}, {"easter": -2}]}"#;
        let calendar: CalendarSpec = serde_json::from_str(text).unwrap();
        let written = serde_json::to_value(&calendar).unwrap();
        assert_eq!(written["yearly"][1], "05-01");
        assert_eq!(written["weekdays"][0], "sat");
        assert_eq!(serde_json::from_value::<CalendarSpec>(written).unwrap(), calendar);
    }

    #[test]
    fn faults_say_what_is_wrong() {
        for (part, complaint) in [
            (r#""dates": ["2027-02-30"]"#, "'2027-02-30' is not a date"),
            (r#""dates": ["27-2-3"]"#, "is not a date"),
            (r#""dates": [{"from": "2027-02-03", "to": "2027-02-01"}]"#, "exchange 'from' and 'to'"),
            (r#""dates": [{"from": "2027-02-03"}]"#, "missing field `to`"),
            (r#""dates": [7]"#, "expected a date such as 2027-01-01"),
            (r#""yearly": ["02-30"]"#, "feb never has a day 30"),
            (r#""yearly": ["christmas"]"#, "write month and day"),
            (r#""yearly": [{"easter": 300}]"#, "write -80 to 250"),
            (r#""yearly": [{"easter": 1, "month": 2}]"#, "this one has month and easter"),
            (r#""yearly": [{}]"#, "this one has none of these keys"),
            (r#""weekdays": ["noday"]"#, "write mon, tue"),
            (r#""holidays": []"#, "unknown field `holidays`"),
        ] {
            let text = format!(r#"{{"name": "a", {part}}}"#);
            let error = serde_json::from_str::<CalendarSpec>(&text).unwrap_err().to_string();
            assert!(error.contains(complaint), "{part}: {error}");
        }
    }
}
