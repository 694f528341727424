//! Each end of a run that somebody asks for is told once, whatever happens; nobody is told of notifications; and of each
//! notifier one notification at most has not begun.

use std::collections::BTreeMap;

use sandglass_core::batch::Write;
use sandglass_core::id::JobId;
use sandglass_core::notice::{Notice, NoticeOwner};
use sandglass_core::run::Run;

use super::{Checker, Seen, Verdict, violation};
use crate::plan::TOLD;

#[derive(Clone, Default)]
pub(crate) struct Notices {
    /// How many ends of runs there were of each job that are to be told.
    ended: BTreeMap<JobId, u64>,
    /// How many were told by the notifier of each job.
    told: BTreeMap<JobId, u64>,
}

const NAME: &str = "notices";

impl Checker for Notices {
    fn write(&mut self, seen: &Seen<'_>, write: &Write) -> Verdict {
        let (Write::InsertRun(run) | Write::UpdateRun(run)) = write else { return Ok(()) };
        match &run.notice {
            Some(notice) => self.tells(seen, run, notice),
            None => {
                let is_told = TOLD.contains(&run.state.name());
                let told_by = seen.job_of(run).filter(|(_, plan)| is_told && plan.tells_within().is_some());
                if let Some((job, _)) = told_by {
                    *self.ended.entry(job.id).or_default() += 1;
                }
                Ok(())
            }
        }
    }

    fn settled(&mut self, _: &Seen<'_>) -> Verdict {
        if self.ended == self.told {
            return Ok(());
        }
        violation(NAME, format!("runs of these jobs ended: {:?}, but told were {:?}", self.ended, self.told))
    }
}

impl Notices {
    fn tells(&mut self, seen: &Seen<'_>, run: &Run, notice: &Notice) -> Verdict {
        let NoticeOwner::Job(job) = notice.owner else {
            return violation(NAME, format!("run {} tells for a namespace that has no notifiers", run.id));
        };
        let before = seen.before(run).and_then(|before| before.notice.as_ref()).map_or(0, |before| before.count);
        *self.told.entry(job).or_default() += notice.count.saturating_sub(before);
        let tells_of = notice.events.iter().filter_map(|event| seen.model.runs.get(&event.run?));
        if let Some(other) = tells_of.into_iter().find(|other| other.notice.is_some()) {
            return violation(NAME, format!("run {} tells of the notification {}", run.id, other.id));
        }
        let has_not_begun = |other: &Run| !other.state.name().is_terminal() && other.attempts.is_empty();
        match seen.others(run).find(|other| has_not_begun(other)) {
            Some(other) if has_not_begun(run) => violation(NAME, format!("runs {} and {} both wait", run.id, other.id)),
            _ => Ok(()),
        }
    }
}
