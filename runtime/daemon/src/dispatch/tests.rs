//! The loop over a real store whose disk fails when it is told to.

use std::io;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::SeqCst;

use redb::StorageBackend;
use redb::backends::InMemoryBackend;
use sandglass_core::artifact::ArtifactLimits;
use sandglass_core::batch::Write;
use sandglass_core::id::{JobId, RunId};
use sandglass_core::job::Job;
use sandglass_core::run::StateName;
use sandglass_host::HostConfig;
use sandglass_store::{RedbOptions, RedbStore};

use super::effects::Performer;
use super::*;
use crate::output::Outputs;
use crate::secrets::Secrets;
use crate::services::HostServices;

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(60);

/// A disk in memory that refuses as many of the next changes as it is told.
#[derive(Clone, Debug)]
struct Disk {
    bytes: Arc<InMemoryBackend>,
    refusals: Arc<AtomicU32>,
}

impl Disk {
    fn change(&self) -> io::Result<()> {
        let refused = self.refusals.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_ok();
        if refused { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        self.bytes.len()
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.bytes.read(offset, out)
    }
    fn set_len(&self, length: u64) -> io::Result<()> {
        self.change().and_then(|()| self.bytes.set_len(length))
    }
    fn sync_data(&self) -> io::Result<()> {
        self.change().and_then(|()| self.bytes.sync_data())
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.change().and_then(|()| self.bytes.write(offset, data))
    }
}

/// A job that fires at every start of the daemon. Its plugin is not there, so its runs end at once, as failed.
fn startup_job(now: Timestamp) -> Job {
    let spec = serde_json::json!({ "name": "a", "triggers": [{ "startup": true }], "action": { "use": "noop" } });
    Job {
        id: JobId::from_bits(7),
        namespace: "default".parse().unwrap(),
        revision: 1,
        spec: Arc::new(serde_json::from_value(spec).unwrap()),
        created_at: now,
        updated_at: now,
        scheduled_since: now,
        overlay: None,
    }
}

#[test]
fn the_fires_of_a_start_are_decided_on_again_after_a_failed_commit() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Disk { bytes: Arc::new(InMemoryBackend::new()), refusals: Arc::default() };
    let store: Arc<dyn Store> = Arc::new(
        RedbStore::open_with_backend(disk.clone(), &folder.path().join("output"), RedbOptions::default()).unwrap(),
    );
    let now = SystemClock.now();
    store.load().unwrap();
    let answers = store.commit(&[Batch::of(Write::PutJob(Arc::new(startup_job(now))))], now).unwrap();
    assert!(answers.iter().all(Result::is_ok));

    let (outputs, _) = Outputs::start(Arc::clone(&store)).unwrap();
    let secrets = Secrets::open(Arc::clone(&store), folder.path().join("secrets.key")).unwrap();
    let services = HostServices::new(
        Arc::clone(&store),
        Arc::clone(&outputs),
        Arc::new(secrets),
        None,
        None,
        ArtifactLimits::STANDARD,
    );
    let config = HostConfig {
        cache_dir: folder.path().join("cache"),
        key: [0; 32],
        max_concurrent: 1,
        runs_dir: folder.path().join("runs"),
        threads: 1,
    };
    let host = Host::new(config, services).unwrap();
    let (sender, inbox) = crossbeam_channel::bounded(16);
    let shared = Arc::new(Shared::default());
    let performer = Performer {
        host: Arc::clone(&host),
        outputs,
        shared: Arc::clone(&shared),
        inbox: sender.clone(),
        store: Arc::clone(&store),
    };
    let failed = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&failed);
    let done = move |group: Vec<sandglass_store::Committed<Payload>>| {
        count.fetch_add(group.iter().filter(|(_, answer)| answer.is_err()).count().try_into().unwrap(), SeqCst);
        performer.done(group);
    };
    let committer = Arc::new(Committer::spawn(Arc::clone(&store), Arc::new(SystemClock), done).unwrap());
    let options = Options::default();
    let shared_too = Arc::clone(&shared);
    let beginning = Beginning { options, committer, store: Arc::clone(&store), host, shared: shared_too, seed: 1 };
    let dispatcher = Dispatcher::begin(beginning, inbox).unwrap();

    let run = RunId::of_startup(JobId::from_bits(7), now);
    let ended = shared.when_ended(run);
    disk.refusals.store(1, SeqCst);
    sender.send(Inbound::Started(now)).unwrap();
    let looping = std::thread::spawn(move || dispatcher.run());
    let waiting = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    waiting.block_on(async { tokio::time::timeout(PATIENCE, ended).await }).expect("the run ends").unwrap();
    assert!(failed.load(SeqCst) > 0, "no commit failed, so nothing was shown");
    assert_eq!(store.run(run).unwrap().expect("it is over, and so in the store").state.name(), StateName::Failed);
    sender.send(Inbound::Shutdown).unwrap();
    looping.join().unwrap();
    // The same start is not taken for another one.
    assert_eq!(store.stats().unwrap().runs.total(), 1);
}
