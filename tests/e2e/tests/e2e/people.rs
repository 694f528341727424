//! The command line as a person meets it: what it says beside the answer, and how little has to be typed.

use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use sandglass_e2e::{Daemon, Home, cli, until};
use serde_json::{Value, json};

use crate::scripts::command;

/// A run that goes on until the test ends it, after it has printed something.
fn endless(daemon: &Daemon, job: &str) -> String {
    daemon.put(&command(job, "echo up; sleep 300"));
    let run = daemon.start_run(job);
    until("its first output", Duration::from_secs(20), || (!daemon.output(&run, "stdout").is_empty()).then_some(()));
    run
}

#[test]
fn whoever_asks_is_told_what_a_queued_run_waits_for() {
    let home = Home::new();
    let daemon = home.start();
    home.write(
        "jobs.yaml",
        "name: load
command: sleep 60
overlap: allow_all
concurrency: { group: database, key: '{{ job.name }}' }
---
name: in-turn
command: sleep 60
overlap: buffer_all
",
    );
    home.cli(&["apply", "jobs.yaml"]).expect(0);
    let going = [daemon.start_run("load"), daemon.start_run("in-turn")];
    let (waits, in_turn) = (daemon.start_run("load"), daemon.start_run("in-turn"));
    let words = "a free place of key 'load' of concurrency group 'database', of which 1 attempt goes at once";
    let shown = home.cli(&["run", "show", &waits]).expect(0).stdout;
    assert!(shown.contains(&format!("waits for  {words}\n")), "{shown}");
    let due = daemon.get(&format!("/runs/{waits}"))["scheduled_at"].as_str().unwrap().to_owned();
    let why = home.cli(&["job", "why", "load", "--at", &due]).expect(0).stdout;
    assert!(why.contains(words), "{why}");
    let turn = daemon.get(&format!("/runs/{in_turn}"))["waits_for"].clone();
    assert_eq!(turn, json!({ "kind": "turn", "run_id": going[1] }));
    for run in [&waits, &in_turn, &going[0], &going[1]] {
        home.cli(&["run", "cancel", run]).expect(0);
    }
    assert!(daemon.ended(&waits).get("waits_for").is_none());
}

#[test]
fn ctrl_c_leaves_the_run_going_and_says_so() {
    let home = Home::new();
    let daemon = home.start();
    daemon.put(&command("slow", "echo up; sleep 300"));
    let data = home.data().display().to_string();
    let mut waiting = home.command(&["--data-dir", &data, "job", "run", "slow", "--wait"]);
    let child = waiting.env_remove("SANDGLASS_DATA_DIR").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.expect("the program can be started");
    let run = daemon.until_runs("slow", "running", 1).remove(0)["id"].as_str().expect("an id").to_owned();
    until("its first output", Duration::from_secs(20), || (!daemon.output(&run, "stdout").is_empty()).then_some(()));
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("it has a process id");
    kill_process(pid, Signal::INT).expect("our own child can be signalled");
    let status = cli::end_of(&mut child, "job run --wait");
    let output = child.wait_with_output().expect("it has ended");
    let stderr = String::from_utf8(output.stderr).expect("text");
    assert_eq!(status.code(), Some(1), "{stderr}");
    let follow = format!("`sandglass --data-dir {data} run logs -f {run}`");
    assert!(stderr.contains(&format!("run {run} goes on")) && stderr.contains(&follow), "{stderr}");
    assert_eq!(daemon.get(&format!("/runs/{run}"))["state"], "running");
    // A start that it stands in the way of says which run that is.
    home.cli(&["job", "run", "slow"]).expect(1).says(&[&format!("run wait {run}"), "--force"]);
    let ended = home.cli(&["run", "cancel", &run]).expect(0);
    ended.says(&["accepted", "killed after 30s", &format!("run wait {run}")]);
    daemon.stop();
}

#[test]
fn runs_are_named_by_little() {
    let home = Home::new();
    let daemon = home.start();
    home.cli(&["run", "show", "--last"]).expect(4).says(&["there are no runs yet", "job run"]);
    daemon.put(&command("one", "echo one"));
    daemon.put(&command("two", "echo two"));
    home.cli(&["job", "logs", "one"]).expect(4).says(&["'one'", "job run one"]);
    let one = home.cli(&["job", "run", "one", "--wait", "--json"]).expect(0).json();
    // The beginnings of ids tell the instants apart, to the millisecond.
    std::thread::sleep(Duration::from_millis(40));
    home.cli(&["job", "run", "two", "--wait"]).expect(0);
    let id = one["id"].as_str().expect("an id");
    assert_eq!(home.cli(&["job", "logs", "one"]).expect(0).stdout, "one\n");
    assert_eq!(home.cli(&["run", "logs", "--last"]).expect(0).stdout, "two\n");
    assert_eq!(home.cli(&["run", "logs", "--last", "one"]).expect(0).stdout, "one\n");
    let shown = home.cli(&["run", "show", &id[..14].to_lowercase(), "--json"]).expect(0).json();
    assert_eq!(shown, one);
    home.cli(&["run", "show", &id[..6]]).expect(2).says(&[id, "of two", "write more characters"]);
    home.cli(&["run", "show", "01ARZ3NDEK"]).expect(4).says(&["01ARZ3NDEK"]);
    home.cli(&["run", "show", &id[..5]]).expect(2).says(&["26 characters"]);
    // Following one that is over says how it ended, beside the output.
    let followed = home.cli(&["run", "logs", "-f", id]).expect(0);
    followed.says(&[&format!("run {id} of one succeeded")]);
    assert_eq!(followed.stdout, "one\n");
    daemon.stop();
}

