//! Files that a guest has: its own, those it was granted, and no others.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod support;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use sandglass_core::capability::EffectiveGrants;
use sandglass_core::invocation::Work;
use sandglass_core::run::{AttemptOutcome, ErrorClass};
use serde_json::{Value, json};
use support::{Bench, error, grants, invocation, work};

/// Folders of a test: one to read, one to write, one outside.
struct Folders {
    read: PathBuf,
    write: PathBuf,
    outside: PathBuf,
}

impl Folders {
    fn new(bench: &Bench) -> Self {
        let base = fs::canonicalize(bench.folder.path()).unwrap();
        let folders = Self { read: base.join("read"), write: base.join("write"), outside: base.join("outside") };
        for folder in [&folders.read, &folders.write, &folders.outside] {
            fs::create_dir(folder).unwrap();
        }
        fs::write(folders.read.join("file"), "granted").unwrap();
        fs::create_dir(folders.read.join("folder")).unwrap();
        fs::write(folders.outside.join("secret"), "secret").unwrap();
        symlink("../outside/secret", folders.write.join("out")).unwrap();
        symlink(folders.outside.join("secret"), folders.write.join("absolute")).unwrap();
        let pipe = folders.write.join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        folders
    }

    fn granted(&self) -> Value {
        json!([format!("{}:ro", self.read.display()), format!("{}:rw", self.write.display())])
    }
}

/// The work of a guest that tries to break out, of a job that names the two folders.
fn break_out(bench: &Bench, folders: &Folders) -> Work {
    let wasm = fs::read(sandglass_test_guests::hostile().unwrap()).unwrap();
    let params = json!({ "read": folders.read, "write": folders.write, "outside": folders.outside });
    let mut work = work(bench.add(&wasm), "break-out", &params.to_string());
    let job = json!({ "state": true, "files": folders.granted() });
    work.grants = EffectiveGrants {
        job: Some(serde_json::from_value(job).unwrap()),
        looks_only: false,
        ..grants(r#"{"state": true, "files": "any"}"#)
    };
    work
}

#[test]
fn a_guest_has_its_folders_and_no_way_out() {
    let bench = Bench::new();
    let folders = Folders::new(&bench);
    let report = bench.run(invocation(break_out(&bench, &folders)));
    assert_eq!(report.end.outcome, AttemptOutcome::Succeeded, "{report:?}");
    let result: Value = serde_json::from_str(report.result.as_deref().unwrap()).unwrap();
    assert_eq!(result["output"], json!({ "failed": [], "broken": [] }));
    let names = |folder: &PathBuf| {
        let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(fs::read_to_string(folders.read.join("file")).unwrap(), "granted");
    assert_eq!(names(&folders.read), ["file", "folder"]);
    assert_eq!(fs::read_to_string(folders.outside.join("secret")).unwrap(), "secret");
    assert_eq!(names(&folders.outside), ["secret"]);
    assert_eq!(names(&folders.write), ["absolute", "new", "out", "pipe", "up"]);
}

#[test]
fn without_the_grant_there_are_no_files_and_no_folder_is_made() {
    let bench = Bench::new();
    let folders = Folders::new(&bench);
    let mut work = break_out(&bench, &folders);
    work.grants = grants(r#"{"state": true}"#);
    let report = bench.run(invocation(work));
    let result: Value = serde_json::from_str(report.result.as_deref().unwrap()).unwrap();
    assert_eq!(result["output"]["failed"].as_array().unwrap().len(), 9, "{result}");
    assert_eq!(result["output"]["broken"], json!([]));
    assert!(!bench.runs_dir().exists());
}

#[test]
fn a_folder_that_is_not_there_fails_the_run_before_it_starts() {
    let bench = Bench::new();
    let folders = Folders::new(&bench);
    let work = break_out(&bench, &folders);
    fs::remove_dir_all(&folders.write).unwrap();
    let report = bench.run(invocation(work.clone()));
    assert_eq!(error(&report).code, "no-folder", "{report:?}");
    assert!(error(&report).message.contains(&*folders.write.to_string_lossy()), "{report:?}");
    fs::write(&folders.write, "").unwrap();
    let report = bench.run(invocation(work));
    assert_eq!(error(&report).code, "no-folder", "{report:?}");
}

#[test]
fn a_link_does_not_lead_past_the_ceiling() {
    let bench = Bench::new();
    let folders = Folders::new(&bench);
    let link = folders.write.join("link");
    symlink(&folders.outside, &link).unwrap();
    let mut work = break_out(&bench, &folders);
    let named =
        |path: &PathBuf, access: &str| json!({ "state": true, "files": [format!("{}:{access}", path.display())] });
    work.grants.job = Some(serde_json::from_value(named(&link, "ro")).unwrap());
    assert_eq!(bench.run(invocation(work.clone())).end.outcome, AttemptOutcome::Succeeded);
    work.grants.ceiling = serde_json::from_value(named(&folders.write, "rw")).unwrap();
    let report = bench.run(invocation(work));
    assert_eq!(error(&report).class, ErrorClass::Denied, "{report:?}");
    assert!(error(&report).message.contains("daemon's operator"), "{report:?}");
    assert!(error(&report).message.contains(&format!("{}:ro", folders.outside.display())), "{report:?}");
}

#[test]
fn a_folder_that_no_layer_grants_is_refused_with_the_line_that_would() {
    let bench = Bench::new();
    let folders = Folders::new(&bench);
    let mut work = break_out(&bench, &folders);
    work.grants.plugin = serde_json::from_value(json!({ "state": true, "files": [] })).unwrap();
    let report = bench.run(invocation(work));
    assert_eq!(error(&report).class, ErrorClass::Denied, "{report:?}");
    assert!(error(&report).message.contains(&format!("files: [\"{}:ro\"]", folders.read.display())), "{report:?}");
}

#[test]
fn a_guest_that_fails_because_it_may_not_write_is_told_the_line_that_lets_it() {
    let bench = Bench::new();
    let folders = Folders::new(&bench);
    let mut work = break_out(&bench, &folders);
    let params = json!({ "read": folders.read, "write": folders.write, "outside": folders.outside, "insist": true });
    work.params = params.to_string();
    let report = bench.run(invocation(work));
    assert_eq!(error(&report).class, ErrorClass::Denied, "{report:?}");
    assert!(error(&report).message.contains(&format!("files: [\"{}:rw\"]", folders.read.display())), "{report:?}");
    assert!(error(&report).message.contains("job's owner"), "{report:?}");
}
