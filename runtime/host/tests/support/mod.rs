//! What the tests of the host share: a host in a folder of its own, services that remember, and invocations.
#![allow(dead_code, unreachable_pub, reason = "every test file takes a part of this")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::time::Duration;

use sandglass_core::capability::{EffectiveGrants, Grants};
use sandglass_core::id::{Digest, JobId, Namespace, RunId};
use sandglass_core::invocation::{AttemptReport, Cancel, CancelReason, Invocation, TimeLimit, Work};
use sandglass_core::output::{OutputChunk, OutputStream};
use sandglass_core::quantity::{ByteSize, Count};
use sandglass_core::run::{AttemptError, Origin};
use sandglass_core::spec::Limits;
use sandglass_core::time::Timestamp;
use sandglass_host::services::{BoxFuture, Progress, Services, StateEntry, StateError, StateExpectation, StatePage};
use sandglass_host::{Host, HostConfig};
use tempfile::TempDir;

/// Longer than anything here takes: a test that waits so long has failed.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A host, its folder and what it was told.
pub struct Bench {
    pub host: Arc<Host>,
    pub services: Arc<Recorder>,
    pub folder: TempDir,
}

impl Bench {
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    pub fn with(change: impl FnOnce(&mut HostConfig)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let services = Arc::new(Recorder::default());
        let mut config = config(folder.path());
        change(&mut config);
        let host = Host::new(config, Arc::<Recorder>::clone(&services)).unwrap();
        Self { host, services, folder }
    }

    pub fn runs_dir(&self) -> PathBuf {
        self.folder.path().join("runs")
    }

    /// Makes a component ready.
    pub fn add(&self, wasm: &[u8]) -> Digest {
        let digest = Digest::of(wasm);
        self.host.prepare(digest, || Ok(wasm.to_vec())).unwrap();
        digest
    }

    /// Makes one attempt and waits for its report.
    pub fn run(&self, invocation: Invocation) -> AttemptReport {
        self.start(invocation).recv_timeout(PATIENCE).expect("every attempt is reported")
    }

    pub fn start(&self, invocation: Invocation) -> mpsc::Receiver<AttemptReport> {
        let (sender, receiver) = mpsc::channel();
        self.start_all(vec![invocation], sender);
        receiver
    }

    /// Starts attempts together; `sender` is given their reports.
    pub fn start_all(&self, invocations: Vec<Invocation>, sender: mpsc::Sender<AttemptReport>) {
        let done = move |report| {
            let _ = sender.send(report);
        };
        self.host.start_all(invocations, Arc::new(done));
    }

    /// Asks the only attempt of a run to stop.
    pub fn cancel(&self, run: RunId) {
        self.host.cancel(Cancel { run, attempt: 1, reason: CancelReason::User, at_once: false });
    }
}

pub fn config(folder: &Path) -> HostConfig {
    HostConfig {
        cache_dir: folder.join("cache"),
        key: [7; 32],
        max_concurrent: 16,
        runs_dir: folder.join("runs"),
        threads: 2,
    }
}

/// A piece of work that the tests change as they need.
pub fn work(digest: Digest, action: &str, params: &str) -> Work {
    Work {
        namespace: Namespace::default(),
        job_id: JobId::from_bits(77),
        job: "test-job".parse().unwrap(),
        revision: 1,
        plugin: "plugin".parse().unwrap(),
        digest,
        action: action.to_owned(),
        params: params.to_owned(),
        scope: None,
        env: BTreeMap::new(),
        secrets: [].into(),
        working_dir: None,
        timeout: Duration::from_secs(30),
        time_limit: TimeLimit::Timeout,
        grace: Duration::from_secs(1),
        limits: Limits {
            memory: ByteSize::from_mib(32),
            fuel: Count::new(100_000_000_000),
            output: ByteSize::from_mib(1),
        },
        grants: grants("{}"),
    }
}

/// Everything is asked for and allowed but by the plugin's own grant, which is `json`.
pub fn grants(json: &str) -> EffectiveGrants {
    EffectiveGrants {
        request: Grants::everything(),
        ceiling: Grants::everything(),
        plugin: serde_json::from_str(json).unwrap(),
        job: None,
        looks_only: false,
    }
}

/// An invocation of a run that nobody else has.
pub fn invocation(work: Work) -> Invocation {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let number = u128::from(NEXT.fetch_add(1, Ordering::SeqCst)) + (u128::from(std::process::id()) << 64);
    Invocation {
        run: RunId::from_bits(number),
        attempt: 1,
        origin: Origin::Manual,
        scheduled_at: Timestamp::from_secs(1_800_000_000),
        resumes: None,
        work: Arc::new(work),
    }
}

