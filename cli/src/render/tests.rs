//! Renderings with fixed instants.

use chrono_tz::Tz;
use serde_json::{Value, json};

use sandglass_api::wire::{ApplyResult, Job, Run};
use sandglass_core::id::JobName;
use sandglass_core::output::{OutputChunk, OutputStream};
use sandglass_core::plugin::Plugin;
use sandglass_core::time::Timestamp;

use super::paint::Paint;

const PLAIN: Paint = Paint::new(false);

fn now() -> Timestamp {
    "2027-01-15T08:00:00Z".parse().unwrap()
}

fn read<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

fn succeeded() -> Run {
    read(json!({
        "id": "01MCC5RM00GRCZWG7V06B21GHM", "namespace": "default", "job": "nightly-backup", "revision": 3,
        "origin": "schedule", "trigger": 0,
        "scheduled_at": "2027-01-15T02:00:00Z", "queued_at": "2027-01-15T02:00:00.001Z",
        "started_at": "2027-01-15T02:00:00.002Z", "finished_at": "2027-01-15T02:01:15Z",
        "state": "succeeded", "exit_code": 0,
        "attempts": [{ "number": 1, "started_at": "2027-01-15T02:00:00.002Z", "finished_at": "2027-01-15T02:01:15Z",
            "outcome": "succeeded",
            "usage": { "fuel": 1_234_567, "peak_memory_bytes": 2_097_152, "wall_ms": 74_998, "guest_cpu_ms": 1.5,
                "output_bytes": 4242 } }],
        "result": { "exit_code": 0 }
    }))
}

fn failed() -> Run {
    read(json!({
        "id": "01MCC5RM00GRCZWG7V06B21GHN", "namespace": "default", "job": "probe", "revision": 1,
        "origin": "manual", "scheduled_at": "2027-01-15T07:59:58Z", "queued_at": "2027-01-15T07:59:58Z",
        "started_at": "2027-01-15T07:59:58Z", "state": "retry_wait", "retry_at": "2027-01-15T08:00:10Z", "exit_code": 3,
        "attempts": [{ "number": 1, "started_at": "2027-01-15T07:59:58Z", "finished_at": "2027-01-15T07:59:58.250Z",
            "outcome": "failed",
            "error": { "class": "exit", "code": "exit", "message": "the command ended with exit code 3\nlast line: no route" },
            "usage": { "fuel": 950, "peak_memory_bytes": 1_048_576, "wall_ms": 250, "guest_cpu_ms": 0.75, "output_bytes": 0 } }]
    }))
}

fn skipped() -> Run {
    read(json!({
        "id": "01MCC5RM00GRCZWG7V06B21GHP", "namespace": "default", "job": "probe", "revision": 1, "origin": "schedule",
        "scheduled_at": "2027-01-15T07:59:00Z", "queued_at": "2027-01-15T07:59:00Z",
        "finished_at": "2027-01-15T07:59:00Z", "state": "skipped", "reason": "overlap", "attempts": []
    }))
}

fn job(last_run: Option<Run>) -> Job {
    let spec = json!({
        "name": "nightly-backup", "tags": ["backup"], "timezone": "Europe/Berlin",
        "triggers": [{ "cron": "0 2 * * *" }, { "every": "10m" }],
        "action": { "use": "shell", "with": { "command": "./backup.sh --target \"$TARGET\"\n" } },
        "env": { "TARGET": "s3" }
    });
    let mut job: Job = read(json!({
        "name": "nightly-backup", "namespace": "default", "id": "01MCC5RM00GRCZWG7V06B21GHQ", "revision": 3,
        "enabled": true, "spec": spec, "next_fire_at": "2027-01-15T08:10:00Z",
        "created_at": "2026-12-01T00:00:00Z", "updated_at": "2027-01-14T08:00:00Z"
    }));
    job.last_run = last_run;
    job
}

const LISTING: super::run::Listing<'static> = super::run::Listing { wide: false, zone_of: &|_| Tz::UTC, window: None };

