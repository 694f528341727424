//! What arrives at the scheduler, and what it lets happen once its batch is durable.

mod refusal;
mod waits;

pub use refusal::Refusal;
pub use waits::WaitsFor;

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::batch::{Batch, Expectation};
use crate::calendar::Calendar;
use crate::dependency::UpstreamRun;
use crate::hold::{HoldKind, Holds, Standing};
use crate::id::{
    CalendarName, JobId, JobName, Namespace, PluginName, RunId, TargetGroupName, TargetName, TemplateName,
};
use crate::invocation::{AttemptReport, Cancel, Invocation};
use crate::job::{Cursor, Job};
use crate::job_template::{NewJob, NewTemplate, SavedTemplate};
use crate::notice::NamespaceNotify;
use crate::plugin::Plugin;
use crate::run::Run;
use crate::spec::{CalendarSpec, Notifiers, ParamValues};
use crate::target::{GroupSpec, Target, TargetGroup, TargetSpec};
use crate::time::Timestamp;

/// Everything that can arrive.
#[derive(Clone, Debug)]
pub enum Event {
    /// Time passed: whatever is due is dealt with.
    Tick,
    /// Somebody asks for something and waits for the reply.
    Command {
        /// Finds the one who waits.
        ticket: Ticket,
        /// What is asked.
        command: Command,
    },
    /// An attempt is over.
    AttemptFinished(Box<AttemptReport>),
    /// The daemon has started: `startup` triggers fire, a part of them at a time, and before anything that is due. Comes
    /// once in the life of a daemon, after the load, and again if the scheduler was loaded anew before all were durable.
    Startup {
        /// When the daemon started.
        at: Timestamp,
        /// Jobs whose fire of this start the store has a record of.
        made: BTreeSet<JobId>,
    },
    /// The store was asked by [`Effect::Recall`].
    Recalled {
        /// What it was asked.
        recall: Recall,
        /// The last run of the job that is over, skipped fires aside; none if there is none.
        last: Option<UpstreamRun>,
    },
    /// The daemon is stopping: nothing starts from now on, and what is going is asked to end.
    Shutdown,
}

/// Finds the one who waits for a reply.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Ticket(pub u64);

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
    /// Start a run of a job because another run of it, which is over, shall be made again.
    RetryRun {
        /// Whose.
        namespace: Namespace,
        /// Which job, by the name that it had then.
        name: JobName,
        /// Which job.
        job: JobId,
        /// The run that is over.
        run: RunId,
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

/// A job as it is once it was saved.
#[derive(Clone, Debug)]
pub struct SavedJob {
    /// The job.
    pub job: Arc<Job>,
    /// How far its schedule is.
    pub cursor: Cursor,
    /// What holds it back; none if nothing does.
    pub standing: Option<Box<Standing>>,
    /// Whether anything had to be written: false if the specification was the same already.
    pub changed: bool,
}

/// A calendar as it is once it was saved.
#[derive(Clone, Debug)]
pub struct SavedCalendar {
    /// The calendar.
    pub calendar: Arc<Calendar>,
    /// Whether anything had to be written: false if it was the same already.
    pub changed: bool,
}

/// A target as it is once it was saved.
#[derive(Clone, Debug)]
pub struct SavedTarget {
    /// The target.
    pub target: Arc<Target>,
    /// Whether anything had to be written: false if it was the same already.
    pub changed: bool,
}

/// A group of targets as it is once it was saved.
#[derive(Clone, Debug)]
pub struct SavedTargetGroup {
    /// The group.
    pub group: Arc<TargetGroup>,
    /// Whether anything had to be written: false if it was the same already.
    pub changed: bool,
}

/// The notifiers of a namespace as they are once they were saved.
#[derive(Clone, Debug)]
pub struct SavedNotify {
    /// The notifiers.
    pub notify: Arc<NamespaceNotify>,
    /// Whether anything had to be written: false if they were the same already.
    pub changed: bool,
}

/// The answer to a command.
#[derive(Clone, Debug)]
pub enum Reply {
    /// The job was saved.
    Job(SavedJob),
    /// The job is gone.
    JobDeleted(JobId),
    /// The holds are as they were asked for.
    Held {
        /// How many jobs were meant.
        jobs: usize,
        /// Those for which something changed, by name.
        changed: Vec<JobName>,
        /// The holds of the namespace, if it itself was meant.
        namespace: Option<Holds>,
    },
    /// The run as it is now.
    Run(Arc<Run>),
    /// The calendar was saved.
    Calendar(SavedCalendar),
    /// All was saved; in the order of the command.
    Applied {
        /// The templates.
        templates: Vec<SavedTemplate>,
        /// The calendars.
        calendars: Vec<SavedCalendar>,
        /// The targets.
        targets: Vec<SavedTarget>,
        /// The groups of targets.
        groups: Vec<SavedTargetGroup>,
        /// The jobs.
        jobs: Vec<SavedJob>,
        /// The notifiers of the namespace, if they were among it.
        notify: Option<SavedNotify>,
    },
    /// It would not be refused.
    Acceptable,
    /// What the run waits for; none if it does not wait, or waits for its next attempt.
    Waits(Option<WaitsFor>),
    /// The calendar is gone.
    CalendarDeleted(CalendarName),
    /// The target was saved.
    Target(SavedTarget),
    /// The target is gone.
    TargetDeleted(TargetName),
    /// The group of targets was saved.
    TargetGroup(SavedTargetGroup),
    /// The group of targets is gone.
    TargetGroupDeleted(TargetGroupName),
    /// The notifiers of a namespace were saved.
    Notify(SavedNotify),
    /// The notifiers of the namespace are gone.
    NotifyDeleted(Namespace),
    /// The template is gone.
    TemplateDeleted(TemplateName),
    /// What a backfill came to.
    Backfilled {
        /// The runs that were made, in the order of their fires.
        runs: Vec<RunId>,
        /// Fires passed over because they are due and not dealt with yet: the job's schedule will.
        pending: usize,
    },
    /// The plugin as it is now.
    Plugin(Arc<Plugin>),
    /// The plugin is gone.
    PluginRemoved(Arc<Plugin>),
    /// It could not be done.
    Refused(Refusal),
}

/// That the store shall be asked for the last run of a job that is over, skipped fires aside.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recall {
    /// Whose.
    pub namespace: Namespace,
    /// The job's name.
    pub name: JobName,
    /// The job.
    pub job: JobId,
}

/// What may happen once the batch is durable.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Make an attempt.
    Start(Invocation),
    /// Stop an attempt.
    Cancel(Cancel),
    /// Ask the store, and answer with [`Event::Recalled`].
    Recall(Recall),
    /// Answer a command.
    Reply {
        /// Who waits.
        ticket: Ticket,
        /// The answer.
        reply: Reply,
    },
    /// A run is over: those who follow it are told.
    Ended(Arc<Run>),
}

/// What one event came to.
#[derive(Clone, Debug, Default)]
pub struct Step {
    /// To be committed; may be empty.
    pub batch: Batch,
    /// Permitted once the batch is durable.
    pub after: Vec<Effect>,
}
