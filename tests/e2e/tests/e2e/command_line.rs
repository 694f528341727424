//! The command line: JSON everywhere, exit codes, streams, pipes, and the demonstration.

use std::process::{Command, Stdio};
use std::time::Duration;

use sandglass_e2e::{Daemon, Deadline, Home, cli, until};
use serde_json::{Value, json};

use crate::scripts::command;

#[test]
fn json_is_json_everywhere() {
    let home = Home::new();
    let daemon = home.start();
    daemon.put(&command("job", "echo out; echo err >&2"));
    home.write("job.yaml", "name: other\nschedule: \"0 2 * * *\"\ncommand: echo other\n");
    let run = home.cli(&["job", "run", "job", "--wait", "--json"]).expect(0);
    assert_eq!(run.stderr, "out\nerr\n", "output goes to standard error");
    let run = run.json()["id"].as_str().expect("an id").to_owned();
    let table: &[&[&str]] = &[
        &["apply", "job.yaml"],
        &["apply", "job.yaml", "--dry-run"],
        &["validate", "job.yaml"],
        &["schema", "job"],
        &["job", "list"],
        &["job", "show", "job"],
        &["job", "next", "other"],
        &["job", "history", "job"],
        &["job", "run", "job"],
        &["run", "list"],
        &["run", "show", &run],
        &["run", "wait", &run],
        &["plugin", "list"],
        &["plugin", "inspect", "shell"],
        &["schedule", "next", "0 2 * * *"],
        &["status"],
        &["version"],
    ];
    for args in table {
        for form in [&["--json"][..], &["--output", "json"]] {
            let ended = home.cli(&[args, form].concat()).expect(0);
            assert!(ended.json().is_object(), "{args:?}: {}", ended.stdout);
            settle(&daemon);
        }
        // For people: something is said, without colours where nobody sees them.
        let ended = home.cli(args).expect(0);
        settle(&daemon);
        assert!(!ended.stdout.is_empty() && !ended.stdout.contains('\u{1b}'), "{args:?}: {:?}", ended.stdout);
        home.cli(&[args, &["--output", "yaml"][..]].concat()).expect(0);
        settle(&daemon);
    }
    // What a run printed is a line of JSON an event.
    let lines = home.cli(&["run", "logs", &run, "--json"]).expect(0).stdout;
    let events: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect();
    assert!(events.iter().any(|event| event["stream"] == "stderr" && event["text"] == "err\n"), "{lines}");
    // The API's representation, unchanged.
    assert_eq!(home.cli(&["run", "show", &run, "--json"]).expect(0).json(), daemon.get(&format!("/runs/{run}")));
    assert_eq!(home.cli(&["job", "show", "other", "--json"]).expect(0).json(), daemon.get("/jobs/other"));
    daemon.stop();
}

/// Waits until no run is going, so that the next is not skipped because of it.
fn settle(daemon: &Daemon) {
    until("the end of every run", Duration::from_secs(20), || {
        daemon.get("/runs?state=queued,running")["items"].as_array().is_some_and(Vec::is_empty).then_some(())
    });
}

