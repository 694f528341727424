//! What can be asked of the scheduler.

use std::sync::Arc;

use crate::batch::Expectation;
use crate::dependency::UpstreamRun;
use crate::hold::HoldKind;
use crate::id::{
    CalendarName, JobId, JobName, Namespace, PluginName, RunId, TargetGroupName, TargetName, TemplateName,
};
use crate::job_template::{NewJob, NewTemplate};
use crate::plugin::Plugin;
use crate::run::Rerun;
use crate::spec::{CalendarSpec, Notifiers, ParamValues};
use crate::target::{GroupSpec, TargetSpec};
use crate::time::Timestamp;

/// What can be asked.
#[derive(Clone, Debug)]
pub enum Command {
    /// Save a job. Its action has been checked against the plugin.
    PutJob {
        /// Whose.
        namespace: Namespace,
        /// What.
        job: NewJob,
        /// What must be there.
        expect: Expectation,
    },
    /// Delete a job. Its queued runs are cancelled; running ones are asked to stop.
    DeleteJob {
        /// Whose.
        namespace: Namespace,
        /// Which.
        name: JobName,
        /// What must be there.
        expect: Expectation,
    },
    /// Pause or disable jobs, or end that.
    Hold {
        /// Whose.
        namespace: Namespace,
        /// Which.
        scope: HoldScope,
        /// In which way.
        kind: HoldKind,
        /// Whether it begins or ends.
        change: HoldChange,
    },
    /// Start a run now.
    StartRun {
        /// Whose.
        namespace: Namespace,
        /// Which job.
        name: JobName,
        /// Start even if a run of the job is going.
        force: bool,
        /// Values of the job's parameters, checked against their schemas; none for its defaults.
        params: Option<Arc<ParamValues>>,
    },
    /// Make the attempt that a run of a job would make now, for its plugin to say what it would do. Nothing is started.
    PlanJob {
        /// Whose.
        namespace: Namespace,
        /// Which job.
        name: JobName,
        /// Values of the job's parameters, checked against their schemas; none for its defaults.
        params: Option<Arc<ParamValues>>,
    },
    /// Start a run of a job because another run of it, which is over, shall be made again.
    RetryRun {
        /// Whose.
        namespace: Namespace,
        /// Which job, by the name that it had then.
        name: JobName,
        /// Which job.
        job: JobId,
        /// The run that is over, and whether the new one goes on from it.
        rerun: Rerun,
        /// Start even if a run of the job is going.
        force: bool,
        /// The values of the job's parameters that the run had.
        params: Option<Arc<ParamValues>>,
        /// The runs of other jobs that the run followed from.
        upstream: Vec<UpstreamRun>,
    },
    /// Start runs for fires of the past. How far the job's schedule has been worked off stays as it is.
    Backfill {
        /// Whose.
        namespace: Namespace,
        /// Which job.
        name: JobName,
        /// The fires' instants, at most [`MAX_BACKFILL`].
        fires: Vec<Timestamp>,
        /// Also fires that have been made up for before.
        again: bool,
        /// How the runs pass one another.
        overlap: BackfillOverlap,
    },
    /// Save a calendar. The jobs that use it count from now.
    PutCalendar {
        /// Whose.
        namespace: Namespace,
        /// What.
        spec: Arc<CalendarSpec>,
        /// What must be there.
        expect: Expectation,
    },
    /// Save what belongs together: all of it, or none.
    Apply {
        /// Whose.
        namespace: Namespace,
        /// What.
        together: Together,
    },
    /// Say whether [`Command::Apply`] would be refused, but for fires that are overdue at the moment, and save nothing.
    Rehearse {
        /// Whose.
        namespace: Namespace,
        /// What.
        together: Together,
    },
    /// Save the notifiers of a namespace. Their actions have been checked.
    PutNotify {
        /// Whose.
        namespace: Namespace,
        /// What.
        notify: Arc<Notifiers>,
        /// What must be there.
        expect: Expectation,
    },
    /// Delete the notifiers of a namespace.
    DeleteNotify {
        /// Whose.
        namespace: Namespace,
        /// What must be there.
        expect: Expectation,
    },
    /// Delete a template that no job extends.
    DeleteTemplate {
        /// Whose.
        namespace: Namespace,
        /// Which.
        name: TemplateName,
    },
    /// Delete a calendar that no job uses.
    DeleteCalendar {
        /// Whose.
        namespace: Namespace,
        /// Which.
        name: CalendarName,
    },
    /// Save a target.
    PutTarget {
        /// Whose.
        namespace: Namespace,
        /// What.
        spec: Arc<TargetSpec>,
        /// What must be there.
        expect: Expectation,
    },
    /// Delete a target that no group names and no other target is reached by way of.
    DeleteTarget {
        /// Whose.
        namespace: Namespace,
        /// Which.
        name: TargetName,
        /// What must be there.
        expect: Expectation,
    },
    /// Save a group of targets.
    PutTargetGroup {
        /// Whose.
        namespace: Namespace,
        /// What.
        spec: Arc<GroupSpec>,
        /// What must be there.
        expect: Expectation,
    },
    /// Delete a group of targets that no other names.
    DeleteTargetGroup {
        /// Whose.
        namespace: Namespace,
        /// Which.
        name: TargetGroupName,
        /// What must be there.
        expect: Expectation,
    },
    /// Say what a run waits for.
    Waits {
        /// Which.
        run: RunId,
    },
    /// Stop a run.
    CancelRun {
        /// Which.
        run: RunId,
    },
    /// Add a plugin, or replace the one of the same name.
    PutPlugin {
        /// What is known of it.
        plugin: Arc<Plugin>,
        /// The component's bytes.
        wasm: Arc<[u8]>,
    },
    /// Forget a plugin that no job uses.
    RemovePlugin {
        /// Which.
        name: PluginName,
    },
}

