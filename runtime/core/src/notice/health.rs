//! What is remembered of a job whose notifiers tell of more than single runs.

use serde::{Deserialize, Serialize};

use crate::run::StateName;
use crate::time::Timestamp;

/// How a job has been doing, as far as its notifiers ask for it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Health {
    /// The last run that was over, skipped ones left out, had not succeeded.
    pub failing: bool,
    /// From when the time without a success counts: from the last success, or from when the job was resumed or enabled if
    /// that is later.
    pub since: Timestamp,
    /// Until when everything has been told that there was to tell of the lack of a success.
    pub told_until: Timestamp,
}

impl Health {
    /// Takes in that a run ended in `state` at `at`, and says whether the job has recovered with that.
    pub fn take(&mut self, state: StateName, at: Timestamp) -> bool {
        match state {
            StateName::Skipped => false,
            StateName::Succeeded => {
                self.since = self.since.max(at);
                std::mem::take(&mut self.failing)
            }
            _ => {
                self.failing = true;
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use StateName::{Cancelled, Failed, Skipped, Succeeded, TimedOut};

    #[test]
    fn a_job_recovers_once_with_the_first_success_after_something_else() {
        let mut health = Health::default();
        let ends = [Succeeded, Failed, Skipped, Succeeded, Succeeded, TimedOut, Cancelled, Skipped, Succeeded];
        let recovered = ends.map(|state| health.take(state, Timestamp::from_secs(5)));
        assert_eq!(recovered, [false, false, false, true, false, false, false, false, true]);
        assert_eq!(health.since, Timestamp::from_secs(5));
    }
}
