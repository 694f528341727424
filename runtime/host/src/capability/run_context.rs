//! What run this is, how long it may take, and whether it should stop.

use std::sync::Arc;

use sandglass_core::invocation::CancelReason;
use sandglass_core::run::left_to_resume;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::{DynPollable, Pollable, subscribe};

use crate::attempt::Attempt;
use crate::bindings::run_context;
use crate::guest::Guest;

/// Ready once the attempt is asked to stop.
struct Cancelled(Arc<Attempt>);

#[wasmtime_wasi::async_trait]
impl Pollable for Cancelled {
    async fn ready(&mut self) {
        self.0.stop.asked().await;
    }
}

impl run_context::Host for Guest {
    fn get(&mut self) -> wasmtime::Result<run_context::RunInfo> {
        let attempt = &self.attempt;
        let micros = u64::try_from(attempt.scheduled_at.as_micros()).unwrap_or(0);
        let nanoseconds = u32::try_from(micros % 1_000_000 * 1000).expect("less than a second in nanoseconds");
        let trigger = attempt.origin.as_str();
        Ok(run_context::RunInfo {
            run_id: attempt.run.to_string(),
            job_id: attempt.work.job_id.to_string(),
            job_name: attempt.work.job.to_string(),
            owner: attempt.work.namespace.to_string(),
            attempt: attempt.number,
            idempotency_key: attempt.run.to_string(),
            trigger: trigger.to_owned(),
            scheduled_at: run_context::Datetime { seconds: micros / 1_000_000, nanoseconds },
            traceparent: None,
            labels: Vec::new(),
        })
    }

    fn resumes(&mut self) -> wasmtime::Result<Option<String>> {
        let Some(run) = self.attempt.resumes else { return Ok(None) };
        let result = match self.attempt.services.result_of(run) {
            Ok(result) => result,
            Err(why) => {
                tracing::warn!("{why}: the attempt begins from the beginning");
                None
            }
        };
        Ok(result.as_deref().and_then(left_to_resume).map(|left| left.to_string()))
    }

    fn remaining(&mut self) -> wasmtime::Result<Option<u64>> {
        Ok(Some(u64::try_from(self.attempt.remaining().as_nanos()).unwrap_or(u64::MAX)))
    }

    fn cancel_requested(&mut self) -> wasmtime::Result<Option<run_context::CancelReason>> {
        Ok(self.attempt.stop.reason().map(|reason| match reason {
            CancelReason::User | CancelReason::JobDeleted => run_context::CancelReason::User,
            CancelReason::Timeout => run_context::CancelReason::Timeout,
            CancelReason::Shutdown => run_context::CancelReason::Shutdown,
            CancelReason::Superseded => run_context::CancelReason::Superseded,
        }))
    }

    fn subscribe_cancel(&mut self) -> wasmtime::Result<Resource<DynPollable>> {
        let cancelled = self.table.push(Cancelled(Arc::clone(&self.attempt)))?;
        subscribe(&mut self.table, cancelled)
    }
}
