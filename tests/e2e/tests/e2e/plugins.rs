//! Components that are wrong, and plugins that misbehave.

use std::path::PathBuf;

use sandglass_e2e::{Daemon, Home};
use serde_json::json;

fn component(text: &str) -> Vec<u8> {
    wat::parse_str(text).expect("the test's own component is valid")
}

/// Adding `bytes` is refused with each of `parts`, by the command line and by the API.
#[track_caller]
fn refused(home: &Home, daemon: &Daemon, bytes: &[u8], parts: &[&str]) {
    let file: PathBuf = home.write("bad.wasm", bytes);
    let file = file.to_str().expect("UTF-8");
    home.cli(&["plugin", "add", file, "--name", "bad"]).expect(3).says(parts);
    let answer = daemon.http().send("POST", "/api/v1/plugins?name=bad", &[], bytes);
    let problem = answer.problem(422, "invalid_component");
    for part in parts {
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(part)), "no {part:?} in {problem}");
    }
    daemon.http().get("/api/v1/plugins/bad").problem(404, "plugin_not_found");
}

#[test]
fn components_that_cannot_run_are_refused_with_the_reason() {
    let home = Home::new();
    let daemon = home.start();
    refused(&home, &daemon, b"", &["no WebAssembly"]);
    refused(&home, &daemon, b"#!/bin/sh\necho hello\n", &["no WebAssembly"]);
    refused(&home, &daemon, &[0, 97, 115, 109, 13, 0, 1, 0, 7, 200, 1, 5], &["malformed"]);
    refused(
        &home,
        &daemon,
        &component("(module (func (export \"run\")))"),
        &["core WebAssembly module", "wasm32-wasip2"],
    );
    refused(&home, &daemon, &component("(component)"), &["sandglass:plugin/action"]);
    let unknown = "(component (import \"acme:rocket/launch@1.2.0\" (instance (export \"go\" (func)))) \
                   (instance $nothing) (export \"sandglass:plugin/action@0.1.0\" (instance $nothing)))";
    refused(&home, &daemon, &component(unknown), &["acme:rocket/launch@1.2.0"]);
    let words =
        std::fs::read(sandglass_test_guests::user().expect("the Rust plugin can be built")).expect("it is there");
    refused(&home, &daemon, &words[..words.len() / 2], &["malformed"]);

    // Larger than a component may be: the command line does not even send it.
    let large = vec![0; (64 << 20) + 1];
    let file = home.write("large.wasm", &large);
    home.cli(&["plugin", "add", file.to_str().expect("UTF-8")]).expect(3).says(&["too large", "64 MiB"]);
    let answer = daemon.socket().send("POST", "/api/v1/plugins?name=large", &[], &large);
    let _ = answer.problem(422, "invalid_component");
    let answer = daemon.socket().send("POST", "/api/v1/plugins?name=large", &[], &vec![0; 66 << 20]);
    let _ = answer.problem(413, "too_large");
    home.cli(&["plugin", "add", "nowhere.wasm"]).expect(3).says(&["nowhere.wasm"]);
    assert_eq!(daemon.socket().get("/api/v1/plugins").json(200)["items"].as_array().map(Vec::len), Some(5));
    daemon.stop();
}

