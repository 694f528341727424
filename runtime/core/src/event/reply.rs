//! What the scheduler answers.

use std::sync::Arc;

use crate::calendar::Calendar;
use crate::hold::{Holds, Standing};
use crate::id::{CalendarName, JobId, JobName, Namespace, RunId, TargetGroupName, TargetName, TemplateName};
use crate::invocation::Invocation;
use crate::job::{Cursor, Job};
use crate::job_template::SavedTemplate;
use crate::notice::NamespaceNotify;
use crate::plugin::Plugin;
use crate::run::Run;
use crate::target::{Target, TargetGroup};

use super::{Refusal, WaitsFor};

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
    /// The attempt that a run would make; it may change nothing.
    Planned(Box<Invocation>),
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
