//! How a run is written.
//!
//! What comparisons and searches need comes first, at fixed places, so that they need not read the whole row:
//!
//! | bytes | what |
//! |---|---|
//! | 0 | format of the row |
//! | 1 | number of the state |
//! | 2..6 | version |
//! | 6..22 | job |
//! | 22 | origin |
//! | 23.. | namespace (length and text), then the rest as [`encode`] writes it |
//!
//! The numbers of states, origins and so on are fixed for good: they are in stores that must be readable years later.

use std::sync::Arc;

use sandglass_core::capability::{Capability, CapabilityUses, Uses};
use sandglass_core::dependency::UpstreamRun;
use sandglass_core::id::{JobId, RunId};
use sandglass_core::run::{
    Attempt, AttemptEnd, AttemptError, AttemptOutcome, CancelCause, CancelRequest, Ending, ErrorClass, ExpiryReason,
    Gate, Missed, NoRetry, Origin, Rerun, Run, RunState, SkipReason, StateName, Usage,
};
use sandglass_core::time::Timestamp;

use super::codec::{Decoder, Encoder};
use crate::error::StoreError;

const FORMAT: u8 = 9;
/// More attempts than a run can have; a row that claims more is damaged.
const MAX_ATTEMPTS: usize = 100_000;
/// More upstream runs than a run can have; a row that claims more is damaged.
const MAX_RUN_UPSTREAMS: usize = 10_000;

/// The number of a state in rows and indexes.
pub(super) const fn state_number(state: StateName) -> u8 {
    match state {
        StateName::Queued => 0,
        StateName::Running => 1,
        StateName::RetryWait => 2,
        StateName::Succeeded => 3,
        StateName::Failed => 4,
        StateName::TimedOut => 5,
        StateName::Cancelled => 6,
        StateName::Interrupted => 7,
        StateName::Expired => 8,
        StateName::Skipped => 9,
    }
}

const fn origin_number(origin: Origin) -> u8 {
    match origin {
        Origin::Schedule => 0,
        Origin::Manual => 1,
        Origin::CatchUp => 2,
        Origin::Backfill => 3,
        Origin::Retry => 4,
        Origin::Notification => 5,
        Origin::Dependency => 6,
    }
}

fn origin_of(number: u8) -> Option<Origin> {
    Origin::ALL.into_iter().find(|origin| origin_number(*origin) == number)
}

fn state_of(number: u8) -> Option<StateName> {
    StateName::ALL.into_iter().find(|state| state_number(*state) == number)
}

/// The beginning of a row.
pub(super) struct Head<'a> {
    pub(super) state: StateName,
    pub(super) version: u32,
    pub(super) job: JobId,
    pub(super) origin: Origin,
    pub(super) namespace: &'a str,
}

/// Reads the beginning of a row.
pub(super) fn head(row: &[u8]) -> Result<Head<'_>, StoreError> {
    read_head(&mut Decoder::new(row, "run", FORMAT)?)
}

fn read_head<'a>(decoder: &mut Decoder<'a>) -> Result<Head<'a>, StoreError> {
    let state = decoder.byte()?;
    let state = state_of(state).ok_or_else(|| decoder.wrong(&format!("has the unknown state {state}")))?;
    let version = u32::from_le_bytes(decoder.array()?);
    let job = JobId::from_bytes(decoder.array()?);
    let origin = decoder.byte()?;
    let origin = origin_of(origin).ok_or_else(|| decoder.wrong(&format!("has the unknown origin {origin}")))?;
    Ok(Head { state, version, job, origin, namespace: decoder.text()? })
}

