//! What queued runs wait for, for people who ask.

use super::{Scheduler, Stands};
use crate::event::{Refusal, Reply, WaitsFor};
use crate::id::RunId;

impl Scheduler {
    /// What the run waits for, if it is queued.
    pub(super) fn waits(&self, id: RunId) -> Result<Reply, Refusal> {
        let active = self.active.get(&id).ok_or(Refusal::NoActiveRun(id))?;
        if self.stopping {
            return Ok(Reply::Waits(None));
        }
        Ok(Reply::Waits(match active.stands {
            Stands::Apart | Stands::Going(_) => None,
            Stands::Line => {
                let runs = self.jobs.get(&active.run.job_id).map(|entry| &entry.runs);
                Some(WaitsFor::Turn { before: runs.and_then(|runs| runs.active().next()) })
            }
            Stands::Window(until) if active.run.notice.is_some() => Some(WaitsFor::More { until }),
            Stands::Window(opens_at) => Some(WaitsFor::Window { opens_at }),
            Stands::Upstream(until) => Some(WaitsFor::Requirement { until }),
            Stands::Queue(lane, _) => Some(match self.queue.full(lane) {
                Some((limit, most)) => WaitsFor::Limit { limit: limit.clone(), most },
                None => WaitsFor::Daemon { most: self.options.max_running },
            }),
        }))
    }
}
