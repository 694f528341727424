//! `H` in cron expressions, and the hash that it and jitter use.

use super::recurrence::{Recurrence, Times};

/// The fields of an expression, from left to right.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
pub(super) enum Place {
    Second,
    Minute,
    Hour,
    MonthDay,
    Month,
    Weekday,
}

/// One `H`: a value, or the values of a step, of `first` to `last`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub(super) struct Hashed {
    pub place: Place,
    pub first: u8,
    /// May be past Saturday, for days of week that run over the end of the week.
    pub last: u8,
    /// The distance of the values; one value if absent.
    pub step: Option<u8>,
}

impl Hashed {
    /// Adds the values that `seed` chooses.
    pub(super) fn add_to(self, recurrence: &mut Recurrence, seed: u64) {
        self.add_chosen(recurrence, mix(seed ^ mix(self.place as u64 + 1)));
    }

    /// Adds the values that stand at `choice`, counted round and round.
    pub(super) fn add_chosen(self, recurrence: &mut Recurrence, choice: u64) {
        let count = self.last - self.first + 1;
        let choices = self.step.map_or(count, |step| step.min(count));
        let start = self.first + u8::try_from(choice % u64::from(choices)).expect("it is less than a byte's value");
        let last = if self.step.is_some() { self.last } else { start };
        let values = (start..=last).step_by(usize::from(self.step.unwrap_or(1)));
        let set = values.fold(0_u64, |set, value| set | 1 << if self.wraps(value) { value - 7 } else { value });
        add(recurrence, self.place, set);
    }

    fn wraps(self, value: u8) -> bool {
        self.place == Place::Weekday && value >= 7
    }
}

/// Adds values to the set of a field.
pub(super) fn add(recurrence: &mut Recurrence, place: Place, set: u64) {
    // A set's type has a bit for every value of its field, so nothing is cut off.
    match (place, &mut recurrence.times) {
        (Place::Second, Times::Fields { seconds, .. }) => *seconds |= set,
        (Place::Minute, Times::Fields { minutes, .. }) => *minutes |= set,
        (Place::Hour, Times::Fields { hours, .. }) => *hours |= set as u32,
        (Place::Second | Place::Minute | Place::Hour, Times::Listed(_)) => {}
        (Place::MonthDay, _) => recurrence.days.month_days |= set as u32,
        (Place::Month, _) => recurrence.days.months |= set as u16,
        (Place::Weekday, _) => recurrence.days.weekdays |= set as u8,
    }
}

/// Spreads a number over all 64 bits: the finalizer of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom
/// number generators", 2014). Fires depend on it, so it never changes.
pub(super) const fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}
