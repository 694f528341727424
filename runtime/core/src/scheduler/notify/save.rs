//! The notifiers of namespaces are saved and deleted, and those of a job go with it.

use std::sync::Arc;

use super::super::Scheduler;
use crate::batch::{Expectation, Write};
use crate::event::{Refusal, Reply, SavedNotify, Step};
use crate::id::{JobId, Namespace, PluginName};
use crate::job::Job;
use crate::notice::{NamespaceNotify, NoticeOwner};
use crate::run::CancelCause;
use crate::spec::{ActionRef, Notifiers};
use crate::time::Timestamp;

impl Scheduler {
    pub(in super::super) fn put_notify(
        &mut self,
        namespace: &Namespace,
        notify: &Arc<Notifiers>,
        expect: Expectation,
        now: Timestamp,
        step: &mut Step,
    ) -> Result<Reply, Refusal> {
        self.check_actions(notify.actions())?;
        self.check_revision(namespace, expect)?;
        Ok(Reply::Notify(self.save_notify(namespace, notify, now, step)))
    }

    fn check_revision(&self, namespace: &Namespace, expect: Expectation) -> Result<(), Refusal> {
        let actual = self.notify.namespaces.get(namespace).map_or(0, |notify| notify.revision);
        if expect.holds(actual) {
            return Ok(());
        }
        Err(Refusal::NotifyConflict { namespace: namespace.clone(), actual })
    }

    pub(in super::super) fn save_notify(
        &mut self,
        namespace: &Namespace,
        notify: &Arc<Notifiers>,
        now: Timestamp,
        step: &mut Step,
    ) -> SavedNotify {
        let old = self.notify.namespaces.get(namespace).cloned();
        if let Some(same) = old.as_ref().filter(|old| old.notify == *notify) {
            return SavedNotify { notify: Arc::clone(same), changed: false };
        }
        let saved = Arc::new(NamespaceNotify {
            namespace: namespace.clone(),
            revision: old.as_ref().map_or(0, |old| old.revision) + 1,
            notify: Arc::clone(notify),
            updated_at: now,
        });
        step.batch.writes.push(Write::PutNotify(Arc::clone(&saved)));
        self.adopt_notify(Arc::clone(&saved));
        self.watch_namespace(namespace);
        if let Some(old) = old {
            self.move_notifiers(namespace, NoticeOwner::Namespace, &old.notify, notify, step);
        }
        SavedNotify { notify: saved, changed: true }
    }

    /// Takes in notifiers that the store has, or will have.
    pub(in super::super) fn adopt_notify(&mut self, notify: Arc<NamespaceNotify>) {
        self.notify.namespaces.insert(notify.namespace.clone(), notify);
    }

    pub(in super::super) fn delete_notify(
        &mut self,
        namespace: Namespace,
        expect: Expectation,
        step: &mut Step,
    ) -> Result<Reply, Refusal> {
        let Some(revision) = self.notify.namespaces.get(&namespace).map(|notify| notify.revision) else {
            return Err(Refusal::NoNotify(namespace));
        };
        self.check_revision(&namespace, expect)?;
        let old = self.notify.namespaces.remove(&namespace);
        self.watch_namespace(&namespace);
        if let Some(old) = old {
            self.move_notifiers(&namespace, NoticeOwner::Namespace, &old.notify, &Notifiers::default(), step);
        }
        step.batch.writes.push(Write::DeleteNotify { namespace: namespace.clone(), revision });
        Ok(Reply::NotifyDeleted(namespace))
    }

    /// All jobs of a namespace are watched as its notifiers are now.
    fn watch_namespace(&mut self, namespace: &Namespace) {
        let jobs = self.names.get(namespace).map(|names| names.values().copied().collect::<Vec<JobId>>());
        for job in jobs.unwrap_or_default() {
            self.watch_again(job);
        }
    }

    /// A job was deleted: what its notifiers have under way and not begun is cancelled, as its own runs are.
    pub(in super::super) fn forget_notifiers(&mut self, job: &Job, now: Timestamp, step: &mut Step) {
        self.notify.silences.set(job.id, None);
        self.count_notified(&job.spec, false);
        for (entry, _) in job.spec.notify.iter() {
            let id = JobId::of_notifier(&job.namespace, NoticeOwner::Job(job.id), entry);
            if let Some(run) = self.notify.lines.remove(&id).and_then(|line| line.waiting) {
                self.stop_run(run, CancelCause::User, false, now, step);
            }
        }
    }

    /// Refuses a change of the plugin `name` if it is used by notifiers of a namespace whose actions it `concerns`.
    pub(in super::super) fn check_notified(
        &self,
        name: &PluginName,
        concerns: impl Fn(&mut dyn Iterator<Item = &ActionRef>) -> bool,
    ) -> Result<(), Refusal> {
        let used =
            self.notify.namespaces.values().filter(|notify| notify.notify.actions().any(|uses| uses.plugin == *name));
        let concerned = used.filter(|notify| concerns(&mut notify.notify.actions()));
        // The first by name, so that the answer is the same whenever it is asked for.
        match concerned.map(|notify| &notify.namespace).min() {
            Some(namespace) => Err(Refusal::PluginNotifies { name: name.clone(), namespace: namespace.clone() }),
            None => Ok(()),
        }
    }
}
