//! The developer commands, as `cargo xtask COMMAND`.

mod coverage;
mod plugin_pages;
mod run;
mod setup;
mod tidy;

use std::env;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What a command answers: nothing, or in words what went wrong.
type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

const HELP: &str = "\
cargo xtask COMMAND [ARGUMENTS]

  demo [ARGUMENTS]   set up, build and show the demonstration
  test [ARGUMENTS]   set up with the tools for tests, then run every test
  coverage [--report] [--missed PATH]
                     run every test, and show by crate how many lines they run; fails below what is wanted. With
                     --report, show it of the last run; with --missed, name the lines below PATH that were not run
  setup [--tests]    find or install what is needed to build; with --tests, also the tools that tests use
  guests             build the test guests
  bench [NAME]       run the benchmarks, or one of them
  fuzz [MINUTES]     feed the readers of schedules with random text
  sim [--seeds N] [--first S] [--seed S [--trace]]
                     simulate lives of the daemon; with --seed, one of them, told line by line with --trace
  sim --defects      seed defects into the scheduler, and show after how many lives the checkers find each
  plugin-pages       write the tables of parameters in the plugins' pages, from the plugins' schemas
  tidy               check what no compiler checks: file lengths, words, which crate imports which
  ci                 everything that must hold before a change is taken: format, lints, tidy, documentation, tests
                     and how much they cover, simulated lives
";

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    let command = arguments.next().unwrap_or_default();
    let rest: Vec<String> = arguments.collect();
    match perform(&command, &rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            let mut cause = error.source();
            while let Some(next) = cause {
                eprintln!("  because {next}");
                cause = next.source();
            }
            run::exit_code(error.as_ref())
        }
    }
}

fn perform(command: &str, rest: &[String]) -> Result {
    match command {
        "demo" => {
            setup::build_tools()?;
            run::cargo(&["run", "--package", "sandglass", "--", "demo"], rest)
        }
        "test" => {
            setup::build_tools()?;
            setup::test_tools()?;
            run::tests(rest, &Vec::new())
        }
        "setup" => match rest {
            [] => setup::build_tools(),
            [flag] if flag == "--tests" => {
                setup::build_tools()?;
                setup::test_tools()
            }
            _ => Err("usage: cargo xtask setup [--tests]".into()),
        },
        "coverage" => {
            setup::build_tools()?;
            setup::test_tools()?;
            coverage::perform(rest)
        }
        "guests" => {
            setup::build_tools()?;
            setup::test_tools()?;
            setup::guests()
        }
        "bench" => {
            setup::build_tools()?;
            // `sandglass` itself is started by one of them. Built together, because each alone would have its own
            // features of their common dependencies, and so its own build of them.
            run::cargo(&["build", "--release", "--package", "sandglass", "--package", "sandglass-bench"], &[])?;
            run::program(std::process::Command::new(run::target_dir().join("release/sandglass-bench")).args(rest))
        }
        "plugin-pages" => plugin_pages::perform(&root()),
        "fuzz" => run::cargo(&["run", "--package", "sandglass-fuzz", "--"], rest),
        "sim" => run::simulation(rest),
        "tidy" => tidy::check(&root()),
        "ci" => run::everything(),
        "" | "help" | "--help" | "-h" => {
            print!("{HELP}");
            Ok(())
        }
        other => Err(format!("there is no command {other:?}\n\n{HELP}").into()),
    }
}

/// The workspace's folder.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("the crate lies two folders below the workspace").to_owned()
}
