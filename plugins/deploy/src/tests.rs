//! What the actions ask of machines, and what they tell of the answers.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use sandglass_plugin::remote::{Answer, ChangeKind, CopyReport, Ending, ExitReport, FileChange, FileKind, Stat};
use sandglass_plugin::serde_json::{Value, json};
use sandglass_plugin::testing::{Host, RemoteAsk, RemoteCall, check_schemas};
use sandglass_plugin::{Action, CancelReason, Error, ErrorCode, Failure, Outcome};

use crate::command::Command;
use crate::files::Files;
use crate::software::Software;

/// Machines with files, on each of which commands that hold a word fail.
#[derive(Clone, Default)]
struct Machines {
    files: Rc<RefCell<BTreeMap<(String, String), String>>>,
    commands: Rc<RefCell<Vec<String>>>,
}

impl Machines {
    fn file(&self, target: &str, path: &str) -> Option<String> {
        self.files.borrow().get(&(target.to_owned(), path.to_owned())).cloned()
    }

    fn paths(&self, target: &str) -> Vec<String> {
        self.files.borrow().keys().filter(|(machine, _)| machine == target).map(|(_, path)| path.clone()).collect()
    }

    fn answer(&self, call: &RemoteCall) -> Result<Answer, Error> {
        let key = |path: &str| (call.target.clone(), path.to_owned());
        let mut files = self.files.borrow_mut();
        let error = |message: &str| Error { code: ErrorCode::Other, message: message.to_owned(), detail: None };
        if call.target == "gone" {
            return Err(Error {
                code: ErrorCode::Unavailable,
                message: "gone cannot be reached".to_owned(),
                detail: None,
            });
        }
        Ok(match &call.ask {
            RemoteAsk::Run(command) => {
                let line = command.argv.last().cloned().unwrap_or_default();
                self.commands.borrow_mut().push(format!("{}: {line}", call.target));
                if line == "lose" {
                    let (stdout, stderr, ending) = (Vec::new(), Vec::new(), Ending::Lost("the line broke".to_owned()));
                    return Ok(Answer::Ended(ExitReport { ending, stdout, stderr, cpu_ns: None, peak_memory: None }));
                }
                let fails = line.split(' ').any(|word| word == call.target);
                let ending = Ending::Exited(if fails { 3 } else { 0 });
                let stderr = if fails { b"it is broken\n".to_vec() } else { Vec::new() };
                Answer::Ended(ExitReport { ending, stdout: Vec::new(), stderr, cpu_ns: None, peak_memory: None })
            }
            RemoteAsk::WriteFile { path, contents, options } => {
                if path.contains(&call.target) {
                    return Err(error("the disk is full"));
                }
                let text = String::from_utf8_lossy(contents).into_owned();
                let before = files.get(&key(path));
                let changed = before != Some(&text);
                let kind = if before.is_some() { ChangeKind::Update } else { ChangeKind::Create };
                let changes = changed.then(|| FileChange { path: path.clone(), kind }).into_iter().collect();
                if !options.dry_run {
                    files.insert(key(path), text);
                }
                Answer::Copied(CopyReport { bytes: contents.len() as u64, changed, sha256: String::new(), changes })
            }
            RemoteAsk::Stat { path, .. } => Answer::Found(files.get(&key(path)).map(|text| Stat {
                kind: if text == "/" { FileKind::Directory } else { FileKind::File },
                size: text.len() as u64,
                mode: 0o644,
                owner: "a:b".to_owned(),
                sha256: None,
            })),
            RemoteAsk::Copy { source, dest } => {
                let text = files.get(&key(source)).cloned().ok_or_else(|| error("No such file"))?;
                files.insert(key(dest), text);
                Answer::Done
            }
            RemoteAsk::Rename { source, dest } => {
                let text = files.remove(&key(source)).ok_or_else(|| error("No such file"))?;
                files.insert(key(dest), text);
                Answer::Done
            }
            RemoteAsk::Remove { path, .. } => {
                files.remove(&key(path));
                Answer::Done
            }
            other => return Err(error(&format!("{other:?} is not asked for"))),
        })
    }

