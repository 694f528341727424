//! Output: followed by several readers, taken up again, larger than anybody wants, and not text.

use std::thread::JoinHandle;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sandglass_e2e::http::ServerEvent;
use sandglass_e2e::{Daemon, Home, Http, until};
use serde_json::{Value, json};

use crate::scripts::command;

fn logs(run: &str) -> String {
    format!("/api/v1/namespaces/default/runs/{run}/logs?follow=true")
}

fn bytes(event: &Value) -> Vec<u8> {
    match (&event["text"], &event["bytes"]) {
        (Value::String(text), _) => text.clone().into_bytes(),
        (_, Value::String(base64)) => STANDARD.decode(base64).expect("it is Base64"),
        _ => panic!("neither text nor bytes: {event}"),
    }
}

/// What a stream of events has on standard output.
fn printed(events: &[ServerEvent]) -> Vec<u8> {
    let output = events.iter().filter(|event| event.name == "output" && event.data["stream"] == "stdout");
    output.flat_map(|event| bytes(&event.data)).collect()
}

fn reader(http: Http, run: &str) -> JoinHandle<Vec<ServerEvent>> {
    let path = logs(run);
    std::thread::spawn(move || http.events(&path, &[]).expect("an event stream").collect())
}

#[test]
fn output_comes_in_frames_wherever_they_stand_in_the_request() {
    let home = Home::new();
    let daemon = home.start();
    daemon.put(&command("talk", "echo hello"));
    let run = daemon.start_run("talk");
    daemon.ended(&run);
    let path = format!("/api/v1/namespaces/default/runs/{run}/logs");
    let frames = ("accept", "application/vnd.sandglass.output");
    for accept in [&[frames][..], &[("accept", "application/json"), frames]] {
        let answer = daemon.http().send("GET", &path, accept, b"");
        assert_eq!(answer.header("content-type"), Some(frames.1), "{accept:?}");
        // Of kind 1, output, with a head of 21 bytes before what was printed.
        assert_eq!(answer.body[..5], [1, 27, 0, 0, 0], "{accept:?}");
        assert!(answer.body.ends_with(b"hello\n"), "{accept:?}");
    }
}

#[test]
fn two_readers_see_everything_to_the_end() {
    let home = Home::new();
    let daemon = home.start();
    let release = home.path().join("release");
    let wait = format!("while [ ! -e {} ]; do sleep 0.02; done", release.display());
    daemon.put(&command("talk", &format!("seq 1 500; echo oh >&2; {wait}; seq 501 1000")));
    let run = daemon.start_run("talk");
    let mut first = daemon.http().events(&logs(&run), &[]).expect("an event stream");
    let second = reader(daemon.socket(), &run);
    // It comes while the run goes.
    let mut events = Vec::new();
    while !printed(&events).ends_with(b"\n500\n") {
        events.push(first.next().expect("there is more"));
    }
    // A reader that goes away disturbs nobody.
    drop(daemon.http().events(&logs(&run), &[]).expect("an event stream"));
    std::fs::write(&release, "").expect("files can be written");
    events.extend(first);
    let everything: String = (1..=1000).map(|number| format!("{number}\n")).collect();
    for events in [events, second.join().expect("it does not panic")] {
        assert_eq!(String::from_utf8(printed(&events)).expect("text"), everything);
        let last = events.last().expect("there are events");
        assert_eq!((last.name.as_str(), &last.data["state"]), ("end", &json!("succeeded")));
        assert!(events.iter().any(|event| event.data["stream"] == "stderr" && event.data["text"] == "oh\n"));
        taken_up_again(&daemon, &run, &events);
    }
    // A reader that comes late sees all of it, and its end.
    let late = reader(daemon.http(), &run).join().expect("it does not panic");
    assert_eq!(printed(&late), everything.as_bytes());
    daemon.stop();
}

