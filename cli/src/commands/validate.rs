//! `validate`: whether job files could be applied.

use std::collections::BTreeMap;
use std::path::PathBuf;

use sandglass_api::problem::Code;
use sandglass_api::wire::Applied;
use sandglass_core::schedule::{self, Calendars, Warning, WarningCode};
use sandglass_core::spec::TimeZone;
use serde::Serialize;

use super::schedule::machine_zone;
use super::{apply, files, target};
use crate::context::Context;
use crate::failure::Failure;
use crate::render::amount::counted;

#[derive(clap::Args, Debug)]
#[command(after_help = "Plugins, parameters and grants are checked by the daemon, if one answers.")]
pub(crate) struct Args {
    /// Job files in YAML, TOML or JSON, folders of them, or - for standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Do not ask the daemon
    #[arg(long)]
    offline: bool,
}

#[derive(Serialize)]
struct Report {
    valid: bool,
    jobs: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    calendars: Vec<String>,
    /// How many notifiers of the namespace there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    notifiers: Option<usize>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    templates: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    targets: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    groups: Vec<String>,
    /// Whether a daemon checked plugins, parameters and grants.
    checked_by_daemon: bool,
    /// What only a daemon can check, of each plugin that the jobs use.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    not_checked: Vec<NotChecked>,
    /// What is allowed in their schedules, and likely a slip.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<JobWarning>,
}

#[derive(Serialize)]
struct JobWarning {
    job: String,
    #[serde(flatten)]
    warning: Warning,
}

/// A plugin that no daemon was asked about.
#[derive(Serialize)]
struct NotChecked {
    plugin: String,
    jobs: Vec<String>,
    what: &'static [&'static str],
}

impl NotChecked {
    /// What only a daemon knows.
    const WHAT: &[&str] = &["plugin", "parameters", "grants"];

    /// Of every plugin that the jobs use.
    fn of(jobs: &[files::SourcedJob]) -> Vec<Self> {
        let mut plugins: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for sourced in jobs {
            let plugin = sourced.spec.as_ref().map(|spec| spec.action.uses.to_string());
            let plugin = plugin.unwrap_or_else(|| "the plugin that their templates name".to_owned());
            plugins.entry(plugin).or_default().push(sourced.job.name().to_string());
        }
        plugins.into_iter().map(|(plugin, jobs)| Self { plugin, jobs, what: Self::WHAT }).collect()
    }
}

pub(crate) async fn run(args: Args, context: &Context) -> Result<(), Failure> {
    let sources = files::read(&args.files)?;
    let answers = if args.offline { None } else { ask(&sources, context).await? };
    let checked_by_daemon = answers.is_some();
    let jobs = &sources.jobs;
    let warnings: Vec<Vec<Warning>> = match answers {
        Some(answers) => {
            let targets: Vec<_> = answers.targets.iter().map(target::Outcome::from).collect();
            apply::warn_of_targets(&sources, &targets, context);
            answers.jobs.into_iter().map(|answer| answer.warnings).collect()
        }
        None => lint(&sources, context),
    };
    for (sourced, warnings) in jobs.iter().zip(&warnings) {
        sourced.warn(warnings, context);
    }
    let named = |(sourced, warnings): (&files::SourcedJob, Vec<Warning>)| {
        let job = sourced.job.name().to_string();
        warnings.into_iter().map(move |warning| JobWarning { job: job.clone(), warning }).collect::<Vec<_>>()
    };
    let warnings = jobs.iter().zip(warnings).flat_map(named).collect();
    let names = jobs.iter().map(|sourced| sourced.job.name().to_string()).collect();
    let not_checked = if checked_by_daemon { Vec::new() } else { NotChecked::of(jobs) };
    let calendars = sources.calendars.iter().map(|calendar| calendar.name.to_string()).collect();
    let notifiers = sources.notify.as_ref().map(|sourced| sourced.notify.notify.as_slice().len());
    let templates = sources.templates.iter().map(|sourced| sourced.template.spec.name.to_string()).collect();
    let targets = sources.targets.iter().map(|sourced| sourced.part.spec.name.to_string()).collect();
    let groups = sources.groups.iter().map(|sourced| sourced.part.spec.name.to_string()).collect();
    let report = Report {
        valid: true,
        jobs: names,
        calendars,
        notifiers,
        templates,
        targets,
        groups,
        checked_by_daemon,
        not_checked,
        warnings,
    };
    context.show(&report, |context| report_text(&report, args.offline, context))
}

fn report_text(report: &Report, offline: bool, context: &Context) -> String {
    let counts = [
        (report.jobs.len(), "job"),
        (report.calendars.len(), "calendar"),
        (report.templates.len(), "template"),
        (report.targets.len(), "target"),
        (report.groups.len(), "group"),
        (report.notifiers.unwrap_or_default(), "notifier"),
    ];
    let parts: Vec<String> =
        counts.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| counted(count, what)).collect();
    let all = match parts.as_slice() {
        [] => counted(0, "job"),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    };
    let total: usize = counts.iter().map(|(count, _)| count).sum();
    let jobs = format!("{all} {}", if total == 1 { "is" } else { "are" });
    if report.checked_by_daemon {
        return format!("{}\n", context.paint.green(&format!("{jobs} valid")));
    }
    let why = if offline { "with --offline" } else { "because no daemon answers" };
    let mut text =
        format!("{}, as far as can be told without a daemon\n", context.paint.green(&format!("{jobs} valid")));
    text.push_str(&format!(
        "{} {why}: that the plugin is there, its parameters, its grants\n",
        context.paint.yellow("not checked")
    ));
    for NotChecked { plugin, jobs, .. } in &report.not_checked {
        let shown = jobs.iter().take(3).map(String::as_str).collect::<Vec<_>>().join(", ");
        let more = if jobs.len() > 3 { format!(" and {} more", jobs.len() - 3) } else { String::new() };
        text.push_str(&format!("  {plugin}: {shown}{more}\n"));
    }
    text
}

/// Likely slips in each job, as far as they can be told without a daemon: which other calendars are there is not known.
fn lint(sources: &files::Sources, context: &Context) -> Vec<Vec<Warning>> {
    let calendars: Calendars = sources.calendars.iter().collect();
    let warnings = |sourced: &files::SourcedJob| {
        // What a job comes to over a template that is not here is not known.
        let Some(spec) = &sourced.spec else { return Vec::new() };
        let zone = TimeZone(machine_zone());
        let planning = spec.planning(context.client.namespace(), context.now, zone, &calendars);
        let mut warnings = schedule::lint(spec, &planning, context.now);
        warnings.retain(|warning| warning.code != WarningCode::NoSuchCalendar);
        warnings
    };
    sources.jobs.iter().map(warnings).collect()
}

/// What a daemon says of each job and target, if one is there and has nothing against the notifiers of the namespace.
async fn ask(sources: &files::Sources, context: &Context) -> Result<Option<Applied>, Failure> {
    match apply::check(sources, context).await {
        Ok(answers) => Ok(Some(answers)),
        Err(Failure::Problem(problem)) if problem.is(Code::NoDaemon) => Ok(None),
        Err(failure) => Err(failure),
    }
}
