//! Containers on the engine of a target: real engines behind real SSH servers. One test for each, as they take seconds to start.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use sandglass_e2e::{Daemon, Home, run_with, until};
use sandglass_test_engine::{IMAGE, TestEngine};
use sandglass_test_servers::Sshd;
use serde_json::{Value, json};

use crate::cable::Cable;

const SOON: Duration = Duration::from_secs(60);

fn target(name: &str, server: &Sshd, host_key: &str, engine: &str) -> String {
    let (address, port, account) = (server.address(), server.port(), Sshd::account());
    format!(
        "kind: target\nname: {name}\naddress: {address}\nport: {port}\naccount: {account}\nhost_key: {}\nkey: DEPLOY_KEY\n\
         become: [nobody]\nengine: {engine}\n---\n",
        host_key.trim()
    )
}

fn job(name: &str, target: &str, with: &Value, more: &Value) -> Value {
    let mut with = with.clone();
    with["target"] = json!(target);
    if with.get("container").is_none() {
        with["image"] = json!(IMAGE);
        with["network"] = json!("none");
    }
    let action = if with.get("container").is_some() { "docker/exec" } else { "docker/run" };
    let mut job = json!({ "name": name, "action": { "use": action, "with": with } });
    job.as_object_mut().expect("a map").extend(more.as_object().expect("a map").clone());
    job
}

/// Runs a job to its end.
fn ended(daemon: &Daemon, target: &str, with: &Value, more: &Value) -> Value {
    daemon.put(&job("on-target", target, with, more));
    daemon.ended(&daemon.start_run("on-target"))
}

/// The message of a run that failed.
fn message(run: &Value) -> String {
    assert_eq!(run["state"], "failed", "{run:#}");
    run["attempts"][0]["error"]["message"].as_str().expect("a message").to_owned()
}

fn containers(engine: &TestEngine) -> Vec<String> {
    engine.containers_with("sandglass.daemon").expect("the engine answers")
}

fn no_container(engine: &TestEngine) {
    until("the end of all containers", SOON, || containers(engine).is_empty().then_some(()));
}

#[test]
fn containers_run_on_the_engine_of_a_target() {
    match TestEngine::start() {
        Ok(engine) => all_of_it(&engine),
        Err(why) => eprintln!("skipped: containers_run_on_the_engine_of_a_target: {why}"),
    }
}

#[test]
fn containers_run_on_the_podman_of_a_target() {
    match TestEngine::start_podman() {
        Ok(engine) => all_of_it(&engine),
        Err(why) => eprintln!("skipped: containers_run_on_the_podman_of_a_target: {why}"),
    }
}

fn all_of_it(engine: &TestEngine) {
    let Some(server) = Sshd::start() else { return };
    let Some(closed) = Sshd::start_on("127.0.0.1", "AllowStreamLocalForwarding no") else { return };
    closed.let_in(&server.public_key());
    let home = Home::new();
    let daemon = home.start();
    run_with(&mut home.command(&["secret", "set", "DEPLOY_KEY"]), server.key().as_bytes()).expect(0);
    let socket = engine.socket().display().to_string();
    let cable = Cable::to(&server);
    let cabled = target("web-3", &server, &server.host_key(), &socket);
    let targets = [
        cabled.replace(&format!("port: {}", server.port()), &format!("port: {}", cable.port)),
        target("web-1", &server, &server.host_key(), &socket),
        target("web-2", &closed, &closed.host_key(), &socket),
        target("no-engine", &server, &server.host_key(), "/nowhere/engine.sock"),
        target("other-key", &server, &closed.host_key(), &socket),
    ];
    home.write("fleet.yaml", targets.concat());
    home.cli(&["apply", "fleet.yaml"]).expect(0);
    // Through a socket that the server forwards, and through a program where it forwards none.
    for target in ["web-1", "web-2"] {
        output_input_and_exit_codes(&daemon, target);
        commands_and_cancelling(&home, &daemon, engine, target);
    }
    a_connection_that_breaks(&home, &daemon, engine, &cable);
    volumes(&daemon, engine);
    what_is_in_the_way(&daemon, Path::new(&socket));
    refusals(&daemon);
    plans(&home, &daemon, engine);
    // Killed, the next daemon removes what it left, although nobody uses the engine again.
    daemon.put(&job("long", "web-1", &json!({ "command": "echo begun; sleep 1000" }), &json!({})));
    let run = daemon.start_run("long");
    until("the container's output", SOON, || daemon.output(&run, "stdout").first().cloned());
    let left = containers(engine);
    assert_eq!(left.len(), 1);
    daemon.kill();
    let daemon = home.start();
    assert_eq!(daemon.ended(&run)["state"], "interrupted");
    no_container(engine);
}