/// After any event with an id, the stream goes on where it was.
fn taken_up_again(daemon: &Daemon, run: &str, events: &[ServerEvent]) {
    let at = events.iter().position(|event| event.id.is_some()).expect("some event has an id");
    let id = events[at].id.as_deref().expect("it was looked for");
    let rest: Vec<ServerEvent> =
        daemon.http().events(&logs(run), &[("Last-Event-ID", id)]).expect("an event stream").collect();
    assert_eq!(printed(&rest), printed(&events[at + 1..]));
    assert_eq!(rest.last().map(|event| event.name.as_str()), Some("end"));
}

#[test]
fn output_that_is_not_text_survives() {
    let home = Home::new();
    let daemon = home.start();
    daemon.put(&command("bytes", r"printf 'a\377\376\000b\n\303'; printf '\251\n'; printf '\355\240\200'"));
    let run = home.cli(&["job", "run", "bytes", "--wait", "--json"]).expect(0).json();
    let id = run["id"].as_str().expect("an id");
    let all: Vec<u8> = daemon.output(id, "stdout").iter().flat_map(bytes).collect();
    assert_eq!(all, b"a\xff\xfe\0b\n\xc3\xa9\n\xed\xa0\x80");
    let shown = home.command(&["run", "logs", id]).output().expect("the program can be started");
    // A pipe gets every byte.
    assert_eq!(shown.stdout, all);
    daemon.stop();
}

#[test]
fn a_flood_keeps_its_ends_and_little_memory() {
    let home = Home::new();
    let daemon = home.start();
    daemon.put(&command("small", "echo small"));
    home.cli(&["job", "run", "small", "--wait"]).expect(0);
    let before = daemon.peak_memory();
    // 100,000,000 bytes of numbers, so that it is known what is kept.
    daemon.put(&command("flood", "seq 10000000 99999999 | head -c 100000000"));
    let run = daemon.start_run("flood");
    // Somebody follows it, and is slower than it.
    let follower = reader(daemon.http(), &run);
    let ended = daemon.ended(&run);
    assert_eq!(ended["state"], "succeeded", "{ended}");
    let usage = &ended["attempts"][0]["usage"];
    assert_eq!(usage["output_bytes"], 100_000_000, "{usage}");
    let events = daemon.output(&run, "stdout");
    let kept: Vec<u8> = events.iter().flat_map(bytes).collect();
    // A segment more than the limit, an eighth of it, may be there.
    assert!((8 << 20..37 << 18).contains(&kept.len()), "{} bytes are kept, and the limit is 8 MiB", kept.len());
    assert!(kept.starts_with(b"10000000\n10000001\n"));
    assert!(kept.ends_with(b"\n21111109\n21111110\n2"), "{:?}", String::from_utf8_lossy(&kept[kept.len() - 40..]));
    let gap = daemon.output(&run, "system");
    assert!(gap.iter().any(|event| event["text"].as_str().is_some_and(|text| text.contains("left out"))), "{gap:?}");
    let followed = follower.join().expect("it does not panic");
    assert_eq!(followed.last().map(|event| event.name.as_str()), Some("end"));
    let grown = daemon.peak_memory().saturating_sub(before);
    assert!(grown < 64 << 20, "100 MB of output took {grown} bytes of memory");
    daemon.stop();
}

#[test]
fn a_run_can_be_followed_before_it_starts_and_when_it_prints_nothing() {
    let home = Home::new();
    let config = home.write("one.toml", "max_running = 1\n");
    let daemon = home.spawn(&["--config", config.to_str().expect("UTF-8")]).ready();
    let release = home.path().join("release");
    daemon.put(&command("first", &format!("while [ ! -e {} ]; do sleep 0.02; done", release.display())));
    daemon.put(&command("second", "echo hello"));
    let first = daemon.start_run("first");
    let second = daemon.start_run("second");
    assert_eq!(daemon.get(&format!("/runs/{second}"))["state"], "queued");
    let (of_first, of_second) = (reader(daemon.http(), &first), reader(daemon.http(), &second));
    until("the first to run", Duration::from_secs(20), || {
        (daemon.get(&format!("/runs/{first}"))["state"] == "running").then_some(())
    });
    std::fs::write(&release, "").expect("files can be written");
    let of_first = of_first.join().expect("it does not panic");
    assert_eq!((of_first.len(), of_first[0].name.as_str()), (1, "end"), "{of_first:?}");
    let of_second = of_second.join().expect("it does not panic");
    assert_eq!(printed(&of_second), b"hello\n");
    assert_eq!(of_second.last().map(|event| event.data["state"].clone()), Some(json!("succeeded")));
    daemon.stop();
}

