//! A cron expression as a value.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::hashed::Hashed;
use super::invalid::InvalidCron;
use super::parse;
use super::recurrence::Recurrence;

/// A cron expression of five fields: minute, hour, day of month, month, day of week; or of six, with seconds first.
///
/// - A field is a list, with commas, of `*`, values, ranges `a-b` and steps `*/n`, `a-b/n` and `a/n` (from `a` on).
/// - Months and days of week also have names, `jan` to `dec` and `sun` to `sat`, in either case; 0 and 7 are Sunday.
/// - Days of month: `L` is the last day of the month, `L-3` three days before it; `15W` is the day from Monday to Friday
///   nearest to the 15th, within the month; `LW` is the last day from Monday to Friday.
/// - Days of week: `mon#2` (or `1#2`) is the second Monday of the month, `friL` (or `5L`) the last Friday.
/// - `H` is one value of the field, chosen by a stable hash of the job's namespace and name, so that many jobs spread over
///   it; `H(0-29)` is one of these; `H/15` is every fifteenth from a start so chosen, `H(0-29)/10` within these. As a day
///   of month `H` is at most 28, so that every month has it. Several `H` in one field share one choice.
/// - `?` means `*`. `@hourly`, `@daily`, `@midnight`, `@weekly`, `@monthly`, `@yearly` and `@annually` are short forms.
/// - A range of days of week may run over the end of the week, as `fri-mon` does. Other ranges may not, as a range such
///   as `50-10` is more often a slip; it is refused with the list that would mean it.
/// - When both day fields are restricted, a day that either names will do. A field that begins with `*`, as `*/2` does,
///   counts as unrestricted, and then both must name the day (POSIX `crontab`, and Vixie cron on steps). `L`, `W`, `#` and
///   `H` restrict a field as numbers do: `0 0 L * fri` fires on every Friday and on the last day of the month.
/// - When the minute or the hour begins with `*`, the expression fires whenever the clock shows what it names, and a
///   trigger's `gap` and `fold` have no say. Otherwise its times are fixed ones, and `gap` and `fold` say what becomes of
///   those that the clocks skip or show twice.
///
/// An expression that could never fire, such as one for 30 February, is refused when it is read. Shown, an expression
/// is the text it was read from. Clones share one value.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct CronExpression(Arc<Inner>);

#[derive(PartialEq, Eq, Hash)]
struct Inner {
    /// What the expression names, but for `H`.
    recurrence: Arc<Recurrence>,
    hashed: Box<[Hashed]>,
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
        Self::read(text, true)
    }

    fn read(text: &str, seconds: bool) -> Result<Self, InvalidCron> {
        let (recurrence, hashed) = parse::parse(text, seconds)?;
        Ok(Self(Arc::new(Inner { recurrence: Arc::new(recurrence), hashed, text: text.into(), seconds })))
    }

    /// Whether the expression has six fields, the first of them seconds.
    #[must_use]
    pub fn has_seconds(&self) -> bool {
        self.0.seconds
    }

    /// Whether the expression has `H`, so that its times depend on the job.
    #[must_use]
    pub fn has_hash(&self) -> bool {
        !self.0.hashed.is_empty()
    }

    /// The local times that the expression names for the job with this seed.
    pub(super) fn recurrence(&self, seed: u64) -> Arc<Recurrence> {
        if self.0.hashed.is_empty() {
            return Arc::clone(&self.0.recurrence);
        }
        let mut recurrence = Recurrence::clone(&self.0.recurrence);
        self.0.hashed.iter().for_each(|hashed| hashed.add_to(&mut recurrence, seed));
        Arc::new(recurrence)
    }
}

impl FromStr for CronExpression {
    type Err = InvalidCron;

    fn from_str(text: &str) -> Result<Self, InvalidCron> {
        Self::read(text, false)
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
