//! `schedule`: when an expression fires, without any daemon.

use chrono::{Offset as _, SecondsFormat};
use chrono_tz::Tz;
use sandglass_api::jobfile;
use sandglass_api::problem::{Code, Problem};
use sandglass_api::wire::Fire;
use sandglass_core::id::JobName;
use sandglass_core::schedule::{self, Calendars, Planning, Schedule, job_seed};
use sandglass_core::spec::{Fold, Gap, TimeZone, Trigger, TriggerKind};
use sandglass_core::time::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{explain, simulate};
use crate::context::Context;
use crate::failure::Failure;
use crate::render;
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
    Next(NextArgs),
    /// Forecast what the jobs of files would do
    Simulate(simulate::Args),
    /// Say in plain English when a schedule fires, and what changes of the clocks do to it
    Explain(explain::Args),
}

/// What `schedule next` takes.
#[derive(clap::Args, Debug)]
pub(crate) struct NextArgs {
    /// A cron expression, 'every PERIOD', 'at TIME', 'daily TIME', or a trigger as in a job file
    #[arg(allow_hyphen_values = true)]
    expression: String,
    /// The IANA time zone of local times [default: this machine's]
    #[arg(long, value_name = "ZONE")]
    timezone: Option<TimeZone>,
    /// Fires after this instant; from the first instant of a day, a month or a year on [default: now]
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
    /// The job whose fires they would be: what `H` and jitter come to depends on its name
    #[arg(long, value_name = "NAME")]
    job: Option<JobName>,
}

/// Fires, as they are printed.
#[derive(Debug, Serialize)]
pub(crate) struct Fires {
    fires: Vec<Timestamp>,
    /// The zone of local times.
    timezone: TimeZone,
    /// Each of the fires in full.
    details: Vec<Detail>,
    /// What is said if there are none.
    #[serde(skip)]
    none: String,
}

/// A fire in full.
#[derive(Debug, Serialize)]
struct Detail {
    #[serde(flatten)]
    fire: Fire,
    /// Its instant by the local clock, with the offset from UTC.
    local: String,
}

impl Fires {
    /// Fires in `zone`. `none` says why, if there are none.
    pub(crate) fn new(fires: Vec<Fire>, zone: Tz, none: String) -> Self {
        let local =
            |fire: &Fire| fire.at.to_chrono().with_timezone(&zone).to_rfc3339_opts(SecondsFormat::AutoSi, false);
        Self {
            fires: fires.iter().map(|fire| fire.at).collect(),
            timezone: TimeZone(zone),
            details: fires.into_iter().map(|fire| Detail { local: local(&fire), fire }).collect(),
            none,
        }
    }

    pub(crate) fn show(&self, context: &Context) -> Result<(), Failure> {
        context.show(self, |context| {
            let zone = self.timezone.0;
            if self.fires.is_empty() {
                return format!("{}\n", self.none);
            }
            let local = |fire: &Timestamp| fire.to_chrono().with_timezone(&zone);
            // Where local time is UTC all along, the second column would repeat the first.
            let is_utc = self.fires.iter().all(|fire| local(fire).offset().fix().local_minus_utc() == 0);
            let mut table = if is_utc {
                Table::new(&[zone.name(), "", ""]).under(2).spare(1)
            } else {
                Table::new(&[zone.name(), "UTC", "", ""]).spare(1).under(3).spare(2)
            };
            table = table.whole(0);
            for Detail { fire, .. } in &self.details {
                let mut row = vec![local(&fire.at).format("%a %Y-%m-%d %H:%M:%S %Z").to_string()];
                row.extend((!is_utc).then(|| fire.at.to_string()));
                row.push(context.paint.dim(&distant(fire.at, context.now)));
                row.push(context.paint.yellow(&render::fire::note(fire, zone)));
                table.row(row);
            }
            table.render(context.paint)
        })
    }
}

/// The time zone that `TZ` names, else this machine's, which is also the default of a daemon that runs on it; UTC if
/// neither can be told.
pub(crate) fn machine_zone() -> Tz {
    let of_environment = std::env::var("TZ").ok().and_then(|value| TimeZone::of_environment(&value));
    of_environment.map_or_else(zone_of_machine, |zone| zone.0)
}

/// The time zone of this machine, whatever `TZ` is here: cron is not started from here. UTC if it cannot be told.
pub(crate) fn zone_of_machine() -> Tz {
    iana_time_zone::get_timezone().ok().and_then(|name| name.parse().ok()).unwrap_or(Tz::UTC)
}

