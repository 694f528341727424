//! `schedule simulate`: what the jobs of files would do between two instants, without any daemon.

use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use sandglass_api::problem::{Code, Problem};
use sandglass_api::{ics, jobfile};
use sandglass_core::id::{CalendarName, JobName};
use sandglass_core::schedule::{Calendars, Forecast, Simulation};
use sandglass_core::spec::{CalendarSpec, JobSpec, TimeZone};
use sandglass_core::time::Timestamp;
use serde::Serialize;

use super::files;
use super::schedule::machine_zone;
use crate::context::Context;
use crate::failure::Failure;
use crate::render::simulation;
use crate::when::{self, When};

#[derive(clap::Args, Debug)]
#[command(
    after_help = format!("Examples:\n  sandglass schedule simulate jobs/ --from 2027-01-01 --to 2028-01-01\n  \
                  sandglass schedule simulate jobs/ --svg load.svg\n  \
                  sandglass schedule simulate jobs/ --fires --json\n  \
                  sandglass schedule simulate jobs/ --calendar holidays=de.ics --json\n\n{}", when::FORMS)
)]
pub(crate) struct Args {
    /// Job files in YAML, TOML or JSON, folders of them, or - for standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The first instant [default: now]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    from: Option<When>,
    /// The first instant that is no longer part of it [default: 28 days after --from]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    to: Option<When>,
    /// The IANA time zone of jobs that name none, and of the load by hour [default: this machine's]
    #[arg(long, value_name = "ZONE")]
    timezone: Option<TimeZone>,
    /// A calendar that jobs name, beside those of the files: NAME=FILE, an iCalendar file (.ics) or a calendar in YAML,
    /// TOML or JSON
    #[arg(long = "calendar", value_name = "NAME=FILE")]
    calendars: Vec<String>,
    /// Draw the load by hour into this file
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// List every fire, a line each, instead of what they add up to; with --json, a JSON object a line
    #[arg(long, conflicts_with = "svg")]
    fires: bool,
}

/// A fire, as it is listed.
#[derive(Serialize)]
struct Line<'a> {
    at: Timestamp,
    /// Its own instant, if it waits from then on for the job's window to open.
    #[serde(skip_serializing_if = "Option::is_none")]
    due_at: Option<Timestamp>,
    job: &'a JobName,
    trigger: usize,
    /// It starts nothing: a calendar excludes its date, or the job's window is closed.
    skipped: bool,
}

/// How long the forecast is if nobody says.
const DEFAULT_SPAN: std::time::Duration = std::time::Duration::from_secs(28 * 86_400);

pub(crate) fn run(args: &Args, context: &Context) -> Result<(), Failure> {
    let sources = files::read(&args.files)?;
    let jobs = sources.resolved()?;
    let zone = args.timezone.map_or_else(machine_zone, |zone| zone.0);
    let instant = |when: When| when.instant(context.now, zone);
    let from = args.from.map_or(context.now, instant);
    let to = args.to.map_or_else(|| from.after(DEFAULT_SPAN), instant);
    if to <= from {
        return Err(Failure::usage(format!(
            "the forecast ends before it begins: --to {to} is not after --from {from}"
        )));
    }
    let mut calendars: Calendars = sources.calendars.iter().collect();
    read_calendars(&args.calendars, &mut calendars)?;
    for name in missing(&jobs, &calendars) {
        context.note(&format!(
            "{} there is no calendar '{name}': give it with --calendar {name}=FILE, or it has no say",
            context.error_paint.yellow("warning:")
        ));
    }
    let forecast = Forecast { from, to, zone, namespace: context.client.namespace(), calendars: &calendars };
    if args.fires {
        return list(&forecast, &jobs, context);
    }
    let simulation = forecast.simulate(&jobs);
    if let Some(path) = &args.svg {
        write_svg(path, &simulation)?;
    }
    context.show(&simulation, |context| simulation::text(&simulation, context.paint))
}

/// Prints every fire as it is found: there may be millions.
fn list(forecast: &Forecast<'_>, jobs: &[JobSpec], context: &Context) -> Result<(), Failure> {
    let mut out = BufWriter::new(io::stdout().lock());
    for fire in forecast.fires(jobs) {
        let job = &jobs[fire.job].name;
        let written = if context.is_json() {
            let due_at = (fire.due_at != fire.at).then_some(fire.due_at);
            let line = Line { at: fire.at, due_at, job, trigger: fire.trigger, skipped: fire.skipped };
            serde_json::to_writer(&mut out, &line).map_err(io::Error::from).and_then(|()| writeln!(out))
        } else {
            let local = fire.at.to_chrono().with_timezone(&forecast.zone).format("%a %Y-%m-%d %H:%M:%S %Z");
            let note = match fire.skipped {
                true => "  skipped",
                false if fire.due_at != fire.at => "  waited for its window",
                false => "",
            };
            writeln!(out, "{local}  {job}{note}")
        };
        written.map_err(Failure::output)?;
    }
    out.flush().map_err(Failure::output)
}

fn write_svg(path: &Path, simulation: &Simulation) -> Result<(), Failure> {
    std::fs::write(path, simulation::svg(simulation))
        .map_err(|error| Failure::io(&format!("cannot write {}", path.display()), error))
}

/// The calendars that the jobs name, and that were not given.
fn missing(jobs: &[JobSpec], calendars: &Calendars) -> Vec<String> {
    let rules = jobs.iter().flat_map(|job| &job.triggers).map(|trigger| &trigger.calendars);
    let names = rules.flat_map(|rules| rules.include.iter().chain(&rules.exclude));
    let mut missing: Vec<String> =
        names.filter(|name| calendars.get(name).is_none()).map(ToString::to_string).collect();
    missing.sort();
    missing.dedup();
    missing
}

fn read_calendars(given: &[String], calendars: &mut Calendars) -> Result<(), Failure> {
    for text in given {
        let (name, path) = text.split_once('=').ok_or_else(|| {
            Failure::usage(format!("--calendar wants NAME=FILE, such as holidays=de.ics, not '{text}'"))
        })?;
        calendars.insert(&read_calendar(name, Path::new(path))?);
    }
    Ok(())
}

fn read_calendar(name: &str, path: &Path) -> Result<CalendarSpec, Failure> {
    let name: CalendarName =
        name.parse().map_err(|error: sandglass_core::id::InvalidId| Failure::usage(error.to_string()))?;
    if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("ics")) {
        let (text, source) = files::text(path, ics::MOST_BYTES)?;
        let faulty = |error: ics::InvalidIcs| invalid(&source, &format!("{}: {}", error.line, error.message));
        return ics::read(&text, name).map_err(faulty);
    }
    let (text, source, format) = files::content(path)?;
    let found = jobfile::read_calendars(&text, format, &source).map_err(Failure::JobFiles)?;
    let mut found: Vec<CalendarSpec> = found.into_iter().map(|calendar| calendar.spec).collect();
    // A file of one calendar may call it otherwise; of several the one of this name is meant.
    match (found.iter().position(|calendar| calendar.name == name), found.len()) {
        (Some(place), _) => Ok(found.swap_remove(place)),
        (None, 1) => Ok(CalendarSpec { name, ..found.swap_remove(0) }),
        (None, count) => Err(invalid(&source, &format!("it holds {count} calendars, and none of them is '{name}'"))),
    }
}

fn invalid(source: &str, message: &str) -> Failure {
    Problem::new(Code::InvalidFile, format!("{source}: {message}")).into()
}
