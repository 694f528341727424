//! Everything that the plugin `shell` runs, and the files that its runs have, from job files.

use sandglass_e2e::Home;
use serde_json::json;

const FORMS: &str = r##"
jobs:
  - name: script
    script: |
      #!/usr/bin/env python3
      import os, sys
      print(sys.argv[0].rsplit("/", 1)[1], sys.stdin.read(), os.environ["A"], os.getcwd() == os.path.dirname(sys.argv[0]))
    env: { A: 1 }
  - name: perl
    script: print "perl $0\n"
    interpreter: perl
  - name: alias
    command: print(6 * 7)
    interpreter: python -u
  - name: platform
    command: echo generic
    command_linux: echo linux
    command_windows: echo windows
  - name: steps
    commands:
      - echo one
      - { name: two, argv: [/bin/echo, "$HOME"] }
      - { command: "print(3); exit(3)", interpreter: python3, success_codes: [3] }
      - { name: lint, command: "false", continue_on_failure: true }
  - name: stopping
    commands: [echo one, exit 4, echo three]
  - name: going-on
    commands: [exit 4, echo two]
    stop_on_failure: false
"##;

#[test]
fn scripts_commands_and_platforms() {
    let home = Home::new();
    let _daemon = home.start();
    home.write("forms.yaml", FORMS);
    home.cli(&["apply", "forms.yaml"]).expect(0);
    let run = |name: &str, code: i32| home.cli(&["job", "run", name, "--wait", "--json"]).expect(code);
    run("script", 0).says(&[".sandglass-script  1 True"]);
    run("perl", 0).says(&["perl /"]);
    run("alias", 0).says(&["42"]);
    run("platform", 0).says(&["linux"]);
    let steps = run("steps", 0);
    steps.says(&["one", "$HOME", "3"]);
    let result = steps.json()["result"].clone();
    assert_eq!(result["output"]["steps"][1], json!({ "name": "two", "ok": true, "exit_code": 0 }), "{result}");
    assert_eq!(result["output"]["steps"][2]["exit_code"], 3, "{result}");
    assert_eq!(result["output"]["steps"][3]["ok"], false, "{result}");
    assert_eq!(result["warnings"], json!(["command 4 of 4 (lint) ended with exit code 1"]), "{result}");
    let stopped = run("stopping", 1);
    assert!(!stopped.stderr.contains("three"), "{}", stopped.stderr);
    let error = &stopped.json()["attempts"][0]["error"];
    assert_eq!(error["message"], "command 2 of 3 (exit 4) ended with exit code 4; 1 more not started");
    assert_eq!((&error["class"], &stopped.json()["exit_code"]), (&json!("exit"), &json!(4)));
    run("going-on", 1).says(&["two"]);
}

const HAND_OVER: &str = r#"
jobs:
  - name: extract
    action:
      use: shell
      with:
        capture: true
        commands:
          - echo rows=12 >> "$SANDGLASS_OUTPUT"
          - "printf 'notes<<END\nfirst\nsecond\nEND\n' >> \"$SANDGLASS_OUTPUT\""
          - echo '{"files":["a","b"]}' > "$SANDGLASS_RESULT"
    working_dir: /
  - name: load
    triggers: [{ after: extract }]
    command: echo {{ upstream.extract.result.output.values.rows }}-{{ upstream.extract.result.output.data.files[1] }}
  - name: wrong
    action: { use: shell, with: { command: 'echo "{" > "$SANDGLASS_RESULT"', capture: true } }
"#;

#[test]
fn what_a_run_hands_over_reaches_those_who_come_after() {
    let home = Home::new();
    let daemon = home.start();
    home.write("pipeline.yaml", HAND_OVER);
    home.cli(&["apply", "pipeline.yaml"]).expect(0);
    let extract = home.cli(&["job", "run", "extract", "--wait", "--json"]).expect(0).json();
    let output = &extract["result"]["output"];
    assert_eq!(output["values"], json!({ "rows": "12", "notes": "first\nsecond" }), "{extract}");
    assert_eq!(output["data"], json!({ "files": ["a", "b"] }), "{extract}");
    let load = daemon.ended(daemon.runs("load")[0]["id"].as_str().expect("an id"));
    let id = load["id"].as_str().expect("an id");
    assert_eq!(home.cli(&["run", "logs", id]).expect(0).stdout, "12-b\n");
    let wrong = home.cli(&["job", "run", "wrong", "--wait", "--json"]).expect(1).json();
    let error = &wrong["attempts"][0]["error"];
    assert_eq!(error["code"], "invalid-output", "{wrong}");
    assert!(error["message"].as_str().is_some_and(|text| text.contains("SANDGLASS_RESULT")), "{wrong}");
}