fn output_input_and_exit_codes(daemon: &Daemon, target: &str) {
    let with = json!({ "command": "echo out; echo err >&2; cat; yes 0123456789abcde | head -c 4194304; exit 3", "stdin": "in\n" });
    let run = ended(daemon, target, &with, &json!({}));
    assert_eq!((&run["exit_code"], &run["attempts"][0]["error"]["class"]), (&json!(3), &json!("exit")), "{run:#}");
    let out = daemon.stdout(&run);
    assert!(out.starts_with("out\nin\n0123456789abcde\n") && out.len() == 7 + (4 << 20), "{} bytes", out.len());
    let uses = &run["attempts"][0]["capabilities"];
    let twice = json!({ "used": 2, "denied": 0 });
    assert_eq!((&uses["docker"], &uses["remote"]), (&twice, &twice), "{run:#}");
}

fn commands_and_cancelling(home: &Home, daemon: &Daemon, engine: &TestEngine, target: &str) {
    daemon.put(&job("server", target, &json!({ "command": "echo up; sleep 1000", "grace": "1s" }), &json!({})));
    let server = daemon.start_run("server");
    until("the container's output", SOON, || daemon.output(&server, "stdout").first().cloned());
    let name = containers(engine).pop().expect("a container");
    let run = ended(daemon, target, &json!({ "container": name, "command": "echo inside" }), &json!({}));
    assert_eq!((run["state"].as_str(), daemon.stdout(&run).as_str()), (Some("succeeded"), "inside\n"), "{run:#}");
    home.cli(&["run", "cancel", &server]).expect(0);
    assert_eq!(daemon.ended(&server)["state"], "cancelled");
    no_container(engine);
}

/// The container goes on, and is seen through to its end over another.
fn a_connection_that_breaks(home: &Home, daemon: &Daemon, engine: &TestEngine, cable: &Cable) {
    let script = "echo begun; until [ -e /data/go ]; do sleep 0.1; done; exit 4";
    let mounts = json!({ "command": script, "mounts": ["signals:/data"] });
    daemon.put(&job("cabled", "web-3", &mounts, &json!({})));
    let run = daemon.start_run("cabled");
    until("the container's output", SOON, || daemon.output(&run, "stdout").first().cloned());
    cable.cut();
    let go = json!({ "command": "touch /data/go", "mounts": ["signals:/data"] });
    assert_eq!(ended(daemon, "web-1", &go, &json!({}))["state"], "succeeded");
    let run = daemon.ended(&run);
    assert_eq!((&run["state"], &run["exit_code"]), (&json!("failed"), &json!(4)), "{run:#}");
    let log = home.cli(&["run", "logs", run["id"].as_str().expect("an id")]).expect(0);
    let said = format!("{}{}", log.stdout, log.stderr);
    assert!(said.contains("begun") && said.contains("some of its output may be missing"), "{said}");
    no_container(engine);
    // One that is to stop then is found again too.
    daemon.put(&job("cut", "web-3", &json!({ "command": "echo begun; sleep 1000", "grace": "1s" }), &json!({})));
    let run = daemon.start_run("cut");
    until("the container's output", SOON, || daemon.output(&run, "stdout").first().cloned());
    cable.cut();
    home.cli(&["run", "cancel", &run]).expect(0);
    assert_eq!(daemon.ended(&run)["state"], "cancelled");
    no_container(engine);
}

