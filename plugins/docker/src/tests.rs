use sandglass_plugin::docker::{Ending, ExitReport, Input, MountSource, PullPolicy};
use sandglass_plugin::plan::Effect;
use sandglass_plugin::serde_json::{Value, json};
use sandglass_plugin::testing::{Host, exited};
use sandglass_plugin::{Action, Error, ErrorCode, Retry};

use crate::exec::Exec;
use crate::run::Run;

#[test]
fn the_schemas_are_those_of_the_types() {
    sandglass_plugin::testing::check_schemas::<Run>(concat!(env!("CARGO_MANIFEST_DIR"), "/src/run"));
    sandglass_plugin::testing::check_schemas::<Exec>(concat!(env!("CARGO_MANIFEST_DIR"), "/src/exec"));
}

#[test]
fn a_container_is_what_was_said() {
    let host = Host::new().on_container(|_| Ok(exited(0)));
    let params = json!({
        "image": "postgres:16", "pull": "always", "registry": { "username": "me", "password": "sgl-secret-x" },
        "entrypoint": "/bin/tini", "args": ["a b", "$c"], "env": { "A": "1" }, "workdir": "/w", "user": "1:2",
        "mounts": ["/srv/in/:/data:ro", { "source": "work", "target": "/out" }, "data:/data2:ro"], "tmpfs": ["/tmp", "/big:1g"],
        "network": "none", "memory": "512MiB", "cpus": 1.5, "processes": 9, "labels": { "team": "blue" },
        "stdin": "hello", "timeout": "5s", "grace": 2
    });
    let outcome = host.run::<Run>(params).expect("it exits with 0");
    assert_eq!(outcome.output.map(|output| output["exit_code"].clone()), Some(json!(0)));
    let pulls = host.pulls();
    assert_eq!((pulls[0].reference.as_str(), pulls[0].policy), ("postgres:16", PullPolicy::Always));
    assert_eq!(pulls[0].credentials.as_ref().map(|given| given.password.as_str()), Some("sgl-secret-x"));
    let container = host.containers().pop().expect("one was started");
    let record = container.record();
    assert_eq!(record.entrypoint.as_deref(), Some(&["/bin/tini".to_owned()][..]));
    assert_eq!(record.args, ["a b", "$c"]);
    assert_eq!((record.cpu_millis, record.memory, record.processes), (Some(1500), Some(512 << 20), Some(9)));
    assert_eq!((record.timeout, record.grace), (Some(5_000_000_000), Some(2_000_000_000)));
    assert!(matches!(&record.input, Input::Bytes(bytes) if bytes == b"hello"));
    let mounts = record.mounts.iter().map(|mount| match &mount.source {
        MountSource::Folder(folder) => (folder.mount.clone(), mount.target.clone(), mount.read_only),
        MountSource::Volume(name) => (format!("volume {name}"), mount.target.clone(), mount.read_only),
        MountSource::Tmpfs(bytes) => (bytes.to_string(), mount.target.clone(), mount.read_only),
    });
    let mounts: Vec<_> = mounts.collect();
    let expected = [
        ("/srv/in", "/data", true),
        ("work", "/out", false),
        ("volume data", "/data2", true),
        ("67108864", "/tmp", false),
        ("1073741824", "/big", false),
    ];
    assert_eq!(mounts, expected.map(|(source, target, ro)| (source.to_owned(), target.to_owned(), ro)));
}

#[test]
fn a_command_line_is_for_the_shell_of_the_image() {
    let host = Host::new().on_container(|_| Ok(exited(0))).on_container_command(|_| Ok(exited(0)));
    host.run::<Run>(json!({ "image": "alpine", "command": "echo $HOME" })).expect("it exits with 0");
    assert_eq!(host.containers()[0].record().args, ["sh", "-c", "echo $HOME"]);
    assert_eq!(host.pulls()[0].policy, PullPolicy::Missing);
    host.run::<Exec>(json!({ "container": "db", "command": "ls" })).expect("it exits with 0");
    assert_eq!(host.container_commands()[0].record().argv, ["sh", "-c", "ls"]);
}

#[test]
fn the_exit_code_decides() {
    let run = |params: Value, ending: Ending| {
        let report = ExitReport { ending, ..exited(0) };
        Host::new().on_container(move |_| Ok(report.clone())).run::<Run>(params)
    };
    let failure = run(json!({ "image": "a" }), Ending::Exited(3)).expect_err("3 is no success");
    assert_eq!((failure.code.as_str(), failure.detail), ("exit", Some(json!({ "exit_code": 3 }))));
    assert!(run(json!({ "image": "a", "success_codes": [3] }), Ending::Exited(3)).is_ok());
    let killed = run(json!({ "image": "a", "memory": "8m" }), Ending::Exited(137)).expect_err("it was killed");
    assert!(killed.message.contains("memory"), "{}", killed.message);
    assert_eq!(run(json!({ "image": "a" }), Ending::TimedOut).expect_err("it took too long").code, "timeout");
    assert_eq!(run(json!({ "image": "a" }), Ending::Cancelled).expect_err("it was stopped").code, "cancelled");
}

