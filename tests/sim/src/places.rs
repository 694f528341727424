//! Which places runs have that go: of the namespace, the plugin and the groups of their jobs, by the plans.

use std::collections::BTreeMap;

use sandglass_core::batch::Write;
use sandglass_core::id::RunId;
use sandglass_core::notice::{Notice, NoticeOwner};
use sandglass_core::run::Run;
use sandglass_core::scheduler::Options;

use crate::check::{Seen, is_running, started};
use crate::model::Model;
use crate::plan::{Bound, NOTIFIER, Plan};

/// The places of the runs that go. A run keeps what it took when it started, whatever becomes of its job meanwhile, until
/// the daemon starts anew and counts all by their jobs as they are then.
#[derive(Clone, Default)]
pub(crate) struct Places {
    going: BTreeMap<RunId, Vec<Bound>>,
}

impl Places {
    /// Takes note of a write that is about to be in `model`.
    pub(crate) fn note(&mut self, model: &Model, plans: &[Plan], write: &Write) {
        if let Some(run) = started(write) {
            self.going.insert(run.id, bounds(model, plans, run));
        } else if let Write::InsertRun(run) | Write::UpdateRun(run) = write
            && !is_running(run)
        {
            self.going.remove(&run.id);
        }
    }

    /// Counts anew, by the jobs as they are.
    pub(crate) fn count(model: &Model, plans: &[Plan]) -> Self {
        let running = model.active.values().filter(|run| is_running(run));
        Self { going: running.map(|run| (run.id, bounds(model, plans, run))).collect() }
    }

    /// A bound with no place left for `run`, with how many may go and do.
    pub(crate) fn lacking(&self, seen: &Seen<'_>, run: &Run) -> Option<(Bound, usize, usize)> {
        bounds(seen.model, seen.plans, run).into_iter().find_map(|bound| {
            let others = self.going.iter().filter(|(id, bounds)| **id != run.id && bounds.contains(&bound)).count();
            let most = usize::try_from(most(seen, &bound)?).unwrap_or(usize::MAX);
            (others >= most).then_some((bound, most, others))
        })
    }
}

/// What a run takes a place of: of its namespace alone if its job is gone.
fn bounds(model: &Model, plans: &[Plan], run: &Run) -> Vec<Bound> {
    if let Some(notice) = &run.notice {
        let own = Bound::Namespace(run.namespace.clone());
        let uses = notifier(model, plans, notice).map(|_| Bound::Plugin(NOTIFIER));
        return std::iter::once(own).chain(uses).collect();
    }
    let plan = model.jobs.get(&run.job_id).map(|(job, _)| Plan::of(job, plans));
    plan.map_or_else(|| vec![Bound::Namespace(run.namespace.clone())], |plan| plan.bounds(run))
}

/// The plan by whose notifier `notice` is told; none if it has none any more.
pub(crate) fn notifier<'a>(model: &Model, plans: &'a [Plan], notice: &Notice) -> Option<&'a Plan> {
    let NoticeOwner::Job(job) = notice.owner else { return None };
    let plan = model.jobs.get(&job).map(|(job, _)| Plan::of(job, plans));
    plan.filter(|plan| plan.tells_within().is_some())
}

/// How many may go; none: any number.
fn most(seen: &Seen<'_>, bound: &Bound) -> Option<u32> {
    let Options { max_running_per_namespace, max_running_of_namespace, max_running_of_plugin, .. } = seen.options;
    match bound {
        Bound::Namespace(namespace) => max_running_of_namespace.get(namespace).copied().or(*max_running_per_namespace),
        Bound::Plugin(plugin) => {
            max_running_of_plugin.iter().find(|(name, _)| name.as_str() == *plugin).map(|(_, most)| *most)
        }
        Bound::Group(namespace, name, _) => {
            let plans = seen.model.jobs.values().filter(|(job, _)| job.namespace == *namespace);
            let groups = plans.flat_map(|(job, _)| Plan::of(job, seen.plans).groups.iter());
            groups.filter(|group| group.name == *name).map(|group| group.limit).min()
        }
    }
}
