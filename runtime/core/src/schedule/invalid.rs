//! What can be wrong with a cron expression, and how to mend it.

use std::fmt;
use std::ops::Range;

use super::parse::{Field, MAX_CHARS};

/// The text is no cron expression that fires. The message names the field and what it allows; below, it shows the
/// expression with carets under the fault, and the mend if one is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidCron {
    text: Box<str>,
    /// The bytes of `text` that are at fault.
    span: Range<usize>,
    fault: Fault,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error("cron expression is too long: at most {MAX_CHARS} characters are allowed")]
    TooLong,
    #[error("cron expressions with seconds are not supported yet")]
    SecondsLater,
    #[error("cron expression is empty: {FIVE}, such as '0 2 * * 1-5', or @daily")]
    Empty,
    #[error("cron expression has {found} field{}: {FIVE}", if *found == 1 { "" } else { "s" })]
    FieldCount { found: usize },
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
    #[error("cron field {field}: '{value}' is not supported yet (L, W, # and H are not); {} is allowed", field.allowed)]
    Extension { field: &'static Field, value: String },
    #[error("cron field {field}: the range '{range}' runs backwards; for a range over the end write '{mend}'")]
    Backwards { field: &'static Field, range: String, mend: String },
    #[error("cron field {field}: '{step}' is no step; 1 to {} is allowed{}", field.count(), field.step_hint())]
    Step { field: &'static Field, step: String },
    #[error("cron expression never fires: no month it names has such a day of month (at most {longest} there)")]
    Never { longest: u32 },
}

const FIVE: &str = "five are needed: minute, hour, day of month, month, day of week";

impl InvalidCron {
    pub(super) fn new(text: &str, span: Range<usize>, fault: Fault) -> Self {
        // What is too long to read is too long to show.
        let text = if matches!(fault, Fault::TooLong) { "" } else { text };
        Self { text: text.into(), span, fault }
    }
}

impl std::error::Error for InvalidCron {}

impl fmt::Display for InvalidCron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.fault)?;
        if self.text.trim().is_empty() {
            return Ok(());
        }
        f.write_str("\n  ")?;
        for character in self.text.trim_end().chars() {
            write!(f, "{}", if character.is_control() { ' ' } else { character })?;
        }
        let before = self.text[..self.span.start].chars().count();
        let carets = self.text[self.span.clone()].chars().count().max(1);
        write!(f, "\n  {:before$}{:^<carets$}", "", "")?;
        if let Fault::SixFields { readings } = &self.fault {
            for reading in readings {
                write!(f, "\n  {reading}")?;
            }
        }
        Ok(())
    }
}
