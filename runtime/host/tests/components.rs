//! Components before they run: what is refused, what is told of the others, and how compiled ones are kept.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod support;

use std::fs;
use std::sync::Arc;

use sandglass_core::id::Digest;
use sandglass_core::run::{AttemptOutcome, ErrorClass};
use sandglass_host::{Host, HostError, RefusedComponent};
use sandglass_test_guests::GuestError;
use support::{Bench, Recorder, config, error, grants, invocation, work};

fn user() -> Vec<u8> {
    fs::read(sandglass_test_guests::user().unwrap()).unwrap()
}

fn refused(bench: &Bench, text: &str) -> RefusedComponent {
    bench.host.inspect(&wat::parse_str(text).unwrap()).unwrap_err()
}

#[test]
fn a_plugin_tells_its_manifest_and_its_actions() {
    let bench = Bench::new();
    let wasm = user();
    let inspection = bench.host.inspect(&wasm).unwrap();
    assert_eq!(inspection.digest, Digest::of(&wasm));
    assert_eq!(inspection.size_bytes, wasm.len() as u64);
    let manifest = inspection.manifest.unwrap();
    assert_eq!(manifest.name.as_str(), "words");
    assert!(manifest.capabilities.state);
    let [action] = &inspection.actions[..] else { panic!("it has one action") };
    assert_eq!(action.name, "count");
    assert_eq!(action.params_schema["properties"]["text"]["type"], "string");
    assert_eq!(action.examples.len(), 1);
    assert!(!bench.host.is_ready(&inspection.digest), "looking at it does not add it");
    bench.host.prepare(inspection.digest, || Err("it is compiled already".to_owned())).unwrap();
    assert!(bench.host.is_ready(&inspection.digest));
}

#[test]
fn what_can_be_no_plugin_is_refused_by_its_reason() {
    let bench = Bench::new();
    assert_eq!(refused(&bench, "(module)"), RefusedComponent::CoreModule);
    assert!(matches!(refused(&bench, "(component)"), RefusedComponent::NoAction(_)));
    assert!(matches!(bench.host.inspect(b"no wasm"), Err(RefusedComponent::NotWasm(_))));
    assert!(matches!(bench.host.inspect(b"(component)"), Err(RefusedComponent::NotWasm(_))));
    let mut broken = user();
    let middle = broken.len() / 2;
    broken.truncate(middle);
    assert!(matches!(bench.host.inspect(&broken), Err(RefusedComponent::Malformed(_))));
    let newer = refused(&bench, r#"(component (import "wasi:cli/run@0.3.0" (instance)))"#);
    assert!(newer.to_string().contains("WASI 0.2"), "{newer}");
}

/// A component that exports an action interface of its own making and imports `import`.
fn with_import(import: &str) -> String {
    format!(
        r#"(component
            (import "{import}" (instance (export "f" (func))))
            (instance $action)
            (export "sandglass:plugin/action@0.1.0" (instance $action)))"#
    )
}

#[test]
fn an_import_that_is_not_offered_is_named() {
    let bench = Bench::new();
    for import in ["acme:private/things@1.0.0", "sandglass:plugin/remote@0.1.0", "sandglass:plugin/process@0.1.0"] {
        match refused(&bench, &with_import(import)) {
            RefusedComponent::Import { import: named, .. } => assert_eq!(named, import),
            other => panic!("{import}: {other:?}"),
        }
    }
}

#[test]
fn an_action_interface_of_another_kind_is_refused() {
    let bench = Bench::new();
    let text = r#"(component (instance $i) (export "sandglass:plugin/action@0.1.0" (instance $i)))"#;
    assert!(matches!(refused(&bench, text), RefusedComponent::NoAction(_)));
}

#[test]
fn too_many_memories_are_refused() {
    let bench = Bench::new();
    let memories = "(core instance (instantiate $m))".repeat(9);
    let text = format!("(component (core module $m (memory 1)) {memories})");
    assert!(matches!(refused(&bench, &text), RefusedComponent::Resources(_)));
}

#[test]
fn machine_code_is_never_taken_from_outside() {
    let bench = Bench::new();
    let digest = bench.add(&user());
    let cached = fs::read_dir(bench.folder.path().join("cache")).unwrap().next().unwrap().unwrap();
    let bytes = fs::read(cached.path()).unwrap();
    let code = bytes.windows(4).position(|window| window == b"\x7fELF").expect("machine code is an ELF file");
    assert_eq!(bench.host.inspect(&bytes[code..]), Err(RefusedComponent::Precompiled));
    bench.host.forget(&digest);
    assert!(!bench.host.is_ready(&digest));
    assert!(!cached.path().exists());
}

