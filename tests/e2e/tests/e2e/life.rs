//! Overlap, timeouts, cancelling, stopping, and catching up.

use std::time::Duration;

use rustix::process::Signal;
use sandglass_e2e::{Home, until};
use serde_json::{Value, json};

use crate::scripts::{assert_gapless, command, each_second, micros};

/// Whether a process is there and not only its remains.
fn is_alive(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().and_then(|rest| rest.chars().next()).is_some_and(|state| state != 'Z')
}

/// Waits for a file that a run writes its processes' ids to, a line each.
fn pids(home: &Home, file: &str, count: usize) -> Vec<String> {
    until(&format!("{count} process ids in {file}"), Duration::from_secs(30), || {
        let text = std::fs::read_to_string(home.path().join(file)).ok()?;
        let pids: Vec<String> = text.lines().map(str::to_owned).collect();
        (pids.len() >= count && text.ends_with('\n')).then_some(pids)
    })
}

fn assert_gone(pids: &[String]) {
    for pid in pids {
        assert!(!is_alive(pid), "process {pid} of an ended run is still there");
    }
}

/// A command that starts a daemon in a session of its own and a child, writes all ids to `file`, and ignores requests to end.
fn stubborn(home: &Home, file: &str) -> String {
    let file = home.path().join(file);
    let file = file.display();
    format!(
        "trap '' TERM; echo $$ >> {file}; setsid sh -c 'trap \"\" TERM; echo $$ >> {file}; sleep 300; sleep 300' &\n\
         (echo $(exec sh -c 'echo $PPID') >> {file}; sleep 300; sleep 300) & while :; do sleep 300; done"
    )
}

#[test]
fn a_fire_during_a_run_is_skipped_and_says_so() {
    let home = Home::new();
    let daemon = home.start();
    daemon.put(&each_second("slow", "sleep 2.5"));
    let runs = daemon.until_runs("slow", "succeeded", 2);
    assert_gapless("slow", &runs);
    let skipped: Vec<&Value> = runs.iter().filter(|run| run["state"] == "skipped").collect();
    assert!(skipped.len() >= 2, "{runs:?}");
    assert!(skipped.iter().all(|run| run["reason"] == "overlap" && run["attempts"] == json!([])), "{skipped:?}");
    // A start by hand passes the same gate, unless it is forced.
    daemon.put(&command("hand", "sleep 300"));
    let first = daemon.start_run("hand");
    let second = home.cli(&["job", "run", "hand", "--json"]).expect(1).json();
    assert_eq!((&second["state"], &second["reason"]), (&json!("skipped"), &json!("overlap")));
    let forced = home.cli(&["job", "run", "hand", "--force", "--json"]).expect(0).json();
    assert_ne!(forced["state"], "skipped");
    for run in [first.as_str(), forced["id"].as_str().expect("an id")] {
        home.cli(&["run", "cancel", run, "--wait", "--json"]).expect(0);
    }
    daemon.stop();
}

#[test]
fn a_timeout_kills_the_whole_tree() {
    let home = Home::new();
    let daemon = home.start();
    let mut job = command("stuck", &stubborn(&home, "pids"));
    job["timeout"] = json!("1s");
    job["grace"] = json!("1s");
    daemon.put(&job);
    let run = daemon.start_run("stuck");
    let pids = pids(&home, "pids", 3);
    let ended = daemon.ended(&run);
    assert_eq!(ended["state"], "timed_out", "{ended}");
    assert_eq!(ended["attempts"][0]["error"]["class"], "deadline", "{ended}");
    assert_gone(&pids);
    let took = micros(&ended, "finished_at") - micros(&ended, "started_at");
    assert!((1_000_000..15_000_000).contains(&took), "a timeout of 1 s and a grace of 1 s took {took} µs");
    daemon.stop();
}

#[test]
fn a_cancelled_run_may_tidy_up_and_leaves_nothing() {
    let home = Home::new();
    let daemon = home.start();
    let file = home.path().join("tidied");
    daemon.put(&command(
        "polite",
        &format!("trap 'echo tidy > {}; exit 0' TERM; echo up; sleep 300 & wait", file.display()),
    ));
    let run = daemon.start_run("polite");
    until("its first output", Duration::from_secs(20), || (!daemon.output(&run, "stdout").is_empty()).then_some(()));
    let cancelled = home.cli(&["run", "cancel", &run, "--wait", "--json"]).expect(0).json();
    assert_eq!(cancelled["state"], "cancelled", "{cancelled}");
    assert_eq!(std::fs::read_to_string(&file).expect("the trap wrote it"), "tidy\n");
    // What is over cannot be stopped.
    home.cli(&["run", "cancel", &run]).expect(5).says(&["over"]);

    let mut job = command("rude", &stubborn(&home, "pids"));
    job["grace"] = json!("1s");
    daemon.put(&job);
    let run = daemon.start_run("rude");
    let pids = pids(&home, "pids", 3);
    let cancelled = home.cli(&["run", "cancel", &run, "--wait", "--json"]).expect(0).json();
    assert_eq!(cancelled["state"], "cancelled", "{cancelled}");
    assert_gone(&pids);
    daemon.stop();
}

