//! A daemon on a data directory of its own: its start, its kill, its end.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use serde_json::Value;

use crate::cli::{self, Ended};
use crate::http::Http;
use crate::wait::{Deadline, until};

/// No start takes longer, not even one that compiles the built-in plugins.
const START_LIMIT: Duration = Duration::from_secs(60);

/// A folder that a test has for itself: the data directory is in it, and files that the test makes.
#[derive(Debug)]
pub struct Home {
    folder: tempfile::TempDir,
}

impl Default for Home {
    fn default() -> Self {
        Self::new()
    }
}

impl Home {
    /// An empty one.
    ///
    /// # Panics
    ///
    /// If no temporary folder can be made.
    #[must_use]
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("sandglass-e2e-").tempdir();
        Self { folder: folder.expect("a temporary folder can be made") }
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The data directory. The daemon makes it.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    /// Writes a file into the folder and gives its path.
    ///
    /// # Panics
    ///
    /// If it cannot be written.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().expect("it lies in the folder")).expect("folders can be made");
        std::fs::write(&path, content).expect("files can be written");
        path
    }

    /// The command line, for the daemon of this data directory whether it is there or not.
    #[must_use]
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = cli::command(self.path());
        command.env("SANDGLASS_DATA_DIR", self.data()).current_dir(self.path()).args(args);
        command
    }

    /// Runs the command line to its end.
    pub fn cli(&self, args: &[&str]) -> Ended {
        cli::run(&mut self.command(args))
    }

    /// Starts `serve` on a free port, with more arguments, without waiting for anything.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    #[must_use]
    pub fn spawn(&self, args: &[&str]) -> Spawned {
        let log = self.path().join("daemon.log");
        let stderr = File::options().create(true).append(true).open(&log).expect("files can be written");
        let mut command = self.command(&["serve"]);
        if !args.contains(&"--listen") {
            command.args(["--listen", "127.0.0.1:0"]);
        }
        command.args(args).stdout(Stdio::piped()).stderr(stderr);
        let deadline = Deadline::after(START_LIMIT);
        Spawned { child: Some(command.spawn().expect("the program can be started")), data: self.data(), log, deadline }
    }

    /// Starts a daemon and waits until it is ready.
    ///
    /// # Panics
    ///
    /// If it does not become ready.
    #[must_use]
    pub fn start(&self) -> Daemon {
        self.spawn(&[]).ready()
    }
}

/// A daemon that may not be ready yet.
#[derive(Debug)]
pub struct Spawned {
    child: Option<Child>,
    data: PathBuf,
    log: PathBuf,
    deadline: Deadline,
}

impl Spawned {
    /// Waits for the line that says that it is ready.
    ///
    /// # Panics
    ///
    /// If it ends or takes too long instead.
    #[must_use]
    pub fn ready(mut self) -> Daemon {
        let mut child = self.child.take().expect("it is taken once");
        let stdout = child.stdout.take().expect("it was asked for");
        let (lines, printed) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                // The test may not listen any more; the daemon must be able to print all the same.
                let _ = lines.send(line);
            }
        });
        let line = match printed.recv_timeout(START_LIMIT) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => {
                panic!("the daemon is not ready in {START_LIMIT:?}:\n{}", tail(&self.log))
            }
            Err(RecvTimeoutError::Disconnected) => panic!("the daemon ended at its start:\n{}", tail(&self.log)),
        };
        let ready_after = self.deadline.elapsed();
        assert!(line.contains(" is ready on "), "no line that says ready, but {line:?}");
        let address = line.split_once("http://").map(|(_, rest)| {
            let text = rest.split(' ').next().unwrap_or_default();
            text.parse().unwrap_or_else(|_| panic!("{text:?} in {line:?} is no address"))
        });
        let token = std::fs::read_to_string(self.data.join("admin.token")).expect("a daemon that is ready has a token");
        let (data, log) = (self.data.clone(), self.log.clone());
        Daemon { child, data, log, address, token: token.trim().to_owned(), ready_after }
    }

    /// Kills it wherever it is.
    ///
    /// # Panics
    ///
    /// If it cannot be killed.
    pub fn kill(mut self) {
        let mut child = self.child.take().expect("it is taken once");
        child.kill().expect("our own child can be killed");
        child.wait().expect("our own child can be waited for");
    }
}

impl Drop for Spawned {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A daemon that is ready. Killed when dropped.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
    data: PathBuf,
    log: PathBuf,
    address: Option<SocketAddr>,
    /// The administrator's token.
    pub token: String,
    /// How long its start took.
    pub ready_after: Duration,
}

