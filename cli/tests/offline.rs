//! The program itself, where it needs no daemon: what it prints where, and its exit codes.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Output, Stdio};

fn sandglass(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sandglass"));
    command.args(args).env_remove("SANDGLASS_URL").env_remove("SANDGLASS_TOKEN").env("TZ", "UTC");
    command.env("SANDGLASS_DATA_DIR", "/nonexistent/sandglass");
    command
}

fn output(args: &[&str]) -> Output {
    sandglass(args).output().expect("the program starts")
}

fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("the program prints UTF-8")
}

/// Runs the program with `input` as its standard input.
fn with_input(args: &[&str], input: &str) -> Output {
    let mut child = sandglass(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stdin = child.stdin.take().expect("it is a pipe");
    stdin.write_all(input.as_bytes()).expect("the program reads its input");
    drop(stdin);
    child.wait_with_output().expect("the program ends")
}

#[test]
fn fires_are_json_strings_in_utc() {
    let zone = ["--timezone", "Europe/Berlin", "--from", "2027-03-27T00:00:00Z", "--count", "3", "--json"];
    let output = output(&[["schedule", "next", "30 2 * * *"].as_slice(), &zone].concat());
    assert_eq!(code(&output), Some(0));
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    // On the 28th, 02:30 falls into the gap and is shifted to 03:30 summer time.
    let fires = ["2027-03-27T01:30:00Z", "2027-03-28T01:30:00Z", "2027-03-29T00:30:00Z"];
    assert_eq!(value["fires"], serde_json::json!(fires));
    // Beside them stands what the table shows.
    assert_eq!(value["timezone"], "Europe/Berlin");
    let moved = serde_json::json!({
        "at": fires[1], "trigger": 0, "clock_change": "moved", "local": "2027-03-28T03:30:00+02:00"
    });
    assert_eq!(value["details"][1], moved);
}

#[test]
fn what_has_no_fires_by_time_says_so() {
    let says = |args: &[&str]| text(&output(&[&["schedule", "next"], args].concat()).stdout).to_owned();
    assert_eq!(says(&["@reboot"]), "it fires at every start of the daemon, not by time\n");
    let past = says(&["at 2020-01-01T00:00:00", "--from", "2027-01-01T00:00Z", "--timezone", "UTC"]);
    assert_eq!(past, "it does not fire after 2027-01-01 00:00 UTC\n");
    // The same job, the same minute.
    let of = |job: &str| says(&["H H * * *", "--job", job, "--timezone", "UTC", "--from", "2027-01-01"]);
    assert!(of("a") == of("a") && of("a") != of("b"), "{}", of("a"));
    let notes = output(&["schedule", "next", "H H * * *"]);
    assert!(text(&notes.stderr).contains("--job NAME"), "{}", text(&notes.stderr));
    // A day begins with its midnight.
    assert!(says(&["@daily", "--from", "2027-01-01", "--timezone", "UTC"]).contains("Fri 2027-01-01 00:00:00"));
}

#[test]
fn a_schedule_is_explained_in_words() {
    let berlin = ["--timezone", "Europe/Berlin"];
    let explained = output(&[["schedule", "explain", "30 2 * * *", "--gap", "end"].as_slice(), &berlin].concat());
    let words = text(&explained.stdout);
    assert_eq!(code(&explained), Some(0), "{}", text(&explained.stderr));
    assert!(words.starts_with("at 02:30 every day, Europe/Berlin\n") && words.contains("does not exist"), "{words}");
    let map = r#"{monthly: {weekday: "last fri", at: "18:00"}, jitter: 5m}"#;
    let explained = output(&[["schedule", "explain", map, "--json"].as_slice(), &berlin].concat());
    let value: serde_json::Value = serde_json::from_slice(&explained.stdout).expect("it is JSON");
    assert!(value["summary"].is_string() && value["notes"][0].is_string(), "{value}");
    assert_eq!(code(&output(&["schedule", "explain", "every 5m", "--fold", "both"])), Some(3));
}

#[test]
fn exit_codes_are_the_documented_ones() {
    for (args, expected) in [
        (["version", "--json", "-n", "a"].as_slice(), 0),
        (&["no-such-command"], 2),
        (&["--url", "ftp://x", "status"], 2),
        (&["job", "delete", "a"], 2),
        (&["schedule", "next", "0 25 * * *"], 3),
        (&["apply", "/nonexistent/job.yaml"], 3),
        (&["plugin", "add", "/nonexistent/plugin.wasm"], 3),
        (&["status"], 7),
    ] {
        let output = sandglass(args).stdin(Stdio::null()).output().expect("the program starts");
        assert_eq!(code(&output), Some(expected), "{args:?}: {}", text(&output.stderr));
        assert!(expected == 0 || output.stdout.is_empty(), "{args:?} prints its error on standard error alone");
    }
}

#[test]
fn a_bad_file_is_told_with_its_line_and_changes_nothing() {
    let output = with_input(&["apply", "-"], "name: a\ncommand: date\ntimout: 5\n");
    assert_eq!(code(&output), Some(3));
    insta::assert_snapshot!(text(&output.stderr), @r#"
    error: standard input:3:1: unknown key 'timout'
       |
     3 | timout: 5
       | ^^^^^^
       = did you mean 'timeout'?

    error: 1 fault found; nothing was changed
    "#);
}

#[test]
fn with_json_errors_are_problem_documents() {
    let output = with_input(&["validate", "-", "--json"], "{\"name\": \"a\"}");
    assert_eq!(code(&output), Some(3));
    let problem: serde_json::Value = serde_json::from_slice(&output.stderr).expect("it is JSON");
    assert_eq!((problem["code"].as_str(), problem["class"].as_str()), (Some("invalid_job"), Some("invalid")));
    assert_eq!(problem["errors"][0]["position"]["line"], 1);
}

#[test]
fn a_good_file_is_valid_without_a_daemon() {
    let output = with_input(&["validate", "-", "--json"], "name: a\nschedule: \"0 2 * * *\"\ncommand: date\n");
    assert_eq!(code(&output), Some(0), "{}", text(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    assert_eq!((&report["valid"], &report["jobs"]), (&serde_json::json!(true), &serde_json::json!(["a"])));
    // What only a daemon knows is said to be open.
    assert_eq!(report["checked_by_daemon"], false);
    assert_eq!(report["not_checked"][0]["plugin"], "shell");
}

#[test]
fn a_reader_that_goes_away_is_a_quiet_end() {
    let mut child = sandglass(&["schedule", "next", "* * * * *", "--count", "100000"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut first = String::new();
    let mut stdout = BufReader::new(child.stdout.take().expect("it is a pipe"));
    stdout.read_line(&mut first).expect("a line comes");
    drop(stdout);
    let output = child.wait_with_output().expect("the program ends");
    assert_eq!((code(&output), text(&output.stderr)), (Some(0), ""));
}
