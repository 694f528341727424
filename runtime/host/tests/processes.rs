//! Processes of a run: what they get, what comes back, and that none is left.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sandglass_core::id::{Digest, RunId};
use sandglass_core::invocation::Work;
use sandglass_core::output::OutputStream;
use sandglass_core::run::{AttemptOutcome, ErrorClass};
use serde_json::json;
use support::{Bench, PATIENCE, error, grants, invocation, work};

fn shell(bench: &Bench) -> Digest {
    let plugin = sandglass_plugins::BUILT_IN.iter().find(|plugin| plugin.name == "shell").unwrap();
    bench.add(plugin.wasm)
}

fn command(bench: &Bench, command: &str) -> Work {
    let mut work = work(shell(bench), "run", &json!({ "command": command }).to_string());
    work.grants = grants(r#"{"process": "any"}"#);
    work
}

/// The processes that carry the run's id.
fn left_of(run: RunId) -> Vec<String> {
    let wanted = format!("SANDGLASS_RUN_ID={run}");
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let carries = |path: &Path| {
        fs::read(path.join("environ"))
            .is_ok_and(|environment| environment.split(|byte| *byte == 0).any(|entry| entry == wanted.as_bytes()))
    };
    entries
        .filter(|entry| carries(&entry.path()))
        .map(|entry| fs::read_to_string(entry.path().join("cmdline")).unwrap_or_default())
        .collect()
}

fn shut_down(bench: &Bench, grace: Duration) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(bench.host.shutdown(grace));
}

/// Whether a process of this id lives. Ids come from the runs' own output, so they are not anybody else's yet.
fn lives(pid: &str) -> bool {
    fs::read_to_string(format!("/proc/{}/stat", pid.trim()))
        .is_ok_and(|stat| !stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('Z')))
}

#[test]
fn output_exit_code_and_folder() {
    let bench = Bench::new();
    let one = invocation(command(&bench, "echo out; echo err >&2; pwd; exit 3"));
    let run = one.run;
    let report = bench.run(one);
    assert_eq!(report.end.outcome, AttemptOutcome::Failed);
    assert_eq!(error(&report).class, ErrorClass::Exit, "{report:?}");
    assert_eq!(report.end.exit_code, Some(3));
    let out = bench.services.text(run, OutputStream::Stdout);
    let folder = PathBuf::from(out.lines().nth(1).expect("the second line says where it worked"));
    assert_eq!(out, format!("out\n{}\n", folder.display()));
    assert_eq!(folder.parent(), Some(bench.runs_dir().as_path()));
    assert_eq!(bench.services.text(run, OutputStream::Stderr), "err\n");
    assert_eq!(report.end.usage.output_bytes, out.len() as u64 + 4);
    shut_down(&bench, PATIENCE);
    assert!(!bench.runs_dir().exists(), "the folder goes with the run, and none that was made ahead stays");
}

#[test]
fn the_environment_starts_empty() {
    let bench = Bench::new();
    let mut work = command(&bench, "env; ls /proc/self/fd | wc -l; cat /proc/self/status | grep -E 'SigBlk|SigIgn'");
    work.env.insert("TARGET".to_owned(), "s3".to_owned());
    work.env.insert("SANDGLASS_RUN_ID".to_owned(), "forged".to_owned());
    let one = invocation(work);
    let run = one.run;
    assert_eq!(bench.run(one).end.outcome, AttemptOutcome::Succeeded);
    let out = bench.services.text(run, OutputStream::Stdout);
    assert!(out.contains("TARGET=s3\n") && out.contains("LANG=C.UTF-8\n"), "{out}");
    assert!(out.contains(&format!("SANDGLASS_RUN_ID={run}\n")), "{out}");
    assert!(!out.contains("CARGO"), "nothing of our own environment: {out}");
    // Its three, and the folder that ls itself reads.
    assert!(out.lines().any(|line| line.trim() == "4"), "{out}");
    assert!(out.contains("SigBlk:\t0000000000000000"), "{out}");
    // 32 and 33 are the C library's own: it leaves them ignored in whatever it starts.
    let ignored = ["SigIgn:\t0000000000000000", "SigIgn:\t0000000180000000"];
    assert!(ignored.into_iter().any(|line| out.contains(line)), "{out}");
}