#[test]
fn what_stands_in_place_of_a_result_is_not_read() {
    let home = Home::new();
    let daemon = home.start();
    for (name, command) in [("link", "ln -s /etc/hostname $SANDGLASS_OUTPUT"), ("pipe", "mkfifo $SANDGLASS_RESULT")] {
        daemon.put(
            &json!({ "name": name, "action": { "use": "shell", "with": { "command": command, "capture": true } } }),
        );
        let run = home.cli(&["job", "run", name, "--wait", "--json"]).expect(1).json();
        let error = &run["attempts"][0]["error"];
        assert_eq!(error["code"], "invalid-output", "{run}");
        let message = error["message"].as_str().expect("a text");
        assert!(message.contains("there is a link, a pipe or the like in its place"), "{message}");
    }
}

#[test]
fn a_script_file_is_copied_where_its_folder_is_granted_and_else_run_where_it_is() {
    let home = Home::new();
    let daemon = home.start();
    let script = home.write("scripts/where.sh", "#!/bin/sh\necho \"$0\" \"$@\"\n");
    let folder = script.parent().expect("a folder").display().to_string();
    let job = |name: &str, extra: serde_json::Value| {
        let mut with = json!({ "script_file": script, "args": ["a b"] });
        with.as_object_mut().expect("a map").extend(extra.as_object().expect("a map").clone());
        json!({ "name": name, "action": { "use": "shell", "with": with } })
    };
    daemon.put(&job("there", json!({ "interpreter": "sh" })));
    home.cli(&["job", "run", "there", "--wait"]).expect(0).says(&[&format!("{} a b", script.display())]);
    // It cannot be executed by itself, and that is told with what helps.
    daemon.put(&job("bare", json!({})));
    let bare = home.cli(&["job", "run", "bare", "--wait"]).expect(1).stdout;
    assert!(bare.contains("make the script executable, or name its interpreter"), "{bare}");
    let mut copied = job("copied", json!({}));
    copied["grants"] = json!({ "process": "any", "files": [format!("{folder}:ro")] });
    daemon.put(&copied);
    home.cli(&["job", "run", "copied", "--wait"]).expect(0).says(&["/.sandglass-script a b"]);
    // The folder must be there when the run starts.
    std::fs::remove_dir_all(&folder).expect("it can be removed");
    let lost = home.cli(&["job", "run", "copied", "--wait"]).expect(1).stdout;
    assert!(lost.contains(&format!("the folder {folder}")) && lost.contains("cannot be used"), "{lost}");
}

#[test]
fn folders_that_a_job_may_not_have_are_refused_when_it_is_saved() {
    let home = Home::new();
    let config = home.write("sandglass.toml", "[ceiling]\nprocess = \"any\"\nfiles = [\"/srv/*:ro\"]\n");
    let _daemon = home.spawn(&["--config", &config.display().to_string()]).ready();
    let job = |files: &str| format!("name: a\ncommand: date\ngrants:\n  process: any\n  files: {files}\n");
    for (files, reasons) in [
        ("[\"/etc:ro\"]", &["using the folder /etc is denied", "the daemon's operator", "files: [\"/etc:ro\"]"][..]),
        ("[\"/srv/a:rw\"]", &["writing in the folder /srv/a is denied", "files: [\"/srv/a:rw\"]"]),
        ("[\"/srv/../etc:ro\"]", &["grants no folder", "'..'"]),
        ("[\"/srv/*:ro\"]", &["a.yaml:5", "stands for many folders"]),
        ("[\"/srv/a\"]", &["':ro' or ':rw'"]),
    ] {
        home.write("a.yaml", job(files));
        let refused = home.cli(&["apply", "a.yaml"]);
        assert_ne!(refused.code, 0, "{files}");
        refused.says(reasons);
    }
    home.write("a.yaml", job("[\"/srv/a:ro\"]"));
    home.cli(&["apply", "a.yaml"]).expect(0);
    // A job that limits itself to programs still has a folder of its own.
    home.write("b.yaml", "name: b\nscript: echo mine\ngrants: { process: any }\n");
    home.cli(&["apply", "b.yaml"]).expect(0);
    home.cli(&["job", "run", "b", "--wait"]).expect(0).says(&["mine"]);
}
