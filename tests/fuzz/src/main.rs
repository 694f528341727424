//! Feeds the readers of schedules and of selectors of targets with random text for as long as it is told to: `sandglass-fuzz [MINUTES] [SEED]`.
//!
//! No text may make a reader panic or take long; what is read must show itself as text that means the same, and must be
//! evaluated without a panic or a long search. The first text that breaks a rule is printed, with the seed.

mod text;

use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::str::FromStr;
use std::time::{Duration, Instant};

use sandglass_core::quantity::Period;
use sandglass_core::schedule::{Calendars, CronExpression, Planning, Schedule};
use sandglass_core::spec::{LocalOrUtc, Trigger};
use sandglass_core::target::{HostKey, LabelExpression, Selector};
use sandglass_core::time::Timestamp;
use serde_json::Value;

/// No text may take longer, on a machine that does other things too. The usual time is some microseconds.
const LONG: Duration = Duration::from_secs(2);
/// How often progress is told.
const TOLD: Duration = Duration::from_secs(60);
/// Fires that are asked for of whatever was read.
const FIRES: usize = 5;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let minutes: f64 = arguments.next().map_or(Ok(1.0), |text| text.parse())?;
    let seed: u64 = arguments.next().map_or(Ok(1), |text| text.parse())?;
    let mut rng = fastrand::Rng::with_seed(seed);
    let limit = Duration::try_from_secs_f64(minutes * 60.0)?;
    let begin = now();
    let (mut texts, mut read, mut told, mut longest) = (0_u64, 0_u64, Duration::ZERO, Duration::ZERO);
    println!("seed {seed}, for {minutes} minutes");
    while begin.elapsed() < limit {
        let text = text::next(&mut rng);
        let from = Timestamp::from_secs(rng.i64(-100_000_000..4_200_000_000));
        let zone = chrono_tz::TZ_VARIANTS[rng.usize(..chrono_tz::TZ_VARIANTS.len())];
        let start = now();
        let outcome = catch_unwind(AssertUnwindSafe(|| feed(&text, from, zone)));
        let took = start.elapsed();
        longest = longest.max(took);
        texts += 1;
        match outcome {
            Ok(Ok(readings)) => read += u64::from(readings > 0),
            Ok(Err(why)) => anyhow::bail!("{text:?} from {from} in {zone} (seed {seed}): {why}"),
            Err(_) => anyhow::bail!("{text:?} from {from} in {zone} (seed {seed}) panics"),
        }
        anyhow::ensure!(took < LONG, "{text:?} from {from} in {zone} (seed {seed}) took {took:?}");
        if begin.elapsed() > told + TOLD {
            told = begin.elapsed();
            println!("{} min: {texts} texts, {read} of them read, the longest took {longest:?}", told.as_secs() / 60);
        }
    }
    println!("{texts} texts, {read} of them read, the longest took {longest:?}: no fault found");
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "how long a text takes is what is looked at")]
fn now() -> Instant {
    Instant::now()
}

/// Gives `text` to every reader, and asks for fires of what they make of it. Says how many could read it.
fn feed(text: &str, from: Timestamp, zone: chrono_tz::Tz) -> Result<usize, String> {
    let mut readings = 0;
    if let Ok(expression) = text.parse::<CronExpression>() {
        let shown = expression.to_string();
        let again = shown.parse::<CronExpression>().map_err(|error| format!("shown as {shown:?}: {error}"))?;
        if again != expression {
            return Err(format!("shown as {shown:?}, which means something else"));
        }
        readings += 1;
    }
    if let Ok(period) = text.parse::<Period>() {
        if period.to_string().parse::<Period>() != Ok(period) {
            return Err(format!("shown as {period}, which is another period"));
        }
        readings += 1;
    }
    readings += reads_again::<LabelExpression>(text)? + reads_again::<Selector>(text)? + reads_again::<HostKey>(text)?;
    readings += usize::from(text.parse::<LocalOrUtc>().is_ok());
    for json in text::as_triggers(text) {
        if let Ok(trigger) = serde_json::from_value::<Trigger>(json.clone()) {
            let written =
                serde_json::to_value(&trigger).map_err(|error| format!("{json} cannot be written: {error}"))?;
            let again = serde_json::from_value::<Trigger>(written.clone());
            if again.as_ref().ok() != Some(&trigger) {
                return Err(format!("{json} is written as {written}, which is {again:?}"));
            }
            evaluate(&trigger, &json, from, zone)?;
            readings += 1;
        }
    }
    Ok(readings)
}

/// Reads `text`, if it can be read, shows it and reads that: it must mean the same. Says how many could read it.
fn reads_again<T: FromStr + Display + PartialEq>(text: &str) -> Result<usize, String> {
    let Ok(value) = text.parse::<T>() else { return Ok(0) };
    let shown = value.to_string();
    match shown.parse::<T>() {
        Ok(again) if again == value => Ok(1),
        Ok(_) => Err(format!("shown as {shown:?}, which means something else")),
        Err(_) => Err(format!("shown as {shown:?}, which cannot be read")),
    }
}

/// Asks for fires: they must increase.
fn evaluate(trigger: &Trigger, json: &Value, from: Timestamp, zone: chrono_tz::Tz) -> Result<(), String> {
    let calendars = Calendars::default();
    let schedule = Schedule::new(trigger, &Planning { zone, since: from, seed: 7, calendars: &calendars });
    let mut last = from;
    for _ in 0..FIRES {
        let Some(fire) = schedule.next_after(last) else { return Ok(()) };
        if fire <= last {
            return Err(format!("{json} fires at {fire} after {last}"));
        }
        last = fire;
    }
    Ok(())
}
