//! Times of a day as starts that repeat.

use sandglass_core::schedule::TimeSets;

use super::super::Inexpressible;
use super::{MOST_TRIGGERS, REPETITIONS};

const DAY: i64 = 86_400;

/// A start at a time of day, which may repeat.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Repeat {
    /// In seconds since midnight.
    pub(super) time: u32,
    /// After how many seconds it repeats, and for how many; without end if for none.
    pub(super) every: Option<(i64, Option<i64>)>,
}

/// The starts that make up times of a day, each in one of them.
pub(super) fn repeats(times: &[TimeSets]) -> Result<Vec<Repeat>, Inexpressible> {
    let mut all: Vec<i64> = times.iter().flat_map(|sets| sets.times()).map(i64::from).collect();
    all.sort_unstable();
    // As they follow one another, or hour by hour for each minute: the fewer starts, the better.
    let in_order = progressions(&all);
    let by_minute =
        times.iter().flat_map(|sets| minutes(*sets)).flat_map(|times| progressions(&times)).collect::<Vec<_>>();
    let repeats = if by_minute.len() < in_order.len() { by_minute } else { in_order };
    if repeats.len() > MOST_TRIGGERS {
        return Err(Inexpressible::new(format!(
            "Task Scheduler repeats a start no sooner than after a minute, and its times would be {} starts",
            repeats.len()
        )));
    }
    Ok(repeats)
}

/// The times that share a minute and a second.
fn minutes(sets: TimeSets) -> Vec<Vec<i64>> {
    let mut minutes = std::collections::BTreeMap::<u32, Vec<i64>>::new();
    sets.times().for_each(|time| minutes.entry(time % 3600).or_default().push(time.into()));
    minutes.into_values().collect()
}

fn progressions(times: &[i64]) -> Vec<Repeat> {
    let mut repeats = Vec::new();
    let mut rest = times;
    while let [first, tail @ ..] = rest {
        let step = tail.first().map_or(0, |next| next - first);
        let steps = (1..).zip(tail).take_while(|(count, time)| **time == first + step * count).count();
        let steps = if steps >= 2 && REPETITIONS.contains(&step) && step % 60 == 0 { steps } else { 0 };
        let last = rest[steps];
        // The time for which it repeats ends after the last start and before the next, or with the day.
        let whole_day = last + step - first == DAY;
        let lasts = if whole_day { DAY } else { last - first + 60.min(step - 1) };
        let time = u32::try_from(*first).expect("it is less than a day");
        repeats.push(Repeat { time, every: (steps > 0).then_some((step, Some(lasts))) });
        rest = &rest[steps + 1..];
    }
    repeats
}
