//! `calendar`: named sets of dates that triggers leave out or keep to.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::Datelike as _;
use sandglass_api::problem::{Code, Problem};
use sandglass_api::wire::{ApplyRequest, CalendarResult, Job, MAX_LIMIT, Page};
use sandglass_api::{ics, jobfile};
use sandglass_core::id::CalendarName;
use sandglass_core::spec::CalendarSpec;
use serde::Serialize;

use super::deletion::Deletion;
use super::files;
use crate::args::Form;
use crate::context::Context;
use crate::failure::Failure;
use crate::render;

/// The year up to whose end recurring events are followed.
const LAST_YEAR: i32 = 2099;
/// How many jobs that use a calendar are named.
const MOST_USERS: usize = 10;

#[derive(clap::Subcommand, Debug)]
pub(crate) enum Command {
    /// List calendars
    #[command(visible_alias = "ls")]
    List,
    /// Show a calendar, and its dates of the next twelve months
    Show {
        /// The calendar's name
        name: CalendarName,
    },
    /// Save the calendars of files
    #[command(
        after_help = "A file holds one calendar, a list of them, or 'calendars:'; `apply` takes the last beside 'jobs:'.\n\n\
                            Example:\n  name: holidays\n  dates: [2027-05-01, {from: 2027-12-24, to: 2028-01-02}]\n  \
                            weekdays: [sat, sun]\n  yearly: [\"12-25\", {month: nov, weekday: \"fourth thu\"}, {easter: -2}]"
    )]
    Apply {
        /// Calendar files in YAML, TOML or JSON, folders of them, or - for standard input
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Save the dates of an iCalendar file as a calendar
    #[command(after_help = "Example:\n  sandglass calendar import holidays germany.ics")]
    Import {
        /// The calendar's name
        name: CalendarName,
        /// The iCalendar file (RFC 5545), or - for standard input
        file: PathBuf,
        /// Print the calendar instead of saving it
        #[arg(long)]
        dry_run: bool,
    },
    /// Delete calendars that no job uses
    #[command(visible_alias = "rm")]
    Delete {
        /// The calendars' names
        #[arg(required = true, value_name = "NAME")]
        names: Vec<CalendarName>,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
}

pub(crate) async fn run(command: Command, context: &Context) -> Result<(), Failure> {
    match command {
        Command::List => {
            let page = context.client.calendars().await?;
            context.show(&page, |context| {
                if page.items.is_empty() {
                    let apply = context.command("calendar apply FILE");
                    return context.paint.dim(&format!("no calendars; save one with {apply}")) + "\n";
                }
                let wide = context.form == Form::Wide;
                render::calendar::list(&page.items, wide, context.now, context.paint)
            })
        }
        Command::Show { name } => {
            let calendar = context.client.calendar(&name).await?;
            context.show(&calendar, |context| render::calendar::show(&calendar, context.now, context.paint))
        }
        Command::Apply { files } => save(read(&files)?, context).await,
        Command::Import { name, file, dry_run } => import(name, &file, dry_run, context).await,
        Command::Delete { names, yes } => {
            let deletion = Deletion::of("calendar");
            deletion.run(&names, yes, context, async |name| context.client.delete_calendar(name).await).await
        }
    }
}

/// The calendars of files that hold nothing else.
fn read(paths: &[PathBuf]) -> Result<Vec<CalendarSpec>, Failure> {
    let (mut calendars, mut errors) = (Vec::new(), Vec::new());
    for path in files::expand(paths)? {
        let (text, source, format) = files::content(&path)?;
        match jobfile::read_calendars(&text, format, &source) {
            Ok(found) => calendars.extend(found.into_iter().map(|calendar| calendar.spec)),
            Err(found) => errors.extend(found),
        }
    }
    if errors.is_empty() { Ok(calendars) } else { Err(Failure::JobFiles(errors)) }
}

/// What became, or would become, of a calendar.
#[derive(Debug, Serialize)]
pub(crate) struct Outcome {
    calendar: CalendarName,
    pub(crate) change: Change,
    #[serde(skip)]
    pub(crate) spec: Arc<CalendarSpec>,
}

/// Whether a calendar or template is another than before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Change {
    Created,
    Changed,
    Unchanged,
}