#[test]
fn late_starts_and_runs_that_wait_for_their_window_are_told() {
    let window = serde_json::from_value(json!({ "from": "08:02", "to": "18:00", "outside": "defer" })).unwrap();
    let window = sandglass_core::schedule::Window::new(&window, Tz::UTC);
    let late = Run { started_at: Some("2027-01-15T02:03:40Z".parse().unwrap()), ..succeeded() };
    let queued = Run { state: sandglass_core::run::StateName::Queued, reason: None, finished_at: None, ..skipped() };
    let listing = super::run::Listing { window: Some(&window), ..LISTING };
    insta::assert_snapshot!(super::run::list(&[queued, late], listing, now(), PLAIN), @"
    RUN                         JOB             STATE                        DUE                            TOOK  EXIT
    01MCC5RM00GRCZWG7V06B21GHP  probe           queued (window opens in 2m)  1m ago                            -     -
    01MCC5RM00GRCZWG7V06B21GHM  nightly-backup  succeeded                    6h ago, started 3m 40s late  1m 14s     0
    ");
}

#[test]
fn what_comes_of_the_next_fire_is_told() {
    let fire = |more: Value| {
        let mut fire = json!({ "at": "2027-01-15T08:10:00Z", "trigger": 0 });
        fire.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Job { next_fire: Some(read(fire)), ..job(None) }
    };
    let jobs = [
        fire(json!({ "excluded": "the job's window is closed then" })),
        fire(json!({ "waits_until": "2027-01-15T10:00:00Z" })),
        fire(json!({ "moved_from": "2027-01-14" })),
    ];
    insta::assert_snapshot!(super::job::list(&jobs, false, now(), PLAIN), @"
    JOB             SCHEDULE              NEXT                  LAST RUN  STATE
    nightly-backup  0 2 * * *, every 10m  in 10m, skipped       -         -
    nightly-backup  0 2 * * *, every 10m  in 10m, starts in 2h  -         -
    nightly-backup  0 2 * * *, every 10m  in 10m                -         -
    ");
    let results = jobs.map(|job| ApplyResult { job, changed: true, created: true, warnings: vec![] });
    insta::assert_snapshot!(super::job::applied(&results, false, now(), PLAIN), @"
    JOB             CHANGE   REVISION  NEXT
    nightly-backup  created         3  2027-01-15T09:10:00+01:00 (in 10m); starts nothing: the job's window is closed then
    nightly-backup  created         3  2027-01-15T09:10:00+01:00 (in 10m); waits for the window until Fri 2027-01-15 11:00
    nightly-backup  created         3  2027-01-15T09:10:00+01:00 (in 10m); moved here from Thu 2027-01-14 by its calendars
    ");
}

#[test]
fn a_listing_of_runs() {
    let runs = [failed(), skipped(), succeeded()];
    insta::assert_snapshot!(super::run::list(&runs, LISTING, now(), PLAIN), @r#"
    RUN                         JOB             STATE              DUE       TOOK  EXIT
    01MCC5RM00GRCZWG7V06B21GHN  probe           retry_wait         2s ago   250ms     3
    01MCC5RM00GRCZWG7V06B21GHP  probe           skipped (overlap)  1m ago       -     -
    01MCC5RM00GRCZWG7V06B21GHM  nightly-backup  succeeded          6h ago  1m 14s     0
    "#);
    insta::assert_snapshot!(super::run::list(&runs, super::run::Listing { wide: true, ..LISTING }, now(), PLAIN), @r#"
    RUN                         JOB             STATE              DUE       TOOK  EXIT  ORIGIN    ATTEMPTS  FUEL  MEMORY  OUTPUT
    01MCC5RM00GRCZWG7V06B21GHN  probe           retry_wait         2s ago   250ms     3  manual    1         950   1 MiB   0 B
    01MCC5RM00GRCZWG7V06B21GHP  probe           skipped (overlap)  1m ago       -     -  schedule  0         -     -       -
    01MCC5RM00GRCZWG7V06B21GHM  nightly-backup  succeeded          6h ago  1m 14s     0  schedule  1         1.2M  2 MiB   4.1 KiB
    "#);
}

#[test]
fn a_run_of_another_week_is_shown_in_the_zone_of_its_job() {
    let later = now().after(std::time::Duration::from_secs(30 * 86_400));
    let zone_of = |name: &JobName| if name.as_str() == "probe" { Tz::UTC } else { Tz::Europe__Berlin };
    let text =
        super::run::list(&[skipped(), succeeded()], super::run::Listing { zone_of: &zone_of, ..LISTING }, later, PLAIN);
    assert!(text.contains("Z ") && text.contains(" 03:00+01:00"), "{text}");
}

#[test]
fn a_run_in_full() {
    insta::assert_snapshot!(super::run::show(&succeeded(), Tz::Europe__Berlin, now(), PLAIN), @r#"
    run        01MCC5RM00GRCZWG7V06B21GHM
    job        nightly-backup (revision 3)
    state      succeeded
    origin     schedule
    due        2027-01-15T03:00:00+01:00 (6h ago)
    started    2027-01-15T03:00:00.002+01:00 (5h 59m ago)
    finished   2027-01-15T03:01:15+01:00 (5h 58m ago)
    took       1m 14s
    exit code  0
    result     exit_code: 0

    attempt 1: succeeded
      took 1m 14s, guest 1ms, fuel 1.2M, memory 2 MiB, output 4.1 KiB
    "#);
    insta::assert_snapshot!(super::run::show(&failed(), Tz::UTC, now(), PLAIN), @r#"
    run           01MCC5RM00GRCZWG7V06B21GHN
    job           probe (revision 1)
    state         retry_wait
    origin        manual
    due           2027-01-15T07:59:58Z (2s ago)
    started       2027-01-15T07:59:58Z (2s ago)
    next attempt  2027-01-15T08:00:10Z (in 10s)
    took          250ms
    exit code     3

    attempt 1: failed
      exit (exit): the command ended with exit code 3
      last line: no route
      took 250ms, guest 750µs, fuel 950, memory 1 MiB, output 0 B
    "#);
}

#[test]
fn jobs() {
    let jobs = [job(Some(succeeded())), Job { next_fire_at: None, ..job(None) }];
    insta::assert_snapshot!(super::job::list(&jobs, false, now(), PLAIN), @r#"
    JOB             SCHEDULE              NEXT    LAST RUN    STATE
    nightly-backup  0 2 * * *, every 10m  in 10m  5h 58m ago  succeeded
    nightly-backup  0 2 * * *, every 10m  -       -           -
    "#);
    insta::assert_snapshot!(super::job::list(&jobs, true, now(), PLAIN), @r#"
    JOB             SCHEDULE              NEXT    LAST RUN    STATE      ACTION  ZONE           REVISION  TAGS
    nightly-backup  0 2 * * *, every 10m  in 10m  5h 58m ago  succeeded  shell   Europe/Berlin  3         backup
    nightly-backup  0 2 * * *, every 10m  -       -           -          shell   Europe/Berlin  3         backup
    "#);
    insta::assert_snapshot!(super::job::show(&jobs[0], now(), PLAIN), @r#"
    job        nightly-backup
    namespace  default
    revision   3
    next fire  2027-01-15T09:10:00+01:00 (in 10m)
    last run   01MCC5RM00GRCZWG7V06B21GHM succeeded (5h 58m ago)
    created    2026-12-01T01:00:00+01:00 (45d 8h ago)
    updated    2027-01-14T09:00:00+01:00 (1d ago)

    name: nightly-backup
    tags:
      - backup
    timezone: Europe/Berlin
    triggers:
      - cron: "0 2 * * *"
      - every: 10m
    action:
      use: shell
      with:
        command: "./backup.sh --target \"$TARGET\"\n"
    env:
      TARGET: s3
    timeout: 1h
    grace: 30s
    retry:
      backoff: exponential
      factor: 2.0
      initial: 10s
      jitter: full
      max: 10m
      max_attempts: 1
    overlap: skip
    max_instances: 1
    catch_up:
      limit: 100
      policy: latest
      window: 1h
    priority: 5
    idempotent: false
    limits:
      fuel: 100G
      memory: 256MiB
      output: 8MiB
    "#);
}

#[test]
fn what_apply_came_to() {
    let result = |changed, created| ApplyResult { job: job(None), changed, created, warnings: vec![] };
    let results = [result(true, true), result(true, false), result(false, false)];
    insta::assert_snapshot!(super::job::applied(&results, false, now(), PLAIN), @r#"
    JOB             CHANGE     REVISION  NEXT
    nightly-backup  created           3  2027-01-15T09:10:00+01:00 (in 10m)
    nightly-backup  changed           3  2027-01-15T09:10:00+01:00 (in 10m)
    nightly-backup  unchanged         3  2027-01-15T09:10:00+01:00 (in 10m)
    "#);
}

#[test]
fn plugins() {
    let plugin: Plugin = read(json!({
        "name": "shell", "version": "0.1.0", "description": "Runs commands", "capabilities": { "process": "any" },
        "digest": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "size_bytes": 123_456,
        "actions": [{ "name": "run", "title": "Run a command", "description": "Runs a command line.",
            "params_schema": { "properties": {
                "command": { "description": "A command line." }, "interpreter": { "description": "What runs it." } },
                "required": ["command"] },
            "examples": [{ "command": "tar -czf backup.tar.gz documents" }], "idempotent": false }],
        "granted": { "process": "any" }, "built_in": true, "added_at": "2027-01-15T07:00:00Z"
    }));
    insta::assert_snapshot!(super::plugin::list(std::slice::from_ref(&plugin), true, now(), PLAIN), @r#"
    PLUGIN  VERSION  ACTIONS  GRANTED       ORIGIN    SIZE     ADDED   DIGEST
    shell   0.1.0    run      process: any  built in  120 KiB  1h ago  e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
    "#);
    insta::assert_snapshot!(super::plugin::show(&plugin, now(), PLAIN), @r#"
    plugin       shell
    version      0.1.0
    description  Runs commands
    asks for     process: any
    granted      process: any
    size         120 KiB
    digest       e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
    added        2027-01-15T07:00:00Z (1h ago)

    action run: Run a command (the default)
      Runs a command line.
      command      A command line. (required)
      interpreter  What runs it.
      example:
        command: tar -czf backup.tar.gz documents
    "#);
}

#[test]
fn output_of_every_stream() {
    use OutputStream::{Log, Stderr, Stdout, System};
    let event = |stream, text: &str| OutputChunk { attempt: 1, at: now(), stream, bytes: text.as_bytes().to_vec() };
    let events = [
        event(Stdout, "\u{1b}[32mgreen"),
        event(Log, r#"{"level":"warn","message":"disk is \u001b[31mnearly full","free":"3%"}"#),
        event(Stderr, "no newline"),
        event(System, "12 MiB left out"),
        event(Log, "not JSON"),
    ];
    let mut renderer = super::output::OutputRenderer::new(true, PLAIN);
    let bytes: Vec<u8> = events.into_iter().flat_map(|event| renderer.render(event)).collect();
    insta::assert_snapshot!(String::from_utf8(bytes).unwrap(), @r#"
    green
    warn disk is nearly full free=3%
    no newline
    -- 12 MiB left out
    not JSON
    "#);
    assert_eq!(renderer.finish(), b"");
    // A terminal with colours gets the output's own, and they end with it.
    let hostile = event(Stdout, "\u{1b}[2J\u{1b}[32mgreen\u{1b}]0;title\u{7}");
    let mut renderer = super::output::OutputRenderer::new(true, Paint::new(true));
    assert_eq!(renderer.render(hostile.clone()), b"\x1b[32mgreen");
    assert_eq!(renderer.finish(), b"\x1b[0m");
    // A pipe gets every byte.
    let mut renderer = super::output::OutputRenderer::new(false, PLAIN);
    assert_eq!(renderer.render(hostile.clone()), b"\x1b[2J\x1b[32mgreen\x1b]0;title\x07");
    assert_eq!(renderer.finish(), b"");
    // Unless somebody says otherwise.
    let with = |colour| super::output::OutputRenderer::new(false, PLAIN).with_colour(colour).render(hostile.clone());
    assert_eq!(with(super::output::Colour::Always), b"\x1b[32mgreen");
    assert_eq!(with(super::output::Colour::Never), b"green");
}

#[test]
fn what_an_action_returns_is_told_in_words() {
    let result = json!({
        "summary": "12 files\nin all", "changed": true, "warnings": ["a is old", "b is \u{1b}[2Jempty"],
        "output": { "files": 12, "names": ["a", "b"] }
    });
    let run = Run { result: Some(result), ..succeeded() };
    let text = super::run::show(&run, Tz::UTC, now(), PLAIN);
    let lines = text.lines().skip_while(|line| !line.starts_with("summary")).take_while(|line| !line.is_empty());
    let text = lines.collect::<Vec<_>>().join("\n");
    insta::assert_snapshot!(crate::render::ansi::colours_only(&text), @"
    summary    12 files
               in all
    changed    yes
    warnings   a is old
               b is empty
    result     files: 12
               names:
                 - a
                 - b
    ");
}

#[test]
fn each_line_has_its_instant_if_wanted() {
    let mut renderer = super::output::OutputRenderer::new(false, PLAIN).with_timestamps();
    let pieces = [(OutputStream::Stdout, "a\nb"), (OutputStream::Stdout, "c\n\nd"), (OutputStream::System, "mark\n")];
    let pieces = pieces.map(|(stream, text)| OutputChunk { attempt: 1, at: now(), stream, bytes: text.into() });
    let bytes: Vec<u8> = pieces.into_iter().flat_map(|piece| renderer.render(piece)).collect();
    insta::assert_snapshot!(String::from_utf8(bytes).unwrap(), @r#"
    2027-01-15T08:00:00.000Z a
    2027-01-15T08:00:00.000Z bc
    2027-01-15T08:00:00.000Z 
    2027-01-15T08:00:00.000Z d
    2027-01-15T08:00:00.000Z -- mark
    "#);
}

#[test]
fn yaml_reads_back() {
    let value = json!({
        "a": [], "b": {}, "list": [1, [2, "x"], { "k": "v", "n": null }], "text": "two\nlines: #", "true": "yes", "0": -1.5,
        "deep": { "er": [{ "and": { "deeper": ["- a", "b c"] } }] }
    });
    insta::assert_snapshot!(super::yaml::document(&value), @r#"
    "0": -1.5
    a: []
    b: {}
    deep:
      er:
        - and:
            deeper:
              - "- a"
              - b c
    list:
      - 1
      - - 2
        - x
      - k: v
        "n": null
    text: "two\nlines: #"
    "true": "yes"
    "#);
}

#[test]
fn amounts() {
    use super::amount::{bytes, count, duration, relative};
    use std::time::Duration;
    let durations = [90, 1500, 999_999, 1_500_000, 12_000_000, 185_000_000, 7_800_000_000, 273_600_000_000];
    let durations = durations.map(|micros| duration(Duration::from_micros(micros))).join(" | ");
    assert_eq!(durations, "90µs | 1ms | 999ms | 1.5s | 12s | 3m 5s | 2h 10m | 3d 4h");
    assert_eq!([0, 1023, 1536, 64 << 20].map(bytes).join(" | "), "0 B | 1023 B | 1.5 KiB | 64 MiB");
    assert_eq!([950, 1234, 34_000_000].map(count).join(" | "), "950 | 1.2k | 34M");
    let at = |seconds: i64| Timestamp::from_micros(now().as_micros() + seconds * 1_000_000);
    let relatives = [0, 90, -30, -7200, 864_000].map(|seconds| relative(at(seconds), now(), Tz::UTC)).join(" | ");
    assert_eq!(relatives, "now | in 1m 30s | 30s ago | 2h ago | 2027-01-25 08:00Z");
}
