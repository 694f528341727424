//! Amounts that people write: periods (`10m`, `1h30m`, `250ms`), sizes (`64MiB`) and counts (`10G`).

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The text is not an amount of the kind wanted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not a {kind}: {rule}")]
pub struct InvalidQuantity {
    text: String,
    kind: &'static str,
    rule: &'static str,
}

/// A length of time, to the millisecond. A bare number is seconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Period(Duration);

/// A number of bytes. `k`, `M`, `G`, `T` are powers of 1000, `KiB`, `MiB`, `GiB`, `TiB` powers of 1024.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ByteSize(u64);

/// A plain number, optionally with `k`, `M`, `G` or `T` (powers of 1000).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Count(u64);

const PERIOD_RULE: &str = "write units from ms, s, m, h, d, w, such as 90s or 1h30m; a bare number is seconds";
const PERIOD_UNITS: [(&str, u64); 6] =
    [("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];
/// Periods end at a thousand years, so that arithmetic on instants cannot overflow.
const PERIOD_MAX_MILLIS: u64 = 1000 * 366 * 86_400_000;
const SIZE_RULE: &str = "write a number of bytes, optionally with k, M, G, T or KiB, MiB, GiB, TiB, such as 64MiB";
const COUNT_RULE: &str = "write a number, optionally with k, M, G or T, such as 10G";

impl Period {
    /// From whole seconds.
    #[must_use]
    pub const fn from_secs(secs: u64) -> Self {
        Self(Duration::from_secs(secs))
    }

    /// From milliseconds.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(Duration::from_millis(millis))
    }

    /// As a duration.
    #[must_use]
    pub const fn get(self) -> Duration {
        self.0
    }
}

impl ByteSize {
    /// From bytes.
    #[must_use]
    pub const fn from_bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// From units of 1,048,576 bytes.
    #[must_use]
    pub const fn from_mib(mib: u64) -> Self {
        Self(mib << 20)
    }

    /// In bytes.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl Count {
    /// From a plain number.
    #[must_use]
    pub const fn new(count: u64) -> Self {
        Self(count)
    }

    /// The plain number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl FromStr for Period {
    type Err = InvalidQuantity;

    fn from_str(text: &str) -> Result<Self, InvalidQuantity> {
        let invalid = || InvalidQuantity { text: text.to_owned(), kind: "period", rule: PERIOD_RULE };
        if let Ok(secs) = text.parse::<u64>() {
            return Self::checked(secs.saturating_mul(1000)).ok_or_else(invalid);
        }
        let mut rest = text.trim();
        let mut millis: u64 = 0;
        let mut last_unit = u64::MAX;
        if rest.is_empty() {
            return Err(invalid());
        }
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let (number, tail) = rest.split_at(digits);
            let letters = tail.bytes().take_while(u8::is_ascii_alphabetic).count();
            let (unit, tail) = tail.split_at(letters);
            let scale =
                PERIOD_UNITS.iter().find(|(name, _)| *name == unit).map(|(_, scale)| *scale).ok_or_else(invalid)?;
            // Units fall from left to right, so `30s1h` and `1h1h` are slips rather than sums.
            if scale >= last_unit {
                return Err(invalid());
            }
            last_unit = scale;
            let part = number.parse::<u64>().ok().and_then(|n| n.checked_mul(scale)).ok_or_else(invalid)?;
            millis = millis.checked_add(part).ok_or_else(invalid)?;
            rest = tail.trim_start();
        }
        Self::checked(millis).ok_or_else(invalid)
    }
}

impl Period {
    fn checked(millis: u64) -> Option<Self> {
        (millis <= PERIOD_MAX_MILLIS).then(|| Self::from_millis(millis))
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut millis = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        if millis == 0 {
            return f.write_str("0s");
        }
        for (unit, scale) in PERIOD_UNITS.into_iter().skip(1) {
            if millis >= scale {
                write!(f, "{}{unit}", millis / scale)?;
                millis %= scale;
            }
        }
        Ok(())
    }
}

fn scaled(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit = unit.trim();
    let scale = units.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)).map(|(_, scale)| *scale)?;
    number.parse::<u64>().ok()?.checked_mul(scale)
}