impl Change {
    /// What became of something that has this revision by now.
    pub(super) fn of(changed: bool, revision: u64) -> Self {
        match (changed, revision) {
            (false, _) => Self::Unchanged,
            (true, 1) => Self::Created,
            (true, _) => Self::Changed,
        }
    }
}

impl From<&CalendarResult> for Outcome {
    fn from(saved: &CalendarResult) -> Self {
        let change = Change::of(saved.changed, saved.calendar.revision);
        Self { calendar: saved.calendar.name.clone(), change, spec: Arc::clone(&saved.calendar.spec) }
    }
}

async fn save(calendars: Vec<CalendarSpec>, context: &Context) -> Result<(), Failure> {
    let saved = context.client.apply(&ApplyRequest { calendars, ..ApplyRequest::default() }, false).await?;
    let page: Page<Outcome> = Page { items: saved.calendars.iter().map(Outcome::from).collect(), next: None };
    context.show(&page, |context| render::calendar::applied(&page.items, false, context.paint))?;
    warn(&page.items, context).await
}

/// Tells which jobs changed calendars touch, and of calendars that hold nothing.
pub(super) async fn warn(outcomes: &[Outcome], context: &Context) -> Result<(), Failure> {
    let changed = |outcome: &&Outcome| outcome.change == Change::Changed;
    if context.is_json() || !outcomes.iter().any(|outcome| changed(&outcome) || is_empty(&outcome.spec)) {
        return Ok(());
    }
    let jobs = all_jobs(context).await?;
    for outcome in outcomes {
        let users = jobs.iter().filter(|job| job.spec.calendars().any(|name| *name == outcome.calendar));
        let users: Vec<&str> = users.map(|job| job.name.as_str()).collect();
        let named = users.iter().take(MOST_USERS).copied().collect::<Vec<_>>().join(", ");
        let more = users.len().saturating_sub(MOST_USERS);
        let named = if more > 0 { format!("{named} and {more} more") } else { named };
        if is_empty(&outcome.spec) {
            let used = if users.is_empty() { String::new() } else { format!(", and is used by {named}") };
            let warning = context.error_paint.yellow("warning:");
            context.note(&format!("{warning} calendar '{}' holds no dates{used}", outcome.calendar));
        } else if changed(&outcome) && !users.is_empty() {
            context
                .note(&format!("calendar '{}' is used by {named}: their next fires follow it now", outcome.calendar));
        }
    }
    Ok(())
}

fn is_empty(spec: &CalendarSpec) -> bool {
    spec.dates.is_empty() && spec.weekdays.is_empty() && spec.yearly.is_empty()
}

async fn all_jobs(context: &Context) -> Result<Vec<Job>, Failure> {
    let mut page = context.client.jobs(None, Some(MAX_LIMIT), None).await?;
    while let Some(cursor) = page.next.take() {
        let more = context.client.jobs(None, Some(MAX_LIMIT), Some(&cursor)).await?;
        page.items.extend(more.items);
        page.next = more.next;
    }
    Ok(page.items)
}

async fn import(name: CalendarName, file: &Path, dry_run: bool, context: &Context) -> Result<(), Failure> {
    let (text, source) = files::text(file, ics::MOST_BYTES)?;
    let calendar = ics::read(&text, name).map_err(|error| {
        let what = format!("{source}:{}: {}", error.line, error.message);
        Problem::new(Code::InvalidFile, what).with_hint("an iCalendar file begins with BEGIN:VCALENDAR")
    })?;
    // An authority's server that fails often answers with an empty calendar; whoever means one writes it.
    if calendar.dates.is_empty() {
        let what = format!("{source} holds no dates: nothing is imported");
        let hint = format!(
            "look whether the file was fetched whole; to have '{}' without dates, save it from a file that says \
             'name: {}' with `sandglass calendar apply`",
            calendar.name, calendar.name
        );
        return Err(Problem::new(Code::InvalidFile, what).with_hint(hint).into());
    }
    if calendar.dates.last().is_some_and(|dates| dates.to().year() >= LAST_YEAR) {
        context.note(&format!(
            "what recurs without an end is written out up to the end of {LAST_YEAR}; 'yearly' in a calendar file says it shorter"
        ));
    }
    if dry_run {
        return context.show(&calendar, |_| render::calendar::spec(&calendar));
    }
    save(vec![calendar], context).await
}
