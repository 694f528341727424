//! Job files that are wrong: refused with their place, and nothing is applied.

use sandglass_e2e::{Daemon, Home};
use serde_json::{Value, json};

/// Applying `file` with a good job beside it ends with `code`, says each of `parts`, and applies nothing.
#[track_caller]
fn refused(home: &Home, daemon: &Daemon, name: &str, content: &str, code: i32, parts: &[&str]) {
    home.write("jobs/a-good-one.yaml", "name: good\ncommand: echo good\n");
    let file = home.write(&format!("jobs/{name}"), content);
    let ended = home.cli(&["apply", "jobs"]).expect(code);
    ended.says(parts);
    assert!(ended.stderr.contains("nothing was changed"), "{ended:?}");
    // With --json the same is one problem document.
    let problem = home.cli(&["apply", "jobs", "--json"]).expect(code).problem();
    assert!(problem["detail"].as_str().is_some_and(|text| !text.is_empty()), "{problem}");
    assert!(problem["errors"].as_array().is_some_and(|errors| !errors.is_empty()), "{problem}");
    assert_eq!(daemon.get("/jobs")["items"], json!([]), "something was applied");
    // `validate` finds it too.
    home.cli(&["validate", "jobs"]).expect(code).says(&parts[..1]);
    std::fs::remove_file(file).expect("it was just written");
}

#[test]
fn malformed_files_are_refused_with_their_place() {
    let home = Home::new();
    let daemon = home.start();
    let table: &[(&str, &str, &[&str])] = &[
        ("open.yaml", "name: a\ncommand: \"echo\n", &["open.yaml:2:"]),
        ("star.yaml", "name: a\nschedule: * * * * *\ncommand: x\n", &["star.yaml:2:11"]),
        ("tab.yaml", "name: a\naction:\n\tuse: shell\n", &["tab.yaml:3:", "spaces"]),
        ("slip.yaml", "name: a\ncommand: x\ntimout: 5\n", &["slip.yaml:3:1", "timout", "timeout"]),
        ("slip.toml", "name = 'a'\ncommand = 'x'\ntimout = 5\n", &["slip.toml:3:1", "timout", "timeout"]),
        ("broken.toml", "name = 'a'\ncommand = \n", &["broken.toml:2:"]),
        ("slip.json", "{\"name\": \"a\",\n \"comand\": \"x\"}", &["slip.json:2:2", "comand", "command"]),
        ("comma.json", "{\"name\": \"a\",\n \"command\": \"x\",\n}", &["comma.json:3:1"]),
        ("cron.yaml", "name: a\nschedule: \"61 * * * *\"\ncommand: x\n", &["cron.yaml:2:", "61"]),
        ("zone.yaml", "name: a\ntimezone: Europe/Berlni\ncommand: x\n", &["zone.yaml:2:11", "Europe/Berlni"]),
        ("often.yaml", "name: a\ntriggers: [{every: 10ms}]\ncommand: x\n", &["often.yaml:2:"]),
        ("empty.yaml", "", &["empty.yaml:1:1"]),
        ("name.yaml", "name: \"a b/c\"\ncommand: x\n", &["name.yaml:1:7"]),
        ("twice.yaml", "name: good\ncommand: x\n", &["twice.yaml:1:7", "given twice"]),
        ("grant.yaml", "name: a\ncommand: x\ngrants: { proces: any }\n", &["grant.yaml:3:", "process"]),
        ("deep.json", &"[".repeat(5000), &["deep.json:1:"]),
    ];
    for (name, content, parts) in table {
        refused(&home, &daemon, name, content, 3, parts);
    }
    // Several faults of several files are told at once.
    home.write("two/a.yaml", "name: a\ntimout: 5\ncommand: x\nprioritty: 3\n");
    home.write("two/b.toml", "name = 'b'\ncommnd = 'x'\n");
    home.cli(&["apply", "two"]).expect(3).says(&["a.yaml:2:1", "a.yaml:4:1", "b.toml:2:1"]);
    // Files that are no text, not there, or of no known kind.
    home.write("bytes.yaml", b"name: \xff\xfe\n");
    home.cli(&["apply", "bytes.yaml"]).expect(3).says(&["bytes.yaml", "UTF-8"]);
    home.cli(&["apply", "nowhere.yaml"]).expect(3).says(&["nowhere.yaml"]);
    home.write("jobs.ini", "name=a");
    home.cli(&["apply", "jobs.ini"]).expect(3).says(&["jobs.ini", ".yaml"]);
    home.write("large.yaml", format!("name: a\ncommand: x\ndescription: {}\n", "x".repeat(2 << 20)));
    home.cli(&["apply", "large.yaml"]).expect(3).says(&["large.yaml"]);
    assert_eq!(daemon.get("/jobs")["items"], json!([]));
    daemon.stop();
}

