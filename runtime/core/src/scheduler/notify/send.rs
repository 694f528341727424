//! The attempts of notifications.

use std::sync::Arc;
use std::time::Duration;

use super::super::Scheduler;
use super::super::plan::{self, Doing};
use crate::invocation::{TimeLimit, Work};
use crate::notice::Notice;
use crate::run::Run;
use crate::spec::Limits;
use crate::template::{Scope, with_defaults};

/// How long a notification that is stopped has to end by itself.
const GRACE: Duration = Duration::from_secs(10);

impl Scheduler {
    /// What an attempt of `run` does, which tells `notice`: by its notifier as it is now. None if that is gone, or its
    /// plugin.
    pub(in super::super) fn work_of_notice(&self, run: &Run, notice: &Notice) -> Option<Arc<Work>> {
        let notifier = self.notifier(&run.namespace, notice)?;
        let plugin = self.plugins.get(&notifier.uses.plugin)?;
        let action = plugin.action(notifier.uses.action.as_deref())?;
        let with = with_defaults(&notifier.with, &action.params_schema);
        let doing = Doing {
            job_id: run.job_id,
            job: &run.job,
            revision: run.revision,
            uses: &notifier.uses,
            with: &with,
            env: &notifier.env,
            secrets: &[],
            working_dir: None,
            grants: notifier.grants.as_deref(),
            timeout: notifier.timeout.get(),
            time_limit: TimeLimit::Timeout,
            grace: GRACE,
            limits: Limits::default(),
        };
        let scope = || {
            let attempt = run.attempts.last().map_or(1, |attempt| attempt.number);
            let newest = notice.newest().map_or(&run.job, |event| &event.job);
            let job = self.job_named(&run.namespace, newest).ok().and_then(|id| self.jobs.get(&id));
            let spec = job.map(|entry| &*entry.job.spec);
            let scope = Scope::of_notice(run, attempt, notice, spec, run.revision, self.options.timezone);
            Scope { public_url: self.options.public_url.clone(), ..scope }
        };
        plan::work(&doing, &run.namespace, plugin, &self.options, scope).map(Arc::new)
    }
}
