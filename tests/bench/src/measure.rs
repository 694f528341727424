//! The clock, and what is made of many times.

use std::time::{Duration, Instant};

/// The monotonic clock.
#[expect(clippy::disallowed_methods, reason = "a measurement is about the time that really passes")]
pub(crate) fn clock() -> Instant {
    Instant::now()
}

/// How long `work` took.
pub(crate) fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let begin = clock();
    let value = work();
    (value, begin.elapsed())
}

/// Many measured lengths of time, in order of length.
#[derive(Clone, Debug)]
pub(crate) struct Sample(Vec<Duration>);

impl Sample {
    /// Takes the times in any order.
    pub(crate) fn new(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self(times)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The least time that the fraction `part` of all times does not exceed; nothing if there are no times.
    pub(crate) fn quantile(&self, part: f64) -> Duration {
        let rank = (part * self.0.len() as f64).ceil() as usize;
        let place = rank.saturating_sub(1).min(self.0.len().saturating_sub(1));
        self.0.get(place).copied().unwrap_or_default()
    }

    pub(crate) fn median(&self) -> Duration {
        self.quantile(0.5)
    }

    pub(crate) fn p99(&self) -> Duration {
        self.quantile(0.99)
    }

    pub(crate) fn longest(&self) -> Duration {
        self.quantile(1.0)
    }
}

/// In milliseconds, with fractions.
pub(crate) fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// In microseconds, with fractions.
pub(crate) fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

/// How many a second.
pub(crate) fn rate(count: usize, duration: Duration) -> f64 {
    count as f64 / duration.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_of_the_times_themselves() {
        let sample = Sample::new((1..=100).rev().map(Duration::from_micros).collect());
        assert_eq!(sample.median(), Duration::from_micros(50));
        assert_eq!(sample.p99(), Duration::from_micros(99));
        assert_eq!(sample.longest(), Duration::from_micros(100));
        assert_eq!(Sample::new(Vec::new()).p99(), Duration::ZERO);
        assert_eq!(Sample::new(vec![Duration::from_secs(7)]).median(), Duration::from_secs(7));
    }
}
