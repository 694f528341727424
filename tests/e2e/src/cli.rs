//! One call of the command line.

use std::io::{Read, Write as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;

use crate::wait::until;

/// No command takes longer.
const LIMIT: Duration = Duration::from_secs(90);

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code; -1 if a signal ended it.
    pub code: i32,
    /// What it printed on standard output.
    pub stdout: String,
    /// What it printed on standard error.
    pub stderr: String,
    what: String,
}

impl Ended {
    /// It ended with `code`, and did not panic.
    ///
    /// # Panics
    ///
    /// Otherwise, with what it printed.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert!(!self.stderr.contains("panicked at"), "`{}` panicked:\n{}", self.what, self.stderr);
        assert_eq!(self.code, code, "`{}` printed:\n{}\n{}", self.what, self.stdout, self.stderr);
        self
    }

    /// What it printed on standard output, as JSON.
    ///
    /// # Panics
    ///
    /// If it is not JSON.
    #[must_use]
    #[track_caller]
    pub fn json(&self) -> Value {
        parse(&self.what, &self.stdout)
    }

    /// What it printed on standard error, as JSON: so failures are told with `--json`.
    ///
    /// # Panics
    ///
    /// If it is not JSON.
    #[must_use]
    #[track_caller]
    pub fn problem(&self) -> Value {
        parse(&self.what, &self.stderr)
    }

    /// Its standard error holds each of `parts`.
    ///
    /// # Panics
    ///
    /// If one is missing.
    #[track_caller]
    pub fn says(&self, parts: &[&str]) {
        for part in parts {
            assert!(self.stderr.contains(part), "`{}` does not say {part:?}, but:\n{}", self.what, self.stderr);
        }
    }
}

#[track_caller]
fn parse(what: &str, text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("`{what}` printed no JSON ({error}):\n{text}"))
}

/// The program with nothing of the environment that could change what it does, and with `home` as its user's folder.
#[must_use]
pub fn command(home: &Path) -> Command {
    let mut command = Command::new(crate::program::path());
    command.env_clear().env("HOME", home).env("PATH", "/usr/local/bin:/usr/bin:/bin").env("TZ", "UTC");
    // Where a program that counts which lines it runs leaves its counts.
    for name in ["TMPDIR", "LLVM_PROFILE_FILE"] {
        command.envs(std::env::var_os(name).map(|value| (name, value)));
    }
    command.stdin(Stdio::null());
    command
}

/// Runs a command to its end, with `input` as its standard input.
///
/// # Panics
///
/// If it cannot be started or does not end.
pub fn run_with(command: &mut Command, input: &[u8]) -> Ended {
    let what = command.get_args().map(|arg| arg.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program can be started");
    let mut stdin = child.stdin.take().expect("it was asked for");
    // One that does not read its input ends it.
    let _ = stdin.write_all(input);
    drop(stdin);
    let stdout = collect(child.stdout.take().expect("it was asked for"));
    let stderr = collect(child.stderr.take().expect("it was asked for"));
    let status = end_of(&mut child, &what);
    let text = |thread: JoinHandle<Vec<u8>>| {
        String::from_utf8_lossy(&thread.join().expect("reading does not panic")).into_owned()
    };
    Ended { code: status.code().unwrap_or(-1), stdout: text(stdout), stderr: text(stderr), what }
}

/// Runs a command to its end.
///
/// # Panics
///
/// If it cannot be started or does not end.
pub fn run(command: &mut Command) -> Ended {
    run_with(command, b"")
}

fn collect(mut from: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // What was read before a failure is worth showing.
        let _ = from.read_to_end(&mut bytes);
        bytes
    })
}

/// Waits for the end of a process, and kills one that does not end.
///
/// # Panics
///
/// If it does not end.
pub fn end_of(child: &mut Child, what: &str) -> ExitStatus {
    let watch = std::panic::AssertUnwindSafe(|| {
        until(&format!("the end of `{what}`"), LIMIT, || child.try_wait().expect("our own child can be waited for"))
    });
    match std::panic::catch_unwind(watch) {
        Ok(status) => status,
        Err(panic) => {
            // It may have ended this moment.
            let _ = child.kill();
            std::panic::resume_unwind(panic)
        }
    }
}