#[test]
fn a_plugin_is_added_shown_used_and_removed() {
    let home = Home::new();
    let daemon = home.start();
    let words = sandglass_test_guests::user().expect("the Rust plugin can be built");
    let file = words.to_str().expect("UTF-8");
    let inspected = home.cli(&["plugin", "inspect", file, "--json"]).expect(0).json();
    assert_eq!(inspected["capabilities"], json!({ "state": true }), "{inspected}");
    home.cli(&["plugin", "add", file, "--grant", "state: perhaps"]).expect(2).says(&["--grant"]);
    home.cli(&["plugin", "add", file, "--grant-requested"]).expect(0);
    let shown = home.cli(&["plugin", "show", "words", "--json"]).expect(0).json();
    assert_eq!(shown["actions"][0]["name"], "count", "{shown}");
    daemon.put(&json!({ "name": "w", "action": { "use": "words", "with": { "text": "a b" } } }));
    let run = home.cli(&["job", "run", "w", "--wait", "--json"]).expect(0).json();
    assert_eq!(run["result"]["output"], json!({ "total": 2, "words": 2 }), "{run}");
    // A failure that the plugin reports keeps its code and message.
    daemon.put(&json!({ "name": "short", "action": { "use": "words", "with": { "text": "a", "at_least": 2 } },
        "retry": { "max_attempts": 5, "initial": "10ms" } }));
    let run = home.cli(&["job", "run", "short", "--wait", "--json"]).expect(1).json();
    let error = &run["attempts"][0]["error"];
    assert_eq!((&error["class"], &error["code"]), (&json!("guest"), &json!("too-short")), "{run}");
    assert_eq!(run["attempts"].as_array().map(Vec::len), Some(1), "it says never to retry: {run}");

    home.cli(&["plugin", "remove", "words", "--yes"]).expect(5).says(&["words"]);
    home.cli(&["plugin", "remove", "shell", "--yes"]).expect(5).says(&["shell"]);
    home.cli(&["job", "delete", "w", "short", "--yes"]).expect(0);
    home.cli(&["plugin", "remove", "words", "--yes"]).expect(0);
    home.cli(&["plugin", "remove", "words", "--yes"]).expect(4);
    daemon.stop();
}

#[test]
fn hostile_plugins_are_stopped_by_their_limits_and_harm_nobody() {
    let home = Home::new();
    let daemon = home.start();
    let hostile = sandglass_test_guests::hostile().expect("the hostile plugin can be built");
    home.cli(&["plugin", "add", hostile.to_str().expect("UTF-8"), "--grant-requested"]).expect(0);
    let table = [
        ("spin", "failed", "fuel"),
        ("allocate", "failed", "memory"),
        ("recurse", "failed", "stack"),
        ("panic", "failed", "trap"),
        ("sleep-on", "timed_out", "deadline"),
    ];
    let mut runs = Vec::new();
    for (action, state, class) in table {
        let mut job = json!({ "name": action, "action": { "use": format!("hostile/{action}") },
            "timeout": "30s", "grace": "200ms", "limits": { "memory": "32MiB", "fuel": "300M" } });
        if action == "sleep-on" {
            job["timeout"] = json!("500ms");
        }
        daemon.put(&job);
        runs.push((daemon.start_run(action), state, class));
    }
    // Beside them an honest job goes on.
    daemon.put(&crate::scripts::command("honest", "echo honest"));
    home.cli(&["job", "run", "honest", "--wait"]).expect(0);
    for (run, state, class) in runs {
        let run = daemon.ended(&run);
        assert_eq!((&run["state"], &run["attempts"][0]["error"]["class"]), (&json!(state), &json!(class)), "{run}");
        assert!(run["attempts"][0]["error"]["message"].as_str().is_some_and(|text| !text.is_empty()), "{run}");
    }
    // A guest that leaves through the system's door has not succeeded, whatever it claims.
    daemon.put(&json!({ "name": "exit", "action": { "use": "hostile/exit" } }));
    let run = home.cli(&["job", "run", "exit", "--wait", "--json"]).expect(1).json();
    assert_eq!(run["state"], "failed", "{run}");
    // Text that would disturb a terminal does not reach it.
    daemon.put(&json!({ "name": "codes", "action": { "use": "hostile/bad-code" } }));
    let ended = home.cli(&["job", "run", "codes", "--wait"]).expect(1);
    assert!(!ended.stdout.contains('\u{1b}') && !ended.stdout.contains('\u{202e}'), "{:?}", ended.stdout);
    daemon.put(&json!({ "name": "look", "action": { "use": "hostile/look-around" } }));
    let run = home.cli(&["job", "run", "look", "--wait", "--json"]).expect(0).json();
    assert_eq!(run["result"]["output"], "environment [], arguments [], files []", "{run}");
    daemon.stop();
}
