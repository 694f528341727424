//! What the action asks of the host, and what it makes of the answer.

use std::fs;
use std::sync::LazyLock;

use sandglass_plugin::process::{Ending, ExitReport, Input};
use sandglass_plugin::serde_json::{Value, json};
use sandglass_plugin::testing::{Host, exited};
use sandglass_plugin::{Action, Error, ErrorCode, Retry};

use crate::run::Run;

/// The program and arguments that parameters lead to.
fn started(params: Value) -> Vec<String> {
    let host = Host::new().on_process(|_| Ok(exited(0)));
    host.run::<Run>(params).expect("the program exits with 0");
    let command = host.commands().pop().expect("one program was started");
    std::iter::once(command.program().to_owned()).chain(command.arguments().iter().cloned()).collect()
}

#[test]
fn a_command_goes_to_its_interpreter() {
    assert_eq!(started(json!({ "command": "ls | wc" })), ["sh", "-c", "ls | wc"]);
    assert_eq!(started(json!({ "command": "ls", "interpreter": "bash" })), ["bash", "-c", "ls"]);
    assert_eq!(started(json!({ "command": "1", "interpreter": "node" })), ["node", "-e", "1"]);
    let python = "/usr/bin/python3.12";
    assert_eq!(started(json!({ "command": "1", "interpreter": python })), [python, "-c", "1"]);
}

#[test]
fn interpreters_take_texts_in_their_own_way() {
    for (interpreter, expected) in [
        ("zsh", &["zsh", "-c", "1"][..]),
        ("bash -eu", &["bash", "-eu", "-c", "1"]),
        ("php", &["php", "-r", "1"]),
        ("/opt/node-22/bin/node", &["/opt/node-22/bin/node", "-e", "1"]),
        ("pwsh", &["pwsh", "-NoProfile", "-NonInteractive", "-Command", "1"]),
        ("cmd", &["cmd", "/D", "/C", "1"]),
        ("deno", &["deno", "eval", "1"]),
        ("some-shell", &["some-shell", "-c", "1"]),
    ] {
        assert_eq!(started(json!({ "command": "1", "interpreter": interpreter })), expected);
    }
}

#[test]
fn a_program_of_another_name_serves_as_well() {
    let host = Host::new().on_process(|command| match command.program() {
        "python3" => Ok(exited(0)),
        program => Err(not_found(program)),
    });
    host.run::<Run>(json!({ "command": "1", "interpreter": "python" })).expect("python3 serves");
    let failure = host.run::<Run>(json!({ "command": "1", "interpreter": "node" })).expect_err("there is none");
    assert_eq!((failure.code.as_str(), failure.message.as_str()), ("not-found", "no node"));
    host.run::<Run>(json!({ "command": "1", "interpreter": "/usr/bin/python" })).expect_err("a path is meant as it is");
}

fn not_found(program: &str) -> Error {
    Error { code: ErrorCode::NotFound, message: format!("no {program}"), detail: None }
}

#[test]
fn a_script_is_put_into_the_runs_folder_for_whom_its_first_line_names() {
    let host = Host::new().on_process(|_| Ok(exited(0)));
    let script = |extra: Value| {
        let mut params = json!({ "args": ["a", "b c"] });
        params.as_object_mut().expect("a map").extend(extra.as_object().expect("a map").clone());
        host.run::<Run>(params).expect("the script exits with 0");
        let command = host.commands().pop().expect("one program was started");
        let file =
            host.work().join(command.arguments().iter().find(|arg| arg.contains(".sandglass-")).expect("a file"));
        let text = fs::read_to_string(&file).expect("the script is there");
        let args = command.arguments().iter().map(|arg| arg.replace(&*file.to_string_lossy(), "FILE"));
        (std::iter::once(command.program().to_owned()).chain(args).collect::<Vec<_>>().join(" "), text)
    };
    assert_eq!(script(json!({ "script": "ls\n" })), ("sh FILE a b c".to_owned(), "ls\n".to_owned()));
    assert_eq!(script(json!({ "script": "#!/usr/bin/env -S python3 -u\n1" })).0, "python3 -u FILE a b c");
    assert_eq!(script(json!({ "script": "#! /bin/bash\n1" })).0, "/bin/bash FILE a b c");
    assert_eq!(script(json!({ "script": "#!/bin/bash\n1", "interpreter": "zsh" })).0, "zsh FILE a b c");
    let (pwsh, _) = script(json!({ "script": "1", "interpreter": "pwsh" }));
    assert!(pwsh.ends_with("-File FILE a b c"), "{pwsh}");
    // A file that can be seen is copied.
    let file = host.work().join("given");
    fs::write(&file, "#!/usr/bin/ruby\n1").expect("the folder can be written");
    let (ruby, text) = script(json!({ "script_file": file }));
    assert_eq!((ruby.as_str(), text.as_str()), ("/usr/bin/ruby FILE a b c", "#!/usr/bin/ruby\n1"));
}

