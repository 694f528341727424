//! Running a program for a bounded time.

use std::io::Read;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

/// How often a running program is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Why a program gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The program could not be started.
    #[error("{program} could not be started")]
    Start {
        /// The program.
        program: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The program failed.
    #[error("{program} failed: {stderr}")]
    Failed {
        /// The program.
        program: String,
        /// The last of what it wrote to standard error.
        stderr: String,
    },
    /// The program took too long and was ended.
    #[error("{program} took longer than {limit:?} and was ended")]
    TooLong {
        /// The program.
        program: String,
        /// How long it might have taken.
        limit: Duration,
    },
}

/// Runs a program to its end, but no longer than `limit`, and answers what it wrote to standard output.
///
/// # Errors
/// When it cannot be started, fails, or takes too long; then it is killed.
pub fn run_bounded(command: &mut Command, limit: Duration) -> Result<String, RunError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let started = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = started.map_err(|source| RunError::Start { program: program.clone(), source })?;
    // Both pipes are read at once, so that neither can fill up and hold the program.
    let stdout = collect(child.stdout.take());
    let stderr = collect(child.stderr.take());
    let mut waited = Duration::ZERO;
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if waited < limit => {
                thread::sleep(LOOK_EVERY);
                waited += LOOK_EVERY;
            }
            Ok(None) => {
                // It may have ended in this instant; then there is nothing to kill.
                let _ = child.kill();
                let _ = child.wait();
                return Err(RunError::TooLong { program, limit });
            }
            Err(source) => return Err(RunError::Start { program, source }),
        }
    };
    let read = |reader: thread::JoinHandle<String>| reader.join().unwrap_or_default();
    let (stdout, stderr) = (read(stdout), read(stderr));
    if status.success() { Ok(stdout) } else { Err(RunError::Failed { program, stderr: stderr.trim().to_owned() }) }
}

fn collect(pipe: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // What was read before an error is still worth showing.
            let _ = pipe.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

#[cfg(all(test, unix))]
mod tests {
    use std::process::Command;
    use std::time::Duration;

    use super::{RunError, run_bounded};

    fn shell(script: &str, limit: Duration) -> Result<String, RunError> {
        run_bounded(Command::new("sh").args(["-c", script]), limit)
    }

    #[test]
    fn answers_the_output() {
        assert_eq!(shell("echo hello", Duration::from_secs(20)).expect("echo works"), "hello\n");
    }

    #[test]
    fn tells_what_a_failing_program_said() {
        let error = shell("echo no >&2; exit 1", Duration::from_secs(20)).expect_err("it fails");
        assert!(matches!(error, RunError::Failed { stderr, .. } if stderr == "no"));
    }

    #[test]
    fn ends_what_takes_too_long() {
        let error = shell("exec sleep 60", Duration::ZERO).expect_err("a minute is more than nothing");
        assert!(matches!(error, RunError::TooLong { .. }));
    }
}
