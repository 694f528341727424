use sandglass_core::batch::{Batch, Write};
use sandglass_core::id::Namespace;
use sandglass_core::job::Job;
use sandglass_core::output::{OutputChunk, OutputStream};
use sandglass_core::quantity::{ByteSize, Period};
use sandglass_core::run::{Ending, Gate, Origin, RunState, SkipReason};
use sandglass_store::{OutputPosition, RedbStore};

use super::*;

const JOB: JobId = JobId::from_bits(7);
const HOUR: u64 = 3600;

struct Place {
    store: Arc<dyn Store>,
    now: Timestamp,
}

impl Place {
    fn new(retention: Option<serde_json::Value>) -> Self {
        let store = Arc::new(RedbStore::in_memory().unwrap());
        store.load().unwrap();
        let place = Self { store, now: SystemClock.now() };
        let mut spec = serde_json::json!({ "name": "a", "action": { "use": "shell" } });
        spec["retention"] = retention.unwrap_or(serde_json::json!({}));
        place.write(Write::PutJob(Arc::new(Job {
            id: JOB,
            namespace: Namespace::default(),
            revision: 1,
            spec: Arc::new(serde_json::from_value(spec).unwrap()),
            created_at: place.now,
            updated_at: place.now,
            scheduled_since: place.now,
            overlay: None,
        })));
        place
    }

    fn write(&self, write: Write) {
        self.store.commit(&[Batch::of(write)], self.now).unwrap().remove(0).unwrap();
    }

    /// A run of so many hours ago that ended so.
    fn run(&self, hours: u64, origin: Origin, ending: Option<Ending>) -> RunId {
        let at = self.now.before(Duration::from_secs(hours * HOUR));
        let id = RunId::random(at, &mut fastrand::Rng::with_seed(hours));
        let over_at = if origin == Origin::Backfill { self.now } else { at };
        let run = Run {
            origin,
            trigger: Some(0),
            gate: Gate::Window,
            state: ending.map_or(RunState::Queued, |ending| RunState::Ended { ending, at: over_at }),
            ..Run::queued(id, Namespace::default(), JOB, "a".parse().unwrap(), at)
        };
        self.write(Write::InsertRun(Arc::new(run)));
        id
    }

    fn print(&self, run: RunId, bytes: usize) {
        let chunk = OutputChunk { attempt: 1, at: self.now, stream: OutputStream::Stdout, bytes: vec![b'x'; bytes] };
        self.store.append_output(run, &[chunk]).unwrap();
        self.store.close_output(run).unwrap();
    }

    fn has_output(&self, run: RunId) -> bool {
        !self.store.read_output(run, OutputPosition::START, 1).unwrap().chunks.is_empty()
    }

    async fn round(&self, defaults: Retention) -> Cleared {
        round(&self.store, defaults, &watch::channel(false).1).await.unwrap()
    }

    fn is_there(&self, run: RunId) -> bool {
        self.store.run(run).unwrap().is_some()
    }
}

#[tokio::test]
async fn of_too_many_runs_the_oldest_go() {
    let place = Place::new(Some(serde_json::json!({ "runs": 150 })));
    let skipped = Some(Ending::Skipped(SkipReason::Missed));
    let succeeded = place.run(600, Origin::Schedule, Some(Ending::Succeeded));
    let waiting = place.run(599, Origin::Schedule, None);
    let rest: Vec<RunId> = (0..500)
        .map(|hours| {
            let ending = if hours % 3 == 1 { skipped } else { Some(Ending::Failed) };
            place.run(hours, Origin::Schedule, ending)
        })
        .collect();
    let backfilled = place.run(550, Origin::Backfill, Some(Ending::Failed));
    assert_eq!(place.round(Retention::STANDARD).await, Cleared { runs: 350, outputs: 0 });
    assert!(rest.iter().enumerate().all(|(hours, run)| place.is_there(*run) == (hours < 150)));
    assert!(place.is_there(waiting), "a run that is not over stays");
    assert!(place.is_there(succeeded), "the last run that succeeded stays");
    assert!(place.is_there(backfilled), "what was made up for just now stays");
    assert_eq!(place.round(Retention::STANDARD).await, Cleared::default());
}

#[tokio::test]
async fn runs_of_age_go_with_their_output_also_of_a_deleted_job() {
    let place = Place::new(None);
    let hours = [1, 20, 30, 40];
    let runs = hours.map(|hours| place.run(hours, Origin::Schedule, Some(Ending::Failed)));
    runs.iter().for_each(|run| place.print(*run, 10));
    let backfilled = place.run(35, Origin::Backfill, Some(Ending::Succeeded));
    let defaults = Retention { age: Some(Period::from_secs(24 * HOUR)), ..Retention::STANDARD };
    assert_eq!(place.round(defaults).await.runs, 2);
    assert_eq!(runs.map(|run| place.is_there(run)), [true, true, false, false]);
    assert_eq!(runs.map(|run| place.has_output(run)), [true, true, false, false]);
    assert!(place.is_there(backfilled), "age counts from the end");
    let later = Retention { age: Some(Period::from_secs(HOUR / 2)), ..defaults };
    assert_eq!(place.round(later).await.runs, 1, "the last run and the last that succeeded stay");
    place.write(Write::DeleteJob { id: JOB, revision: 1 });
    assert_eq!(place.round(later).await.runs, 1);
    assert!(!place.is_there(runs[0]));
}

#[tokio::test]
async fn output_goes_by_size_and_age_and_its_runs_stay() {
    let place = Place::new(Some(serde_json::json!({ "size": "25KiB", "output_age": "30h" })));
    let runs = [1, 10, 20, 29, 31].map(|hours| place.run(hours, Origin::Schedule, Some(Ending::Succeeded)));
    let sizes = [10 << 10, 10 << 10, 10 << 10, 100, 100];
    runs.iter().zip(sizes).for_each(|(run, size)| place.print(*run, size));
    assert_eq!(place.round(Retention::STANDARD).await, Cleared { runs: 0, outputs: 3 });
    assert_eq!(runs.map(|run| place.has_output(run)), [true, true, false, false, false]);
    assert!(runs.iter().all(|run| place.is_there(*run)));
    let large = Place::new(None);
    let run = large.run(1, Origin::Schedule, Some(Ending::Succeeded));
    large.print(run, 10 << 10);
    let defaults = Retention { size: Some(ByteSize::from_bytes(1)), ..Retention::STANDARD };
    assert_eq!(large.round(defaults).await, Cleared::default(), "the latest output stays");
}
