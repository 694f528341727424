//! The main job: a folder of job files and two user plugins, on a running daemon, through a kill and a restart.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use sandglass_e2e::{Daemon, Home, Receiver, skipped};
use sandglass_test_guests::GuestError;
use serde_json::{Value, json};

use crate::scripts::{assert_gapless, micros};

/// The folder of job files, in three formats and two forms.
fn write_jobs(home: &Home, receiver: &Receiver, python: bool) {
    let folder = home.path().display();
    home.write("documents/orders.csv", "id,total\n1,10\n2,20\n");
    home.write("documents/deep/er/note.txt", "a note\n".repeat(10_000));
    home.write(
        "jobs/plan-z.yaml",
        "name: plan-z\nschedule: {trigger: interval, seconds: 1}\ncommand: echo \"to $TARGET\"\ntimeout: 600\nenv: { TARGET: s3, PORT: 8080 }\n",
    );
    home.write("jobs/nightly.yml", "name: nightly\nschedule: \"0 2 * * *\"\ncommand: echo night\n");
    home.write(
        "jobs/backup.toml",
        format!(
            "name = 'backup'\nworking_dir = '{folder}'\ntriggers = [{{ every = '2s' }}]\n\
             [action]\nuse = 'shell'\n\
             with.command = 'tar -czf new.tgz documents && mv new.tgz backup.tgz && echo packed'\n\
             [grants]\nprocess = ['/bin/*', '/usr/bin/*']\n"
        ),
    );
    let url = receiver.url("/hook?a=b");
    let webhook = json!({ "jobs": [{
        "name": "webhook",
        "triggers": [{ "every": "1s" }],
        "action": { "use": "http", "with": {
            "method": "POST", "url": url, "headers": { "X-Sandglass": "yes" }, "json": { "text": "ünïcode" } } },
        "grants": { "http": [format!("POST {}", receiver.url("/*"))] },
    }] });
    home.write("jobs/webhook.json", webhook.to_string());
    home.write(
        "jobs/users/words.yaml",
        "name: words\ntriggers: [{ every: 1s }]\naction: { use: words/count, with: { text: to be or not to be } }\n",
    );
    home.write(
        "jobs/failing.yaml",
        "name: failing\ntriggers: [{ every: 1s }]\naction: { use: shell, with: { command: \"echo oh >&2; exit 3\" } }\n",
    );
    if python {
        home.write(
            "jobs/users/greet.yaml",
            "name: greet\ntriggers: [{ every: 1s }]\naction: { use: python-guest, with: { name: world } }\n",
        );
    }
}

/// Adds the user plugins; says whether the one in Python could be had.
fn add_plugins(home: &Home) -> bool {
    let words = sandglass_test_guests::user().expect("the Rust plugin can be built");
    let added = home.cli(&["plugin", "add", &text(&words), "--grant", "state: true", "--json"]).expect(0).json();
    assert_eq!((&added["name"], &added["granted"]["state"]), (&json!("words"), &json!(true)), "{added}");
    match sandglass_test_guests::python() {
        Ok(greet) => {
            home.cli(&["plugin", "add", &text(&greet)]).expect(0);
            true
        }
        Err(GuestError::NoTool { tool }) => {
            skipped("main_job (Python plugin)", &format!("{tool} is not installed"));
            false
        }
        Err(error) => panic!("the Python plugin cannot be built: {error}"),
    }
}

fn text(path: &Path) -> String {
    path.to_str().expect("test paths are UTF-8").to_owned()
}

#[test]
fn a_folder_of_jobs_fires_on_time_and_survives_a_kill() {
    let (home, receiver) = (Home::new(), Receiver::start());
    let daemon = home.start();
    let python = add_plugins(&home);
    write_jobs(&home, &receiver, python);

    let applied = home.cli(&["apply", "jobs", "--json"]).expect(0).json();
    let applied = applied["items"].as_array().expect("a page has items").clone();
    assert_eq!(applied.len(), if python { 7 } else { 6 });
    assert!(applied.iter().all(|result| result["created"] == true), "{applied:?}");
    // An unchanged file changes nothing, and a second apply keeps every next fire.
    let again = home.cli(&["apply", "jobs", "--json"]).expect(0).json();
    assert!(again["items"].as_array().expect("items").iter().all(|result| result["changed"] == false), "{again}");

    let firing: &[&str] =
        if python { &["plan-z", "webhook", "words", "greet"] } else { &["plan-z", "webhook", "words"] };
    for job in firing {
        daemon.until_runs(job, "succeeded", 3);
    }
    daemon.until_runs("backup", "succeeded", 1);
    daemon.until_runs("failing", "failed", 2);
    assert_eq!(daemon.runs("nightly"), Vec::<Value>::new());

    daemon.kill();
    let daemon = home.start();
    for job in firing {
        let before = daemon.runs(job).iter().filter(|run| run["state"] == "succeeded").count();
        daemon.until_runs(job, "succeeded", before + 2);
    }
    for job in firing.iter().chain(&["failing"]) {
        let runs = daemon.runs(job);
        assert_gapless(job, &runs);
        on_time(job, &runs);
    }
    outputs_are_right(&home, &daemon, &receiver, python);
    daemon.stop();
}

