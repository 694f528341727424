//! `sandglass-sim [--seeds N] [--first S] [--seed S [--trace]]`; with the feature `defects`, `--defect NAME` seeds one,
//! and without it all are seeded, one after another, until they are found; see `cargo xtask help`.

use std::process::ExitCode;

#[cfg(feature = "defects")]
mod defects;

use sandglass_core::scheduler::Options;
use sandglass_sim::seeds::{self, live, live_all};
use sandglass_sim::trace::Trace;

/// How many lines of a failed life are shown.
const LINES: usize = 40;

fn main() -> ExitCode {
    // What panics in a life is told with its seed.
    std::panic::set_hook(Box::new(|_| ()));
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let number = |flag: &str| {
        let place = arguments.iter().position(|argument| argument == flag)?;
        arguments.get(place + 1)?.parse::<u64>().ok()
    };
    #[cfg(feature = "defects")]
    let options = match defects::seeded(&arguments) {
        Some(options) => options,
        None => return defects::prove(),
    };
    #[cfg(not(feature = "defects"))]
    let options = Options::default();
    if let Some(seed) = number("--seed") {
        let trace = if has("--trace") { Trace::Shown } else { Trace::last(LINES) };
        return one(seed, &options, trace);
    }
    let (first, count) = (number("--first").unwrap_or(1), number("--seeds").unwrap_or(200));
    let outcome = live_all(first, count, &options);
    println!("{} lives from seed {first} on, {} runs", outcome.lives, outcome.runs);
    match outcome.failure {
        None => ExitCode::SUCCESS,
        Some(seeds::Failure { seed, .. }) => one(seed, &options, Trace::last(LINES)),
    }
}

fn one(seed: u64, options: &Options, trace: Trace) -> ExitCode {
    let (outcome, lines) = live(seed, options, trace);
    match outcome {
        Ok(runs) => {
            println!("seed {seed}: {runs} runs, every promise kept");
            ExitCode::SUCCESS
        }
        Err(violation) => {
            lines.iter().for_each(|line| println!("{line}"));
            println!("seed {seed}, {}: {}", violation.checker, violation.what);
            println!("Replay: cargo xtask sim --seed {seed} --trace");
            ExitCode::FAILURE
        }
    }
}
