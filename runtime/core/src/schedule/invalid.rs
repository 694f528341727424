//! What can be wrong with a cron expression, and how to mend it.

use std::fmt;
use std::ops::Range;

use super::field::Field;
use super::parse::MAX_CHARS;

/// The text is no cron expression that fires. The message names each field at fault and what it allows; below, it shows
/// the expression with carets under the faults, and the mend if one is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidCron {
    text: Box<str>,
    /// What is wrong, and the bytes of `text` that are at fault, from left to right.
    faults: Vec<(Fault, Range<usize>)>,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error("cron expression is too long: at most {MAX_CHARS} characters are allowed")]
    TooLong,
    #[error("cron expression is empty: {FIVE}, such as '0 2 * * 1-5', or @daily")]
    Empty,
    #[error("cron expression has {found} field{}: {FIVE}", if *found == 1 { "" } else { "s" })]
    FieldCount { found: usize },
    #[error("cron expression with 'seconds: true' has {found} field{}: {SIX}", if *found == 1 { "" } else { "s" })]
    SecondsCount { found: usize },
    #[error("cron expression has 6 fields: {FIVE}, and it could be read in two ways")]
    SixFields { readings: Box<[String]> },
    #[error(
        "cron short form '{0}' is not known: write @hourly, @daily, @midnight, @weekly, @monthly, @yearly or @annually"
    )]
    ShortForm(String),
    #[error("cron short form '{0}' is not a time: an interval is the trigger 'every', such as 'every: 10m'")]
    EveryForm(String),
    #[error("cron expression has no room for a time zone: it goes into the job's 'timezone'")]
    ZonePrefix,
    #[error("cron field {field}: '{value}' is not allowed; {} is, alone, in lists 'a,b', ranges 'a-b' and steps '*/n'", field.allowed)]
    Value { field: &'static Field, value: String },
    #[error("cron field {field}: a value is missing; {} is allowed, or *", field.allowed)]
    Missing { field: &'static Field },
    #[error("cron field {field}: '{value}' is not allowed; {rule}")]
    Form { field: &'static Field, value: String, rule: &'static str },
    #[error("cron field {field}: the range '{range}' runs backwards; for a range over the end write '{mend}'")]
    Backwards { field: &'static Field, range: String, mend: String },
    #[error("cron field {field}: '{step}' is no step; 1 to {} is allowed{}", field.count(), field.step_hint())]
    Step { field: &'static Field, step: String },
    #[error("cron expression never fires: no month it names has such a day{}", at_most(*longest))]
    Never { longest: Option<u32> },
}

const FIVE: &str = "five are needed: minute, hour, day of month, month, day of week";

const SIX: &str = "six are needed: second, minute, hour, day of month, month, day of week";

fn at_most(longest: Option<u32>) -> String {
    longest.map_or_else(String::new, |longest| format!(" (at most {longest} there)"))
}

impl InvalidCron {
    pub(super) fn new(text: &str, faults: Vec<(Fault, Range<usize>)>) -> Self {
        // What is too long to read is too long to show.
        let too_long = faults.iter().any(|(fault, _)| matches!(fault, Fault::TooLong));
        Self { text: if too_long { "".into() } else { text.into() }, faults }
    }

    /// A line with carets under the faults; each has one at least.
    fn carets(&self) -> String {
        let mut line = String::new();
        let mut drawn = 0;
        for (_, span) in &self.faults {
            let before = self.text[..span.start].chars().count();
            let carets = self.text[span.clone()].chars().count().max(1);
            line.extend(std::iter::repeat_n(' ', before.saturating_sub(drawn)));
            line.extend(std::iter::repeat_n('^', carets));
            drawn = before + carets;
        }
        line
    }
}

impl std::error::Error for InvalidCron {}

impl fmt::Display for InvalidCron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (fault, _)) in self.faults.iter().enumerate() {
            write!(f, "{}{fault}", if index == 0 { "" } else { "\n" })?;
        }
        if self.text.trim().is_empty() {
            return Ok(());
        }
        f.write_str("\n  ")?;
        for character in self.text.trim_end().chars() {
            write!(f, "{}", if character.is_control() { ' ' } else { character })?;
        }
        write!(f, "\n  {}", self.carets())?;
        for (fault, _) in &self.faults {
            if let Fault::SixFields { readings } = fault {
                readings.iter().try_for_each(|reading| write!(f, "\n  {reading}"))?;
            }
        }
        Ok(())
    }
}