pub(super) fn encode(run: &Run) -> Vec<u8> {
    let mut row = Encoder::new(FORMAT);
    row.byte(state_number(run.state.name()));
    row.raw(&run.version.to_le_bytes());
    row.raw(&run.job_id.to_bytes());
    row.byte(origin_number(run.origin));
    row.text(run.namespace.as_str());
    row.text(run.job.as_str());
    row.number(run.revision);
    row.option(run.trigger, |row, trigger| row.number(u64::from(trigger)));
    row.instant(run.scheduled_at);
    row.instant_from(run.scheduled_at, run.queued_at);
    row.byte(match run.gate {
        Gate::Open => 0,
        Gate::Window => 1,
        Gate::Turn => 2,
    });
    match run.state {
        RunState::Queued | RunState::Running => {}
        RunState::RetryWait { until } => row.instant_from(run.queued_at, until),
        RunState::Ended { ending, at } => {
            row.instant_from(run.queued_at, at);
            match ending {
                Ending::Skipped(reason) => row.byte(skip_number(reason)),
                Ending::Expired(reason) => row.byte(expiry_number(reason)),
                Ending::Cancelled(cause) => row.byte(cause_number(cause)),
                _ => {}
            }
        }
    }
    row.number(run.attempts.len() as u64);
    for attempt in &run.attempts {
        encode_attempt(&mut row, run.queued_at, attempt);
    }
    row.option(run.result.as_deref(), Encoder::text);
    row.option(run.cancel, |row, CancelRequest { at, cause }| {
        row.instant_from(run.queued_at, at);
        row.byte(cause_number(cause));
    });
    row.option(run.rerun_of, |row, rerun| {
        row.raw(&rerun.run.to_bytes());
        row.byte(u8::from(rerun.resumes));
    });
    row.byte(run.no_retry.map_or(0, no_retry_number));
    row.option(run.missed, |row, missed| {
        row.instant_from(run.scheduled_at, missed.until);
        row.number(missed.count);
    });
    row.option(run.params.as_ref(), |row, params| {
        row.text(&serde_json::to_string(&**params).expect("a JSON object is always writable"));
    });
    row.option(run.late, |row, at| row.instant_from(run.scheduled_at, at));
    row.option(run.notice.as_ref(), |row, notice| {
        row.text(&serde_json::to_string(notice).expect("a notice has only text keys"));
    });
    row.number(run.upstream.len() as u64);
    run.upstream.iter().for_each(|upstream| encode_upstream(&mut row, run.queued_at, upstream));
    row.finish()
}

/// A run of another job; instants count from `from`.
pub(super) fn encode_upstream(row: &mut Encoder, from: Timestamp, upstream: &UpstreamRun) {
    row.text(upstream.job.as_str());
    row.raw(&upstream.run.to_bytes());
    row.byte(state_number(upstream.state));
    row.instant_from(from, upstream.finished_at);
}

/// The opposite of [`encode_upstream`].
pub(super) fn decode_upstream(row: &mut Decoder<'_>, from: Timestamp) -> Result<UpstreamRun, StoreError> {
    let job = row.parsed()?;
    let run = row.array().map(RunId::from_bytes)?;
    let number = row.byte()?;
    let state = state_of(number).filter(|state| state.is_terminal());
    let state = state.ok_or_else(|| row.wrong(&format!("has an upstream run in state {number}")))?;
    Ok(UpstreamRun { job, run, state, finished_at: row.instant_from(from)? })
}

fn encode_attempt(row: &mut Encoder, queued_at: Timestamp, attempt: &Attempt) {
    row.number(u64::from(attempt.number));
    row.instant_from(queued_at, attempt.started_at);
    row.option(attempt.end.as_ref(), |row, end| {
        row.instant_from(attempt.started_at, end.finished_at);
        row.byte(match end.outcome {
            AttemptOutcome::Succeeded => 0,
            AttemptOutcome::Failed => 1,
            AttemptOutcome::TimedOut => 2,
            AttemptOutcome::Cancelled => 3,
            AttemptOutcome::Interrupted => 4,
        });
        row.option(end.error.as_ref(), |row, error| {
            row.byte(class_number(error.class));
            row.text(&error.code);
            row.text(&error.message);
        });
        row.option(end.exit_code, |row, code| row.signed(i64::from(code)));
        let Usage { fuel, peak_memory_bytes, wall_us, guest_cpu_us, output_bytes, capabilities } = end.usage;
        for number in [fuel, peak_memory_bytes, wall_us, guest_cpu_us, output_bytes] {
            row.number(number);
        }
        encode_uses(row, &capabilities);
    });
}

/// Only those that were used or refused.
fn encode_uses(row: &mut Encoder, capabilities: &CapabilityUses) {
    row.number(capabilities.counted().count() as u64);
    for (capability, Uses { used, denied }) in capabilities.counted() {
        row.byte(capability_number(capability));
        row.number(u64::from(used));
        row.number(u64::from(denied));
    }
}

/// The opposite of [`encode_uses`].
fn decode_uses(row: &mut Decoder<'_>) -> Result<CapabilityUses, StoreError> {
    let count: usize = row.small()?;
    if count > Capability::ALL.len() {
        return Err(row.wrong(&format!("claims {count} capabilities")));
    }
    let mut uses = CapabilityUses::default();
    for _ in 0..count {
        let number = row.byte()?;
        let capability = Capability::ALL.into_iter().find(|capability| capability_number(*capability) == number);
        let capability = capability.ok_or_else(|| row.wrong(&format!("has the unknown capability {number}")))?;
        uses[capability] = Uses { used: row.small()?, denied: row.small()? };
    }
    Ok(uses)
}

