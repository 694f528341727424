//! The committing thread: order, groups, failures and their acknowledgement.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use sandglass_core::artifact::{Artifact, ArtifactName};
use sandglass_core::batch::{Batch, Write};
use sandglass_core::calendar::Calendar;
use sandglass_core::id::{
    CalendarName, Digest, JobId, JobName, Namespace, PluginName, RunId, SecretName, TargetGroupName, TargetName,
    TemplateName,
};
use sandglass_core::job_template::JobTemplate;
use sandglass_core::notice::NamespaceNotify;
use sandglass_core::output::OutputChunk;
use sandglass_core::plugin::Plugin;
use sandglass_core::run::Run;
use sandglass_core::secret::Secret;
use sandglass_core::target::{Target, TargetGroup};
use sandglass_core::time::{Clock, Timestamp};
use sandglass_store::{
    ArtifactStore, CommitError, Committer, Compacted, Conflict, ConflictKind, ContentError, FailureEpoch, JobPosition,
    KeptContent, OutputPage, OutputPosition, OutputStore, Page, Prune, Pruned, Reader, RunQuery, Snapshot, StateEntry,
    Stats, Store, StoreError, StoredJob,
};

/// A store that counts commits and fails when it is told to. Deleting job 0 is a conflict.
#[derive(Default)]
struct Fake {
    commits: AtomicUsize,
    batches: AtomicUsize,
    full: AtomicBool,
    /// Held by a test that wants commits to wait.
    gate: Mutex<()>,
}

impl Store for Fake {
    fn load(&self) -> Result<Snapshot, StoreError> {
        Ok(Snapshot::default())
    }

    fn commit(&self, batches: &[Batch], _: Timestamp) -> Result<Vec<Result<(), Conflict>>, StoreError> {
        let _passed = self.gate.lock().expect("no test panics while it holds the gate");
        if self.full.load(Ordering::SeqCst) {
            return Err(StoreError::Full(std::io::ErrorKind::StorageFull.into()));
        }
        self.commits.fetch_add(1, Ordering::SeqCst);
        self.batches.fetch_add(batches.len(), Ordering::SeqCst);
        let zero = JobId::from_bits(0);
        let conflict = || Err(Conflict { write: 0, kind: ConflictKind::NoJob(zero) });
        let bad = |batch: &Batch| matches!(batch.writes[..], [Write::DeleteJob { id, .. }] if id == zero);
        Ok(batches.iter().map(|batch| if bad(batch) { conflict() } else { Ok(()) }).collect())
    }

    fn prune(&self, _: &Prune, _: Timestamp, _: usize) -> Result<Pruned, StoreError> {
        Ok(Pruned::default())
    }

    fn compact(&self) -> Result<Compacted, StoreError> {
        Ok(Compacted::default())
    }