/// Templates, calendars, targets, groups, jobs that may name them, and notifiers. The jobs and the notifiers have been checked.
#[derive(Clone, Debug, Default)]
pub struct Together {
    /// The templates, with the other jobs that extend them.
    pub templates: Vec<NewTemplate>,
    /// The calendars, whatever is there under their names.
    pub calendars: Vec<Arc<CalendarSpec>>,
    /// The targets, whatever is there under their names.
    pub targets: Vec<Arc<TargetSpec>>,
    /// The groups of targets, whatever is there under their names.
    pub groups: Vec<Arc<GroupSpec>>,
    /// The jobs, whatever is there under their names.
    pub jobs: Vec<NewJob>,
    /// The notifiers of the namespace, whatever is there; none leaves them as they are.
    pub notify: Option<Arc<Notifiers>>,
}

/// Which jobs of a namespace are held back, or are no more.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum HoldScope {
    /// The one of this name.
    Job(JobName),
    /// Those that have this tag now.
    Tag(String),
    /// Each one that is there now.
    EveryJob,
    /// The namespace itself: all its jobs, those that are saved later included.
    Namespace,
}

/// Whether a hold begins or ends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum HoldChange {
    /// It begins, unless it has.
    Begin {
        /// The unix user, or the name of the token, that asks for it.
        by: String,
        /// Why, in the words of whoever asks.
        reason: Option<String>,
    },
    /// It ends, if there is one.
    End,
}

/// The most calendars of a namespace.
pub const MAX_CALENDARS: usize = 1000;

/// The most job templates of a namespace.
pub const MAX_TEMPLATES: usize = 1000;

/// The most fires of one [`Command::Backfill`], and the most runs of a job that wait or go when it is done.
pub const MAX_BACKFILL: usize = 10_000;

/// How the runs of a backfill pass one another and other runs of the job.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum BackfillOverlap {
    /// One after another, the earliest first, and none while another run of the job is going.
    #[default]
    OneByOne,
    /// As many at once as there are places.
    AllowAll,
}