#[test]
fn times_are_read_and_shown_as_people_write_them() {
    let home = Home::new();
    let daemon = home.start();
    daemon.put(&command("job", "echo out"));
    home.cli(&["job", "run", "job", "--wait"]).expect(0);
    for (args, count) in [
        (&["--from", "2020", "--to", "2099"][..], 1),
        (&["--from", "-2h"], 1),
        (&["--from", "2h", "--to", "now"], 1),
        (&["--to", "2020-01-01"], 0),
        (&["--from", "2099-01-01T00:00"], 0),
    ] {
        let page = home.cli(&[&["run", "list", "--json"], args].concat()).expect(0).json();
        assert_eq!(page["items"].as_array().map(Vec::len), Some(count), "{args:?}: {page}");
    }
    home.cli(&["run", "list", "--to", "20990101"]).expect(2).says(&["2027-03-28", "-2h"]);
    let mut local = command("local", "echo local");
    local["timezone"] = json!("Asia/Kolkata");
    local["triggers"] = json!([{ "cron": "30 2 * * *" }]);
    daemon.put(&local);
    let shown = home.cli(&["job", "show", "local"]).expect(0).stdout;
    assert!(shown.contains("T02:30:00+05:30 (in "), "{shown}");
    let run = home.cli(&["job", "run", "local", "--wait"]).expect(0).stdout;
    assert!(run.contains("+05:30 ("), "{run}");
    let next = home.cli(&["job", "next", "local", "-c", "1"]).expect(0).stdout;
    assert!(next.starts_with("Asia/Kolkata") && next.contains("UTC") && next.contains("T21:00:00Z"), "{next}");
    local["timezone"] = json!("UTC");
    daemon.put(&local);
    let next = home.cli(&["job", "next", "local", "-c", "1"]).expect(0).stdout;
    assert_eq!(next.matches("UTC").count(), 2, "the heading and the fire, once each: {next}");
    home.cli(&["schedule", "next", "0 2 * * *", "--timezone", "Europe/Berlni"]).expect(2).says(&["Europe/Berlin?"]);
    let empty = home.cli(&["job", "list", "--tag", "nightly"]).expect(0).stdout;
    assert_eq!(empty, "no jobs with the tag 'nightly'\n");
    daemon.stop();
}

#[test]
fn what_would_change_is_shown_by_field() {
    let home = Home::new();
    let daemon = home.start();
    home.write("job.yaml", "name: a\ncommand: date\ntimeout: 1h\n");
    home.cli(&["diff", "job.yaml"]).expect(1);
    home.cli(&["apply", "job.yaml"]).expect(0);
    let same = home.cli(&["diff", "job.yaml"]).expect(0).stdout;
    assert_eq!(same, "nothing would change\n");
    home.write("job.yaml", "name: a\ncommand: date --utc\ntimeout: 2h\nenv: { A: b }\n");
    for args in [&["diff", "job.yaml"][..], &["apply", "job.yaml", "--dry-run"]] {
        let ended = home.cli(args);
        assert_eq!(ended.code, i32::from(args[0] == "diff"), "{ended:?}");
        for line in ["~ timeout: 1h -> 2h", "+ env: {\"A\":\"b\"}", "~ action.with.command: date -> date --utc"] {
            assert!(ended.stdout.contains(line), "no {line:?} in:\n{}", ended.stdout);
        }
    }
    let diff = home.cli(&["diff", "job.yaml", "--json"]).expect(1).json();
    let fields = diff["items"][0]["fields"].as_array().expect("a list");
    let timeout = json!({ "pointer": "/timeout", "old": "1h", "new": "2h" });
    assert!(fields.contains(&timeout), "{diff}");
    assert_eq!(daemon.get("/jobs/a")["revision"], 1);
    daemon.stop();
}

#[test]
fn what_the_daemon_refuses_is_shown_in_its_line() {
    let home = Home::new();
    let daemon = home.start();
    home.write("bad.yaml", "name: a\naction:\n  use: shell\n  with:\n    command: x\n    interpeter: bash\n");
    let ended = home.cli(&["apply", "bad.yaml"]).expect(3);
    ended.says(&["error: bad.yaml:6:", " 6 |     interpeter: bash\n", "^^^^", "nothing was changed"]);
    home.write("plugin.yaml", "name: a\naction: { use: shel }\n");
    let data = home.data().display().to_string();
    let ended = cli::run(home.command(&["--data-dir", &data, "apply", "plugin.yaml"]).env_remove("SANDGLASS_DATA_DIR"));
    ended.expect(3).says(&[" 2 | action: { use: shel }\n", &format!("`sandglass --data-dir {data} plugin add FILE`")]);
    daemon.stop();
}