#[test]
fn a_script_that_cannot_be_seen_is_run_where_it_is() {
    let none = "/no/such/folder/script";
    assert_eq!(started(json!({ "script_file": none, "args": ["a"] })), [none, "a"]);
    assert_eq!(started(json!({ "script_file": none, "interpreter": "bash" })), ["bash", none]);
    let failure = Host::new().run::<Run>(json!({ "script_file": none })).expect_err("there is no program");
    assert!(failure.message.ends_with("name its interpreter with `interpreter`"), "{}", failure.message);
}

#[test]
fn the_platform_chooses() {
    let of = |platform: &str, params: &Value| {
        let host = Host::new().platform(platform).on_process(|_| Ok(exited(0)));
        host.run::<Run>(params.clone()).map(|_| {
            let command = host.commands().pop().expect("one program was started");
            format!("{} {}", command.program(), command.arguments().join(" "))
        })
    };
    let params = json!({ "command": "a.sh", "command_windows": "a.ps1", "interpreter_windows": "pwsh" });
    assert_eq!(of("linux", &params).expect("it runs"), "sh -c a.sh");
    assert_eq!(of("windows", &params).expect("it runs"), "pwsh -NoProfile -NonInteractive -Command a.ps1");
    assert_eq!(of("windows", &json!({ "command": "dir" })).expect("it runs"), "cmd /D /C dir");
    let only = json!({ "command_macos": "sw_vers", "interpreter": "zsh" });
    assert_eq!(of("macos", &only).expect("it runs"), "zsh -c sw_vers");
    let failure = of("linux", &only).expect_err("there is nothing for Linux");
    assert_eq!(failure.message, "there is no command for the platform linux");
    let over = json!({ "commands": ["a", "b"], "command_windows": "c" });
    assert_eq!(of("windows", &over).expect("it runs"), "cmd /D /C c");
}

/// A host whose programs exit with what their last argument says.
fn exiting() -> Host {
    Host::new()
        .on_process(|command| Ok(exited(command.arguments().last().and_then(|arg| arg.parse().ok()).unwrap_or(0))))
}

#[test]
fn commands_run_one_after_the_other_until_one_fails() {
    let host = exiting();
    let outcome = host.run::<Run>(json!({ "commands": ["a", { "name": "second", "argv": ["b", "0"] }] }));
    let outcome = outcome.expect("both succeed");
    assert_eq!(
        outcome.output,
        Some(json!({ "exit_code": 0, "steps": [
            { "name": "a", "ok": true, "exit_code": 0 },
            { "name": "second", "ok": true, "exit_code": 0 },
        ]}))
    );
    let told: Vec<_> = host.progress().iter().map(|at| (at.completed, at.total, at.message.clone())).collect();
    let second = Some("second".to_owned());
    assert_eq!(told, [(0, Some(2), Some("a".to_owned())), (1, Some(2), second), (2, Some(2), None)]);

    let host = exiting();
    let failure = host.run::<Run>(json!({ "commands": ["a", "3", "b", "c"] })).expect_err("the second fails");
    assert_eq!(failure.message, "command 2 of 4 (3) ended with exit code 3; 2 more not started");
    assert_eq!((failure.code.as_str(), failure.detail), ("exit", Some(json!({ "exit_code": 3, "failed": ["3"] }))));
    assert_eq!(host.commands().len(), 2);
}

