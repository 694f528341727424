//! Containers on real engines, from job files. One test for each, as they take seconds to start.

use std::time::Duration;

use sandglass_e2e::{Daemon, Home, until};
use sandglass_test_engine::{IMAGE, TestEngine};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(60);

/// A job that runs the image with `with`.
fn job(name: &str, with: &Value) -> Value {
    let mut with = with.clone();
    with["image"] = json!(IMAGE);
    with["network"] = json!("none");
    json!({ "name": name, "action": { "use": "docker", "with": with } })
}

fn containers(engine: &TestEngine) -> Vec<String> {
    engine.containers_with("sandglass.daemon").expect("the engine answers")
}

fn one_container(engine: &TestEngine) -> String {
    until("a container", SOON, || containers(engine).pop())
}

fn no_container(engine: &TestEngine) {
    until("the end of all containers", SOON, || containers(engine).is_empty().then_some(()));
}

#[test]
fn containers_run_and_nothing_of_them_is_left() {
    match TestEngine::start() {
        Ok(engine) => all_of_it(&engine),
        Err(why) => eprintln!("skipped: containers_run_and_nothing_of_them_is_left: {why}"),
    }
}

#[test]
fn containers_run_on_podman_and_nothing_of_them_is_left() {
    match TestEngine::start_podman() {
        Ok(engine) => all_of_it(&engine),
        Err(why) => eprintln!("skipped: containers_run_on_podman_and_nothing_of_them_is_left: {why}"),
    }
}

fn all_of_it(engine: &TestEngine) {
    let home = Home::new();
    let configuration = format!("[docker]\nhost = \"unix://{}\"\n", engine.socket().display());
    let configuration = home.write("sandglass.toml", configuration).display().to_string();
    let start = || home.spawn(&["--config", &configuration]).ready();
    let daemon = start();
    output_and_exit_code(&home, &daemon);
    job_files_in_short(&home);
    folders_and_secrets(&home, &daemon);
    refusals(&home, &daemon);
    commands_in_containers(&home, &daemon, engine);
    no_container(engine);
    // Cancelled, it is stopped and removed.
    daemon.put(&job("long", &json!({ "command": "echo begun; sleep 1000", "grace": "1s" })));
    let run = daemon.start_run("long");
    until("the container's output", SOON, || daemon.output(&run, "stdout").first().cloned());
    one_container(engine);
    home.cli(&["run", "cancel", &run]).expect(0);
    assert_eq!(daemon.ended(&run)["state"], "cancelled");
    no_container(engine);
    // Killed, the next daemon finds what it left.
    let run = daemon.start_run("long");
    until("the container's output", SOON, || daemon.output(&run, "stdout").first().cloned());
    let left = one_container(engine);
    daemon.kill();
    assert_eq!(containers(engine), [left]);
    let daemon = start();
    no_container(engine);
    assert_eq!(daemon.ended(&run)["state"], "interrupted");
}

fn output_and_exit_code(home: &Home, daemon: &Daemon) {
    daemon.put(&job("says", &json!({ "command": "echo out; echo err >&2; cat; exit 3", "stdin": "in\n" })));
    let ended = home.cli(&["job", "run", "says", "--wait", "--json"]).expect(1);
    ended.says(&["out", "err", "in"]);
    let run = ended.json();
    assert_eq!((&run["exit_code"], &run["attempts"][0]["error"]["class"]), (&json!(3), &json!("exit")), "{run}");
    daemon.put(&job("does", &json!({ "args": ["id", "-u"], "user": "12", "memory": "32m", "cpus": 0.5 })));
    let ended = home.cli(&["job", "run", "does", "--wait", "--json"]).expect(0);
    ended.says(&["12"]);
    assert!(ended.json()["result"]["output"]["image"].as_str().is_some_and(|id| id.starts_with("sha256:")));
    daemon.put(&job("slow", &json!({ "command": "sleep 1000", "timeout": "1s", "grace": "1s" })));
    let run = home.cli(&["job", "run", "slow", "--wait", "--json"]).expect(1).json();
    assert!(run["attempts"][0]["error"]["message"].to_string().contains("took longer"), "{run}");
}

fn job_files_in_short(home: &Home) {
    let text = format!(
        "name: short\ndocker_image: {IMAGE}\ncommand: echo \"$TARGET $SANDGLASS_JOB\"\nenv: {{ TARGET: s3 }}\n"
    );
    home.write("short.yaml", text);
    home.cli(&["apply", "short.yaml"]).expect(0);
    home.cli(&["job", "run", "short", "--wait"]).expect(0).says(&["s3 short"]);
}

