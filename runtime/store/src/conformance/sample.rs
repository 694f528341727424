//! Things to store.

use std::sync::Arc;

use sandglass_core::batch::{Batch, Write};
use sandglass_core::capability::{Capability, CapabilityUses, Uses};
use sandglass_core::dependency::UpstreamRun;
use sandglass_core::id::{JobId, RunId};
use sandglass_core::job::Job;
use sandglass_core::notice::{Notice, NoticeEvent, NoticeKind, NoticeOwner};
use sandglass_core::run::{
    Attempt, AttemptEnd, AttemptError, AttemptOutcome, CancelCause, CancelRequest, Ending, ErrorClass, ExpiryReason,
    Gate, Missed, NoRetry, Origin, Rerun, Run, RunState, SkipReason, StateName, Usage,
};
use sandglass_core::time::Timestamp;

use crate::contract::Store;
use crate::error::{Conflict, ConflictKind};

pub(super) const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

pub(super) fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(1_800_000_000 + secs)
}

pub(super) fn job_id(number: u128) -> JobId {
    JobId::from_bits(number)
}

pub(super) fn job(number: u128, namespace: &str, name: &str) -> Job {
    let spec = serde_json::json!({
        "name": name,
        "timezone": "Europe/Berlin",
        "triggers": [{"every": "10m"}, {"at": "2026-12-24T18:00:00"}],
        "action": {"use": "shell", "with": {"command": "true", "ratio": 0.1, "nested": [1, {"a": null}]}},
        "retry": {"factor": 1.7},
    });
    Job {
        id: job_id(number),
        namespace: namespace.parse().unwrap(),
        revision: 1,
        spec: Arc::new(serde_json::from_value(spec).unwrap()),
        created_at: at(1),
        updated_at: at(2),
        scheduled_since: at(3),
        overlay: None,
    }
}

/// A queued run that sorts at `secs`.
pub(super) fn run(number: u128, job: &Job, secs: i64) -> Run {
    let millis = u128::try_from(at(secs).as_millis()).unwrap();
    Run {
        revision: job.revision,
        trigger: Some(0),
        gate: Gate::Window,
        ..Run::queued(
            RunId::from_bits(millis << 80 | number),
            job.namespace.clone(),
            job.id,
            job.spec.name.clone(),
            at(secs),
        )
    }
}

/// The next version of a run, in another state.
pub(super) fn moved(run: &Run, state: RunState) -> Run {
    Run { version: run.version + 1, state, ..run.clone() }
}

pub(super) fn ended(ending: Ending) -> RunState {
    RunState::Ended { ending, at: at(100) }
}

pub(super) const ENDINGS: [Ending; 17] = [
    Ending::Succeeded,
    Ending::Failed,
    Ending::TimedOut,
    Ending::Cancelled(CancelCause::User),
    Ending::Cancelled(CancelCause::Superseded),
    Ending::Cancelled(CancelCause::JobDeleted),
    Ending::Interrupted,
    Ending::Expired(ExpiryReason::OutsideWindow),
    Ending::Expired(ExpiryReason::StartDeadline),
    Ending::Expired(ExpiryReason::Deadline),
    Ending::Expired(ExpiryReason::Requires),
    Ending::Skipped(SkipReason::Missed),
    Ending::Skipped(SkipReason::Overlap),
    Ending::Skipped(SkipReason::OutsideWindow),
    Ending::Skipped(SkipReason::Calendar),
    Ending::Skipped(SkipReason::Paused),
    Ending::Skipped(SkipReason::Requires),
];

