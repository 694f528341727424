//! Notifications: runs of their own that tell of other runs.

use std::time::Duration;

use sandglass_e2e::{Daemon, Home, Receiver, until};
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_secs(30);

fn failing(name: &str, notify: &Value) -> Value {
    json!({ "name": name, "action": { "use": "shell", "with": { "command": "exit 3" } }, "notify": notify })
}

/// A notifier that posts its summary to `path`, and tries again soon.
fn posts(receiver: &Receiver, path: &str, on: &Value) -> Value {
    json!({
        "on": on,
        "use": "http",
        "with": { "method": "POST", "url": receiver.url(path), "json": { "text": "{{ notification.summary }}" } },
        "grants": { "http": [format!("POST {}", receiver.url("/*"))] },
        "retry": { "initial": "200ms", "jitter": "none", "max_attempts": 50, "backoff": "fixed" },
    })
}

fn texts(receiver: &Receiver) -> Vec<String> {
    let text = |body: &[u8]| serde_json::from_slice::<Value>(body).expect("JSON")["text"].as_str().map(str::to_owned);
    receiver.received().iter().map(|request| text(&request.body).expect("text")).collect()
}

/// All notifications, the newest first.
fn notifications(daemon: &Daemon) -> Vec<Value> {
    let page = daemon.get("/runs?notifications=true");
    let items = page["items"].as_array().expect("items").iter();
    items.filter(|run| run["origin"] == "notification").cloned().collect()
}

#[test]
fn a_failure_is_posted_once_and_the_job_has_one_run() {
    let (home, receiver) = (Home::new(), Receiver::start());
    let daemon = home.start();
    daemon.put(&failing("nightly", &json!([posts(&receiver, "/hook", &json!(["failed", "recovered"]))])));
    let run = daemon.start_run("nightly");
    daemon.ended(&run);
    let text = until("the post", LIMIT, || texts(&receiver).pop());
    assert_eq!(text, format!("job 'nightly' failed: exit code 3 (run {run})"));
    let told = until("its end", LIMIT, || notifications(&daemon).pop().filter(|run| run["state"] == "succeeded"));
    assert_eq!((&told["job"], &told["notice"]["count"]), (&json!("nightly"), &json!(1)));
    assert_eq!(told["notice"]["events"][0]["run"], json!(run));
    // It is none of the job's runs, and listed only where it is asked for.
    assert_eq!(daemon.runs("nightly").len(), 1);
    assert_eq!(daemon.get("/runs")["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(daemon.get("/jobs/nightly")["last_run"]["id"], json!(run));
    let list = |args: &[&str]| home.cli(args).expect(0).stdout.lines().count();
    assert_eq!((list(&["run", "list"]), list(&["run", "list", "--notifications"])), (2, 3));
    home.cli(&["run", "list", "--notifications", "--job", "nightly"]).expect(2);
    let id = told["id"].as_str().expect("an id");
    let shown = home.cli(&["run", "show", id]).expect(0).stdout;
    assert!(shown.contains("job 'nightly' failed: exit code 3") && shown.contains("number 0 of the job"), "{shown}");
    home.cli(&["run", "logs", id]).expect(0);
    home.cli(&["run", "retry", id]).expect(3).says(&["is a notification"]);
    let status = home.cli(&["status", "--json"]).expect(0).json();
    assert_eq!((&status["runs"], &status["notifications"]), (&json!({ "failed": 1 }), &json!({ "succeeded": 1 })));
    // The next success is a recovery.
    let mut mended = failing("nightly", &json!([posts(&receiver, "/hook", &json!(["recovered"]))]));
    mended["action"]["with"]["command"] = "true".into();
    mended["notify"][0]["group"] = "0s".into();
    daemon.put(&mended);
    let run = daemon.start_run("nightly");
    daemon.ended(&run);
    let text = until("the other post", LIMIT, || texts(&receiver).get(1).cloned());
    assert_eq!(text, format!("job 'nightly' recovered (run {run})"));
    daemon.stop();
}

#[test]
fn a_notification_that_cannot_be_posted_is_tried_again_also_after_a_kill() {
    let (home, receiver) = (Home::new(), Receiver::start());
    let daemon = home.start();
    daemon.put(&failing("nightly", &json!([posts(&receiver, "/status/503", &json!(["failed"]))])));
    let run = daemon.ended(&daemon.start_run("nightly"));
    assert_eq!(run["state"], "failed", "it does not wait for its notification");
    until("two attempts", LIMIT, || (receiver.received().len() >= 2).then_some(()));
    daemon.kill();
    let before = receiver.received().len();
    let daemon = home.start();
    until("two more", LIMIT, || (receiver.received().len() >= before + 2).then_some(()));
    let told = notifications(&daemon);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0]["attempts"].as_array().is_some_and(|attempts| attempts.len() >= 4), "{told:?}");
    home.cli(&["run", "cancel", told[0]["id"].as_str().expect("an id"), "--wait"]).expect(0);
    daemon.stop();
}

