//! Whether a run that is over is kept.

use std::time::Duration;

use super::{Origin, Run};
use crate::spec::Retention;
use crate::time::Timestamp;

/// A run made by a backfill counts among the oldest, so the number of runs alone does not remove it as soon as it is over.
const BACKFILLED_STAYS: Duration = Duration::from_secs(86_400);

impl Run {
    /// Whether the run, if it is over, is no longer kept at `now` by `retention`. `too_many`: there are as many newer ones as
    /// are kept.
    #[must_use]
    pub fn is_past(&self, retention: &Retention, too_many: bool, now: Timestamp) -> bool {
        let Some(at) = self.finished_at() else { return false };
        let too_old = retention.age.is_some_and(|age| at < now.before(age.get()));
        let fresh = self.origin == Origin::Backfill && at >= now.before(BACKFILLED_STAYS);
        too_old || (too_many && !fresh)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{JobId, Namespace, RunId};
    use crate::run::{Ending, RunState};

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_secs(1_800_000_000 + 3600 * hours)
    }

    #[test]
    fn age_counts_from_the_end_and_backfilled_runs_have_a_day() {
        let id = RunId::of_fire(JobId::from_bits(1), at(0));
        let going = Run::queued(id, Namespace::default(), JobId::from_bits(1), "a".parse().unwrap(), at(0));
        let over = Run { state: RunState::Ended { ending: Ending::Failed, at: at(10) }, ..going.clone() };
        let backfilled = Run { origin: Origin::Backfill, ..over.clone() };
        let by_age: Retention = serde_json::from_str(r#"{"age": "48h"}"#).unwrap();
        let by_number = Retention::default();
        for (run, retention, too_many, now, past) in [
            (&going, &by_age, true, 1000, false),
            (&over, &by_age, false, 58, false),
            (&over, &by_age, false, 59, true),
            (&over, &by_number, false, 1000, false),
            (&over, &by_number, true, 11, true),
            (&backfilled, &by_number, true, 34, false),
            (&backfilled, &by_number, true, 35, true),
            (&backfilled, &by_age, false, 59, true),
        ] {
            assert_eq!(run.is_past(retention, too_many, at(now)), past, "{retention:?}, {too_many}, {now}");
        }
    }
}
