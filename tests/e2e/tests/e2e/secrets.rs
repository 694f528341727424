//! Secrets: values that go where a job puts them, and that nobody sees on the way.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sandglass_e2e::{Ended, Home, Receiver, run_with};
use serde_json::{Value, json};

use crate::scripts::command;

const VALUE: &str = "correct-horse/battery=staple";

fn set(home: &Home, name: &str, value: &str, args: &[&str]) -> Ended {
    let args = [&["secret", "set", name], args].concat();
    run_with(&mut home.command(&args), value.as_bytes())
}

/// Everything that is kept in the data directory, but for the keys.
fn kept(home: &Home) -> Vec<u8> {
    fn add(folder: &std::path::Path, all: &mut Vec<u8>) {
        for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
            let kind = entry.file_type().expect("a file type");
            if kind.is_dir() && entry.file_name() != "keys" {
                add(&entry.path(), all);
            } else if kind.is_file() {
                all.extend(std::fs::read(entry.path()).expect("a file"));
            }
        }
    }
    let mut all = Vec::new();
    add(&home.data(), &mut all);
    all
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

fn sends(url: &str, with: &Value) -> Value {
    let mut job = json!({ "name": "send", "action": { "use": "http", "with": { "url": url, "method": "POST" } } });
    job["action"]["with"].as_object_mut().expect("a map").extend(with.as_object().expect("a map").clone());
    let origin = url.split('/').take(3).collect::<Vec<_>>().join("/");
    job["grants"] = json!({ "http": [format!("POST {origin}/*")] });
    job
}

#[test]
fn a_process_has_it_in_its_environment_and_the_output_has_it_masked() {
    let home = Home::new();
    let daemon = home.start();
    set(&home, "DB_PASSWORD", &format!("{VALUE}\n"), &[]).expect(0);
    let mut job =
        command("dump", "printf '%s' \"$DB_PASSWORD\" | sha256sum; echo \"<$DB_PASSWORD>\"; cat; echo $KEY >&2");
    job["secrets"] = json!(["DB_PASSWORD"]);
    job["action"]["with"]["stdin"] = json!("in={{ secret.DB_PASSWORD }}\n");
    job["env"] = json!({ "KEY": "key-{{ secret.DB_PASSWORD }}" });
    daemon.put(&job);
    let run = daemon.ended(&daemon.start_run("dump"));
    assert_eq!(run["state"], "succeeded", "{run}");
    let out = daemon.stdout(&run);
    assert!(out.ends_with("<***>\nin=***\n"), "{out}");
    // The digest is that of the value itself, without the line break that the pipe had.
    let expected = sandglass_e2e::run(
        std::process::Command::new("sh").args(["-c", &format!("printf '%s' '{VALUE}' | sha256sum")]),
    );
    assert!(out.starts_with(&expected.stdout), "{out}");
    let logs = home.cli(&["run", "logs", run["id"].as_str().expect("an id")]).expect(0).stdout;
    assert!(logs.contains("key-***") && !logs.contains(VALUE), "{logs}");
    assert!(!run.to_string().contains(VALUE), "{run}");
    daemon.stop();
    let all = kept(&home);
    for text in [VALUE, &BASE64_STANDARD.encode(VALUE)] {
        assert!(!holds(&all, text), "{text} is in the data directory");
    }
    let key = home.data().join("keys/secrets.key");
    assert_eq!(std::fs::metadata(&key).expect("a key file").mode() & 0o777, 0o600);
}

#[test]
fn a_secret_among_a_programs_arguments_is_refused() {
    let home = Home::new();
    let daemon = home.start();
    set(&home, "TOKEN", VALUE, &[]).expect(0);
    daemon.put(&command("leak", "echo {{ secret.TOKEN }}"));
    let run = daemon.ended(&daemon.start_run("leak"));
    let error = run["attempts"][0]["error"].clone();
    let message = error["message"].as_str().expect("a message");
    assert!(
        message.contains("would stand among the program's arguments") && message.contains("secrets: [TOKEN]"),
        "{error}"
    );
    assert!(!run.to_string().contains(VALUE), "{run}");
}