pub(crate) fn run(command: &Command, context: &Context) -> Result<(), Failure> {
    let args = match command {
        Command::Next(args) => args,
        Command::Simulate(args) => return simulate::run(args, context),
        Command::Explain(args) => return explain::run(args, context),
    };
    let trigger = trigger(&args.expression, args.gap, args.fold)?;
    let zone = trigger.timezone.or(args.timezone).map_or_else(machine_zone, |zone| zone.0);
    let from = args.from.map_or(context.now, |when| when.fires_after(context.now, zone));
    let seed = args.job.as_ref().map_or(0, |job| job_seed(context.client.namespace(), job));
    let planning = Planning { zone, since: from, seed, calendars: Calendars::NONE };
    let schedule = Schedule::new(&trigger, &planning);
    let first = schedule.occurrence_after(from);
    let occurrences = std::iter::successors(first, |occurrence| schedule.occurrence_after(occurrence.at));
    let fires = occurrences.take(args.count as usize);
    let fires = fires.map(|occurrence| Fire::new(&schedule::Fire { trigger: 0, occurrence }, None)).collect();
    Fires::new(fires, zone, none([&trigger], from, zone)).show(context)?;
    if zone_was_guessed(&trigger, args.timezone) {
        context.note("note: TZ names no IANA time zone, so the machine's own is taken");
    }
    for unknown in unknown_here(&trigger, args.job.is_some()) {
        context.note(&format!("note: {unknown}"));
    }
    Ok(())
}

/// Whether `TZ` was to say the zone of local times, and could not be understood.
fn zone_was_guessed(trigger: &Trigger, timezone: Option<TimeZone>) -> bool {
    let understood = std::env::var("TZ").map_or(true, |value| TimeZone::of_environment(&value).is_some());
    trigger.timezone.or(timezone).is_none() && !understood
}

/// Why triggers have no fires after `from`.
pub(crate) fn none<'a>(triggers: impl IntoIterator<Item = &'a Trigger>, from: Timestamp, zone: Tz) -> String {
    let mut triggers = triggers.into_iter().peekable();
    if triggers.peek().is_none() {
        return "it has no triggers: it runs only when told to".to_owned();
    }
    let kinds: Vec<&TriggerKind> = triggers.map(|trigger| &trigger.kind).collect();
    if kinds.iter().all(|kind| **kind == TriggerKind::Startup) {
        return "it fires at every start of the daemon, not by time".to_owned();
    }
    if kinds.iter().all(|kind| !kind.is_timed()) {
        return "it fires when other jobs end, as its triggers say, not by time".to_owned();
    }
    format!("it does not fire after {}", from.to_chrono().with_timezone(&zone).format("%Y-%m-%d %H:%M %Z"))
}

/// What the fires of a trigger depend on that is not known here.
fn unknown_here(trigger: &Trigger, has_job: bool) -> Vec<String> {
    let mut notes = Vec::new();
    let hashed = matches!(&trigger.kind, TriggerKind::Cron(expression) if expression.has_hash());
    if !has_job && (hashed || trigger.jitter.is_some()) {
        let what = if hashed { "what H stands for" } else { "jitter" };
        notes.push(format!("{what} depends on the job's name: give it with --job NAME for the times of that job"));
    }
    if !trigger.calendars.is_empty() {
        notes.push(
            "calendars are not asked here: see `sandglass job next`, or `sandglass schedule simulate`".to_owned(),
        );
    }
    notes
}

/// A word of a closed set, as job files have it.
pub(super) fn word<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_value(text.into()).map_err(|_| "it is none of the words that may stand here".to_owned())
}

/// Whether a text is at least in one of the forms of schedules.
fn has_a_form(text: &str) -> bool {
    let words: Vec<&str> = text.split_whitespace().collect();
    let known = words.first().is_some_and(|word| matches!(*word, "every" | "at" | "daily" | "startup"));
    known && words.len() > 1 || text.trim_start().starts_with(['{', '@']) || matches!(words.len(), 5 | 6)
}

/// What an expression on the command line means, with what the flags say of clock changes.
pub(super) fn trigger(text: &str, gap: Option<Gap>, fold: Option<Fold>) -> Result<Trigger, Failure> {
    let invalid = |message: String, hint: Option<String>| {
        let usual = "write a cron expression such as '0 2 * * *', 'every 10m', 'at 2026-12-24T18:00:00', 'daily 03:00', \
                     or a trigger as in a job file";
        let problem = Problem::new(Code::InvalidJob, message);
        // Whoever wrote one of the forms knows them; what is wrong in it was just said.
        let hint = hint.or_else(|| (!has_a_form(text)).then(|| usual.to_owned()));
        Failure::problem(match hint {
            Some(hint) => problem.with_hint(hint),
            None => problem,
        })
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
