//! A job's fires: those ahead, why there was or was not one, and runs for those of the past.

use chrono_tz::Tz;
use sandglass_api::wire::{BackfillRequest, Job, Overlap};
use sandglass_core::id::JobName;

use super::confirm::confirm;
use super::schedule::{Fires, machine_zone, none};
use crate::context::Context;
use crate::failure::Failure;
use crate::render;
use crate::render::amount::counted;
use crate::when::When;

/// What `job backfill` takes.
#[derive(clap::Args, Debug)]
pub(crate) struct BackfillArgs {
    /// The job's name
    name: JobName,
    /// Fires from this instant on
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    from: When,
    /// Fires before this instant [default: now]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    to: Option<When>,
    /// One run after another, or as many at once as there are places [default: one_by_one]
    #[arg(long, value_name = "one_by_one|allow_all", value_parser = overlap)]
    overlap: Option<Overlap>,
    /// Also fires that have run already
    #[arg(long)]
    all: bool,
    /// Say how many runs it would be, and start none
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

fn overlap(text: &str) -> Result<Overlap, String> {
    serde_json::from_value(text.into()).map_err(|_| "write one_by_one or allow_all".to_owned())
}

/// The zone of the job's local times: its own, else the daemon's.
async fn zone_of(name: &JobName, context: &Context) -> Result<Tz, Failure> {
    zone_of_job(&context.client.job(name).await?, context).await
}

pub(super) async fn zone_of_job(job: &Job, context: &Context) -> Result<Tz, Failure> {
    match job.spec.timezone {
        Some(zone) => Ok(zone.0),
        None => Ok(context.client.status().await?.timezone.map_or_else(machine_zone, |zone| zone.0)),
    }
}

/// Shows the job's next fires.
pub(crate) async fn next(name: &JobName, count: usize, from: Option<When>, context: &Context) -> Result<(), Failure> {
    let job = context.client.job(name).await?;
    let zone = zone_of_job(&job, context).await?;
    let from = from.map(|when| when.fires_after(context.now, zone));
    let page = context.client.next_fires(name, Some(count), from).await?;
    let most = job.spec.max_runs.filter(|_| job.next_fire_at.is_none());
    let none = match most {
        _ if !job.enabled => "it does not fire: it is disabled".to_owned(),
        Some(most) => format!("it does not fire any more: max_runs permits {most} runs"),
        None => none(&job.spec.triggers, from.unwrap_or(context.now), zone),
    };
    Fires::new(page.items, zone, none).show(context)?;
    let held = [(&job.disabled, "disabled", "enable"), (&job.paused, "paused", "resume")];
    for (hold, word, verb) in held {
        if let Some(hold) = hold {
            let which = if hold.namespace_wide { "--namespace-wide" } else { job.name.as_str() };
            let next = context.command(&format!("job {verb} {which}"));
            let starts = if word == "paused" { ", and its fires start nothing" } else { "" };
            context.note(&format!(
                "note: the job is {word}, {}{starts}; {next} ends that",
                render::hold::in_full(hold, &job, context.now)
            ));
        }
    }
    Ok(())
}

/// Says why the job ran or did not run at a time.
pub(crate) async fn why(name: &JobName, at: When, context: &Context) -> Result<(), Failure> {
    let zone = zone_of(name, context).await?;
    let why = context.client.why(name, at.instant(context.now, zone)).await?;
    context.show(&why, |context| render::fire::why(&why, zone, context.now, context.paint))
}

/// Starts runs for fires of the past, once somebody agreed to their number.
pub(crate) async fn backfill(args: BackfillArgs, context: &Context) -> Result<(), Failure> {
    let zone = zone_of(&args.name, context).await?;
    let request = BackfillRequest {
        from: args.from.instant(context.now, zone),
        to: args.to.map(|when| when.instant(context.now, zone)),
        overlap: args.overlap.unwrap_or_default(),
        all: args.all,
    };
    let planned = context.client.backfill(&args.name, &request, true).await?;
    if args.dry_run || planned.runs == 0 {
        return context.show(&planned, |context| render::fire::backfill(&planned, zone, context.paint));
    }
    let question = format!("{} Start {}?", render::fire::counts(&planned, zone), counted(planned.runs, "run"));
    confirm(&question, args.yes, "nothing was started")?;
    // Between the question and the answer fires may have been added; the runs are those of the time that was agreed to.
    let request = BackfillRequest { to: Some(planned.to), ..request };
    let started = context.client.backfill(&args.name, &request, false).await?;
    context.show(&started, |context| render::fire::backfill(&started, zone, context.paint))
}