    fn check(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn close(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

impl Reader for Fake {
    fn run(&self, _: RunId) -> Result<Option<Arc<Run>>, StoreError> {
        Ok(None)
    }
    fn query(&self, _: &RunQuery) -> Result<Page<Arc<Run>, RunId>, StoreError> {
        Err(StoreError::Closed)
    }
    fn ended_ids(&self, _: &RunQuery) -> Result<Page<RunId, RunId>, StoreError> {
        Err(StoreError::Closed)
    }
    fn jobs_with_history(&self, _: Option<JobId>, _: usize) -> Result<Page<JobId, JobId>, StoreError> {
        Err(StoreError::Closed)
    }
    fn job(&self, _: JobId) -> Result<Option<StoredJob>, StoreError> {
        Ok(None)
    }
    fn job_named(&self, _: &Namespace, _: &JobName) -> Result<Option<StoredJob>, StoreError> {
        Ok(None)
    }
    fn jobs(
        &self,
        _: Option<&Namespace>,
        _: Option<&JobPosition>,
        _: usize,
    ) -> Result<Page<StoredJob, JobPosition>, StoreError> {
        Err(StoreError::Closed)
    }
    fn calendar(&self, _: &Namespace, _: &CalendarName) -> Result<Option<Arc<Calendar>>, StoreError> {
        Ok(None)
    }
    fn calendars(&self, _: &Namespace) -> Result<Vec<Arc<Calendar>>, StoreError> {
        Ok(Vec::new())
    }
    fn notify(&self, _: &Namespace) -> Result<Option<Arc<NamespaceNotify>>, StoreError> {
        Ok(None)
    }
    fn template(&self, _: &Namespace, _: &TemplateName) -> Result<Option<Arc<JobTemplate>>, StoreError> {
        Ok(None)
    }
    fn target(&self, _: &Namespace, _: &TargetName) -> Result<Option<Arc<Target>>, StoreError> {
        Ok(None)
    }
    fn targets(&self, _: &Namespace) -> Result<Vec<Arc<Target>>, StoreError> {
        Ok(Vec::new())
    }
    fn target_group(&self, _: &Namespace, _: &TargetGroupName) -> Result<Option<Arc<TargetGroup>>, StoreError> {
        Ok(None)
    }
    fn target_groups(&self, _: &Namespace) -> Result<Vec<Arc<TargetGroup>>, StoreError> {
        Ok(Vec::new())
    }
    fn templates(&self, _: &Namespace) -> Result<Vec<Arc<JobTemplate>>, StoreError> {
        Ok(Vec::new())
    }
    fn secret(&self, _: &Namespace, _: &SecretName) -> Result<Option<Arc<Secret>>, StoreError> {
        Ok(None)
    }
    fn secrets(&self, _: Option<&Namespace>) -> Result<Vec<Arc<Secret>>, StoreError> {
        Ok(Vec::new())
    }
    fn plugin(&self, _: &PluginName) -> Result<Option<Arc<Plugin>>, StoreError> {
        Ok(None)
    }
    fn plugins(&self) -> Result<Vec<Arc<Plugin>>, StoreError> {
        Ok(Vec::new())
    }
    fn component(&self, _: &Digest) -> Result<Option<Arc<[u8]>>, StoreError> {
        Ok(None)
    }
    fn state_entry(&self, _: JobId, _: &str, _: Timestamp) -> Result<Option<StateEntry>, StoreError> {
        Ok(None)
    }
    fn state_keys(
        &self,
        _: JobId,
        _: &str,
        _: Option<&str>,
        _: usize,
        _: Timestamp,
    ) -> Result<Page<String, String>, StoreError> {
        Err(StoreError::Closed)
    }
    fn stats(&self) -> Result<Stats, StoreError> {
        Ok(Stats::default())
    }
}

impl OutputStore for Fake {
    fn open_output(&self, _: RunId, _: u64) -> Result<(), StoreError> {
        Ok(())
    }
    fn append_output(&self, _: RunId, _: &[OutputChunk]) -> Result<(), StoreError> {
        Ok(())
    }
    fn read_output(&self, _: RunId, _: OutputPosition, _: usize) -> Result<OutputPage, StoreError> {
        Ok(OutputPage::default())
    }
    fn output_bytes(&self, _: RunId) -> Result<u64, StoreError> {
        Ok(0)
    }
    fn remove_output(&self, _: RunId) -> Result<(), StoreError> {
        Ok(())
    }
    fn close_output(&self, _: RunId) -> Result<(), StoreError> {
        Ok(())
    }
}

impl ArtifactStore for Fake {
    fn artifacts(&self, _: RunId) -> Result<Vec<Artifact>, StoreError> {
        Ok(Vec::new())
    }
    fn artifact(&self, _: RunId, _: &ArtifactName) -> Result<Option<Artifact>, StoreError> {
        Ok(None)
    }
    fn keep_content(&self, _: &mut dyn std::io::Read, _: u64) -> Result<KeptContent, ContentError> {
        Err(StoreError::Closed.into())
    }
    fn open_content(&self, _: &Digest) -> Result<Option<std::fs::File>, StoreError> {
        Ok(None)
    }
    fn release_content(&self, _: &Digest) -> Result<(), StoreError> {
        Ok(())
    }
}

struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::EPOCH
    }
}

type Answer = (u32, Result<(), CommitError>);

struct Bench {
    store: Arc<Fake>,
    committer: Committer<u32>,
    answers: mpsc::Receiver<Answer>,
}

impl Bench {
    fn new() -> Self {
        let store = Arc::new(Fake::default());
        let (sender, answers) = mpsc::channel();
        let done = move |group: Vec<Answer>| group.into_iter().for_each(|answer| drop(sender.send(answer)));
        let committer = Committer::spawn(store.clone(), Arc::new(Still), done).expect("a thread");
        Self { store, committer, answers }
    }