const SIZE_UNITS: [(&str, u64); 17] = [
    ("", 1),
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("Ki", 1 << 10),
    ("Mi", 1 << 20),
    ("Gi", 1 << 30),
    ("k", 1000),
    ("kB", 1000),
    ("M", 1_000_000),
    ("MB", 1_000_000),
    ("G", 1_000_000_000),
    ("GB", 1_000_000_000),
    ("T", 1_000_000_000_000),
    ("TB", 1_000_000_000_000),
];
const COUNT_UNITS: [(&str, u64); 5] =
    [("", 1), ("k", 1000), ("M", 1_000_000), ("G", 1_000_000_000), ("T", 1_000_000_000_000)];

impl FromStr for ByteSize {
    type Err = InvalidQuantity;

    fn from_str(text: &str) -> Result<Self, InvalidQuantity> {
        scaled(text, &SIZE_UNITS).map(Self).ok_or_else(|| InvalidQuantity {
            text: text.to_owned(),
            kind: "size",
            rule: SIZE_RULE,
        })
    }
}

impl FromStr for Count {
    type Err = InvalidQuantity;

    fn from_str(text: &str) -> Result<Self, InvalidQuantity> {
        scaled(text, &COUNT_UNITS).map(Self).ok_or_else(|| InvalidQuantity {
            text: text.to_owned(),
            kind: "count",
            rule: COUNT_RULE,
        })
    }
}

fn write_scaled(f: &mut fmt::Formatter<'_>, value: u64, units: &[(&str, u64)]) -> fmt::Result {
    let unit = units.iter().rev().find(|(_, scale)| value != 0 && value.is_multiple_of(*scale));
    let (name, scale) = unit.copied().unwrap_or(("", 1));
    write!(f, "{}{name}", value / scale)
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_scaled(f, self.0, &[("", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)])
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_scaled(f, self.0, &COUNT_UNITS)
    }
}

macro_rules! quantity_serde {
    ($name:ident, $what:literal, $example:literal) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Amount;
                impl Visitor<'_> for Amount {
                    type Value = $name;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($what)
                    }
                    fn visit_u64<E: de::Error>(self, number: u64) -> Result<$name, E> {
                        self.visit_str(&number.to_string())
                    }
                    fn visit_i64<E: de::Error>(self, number: i64) -> Result<$name, E> {
                        self.visit_str(&number.to_string())
                    }
                    fn visit_str<E: de::Error>(self, text: &str) -> Result<$name, E> {
                        text.parse().map_err(E::custom)
                    }
                }
                deserializer.deserialize_any(Amount)
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": ["string", "integer"], "minimum": 0, "description": $what, "examples": [$example] })
            }
        }
    };
}

quantity_serde!(Period, "a period such as 10m or 1h30m, or a number of seconds", "10m");
quantity_serde!(ByteSize, "a size such as 64MiB, or a number of bytes", "64MiB");
quantity_serde!(Count, "a number such as 10G", "10G");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_read_and_write() {
        for (text, millis, shown) in [
            ("10m", 600_000, "10m"),
            ("1h30m", 5_400_000, "1h30m"),
            ("90s", 90_000, "1m30s"),
            ("250ms", 250, "250ms"),
            ("3600", 3_600_000, "1h"),
            ("2w", 1_209_600_000, "14d"),
            ("1h 5s", 3_605_000, "1h5s"),
            ("0", 0, "0s"),
        ] {
            let period: Period = text.parse().unwrap();
            assert_eq!(period.get(), Duration::from_millis(millis), "{text}");
            assert_eq!(period.to_string(), shown);
            assert_eq!(shown.parse::<Period>().unwrap(), period);
        }
        for bad in ["", "m", "10", "-5", "10 parsecs", "30s1h", "1h1h", "99999999999w", "1.5h", "5\u{7f}"] {
            let number = bad == "10";
            assert_eq!(bad.parse::<Period>().is_ok(), number, "{bad}");
        }
    }

    #[test]
    fn sizes_and_counts_read_and_write() {
        assert_eq!("64MiB".parse::<ByteSize>().unwrap().get(), 64 << 20);
        assert_eq!("1k".parse::<ByteSize>().unwrap().get(), 1000);
        assert_eq!(ByteSize::from_mib(64).to_string(), "64MiB");
        assert_eq!(ByteSize::from_bytes(1000).to_string(), "1000");
        assert_eq!("10G".parse::<Count>().unwrap().get(), 10_000_000_000);
        assert_eq!(Count::new(10_000_000_000).to_string(), "10G");
        assert!("10Q".parse::<Count>().is_err());
        assert!("99999999T".parse::<ByteSize>().is_err());
    }
}
