//! What the action asks of the host, and what it makes of the answer.

use sandglass_plugin::process::{Ending, ExitReport, Input};
use sandglass_plugin::serde_json::{Value, json};
use sandglass_plugin::testing::{Host, exited};
use sandglass_plugin::{Action, Retry};

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
