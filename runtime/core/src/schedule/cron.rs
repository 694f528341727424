//! A cron expression as a value.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::calendar::Calendar;
use super::invalid::InvalidCron;
use super::parse;

/// A cron expression of five fields: minute, hour, day of month, month, day of week.
///
/// - A field is a list, with commas, of `*`, values, ranges `a-b` and steps `*/n`, `a-b/n` and `a/n` (from `a` on).
/// - Months and days of week also have names, `jan` to `dec` and `sun` to `sat`, in either case; 0 and 7 are Sunday.
/// - `?` means `*`. `@hourly`, `@daily`, `@midnight`, `@weekly`, `@monthly`, `@yearly` and `@annually` are short forms.
/// - A range of days of week may run over the end of the week, as `fri-mon` does. Other ranges may not, as a range such
///   as `50-10` is more often a slip; it is refused with the list that would mean it.
/// - When both day fields are restricted, a day that either names will do. A field that begins with `*`, as `*/2` does,
///   counts as unrestricted, and then both must name the day (POSIX `crontab`, and Vixie cron on steps).
///
/// An expression that could never fire, such as one for 30 February, is refused when it is read. Shown, an expression
/// is the text it was read from. Clones share one value.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct CronExpression(Arc<Inner>);

#[derive(PartialEq, Eq, Hash)]
struct Inner {
    calendar: Calendar,
    text: Box<str>,
    seconds: bool,
}

impl CronExpression {
    /// Reads an expression of six fields, the first of them seconds.
    ///
    /// # Errors
    ///
    /// If the text is no such expression.
    pub fn with_seconds(text: &str) -> Result<Self, InvalidCron> {
        Ok(Self(Arc::new(Inner { calendar: parse::with_seconds(text)?, text: text.into(), seconds: true })))
    }

    /// Whether the expression has six fields, the first of them seconds.
    #[must_use]
    pub fn has_seconds(&self) -> bool {
        self.0.seconds
    }

    /// The local times that the expression names.
    pub(super) fn calendar(&self) -> &Calendar {
        &self.0.calendar
    }
}

impl FromStr for CronExpression {
    type Err = InvalidCron;

    fn from_str(text: &str) -> Result<Self, InvalidCron> {
        Ok(Self(Arc::new(Inner { calendar: parse::parse(text)?, text: text.into(), seconds: false })))
    }
}

impl fmt::Display for CronExpression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)
    }
}

impl fmt::Debug for CronExpression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CronExpression({:?})", self.0.text)
    }
}