const fn skip_number(reason: SkipReason) -> u8 {
    match reason {
        SkipReason::Missed => 0,
        SkipReason::Overlap => 1,
        SkipReason::OutsideWindow => 2,
        SkipReason::Calendar => 3,
        SkipReason::Paused => 4,
        SkipReason::Requires => 5,
    }
}

const fn expiry_number(reason: ExpiryReason) -> u8 {
    match reason {
        ExpiryReason::OutsideWindow => 0,
        ExpiryReason::StartDeadline => 1,
        ExpiryReason::Deadline => 2,
        ExpiryReason::Requires => 3,
    }
}

const fn cause_number(cause: CancelCause) -> u8 {
    match cause {
        CancelCause::User => 0,
        CancelCause::Superseded => 1,
        CancelCause::JobDeleted => 2,
    }
}

/// From 1: 0 stands for none.
const fn no_retry_number(why: NoRetry) -> u8 {
    match why {
        NoRetry::Attempts => 1,
        NoRetry::Outcome => 2,
        NoRetry::ExitCode => 3,
        NoRetry::Elapsed => 4,
        NoRetry::Advice => 5,
        NoRetry::CancelRequested => 6,
        NoRetry::JobDeleted => 7,
        NoRetry::Deadline => 8,
    }
}

const fn capability_number(capability: Capability) -> u8 {
    match capability {
        Capability::Process => 0,
        Capability::Http => 1,
        Capability::Files => 2,
        Capability::Docker => 3,
        Capability::Remote => 4,
        Capability::Secrets => 5,
        Capability::Reveal => 6,
        Capability::State => 7,
        Capability::Mail => 8,
        Capability::Artifacts => 9,
    }
}

const fn class_number(class: ErrorClass) -> u8 {
    match class {
        ErrorClass::Exit => 0,
        ErrorClass::Denied => 1,
        ErrorClass::Fuel => 2,
        ErrorClass::Deadline => 3,
        ErrorClass::Memory => 4,
        ErrorClass::Stack => 5,
        ErrorClass::Trap => 6,
        ErrorClass::Guest => 7,
        ErrorClass::Lost => 8,
    }
}

pub(super) fn decode(id: RunId, bytes: &[u8]) -> Result<Run, StoreError> {
    let mut row = Decoder::new(bytes, "run", FORMAT)?;
    let head = read_head(&mut row)?;
    let namespace = head.namespace.parse().map_err(|_| row.wrong("has an invalid namespace"))?;
    let job = row.parsed()?;
    let revision = row.number()?;
    let trigger = row.option(Decoder::small)?;
    let scheduled_at = row.instant()?;
    let queued_at = row.instant_from(scheduled_at)?;
    let gate = match row.byte()? {
        0 => Gate::Open,
        1 => Gate::Window,
        2 => Gate::Turn,
        other => return Err(row.wrong(&format!("has the unknown gate {other}"))),
    };
    let state = decode_state(&mut row, head.state, queued_at)?;
    let count: usize = row.small()?;
    if count > MAX_ATTEMPTS {
        return Err(row.wrong(&format!("claims {count} attempts")));
    }
    let attempts = (0..count).map(|_| decode_attempt(&mut row, queued_at)).collect::<Result<_, _>>()?;
    let result = row.option(Decoder::text)?.map(str::to_owned);
    let cancel = row.option(|row| Ok(CancelRequest { at: row.instant_from(queued_at)?, cause: decode_cause(row)? }))?;
    let rerun_of = row.option(|row| Ok(Rerun { run: RunId::from_bytes(row.array()?), resumes: row.byte()? != 0 }))?;
    let no_retry = match row.byte()? {
        0 => None,
        number => {
            let found = NoRetry::ALL.into_iter().find(|why| no_retry_number(*why) == number);
            Some(found.ok_or_else(|| row.wrong(&format!("has the unknown reason {number} against another attempt")))?)
        }
    };
    let missed = row.option(|row| Ok(Missed { until: row.instant_from(scheduled_at)?, count: row.number()? }))?;
    let params = row.option(|row| {
        let params = serde_json::from_str(row.text()?);
        params.map(Arc::new).map_err(|_| row.wrong("has parameters that are no JSON object"))
    })?;
    let late = row.option(|row| row.instant_from(scheduled_at))?;
    let notice = row.option(|row| {
        let notice = serde_json::from_str(row.text()?);
        notice.map(Box::new).map_err(|_| row.wrong("tells something that cannot be read"))
    })?;
    let count: usize = row.small()?;
    if count > MAX_RUN_UPSTREAMS {
        return Err(row.wrong(&format!("claims {count} upstream runs")));
    }
    let upstream = (0..count).map(|_| decode_upstream(&mut row, queued_at)).collect::<Result<_, _>>()?;
    row.end()?;
    Ok(Run {
        id,
        version: head.version,
        namespace,
        job_id: head.job,
        job,
        revision,
        origin: head.origin,
        trigger,
        rerun_of,
        missed,
        scheduled_at,
        upstream,
        params,
        queued_at,
        gate,
        state,
        cancel,
        attempts,
        no_retry,
        result,
        late,
        notice,
    })
}