#[test]
fn exit_codes_tell_outcomes_apart() {
    let home = Home::new();
    // Nobody there.
    home.cli(&["job", "list"]).expect(7).says(&["sandglass serve"]);
    let problem = home.cli(&["job", "list", "--json"]).expect(7).problem();
    assert_eq!(problem["code"], "no_daemon", "{problem}");
    home.write("job.yaml", "name: good\ncommand: exit 0\n");
    home.cli(&["validate", "job.yaml"]).expect(0);
    home.cli(&["version"]).expect(0);
    let daemon = home.start();
    daemon.put(&command("good", "echo fine"));
    daemon.put(&command("bad", "echo oh no >&2; exit 7"));
    for args in
        [&["frobnicate"][..], &["job"], &["job", "run"], &["run", "show", "no-id"], &["job", "list", "--nonsense"]]
    {
        home.cli(args).expect(2);
        for form in [&["--json"][..], &["--output", "json"]] {
            let problem = home.cli(&[args, form].concat()).expect(2).problem();
            assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{args:?}: {problem}");
        }
    }
    let missing = home.cli(&["--json", "job"]).expect(2).problem();
    assert!(missing["detail"].as_str().is_some_and(|detail| detail.contains("requires a subcommand")), "{missing}");
    let mistyped = home.cli(&["job", "lst", "--json"]).expect(2).problem();
    assert_eq!(mistyped["detail"], "unrecognized subcommand 'lst'");
    assert!(mistyped["hint"].as_str().is_some_and(|hint| hint.contains("'list'")), "{mistyped}");
    home.cli(&["job", "run", "good", "--wait"]).expect(0).says(&["fine\n"]);
    let ended = home.cli(&["job", "run", "bad", "--wait", "--json"]).expect(1);
    ended.says(&["oh no\n"]);
    let run = ended.json();
    assert_eq!((&run["state"], &run["exit_code"]), (&json!("failed"), &json!(7)), "{run}");
    let id = run["id"].as_str().expect("an id");
    home.cli(&["run", "wait", id]).expect(1);
    home.cli(&["run", "show", id]).expect(0);
    home.cli(&["job", "run", "nowhere"]).expect(4).says(&["nowhere", "job list"]);
    home.cli(&["job", "history", "nowhere"]).expect(4);
    home.cli(&["run", "show", "01ARZ3NDEKTSV4RRFFQ69G5FAV"]).expect(4);
    home.cli(&["run", "cancel", id]).expect(5);
    home.cli(&["job", "delete", "good", "--yes"]).expect(0);
    home.cli(&["schedule", "next", "61 * * * *"]).expect(3).says(&["61"]);
    home.cli(&["schedule", "next", "* * * * *", "--timezone", "Mars/Olympus"]).expect(2);
    let stdin =
        cli::run_with(&mut home.command(&["apply", "-", "--json"]), b"name: piped\ncommand: echo piped\n").expect(0);
    assert_eq!(stdin.json()["items"][0]["job"]["name"], "piped");
    daemon.stop();
}

#[test]
fn schedules_are_told_without_a_daemon() {
    let home = Home::new();
    let next =
        |args: &[&str]| home.cli(&[&["schedule", "next", "--json"], args].concat()).expect(0).json()["fires"].clone();
    let berlin = ["30 2 * * *", "--timezone", "Europe/Berlin", "--from", "2027-03-26T12:00:00Z", "--count", "3"];
    assert_eq!(next(&berlin), json!(["2027-03-27T01:30:00Z", "2027-03-28T01:30:00Z", "2027-03-29T00:30:00Z"]));
    let every = ["every 90m", "--from", "2027-01-01T00:00:00Z", "--count", "2"];
    assert_eq!(next(&every), json!(["2027-01-01T01:30:00Z", "2027-01-01T03:00:00Z"]));
    let past = ["at 2020-01-01T00:00:00Z", "--from", "2027-01-01T00:00:00Z"];
    assert_eq!(next(&past), json!([]));
    let never = ["0 0 31 2 *", "--from", "2027-01-01T00:00:00Z"];
    let ended = home.cli(&[&["schedule", "next", "--json"], &never[..]].concat());
    assert!([0, 3].contains(&ended.code), "{ended:?}");
}

/// Runs a line of bash with the program as `sandglass`, and checks that it ends with `code`.
#[track_caller]
fn bash(home: &Home, line: &str, code: i32) -> cli::Ended {
    let mut bash = Command::new("bash");
    let program = sandglass_e2e::program::path().display();
    bash.arg("-c").arg(format!("sandglass() {{ {program} \"$@\"; }}\n{line}"));
    bash.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", home.path()).env("SANDGLASS_DATA_DIR", home.data());
    bash.envs(std::env::var_os("LLVM_PROFILE_FILE").map(|counts| ("LLVM_PROFILE_FILE", counts)));
    cli::run(&mut bash).expect(code)
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let home = Home::new();
    let daemon = home.start();
    daemon.put(&command("talk", "seq 1 200000"));
    let run = home.cli(&["job", "run", "talk", "--wait", "--json"]).expect(0).json();
    let id = run["id"].as_str().expect("an id");
    for args in [
        "completions bash",
        "completions zsh",
        "schema job",
        "run list",
        "--help",
        "schedule next '* * * * *' -c 50000",
    ] {
        let ended = bash(&home, &format!("sandglass {args} | head -1 > /dev/null; exit ${{PIPESTATUS[0]}}"), 0);
        assert_eq!(ended.stderr, "", "{args}");
    }
    let ended = bash(&home, &format!("sandglass run logs {id} | head -1; exit ${{PIPESTATUS[0]}}"), 0);
    assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("1\n", ""));
    // Where nothing can be written, that is told.
    bash(&home, "sandglass run list > /dev/full", 7).says(&["No space left"]);
    daemon.stop();
}

