//! `schedule simulate`: what the jobs of files would do between two instants, without any daemon.

use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use sandglass_api::ics;
use sandglass_api::problem::{Code, Problem};
use sandglass_core::id::JobName;
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

/// The largest calendar file that is read.
const MAX_CALENDAR_BYTES: u64 = 16 << 20;

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
    /// A calendar that jobs name, beside those of the files: NAME=FILE, an iCalendar file (.ics) or the calendar in JSON
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
    job: &'a JobName,
    trigger: usize,
    /// It starts nothing: a calendar excludes its date, or the job's window is closed.
    skipped: bool,
}

/// How long the forecast is if nobody says.
const DEFAULT_SPAN: std::time::Duration = std::time::Duration::from_secs(28 * 86_400);

pub(crate) fn run(args: &Args, context: &Context) -> Result<(), Failure> {
    let sources = files::read(&args.files)?;
    let jobs: Vec<JobSpec> = sources.jobs.into_iter().map(|sourced| sourced.job.spec).collect();
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
            let line = Line { at: fire.at, job, trigger: fire.trigger, skipped: fire.skipped };
            serde_json::to_writer(&mut out, &line).map_err(io::Error::from).and_then(|()| writeln!(out))
        } else {
            let local = fire.at.to_chrono().with_timezone(&forecast.zone).format("%a %Y-%m-%d %H:%M:%S %Z");
            let skipped = if fire.skipped { "  skipped" } else { "" };
            writeln!(out, "{local}  {job}{skipped}")
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
    let name = name.parse().map_err(|error: sandglass_core::id::InvalidId| Failure::usage(error.to_string()))?;
    let failed = |error| Failure::io(&format!("cannot read {}", path.display()), error);
    if std::fs::metadata(path).map_err(failed)?.len() > MAX_CALENDAR_BYTES {
        return Err(invalid(path, "the file is larger than a calendar may be"));
    }
    let text = std::fs::read_to_string(path).map_err(failed)?;
    if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("ics")) {
        return ics::read(&text, name).map_err(|error| invalid(path, &error.to_string()));
    }
    let calendar: CalendarSpec = serde_json::from_str(&text).map_err(|error| invalid(path, &error.to_string()))?;
    Ok(CalendarSpec { name, ..calendar })
}

fn invalid(path: &Path, message: &str) -> Failure {
    Problem::new(Code::InvalidFile, format!("{}: {message}", path.display())).into()
}