#[test]
fn without_its_image_nothing_is_started() {
    let refusal = Error { code: ErrorCode::Denied, message: "add the grant".to_owned(), detail: None };
    let host = Host::new().refuse_images(refusal);
    let failure = host.run::<Run>(json!({ "image": "a" })).expect_err("the image is refused");
    assert_eq!((failure.code.as_str(), failure.retry), ("denied", Retry::Never));
    assert!(host.containers().is_empty());
}

#[test]
fn a_target_is_where_all_of_it_happens() {
    let host = Host::new().on_container(|_| Ok(exited(0))).on_container_command(|_| Ok(exited(0)));
    host.run::<Run>(json!({ "image": "a", "target": "web-1", "account": "root" })).expect("it exits with 0");
    host.run::<Exec>(json!({ "container": "db", "command": "ls", "target": "web-1" })).expect("it exits with 0");
    let (pulls, containers, commands) = (host.pulls(), host.containers(), host.container_commands());
    let places = [&pulls[0].at, &containers[0].record().at, &commands[0].record().at];
    let places = places.map(|at| at.as_ref().map(|at| (at.target.as_str(), at.run_as.as_deref())));
    assert_eq!(places, [Some(("web-1", Some("root"))), Some(("web-1", Some("root"))), Some(("web-1", None))]);
}

#[test]
fn a_plan_says_what_is_pulled_and_run() {
    let params = json!({ "image": "a:1", "command": "ls", "mounts": ["data:/data"], "target": "web-1" });
    let host = Host::new().without_images();
    let plan = host.plan::<Run>(params.clone()).expect("it can be said");
    let steps: Vec<_> = plan.steps.iter().map(|step| (step.effect, step.target.as_str())).collect();
    assert_eq!(steps, [(Effect::Create, "web-1:a:1"), (Effect::Execute, "web-1:a:1")]);
    let told = "run 'ls' in a new container with the volume data at /data, and remove it";
    assert!(plan.is_complete && plan.steps[1].summary == told, "{:?}", plan.steps);
    assert_eq!(Host::new().plan::<Run>(params.clone()).expect("it can be said").steps.len(), 1);
    let away = Error { code: ErrorCode::Unavailable, message: "it is off".to_owned(), detail: None };
    let plan = Host::new().refuse_images(away).plan::<Run>(params.clone()).expect("it can be said in part");
    assert!(!plan.is_complete && plan.steps[0].summary.contains("it is off"), "{:?}", plan.steps);
    let denied = Error { code: ErrorCode::Denied, message: "no".to_owned(), detail: None };
    assert_eq!(
        Host::new().refuse_images(denied).plan::<Run>(params).expect_err("it is denied").code,
        ErrorCode::Denied
    );
    let plan = host.plan::<Exec>(json!({ "container": "db", "argv": ["ls"] })).expect("it can be said");
    assert_eq!((plan.steps[0].effect, plan.steps[0].target.as_str()), (Effect::Execute, "db"));
    assert!(host.containers().is_empty() && host.pulls().is_empty() && host.container_commands().is_empty());
}

#[test]
fn bad_parameters_are_named() {
    for (params, pointer) in [
        (json!({ "image": "" }), "/image"),
        (json!({ "image": "a b" }), "/image"),
        (json!({ "image": "a", "pull": "sometimes" }), "/pull"),
        (json!({ "image": "a", "command": "b", "args": ["c"] }), "/args"),
        (json!({ "image": "a", "command": " " }), "/command"),
        (json!({ "image": "a", "cpus": 0 }), "/cpus"),
        (json!({ "image": "a", "processes": 0 }), "/processes"),
        (json!({ "image": "a", "mounts": ["x y:/y"] }), "/mounts/0"),
        (json!({ "image": "a", "mounts": ["./x:/y"] }), "/mounts/0"),
        (json!({ "image": "a", "account": "root" }), "/account"),
        (json!({ "image": "a", "target": "" }), "/target"),
        (json!({ "image": "a", "mounts": ["/x:y"] }), "/mounts/0"),
        (json!({ "image": "a", "mounts": ["/x"] }), ""),
        (json!({ "image": "a", "mounts": ["/x:/y:z"] }), ""),
        (json!({ "image": "a", "tmpfs": ["x"] }), "/tmpfs/0"),
        (json!({ "image": "a", "memory": "lots" }), ""),
        (json!({ "image": "a", "env": { "A=B": "1" } }), "/env"),
        (json!({ "image": "a", "success_codes": [] }), "/success_codes"),
        (json!({ "image": "a", "privileged": true }), ""),
    ] {
        let issues = Host::new().validate::<Run>(params.clone());
        assert_eq!(issues.first().map(|issue| issue.pointer.as_str()), Some(pointer), "{params}");
    }
    for (params, pointer) in [
        (json!({ "container": "a" }), ""),
        (json!({ "container": "", "command": "b" }), "/container"),
        (json!({ "container": "a", "command": "b", "argv": ["c"] }), "/argv"),
        (json!({ "container": "a", "argv": [""] }), "/argv"),
    ] {
        let issues = Host::new().validate::<Exec>(params.clone());
        assert_eq!(issues.first().map(|issue| issue.pointer.as_str()), Some(pointer), "{params}");
    }
    for example in Run::examples() {
        assert_eq!(Host::new().validate::<Run>(example), []);
    }
    for example in Exec::examples() {
        assert_eq!(Host::new().validate::<Exec>(example), []);
    }
}