/// A job, and notifiers of its namespace that write what they tell to `told`.
fn files(home: &Home) -> String {
    let told = home.path().join("told");
    format!(
        "notify:\n  - on: [failed, {{no_success_within: 1s}}]\n    use: shell\n    group: 0s\n    env: {{ TEXT: \"{{{{ notification.summary }}}}\" }}\n    \
         with: {{ command: 'echo \"$TEXT\" >> {}' }}\njobs:\n  - {{ name: a, command: exit 3 }}\n",
        told.display()
    )
}

#[test]
fn the_notifiers_of_a_namespace_come_from_files() {
    let home = Home::new();
    let daemon = home.start();
    let text = files(&home);
    home.write("all.yaml", &text);
    home.cli(&["namespace", "notify", "show"]).expect(4).says(&["namespace notify set FILE"]);
    home.cli(&["diff", "all.yaml"]).expect(1);
    home.cli(&["validate", "all.yaml"]).expect(0);
    let applied = home.cli(&["apply", "all.yaml"]).expect(0).stdout;
    assert!(applied.contains("1 notifier of the namespace: saved"), "{applied}");
    home.cli(&["diff", "all.yaml"]).expect(0);
    let shown = home.cli(&["namespace", "notify", "show"]).expect(0).stdout;
    assert!(shown.contains("failed, no_success_within 1s") && shown.contains("shell"), "{shown}");
    let told = |part: &str| {
        let written = std::fs::read_to_string(home.path().join("told")).unwrap_or_default();
        written.lines().find(|line| line.contains(part)).map(str::to_owned)
    };
    until("the lack of a success", LIMIT, || told("job 'a': no run has succeeded since"));
    let run = daemon.start_run("a");
    let line = until("the failure", LIMIT, || told("failed"));
    assert_eq!(line, format!("job 'a' failed: exit code 3 (run {run})"));
    // Mistakes are told with their lines, by the reader and by the daemon.
    home.write("slip.yaml", text.replace("notification.summary", "params.url"));
    home.cli(&["apply", "slip.yaml"]).expect(3).says(&["slip.yaml:5:", "there is no value 'params.url'"]);
    home.write("slip.yaml", text.replace("failed, ", "fails, "));
    home.cli(&["apply", "slip.yaml"]).expect(3).says(&["slip.yaml:2:", "'fails' is no event: write one of"]);
    home.write("slip.yaml", text.replace("command: 'echo", "comand: 'echo"));
    home.cli(&["apply", "slip.yaml"]).expect(3).says(&["slip.yaml:6:", "did you mean 'command'?"]);
    home.write("slip.yaml", text.replace("use: shell", "use: shel"));
    home.cli(&["apply", "slip.yaml"]).expect(3).says(&["slip.yaml:3:", "there is no plugin 'shel'"]);
    home.write("job.yaml", "name: b\ncommand: date\nnotify:\n  - {on: [failed], use: shell, with: {comand: x}}\n");
    home.cli(&["apply", "job.yaml"]).expect(3).says(&["job.yaml:4:", "/notify/0/with"]);
    home.write("own.yaml", "- {on: [expired], use: shell, with: {command: date}}\n");
    home.cli(&["namespace", "notify", "set", "own.yaml"]).expect(0);
    let saved = home.cli(&["namespace", "notify", "show", "--json"]).expect(0).json();
    assert_eq!((&saved["revision"], &saved["notify"][0]["on"]), (&json!(2), &json!(["expired"])));
    home.cli(&["namespace", "notify", "delete", "--yes"]).expect(0);
    home.cli(&["namespace", "notify", "show"]).expect(4);
    daemon.stop();
}