#[test]
fn completions_complete() {
    let home = Home::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = home.cli(&["completions", shell]).expect(0).stdout;
        assert!(script.contains("sandglass") && script.contains("schedule"), "{shell}");
    }
    let line = "source <(sandglass completions bash); COMP_WORDS=(sandglass job hi); COMP_CWORD=2; \
                _sandglass sandglass hi job; echo \"${COMPREPLY[@]}\"";
    assert_eq!(bash(&home, line, 0).stdout, "history\n");
    home.cli(&["completions", "tcsh"]).expect(2);
}

#[test]
fn help_and_version_are_there() {
    let home = Home::new();
    let help = home.cli(&["--help"]).expect(0).stdout;
    for word in
        ["demo", "serve", "apply", "validate", "job", "run", "plugin", "schedule", "status", "version", "Exit codes"]
    {
        assert!(help.contains(word), "no {word} in the help");
    }
    let version = home.cli(&["version", "--json"]).expect(0).json();
    assert!(version["version"].is_string() && version["tz_database"].is_string(), "{version}");
    assert!(home.cli(&["--version"]).expect(0).stdout.starts_with("sandglass "));
    for noun in ["job", "run", "plugin", "schedule", "serve", "demo", "apply"] {
        assert!(!home.cli(&[noun, "--help"]).expect(0).stdout.is_empty());
    }
}

#[test]
fn the_demonstration_needs_nothing_and_leaves_nothing() {
    let home = Home::new();
    let tmp = home.path().join("tmp");
    std::fs::create_dir(&tmp).expect("folders can be made");
    let began = Deadline::after(Duration::from_secs(45));
    let ended = cli::run(home.command(&["demo"]).env_remove("SANDGLASS_DATA_DIR").env("TMPDIR", &tmp)).expect(0);
    assert!(!began.is_over(), "the demonstration took {:?}", began.elapsed());
    for word in ["backup", "webhook", "tick", "succeeded", "STATE", "FUEL", "MEMORY", "POST /hook", "sandglass serve"] {
        assert!(ended.stdout.contains(word), "no {word} in:\n{}", ended.stdout);
    }
    assert!(!ended.stdout.contains("failed") && !ended.stdout.contains('\u{1b}'), "{}", ended.stdout);
    assert_eq!(ended.stderr, "", "it warns of something");
    assert_eq!(std::fs::read_dir(&tmp).expect("it is there").count(), 0, "something is left behind");
    assert!(!home.path().join(".local").exists(), "it touched the user's own data");
}

/// Whoever enters a container from outside is of a session that has no id in there.
#[test]
fn the_demonstration_works_where_its_session_has_no_id() {
    let home = Home::new();
    let namespace = ["--user", "--map-root-user", "--pid", "--fork", "--mount-proc"];
    let allowed = Command::new("unshare").args(namespace).arg("true").stderr(Stdio::null()).status();
    if !allowed.is_ok_and(|status| status.success()) {
        println!("not tried: process namespaces cannot be made here");
        return;
    }
    let demo = home.command(&["demo"]);
    let mut entered = Command::new("unshare");
    entered.args(namespace).arg(demo.get_program()).args(demo.get_args()).current_dir(home.path());
    for (name, value) in demo.get_envs() {
        match value {
            Some(value) => entered.env(name, value),
            None => entered.env_remove(name),
        };
    }
    let ended = cli::run(entered.env_remove("SANDGLASS_DATA_DIR").env("TMPDIR", home.path())).expect(0);
    assert!(ended.stdout.contains("succeeded") && !ended.stdout.contains("failed"), "{}", ended.stdout);
}

#[test]
fn a_crontab_becomes_jobs_that_can_be_saved() {
    let home = Home::new();
    let daemon = home.start();
    let marker = home.path().join("marker");
    let said =
        format!("SHELL=/bin/bash\n@reboot cat > '{}'%to\\%do%{{{{x}}}}\n0 2 * * 1-5 /bin/true\n", marker.display());
    home.write("crontab", said);
    let file = home.cli(&["import", "crontab", "crontab"]).expect(0).stdout;
    assert!(file.contains("# line 3: 0 2 * * 1-5 /bin/true\n"), "{file}");
    home.write("jobs.yaml", &file);
    home.cli(&["apply", "jobs.yaml"]).expect(0);
    home.cli(&["job", "run", "cat", "--wait"]).expect(0);
    assert_eq!(std::fs::read_to_string(&marker).expect("the command wrote it"), "to%do\n{{x}}\n");
    home.write("faulty", "0 2 * *\n* * * * * fine\n@noon x\n");
    home.cli(&["import", "crontab", "faulty"])
        .expect(3)
        .says(&["faulty:1: a schedule has five", "faulty:3: there is no @noon"]);
    daemon.stop();
}
