//! Concurrency groups: how many of each may go, by what the jobs say that name it.

use std::collections::{BTreeMap, HashMap};

use super::{Entry, Scheduler};
use crate::id::{GroupName, Namespace};
use crate::queue::{LimitKey, LimitOf, Needs};
use crate::run::{Run, RunState};
use crate::spec::bounds::groups;
use crate::spec::{ActionRef, JobSpec};
use crate::template::{Scope, is_template, render_key};

/// The limits that jobs name for each group, with how many jobs name each.
#[derive(Debug, Default)]
pub(super) struct Groups(HashMap<(Namespace, GroupName), BTreeMap<u32, usize>>);

impl Groups {
    /// A job names the limit. Gives the one that holds now.
    fn enter(&mut self, group: (Namespace, GroupName), limit: u32) -> u32 {
        let limits = self.0.entry(group).or_default();
        *limits.entry(limit).or_default() += 1;
        limits.first_key_value().map_or(limit, |(least, _)| *least)
    }

    /// A job no longer names the limit. Gives the one that holds now; none if no job names the group.
    fn leave(&mut self, group: &(Namespace, GroupName), limit: u32) -> Option<u32> {
        let limits = self.0.get_mut(group)?;
        if let Some(count) = limits.get_mut(&limit) {
            *count -= 1;
            if *count == 0 {
                limits.remove(&limit);
            }
        }
        let least = limits.first_key_value().map(|(least, _)| *least);
        if least.is_none() {
            self.0.remove(group);
        }
        least
    }
}

impl Scheduler {
    /// Takes note of the groups that a job names.
    pub(super) fn enter_groups(&mut self, namespace: &Namespace, spec: &JobSpec) {
        for need in groups(&spec.concurrency) {
            let least = self.groups.enter((namespace.clone(), need.group.clone()), need.limit.get());
            self.set_group_limit(namespace, &need.group, Some(least));
        }
    }

    /// The job is gone or another.
    pub(super) fn leave_groups(&mut self, namespace: &Namespace, spec: &JobSpec) {
        for need in groups(&spec.concurrency) {
            let least = self.groups.leave(&(namespace.clone(), need.group.clone()), need.limit.get());
            self.set_group_limit(namespace, &need.group, least);
        }
    }

    fn set_group_limit(&mut self, namespace: &Namespace, group: &GroupName, least: Option<u32>) {
        #[cfg(feature = "defects")]
        let least = least.map(|least| self.options.bound(super::Defect::GroupOffByOne, least));
        self.queue.set_limit(&LimitOf::Group(namespace.clone(), group.clone()), least);
    }

    /// What the next attempt of a run takes places of; of its namespace alone if its job, or its notifier, is gone.
    pub(super) fn needs(&self, run: &Run, entry: Option<&Entry>) -> Needs {
        let namespace = &run.namespace;
        let mut limits = Vec::new();
        let notifier = run.notice.as_deref().and_then(|notice| self.notifier(namespace, notice));
        let uses = notifier.map(|notifier| &notifier.uses).or_else(|| entry.map(|entry| &entry.job.spec.action.uses));
        if let Some(ActionRef { plugin, .. }) = uses
            && self.options.max_running_of_plugin.contains_key(plugin)
        {
            limits.push(LimitKey::of(LimitOf::Plugin(plugin.clone())));
        }
        if let Some(entry) = entry {
            let spec = &entry.job.spec;
            limits.extend(groups(&spec.concurrency).map(|need| LimitKey {
                of: LimitOf::Group(namespace.clone(), need.group.clone()),
                key: need.key.as_deref().map(|key| self.key_of(run, entry, key)),
            }));
        }
        Needs { namespace: namespace.clone(), limits }
    }

    fn key_of(&self, run: &Run, entry: &Entry, key: &str) -> Box<str> {
        #[cfg(feature = "defects")]
        if self.ignores_keys() {
            return Box::default();
        }
        if !is_template(key) {
            return key.into();
        }
        // A run that goes on, which is asked for after a reload, has its attempt already.
        let begun = run.attempts.last().map_or(0, |attempt| attempt.number);
        let attempt = if run.state == RunState::Running { begun } else { begun + 1 };
        let job = &entry.job;
        render_key(key, &Scope::of(run, attempt, &job.spec, job.revision, self.options.timezone)).into()
    }
}