#[test]
fn deleting_a_job_stops_its_run_and_keeps_its_history() {
    let home = Home::new();
    let daemon = home.start();
    daemon.put(&command("doomed", "echo $$; sleep 300"));
    let run = daemon.start_run("doomed");
    until("its first output", Duration::from_secs(20), || (!daemon.output(&run, "stdout").is_empty()).then_some(()));
    home.cli(&["job", "delete", "doomed"]).expect(2);
    home.cli(&["job", "delete", "doomed", "--yes"]).expect(0);
    assert_eq!(daemon.ended(&run)["state"], "cancelled");
    home.cli(&["job", "show", "doomed"]).expect(4);
    assert_eq!(daemon.get("/runs")["items"].as_array().map(Vec::len), Some(1));
    daemon.stop();
}

#[test]
fn sigterm_gives_runs_their_grace_and_records_their_end() {
    let home = Home::new();
    let mut daemon = home.start();
    daemon.put(&command("polite", "trap 'echo bye; exit 0' TERM; echo up; sleep 300 & wait"));
    let mut rude = command("rude", &stubborn(&home, "pids"));
    rude["grace"] = json!("1s");
    daemon.put(&rude);
    let (polite, rude) = (daemon.start_run("polite"), daemon.start_run("rude"));
    until("its first output", Duration::from_secs(20), || (!daemon.output(&polite, "stdout").is_empty()).then_some(()));
    let pids = pids(&home, "pids", 3);
    let deadline = sandglass_e2e::Deadline::after(Duration::from_secs(11));
    daemon.signal(Signal::TERM);
    let status = daemon.wait();
    assert!(status.success(), "{status}: {}", daemon.log());
    assert!(!deadline.is_over(), "grace of 1 s, but the stop took {:?}", deadline.elapsed());
    assert_gone(&pids);

    let daemon = home.start();
    for run in [&polite, &rude] {
        let run = daemon.get(&format!("/runs/{run}"));
        assert!(["cancelled", "interrupted"].contains(&run["state"].as_str().unwrap_or_default()), "{run}");
        assert!(run["finished_at"].is_string());
    }
    let text: String = daemon.stdout(&daemon.get(&format!("/runs/{polite}")));
    assert_eq!(text, "up\nbye\n");
    daemon.stop();
}

#[test]
fn after_time_down_the_latest_fire_is_caught_up() {
    let home = Home::new();
    let daemon = home.start();
    let status = daemon.socket().get("/api/v1/status").json(200);
    let now = chrono::DateTime::parse_from_rfc3339(status["started_at"].as_str().expect("text")).expect("RFC 3339");
    // Fires while the daemon is down, and so long before its return that it counts as late.
    let at = now + Duration::from_secs(4);
    for (name, policy) in [("latest", "latest"), ("none", "none")] {
        let mut once = command(&format!("once-{name}"), "echo once");
        once["triggers"] = json!([{ "at": at.to_rfc3339() }]);
        once["catch_up"] = json!({ "policy": policy });
        daemon.put(&once);
    }
    daemon.put(&each_second("tick", "echo tick"));
    let before = daemon.until_runs("tick", "succeeded", 1);
    assert!(daemon.runs("once-latest").is_empty(), "the start took too long for this test");
    daemon.stop();
    // Time has to pass for fires to be missed.
    std::thread::sleep(Duration::from_secs(9));
    let daemon = home.start();
    let runs = daemon.until_runs("tick", "succeeded", before.len() + 2);
    assert_gapless("tick", &runs);
    let missed = runs.iter().filter(|run| run["state"] == "skipped" && run["reason"] == "missed").count();
    assert!(missed >= 7, "9 s down, but {missed} fires were missed: {runs:?}");
    let first_after =
        runs.iter().find(|run| micros(run, "queued_at") > micros(&runs[before.len()], "scheduled_at") + 2_000_000);
    assert!(first_after.is_some_and(|run| run["reason"] == "missed"), "{runs:?}");

    let caught = daemon.until_runs("once-latest", "succeeded", 1);
    assert_eq!((caught.len(), &caught[0]["origin"]), (1, &json!("catch_up")), "{caught:?}");
    let left_out = daemon.until_runs("once-none", "skipped", 1);
    assert_eq!((left_out.len(), &left_out[0]["reason"]), (1, &json!("missed")), "{left_out:?}");
    daemon.stop();
}