fn decode_state(row: &mut Decoder<'_>, name: StateName, queued_at: Timestamp) -> Result<RunState, StoreError> {
    let ended = |row: &mut Decoder<'_>, ending| Ok(RunState::Ended { ending, at: row.instant_from(queued_at)? });
    match name {
        StateName::Queued => Ok(RunState::Queued),
        StateName::Running => Ok(RunState::Running),
        StateName::RetryWait => Ok(RunState::RetryWait { until: row.instant_from(queued_at)? }),
        StateName::Succeeded => ended(row, Ending::Succeeded),
        StateName::Failed => ended(row, Ending::Failed),
        StateName::TimedOut => ended(row, Ending::TimedOut),
        StateName::Cancelled => {
            let at = row.instant_from(queued_at)?;
            Ok(RunState::Ended { ending: Ending::Cancelled(decode_cause(row)?), at })
        }
        StateName::Interrupted => ended(row, Ending::Interrupted),
        StateName::Expired => {
            let at = row.instant_from(queued_at)?;
            let number = row.byte()?;
            let reason = ExpiryReason::ALL.into_iter().find(|reason| expiry_number(*reason) == number);
            let reason = reason.ok_or_else(|| row.wrong(&format!("has the unknown reason {number}")))?;
            Ok(RunState::Ended { ending: Ending::Expired(reason), at })
        }
        StateName::Skipped => {
            let at = row.instant_from(queued_at)?;
            let number = row.byte()?;
            let reason = SkipReason::ALL.into_iter().find(|reason| skip_number(*reason) == number);
            let reason = reason.ok_or_else(|| row.wrong(&format!("has the unknown reason {number}")))?;
            Ok(RunState::Ended { ending: Ending::Skipped(reason), at })
        }
    }
}

fn decode_cause(row: &mut Decoder<'_>) -> Result<CancelCause, StoreError> {
    let number = row.byte()?;
    let cause = CancelCause::ALL.into_iter().find(|cause| cause_number(*cause) == number);
    cause.ok_or_else(|| row.wrong(&format!("has the unknown cause {number}")))
}

fn decode_attempt(row: &mut Decoder<'_>, queued_at: Timestamp) -> Result<Attempt, StoreError> {
    let number = row.small()?;
    let started_at = row.instant_from(queued_at)?;
    let end = row.option(|row| {
        let finished_at = row.instant_from(started_at)?;
        let outcome = match row.byte()? {
            0 => AttemptOutcome::Succeeded,
            1 => AttemptOutcome::Failed,
            2 => AttemptOutcome::TimedOut,
            3 => AttemptOutcome::Cancelled,
            4 => AttemptOutcome::Interrupted,
            other => return Err(row.wrong(&format!("has the unknown outcome {other}"))),
        };
        let error = row.option(|row| {
            let number = row.byte()?;
            let class = ErrorClass::ALL.into_iter().find(|class| class_number(*class) == number);
            let class = class.ok_or_else(|| row.wrong(&format!("has the unknown error class {number}")))?;
            Ok(AttemptError { class, code: row.text()?.to_owned(), message: row.text()?.to_owned() })
        })?;
        let exit_code = row.option(|row| {
            let code = row.signed()?;
            i32::try_from(code).map_err(|_| row.wrong("has an exit code that is too large"))
        })?;
        let usage = Usage {
            fuel: row.number()?,
            peak_memory_bytes: row.number()?,
            wall_us: row.number()?,
            guest_cpu_us: row.number()?,
            output_bytes: row.number()?,
            capabilities: decode_uses(row)?,
        };
        Ok(AttemptEnd { finished_at, outcome, error, exit_code, usage })
    })?;
    Ok(Attempt { number, started_at, end })
}