/// Runs that between them have every value that a field can have.
pub(super) fn every_kind(job: &Job) -> Vec<Run> {
    let states = [RunState::Queued, RunState::Running, RunState::RetryWait { until: at(77) }];
    let states = states.into_iter().chain(ENDINGS.map(ended));
    let mut runs: Vec<Run> = states.zip(0..).map(|(state, n)| Run { state, ..run(n, job, 0) }).collect();
    runs[0].origin = Origin::Manual;
    runs[0].trigger = None;
    runs[0].gate = Gate::Open;
    runs[1].origin = Origin::CatchUp;
    runs[1].trigger = Some(u16::MAX);
    runs[1].cancel = Some(CancelRequest { at: at(78), cause: CancelCause::Superseded });
    runs[1].gate = Gate::Turn;
    runs[2].origin = Origin::Backfill;
    runs[2].scheduled_at = Timestamp::from_micros(i64::MIN);
    runs[2].queued_at = Timestamp::MAX;
    runs[3].origin = Origin::Retry;
    runs[4].missed = Some(Missed { until: at(90), count: u64::MAX });
    runs[3].rerun_of = Some(Rerun { run: runs[4].id, resumes: true });
    runs[5].origin = Origin::Dependency;
    runs[5].upstream = StateName::ALL.into_iter().filter(|state| state.is_terminal()).map(upstream).collect();
    runs[6].late = Some(at(-1));
    let event = NoticeEvent::of_run(NoticeKind::TimedOut, &runs[5], at(5));
    let mut notice = Notice::new(NoticeOwner::Job(job.id), u16::MAX, event, Some(at(60)));
    notice.add(NoticeEvent::of_silence(job.spec.name.clone(), at(1), at(6)));
    runs[7].origin = Origin::Notification;
    runs[7].notice = Some(Box::new(notice));
    for (run, why) in runs.iter_mut().zip(NoRetry::ALL) {
        run.no_retry = Some(why);
    }
    runs[3].result = Some("{\"ä\": \"\\n\"}".to_owned());
    runs[4].result = Some(String::new());
    runs[4].revision = u64::MAX;
    let outcomes = [
        AttemptOutcome::Succeeded,
        AttemptOutcome::Failed,
        AttemptOutcome::TimedOut,
        AttemptOutcome::Cancelled,
        AttemptOutcome::Interrupted,
    ];
    let error = |class| AttemptError { class, code: "some-code".to_owned(), message: "was los?\n".to_owned() };
    let errors = ErrorClass::ALL.map(|class| Some(error(class))).into_iter().chain([None]);
    let codes = [None, Some(0), Some(1), Some(-1), Some(i32::MIN), Some(i32::MAX)];
    let ends = errors.zip(outcomes.into_iter().cycle()).zip(codes.into_iter().cycle());
    let attempts = ends.zip(1..).map(|(((error, outcome), exit_code), number)| Attempt {
        number,
        started_at: at(i64::from(number)),
        end: Some(AttemptEnd {
            finished_at: at(i64::from(number) - 3),
            outcome,
            error,
            exit_code,
            usage: Usage {
                fuel: u64::MAX,
                peak_memory_bytes: 1,
                wall_us: 2,
                guest_cpu_us: 3,
                output_bytes: u64::from(number),
                capabilities: every_capability(number),
            },
        }),
    });
    runs[5].attempts = attempts.collect();
    runs[5].attempts.push(Attempt { number: u32::MAX, started_at: at(9), end: None });
    runs
}

/// Every capability is used in one attempt, and some of them in others.
fn every_capability(attempt: u32) -> CapabilityUses {
    let mut uses = CapabilityUses::default();
    for (capability, number) in Capability::ALL.into_iter().zip(1..) {
        if attempt == 1 || attempt == number {
            uses[capability] = Uses { used: u32::MAX - number, denied: number / 3 };
        }
    }
    uses
}

/// A run of another job that ended so.
pub(super) fn upstream(state: StateName) -> UpstreamRun {
    UpstreamRun { job: "up".parse().unwrap(), run: RunId::from_bits(9), state, finished_at: at(-5) }
}

pub(super) fn insert(run: &Run) -> Write {
    Write::InsertRun(Arc::new(run.clone()))
}

pub(super) fn update(run: &Run) -> Write {
    Write::UpdateRun(Arc::new(run.clone()))
}

pub(super) fn put_job(job: &Job) -> Write {
    Write::PutJob(Arc::new(job.clone()))
}

/// Commits one batch.
pub(super) fn commit(store: &dyn Store, writes: Vec<Write>) -> Result<(), Conflict> {
    let mut answers = store.commit(&[Batch { writes }], NOW).unwrap();
    assert_eq!(answers.len(), 1);
    answers.remove(0)
}

/// Commits one batch that must be left out.
pub(super) fn conflict(store: &dyn Store, writes: Vec<Write>) -> ConflictKind {
    commit(store, writes).expect_err("the batch should have been left out").kind
}