pub fn error(report: &AttemptReport) -> &AttemptError {
    report.end.error.as_ref().unwrap_or_else(|| panic!("it went well: {report:?}"))
}

/// Services that remember what they are told.
pub struct Recorder {
    clock: AtomicI64,
    told: Mutex<Told>,
    more: Condvar,
    /// How many pieces of output may come in all.
    pub pieces: tokio::sync::watch::Sender<usize>,
}

impl Default for Recorder {
    fn default() -> Self {
        Self {
            clock: AtomicI64::new(0),
            told: Mutex::default(),
            more: Condvar::new(),
            pieces: tokio::sync::watch::Sender::new(usize::MAX),
        }
    }
}

#[derive(Default)]
pub struct Told {
    pub output: Vec<(RunId, OutputChunk)>,
    pub progress: Vec<Progress>,
    pub state: BTreeMap<String, (Vec<u8>, u64)>,
}

impl Recorder {
    /// What a run printed on one stream so far.
    pub fn text(&self, run: RunId, stream: OutputStream) -> String {
        text(&self.told.lock().unwrap(), run, stream)
    }

    /// Waits until what a run printed on one stream contains `wanted`.
    pub fn wait_for_text(&self, run: RunId, stream: OutputStream, wanted: &str) -> String {
        let told = self.told.lock().unwrap();
        let (told, waited) =
            self.more.wait_timeout_while(told, PATIENCE, |told| !text(told, run, stream).contains(wanted)).unwrap();
        let text = text(&told, run, stream);
        assert!(!waited.timed_out(), "{wanted:?} does not come in {text:?}");
        text
    }

    pub fn told<T>(&self, look: impl FnOnce(&mut Told) -> T) -> T {
        look(&mut self.told.lock().unwrap())
    }
}

fn text(told: &Told, run: RunId, stream: OutputStream) -> String {
    let of_run = told.output.iter().filter(|(owner, chunk)| *owner == run && chunk.stream == stream);
    String::from_utf8_lossy(&of_run.flat_map(|(_, chunk)| chunk.bytes.clone()).collect::<Vec<_>>()).into_owned()
}

impl Services for Recorder {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(1_800_000_000)
            .after(Duration::from_micros(self.clock.fetch_add(1, Ordering::SeqCst).unsigned_abs()))
    }

    fn output(&self, run: RunId, chunk: OutputChunk) {
        self.told.lock().unwrap().output.push((run, chunk));
        self.more.notify_all();
    }

    fn output_ready(&self, _: RunId) -> Option<BoxFuture<'static, ()>> {
        let came = self.told.lock().unwrap().output.len();
        if came < *self.pieces.borrow() {
            return None;
        }
        let mut pieces = self.pieces.subscribe();
        Some(Box::pin(async move {
            pieces.wait_for(|pieces| came < *pieces).await.unwrap();
        }))
    }

    fn progress(&self, _: RunId, _: u32, progress: Progress) {
        self.told.lock().unwrap().progress.push(progress);
    }

    fn state_get(&self, _: JobId, key: String) -> BoxFuture<'static, Result<Option<StateEntry>, StateError>> {
        let entry = self.told.lock().unwrap().state.get(&key).cloned();
        Box::pin(async move { Ok(entry.map(|(value, revision)| StateEntry { value, revision })) })
    }

    fn state_set(
        &self,
        _: JobId,
        key: String,
        value: Vec<u8>,
        expect: StateExpectation,
        _: Option<Duration>,
    ) -> BoxFuture<'static, Result<u64, StateError>> {
        let mut told = self.told.lock().unwrap();
        let present = told.state.get(&key).map(|(_, revision)| *revision);
        let holds = match expect {
            StateExpectation::Anything => true,
            StateExpectation::Absent => present.is_none(),
            StateExpectation::At(revision) => present == Some(revision),
        };
        let answer = if !holds {
            Err(StateError::Conflict)
        } else if told.state.len() >= 32 {
            Err(StateError::Full("32 keys are enough".to_owned()))
        } else {
            let revision = present.unwrap_or(0) + 1;
            told.state.insert(key, (value, revision));
            Ok(revision)
        };
        Box::pin(async move { answer })
    }

    fn state_delete(&self, _: JobId, key: String, _: StateExpectation) -> BoxFuture<'static, Result<(), StateError>> {
        self.told.lock().unwrap().state.remove(&key);
        Box::pin(async { Ok(()) })
    }

    fn state_keys(
        &self,
        _: JobId,
        prefix: String,
        _: Option<String>,
        _: u32,
    ) -> BoxFuture<'static, Result<StatePage, StateError>> {
        let keys = self.told.lock().unwrap().state.keys().filter(|key| key.starts_with(&prefix)).cloned().collect();
        Box::pin(async { Ok(StatePage { keys, cursor: None }) })
    }
}