impl Daemon {
    /// Its address.
    ///
    /// # Panics
    ///
    /// If it is on the socket alone.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address.expect("it listens on TCP")
    }

    /// A client with the administrator's token.
    #[must_use]
    pub fn http(&self) -> Http {
        Http::tcp(self.address(), Some(&self.token))
    }

    /// A client through the owner's socket.
    #[must_use]
    pub fn socket(&self) -> Http {
        Http::socket(self.data.join("sandglass.sock"))
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The most memory that it ever had resident, in bytes.
    ///
    /// # Panics
    ///
    /// If the system does not tell.
    #[must_use]
    pub fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("the daemon is there");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux tells it");
        let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().expect("it is a number");
        kilobytes * 1024
    }

    /// What is at `path` in the namespace `default`, through the owner's socket.
    ///
    /// # Panics
    ///
    /// If the answer is not 200.
    #[must_use]
    #[track_caller]
    pub fn get(&self, path: &str) -> Value {
        self.socket().get(&format!("/api/v1/namespaces/default{path}")).json(200)
    }

    /// Every run of a job, the oldest first.
    ///
    /// # Panics
    ///
    /// If there is no such job.
    #[must_use]
    #[track_caller]
    pub fn runs(&self, job: &str) -> Vec<Value> {
        let (mut runs, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = self.get(&format!("/runs?job={job}&order=asc&limit=1000{cursor}"));
            runs.extend(page["items"].as_array().expect("a page has items").iter().cloned());
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return runs,
            }
        }
    }

    /// Waits until `job` has `count` runs in `state` and gives all its runs.
    ///
    /// # Panics
    ///
    /// If it does not come to that.
    #[track_caller]
    pub fn until_runs(&self, job: &str, state: &str, count: usize) -> Vec<Value> {
        until(&format!("{count} runs of {job} that are {state}"), Duration::from_secs(60), || {
            let runs = self.runs(job);
            (runs.iter().filter(|run| run["state"] == state).count() >= count).then_some(runs)
        })
    }

    /// What a run printed on one of its streams.
    ///
    /// # Panics
    ///
    /// If there is no such run.
    #[must_use]
    #[track_caller]
    pub fn output(&self, run: &str, stream: &str) -> Vec<Value> {
        let path = format!("/api/v1/namespaces/default/runs/{run}/logs?stream={stream}");
        let answer = self.socket().get(&path);
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.text().lines().map(|line| serde_json::from_str(line).expect("a line is an event")).collect()
    }

    /// What a run printed on standard output, as text.
    ///
    /// # Panics
    ///
    /// If there is no such run, or it printed something else than text.
    #[must_use]
    #[track_caller]
    pub fn stdout(&self, run: &Value) -> String {
        let id = run["id"].as_str().expect("a run has an id");
        self.output(id, "stdout").iter().map(|event| event["text"].as_str().expect("it is text").to_owned()).collect()
    }

    /// Saves a job through the API.
    ///
    /// # Panics
    ///
    /// If it is refused.
    #[track_caller]
    pub fn put(&self, job: &Value) -> Value {
        let name = job["name"].as_str().expect("a job has a name");
        let path = format!("/api/v1/namespaces/default/jobs/{name}");
        self.socket().send("PUT", &path, &[], job.to_string().as_bytes()).json(200)
    }

    /// Starts a run through the API and gives its id.
    ///
    /// # Panics
    ///
    /// If it is refused.
    #[track_caller]
    pub fn start_run(&self, job: &str) -> String {
        let path = format!("/api/v1/namespaces/default/jobs/{job}/run");
        let run = self.socket().send("POST", &path, &[], b"").json(202);
        run["id"].as_str().expect("a run has an id").to_owned()
    }

    /// Waits until a run is over.
    ///
    /// # Panics
    ///
    /// If it does not end within a minute.
    #[track_caller]
    pub fn ended(&self, run: &str) -> Value {
        let run = self.get(&format!("/runs/{run}?wait=60"));
        assert!(run["finished_at"].is_string(), "not over: {run}");
        run
    }

    /// Sends it a signal.
    ///
    /// # Panics
    ///
    /// If it is gone.
    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = i32::try_from(self.pid()).ok().and_then(rustix::process::Pid::from_raw).expect("it has a process id");
        rustix::process::kill_process(pid, signal).expect("our own child can be signalled");
    }

    /// Waits until it has ended by itself.
    ///
    /// # Panics
    ///
    /// If it does not.
    pub fn wait(&mut self) -> ExitStatus {
        cli::end_of(&mut self.child, "serve")
    }

    /// Asks it to stop, and checks that it ends well.
    ///
    /// # Panics
    ///
    /// If it does not.
    pub fn stop(mut self) {
        self.signal(rustix::process::Signal::TERM);
        let status = self.wait();
        assert!(status.success(), "the daemon ended with {status}:\n{}", tail(&self.log));
        assert!(!self.log().contains("panicked at"), "something panicked:\n{}", tail(&self.log));
    }

    /// Kills it at once, as a power cut would.
    ///
    /// # Panics
    ///
    /// If it cannot be killed.
    pub fn kill(mut self) {
        self.child.kill().expect("our own child can be killed");
        self.child.wait().expect("our own child can be waited for");
    }

    /// What it logged.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the daemon's log:\n{}", tail(&self.log));
        }
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The last lines of a log.
fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}
