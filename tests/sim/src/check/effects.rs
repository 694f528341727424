//! No effect before its commit, no attempt started twice, no answer that is not true, and no end that nobody reported.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use sandglass_core::batch::Write;
use sandglass_core::event::Reply;
use sandglass_core::id::RunId;
use sandglass_core::run::{AttemptOutcome, Ending, Run, RunState};

use super::{Checker, Happening, Seen, Verdict, is_running, violation};

#[derive(Clone, Default)]
pub(crate) struct Effects {
    started: BTreeSet<(RunId, u32)>,
    reported: BTreeMap<(RunId, u32), AttemptOutcome>,
}

const NAME: &str = "effects";

impl Checker for Effects {
    fn write(&mut self, seen: &Seen<'_>, write: &Write) -> Verdict {
        let Write::UpdateRun(run) = write else { return Ok(()) };
        let Some(before) = seen.before(run).filter(|before| is_running(before)) else { return Ok(()) };
        if is_running(run) {
            return Ok(());
        }
        let Some(attempt) = run.attempts.last() else {
            return violation(NAME, format!("run {} was running without an attempt", run.id));
        };
        let Some(end) = &attempt.end else {
            return violation(NAME, format!("run {} stops running, but its attempt has no end", run.id));
        };
        let cut_short = end.outcome == AttemptOutcome::Interrupted && !seen.host.has(run.id, attempt.number);
        let has_no_notifier =
            end.error.as_ref().is_some_and(|error| run.notice.is_some() && error.code == "no-notifier");
        let reported = self.reported.get(&(run.id, attempt.number));
        if reported != Some(&end.outcome) && !cut_short && !has_no_notifier {
            let (id, outcome) = (run.id, end.outcome);
            return violation(
                NAME,
                format!("attempt {} of run {id} is {outcome:?}, reported {reported:?}", attempt.number),
            );
        }
        if let RunState::Ended { ending, .. } = run.state
            && !follows(ending, end.outcome)
        {
            return violation(NAME, format!("run {} is {ending:?} after {:?}", run.id, end.outcome));
        }
        kept(before, run)
    }

    fn happens(&mut self, seen: &Seen<'_>, what: &Happening<'_>) -> Verdict {
        match what {
            Happening::Start(invocation) => {
                let key = (invocation.run, invocation.attempt);
                let run = seen.model.runs.get(&invocation.run);
                let last = run.filter(|run| is_running(run)).and_then(|run| run.attempts.last());
                if last.is_none_or(|attempt| attempt.number != invocation.attempt) {
                    return violation(NAME, format!("attempt {key:?} starts, but what is durable is {run:?}"));
                }
                if !self.started.insert(key) {
                    return violation(NAME, format!("attempt {key:?} starts twice"));
                }
                Ok(())
            }
            Happening::Report(report) => {
                self.reported.insert((report.run, report.attempt), report.end.outcome);
                Ok(())
            }
            Happening::Reply(reply) => promised(seen, reply),
            Happening::Up | Happening::Tick => Ok(()),
        }
    }
}

fn follows(ending: Ending, outcome: AttemptOutcome) -> bool {
    matches!(
        (ending, outcome),
        (Ending::Succeeded, AttemptOutcome::Succeeded)
            | (Ending::Failed, AttemptOutcome::Failed)
            | (Ending::TimedOut, AttemptOutcome::TimedOut)
            | (Ending::Cancelled(_), AttemptOutcome::Cancelled)
            | (Ending::Interrupted, AttemptOutcome::Interrupted)
    )
}

/// Earlier attempts stay as they are.
fn kept(before: &Run, run: &Run) -> Verdict {
    let earlier = before.attempts.len().saturating_sub(1);
    if before.attempts[..earlier] != run.attempts[..earlier] || run.attempts.len() != before.attempts.len() {
        return violation(NAME, format!("earlier attempts of run {} are changed", run.id));
    }
    Ok(())
}

/// What an answer says is durable, or was and something later has changed it.
fn promised(seen: &Seen<'_>, reply: &Reply) -> Verdict {
    let model = seen.model;
    let has_run = |id: &RunId, version: u32| model.runs.get(id).is_some_and(|run| run.version >= version);
    let has_job = |saved: &sandglass_core::event::SavedJob| {
        // A deletion may have been decided and made durable behind it, in the same group.
        model.jobs.get(&saved.job.id).is_none_or(|(job, _)| job.revision >= saved.job.revision)
    };
    let holds = match reply {
        Reply::Job(saved) => has_job(saved),
        Reply::JobDeleted(id) => !model.jobs.contains_key(id),
        Reply::Run(run) => has_run(&run.id, run.version),
        Reply::Applied { jobs, .. } => jobs.iter().all(has_job),
        Reply::Backfilled { runs, .. } => runs.iter().all(|id| has_run(id, 1)),
        _ => true,
    };
    if holds { Ok(()) } else { violation(NAME, format!("the answer {reply:?} is not what is durable")) }
}
