//! The examples in the pages of the built-in plugins: each is saved and run as it stands, but for the names of servers, images
//! and folders, which are those of this machine.

use std::fs;
use std::path::Path;
use std::time::Duration;

use sandglass_e2e::{Daemon, Home, Receiver, run_with, until};
use sandglass_test_engine::{IMAGE, TestEngine};
use sandglass_test_servers::Sshd;
use serde_json::Value;

const LIMIT: Duration = Duration::from_secs(60);

/// The job files in a page, with what stands there replaced by what is here.
fn examples(page: &str, here: &[(&str, &str)]) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/plugins").join(page);
    let text = fs::read_to_string(path).expect("the page is there");
    let blocks = text.split("```yaml\n").skip(1);
    let found: Vec<String> = blocks
        .map(|block| {
            let example = block.split("```").next().expect("a block ends").to_owned();
            here.iter().fold(example, |example, (theirs, ours)| example.replace(theirs, ours))
        })
        .collect();
    assert_eq!(found.len(), 3, "{page} has three examples");
    found
}

/// Saves the job of an example, and runs it to its end.
fn run(home: &Home, daemon: &Daemon, example: &str) -> Value {
    home.write("example.yaml", example);
    home.cli(&["apply", "example.yaml"]).expect(0);
    let name = example.lines().find_map(|line| line.strip_prefix("name: ")).expect("the job has a name");
    daemon.ended(&daemon.start_run(name))
}

fn all_succeed(home: &Home, daemon: &Daemon, examples: &[String]) -> Vec<Value> {
    let run = |example: &String| {
        let run = run(home, daemon, example);
        assert_eq!(run["state"], "succeeded", "{example}\n{run:#}");
        run
    };
    examples.iter().map(run).collect()
}

fn secret(home: &Home, name: &str, value: &str) {
    run_with(&mut home.command(&["secret", "set", name]), value.as_bytes()).expect(0);
}

#[test]
fn those_of_shell_run() {
    let home = Home::new();
    let daemon = home.start();
    let runs = all_succeed(&home, &daemon, &examples("shell.md", &[]));
    assert!(runs[2]["result"]["output"]["values"]["entries"].is_string(), "{:#}", runs[2]);
}

#[test]
fn those_of_http_run() {
    let (home, receiver) = (Home::new(), Receiver::start());
    let daemon = home.start();
    secret(&home, "HOOK_KEY", "key");
    secret(&home, "API_TOKEN", "open sesame");
    let grants = format!("grants: {{ http: [\"{}\"], reveal: any }}\n", receiver.url("/*"));
    let here = [("https://api.example.com", receiver.url("")), ("action:\n", format!("{grants}action:\n"))];
    let here: Vec<_> = here.iter().map(|(theirs, ours)| (*theirs, ours.as_str())).collect();
    all_succeed(&home, &daemon, &examples("http.md", &here));
    let received = receiver.received();
    assert!(received[1].header("x-hub-signature-256").is_some_and(|value| value.starts_with("sha256=")));
    assert_eq!(received[2].header("authorization"), Some("Bearer open sesame"));
}

#[test]
fn those_of_docker_run() {
    let engine = match TestEngine::start() {
        Ok(engine) => engine,
        Err(why) => {
            eprintln!("skipped: those_of_docker_run: {why}");
            return;
        }
    };
    let home = Home::new();
    let configuration = format!("[docker]\nhost = \"unix://{}\"\n", engine.socket().display());
    let configuration = home.write("sandglass.toml", configuration).display().to_string();
    let daemon = home.spawn(&["--config", &configuration]).ready();
    secret(&home, "WORD", "open sesame");
    let folder = home.path().join("in");
    fs::create_dir(&folder).expect("a folder can be made");
    fs::write(folder.join("data"), "data\n").expect("a file can be written");
    let folder = folder.display().to_string();
    let here = [("alpine:3", IMAGE), ("alpine:*", "sandglass-test:*"), ("/srv/in", &folder)];
    let runs = all_succeed(&home, &daemon, &examples("docker.md", &here));
    assert!(daemon.stdout(&runs[2]).trim() == "3", "{}", daemon.stdout(&runs[2]));
}

#[test]
fn those_of_deploy_run() {
    let servers: Option<Vec<Sshd>> = (1..=3).map(|number| Sshd::start_apart(&format!("127.0.0.{number}"))).collect();
    let Some(servers) = servers else { return };
    let home = Home::new();
    let daemon = home.start();
    secret(&home, "DEPLOY_KEY", &servers[0].key());
    for (at, server) in servers.iter().enumerate() {
        server.let_in(&servers[0].public_key());
        fs::create_dir(server.mnt().join("app")).expect("a folder can be made");
        fs::write(server.mnt().join("app/old.conf"), "").expect("a file can be written");
        let (name, port) = (format!("web-{}", at + 1), server.port().to_string());
        let (account, host_key) = (Sshd::account(), server.host_key());
        let add = ["target", "add", &name, "--address", server.address(), "--port", &port, "--account", &account];
        let how = ["--key", "DEPLOY_KEY", "--host-key", host_key.trim(), "--label", "role=web"];
        home.cli(&[&add[..], &how[..]].concat()).expect(0);
    }
    home.cli(&["group", "add", "web", "web-*"]).expect(0);
    let builds = home.path().join("builds");
    fs::create_dir(&builds).expect("a folder can be made");
    fs::write(builds.join("app"), "#!/bin/sh\n").expect("a file can be written");
    fs::create_dir(builds.join("site")).expect("a folder can be made");
    fs::write(builds.join("site/index.html"), "<p>here</p>\n").expect("a file can be written");
    let builds = builds.display().to_string();
    all_succeed(&home, &daemon, &examples("deploy.md", &[("/srv/builds", &builds), ("/opt/app", "/mnt/app")]));
    assert!(servers.iter().all(|server| server.mnt().join("app/bin/app").exists()));
    assert!(servers.iter().all(|server| server.mnt().join("app/site/index.html").exists()));
    assert!(servers.iter().all(|server| !server.mnt().join("app/old.conf").exists()));
    assert!(servers[0].mnt().join("app/tool").exists() && !servers[1].mnt().join("app/tool").exists());
}

#[test]
fn those_of_notify_tell() {
    let (home, receiver) = (Home::new(), Receiver::start());
    let daemon = home.start();
    secret(&home, "SLACK_HOOK", &receiver.url("/slack"));
    secret(&home, "HOOK_TOKEN", "open sesame");
    let grants = format!("grants: {{ http: [\"{}\"] }}", receiver.url("/*"));
    let here = [
        ("https://hooks.example.com", receiver.url("")),
        ("https://ntfy.example.com", receiver.url("")),
        ("    use: notify", format!("    {grants}\n    use: notify")),
        ("\naction:\n", format!("\n{grants}\naction:\n")),
    ];
    let here: Vec<_> = here.iter().map(|(theirs, ours)| (*theirs, ours.as_str())).collect();
    for (example, path) in examples("notify.md", &here).iter().zip(["/slack", "/jobs", "/"]) {
        run(&home, &daemon, example);
        let came = || {
            let all = receiver.received();
            all.into_iter().find(|one| one.first.starts_with(&format!("POST {path}")))
        };
        let came = until("the message", LIMIT, came);
        assert!(path != "/jobs" || came.header("x-token") == Some("open sesame"), "{came:?}");
    }
}