#[test]
fn a_component_shows_its_actions_before_it_is_added() {
    let home = Home::new();
    let words = sandglass_test_guests::user().expect("the Rust plugin can be built");
    let words = words.to_str().expect("UTF-8");
    // Without a daemon only what the file says of itself.
    let alone = home.cli(&["plugin", "inspect", words, "--json"]).expect(0).json();
    assert_eq!((&alone["name"], &alone["actions"]), (&json!("words"), &Value::Null), "{alone}");
    let daemon = home.start();
    let asked = home.cli(&["plugin", "inspect", words, "--json"]).expect(0).json();
    assert_eq!(asked["actions"][0]["name"], "count", "{asked}");
    let shown = home.cli(&["plugin", "inspect", words]).expect(0).stdout;
    assert!(shown.contains("action count") && shown.contains("(required)"), "{shown}");
    home.cli(&["plugin", "inspect", "words"]).expect(4);
    // A grant that it has no use for is told of.
    let added = home.cli(&["plugin", "add", words, "--grant", "state: true", "--grant", "http: public"]).expect(0);
    added.says(&["warning:", "never asks for 'http'"]);
    assert!(!added.stderr.contains("'state'"), "{}", added.stderr);
    home.write("w.yaml", "name: w\naction: { use: words, with: { text: a } }\n");
    home.cli(&["apply", "w.yaml"]).expect(0);
    home.cli(&["plugin", "remove", "words", "--yes"]).expect(5).says(&["used by 1 job, such as 'w'"]);
    daemon.stop();
}

#[test]
fn a_follower_is_told_how_the_daemons_end_ended_the_run() {
    let home = Home::new();
    let daemon = home.start();
    let run = endless(&daemon, "endless");
    let follower = home.command(&["run", "logs", "-f", &run]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut follower = follower.expect("the program can be started");
    // It is there once it has printed what was printed before.
    let mut stdout = std::io::BufReader::new(follower.stdout.take().expect("it was asked for"));
    let mut first = String::new();
    std::io::BufRead::read_line(&mut stdout, &mut first).expect("it prints text");
    assert_eq!(first, "up\n");
    daemon.stop();
    cli::end_of(&mut follower, "run logs -f");
    let output = follower.wait_with_output().expect("it has ended");
    let stderr = String::from_utf8(output.stderr).expect("text");
    assert!(stderr.contains(&format!("run {run} of endless interrupted")), "{stderr}");
}

#[test]
fn a_second_signal_kills_what_is_going() {
    let home = Home::new();
    let mut daemon = home.start();
    let file = home.path().join("pid");
    daemon
        .put(&command("stubborn", &format!("trap '' TERM; echo $$ > {}; while :; do sleep 300; done", file.display())));
    let run = daemon.start_run("stubborn");
    let pid = until("the run's process", Duration::from_secs(20), || {
        std::fs::read_to_string(&file).ok().filter(|text| text.ends_with('\n'))
    });
    daemon.signal(Signal::INT);
    until("the stop", Duration::from_secs(20), || daemon.log().contains("stopping").then_some(()));
    assert!(std::path::Path::new("/proc").join(pid.trim()).exists(), "its grace of 30 s is not over");
    daemon.signal(Signal::INT);
    daemon.wait();
    // A process that is gone, or only its remains until somebody has looked at them.
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    assert!(stat.is_empty() || stat.contains(") Z"), "it is still there: {stat}");
    let daemon = home.start();
    assert_eq!(daemon.get(&format!("/runs/{run}"))["state"], "interrupted");
    daemon.stop();
}

#[test]
fn a_daemon_whose_log_nobody_reads_goes_on() {
    let home = Home::new();
    let mut serve = home.command(&["serve", "--listen", "none"]);
    let mut child =
        serve.env("SANDGLASS_LOG", "debug").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    // Its reader is gone before it says anything, and it has something to say of all that it does.
    drop(child.stderr.take());
    until("its start", Duration::from_secs(60), || (home.cli(&["status"]).code == 0).then_some(()));
    home.write("a.yaml", "name: a\ncommand: echo on\n");
    home.cli(&["apply", "a.yaml"]).expect(0);
    assert!(home.cli(&["job", "run", "a", "--wait"]).expect(0).stdout.contains("on"));
    assert!(child.try_wait().expect("it is ours").is_none(), "it has ended");
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("it has a process id");
    kill_process(pid, Signal::TERM).expect("our own child can be signalled");
    assert!(cli::end_of(&mut child, "serve").success());
}