#[test]
fn what_the_daemon_refuses_has_its_place_and_pointer() {
    let home = Home::new();
    let daemon = home.start();
    let table: &[(&str, &str, &[&str])] = &[
        ("plugin.yaml", "name: a\naction:\n  use: shel\n", &["plugin.yaml:3:", "shel", "/action/use"]),
        ("version.yaml", "name: a\naction:\n  use: shell@9.9.9\n", &["version.yaml:3:", "9.9.9", "/action/use"]),
        ("action.yaml", "name: a\naction:\n  use: shell/rum\n", &["action.yaml:3:", "rum", "/action/use"]),
        (
            "param.yaml",
            "name: a\naction:\n  use: shell\n  with:\n    command: x\n    interpeter: bash\n",
            &["param.yaml:", "interpeter", "/action/with"],
        ),
        (
            "type.toml",
            "name = 'a'\n[action]\nuse = 'http'\n[action.with]\nurl = 5\n",
            &["type.toml:5:", "/action/with/url"],
        ),
        ("url.json", "{\"name\": \"a\",\n\"http\": \"ftp://x/\"}", &["url.json:2:", "/action/with/url"]),
        ("folder.yaml", "name: a\ncommand: x\nworking_dir: relative\n", &["folder.yaml:3:", "absolute"]),
        ("priority.yaml", "name: a\ncommand: x\npriority: 10\n", &["priority.yaml:3:", "priority"]),
    ];
    for (name, content, parts) in table {
        refused(&home, &daemon, name, content, 3, parts);
    }
    daemon.stop();
}

#[test]
fn a_missing_grant_is_named_when_the_job_is_saved() {
    let home = Home::new();
    let daemon = home.start();
    let words = sandglass_test_guests::user().expect("the Rust plugin can be built");
    // Without any grant the plugin may do nothing, although it asks for state.
    home.cli(&["plugin", "add", words.to_str().expect("UTF-8")]).expect(0);
    let job = "name: w\naction: { use: words, with: { text: a } }\n";
    refused(&home, &daemon, "w.yaml", job, 6, &["w.yaml:2:", "state: true", "whoever adds plugins"]);
    let none = "name: n\ncommand: x\ngrants: {}\n";
    refused(&home, &daemon, "n.yaml", none, 6, &["n.yaml:", "process", "the job's owner"]);
    let json: Value = json!({ "name": "w", "action": { "use": "words", "with": { "text": "a" } } });
    let answer = daemon.http().send("PUT", "/api/v1/namespaces/default/jobs/w", &[], json.to_string().as_bytes());
    let problem = answer.problem(403, "missing_grant");
    assert!(problem["hint"].as_str().is_some_and(|hint| hint.contains("state: true")), "{problem}");
    // Granted, it is taken.
    home.cli(&["plugin", "add", words.to_str().expect("UTF-8"), "--grant-requested"]).expect(0);
    daemon.put(&json);
    daemon.stop();
}

#[test]
fn a_grant_that_only_the_run_misses_is_named_by_the_run() {
    let home = Home::new();
    let daemon = home.start();
    let receiver = sandglass_e2e::Receiver::start();
    let url = receiver.url("/private");
    daemon.put(&json!({ "name": "private", "action": { "use": "http", "with": { "url": url } } }));
    let run = home.cli(&["job", "run", "private", "--wait", "--json"]).expect(1).json();
    assert_eq!((&run["state"], &run["attempts"][0]["error"]["class"]), (&json!("failed"), &json!("denied")), "{run}");
    let message = run["attempts"][0]["error"]["message"].as_str().expect("a message");
    assert!(message.contains(&format!("GET {url}")), "no line that would allow it: {message}");
    assert!(receiver.received().is_empty(), "it was sent all the same");

    let mut tar = crate::scripts::command("tar", "tar --version");
    tar["action"]["with"]["interpreter"] = json!("/bin/bash");
    tar["grants"] = json!({ "process": ["/bin/sh"] });
    daemon.put(&tar);
    let run = home.cli(&["job", "run", "tar", "--wait", "--json"]).expect(1).json();
    assert_eq!(run["attempts"][0]["error"]["class"], "denied", "{run}");
    let message = run["attempts"][0]["error"]["message"].as_str().expect("a message");
    assert!(message.contains("process: [\"") && message.contains("bash"), "{message}");
    daemon.stop();
}
