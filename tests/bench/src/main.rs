//! The benchmarks: each measures one thing, and shows the figure to reach beside the measured one.
//!
//! In reading order:
//!
//! - [`report`]: figures, tables and JSON; [`measure`]: the clock and what is made of many times;
//! - [`machine`]: what the figures were measured on; [`neighbours`]: what else it did meanwhile; [`place`]: where a benchmark keeps its data;
//! - [`rig`]: a whole daemon with the plugin that does nothing; [`served`]: one in a process of its own;
//! - [`benches`]: one file per benchmark.
//!
//! `cargo xtask bench [NAME …] [--json [FILE]]`. A figure that is missed is marked, but it is no failure.

mod benches;
mod machine;
mod measure;
mod neighbours;
mod place;
mod report;
mod rig;
mod served;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser as _;

use crate::benches::Bench;
use crate::machine::Machine;
use crate::neighbours::Neighbours;
use crate::report::{Report, Suite};

/// What can be typed.
#[derive(clap::Parser, Debug)]
#[command(about = "Measures Sandglass", disable_version_flag = true)]
struct Args {
    /// The benchmarks to run; all of them if none is named
    #[arg(value_name = "NAME")]
    names: Vec<Bench>,
    /// Write the figures as JSON to a file, or to standard output if none is named
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-")]
    json: Option<PathBuf>,
    /// Measure a tenth as long: a look, not a result
    #[arg(long)]
    quick: bool,
    /// Serve this data directory until standard input ends; how `idle` starts a daemon where there is no `sandglass`
    #[arg(long, hide = true, value_name = "DIR")]
    serve: Option<PathBuf>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let done = match &args.serve {
        Some(dir) => rig::serve(dir),
        None => run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> anyhow::Result<()> {
    let machine = Machine::look()?;
    // With JSON on standard output, what people read goes to standard error.
    let quiet = args.json.as_ref().is_some_and(|path| path.as_os_str() == "-");
    let say = |text: String| if quiet { eprintln!("{text}") } else { println!("{text}") };
    say(machine.to_string());
    let names = if args.names.is_empty() { Bench::ALL.to_vec() } else { args.names.clone() };
    let mut suite = Suite::new(machine);
    for bench in names {
        eprintln!("measuring {} …", bench.name());
        let (begin, neighbours) = (measure::clock(), Neighbours::look());
        let mut report = Report::new(bench.name());
        bench.run(args.quick, &mut report).with_context(|| format!("the benchmark '{}' failed", bench.name()))?;
        report.took(begin.elapsed(), neighbours.cores_since());
        say(report.to_string());
        suite.reports.push(report);
    }
    say(suite.summary());
    if let Some(path) = &args.json {
        let text = format!("{:#}\n", suite.to_json());
        if quiet {
            print!("{text}");
        } else {
            std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
        }
    }
    Ok(())
}