    fn host<'a>(&self, targets: impl IntoIterator<Item = &'a str>) -> Host {
        let machines = self.clone();
        Host::new().targets(targets).on_remote(move |call| machines.answer(call))
    }
}

fn states(result: &Result<Outcome<Value>, Failure>) -> Vec<(String, String)> {
    let report = match result {
        Ok(outcome) => outcome.output.clone().unwrap_or_default(),
        Err(failure) => failure.detail.clone().unwrap_or_default(),
    };
    let text = |target: &Value, key: &str| target[key].as_str().unwrap_or_default().to_owned();
    let targets = report["targets"].as_array().cloned().unwrap_or_default();
    targets.iter().map(|target| (text(target, "target"), text(target, "state"))).collect()
}

fn state(target: &str, state: &str) -> (String, String) {
    (target.to_owned(), state.to_owned())
}

#[test]
fn a_command_that_fails_on_one_keeps_none_of_the_others() {
    let machines = Machines::default();
    let host = machines.host(["a", "b", "c"]);
    let result = host.run::<Command>(json!({ "targets": "*", "command": "restart b" }));
    assert_eq!(states(&result), [state("a", "succeeded"), state("b", "failed"), state("c", "succeeded")]);
    let failure = result.expect_err("b fails");
    assert_eq!(failure.code, "targets_failed");
    assert!(
        failure.message.contains("of 3 targets: 1 failed, 2 done; b: 'restart b' ended with exit code 3: it is broken"),
        "{failure:?}"
    );
    let last = host.progress().pop().expect("it tells how far it is");
    assert_eq!((last.completed, last.total), (3, Some(3)));
    let well = host.run::<Command>(json!({ "targets": ["a", "c"], "command": "restart b" }));
    assert_eq!(well.expect("all is well").summary.as_deref(), Some("2 targets done, 2 changed"));
}

#[test]
fn several_commands_end_with_the_first_that_fails() {
    let machines = Machines::default();
    let commands = json!({ "targets": "*", "commands": ["one", ["two", "a"], "three"], "account": "root" });
    assert!(machines.host(["a"]).run::<Command>(commands).is_err());
    assert_eq!(*machines.commands.borrow(), ["a: one", "a: a"]);
}

#[test]
fn a_rolling_deployment_stops_when_too_many_have_failed() {
    let machines = Machines::default();
    let mut params =
        json!({ "targets": "*", "command": "restart a c", "strategy": { "kind": "rolling", "max_failures": 1 } });
    let result = machines.host(["a", "b", "c", "d"]).run::<Command>(params.clone());
    let expected = [state("a", "failed"), state("b", "succeeded"), state("c", "failed"), state("d", "not_started")];
    assert_eq!(states(&result), expected);
    params["strategy"] = json!({ "kind": "canary", "health_check": "check a", "pause": "10s" });
    params["command"] = json!("restart");
    let host = machines.host(["a", "b"]);
    let result = host.run::<Command>(params);
    assert_eq!(states(&result), [state("a", "failed"), state("b", "not_started")]);
    assert!(result.expect_err("it is not well").message.contains("the health check failed"));
    assert_eq!(host.slept().as_secs(), 10);
}

