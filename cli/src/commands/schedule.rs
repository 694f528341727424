//! `schedule`: when an expression fires, without any daemon.

use chrono::Offset as _;
use chrono_tz::Tz;
use sandglass_core::quantity::Period;
use sandglass_core::schedule::{Calendars, Planning, Schedule};
use sandglass_core::spec::{TimeZone, Trigger, TriggerKind};
use sandglass_core::time::Timestamp;
use serde::Serialize;

use crate::context::Context;
use crate::failure::Failure;
use crate::render::amount::relative;
use crate::render::table::Table;
use crate::when::When;

#[derive(clap::Subcommand, Debug)]
pub(crate) enum Command {
    /// Show when a schedule fires next
    #[command(after_help = "Examples:\n  sandglass schedule next '0 2 * * 1-5' --timezone Europe/Berlin\n  \
                            sandglass schedule next 'every 90m' --from 2027-01-01T00:00:00Z\n  \
                            sandglass schedule next '30 1 * * *' --from 2027-03-27T00:00:00Z --json")]
    Next {
        /// A cron expression, 'every PERIOD' or 'at TIME'
        #[arg(allow_hyphen_values = true)]
        expression: String,
        /// The IANA time zone of local times [default: this machine's]
        #[arg(long, value_name = "ZONE")]
        timezone: Option<TimeZone>,
        /// Fires after this instant [default: now]
        #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
        from: Option<When>,
        /// How many fires to show
        #[arg(long, short, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100_000))]
        count: u32,
    },
}

/// Fires, as they are printed.
#[derive(Debug, Serialize)]
pub(crate) struct Fires {
    pub(crate) fires: Vec<Timestamp>,
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
            let headings: &[&str] = if is_utc { &[zone.name(), ""] } else { &[zone.name(), "UTC", ""] };
            let mut table = Table::new(headings);
            for fire in &self.fires {
                let mut row = vec![local(fire).format("%a %Y-%m-%d %H:%M:%S %Z").to_string()];
                row.extend((!is_utc).then(|| fire.to_string()));
                row.push(context.paint.dim(&relative(*fire, context.now, zone)));
                table.row(row);
            }
            table.render(context.paint)
        })
    }
}

/// This machine's time zone, which is also the default of a daemon that runs on it; UTC if it cannot be told.
pub(crate) fn machine_zone() -> Tz {
    iana_time_zone::get_timezone().ok().and_then(|name| name.parse().ok()).unwrap_or(Tz::UTC)
}

pub(crate) fn run(command: &Command, context: &Context) -> Result<(), Failure> {
    let Command::Next { expression, timezone, from, count } = command;
    let trigger = trigger(expression)?;
    let zone = timezone.map_or_else(machine_zone, |zone| zone.0);
    let from = from.map_or(context.now, |when| when.instant(context.now, zone));
    let planning = Planning { zone, since: from, seed: 0, calendars: Calendars::NONE };
    let schedule = Schedule::new(&trigger, &planning);
    let first = schedule.next_after(from);
    let fires = std::iter::successors(first, |fire| schedule.next_after(*fire)).take(*count as usize).collect();
    Fires { fires }.show(zone, context)
}

/// What an expression on the command line means.
fn trigger(text: &str) -> Result<Trigger, Failure> {
    let invalid = |message: String| {
        Failure::problem(
            sandglass_api::problem::Problem::new(sandglass_api::problem::Code::InvalidJob, message)
                .with_hint("write a cron expression such as '0 2 * * *', 'every 10m' or 'at 2026-12-24T18:00:00'"),
        )
    };
    if let Some(period) = text.trim().strip_prefix("every ") {
        let interval: Period = period.trim().parse().map_err(|error| invalid(format!("{error}")))?;
        let shortest = Period::from_secs(1);
        if interval < shortest {
            return Err(invalid(format!("'{text}' is too often: the shortest interval is {shortest}")));
        }
        return Ok(TriggerKind::Every { interval, from: None }.into());
    }
    if let Some(at) = text.trim().strip_prefix("at ") {
        return at.trim().parse().map(|at| TriggerKind::At(at).into()).map_err(invalid);
    }
    text.parse().map(|cron| TriggerKind::Cron(cron).into()).map_err(|error| invalid(format!("{error}")))
}