/// No run starts before its instant, and half of them within a second after it.
fn on_time(job: &str, runs: &[Value]) {
    let started = runs.iter().filter(|run| run["started_at"].is_string() && run["origin"] == "schedule");
    let mut late: Vec<i64> = started.map(|run| micros(run, "started_at") - micros(run, "scheduled_at")).collect();
    late.sort_unstable();
    assert!(late.iter().all(|late| *late >= 0), "{job} started before its instant: {late:?}");
    assert!(late[late.len() / 2] < 1_000_000, "{job} starts too late: {late:?} microseconds");
}

fn succeeded(daemon: &Daemon, job: &str) -> Vec<Value> {
    daemon.runs(job).into_iter().filter(|run| run["state"] == "succeeded").collect()
}

fn outputs_are_right(home: &Home, daemon: &Daemon, receiver: &Receiver, python: bool) {
    for run in succeeded(daemon, "plan-z") {
        assert_eq!((daemon.stdout(&run).as_str(), &run["exit_code"]), ("to s3\n", &json!(0)), "{run}");
        assert_eq!(run["result"]["output"], json!({ "exit_code": 0 }));
    }
    for run in daemon.runs("failing").iter().filter(|run| run["state"] == "failed") {
        assert_eq!(run["exit_code"], 3, "{run}");
        assert_eq!(run["attempts"][0]["error"]["class"], "exit", "{run}");
        let printed = daemon.output(run["id"].as_str().expect("an id"), "stderr");
        assert_eq!(printed[0]["text"], "oh\n");
    }
    for (count, run) in succeeded(daemon, "words").iter().enumerate() {
        assert_eq!(run["result"]["output"]["words"], 6, "{run}");
        // The sum over all runs: state survives the kill, and no run that counted is missing or there twice. One that
        // was interrupted after it counted may lie between.
        let total = run["result"]["output"]["total"].as_u64().expect("a number");
        assert!(total.is_multiple_of(6) && total / 6 > count as u64, "{run}");
    }
    if python {
        let run = &succeeded(daemon, "greet")[0];
        assert_eq!(run["result"]["output"], json!({ "greeting": "hello, world", "job": "greet" }));
    }
    archive_is_right(home);
    let received = receiver.received();
    let sent = succeeded(daemon, "webhook").len();
    assert!(received.len() >= sent, "{sent} runs say that they sent, but {} requests came", received.len());
    for request in received {
        assert_eq!(request.first, "POST /hook?a=b HTTP/1.1");
        assert_eq!(request.header("content-type"), Some("application/json"));
        assert_eq!(request.header("x-sandglass"), Some("yes"));
        assert!(request.header("host").is_some_and(|host| host.starts_with("127.0.0.1:")));
        assert_eq!(serde_json::from_slice::<Value>(&request.body).expect("JSON"), json!({ "text": "ünïcode" }));
    }
}

fn archive_is_right(home: &Home) {
    let out = home.path().join("unpacked");
    std::fs::create_dir(&out).expect("folders can be made");
    let status = Command::new("tar").arg("-xzf").arg(home.path().join("backup.tgz")).arg("-C").arg(&out).status();
    assert!(status.expect("tar is there").success());
    let same = Command::new("diff").arg("-r").arg(home.path().join("documents")).arg(out.join("documents")).status();
    assert!(same.expect("diff is there").success(), "the archive holds something else than the folder");
}

#[test]
fn an_instant_fires_once_and_on_time() {
    let home = Home::new();
    let daemon = home.start();
    let status = daemon.socket().get("/api/v1/status").json(200);
    let started = chrono::DateTime::parse_from_rfc3339(status["started_at"].as_str().expect("text")).expect("RFC 3339");
    let at = started + Duration::from_secs(4);
    let mut job = crate::scripts::command("once", "echo $SANDGLASS_SCHEDULED_AT");
    job["triggers"] = json!([{ "at": at.to_rfc3339() }]);
    assert_eq!(daemon.put(&job)["job"]["next_fire_at"].as_str().map(micros_of), Some(at.timestamp_micros()));
    let runs = daemon.until_runs("once", "succeeded", 1);
    assert_eq!((runs.len(), micros(&runs[0], "scheduled_at")), (1, at.timestamp_micros()));
    assert_eq!(micros_of(daemon.stdout(&runs[0]).trim()), at.timestamp_micros());
    on_time("once", &runs);
    assert!(daemon.get("/jobs/once")["next_fire_at"].is_null());
    daemon.stop();
}

fn micros_of(text: &str) -> i64 {
    chrono::DateTime::parse_from_rfc3339(text).expect("RFC 3339").timestamp_micros()
}