#[test]
fn a_transaction_of_commands_is_undone_from_the_last_to_the_first() {
    let machines = Machines::default();
    let params = json!({
        "targets": "*", "command": "up c", "undo": "down b", "strategy": { "kind": "transactional", "limit": 1 },
    });
    let result = machines.host(["a", "b", "c", "d"]).run::<Command>(params);
    let expected = [state("a", "undone"), state("b", "undo_failed"), state("c", "undone"), state("d", "not_started")];
    assert_eq!(states(&result), expected);
    let failure = result.expect_err("c fails");
    assert_eq!(failure.code, "undo_failed");
    // What began it is told, and what it left.
    assert_eq!(
        failure.message,
        "of 4 targets: 2 undone, 1 could not be undone, 1 not begun; c: 'up c' ended with exit code 3: it is broken; \
         b: what was done could not be undone: 'down b' ended with exit code 3: it is broken"
    );
    let detail = failure.detail.expect("it tells of each target");
    let counts = ["succeeded", "failed", "undone", "undo_failed", "not_started"].map(|name| detail[name].clone());
    assert_eq!(counts, [0, 0, 2, 1, 1]);
    assert_eq!(*machines.commands.borrow(), ["a: up c", "b: up c", "c: up c", "c: down b", "b: down b", "a: down b"]);
}

#[test]
fn what_was_never_reached_is_not_undone() {
    let machines = Machines::default();
    machines.files.borrow_mut().insert(("a".to_owned(), "/etc".to_owned()), "/".to_owned());
    let strategy = json!({ "kind": "transactional", "limit": 2 });
    let files = json!({ "targets": "*", "files": [{ "dest": "/etc/motd", "contents": "x" }], "strategy": strategy });
    let result = machines.host(["a", "gone"]).run::<Files>(files);
    assert_eq!(states(&result), [state("a", "undone"), state("gone", "failed")]);
    assert_eq!(machines.paths("a"), ["/etc"]);
    let command = json!({ "targets": "*", "command": "up", "undo": "down", "strategy": strategy });
    let result = machines.host(["a", "gone"]).run::<Command>(command);
    assert_eq!(states(&result), [state("a", "undone"), state("gone", "failed")]);
    let nobody =
        machines.host([]).plan::<Files>(json!({ "targets": "*", "files": [{ "dest": "/a", "contents": "" }] }));
    assert!(nobody.expect_err("there is no target").message.contains("no target is named by *"));
}

#[test]
fn a_transaction_of_files_leaves_all_as_it_was() {
    let machines = Machines::default();
    for target in ["a", "b", "c"] {
        machines.files.borrow_mut().insert((target.to_owned(), "/etc".to_owned()), "/".to_owned());
        machines.files.borrow_mut().insert((target.to_owned(), "/etc/motd".to_owned()), format!("old {target}"));
    }
    let before = machines.files.borrow().clone();
    let mut params = json!({
        "targets": "*",
        "files": [
            { "dest": "/etc/motd", "contents": "new" },
            { "dest": "/etc/deep/er/file", "contents": "new" },
            { "dest": "/etc/gone", "absent": true },
            { "dest": "/etc/c", "contents": "new" },
        ],
        "strategy": { "kind": "transactional", "limit": 1 },
    });
    let result = machines.host(["a", "b", "c"]).run::<Files>(params.clone());
    assert_eq!(states(&result), [state("a", "undone"), state("b", "undone"), state("c", "undone")]);
    assert!(result.expect_err("c's disk is full").message.contains("c: the disk is full"));
    assert_eq!(*machines.files.borrow(), before);
    let result = machines.host(["a", "b"]).run::<Files>(params.clone());
    assert_eq!(states(&result), [state("a", "succeeded"), state("b", "succeeded")]);
    assert_eq!(machines.file("a", "/etc/motd").as_deref(), Some("new"));
    assert_eq!(
        machines.paths("a"),
        ["/etc", "/etc/c", "/etc/deep/er/file", "/etc/motd"],
        "nothing that was kept is left"
    );
    params["strategy"] = json!({});
    let again = machines.host(["a", "b"]).run::<Files>(params).expect("all is there");
    assert_eq!((again.changed, again.summary.as_deref()), (Some(false), Some("2 targets done, 0 changed")));
}

