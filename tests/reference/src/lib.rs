//! Independent programs that say when schedules fire, and the way to ask them.
//!
//! Nothing here knows how Sandglass finds a fire. Where a reference goes by another rule than ours, the test that asks it
//! says which, and asks only what both are meant to answer alike.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sandglass_core::schedule::{Calendars, Planning, Schedule};
use sandglass_core::spec::Trigger;
use sandglass_core::time::Timestamp;
use serde_json::Value;

/// The Python in which the reference libraries are installed, if the set-up could have it.
#[must_use]
pub fn python() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2)?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |dir| root.join(dir));
    let python = target.join("tools/reference/bin/python");
    python.is_file().then_some(python)
}

/// Says that a reference could not be asked.
///
/// # Panics
///
/// If `SANDGLASS_REFERENCES` is `required`: then a comparison that compares nothing is a failure.
pub fn not_asked(why: &str) {
    let required = std::env::var("SANDGLASS_REFERENCES").is_ok_and(|value| value == "required");
    assert!(!required, "{why}, and SANDGLASS_REFERENCES says that they are required");
    println!("not asked: {why}");
}

/// The references' answers to `requests`, in their order; none where the libraries are not installed.
///
/// # Panics
///
/// If the references fail or answer with something else, or are required and not installed.
#[must_use]
pub fn ask(requests: &[Value]) -> Option<Vec<Value>> {
    let Some(python) = python() else {
        not_asked("the reference libraries are not installed");
        return None;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/reference.py");
    let mut command = Command::new(python);
    // The database that is installed beside the libraries, not the system's, which may be of another year.
    command.arg(script).env("PYTHONTZPATH", "").env("PYTHONDONTWRITEBYTECODE", "1");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the references start");
    let lines: String = requests.iter().map(|request| format!("{request}\n")).collect();
    let mut stdin = child.stdin.take().expect("it was asked for");
    let writer = std::thread::spawn(move || stdin.write_all(lines.as_bytes()));
    let output = child.wait_with_output().expect("the references end");
    writer.join().expect("the writer does not panic").expect("the references read what they are asked");
    assert!(output.status.success(), "the references ended with {}", output.status);
    let answers: Vec<Value> = String::from_utf8(output.stdout)
        .expect("the references answer with text")
        .lines()
        .map(|line| serde_json::from_str(line).expect("the references answer with JSON"))
        .collect();
    assert_eq!(answers.len(), requests.len());
    Some(answers)
}

/// Our own next fires of `trigger` (as in a job file) after `from`, in seconds since the Unix epoch.
///
/// # Errors
///
/// Why the trigger is refused.
///
/// # Panics
///
/// If there is no such zone.
pub fn fires(trigger: &Value, zone: &str, from: i64, count: usize) -> Result<Vec<i64>, String> {
    let trigger: Trigger = serde_json::from_value(trigger.clone()).map_err(|error| error.to_string())?;
    let from = Timestamp::from_secs(from);
    let calendars = Calendars::default();
    let zone = zone.parse().expect("the zone is there");
    let schedule = Schedule::new(&trigger, &Planning { zone, since: from, seed: 0, calendars: &calendars });
    let first = schedule.next_after(from);
    let fires = std::iter::successors(first, |fire| schedule.next_after(*fire)).take(count);
    Ok(fires.map(|fire| fire.as_micros().div_euclid(1_000_000)).collect())
}

/// A generator whose seed is printed. `SANDGLASS_SEED` sets another one than the usual, to compare other cases.
#[must_use]
pub fn generator() -> fastrand::Rng {
    let seed = std::env::var("SANDGLASS_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    println!("SANDGLASS_SEED={seed}");
    fastrand::Rng::with_seed(seed)
}

/// Zones with every kind of change: by an hour, by half an hour, negative, at midnight, twice a year and never, and a day
/// that is left out.
pub const ZONES: [&str; 14] = [
    "UTC",
    "Europe/Berlin",
    "Europe/Dublin",
    "America/New_York",
    "America/Sao_Paulo",
    "America/St_Johns",
    "America/Havana",
    "Africa/Casablanca",
    "Africa/Cairo",
    "Asia/Kathmandu",
    "Asia/Tehran",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Antarctica/Troll",
];
