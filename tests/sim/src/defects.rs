//! The checkers are proven: each defect that is seeded into the reducer is found.

use std::process::ExitCode;

use sandglass_core::scheduler::{Defect, Options};
use sandglass_sim::seeds::live_all;

/// Each defect must be found within so many lives.
const LIVES: u64 = 500;

/// The options with the defect that `arguments` name; none if they name none.
pub(crate) fn seeded(arguments: &[String]) -> Option<Options> {
    let place = arguments.iter().position(|argument| argument == "--defect")?;
    let name = arguments.get(place + 1)?;
    let defect = Defect::ALL.into_iter().find(|defect| defect.as_str() == name)?;
    Some(with(defect))
}

fn with(defect: Defect) -> Options {
    Options { defect: Some(defect), ..Options::default() }
}

/// Seeds every defect and prints after how many lives it was found, and by which checker.
pub(crate) fn prove() -> ExitCode {
    println!("{:<20} {:>6}  checker", "defect", "lives");
    let mut all_found = true;
    for defect in Defect::ALL {
        let outcome = live_all(1, LIVES, &with(defect));
        let name = defect.as_str();
        match outcome.failure {
            Some(failure) => {
                let violation = failure.violation;
                println!("{name:<20} {:>6}  {}: {}", failure.seed, violation.checker, violation.what);
            }
            None => {
                println!("{name:<20} {:>6}  NOT FOUND", "-");
                all_found = false;
            }
        }
    }
    if all_found { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