/// Machines with packages, on which what `sh` is asked to do by the packages' script is done to a table.
fn with_packages(machines: &Machines, call: &RemoteCall) -> Result<Answer, Error> {
    let RemoteAsk::Run(command) = &call.ask else { return machines.answer(call) };
    let Some((what, packages)) = command.argv.get(4).zip(command.argv.get(7..)) else { return machines.answer(call) };
    let mut files = machines.files.borrow_mut();
    let key = |name: &str| (call.target.clone(), format!("package {name}"));
    let mut stdout = String::new();
    machines.commands.borrow_mut().push(format!("{}: {what} {}", call.target, packages.join(" ")));
    for package in packages {
        let (name, version) = package.split_once('=').unwrap_or((package, "2"));
        match what.as_str() {
            "installed" => {
                stdout.extend(files.get(&key(name)).map(|version| format!("{name} {version}\n")));
            }
            "would-install" | "would-remove" => {
                let there = files.get(&key(name)).map(|version| format!("={version}"));
                stdout.push_str(&format!("{name}{}\n", there.unwrap_or_default()));
            }
            "install" if name != call.target => drop(files.insert(key(name), version.replace('*', "9"))),
            "remove" => drop(files.remove(&key(name))),
            "restore" => match name.strip_suffix('-') {
                Some(gone) => drop(files.remove(&key(gone))),
                None => drop(files.insert(key(name), version.to_owned())),
            },
            _ => {}
        }
    }
    let (stdout, stderr) = (stdout.into_bytes(), Vec::new());
    Ok(Answer::Ended(ExitReport { ending: Ending::Exited(0), stdout, stderr, cpu_ns: None, peak_memory: None }))
}

#[test]
fn packages_are_installed_where_they_are_not_and_undone_to_what_was() {
    let machines = Machines::default();
    let put = |target: &str, name: &str, version: &str| {
        machines.files.borrow_mut().insert((target.to_owned(), format!("package {name}")), version.to_owned());
    };
    put("a", "nginx", "1.25");
    put("b", "curl", "8.1");
    let before = machines.files.borrow().clone();
    let host = |targets: &[&'static str]| {
        let machines = machines.clone();
        Host::new().targets(targets.iter().copied()).on_remote(move |call| with_packages(&machines, call))
    };
    // On the third nothing of its own name gets installed, whatever the package manager says.
    let mut params = json!({
        "targets": "*", "software": { "packages": ["nginx=1.2*", "curl=9*", "c"] },
        "strategy": { "kind": "transactional", "limit": 1 },
    });
    let result = host(&["a", "b", "c"]).run::<Software>(params.clone());
    assert_eq!(states(&result), [state("a", "undone"), state("b", "undone"), state("c", "undone")]);
    let failure = result.expect_err("c has no c");
    assert!(failure.message.contains("c is not there, although its installation succeeded"), "{failure:?}");
    assert_eq!(*machines.files.borrow(), before);
    let commands = machines.commands.borrow().clone();
    let asked = ["a: installed nginx=1.2* curl=9* c", "a: would-install curl=9* c", "a: install curl=9* c"];
    assert_eq!(commands[..3], asked);
    assert!(commands.contains(&"b: restore curl=8.1 nginx- c-".to_owned()), "{commands:?}");
    params["software"]["packages"] = json!(["nginx=1.2*"]);
    let done = host(&["a", "b"]).run::<Software>(params.clone()).expect("both can be had");
    assert_eq!((done.changed, done.summary.as_deref()), (Some(true), Some("2 targets done, 1 changed")));
    params["state"] = json!("absent");
    let gone = host(&["a", "b"]).run::<Software>(params.clone()).expect("both can be removed");
    assert_eq!(gone.summary.as_deref(), Some("2 targets done, 2 changed"));
    let again = host(&["a", "b"]).run::<Software>(params).expect("nothing is there");
    assert_eq!(again.changed, Some(false));
}