#[test]
fn commands_may_go_on_after_a_failure() {
    let host = exiting();
    let params = json!({ "commands": ["3", "a", "4"], "stop_on_failure": false });
    let failure = host.run::<Run>(params).expect_err("two fail");
    assert_eq!(failure.message, "command 1 of 3 (3) ended with exit code 3; command 3 of 3 (4) ended with exit code 4");
    assert_eq!(host.commands().len(), 3);

    let host = exiting();
    let may_fail = json!({ "name": "lint", "command": "3", "continue_on_failure": true });
    let outcome = host.run::<Run>(json!({ "commands": [may_fail, { "command": "5", "success_codes": [5] }] }));
    let outcome = outcome.expect("only what may fail fails");
    assert_eq!(outcome.warnings, ["command 1 of 2 (lint) ended with exit code 3"]);
    assert_eq!(outcome.output.as_ref().map(|output| output["exit_code"].clone()), Some(json!(5)));
}

#[test]
fn commands_go_on_after_one_that_is_refused() {
    let host = Host::new().on_process(|command| match command.program() {
        "/denied" => Err(Error { code: ErrorCode::Denied, message: "not granted".to_owned(), detail: None }),
        "/full" => Err(Error { code: ErrorCode::Unavailable, message: "no room".to_owned(), detail: None }),
        _ => Ok(exited(3)),
    });
    let with = |commands: Value| json!({ "commands": commands, "stop_on_failure": false });
    let failure = host.run::<Run>(with(json!(["x", { "argv": ["/denied"] }, "y"]))).expect_err("all fail");
    assert_eq!(
        failure.message,
        "command 1 of 3 (x) ended with exit code 3; command 2 of 3 (/denied) could not start: not granted; \
         command 3 of 3 (y) ended with exit code 3"
    );
    let failure = host.run::<Run>(with(json!([{ "argv": ["/denied"] }, "y"]))).expect_err("it is denied");
    assert_eq!((failure.code.as_str(), failure.retry), ("denied", Retry::Never));
    let failure = host.run::<Run>(with(json!(["x", { "argv": ["/full"] }, "y"]))).expect_err("the machine is full");
    assert_eq!(failure.message, "no room");
}

#[test]
fn each_command_has_its_own_settings_over_the_common_ones() {
    let host = exiting();
    let step = json!({ "command": "ls", "interpreter": "bash", "env": { "A": "2", "B": "3" }, "timeout": "5s" });
    host.run::<Run>(json!({ "commands": [step, "ls"], "env": { "A": "1" }, "interpreter": "zsh" }))
        .expect("both succeed");
    let commands = host.commands();
    let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!((commands[0].program(), commands[1].program()), ("bash", "zsh"));
    assert_eq!(commands[0].environment(), [variable("A", "2"), variable("B", "3")]);
    assert_eq!(commands[1].environment(), [variable("A", "1")]);
}