fn folders_and_secrets(home: &Home, daemon: &Daemon) {
    home.write("in/file", "from the host");
    let folder = home.path().canonicalize().expect("it is there").join("in");
    let folder = folder.display();
    let mut set = home.command(&["secret", "set", "TOKEN"]);
    sandglass_e2e::run_with(&mut set, b"hush-hush-hush").expect(0);
    let script = "cat /data/file; touch /data/x || echo read-only; echo \"$TOKEN\" | wc -c; echo \"$OTHER\"; ls /mine";
    let mut with = json!({
        "command": script, "mounts": [format!("{folder}:/data:ro"), "work:/mine"],
        "env": { "OTHER": "{{ secret.TOKEN }}" }
    });
    let mut mounting = job("mounting", &with);
    mounting["secrets"] = json!(["TOKEN"]);
    mounting["grants"] = json!({ "docker": "any", "files": [format!("{folder}:ro")] });
    daemon.put(&mounting);
    let ended = home.cli(&["job", "run", "mounting", "--wait"]).expect(0);
    ended.says(&["from the host", "read-only", "15", "***"]);
    assert!(!ended.stderr.contains("hush"), "{}", ended.stderr);
    // More than was granted.
    with["mounts"] = json!([format!("{folder}:/data")]);
    mounting["action"]["with"]["mounts"] = with["mounts"].clone();
    daemon.put(&mounting);
    let run = home.cli(&["job", "run", "mounting", "--wait", "--json"]).expect(1).json();
    let error = &run["attempts"][0]["error"];
    assert_eq!(error["class"], "denied", "{run}");
    assert!(error["message"].to_string().contains(":rw"), "{run}");
}

fn refusals(home: &Home, daemon: &Daemon) {
    let refused = |name: &str, grants: Value, with: Value, line: &str| {
        let mut job = job(name, &with);
        job["grants"] = grants;
        daemon.put(&job);
        let run = home.cli(&["job", "run", name, "--wait", "--json"]).expect(1).json();
        let error = &run["attempts"][0]["error"];
        assert_eq!(error["class"], "denied", "{run}");
        assert!(error["message"].as_str().is_some_and(|message| message.contains(line)), "{run}");
    };
    let line = format!("docker: [\"{IMAGE}\"]");
    refused("narrow", json!({ "docker": ["postgres:*"] }), json!({ "command": "true" }), &line);
    let mut unnamed = job("unnamed", &json!({}));
    unnamed["action"] = json!({ "use": "docker/exec", "with": { "container": "db", "command": "true" } });
    unnamed["grants"] = json!({ "docker": ["postgres:*"] });
    daemon.put(&unnamed);
    let run = home.cli(&["job", "run", "unnamed", "--wait", "--json"]).expect(1).json();
    assert!(run["attempts"][0]["error"]["message"].to_string().contains("container:db"), "{run}");
    // The host's own network cannot be asked for.
    let mut host = job("host", &json!({ "command": "true" }));
    host["action"]["with"]["network"] = json!("host");
    daemon.put(&host);
    let run = home.cli(&["job", "run", "host", "--wait", "--json"]).expect(1).json();
    assert!(run["attempts"][0]["error"]["message"].to_string().contains("cannot be used"), "{run}");
}

fn commands_in_containers(home: &Home, daemon: &Daemon, engine: &TestEngine) {
    daemon.put(&job("server", &json!({ "command": "echo up; sleep 1000", "grace": "1s" })));
    let server = daemon.start_run("server");
    until("the container's output", SOON, || daemon.output(&server, "stdout").first().cloned());
    let name = one_container(engine);
    let with = json!({ "container": name, "command": "echo inside; exit 5", "success_codes": [5] });
    daemon.put(&json!({
        "name": "inside", "action": { "use": "docker/exec", "with": with },
        "grants": { "docker": ["container:sandglass-*"] }
    }));
    let run = daemon.ended(&daemon.start_run("inside"));
    assert_eq!(run["state"], "succeeded", "{run}");
    assert_eq!(daemon.stdout(&run), "inside\n");
    home.cli(&["run", "cancel", &server]).expect(0);
    assert_eq!(daemon.ended(&server)["state"], "cancelled");
}