    fn submit(&self, numbers: std::ops::Range<u32>) {
        for number in numbers {
            self.committer.submit(delete(1), number).expect("the thread is there");
        }
    }

    fn next(&self) -> Answer {
        self.answers.recv_timeout(Duration::from_secs(20)).expect("an answer")
    }

    /// The epoch with which each of `numbers` comes back.
    fn failure(&self, numbers: std::ops::Range<u32>) -> FailureEpoch {
        let mut epochs: Vec<FailureEpoch> = numbers
            .map(|number| match self.next() {
                (found, Err(CommitError::Store { epoch, cause })) if found == number => {
                    assert!(matches!(*cause, StoreError::Full(_)));
                    epoch
                }
                other => panic!("{number} should have failed, but: {other:?}"),
            })
            .collect();
        epochs.dedup();
        assert_eq!(epochs.len(), 1);
        epochs[0]
    }

    fn success(&self, numbers: std::ops::Range<u32>) {
        for number in numbers {
            assert!(matches!(self.next(), (found, Ok(())) if found == number), "{number}");
        }
    }
}

fn delete(job: u128) -> Batch {
    Batch::of(Write::DeleteJob { id: JobId::from_bits(job), revision: 1 })
}

#[test]
fn what_queues_up_is_one_group_in_order() {
    let bench = Bench::new();
    let gate = bench.store.gate.lock().expect("a lock");
    bench.submit(0..1);
    bench.submit(1..500);
    bench.committer.submit(Batch::default(), 500).expect("the thread is there");
    bench.committer.submit(delete(0), 501).expect("the thread is there");
    bench.submit(502..510);
    drop(gate);
    bench.success(0..501);
    assert!(matches!(bench.next(), (501, Err(CommitError::Conflict(_)))));
    bench.success(502..510);
    assert_eq!(bench.store.batches.load(Ordering::SeqCst), 510);
    assert!(bench.store.commits.load(Ordering::SeqCst) <= 510);
}

#[test]
fn empty_batches_cost_no_commit() {
    let bench = Bench::new();
    for number in 0..10 {
        bench.committer.submit(Batch::default(), number).expect("the thread is there");
    }
    bench.success(0..10);
    assert_eq!(bench.store.commits.load(Ordering::SeqCst), 0);
}

#[test]
fn a_failure_lasts_until_it_is_acknowledged() {
    let bench = Bench::new();
    bench.submit(0..3);
    bench.success(0..3);
    bench.store.full.store(true, Ordering::SeqCst);
    bench.submit(3..6);
    let first = bench.failure(3..6);
    // There is space again, but what is submitted now builds on what never became durable.
    bench.store.full.store(false, Ordering::SeqCst);
    bench.submit(6..8);
    bench.committer.submit(Batch::default(), 8).expect("the thread is there");
    bench.committer.resume(first);
    bench.submit(9..12);
    assert_eq!(bench.failure(6..9), first);
    bench.success(9..12);
    assert_eq!(bench.store.batches.load(Ordering::SeqCst), 6);
    // To acknowledge the first failure again does not end a second one.
    bench.store.full.store(true, Ordering::SeqCst);
    bench.submit(12..13);
    let second = bench.failure(12..13);
    assert!(second > first);
    bench.store.full.store(false, Ordering::SeqCst);
    bench.committer.resume(first);
    bench.submit(13..14);
    assert_eq!(bench.failure(13..14), second);
    bench.committer.resume(second);
    bench.submit(14..15);
    bench.success(14..15);
}

#[test]
fn dropping_commits_what_is_queued() {
    let bench = Bench::new();
    let gate = bench.store.gate.lock().expect("a lock");
    bench.submit(0..3000);
    drop(gate);
    let Bench { store, committer, answers } = bench;
    drop(committer);
    assert_eq!(answers.iter().filter(|(_, answer)| answer.is_ok()).count(), 3000);
    let commits = store.commits.load(Ordering::SeqCst);
    assert!((3..=5).contains(&commits), "{commits} commits for what had queued up");
}