#[test]
fn what_programs_hand_over_becomes_a_part_of_the_result() {
    let writing = |lines: Option<&'static str>, json: Option<&'static str>| {
        Host::new().on_process(move |command| {
            for (name, text) in [("SANDGLASS_OUTPUT", lines), ("SANDGLASS_RESULT", json)] {
                let file = command.environment().iter().find(|(known, _)| known == name).expect("it is told");
                if let Some(text) = text {
                    fs::write(&file.1, text).expect("the folder can be written");
                }
            }
            Ok(exited(0))
        })
    };
    let params = json!({ "command": "x", "capture": true });
    let output = |host: Host| host.run::<Run>(params.clone()).map(|outcome| outcome.output);
    assert_eq!(output(writing(None, None)), Ok(Some(json!({ "exit_code": 0 }))));
    let expected = json!({ "exit_code": 0, "values": { "rows": "12", "text": "a\nb" }, "data": { "n": [1.5] } });
    let lines = "rows=12\ntext<<END\na\nb\nEND\n";
    assert_eq!(output(writing(Some(lines), Some(r#"{"n": [1.5]}"#))), Ok(Some(expected)));
    for (lines, json, reason) in [
        (Some("rows"), None, "line 1 is neither key=value"),
        (None, Some("{"), "it is no JSON"),
        (Some(LONG.as_str()), None, "more than 1 MiB"),
    ] {
        let failure = output(writing(lines, json)).expect_err(reason);
        assert_eq!(failure.code, "invalid-output");
        assert!(failure.message.contains(reason), "{}", failure.message);
    }
    assert_eq!(started(json!({ "command": "true" })), ["sh", "-c", "true"]);
}

static LONG: LazyLock<String> = LazyLock::new(|| format!("a={}", "x".repeat(1 << 20)));

#[test]
fn no_secret_is_put_into_a_script() {
    let host = Host::new().on_process(|_| Ok(exited(0)));
    let failure = host.run::<Run>(json!({ "script": "echo sgl-secret-TOKEN" })).expect_err("it would stand in a file");
    assert_eq!((failure.code.as_str(), failure.retry), ("secret", Retry::Never));
    assert!(host.commands().is_empty());
}

#[test]
fn the_schemas_are_those_of_the_types() {
    sandglass_plugin::testing::check_schemas::<Run>(concat!(env!("CARGO_MANIFEST_DIR"), "/src/run"));
}

#[test]
fn a_program_gets_its_arguments_untouched() {
    assert_eq!(started(json!({ "argv": ["/bin/echo", "$HOME", "a b"] })), ["/bin/echo", "$HOME", "a b"]);
}

#[test]
fn input_and_environment_are_passed_on() {
    let host = Host::new().on_process(|command| {
        assert!(matches!(command.standard_input(), Input::Bytes(bytes) if bytes == b"hello"));
        assert_eq!(command.environment(), [("A".to_owned(), "1".to_owned())]);
        Ok(exited(0))
    });
    host.run::<Run>(json!({ "command": "cat", "stdin": "hello", "env": { "A": "1" } }))
        .expect("the program exits with 0");
}

#[test]
fn the_exit_code_decides() {
    let host = Host::new().on_process(|_| Ok(exited(3)));
    let failure = host.run::<Run>(json!({ "command": "exit 3" })).expect_err("3 is no success");
    assert_eq!((failure.code.as_str(), failure.detail), ("exit", Some(json!({ "exit_code": 3 }))));
    assert_eq!(failure.message, "the program ended with exit code 3");
    let outcome =
        host.run::<Run>(json!({ "command": "exit 3", "success_codes": [0, 3] })).expect("3 is a success here");
    assert_eq!(outcome.output, Some(json!({ "exit_code": 3 })));
}

#[test]
fn a_signal_is_a_failure_of_its_own() {
    let host = Host::new().on_process(|_| Ok(ExitReport { ending: Ending::Signalled(9), ..exited(0) }));
    let failure = host.run::<Run>(json!({ "command": "kill -9 $$" })).expect_err("a signal is no success");
    assert_eq!((failure.code.as_str(), failure.detail), ("signal", Some(json!({ "signal": 9, "exit_code": 137 }))));
}

#[test]
fn a_refusal_of_the_host_is_not_tried_again() {
    let host = Host::new().on_process(|_| {
        Err(sandglass_plugin::Error {
            code: sandglass_plugin::ErrorCode::Denied,
            message: "add the grant".to_owned(),
            detail: Some("{\"grant\":\"process\"}".to_owned()),
        })
    });
    let failure = host.run::<Run>(json!({ "command": "true" })).expect_err("the host refused");
    assert_eq!((failure.code.as_str(), failure.retry), ("denied", Retry::Never));
    assert_eq!(failure.detail, Some(json!({ "grant": "process" })));
}

#[test]
fn bad_parameters_are_named() {
    let cases = [
        (json!({}), ""),
        (json!({ "command": "a", "argv": ["b"] }), "/argv"),
        (json!({ "command": " " }), "/command"),
        (json!({ "argv": [] }), "/argv"),
        (json!({ "argv": ["a"], "interpreter": "sh" }), "/interpreter"),
        (json!({ "command": "a", "interpreter": "bin/sh" }), "/interpreter"),
        (json!({ "command": "a", "interpreter": "" }), "/interpreter"),
        (json!({ "command": "a", "interpreter_macos": "./x" }), "/interpreter_macos"),
        (json!({ "command_windows": " " }), "/command_windows"),
        (json!({ "script": "a", "script_file": "/b" }), "/script_file"),
        (json!({ "script_file": "b" }), "/script_file"),
        (json!({ "command": "a", "args": ["b"] }), "/args"),
        (json!({ "command": "a", "stop_on_failure": true }), "/stop_on_failure"),
        (json!({ "commands": [] }), "/commands"),
        (json!({ "commands": ["a", " "] }), "/commands/1/command"),
        (json!({ "commands": [{ "name": "a" }] }), "/commands/0"),
        (json!({ "commands": [{ "argv": ["a"], "interpreter": "sh" }] }), "/commands/0/interpreter"),
        (json!({ "commands": [{ "comand": "a" }] }), ""),
        (json!({ "commands": [5] }), ""),
        (json!({ "command": "a", "success_codes": [] }), "/success_codes"),
        (json!({ "command": "a", "timeout": 0 }), ""),
        (json!({ "command": "a", "env": { "A=B": "1" } }), "/env"),
        (json!({ "comand": "a" }), ""),
    ];
    for (params, pointer) in cases {
        let issues = Host::new().validate::<Run>(params.clone());
        assert_eq!(issues.first().map(|issue| issue.pointer.as_str()), Some(pointer), "{params}");
    }
    for example in Run::examples() {
        assert_eq!(Host::new().validate::<Run>(example), []);
    }
}

#[test]
fn files_are_left_to_other_runs() {
    let host = Host::new().on_process(|_| Ok(exited(0)));
    fs::create_dir_all(host.work().join("out/deep")).expect("the run's folder can be written");
    for (name, text) in [("out/a.tar", "a"), ("out/b.txt", "b"), ("out/deep/c.tar", "c"), ("report.json", "{}")] {
        fs::write(host.work().join(name), text).expect("the run's folder can be written");
    }
    let host = host.with_artifact("build/in.txt", b"in");
    let params =
        json!({ "command": "make", "fetch": ["build/in.txt"], "artifacts": ["out/*.tar", "report.json", "*.nothing"] });
    let outcome = host.run::<Run>(params).expect("the program exits with 0");
    let names: Vec<String> = host.artifacts().into_keys().collect();
    assert_eq!(names, ["out/a.tar", "report.json"]);
    assert_eq!(fs::read(host.work().join("artifacts/build/in.txt")).expect("it was fetched"), b"in");
    assert_eq!(outcome.output.expect("an output")["artifacts"][1]["name"], "report.json");
    assert!(outcome.warnings[0].contains("'*.nothing'"), "{:?}", outcome.warnings);
    let failure = host.run::<Run>(json!({ "command": "make", "artifacts": ["none"] })).expect_err("there is none");
    assert_eq!(failure.code, "not-found");
    assert_eq!(host.validate::<Run>(json!({ "command": "make", "artifacts": ["../x"] })).len(), 1);
}

#[test]
fn says_what_it_would_start() {
    let planned = |params| {
        let planned = Host::new().plan::<Run>(params).expect("a plan");
        assert!(planned.is_complete);
        let said = |step: &sandglass_plugin::plan::Step| format!("{:?} {}: {}", step.effect, step.target, step.summary);
        planned.steps.iter().map(said).collect::<Vec<_>>()
    };
    assert_eq!(planned(json!({ "command": "make\nmake check" })), ["Effect::Execute sh: make"]);
    assert_eq!(planned(json!({ "argv": ["/bin/cp", "a", "b"] })), ["Effect::Execute /bin/cp: /bin/cp a b"]);
    let script = json!({ "script": "#!/usr/bin/env python3\nprint(1)\n", "args": ["-v"], "artifacts": ["out/*"] });
    let steps = [
        "Effect::Execute python3: a script of 2 lines -v",
        "Effect::Create out/*: keeps the run's files of that name as its artifacts",
    ];
    assert_eq!(planned(script), steps);
    let file = json!({ "script_file": "/srv/a.sh", "interpreter": "bash -e", "fetch": ["build/app.tar"] });
    let steps = [
        "Effect::Read build/app.tar: brings the artifact into the run's own folder",
        "Effect::Execute bash -e: /srv/a.sh",
    ];
    assert_eq!(planned(file), steps);
    let several = json!({ "commands": ["make", { "name": "lint", "command": "x" }, { "argv": ["ls", "-l"] }] });
    assert_eq!(planned(several), ["Effect::Execute sh: make", "Effect::Execute sh: lint", "Effect::Execute ls: ls -l"]);
    let other = json!({ "command": "a", "command_linux": "b", "interpreter_linux": "zsh" });
    assert_eq!(planned(other), ["Effect::Execute zsh: b"]);
    let elsewhere = Host::new().plan::<Run>(json!({ "command_windows": "dir" })).expect_err("nothing is for here");
    assert!(elsewhere.message.contains("no command for the platform linux"), "{}", elsewhere.message);
    let nothing = Host::new().plan::<Run>(json!({})).expect_err("nothing is said");
    assert!(nothing.message.contains("give one of"), "{}", nothing.message);
}