#[test]
fn compiled_components_survive_a_restart_but_not_a_change() {
    let folder = tempfile::tempdir().unwrap();
    let wasm = user();
    let digest = Digest::of(&wasm);
    let start = || Host::new(config(folder.path()), Arc::new(Recorder::default())).unwrap();
    start().prepare(digest, || Ok(wasm.clone())).unwrap();
    start().prepare(digest, || Err("not needed".to_owned())).unwrap();

    let cached = fs::read_dir(folder.path().join("cache")).unwrap().next().unwrap().unwrap().path();
    let mut bytes = fs::read(&cached).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&cached, &bytes).unwrap();
    let refused = start().prepare(digest, || Err("it must be compiled anew".to_owned()));
    assert!(matches!(refused, Err(HostError::Component(_))), "{refused:?}");
    start().prepare(digest, || Ok(wasm.clone())).unwrap();
    assert_ne!(fs::read(&cached).unwrap(), bytes, "the changed file is replaced");

    let mut other = config(folder.path());
    other.key = [8; 32];
    let host = Host::new(other, Arc::new(Recorder::default())).unwrap();
    assert!(host.prepare(digest, || Err("another key".to_owned())).is_err());
}

#[test]
fn bytes_must_be_those_of_the_digest() {
    let bench = Bench::new();
    let refused = bench.host.prepare(Digest::of(b"something else"), || Ok(user()));
    assert!(matches!(refused, Err(HostError::Component(_))), "{refused:?}");
}

#[test]
fn several_threads_may_ask_for_the_same() {
    let bench = Bench::new();
    let wasm = user();
    let digest = Digest::of(&wasm);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| bench.host.prepare(digest, || Ok(wasm.clone())).unwrap());
        }
    });
    assert!(bench.host.is_ready(&digest));
}

#[test]
fn an_attempt_of_a_component_that_is_not_ready_is_lost() {
    let bench = Bench::new();
    let report = bench.run(invocation(work(Digest::of(b"unknown"), "count", "{}")));
    assert_eq!(error(&report).class, ErrorClass::Lost);
    assert_eq!(error(&report).code, "not-ready");
}

#[tokio::test]
async fn the_plugin_is_asked_about_parameters() {
    let bench = Bench::new();
    let digest = bench.add(&user());
    let ask = |params: &'static str| bench.host.validate(digest, "count", params);
    assert_eq!(ask(r#"{"text": "a"}"#).await.unwrap(), []);
    let issues = ask(r#"{"text": "a", "at_least": 2000000}"#).await.unwrap();
    assert_eq!(issues[0].pointer, "/at_least");
    let missing = bench.host.validate(Digest::of(b"unknown"), "count", "{}").await;
    assert!(matches!(missing, Err(HostError::NotReady(_))));
}

#[test]
fn a_users_plugin_runs_with_its_state() {
    let bench = Bench::new();
    let digest = bench.add(&user());
    let run = |text: &str, at_least: u64| {
        let params = format!(r#"{{"text": "{text}", "at_least": {at_least}}}"#);
        let mut work = work(digest, "count", &params);
        work.grants = grants(r#"{"state": true}"#);
        bench.run(invocation(work))
    };
    assert_eq!(run("to be or", 0).end.outcome, AttemptOutcome::Succeeded);
    let report = run("not to be", 0);
    let result: serde_json::Value = serde_json::from_str(report.result.as_deref().unwrap()).unwrap();
    assert_eq!(result["output"], serde_json::json!({ "words": 3, "total": 6 }));
    assert_eq!(result["changed"], true);
    let failed = run("one", 2);
    assert_eq!((error(&failed).class, error(&failed).code.as_str()), (ErrorClass::Guest, "too-short"));
    assert!(bench.services.told(|told| told.progress.len()) >= 2);
}

/// Guests in other languages import far more than their program uses.
#[test]
fn guests_in_other_languages_run() {
    for (name, guest) in
        [("javascript", sandglass_test_guests::javascript()), ("python", sandglass_test_guests::python())]
    {
        let path = match guest {
            Ok(path) => path,
            Err(error @ GuestError::NoTool { .. }) => {
                eprintln!("skipped: {name}: {error}");
                continue;
            }
            Err(error) => panic!("{name}: {error}"),
        };
        let bench = Bench::new();
        let wasm = fs::read(path).unwrap();
        let inspection = bench.host.inspect(&wasm).unwrap();
        assert!(!inspection.actions.is_empty(), "{name}");
        let digest = bench.add(&wasm);
        let action = &inspection.actions[0];
        let params = action.examples.first().map_or_else(|| "{}".to_owned(), ToString::to_string);
        let mut work = work(digest, &action.name, &params);
        work.limits.memory = sandglass_core::quantity::ByteSize::from_mib(256);
        work.grants = grants(r#"{"state": true}"#);
        let report = bench.run(invocation(work));
        assert_eq!(report.end.outcome, AttemptOutcome::Succeeded, "{name}: {report:?}");
    }
}