#[test]
fn a_request_has_it_where_it_stands_and_the_plugin_has_not() {
    let (home, receiver) = (Home::new(), Receiver::start());
    let daemon = home.start();
    set(&home, "TOKEN", VALUE, &[]).expect(0);
    let with = json!({
        "headers": { "X-Token": "t={{ secret.TOKEN }}", "Authorization": "Bearer {{ secret.TOKEN }}" },
        "json": { "token": "{{ secret.TOKEN }}", "n": 1 },
    });
    daemon.put(&sends(&receiver.url("/a/{{ secret.TOKEN }}/b?q={{ secret.TOKEN }}"), &with));
    let run = daemon.ended(&daemon.start_run("send"));
    assert_eq!(run["state"], "succeeded", "{run}");
    let received = receiver.received();
    let [request] = &received[..] else { panic!("one request: {received:?}") };
    assert_eq!(request.first, "POST /a/correct-horse/battery%3Dstaple/b?q=correct-horse%2Fbattery%3Dstaple HTTP/1.1");
    assert_eq!(request.header("x-token"), Some(format!("t={VALUE}").as_str()));
    assert_eq!(request.header("authorization"), Some(format!("Bearer {VALUE}").as_str()));
    let body: Value = serde_json::from_slice(&request.body).expect("JSON");
    assert_eq!(body, json!({ "token": VALUE, "n": 1 }));
    assert_eq!(request.header("content-length"), Some(request.body.len().to_string().as_str()));
    assert!(!run.to_string().contains(VALUE), "{run}");
}

#[test]
fn what_follows_an_address_that_is_a_secret_goes_on_where_it_ends() {
    let (home, receiver) = (Home::new(), Receiver::start());
    let daemon = home.start();
    set(&home, "HOOK", &receiver.url("/hooks?key=1"), &[]).expect(0);
    let mut job = sends(&receiver.url("/"), &json!({ "url": "{{ secret.HOOK }}/new", "query": { "dry": "yes" } }));
    job["grants"] = json!({ "http": [format!("POST {}", receiver.url("/hooks/*"))] });
    daemon.put(&job);
    let run = daemon.ended(&daemon.start_run("send"));
    assert_eq!(run["state"], "succeeded", "{run}");
    assert_eq!(receiver.received()[0].first, "POST /hooks/new?key=1&dry=yes HTTP/1.1");
}

#[test]
fn a_secret_can_be_the_whole_address_and_be_limited_to_hosts() {
    let (home, receiver) = (Home::new(), Receiver::start());
    let daemon = home.start();
    set(&home, "HOOK", &receiver.url("/hooks/deadbeef"), &["--host", "127.0.0.1"]).expect(0);
    let mut job = sends(&receiver.url("/"), &json!({ "url": "{{ secret.HOOK }}", "body": "hi" }));
    job["grants"] = json!({ "http": [format!("POST {}", receiver.url("/hooks/*"))] });
    daemon.put(&job);
    let run = daemon.ended(&daemon.start_run("send"));
    assert_eq!(run["state"], "succeeded", "{run}");
    assert_eq!(receiver.received()[0].first, "POST /hooks/deadbeef HTTP/1.1");

    set(&home, "HOOK", "", &["--keep-value", "--host", "hooks.example.com"]).expect(0);
    let run = daemon.ended(&daemon.start_run("send"));
    assert_eq!(run["state"], "failed", "{run}");
    let error = &run["attempts"][0]["error"];
    assert_eq!(error["class"], "denied", "{run}");
    let message = error["message"].as_str().unwrap_or_default();
    assert!(
        message
            .contains("sending the secret HOOK, which is for hooks.example.com alone, to an address that is a secret"),
        "{run}"
    );
    assert!(message.contains("sandglass secret set HOOK --keep-value --host"), "{run}");
    assert_eq!(run["attempts"][0]["capabilities"]["secrets"]["denied"], 1, "{run}");
    let mut local = command("local", "true");
    local["secrets"] = json!(["HOOK"]);
    daemon.put(&local);
    let run = daemon.ended(&daemon.start_run("local"));
    let attempt = &run["attempts"][0];
    assert_eq!(
        (&attempt["error"]["class"], &attempt["capabilities"]["secrets"]["denied"]),
        (&json!("denied"), &json!(1))
    );
    let message = attempt["error"]["message"].as_str().unwrap_or_default();
    assert!(message.contains("giving the secret HOOK") && message.contains("--keep-value --any-host"), "{run}");
    assert_eq!(receiver.received().len(), 1);
}

