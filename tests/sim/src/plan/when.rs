//! When a job fires, and when it may: computed here anew, without the product's code.

use sandglass_core::time::Timestamp;

use super::SECOND;

const MINUTE: i64 = 60 * SECOND;
const DAY: i64 = 86_400 * SECOND;

/// When a job fires.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum When {
    /// Every so many seconds since the schedule was saved, or since an instant in seconds.
    Every {
        /// The interval.
        secs: i64,
        /// The anchor, itself a fire.
        from: Option<i64>,
    },
    /// Whenever the clocks of UTC show a multiple of so many minutes.
    Minutes(i64),
    /// Once, at this instant in seconds.
    Once(i64),
    /// At every start of the daemon.
    Startup,
    /// Once runs of these jobs have ended.
    After {
        /// The jobs.
        jobs: Vec<&'static str>,
        /// However they ended, or only if they succeeded.
        any: bool,
    },
}

/// The hours in which runs may start, in minutes of the day in UTC.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hours {
    /// The first minute.
    pub from: i64,
    /// The minute that is none any more.
    pub to: i64,
    /// Whether what comes outside waits.
    pub defer: bool,
}

impl Hours {
    pub(super) fn random(rng: &mut fastrand::Rng, now: Timestamp) -> Self {
        // They open or close soon, or nothing would be seen of them.
        let soon = now.as_micros().rem_euclid(DAY) / MINUTE + rng.i64(0..20);
        let length = rng.i64(2..40);
        let (from, to) = if rng.bool() { (soon, soon + length) } else { (soon + length, soon) };
        Self { from: from.rem_euclid(1440), to: to.rem_euclid(1440), defer: rng.bool() }
    }

    /// Whether a run may start at `at`.
    #[must_use]
    pub fn contains(&self, at: Timestamp) -> bool {
        let minute = at.as_micros().rem_euclid(DAY) / MINUTE;
        if self.from < self.to {
            (self.from..self.to).contains(&minute)
        } else {
            minute >= self.from || minute < self.to
        }
    }
}

impl Hours {
    /// The instant after `at` at which it opens next.
    #[must_use]
    pub fn next_open(&self, at: Timestamp) -> Timestamp {
        let opens = self.from * MINUTE;
        let days = (at.as_micros() - opens).div_euclid(DAY) + 1;
        Timestamp::from_micros(opens + days * DAY)
    }
}

impl When {
    pub(super) fn random(rng: &mut fastrand::Rng, now: Timestamp) -> Self {
        let now = now.as_micros() / SECOND;
        match rng.u8(..10) {
            0..5 => Self::Every { secs: rng.i64(15..240), from: None },
            5 => Self::Every { secs: rng.i64(15..240), from: Some(now + rng.i64(-600..600)) },
            6 | 7 => Self::Minutes([1, 2, 5][rng.usize(..3)]),
            8 => Self::Once(now + rng.i64(-60..900)),
            _ => Self::Startup,
        }
    }

    /// After some of these jobs, if any is chosen.
    pub(super) fn after(rng: &mut fastrand::Rng, names: &[&'static str]) -> Option<Self> {
        let jobs: Vec<_> = names.iter().copied().filter(|_| rng.bool()).collect();
        (!jobs.is_empty()).then(|| Self::After { jobs, any: rng.bool() })
    }

    /// Whether it fires at instants.
    pub(super) const fn is_timed(&self) -> bool {
        !matches!(self, Self::Startup | Self::After { .. })
    }

    pub(super) fn fires(&self, since: Timestamp, from: Timestamp, to: Timestamp) -> Vec<Timestamp> {
        let (since, from, to) = (since.as_micros(), from.as_micros(), to.as_micros());
        let series = |anchor: i64, step: i64, earliest: i64| {
            let after = from.max(earliest);
            let first = anchor + ((after - anchor).div_euclid(step) + 1) * step;
            let steps = std::iter::successors(Some(first), move |at| Some(at + step));
            steps.take_while(|at| *at <= to).map(Timestamp::from_micros).collect()
        };
        match *self {
            Self::Every { secs, from: None } => series(since, secs * SECOND, since),
            Self::Every { secs, from: Some(anchor) } => series(anchor * SECOND, secs * SECOND, anchor * SECOND - 1),
            Self::Minutes(step) => series(0, step * MINUTE, i64::MIN / 2),
            Self::Once(at) => {
                let at = at * SECOND;
                if from < at && at <= to { vec![Timestamp::from_micros(at)] } else { Vec::new() }
            }
            Self::Startup | Self::After { .. } => Vec::new(),
        }
    }
}

/// The day of the week of an instant in UTC, 0 for Monday.
#[must_use]
pub fn weekday(at: Timestamp) -> usize {
    // 1970 began on a Thursday.
    usize::try_from((at.as_micros().div_euclid(DAY) + 3).rem_euclid(7)).expect("a small number")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_open_at_their_first_minute() {
        let hours = Hours { from: 600, to: 300, defer: true };
        let at = |minute: i64| Timestamp::from_secs(20_000 * 86_400 + minute * 60);
        assert!(hours.contains(at(600)) && hours.contains(at(299)) && !hours.contains(at(300)));
        assert_eq!(hours.next_open(at(300)), at(600));
        assert_eq!(hours.next_open(at(599)), at(600));
        assert_eq!(hours.next_open(at(600)), at(600 + 1440));
    }
}
