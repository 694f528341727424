//! Jobs that several tests use.

use serde_json::{Value, json};

/// A job without triggers that runs a command.
pub(crate) fn command(name: &str, command: &str) -> Value {
    json!({ "name": name, "action": { "use": "shell", "with": { "command": command } } })
}

/// A job that runs a command every second.
pub(crate) fn each_second(name: &str, text: &str) -> Value {
    let mut job = command(name, text);
    job["triggers"] = json!([{ "every": "1s" }]);
    job
}

/// When something was, as the API tells it, in microseconds.
#[track_caller]
pub(crate) fn micros(run: &Value, member: &str) -> i64 {
    let text = run[member].as_str().unwrap_or_else(|| panic!("no {member} in {run}"));
    chrono::DateTime::parse_from_rfc3339(text)
        .unwrap_or_else(|error| panic!("{member} is {text}: {error}"))
        .timestamp_micros()
}

/// The runs of a job that fires every second have every instant between the first and the last exactly once.
#[track_caller]
pub(crate) fn assert_gapless(job: &str, runs: &[Value]) {
    let mut due: Vec<i64> = runs.iter().map(|run| micros(run, "scheduled_at")).collect();
    due.sort_unstable();
    for pair in due.windows(2) {
        assert_eq!(pair[1] - pair[0], 1_000_000, "{job}: fires at {} and {} are not a second apart", pair[0], pair[1]);
    }
}