fn volumes(daemon: &Daemon, engine: &TestEngine) {
    let grants = json!({ "grants": { "docker": ["sandglass-test:*", "volume:orders-*"], "remote": ["web-*"] } });
    let with = |command: &str, mount: &str| json!({ "command": command, "mounts": [mount] });
    let run = ended(daemon, "web-1", &with("echo kept > /data/file", "orders-data:/data"), &grants);
    assert_eq!(run["state"], "succeeded", "{run:#}");
    let run = ended(daemon, "web-1", &with("cat /data/file", "orders-data:/data:ro"), &grants);
    assert_eq!(daemon.stdout(&run), "kept\n");
    let said = message(&ended(daemon, "web-1", &with("true", "other:/data"), &grants));
    assert!(said.contains("mounting the volume other") && said.contains("docker: [\"volume:other\"]"), "{said}");
    assert!(engine.get("/volumes/orders-data").is_ok() && engine.get("/volumes/other").is_err());
    let said = message(&ended(daemon, "web-1", &with("true", "work:/data"), &json!({})));
    assert!(said.contains("cannot be mounted") && said.contains("on web-1"), "{said}");
}

fn what_is_in_the_way(daemon: &Daemon, socket: &Path) {
    let with = json!({ "command": "id -u" });
    for (target, says) in [
        ("nobody-knows", "there is no target 'nobody-knows'"),
        ("no-engine", "no-engine has no container engine at /nowhere/engine.sock"),
        ("other-key", "other-key shows the host key ssh-ed25519 SHA256:"),
    ] {
        let said = message(&ended(daemon, target, &with, &json!({})));
        assert!(said.contains(says), "{target}: {said}");
    }
    let as_nobody = json!({ "command": "true", "account": "nobody" });
    let said = message(&ended(daemon, "web-1", &json!({ "command": "true", "account": "daemon" }), &json!({})));
    assert!(said.contains("may not be switched to the account daemon"), "{said}");
    let allow = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it is ours");
    allow(socket.parent().expect("a folder"), 0o755);
    let said = message(&ended(daemon, "web-1", &as_nobody, &json!({})));
    assert!(said.contains("on web-1 nobody may not use the container engine"), "{said}");
    allow(socket, 0o666);
    let run = ended(daemon, "web-1", &as_nobody, &json!({}));
    assert_eq!(run["state"], "succeeded", "{run:#}");
}

fn refusals(daemon: &Daemon) {
    let with = json!({ "command": "true" });
    for (grants, line) in [
        (json!({ "docker": "any" }), "remote: [\"web-1\"]"),
        (json!({ "docker": "any", "remote": ["web-2", "web-1:/srv/**"] }), "remote: [\"web-1\"]"),
        (json!({ "docker": ["postgres:*"], "remote": "any" }), "docker: [\"sandglass-test:1\"]"),
    ] {
        let run = ended(daemon, "web-1", &with, &json!({ "grants": grants }));
        let said = message(&run);
        assert!(said.contains(line), "{grants}: {said}");
        assert_eq!(run["attempts"][0]["error"]["class"], "denied", "{run:#}");
        let uses = &run["attempts"][0]["capabilities"];
        let denied = |name: &str| uses[name]["denied"].as_u64().unwrap_or(0);
        assert_eq!(denied("remote") + denied("docker"), 1, "{run:#}");
        assert!(uses["docker"]["used"].as_u64().unwrap_or(0) == 0, "{run:#}");
    }
}

fn plans(home: &Home, daemon: &Daemon, engine: &TestEngine) {
    let plan = |name: &str| home.cli(&["job", "plan", name, "--json"]).expect(0).json();
    daemon.put(&job("plain", "web-1", &json!({ "command": "true", "mounts": ["fresh:/data"] }), &json!({})));
    let planned = plan("plain");
    assert_eq!(planned["steps"].as_array().map(Vec::len), Some(1), "{planned:#}");
    assert_eq!(planned["steps"][0]["target"], format!("web-1:{IMAGE}"), "{planned:#}");
    let mut missing = job("missing", "web-1", &json!({ "command": "true" }), &json!({}));
    missing["action"]["with"]["image"] = json!("not-there:1");
    daemon.put(&missing);
    let planned = plan("missing");
    let effects: Vec<_> =
        planned["steps"].as_array().into_iter().flatten().map(|step| step["effect"].as_str()).collect();
    assert_eq!(effects, [Some("create"), Some("execute")], "{planned:#}");
    assert!(containers(engine).is_empty() && engine.get("/volumes/fresh").is_err(), "a plan touches nothing");
}