#[test]
fn a_part_of_the_output_can_be_asked_for() {
    let home = Home::new();
    let daemon = home.start();
    let script =
        "printf 'first li'; sleep 0.05; echo 'ne is whole'; echo 'an error' >&2; seq 1 100; printf 'no end'; exit 1";
    let mut job = command("parts", script);
    job["retry"] = json!({ "max_attempts": 2, "initial": "10ms", "jitter": "none" });
    daemon.put(&job);
    let run = daemon.start_run("parts");
    assert_eq!(daemon.ended(&run)["attempts"].as_array().map(Vec::len), Some(2));
    let logs = |args: &[&str]| home.cli(&[&["run", "logs", &run], args].concat()).expect(0).stdout;
    assert_eq!(logs(&["--grep", "^first line .* whole$"]), "first line is whole\n".repeat(2));
    assert_eq!(logs(&["--grep", "(?i)ERROR|^7$", "--attempt", "2", "--stream", "stdout"]), "7\n");
    assert_eq!(logs(&["--stream", "stderr", "--attempt", "1"]), "an error\n");
    assert_eq!(logs(&["--attempt", "1", "--tail", "2", "--stream", "stdout"]), "100\nno end");
    assert_eq!(logs(&["--attempt", "3"]), "");
    assert_eq!(logs(&["--until", "2000-01-01"]), "");
    assert_eq!(logs(&["--since", "1h", "--grep", "^100$"]), "100\n100\n");
    assert_eq!(logs(&["--level", "info"]), "");
    assert_eq!(logs(&["--raw", "--stream", "stderr"]), "an error\n".repeat(2));
    let stamped = logs(&["--timestamps", "--grep", "^42$"]);
    assert!(stamped.lines().all(|line| line.ends_with("Z 42") && line.len() == 27), "{stamped}");
    // The same over the API, as lines and as events.
    let path = format!("/api/v1/namespaces/default/runs/{run}/logs?grep=%5E5%24&attempt=1");
    assert_eq!(daemon.http().get(&path).json(200)["text"], "5\n");
    let events: Vec<ServerEvent> =
        daemon.http().events(&format!("{path}&follow=true&tail=1"), &[]).expect("an event stream").collect();
    assert_eq!(printed(&events), b"5\n");
    home.cli(&["run", "logs", &run, "--grep", "("]).expect(3).says(&["regular expression"]);
    daemon.stop();
}

#[test]
fn many_readers_do_not_slow_a_run() {
    let home = Home::new();
    let daemon = home.start();
    let flood = "seq 10000000 99999999 | head -c 45000000";
    daemon.put(&command("alone", flood));
    let alone = daemon.ended(&daemon.start_run("alone"));
    let release = home.path().join("release");
    daemon.put(&command("read", &format!("while [ ! -e {} ]; do sleep 0.02; done; {flood}", release.display())));
    let run = daemon.start_run("read");
    let readers: Vec<_> =
        (0..200).map(|_| daemon.socket().events(&logs(&run), &[]).expect("an event stream")).collect();
    std::fs::write(&release, "").expect("files can be written");
    // None of them reads, so all that is sent to them waits.
    let ended = daemon.ended(&run);
    assert_eq!((&alone["state"], &ended["state"]), (&json!("succeeded"), &json!("succeeded")), "{ended}");
    for reader in readers.into_iter().take(20) {
        let events: Vec<ServerEvent> = reader.collect();
        assert_eq!(events.last().map(|event| event.name.as_str()), Some("end"));
        assert!(printed(&events).ends_with(b"\n"), "the end is there");
    }
    daemon.stop();
}