#[test]
fn software_has_steps_of_its_own_and_others_for_a_platform() {
    let machines = Machines::default();
    let run = |software: Value, targets: &[&'static str]| {
        machines.commands.borrow_mut().clear();
        let params = json!({
            "targets": "*", "platforms": { "linux": software }, "strategy": { "kind": "transactional", "limit": 1 },
        });
        (machines.host(targets.iter().copied()).run::<Software>(params), machines.commands.borrow().clone())
    };
    let steps = json!({ "check": "check b", "install": "install c", "verify": "verify", "remove": "remove" });
    let (result, commands) = run(steps, &["a", "b", "c"]);
    assert_eq!(states(&result), [state("a", "succeeded"), state("b", "succeeded"), state("c", "succeeded")]);
    // Where the check succeeds nothing else is done.
    assert_eq!(commands, ["a: check b", "b: check b", "b: install c", "b: verify", "c: check b"]);
    let steps = json!({ "install": "install", "verify": "verify b", "remove": "remove" });
    let (result, commands) = run(steps, &["a", "b"]);
    assert_eq!(states(&result), [state("a", "undone"), state("b", "undone")]);
    assert_eq!(commands[4..], ["b: remove", "a: remove"]);
    let (result, _) = run(json!({ "install": "x", "remove": "y" }), &["a"]);
    assert_eq!(result.expect("it has no check").changed, Some(true));
    let planned =
        machines.host(["a"]).plan::<Software>(json!({ "targets": "*", "software": { "packages": ["nginx"] } }));
    assert_eq!(planned.expect("it can say").steps[0].summary, "install nginx unless it is there");
}

#[test]
fn a_target_whose_health_was_not_looked_at_is_not_done() {
    let machines = Machines::default();
    let params = json!({
        "targets": "*", "command": "restart b",
        "strategy": { "kind": "rolling", "batch": 2, "health_check": "check" },
    });
    let result = machines.host(["a", "b", "c"]).run::<Command>(params);
    assert_eq!(states(&result), [state("a", "failed"), state("b", "failed"), state("c", "not_started")]);
    assert_eq!(*machines.commands.borrow(), ["a: restart b", "b: restart b"]);
}

#[test]
fn a_plan_tells_what_would_change_and_touches_nothing() {
    let machines = Machines::default();
    for (target, text) in [("a", "old"), ("b", "new")] {
        machines.files.borrow_mut().insert((target.to_owned(), "/etc/motd".to_owned()), text.to_owned());
    }
    machines.files.borrow_mut().insert(("b".to_owned(), "/etc/gone".to_owned()), "old".to_owned());
    let before = machines.files.borrow().clone();
    let host = machines.host(["a", "b", "gone"]);
    let params = json!({
        "targets": "*",
        "files": [
            { "dest": "/etc/motd", "contents": "new" },
            { "dest": "/etc/gone", "absent": true },
            { "dest": "/etc/other", "contents": "x" },
        ],
    });
    let planned = host.plan::<Files>(params).expect("it can say");
    assert!(!planned.is_complete, "one of them could not be looked at");
    let steps: Vec<String> = planned.steps.iter().map(|step| format!("{:?} {}", step.effect, step.target)).collect();
    let expected = [
        "Effect::Update a:/etc/motd",
        "Effect::Create a:/etc/other",
        "Effect::Remove b:/etc/gone",
        "Effect::Create b:/etc/other",
        "Effect::Other gone",
    ];
    assert_eq!(steps, expected);
    assert_eq!(*machines.files.borrow(), before);
    let planned = host.plan::<Command>(json!({ "targets": "*", "command": "restart" })).expect("it can say");
    assert!(machines.commands.borrow().is_empty());
    assert_eq!((planned.is_complete, planned.steps.len()), (false, 3));
    assert_eq!(planned.steps[0].summary, "run 'restart'");
    assert_eq!(planned.steps[2].summary, "cannot be looked at: gone cannot be reached");
    let nothing = machines.host(["gone"]).plan::<Command>(json!({ "targets": "*", "command": "restart" }));
    assert_eq!(nothing.expect_err("it is gone").message, "gone cannot be looked at: gone cannot be reached");
}