#[test]
fn versions_are_kept_rolled_back_and_sealed_anew() {
    let home = Home::new();
    let daemon = home.start();
    for value in ["first-value", "second-value"] {
        set(&home, "TOKEN", value, &[]).expect(0);
    }
    let mut job = command("show", "printf '%s' \"$TOKEN\" | md5sum");
    job["secrets"] = json!(["TOKEN"]);
    daemon.put(&job);
    let printed = |daemon: &sandglass_e2e::Daemon| daemon.stdout(&daemon.ended(&daemon.start_run("show")));
    let second = printed(&daemon);
    let said = home.cli(&["secret", "rollback", "TOKEN", "1"]).expect(0).stdout;
    assert!(said.contains("as version 3"), "{said}");
    let first = printed(&daemon);
    assert_ne!(first, second);
    home.cli(&["secret", "rollback", "TOKEN", "9"]).expect(4).says(&["no version 9", "1, 2, 3"]);

    let key = home.data().join("keys/secrets.key");
    let before = std::fs::read_to_string(&key).expect("a key file");
    let said = home.cli(&["secret", "rotate-keys"]).expect(0).stdout;
    assert!(said.contains("1 secrets with 3 versions"), "{said}");
    let after = std::fs::read_to_string(&key).expect("a key file");
    assert!(before != after && after.lines().count() == 1, "{after}");
    assert_eq!(printed(&daemon), first);
    daemon.kill();
    let daemon = home.start();
    assert_eq!(printed(&daemon), first);
    daemon.stop();

    // With another key the value cannot be read, and the run says so.
    std::fs::write(&key, before).expect("a key file");
    let daemon = home.start();
    let run = daemon.ended(&daemon.start_run("show"));
    assert!(
        run["attempts"][0]["error"]["message"].as_str().is_some_and(|text| text.contains("cannot be opened")),
        "{run}"
    );
    daemon.stop();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).expect("a mode");
    let said = home.cli(&["serve", "--listen", "none"]);
    assert!(said.stderr.contains("chmod 600"), "{}", said.stderr);
}

#[test]
fn a_secret_that_is_used_is_kept_and_one_that_is_not_there_is_told() {
    let home = Home::new();
    let daemon = home.start();
    let mut job = command("nightly", "true");
    job["secrets"] = json!(["TOKEN"]);
    let saved = daemon.put(&job);
    assert_eq!(saved["warnings"][0]["code"], "no_such_secret", "{saved}");
    let run = daemon.ended(&daemon.start_run("nightly"));
    assert!(run.to_string().contains("there is no secret TOKEN in namespace 'default'"), "{run}");

    let path = "/api/v1/namespaces/default/secrets/TOKEN";
    let made = daemon.http().send("PUT", path, &[("if-none-match", "*")], br#"{"value": "some-value"}"#).json(201);
    assert_eq!((&made["version"], &made["used_by"]), (&json!(1), &json!(["nightly"])), "{made}");
    assert!(made.get("value").is_none() && !made.to_string().contains("some-value"), "{made}");
    daemon.http().send("PUT", path, &[("if-none-match", "*")], br#"{"value": "x"}"#).problem(412, "revision_conflict");
    daemon.http().send("PUT", path, &[], br#"{"value": ""}"#).problem(422, "invalid_secret");
    daemon.http().send("PUT", path, &[], br#"{"hosts": ["http://a"]}"#).problem(422, "invalid_secret");
    let wrong = daemon.http().send("PUT", path, &[], br#"{"value": "topsecretvalue" x"#).problem(400, "bad_request");
    assert!(!wrong.to_string().contains("topsecret"), "{wrong}");
    daemon.http().get("/api/v1/namespaces/default/secrets/a-b").problem(422, "invalid_secret");
    daemon.http().get("/api/v1/namespaces/default/secrets/TOKN").problem(404, "secret_not_found");

    home.cli(&["secret", "delete", "TOKEN", "--yes"]).expect(5).says(&["used by job 'nightly'", "--force"]);
    let listed = home.cli(&["secret", "list"]).expect(0).stdout;
    assert!(listed.contains("TOKEN") && listed.contains("nightly"), "{listed}");
    home.cli(&["secret", "show", "TOKEN", "--json"]).expect(0);
    home.cli(&["secret", "delete", "TOKEN", "--yes", "--force"]).expect(0);
    home.cli(&["secret", "show", "TOKEN"]).expect(4);
    set(&home, "EMPTY", "", &[]).expect(3);
    set(&home, "1ST", "value", &[]).expect(2);
}

#[test]
fn a_job_whose_grants_name_secrets_uses_no_others() {
    let home = Home::new();
    let daemon = home.start();
    set(&home, "TOKEN", VALUE, &[]).expect(0);
    let mut job = command("narrow", "true");
    job["secrets"] = json!(["TOKEN"]);
    job["grants"] = json!({ "process": "any", "secrets": ["OTHER_*"] });
    let body = job.to_string();
    let path = "/api/v1/namespaces/default/jobs/narrow";
    let problem = daemon.http().send("PUT", path, &[], body.as_bytes()).problem(403, "missing_grant");
    assert!(problem.to_string().contains("secrets: [TOKEN]"), "{problem}");
    job["grants"] = json!({ "process": "any" });
    daemon.put(&job);
}
