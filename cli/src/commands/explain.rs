//! `schedule explain`: a trigger in plain English, and what changes of the clocks do to it.

use sandglass_core::schedule::{Calendars, Explanation, Planning, explain};
use sandglass_core::spec::{Fold, Gap, TimeZone};

use super::schedule::{machine_zone, trigger, word};
use crate::context::Context;
use crate::failure::Failure;
use crate::render::paint::Paint;

/// The most changes of the clocks that are told one by one.
const TOLD: usize = 10;

#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  sandglass schedule explain '30 2 * * 1-5' --timezone Europe/Berlin\n  \
                        sandglass schedule explain '{monthly: {weekday: \"last fri\", at: \"18:00\"}, jitter: 5m}'")]
pub(crate) struct Args {
    /// A cron expression, 'every PERIOD', 'at TIME', 'daily TIME', or a trigger as in a job file
    #[arg(allow_hyphen_values = true)]
    expression: String,
    /// The IANA time zone of local times [default: this machine's]
    #[arg(long, value_name = "ZONE")]
    timezone: Option<TimeZone>,
    /// What becomes of a local time that the clocks skip [default: shift]
    #[arg(long, value_name = "shift|end|skip", value_parser = word::<Gap>)]
    gap: Option<Gap>,
    /// What becomes of a local time that the clocks show twice [default: first]
    #[arg(long, value_name = "first|last|both", value_parser = word::<Fold>)]
    fold: Option<Fold>,
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<(), Failure> {
    let trigger = trigger(&args.expression, args.gap, args.fold)?;
    let zone = args.timezone.map_or_else(machine_zone, |zone| zone.0);
    let planning = Planning { zone, since: context.now, seed: 0, calendars: Calendars::NONE };
    let explanation = explain(&trigger, &planning, context.now);
    context.show(&explanation, |context| text(&explanation, context.paint))
}

fn text(explanation: &Explanation, paint: Paint) -> String {
    let mut text = format!("{}\n", paint.bold(&explanation.summary));
    for note in &explanation.notes {
        text.push_str(&format!("  {note}\n"));
    }
    let changes = &explanation.clock_changes;
    if !changes.is_empty() {
        text.push_str("\nchanges of the clocks, in the next two years:\n");
        text.extend(changes.iter().take(TOLD).map(|change| format!("  {change}\n")));
        if changes.len() > TOLD {
            text.push_str(&format!("  and {} more\n", changes.len() - TOLD));
        }
    }
    text
}