#[test]
fn only_what_failed_is_done_again_where_a_run_goes_on_from_another() {
    let machines = Machines::default();
    let params = json!({ "targets": "*", "command": "restart b" });
    let failure = machines.host(["a", "b", "c"]).run::<Command>(params.clone()).expect_err("b fails");
    let left = failure.detail.expect("it tells of each target");
    assert_eq!(left["resumable"], true);
    machines.commands.borrow_mut().clear();
    // One of them is not meant any more, and there is a new one.
    let host = machines.host(["b", "c", "d"]).resumes(&left);
    let again = host.run::<Command>(json!({ "targets": "*", "command": "restart" })).expect("all is well");
    assert_eq!(*machines.commands.borrow(), ["b: restart", "d: restart"]);
    let report = again.output.expect("it has a report");
    assert_eq!(report["targets"][1]["earlier"], true);
    assert_eq!((report["succeeded"].as_u64(), report["targets"][0]["earlier"].is_null()), (Some(3), true));
    let last = host.progress().pop().expect("it tells how far it is");
    assert_eq!((last.completed, last.total), (3, Some(3)));
}

#[test]
fn a_target_that_was_not_reached_is_as_it_was() {
    let machines = Machines::default();
    let changed = |targets: &str, command: &str| {
        let result = machines.host([targets]).run::<Command>(json!({ "targets": "*", "command": command }));
        result.expect_err("it fails").detail.expect("it tells of each target")["targets"][0]["changed"].clone()
    };
    assert_eq!(changed("gone", "restart"), false);
    assert_eq!(changed("a", "restart a"), true);
    assert_eq!(changed("a", "lose"), true, "nobody knows how far it came");
}

#[test]
fn what_may_pass_is_tried_again_and_what_will_not_is_not() {
    use sandglass_plugin::Retry;
    let machines = Machines::default();
    let files = json!({ "targets": "*", "files": [{ "dest": "/x", "contents": "a" }] });
    let gone = machines.host(["gone"]).run::<Files>(files).expect_err("it is gone");
    assert_eq!(gone.retry, Retry::ByJobPolicy);
    let broken = machines.host(["a"]).run::<Command>(json!({ "targets": "a", "command": "a" })).expect_err("it fails");
    assert_eq!(broken.retry, Retry::Never);
    let none = machines.host([]).run::<Command>(json!({ "targets": "*", "command": "a" })).expect_err("there is none");
    assert_eq!(none.code, "no_targets");
}

#[test]
fn a_run_that_is_stopped_begins_no_other_machine() {
    let machines = Machines::default();
    let host = machines.host(["a", "b"]).cancel(CancelReason::User);
    let result = host.run::<Command>(json!({ "targets": "*", "command": "x" }));
    assert_eq!(states(&result), [state("a", "not_started"), state("b", "not_started")]);
    assert_eq!(result.expect_err("it was stopped").code, "cancelled");
}

#[test]
fn copies_that_could_not_be_put_back_are_named() {
    let machines = Machines::default();
    for path in ["/etc", "/etc/motd"] {
        machines.files.borrow_mut().insert(("a".to_owned(), path.to_owned()), "/".to_owned());
    }
    machines.files.borrow_mut().insert(("a".to_owned(), "/etc/motd".to_owned()), "old".to_owned());
    let stuck = machines.clone();
    let host = Host::new().targets(["a"]).on_remote(move |call| match &call.ask {
        RemoteAsk::Rename { .. } => {
            Err(Error { code: ErrorCode::Unavailable, message: "a cannot be reached".to_owned(), detail: None })
        }
        _ => stuck.answer(call),
    });
    let files = json!([{ "dest": "/etc/motd", "contents": "new" }, { "dest": "/etc/a", "contents": "x" }]);
    let params = json!({ "targets": "*", "files": files, "strategy": { "kind": "transactional" } });
    let failure = host.run::<Files>(params).expect_err("the second file cannot be written");
    let copy = machines.paths("a").into_iter().find(|path| path.contains("sandglass")).expect("it is still there");
    assert!(failure.message.starts_with("of 1 target: 1 could not be undone; a: the disk is full; "), "{failure:?}");
    assert!(failure.message.ends_with(&format!("a cannot be reached; what was there is at {copy}")), "{failure:?}");
    assert_eq!(machines.file("a", &copy).as_deref(), Some("old"));
}

