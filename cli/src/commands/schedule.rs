//! `schedule`: when an expression fires, without any daemon.

use chrono::Offset as _;
use chrono_tz::Tz;
use sandglass_api::jobfile;
use sandglass_api::problem::{Code, Problem};
use sandglass_core::schedule::{Calendars, ClockChange, Planning, Schedule};
use sandglass_core::spec::{Fold, Gap, TimeZone, Trigger};
use sandglass_core::time::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{explain, simulate};
use crate::context::Context;
use crate::failure::Failure;
use crate::render::amount::distant;
use crate::render::table::Table;
use crate::when::When;

#[derive(clap::Subcommand, Debug)]
pub(crate) enum Command {
    /// Show when a schedule fires next
    #[command(after_help = "Examples:\n  sandglass schedule next '0 2 * * 1-5' --timezone Europe/Berlin\n  \
                            sandglass schedule next 'every 90m' --from 2027-01-01T00:00:00Z\n  \
                            sandglass schedule next '30 2 * * *' --timezone Europe/Berlin --from 2027-03-27 --gap end\n  \
                            sandglass schedule next '{monthly: {weekday: \"last fri\", at: \"18:00\"}}' --json")]
    Next {
        /// A cron expression, 'every PERIOD', 'at TIME', 'daily TIME', or a trigger as in a job file
        #[arg(allow_hyphen_values = true)]
        expression: String,
        /// The IANA time zone of local times [default: this machine's]
        #[arg(long, value_name = "ZONE")]
        timezone: Option<TimeZone>,
        /// Fires after this instant [default: now]
        #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
        from: Option<When>,
        /// What becomes of a local time that the clocks skip [default: shift]
        #[arg(long, value_name = "shift|end|skip", value_parser = word::<Gap>)]
        gap: Option<Gap>,
        /// What becomes of a local time that the clocks show twice [default: first]
        #[arg(long, value_name = "first|last|both", value_parser = word::<Fold>)]
        fold: Option<Fold>,
        /// How many fires to show
        #[arg(long, short, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100_000))]
        count: u32,
    },
    /// Forecast what the jobs of files would do
    Simulate(simulate::Args),
    /// Say in plain English when a schedule fires, and what changes of the clocks do to it
    Explain(explain::Args),
}

/// Fires, as they are printed.
#[derive(Debug, Serialize)]
pub(crate) struct Fires {
    pub(crate) fires: Vec<Timestamp>,
    /// What is odd about each, for people.
    #[serde(skip)]
    pub(crate) notes: Vec<String>,
}

impl Fires {
    pub(crate) fn show(&self, zone: Tz, context: &Context) -> Result<(), Failure> {
        context.show(self, |context| {
            if self.fires.is_empty() {
                return "it does not fire\n".to_owned();
            }
            let local = |fire: &Timestamp| fire.to_chrono().with_timezone(&zone);
            // Where local time is UTC all along, the second column would repeat the first.
            let is_utc = self.fires.iter().all(|fire| local(fire).offset().fix().local_minus_utc() == 0);
            let headings: &[&str] = if is_utc { &[zone.name(), "", ""] } else { &[zone.name(), "UTC", "", ""] };
            let mut table = Table::new(headings);
            for (index, fire) in self.fires.iter().enumerate() {
                let mut row = vec![local(fire).format("%a %Y-%m-%d %H:%M:%S %Z").to_string()];
                row.extend((!is_utc).then(|| fire.to_string()));
                row.push(context.paint.dim(&distant(*fire, context.now)));
                row.push(self.notes.get(index).map(|note| context.paint.yellow(note)).unwrap_or_default());
                table.row(row);
            }
            table.render(context.paint)
        })
    }
}

/// What a change of the clocks did to a fire.
pub(crate) fn clock_note(change: Option<ClockChange>) -> &'static str {
    match change {
        None => "",
        Some(ClockChange::Moved) => "moved: the clocks skip its time",
        Some(ClockChange::First) => "the first of two: the clocks go back",
        Some(ClockChange::Second) => "the second of two: the clocks go back",
    }
}

/// The time zone that `TZ` names, else this machine's, which is also the default of a daemon that runs on it; UTC if
/// neither can be told.
pub(crate) fn machine_zone() -> Tz {
    let of_environment = std::env::var("TZ").ok().and_then(|value| TimeZone::of_environment(&value));
    let of_machine = || iana_time_zone::get_timezone().ok()?.parse().ok();
    of_environment.map(|zone| zone.0).or_else(of_machine).unwrap_or(Tz::UTC)
}

pub(crate) fn run(command: &Command, context: &Context) -> Result<(), Failure> {
    let (expression, timezone, from, gap, fold, count) = match command {
        Command::Next { expression, timezone, from, gap, fold, count } => {
            (expression, timezone, from, gap, fold, count)
        }
        Command::Simulate(args) => return simulate::run(args, context),
        Command::Explain(args) => return explain::run(args, context),
    };
    let trigger = trigger(expression, *gap, *fold)?;
    let zone = trigger.timezone.or(*timezone).map_or_else(machine_zone, |zone| zone.0);
    let from = from.map_or(context.now, |when| when.instant(context.now, zone));
    let planning = Planning { zone, since: from, seed: 0, calendars: Calendars::NONE };
    let schedule = Schedule::new(&trigger, &planning);
    let first = schedule.occurrence_after(from);
    let occurrences = std::iter::successors(first, |occurrence| schedule.occurrence_after(occurrence.at));
    let (fires, notes) = occurrences
        .take(*count as usize)
        .map(|occurrence| (occurrence.at, clock_note(occurrence.change).to_owned()))
        .unzip();
    Fires { fires, notes }.show(zone, context)
}

/// A word of a closed set, as job files have it.
pub(super) fn word<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_value(text.into()).map_err(|_| "it is none of the words that may stand here".to_owned())
}

/// What an expression on the command line means, with what the flags say of clock changes.
pub(super) fn trigger(text: &str, gap: Option<Gap>, fold: Option<Fold>) -> Result<Trigger, Failure> {
    let invalid = |message: String, hint: Option<String>| {
        let usual = "write a cron expression such as '0 2 * * *', 'every 10m', 'at 2026-12-24T18:00:00', 'daily 03:00', \
                     or a trigger as in a job file";
        let problem = Problem::new(Code::InvalidJob, message);
        Failure::problem(problem.with_hint(hint.unwrap_or_else(|| usual.to_owned())))
    };
    let trigger = jobfile::trigger(text, "the expression").map_err(|error| invalid(error.message, error.hint))?;
    if gap.is_none() && fold.is_none() {
        return Ok(trigger);
    }
    // Put to the trigger as if it were written there, so that a modifier that it has no use for is refused.
    let mut written = serde_json::to_value(&trigger).unwrap_or_default();
    if let Value::Object(keys) = &mut written {
        keys.extend(gap.map(|gap| ("gap".to_owned(), json!(gap))));
        keys.extend(fold.map(|fold| ("fold".to_owned(), json!(fold))));
    }
    serde_json::from_value(written).map_err(|error| invalid(error.to_string(), None))
}
