//! How long what is over is kept.

use std::num::NonZeroU64;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::quantity::{ByteSize, Period};

/// How long runs that are over and their output are kept. What is absent is as the daemon's configuration says.
///
/// The last run of a job and its last run that succeeded stay whatever is said here.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// How many runs of a job are kept, skipped ones included; of more, the oldest go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runs: Option<NonZeroU64>,
    /// How long a run is kept, counted from its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age: Option<Period>,
    /// How much output of a job is kept on disk; of more, that of the oldest runs goes, and the runs stay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<ByteSize>,
    /// How long the output of a run is kept, counted from the run's end; the run stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_age: Option<Period>,
}

impl Retention {
    /// What holds where neither the job nor the daemon's configuration says anything: 1000 runs of a job, for 90 days.
    pub const STANDARD: Self =
        Self { runs: NonZeroU64::new(1000), age: Some(Period::from_secs(90 * 86_400)), size: None, output_age: None };

    /// This, and what `other` says where this says nothing.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            runs: self.runs.or(other.runs),
            age: self.age.or(other.age),
            size: self.size.or(other.size),
            output_age: self.output_age.or(other.output_age),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_job_says_comes_before_what_the_daemon_says() {
        let job: Retention = serde_json::from_str(r#"{"runs": 5, "size": "1GiB"}"#).unwrap();
        let all = job.or(Retention::STANDARD);
        assert_eq!(all.runs, NonZeroU64::new(5));
        assert_eq!(all.age, Retention::STANDARD.age);
        assert_eq!(all.size, Some(ByteSize::from_mib(1024)));
        assert_eq!(serde_json::to_string(&job).unwrap(), r#"{"runs":5,"size":"1GiB"}"#);
        assert!(serde_json::from_str::<Retention>(r#"{"runs": 0}"#).is_err());
    }
}
