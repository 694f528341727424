//! What a run was about at an instant, told by its record alone.

use super::{Gate, Run};
use crate::schedule::Window;
use crate::time::Timestamp;

/// What a run was about at an instant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// It was not there yet.
    Ahead,
    /// It waited for the window of its job, which opens at this instant.
    WaitsForWindow(Timestamp),
    /// It waited for its turn or for a free place.
    Waits,
    /// An attempt was going.
    Going,
    /// An attempt had failed, and the next one was not begun.
    BetweenAttempts,
    /// It was over.
    Over,
}

impl Run {
    /// What the run was about at `at`, if its job has, and had, this window. What is not recorded yet counts as going on
    /// as it is.
    #[must_use]
    pub fn phase_at(&self, at: Timestamp, window: Option<&Window>) -> Phase {
        if at < self.queued_at {
            return Phase::Ahead;
        }
        if self.finished_at().is_some_and(|finished| finished <= at) {
            return Phase::Over;
        }
        let mut begun = self.attempts.iter().filter(|attempt| attempt.started_at <= at);
        match begun.next_back() {
            Some(last) if last.end.as_ref().is_none_or(|end| at < end.finished_at) => Phase::Going,
            Some(_) => Phase::BetweenAttempts,
            None => window
                .filter(|window| self.gate != Gate::Open && !window.contains(at))
                .and_then(|window| window.next_open(at))
                .map_or(Phase::Waits, Phase::WaitsForWindow),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{JobId, Namespace, RunId};
    use crate::run::{Attempt, AttemptEnd, AttemptOutcome, Ending, RunState, Usage};

    fn at(secs: i64) -> Timestamp {
        // Midnight in UTC.
        Timestamp::from_secs(1_799_971_200 + secs)
    }

    fn attempt(number: u32, from: i64, to: i64) -> Attempt {
        let outcome = AttemptOutcome::Failed;
        let end = AttemptEnd { finished_at: at(to), outcome, error: None, exit_code: None, usage: Usage::default() };
        Attempt { number, started_at: at(from), end: Some(end) }
    }

    #[test]
    fn the_record_tells_what_a_run_was_about() {
        let mut run = Run {
            trigger: Some(0),
            gate: Gate::Window,
            state: RunState::Ended { ending: Ending::Failed, at: at(140) },
            attempts: vec![attempt(1, 70, 100), attempt(2, 120, 140)],
            ..Run::queued(
                RunId::of_fire(JobId::from_bytes([1; 16]), at(10)),
                Namespace::default(),
                JobId::from_bytes([1; 16]),
                "a".parse().unwrap(),
                at(10),
            )
        };
        let window = serde_json::from_str(r#"{"from": "00:01", "to": "12:00", "outside": "defer"}"#).unwrap();
        let window = Window::new(&window, chrono_tz::Tz::UTC);
        let phases = [0, 10, 59, 60, 70, 99, 100, 120, 139, 140].map(|secs| run.phase_at(at(secs), Some(&window)));
        let waits = Phase::WaitsForWindow(at(60));
        use Phase::{Ahead, BetweenAttempts, Going, Over, Waits};
        assert_eq!(phases, [Ahead, waits, waits, Waits, Going, Going, BetweenAttempts, Going, Going, Over]);
        assert_eq!(run.phase_at(at(20), None), Waits);
        run.gate = Gate::Open;
        assert_eq!(run.phase_at(at(20), Some(&window)), Waits, "somebody forced it");
        (run.state, run.attempts) = (RunState::Queued, Vec::new());
        assert_eq!(run.phase_at(at(100_000), None), Waits);
    }
}