#[test]
fn bad_parameters_are_named() {
    let host = Host::new();
    let pointers =
        |issues: Vec<sandglass_plugin::Issue>| issues.into_iter().map(|issue| issue.pointer).collect::<Vec<_>>();
    let both = json!({ "targets": "a", "command": "x", "commands": ["y"] });
    assert_eq!(pointers(host.validate::<Command>(both)), ["/command"]);
    assert_eq!(pointers(host.validate::<Command>(json!({ "targets": "a" }))), ["/command"]);
    for targets in [json!(""), json!([])] {
        assert_eq!(pointers(host.validate::<Command>(json!({ "targets": targets, "command": "x" }))), ["/targets"]);
    }
    let undo = json!({ "targets": "a", "command": "x", "undo": "y", "strategy": { "batch": 0, "limit": 1000 } });
    assert_eq!(
        pointers(host.validate::<Command>(undo)),
        ["/undo", "/strategy/limit", "/strategy/batch", "/strategy/batch"]
    );
    let files = json!({ "targets": "a", "files": [{ "dest": "etc/motd", "mode": "rw" }] });
    assert_eq!(pointers(host.validate::<Files>(files)), ["/files/0/dest", "/files/0/source", "/files/0/mode"]);
    let folder = |source: &str, dest: &str| json!({ "targets": "a", "files": [{ "source": source, "dest": dest, "delete": true }] });
    assert!(host.validate::<Files>(folder("/srv/site/", "/var/www/")).is_empty());
    assert_eq!(pointers(host.validate::<Files>(folder("/srv/site", "/var/www"))), ["/files/0/delete"]);
    let mut within = folder("/srv/site/", "/var/www/");
    within["files"].as_array_mut().expect("a list").push(json!({ "dest": "/var/www2/x", "contents": "" }));
    assert!(host.validate::<Files>(within.clone()).is_empty());
    within["files"].as_array_mut().expect("a list").push(json!({ "dest": "/var/www/x", "contents": "" }));
    assert_eq!(pointers(host.validate::<Files>(within)), ["/files/0/delete"]);
    for example in Command::examples() {
        assert!(host.validate::<Command>(example.clone()).is_empty(), "{example}");
    }
    for example in Software::examples() {
        assert!(host.validate::<Software>(example.clone()).is_empty(), "{example}");
    }
    for (software, pointer) in [
        (json!({}), "/software/install"),
        (json!({ "packages": ["-y"] }), "/software/packages/0"),
        (json!({ "packages": ["a"], "install": "b" }), "/software/packages"),
        (json!({ "artifact": "a.tar" }), "/software/artifact"),
        (json!({ "install": " " }), "/software/install"),
    ] {
        let params = json!({ "targets": "a", "software": software });
        assert_eq!(pointers(host.validate::<Software>(params)), [pointer]);
    }
    assert_eq!(pointers(host.validate::<Software>(json!({ "targets": "a" }))), ["/software"]);
    let undone = json!({ "targets": "a", "software": { "install": "a" }, "strategy": { "kind": "transactional" } });
    assert_eq!(pointers(host.validate::<Software>(undone)), ["/software/remove"]);
    for example in Files::examples() {
        assert!(host.validate::<Files>(example.clone()).is_empty(), "{example}");
    }
}

#[test]
fn the_schemas_written_ahead_are_those_of_the_types() {
    check_schemas::<Command>(concat!(env!("CARGO_MANIFEST_DIR"), "/src/command"));
    check_schemas::<Files>(concat!(env!("CARGO_MANIFEST_DIR"), "/src/files"));
    check_schemas::<Software>(concat!(env!("CARGO_MANIFEST_DIR"), "/src/software"));
}