#[test]
fn working_directories_are_used_and_must_exist() {
    let bench = Bench::new();
    let mut work = command(&bench, "pwd > here.txt");
    let folder = bench.folder.path().join("job");
    work.working_dir = Some(folder.display().to_string());
    let report = bench.run(invocation(work.clone()));
    assert!(error(&report).message.contains("working directory"), "{report:?}");
    fs::create_dir(&folder).unwrap();
    assert_eq!(bench.run(invocation(work)).end.outcome, AttemptOutcome::Succeeded);
    assert_eq!(fs::read_to_string(folder.join("here.txt")).unwrap().trim(), folder.display().to_string());
}

#[test]
fn programs_must_be_granted_by_any_of_their_names() {
    let bench = Bench::new();
    let mut work = command(&bench, "true");
    for (grant, allowed) in
        [(r#"["/bin/sh"]"#, true), (r#"["/usr/bin/*"]"#, true), (r#"["/usr/bin/tar"]"#, false), ("[]", false)]
    {
        work.grants = grants(&format!(r#"{{"process": {grant}}}"#));
        let report = bench.run(invocation(work.clone()));
        if allowed {
            assert_eq!(report.end.outcome, AttemptOutcome::Succeeded, "{grant}: {report:?}");
        } else {
            assert_eq!(error(&report).class, ErrorClass::Denied, "{grant}: {report:?}");
            assert!(error(&report).message.contains("process: ["), "{report:?}");
        }
    }
}

#[test]
fn a_missing_program_is_not_found() {
    let bench = Bench::new();
    let mut work = command(&bench, "");
    work.params = json!({ "argv": ["no-such-program-here"] }).to_string();
    let report = bench.run(invocation(work));
    assert_eq!(error(&report).code, "not-found", "{report:?}");
}

#[test]
fn much_output_arrives_whole() {
    let bench = Bench::new();
    let one = invocation(command(&bench, "i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done"));
    let run = one.run;
    assert_eq!(bench.run(one).end.outcome, AttemptOutcome::Succeeded);
    let out = bench.services.text(run, OutputStream::Stdout);
    assert_eq!(out.lines().count(), 20_000);
    assert!(out.ends_with("line 19999\n"));
}

#[test]
fn a_prompt_without_a_line_end_is_seen_while_the_process_waits() {
    let bench = Bench::new();
    let one = invocation(command(&bench, "printf 'name? '; sleep 100"));
    let run = one.run;
    let receiver = bench.start(one);
    bench.services.wait_for_text(run, OutputStream::Stdout, "name? ");
    bench.cancel(run);
    assert_eq!(receiver.recv_timeout(PATIENCE).unwrap().end.outcome, AttemptOutcome::Cancelled);
}

/// Starts `work`, cancels it once it said all of `words`, and waits until it has ended by itself; what it printed.
fn cancelled_after(bench: &Bench, mut work: Work, words: &[&str]) -> String {
    work.grace = Duration::from_secs(20);
    let one = invocation(work);
    let run = one.run;
    let receiver = bench.start(one);
    for words in words {
        bench.services.wait_for_text(run, OutputStream::Stdout, words);
    }
    bench.cancel(run);
    let report = receiver.recv_timeout(Duration::from_secs(15)).expect("it ends by itself, well before its grace");
    assert_eq!(report.end.outcome, AttemptOutcome::Cancelled);
    assert_eq!(left_of(run), [""; 0]);
    bench.services.text(run, OutputStream::Stdout)
}

#[test]
fn cancelling_asks_first() {
    let bench = Bench::new();
    let work = command(&bench, "trap 'echo cleaning up; exit 0' TERM; echo ready; while :; do sleep 0.01; done");
    assert!(cancelled_after(&bench, work, &["ready"]).contains("cleaning up"));
}

#[test]
fn what_left_the_group_is_asked_too() {
    let bench = Bench::new();
    let ends = "trap 'echo $0 cleans up; exit 0' TERM; echo $0 is ready; while :; do sleep 0.01; done";
    let both = "trap : TERM; setsid sh -c \"$ENDS\" below & (setsid sh -c \"$ENDS\" orphan &); wait";
    let mut work = command(&bench, both);
    work.env.insert("ENDS".to_owned(), ends.to_owned());
    let text = cancelled_after(&bench, work, &["below is ready", "orphan is ready"]);
    assert!(text.contains("below cleans up") && text.contains("orphan cleans up"), "{text}");
}

#[test]
fn a_script_that_is_stopped_does_not_go_on_to_its_next_command() {
    let bench = Bench::new();
    // GNU's `timeout` has a process group of its own. To ask so many takes a while, in which the shell would go on.
    let many = "setsid sh -c 'for i in $(seq 200); do sleep 300 & done; echo ready; wait' & \
                timeout 300 sh -c 'echo waiting; sleep 300'; echo next";
    let work = command(&bench, many);
    let text = cancelled_after(&bench, work, &["ready", "waiting"]);
    assert!(!text.contains("next"), "{text}");
}

#[test]
fn short_output_arrives_whole_however_soon_a_process_ends() {
    let bench = Bench::new();
    for lines in [1, 100, 9000] {
        let one = invocation(command(&bench, &format!("seq {lines}; seq {lines} >&2")));
        let run = one.run;
        let report = bench.run(one);
        assert_eq!(report.end.outcome, AttemptOutcome::Succeeded, "{report:?}");
        let expected: String = (1..=lines).map(|line| format!("{line}\n")).collect();
        assert!(bench.services.text(run, OutputStream::Stdout) == expected, "{lines} lines");
        assert!(bench.services.text(run, OutputStream::Stderr) == expected, "{lines} lines");
    }
}

#[test]
fn a_process_starts_although_one_before_it_removed_the_run_s_folder() {
    let bench = Bench::new();
    let mut work = command(&bench, "true");
    work.params = r#"{ "commands": ["rmdir \"$PWD\"", "echo here > file; cat file"] }"#.to_owned();
    let one = invocation(work);
    let run = one.run;
    let report = bench.run(one);
    assert_eq!(report.end.outcome, AttemptOutcome::Succeeded, "{report:?}");
    assert_eq!(bench.services.text(run, OutputStream::Stdout), "here\n");
}

#[test]
fn what_does_not_listen_is_killed_when_its_grace_is_over() {
    let bench = Bench::new();
    let mut work = command(&bench, "trap '' TERM; echo $$; while :; do sleep 0.01; done");
    work.timeout = Duration::from_millis(400);
    work.grace = Duration::from_millis(200);
    let one = invocation(work);
    let run = one.run;
    let report = bench.run(one);
    assert_eq!(report.end.outcome, AttemptOutcome::TimedOut, "{report:?}");
    assert_eq!(error(&report).class, ErrorClass::Deadline);
    assert_eq!(left_of(run), [""; 0]);
    assert!(!lives(&bench.services.text(run, OutputStream::Stdout)));
}

/// Starts a daemon that leaves session, group and terminal, and tells its id.
const DAEMON: &str =
    "setsid sh -c 'setsid sh -c \"echo \\$\\$; trap \\\"\\\" TERM HUP; while :; do sleep 0.05; done\" & exit 0' &";

#[test]
fn daemons_die_with_the_run_that_ends() {
    let bench = Bench::new();
    let one = invocation(command(&bench, &format!("{DAEMON} sleep 0.3")));
    let run = one.run;
    let report = bench.run(one);
    assert_eq!(report.end.outcome, AttemptOutcome::Succeeded, "{report:?}");
    let pid = bench.services.text(run, OutputStream::Stdout);
    assert!(!pid.trim().is_empty(), "the daemon told its id");
    assert!(!lives(&pid), "{pid}");
    assert_eq!(left_of(run), [""; 0]);
}

#[test]
fn daemons_die_with_the_run_that_is_killed() {
    let bench = Bench::new();
    let mut work = command(&bench, &format!("{DAEMON} trap '' TERM; while :; do sleep 0.05; done"));
    work.grace = Duration::from_millis(100);
    let one = invocation(work);
    let run = one.run;
    let receiver = bench.start(one);
    let pid = bench.services.wait_for_text(run, OutputStream::Stdout, "\n");
    assert!(lives(&pid));
    bench.cancel(run);
    let report = receiver.recv_timeout(PATIENCE).unwrap();
    assert_eq!(report.end.outcome, AttemptOutcome::Cancelled);
    assert!(!lives(&pid), "{pid}");
    assert_eq!(left_of(run), [""; 0]);
}

#[test]
fn daemons_that_hide_their_environment_die_too() {
    let bench = Bench::new();
    let hidden =
        "setsid env -i /bin/sh -c 'echo $$; trap \"\" TERM HUP; while :; do /bin/sleep 0.05; done' & sleep 0.3";
    let one = invocation(command(&bench, hidden));
    let run = one.run;
    assert_eq!(bench.run(one).end.outcome, AttemptOutcome::Succeeded);
    let pid = bench.services.text(run, OutputStream::Stdout);
    assert!(!pid.trim().is_empty());
    // While other tests of this process have runs going, such a daemon could be theirs and is left for a later look.
    let gone = (0..200).any(|_| {
        let _ = bench.run(invocation(command(&bench, "true")));
        !lives(&pid)
    });
    assert!(gone, "{pid}");
}

#[test]
fn shutdown_leaves_nothing() {
    let bench = Bench::new();
    let one = invocation(command(&bench, &format!("{DAEMON} trap '' TERM; while :; do sleep 0.05; done")));
    let run = one.run;
    let receiver = bench.start(one);
    let pid = bench.services.wait_for_text(run, OutputStream::Stdout, "\n");
    shut_down(&bench, Duration::from_millis(100));
    let report = receiver.try_recv().expect("every report is given before shutdown returns");
    assert_eq!(report.end.outcome, AttemptOutcome::Interrupted, "{report:?}");
    assert!(!lives(&pid));
    let late = bench.run(invocation(command(&bench, "true")));
    assert_eq!(late.end.outcome, AttemptOutcome::Interrupted);
}

#[test]
fn a_program_may_be_granted_by_what_is_in_its_file() {
    let bench = Bench::new();
    let folder = tempfile::tempdir().unwrap();
    let tool = folder.path().join("tool");
    let install = |content: &[u8]| {
        fs::write(&tool, content).unwrap();
        fs::set_permissions(&tool, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        Digest::of(content)
    };
    let run = |grant: &str| {
        let mut work = work(shell(&bench), "run", &json!({ "argv": [tool, "a", "b"] }).to_string());
        work.grants = grants(&json!({ "process": [grant] }).to_string());
        let one = invocation(work);
        let id = one.run;
        let report = bench.run(one);
        (report, bench.services.text(id, OutputStream::Stdout))
    };
    let script = install(b"#!/bin/sh\nread line < \"$0\"; echo \"$line $*\"\n");
    for grant in [format!("sha256:{script}"), format!("{}@sha256:{script}", tool.display())] {
        let (report, out) = run(&grant);
        assert_eq!((report.end.outcome, out.as_str()), (AttemptOutcome::Succeeded, "#!/bin/sh a b\n"), "{report:?}");
        assert!(left_of(report.run).is_empty());
    }
    // Nobody can change the copy, not even the script itself.
    let sealed = install(b"#!/bin/sh\n(echo x >> \"$0\") 2> /dev/null && echo changed; tail -n 1 \"$0\"\n#");
    let (report, out) = run(&format!("sha256:{sealed}"));
    assert_eq!((report.end.outcome, out.as_str()), (AttemptOutcome::Succeeded, "#"), "{report:?}");
    // A binary: its copy has the name that it was called by.
    let binary = install(&fs::read("/bin/echo").unwrap());
    let (report, out) = run(&format!("sha256:{binary}"));
    assert_eq!((report.end.outcome, out.as_str()), (AttemptOutcome::Succeeded, "a b\n"), "{report:?}");
    // What lies there now is another.
    let (report, out) = run(&format!("{}@sha256:{script}", tool.display()));
    assert_eq!((report.end.outcome, out.as_str()), (AttemptOutcome::Failed, ""), "{report:?}");
    let message = &error(&report).message;
    let line = format!("process: [\"{}@sha256:{binary}\"]", tool.display());
    let said = format!("whose digest is sha256:{binary} and not sha256:{script} as granted");
    assert!(message.contains(&said) && message.contains(&line), "{message}");
    let size = 257 << 20;
    fs::File::options().write(true).open(&tool).unwrap().set_len(size).unwrap();
    let (report, _) = run(&format!("sha256:{binary}"));
    let error_of = error(&report);
    assert!(error_of.message.contains("larger than 256 MiB"), "{}", error_of.message);
    // One that is nowhere granted is not looked into.
    let (report, _) = run(&format!("/elsewhere@sha256:{binary}"));
    let message = &error(&report).message;
    assert!(message.contains("is denied") && !message.contains("digest"), "{message}");
}

#[test]
fn a_program_whose_arguments_are_granted_is_called_by_the_name_that_is_granted() {
    let bench = Bench::new();
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("sh");
    std::os::unix::fs::symlink("/bin/sh", &link).unwrap();
    let run = |grant: serde_json::Value| {
        let mut work = work(shell(&bench), "run", &json!({ "argv": [link, "-c", "echo \"$0\""] }).to_string());
        work.grants = grants(&json!({ "process": [grant] }).to_string());
        let one = invocation(work);
        let id = one.run;
        assert_eq!(bench.run(one).end.outcome, AttemptOutcome::Succeeded);
        bench.services.text(id, OutputStream::Stdout).trim().to_owned()
    };
    assert_eq!(run(json!("/bin/sh")), link.display().to_string());
    assert_eq!(run(json!(["/bin/sh", "-c", "**"])), "/bin/sh");
}
