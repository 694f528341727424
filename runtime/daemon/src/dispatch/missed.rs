//! What the log is told of time in which nothing could be started.

use sandglass_core::batch::{Batch, Write};
use sandglass_core::run::{AttemptError, Ending, Origin, Run, RunState, SkipReason};
use sandglass_core::time::Timestamp;

/// What a batch makes of late fires and of attempts that the daemon's end cut short.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Missed {
    /// Late fires that become runs.
    pub(super) caught_up: usize,
    /// Late fires that catch-up leaves out.
    pub(super) missed: u64,
    /// The earliest of these fires.
    pub(super) since: Option<Timestamp>,
    /// Runs whose end nobody saw.
    pub(super) interrupted: usize,
}

impl Missed {
    /// What `batch` says of it.
    pub(super) fn of(batch: &Batch) -> Self {
        let mut found = Self::default();
        for write in &batch.writes {
            match write {
                Write::InsertRun(run) => {
                    match run.state {
                        RunState::Ended { ending: Ending::Skipped(SkipReason::Missed), .. } => {
                            found.missed += run.fires();
                        }
                        RunState::Ended { .. } => continue,
                        _ if run.origin == Origin::CatchUp => found.caught_up += 1,
                        _ => continue,
                    }
                    found.since = Some(found.since.map_or(run.scheduled_at, |since| since.min(run.scheduled_at)));
                }
                Write::UpdateRun(run) => {
                    let interrupted = matches!(run.state, RunState::Ended { ending: Ending::Interrupted, .. });
                    found.interrupted += usize::from(interrupted && !was_told_to_stop(run));
                }
                _ => {}
            }
        }
        found
    }

    /// Tells the log, if there is something to tell.
    pub(super) fn log(self) {
        if let Some(since) = self.since {
            let Self { caught_up, missed, .. } = self;
            tracing::warn!(
                %since,
                caught_up,
                missed,
                "fires came due while the daemon was down, suspended or overloaded: {caught_up} run now, {missed} are left out by catch_up"
            );
        }
        if self.interrupted > 0 {
            let runs = self.interrupted;
            tracing::warn!(
                runs,
                "the daemon was not stopped in order: {runs} runs were going, and what became of them is unknown"
            );
        }
    }
}

/// Whether the run's last attempt ended as the daemon was stopped: what became of it is known.
fn was_told_to_stop(run: &Run) -> bool {
    let end = run.attempts.last().and_then(|attempt| attempt.end.as_ref());
    end.and_then(|end| end.error.as_ref()).is_some_and(|error| error.code == AttemptError::SHUTDOWN)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use sandglass_core::id::{JobId, Namespace, RunId};
    use sandglass_core::run::{Attempt, AttemptEnd, AttemptOutcome, ErrorClass, Gate, Usage};

    use super::*;

    fn run(secs: i64, origin: Origin, state: RunState) -> Arc<Run> {
        let (job_id, at) = (JobId::from_bits(7), Timestamp::from_secs(secs));
        Arc::new(Run {
            origin,
            trigger: Some(0),
            gate: Gate::Window,
            state,
            ..Run::queued(RunId::of_fire(job_id, at), Namespace::default(), job_id, "a".parse().unwrap(), at)
        })
    }

    /// A run that was told to stop as the daemon was.
    fn stopped(state: RunState) -> Arc<Run> {
        let at = Timestamp::from_secs(90);
        let code = AttemptError::SHUTDOWN.to_owned();
        let error = Some(AttemptError { class: ErrorClass::Lost, code, message: String::new() });
        let (outcome, usage) = (AttemptOutcome::Interrupted, Usage::default());
        let end = Some(AttemptEnd { finished_at: at, outcome, error, exit_code: None, usage });
        let attempts = vec![Attempt { number: 1, started_at: at, end }];
        Arc::new(Run { attempts, ..Run::clone(&run(3, Origin::Schedule, state)) })
    }

    #[test]
    fn late_fires_and_interrupted_runs_are_counted_and_others_are_not() {
        let at = Timestamp::from_secs(100);
        let ended = |ending| RunState::Ended { ending, at };
        let batch = Batch {
            writes: vec![
                Write::InsertRun(run(20, Origin::CatchUp, ended(Ending::Skipped(SkipReason::Missed)))),
                Write::InsertRun(run(10, Origin::CatchUp, ended(Ending::Skipped(SkipReason::Missed)))),
                Write::InsertRun(run(30, Origin::CatchUp, RunState::Queued)),
                Write::InsertRun(run(5, Origin::Schedule, RunState::Running)),
                Write::InsertRun(run(6, Origin::Schedule, ended(Ending::Skipped(SkipReason::Overlap)))),
                Write::UpdateRun(run(1, Origin::Schedule, ended(Ending::Interrupted))),
                Write::UpdateRun(run(2, Origin::Schedule, ended(Ending::Succeeded))),
                Write::UpdateRun(stopped(ended(Ending::Interrupted))),
            ],
        };
        let since = Some(Timestamp::from_secs(10));
        assert_eq!(Missed::of(&batch), Missed { caught_up: 1, missed: 2, since, interrupted: 1 });
        assert_eq!(Missed::of(&Batch::default()), Missed::default());
    }
}
