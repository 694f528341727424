//! What a job requires of others before it starts.

use sandglass_core::run::Ending;
use sandglass_core::time::Timestamp;
use serde_json::{Value, json};

use super::SECOND;

/// A job requires that the last run of another ended so.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Need {
    /// The other job.
    pub job: &'static str,
    /// However it ended, or only if it succeeded.
    pub any: bool,
    /// How long ago that may be at most, in seconds.
    pub within: Option<i64>,
    /// How long a run waits for it, in seconds.
    pub wait: Option<i64>,
}

impl Need {
    /// Some of these jobs, mostly none.
    pub(super) fn some(rng: &mut fastrand::Rng, names: &[&'static str]) -> Vec<Self> {
        if rng.bool() {
            return Vec::new();
        }
        let needed = names.iter().filter(|_| rng.bool()).copied().collect::<Vec<_>>().into_iter();
        needed
            .map(|job| Self {
                job,
                any: rng.bool(),
                within: rng.bool().then(|| rng.i64(20..300)),
                wait: (rng.u8(..3) > 0).then(|| rng.i64(10..400)),
            })
            .collect()
    }

    pub(super) fn text(&self) -> Value {
        let secs = |secs: i64| format!("{secs}s");
        let outcome = if self.any { "any" } else { "succeeded" };
        let mut text = json!({ "job": self.job, "outcome": outcome });
        for (name, value) in [("within", self.within), ("wait", self.wait)] {
            if let Some(value) = value {
                text[name] = secs(value).into();
            }
        }
        text
    }

    /// Whether it is met at `now` if the last run ended like this.
    #[must_use]
    pub fn is_met(&self, last: Option<(Ending, Timestamp)>, now: Timestamp) -> bool {
        last.is_some_and(|(ending, at)| {
            let age = now.as_micros() - at.as_micros();
            (self.any || ending == Ending::Succeeded) && self.within.is_none_or(|within| age <= within * SECOND)
        })
    }

    /// Whether a run that counts from `from` does not wait for it any more at `now`.
    #[must_use]
    pub fn is_over(&self, from: Timestamp, now: Timestamp) -> bool {
        self.wait.is_none_or(|wait| from.as_micros() + wait * SECOND <= now.as_micros())
    }
}
