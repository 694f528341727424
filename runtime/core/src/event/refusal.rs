//! Why commands are refused, in words that say what to do.

use super::{MAX_BACKFILL, MAX_CALENDARS, MAX_TEMPLATES};
use crate::id::{CalendarName, JobName, Namespace, PluginName, RunId, TemplateName};
use crate::spelling::nearest;
use crate::target::{FleetError, FleetPart, TargetUsers};
use crate::time::Timestamp;

/// Why a command could not be done. Nothing was changed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// There is no such job.
    #[error("there is no job '{name}' in namespace '{namespace}'")]
    NoJob {
        /// Where it was looked for.
        namespace: Namespace,
        /// What was looked for.
        name: JobName,
    },
    /// No job has the tag.
    #[error("there is no job with the tag '{tag}' in namespace '{namespace}'")]
    NoJobTagged {
        /// Where it was looked for.
        namespace: Namespace,
        /// What was looked for.
        tag: String,
    },
    /// The job is disabled.
    #[error(
        "job '{name}' is disabled{}, by {by} since {since}: enable {} first",
        if *whole_namespace { " with its namespace" } else { "" },
        if *whole_namespace { "the namespace" } else { "it" }
    )]
    Disabled {
        /// The job.
        name: JobName,
        /// Who disabled it.
        by: String,
        /// Since when.
        since: Timestamp,
        /// Whether it is the whole namespace that is disabled.
        whole_namespace: bool,
    },
    /// The job does not declare the parameter.
    #[error("job '{name}' has no parameter '{parameter}'")]
    NoParameter {
        /// The job.
        name: JobName,
        /// What it lacks.
        parameter: String,
    },
    /// A parameter without a default was not given a value.
    #[error("parameter '{parameter}' of job '{name}' is missing: it has no default")]
    MissingParameter {
        /// The job.
        name: JobName,
        /// What is missing.
        parameter: String,
    },
    /// There is no such run, or it is over.
    #[error("run {0} is not going: it is over or never was")]
    NoActiveRun(RunId),
    /// The job names another that is not there.
    #[error(
        "job '{name}' waits for job '{upstream}', which is not there{}: save that first, or apply both together",
        nearest.as_ref().map(|nearest| format!(" (did you mean '{nearest}'?)")).unwrap_or_default()
    )]
    NoUpstream {
        /// The job.
        name: JobName,
        /// What it names.
        upstream: JobName,
        /// What was perhaps meant.
        nearest: Option<String>,
    },
    /// Jobs come after one another in a circle.
    #[error("{} would start over and over: {}; let one of them not come after the other",
        if jobs.len() > 2 { "these jobs" } else { "the job" }, circle(jobs))]
    Circle {
        /// The jobs, each coming after the next; the first is the last too.
        jobs: Vec<JobName>,
    },
    /// Other jobs wait for the job.
    #[error("job '{name}' is waited for by {}, such as '{example}': delete or change {} first",
        if *jobs == 1 { "1 job".to_owned() } else { format!("{jobs} jobs") }, if *jobs == 1 { "it" } else { "them" })]
    JobInUse {
        /// The job.
        name: JobName,
        /// How many jobs.
        jobs: usize,
        /// One of them.
        example: JobName,
    },
    /// There is no such plugin.
    #[error("there is no plugin '{0}'")]
    NoPlugin(PluginName),
    /// The job has another revision than expected, or is there already.
    #[error("job '{name}' is at revision {actual}, not at the expected one: read it again and repeat the change")]
    RevisionConflict {
        /// The job.
        name: JobName,
        /// Its revision; 0 if there is none.
        actual: u64,
    },
    /// More fires are overdue than can be dealt with at once, and a change of their schedule would lose them.
    #[error(
        "job '{name}' has more than {most} overdue fires, which are being recorded one by one: repeat the change in a moment"
    )]
    Overdue {
        /// The job, or one of those that a calendar concerns.
        name: JobName,
        /// How many can be dealt with at once.
        most: usize,
    },
    /// There is no such calendar.
    #[error("there is no calendar '{name}' in namespace '{namespace}'")]
    NoCalendar {
        /// Where it was looked for.
        namespace: Namespace,
        /// What was looked for.
        name: CalendarName,
    },
    /// The namespace has as many calendars as it may.
    #[error(
        "namespace '{namespace}' would have {count} calendars: {MAX_CALENDARS} are allowed; put several into one, or delete what is not used"
    )]
    TooManyCalendars {
        /// The namespace.
        namespace: Namespace,
        /// How many there would be.
        count: usize,
    },
    /// The calendar has another revision than expected, or is there already.
    #[error("calendar '{name}' is at revision {actual}, not at the expected one: read it again and repeat the change")]
    CalendarConflict {
        /// The calendar.
        name: CalendarName,
        /// Its revision; 0 if there is none.
        actual: u64,
    },
    /// Jobs use the calendar.
    #[error("calendar '{name}' is used by {jobs} {}, such as '{example}': delete or change them first", if *jobs == 1 { "job" } else { "jobs" })]
    CalendarInUse {
        /// The calendar.
        name: CalendarName,
        /// How many jobs.
        jobs: usize,
        /// One of them.
        example: JobName,
    },
    /// There is no such job template.
    #[error("there is no template '{name}' in namespace '{namespace}'{}", match meant {
        Some(meant) => format!("; did you mean '{meant}'?"),
        None => String::new(),
    })]
    NoTemplate {
        /// Where it was looked for.
        namespace: Namespace,
        /// What was looked for.
        name: TemplateName,
        /// What was probably meant.
        meant: Option<TemplateName>,
    },
    /// The namespace has as many templates as it may.
    #[error(
        "namespace '{namespace}' would have {count} templates: {MAX_TEMPLATES} are allowed; delete what is not used"
    )]
    TooManyTemplates {
        /// The namespace.
        namespace: Namespace,
        /// How many there would be.
        count: usize,
    },
    /// The template has another revision than expected, or is there already.
    #[error("template '{name}' is at revision {actual}, not at the expected one: read it again and repeat the change")]
    TemplateConflict {
        /// The template.
        name: TemplateName,
        /// Its revision; 0 if there is none.
        actual: u64,
    },
    /// Jobs extend the template.
    #[error("template '{name}' is extended by {jobs} {}, such as '{example}': delete or change them first", if *jobs == 1 { "job" } else { "jobs" })]
    TemplateInUse {
        /// The template.
        name: TemplateName,
        /// How many jobs.
        jobs: usize,
        /// One of them.
        example: JobName,
    },
    /// A job that extends the template could not be as it would make it.
    #[error("template '{name}' cannot be changed so, because of job '{job}', which extends it: {why}")]
    TemplateBreaks {
        /// The template.
        name: TemplateName,
        /// The job.
        job: JobName,
        /// Why the job could not be saved.
        why: Box<Refusal>,
    },
    /// The template, or a job that extends it, was changed after the change had been checked and before it was made.
    #[error("template '{name}', or a job that extends it, was changed in the meantime: repeat the change")]
    TemplateMoved {
        /// The template.
        name: TemplateName,
    },
    /// There is no such target or group.
    #[error("there is no {what} in namespace '{namespace}'{}", match meant {
        Some(meant) => format!("; did you mean '{meant}'?"),
        None => String::new(),
    })]
    NoTarget {
        /// Where it was looked for.
        namespace: Namespace,
        /// What was looked for.
        what: FleetPart,
        /// What was probably meant.
        meant: Option<String>,
    },
    /// The target or group has another revision than expected, or is there already.
    #[error("{what} is at revision {actual}, not at the expected one: read it again and repeat the change")]
    TargetConflict {
        /// The target or group.
        what: FleetPart,
        /// Its revision; 0 if there is none.
        actual: u64,
    },
    /// Targets are reached by way of the target, or groups name it.
    #[error("{what} is named by {users}: delete or change {} first", if users.targets.len() + users.groups.len() == 1 { "that" } else { "them" })]
    TargetInUse {
        /// The target or group.
        what: FleetPart,
        /// What names it.
        users: TargetUsers,
    },
    /// The targets and groups of the namespace would not fit together.
    #[error(transparent)]
    Fleet(Box<FleetError>),
    /// Jobs use the plugin.
    #[error("plugin '{name}' is used by {}, such as '{example}': delete or change {} first",
        if *jobs == 1 { "1 job".to_owned() } else { format!("{jobs} jobs") }, if *jobs == 1 { "it" } else { "them" })]
    PluginInUse {
        /// The plugin.
        name: PluginName,
        /// How many jobs.
        jobs: usize,
        /// One of them.
        example: JobName,
    },
    /// Jobs use what the plugin had and the one that would replace it has not: an action, or its version.
    #[error("the new plugin '{name}' has no '{missing}', which {} {}, such as '{example}': change {} first",
        if *jobs == 1 { "1 job".to_owned() } else { format!("{jobs} jobs") }, if *jobs == 1 { "uses" } else { "use" },
        if *jobs == 1 { "it" } else { "them" })]
    PluginLacks {
        /// The plugin.
        name: PluginName,
        /// What it lacks, as a job names it.
        missing: String,
        /// How many jobs.
        jobs: usize,
        /// One of them.
        example: JobName,
    },
    /// The notifiers of a namespace use the plugin.
    #[error("plugin '{name}' is used by the notifiers of namespace '{namespace}': delete or change them first")]
    PluginNotifies {
        /// The plugin.
        name: PluginName,
        /// The namespace.
        namespace: Namespace,
    },
    /// The namespace has no notifiers.
    #[error("namespace '{0}' has no notifiers")]
    NoNotify(Namespace),
    /// The notifiers have another revision than expected, or are there already.
    #[error(
        "the notifiers of namespace '{namespace}' are at revision {actual}, not at the expected one: read them again and \
         repeat the change"
    )]
    NotifyConflict {
        /// The namespace.
        namespace: Namespace,
        /// Their revision; 0 if there are none.
        actual: u64,
    },
    /// Too many fires in one backfill.
    #[error("{fires} fires are too many for one backfill: {MAX_BACKFILL} are allowed; split the time into parts")]
    BackfillTooLarge {
        /// How many were asked for.
        fires: usize,
    },
    /// So many runs of the job wait or go already that a backfill would make them too many.
    #[error(
        "{active} runs of job '{name}' wait or go already, and {fires} more would be over the {MAX_BACKFILL} that are \
         allowed: wait until some are over, or cancel them"
    )]
    BackfillTooLong {
        /// The job.
        name: JobName,
        /// How many wait or go.
        active: usize,
        /// How many would be made.
        fires: usize,
    },
    /// The plugin came with Sandglass.
    #[error("plugin '{0}' came with Sandglass and cannot be removed")]
    BuiltIn(PluginName),
    /// The daemon is stopping.
    #[error("the daemon is stopping")]
    Stopping,
}

impl Refusal {
    /// That there is no template of this name, and which of those that are `known` was probably meant.
    #[must_use]
    pub fn no_template<'a>(
        namespace: &Namespace,
        name: &TemplateName,
        known: impl Iterator<Item = &'a TemplateName>,
    ) -> Self {
        let meant = nearest(name.as_str(), known.map(TemplateName::as_str)).and_then(|near| near.parse().ok());
        Self::NoTemplate { namespace: namespace.clone(), name: name.clone(), meant }
    }
}

/// `'a' comes after 'b', 'b' after 'a'`.
fn circle(jobs: &[JobName]) -> String {
    let pairs = jobs.windows(2).enumerate();
    let pairs = pairs.map(|(place, pair)| {
        let comes = if place == 0 { "comes " } else { "" };
        format!("'{}' {comes}after '{}'", pair[0], pair[1])
    });
    pairs.collect::<Vec<_>>().join(", ")
}
