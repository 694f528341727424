//! Small key-value state of the job, across its runs.

use std::time::Duration;

use sandglass_core::capability::Capability;

use super::{CallError, CallResult, Gated};
use crate::bindings::state;
use crate::bindings::types::ErrorCode;
use crate::guest::Guest;
use crate::services::{BoxFuture, StateError, StateExpectation};

/// The most that a key may have, in bytes.
const KEY: usize = 512;
/// The most that a value may have, in bytes.
const VALUE: usize = 1 << 20;
/// The most keys that one call gives.
const PAGE: u32 = 1000;

impl Guest {
    /// The rule for every call: granted, and ended early if the run is asked to stop meanwhile.
    async fn state_call<T>(&mut self, call: BoxFuture<'static, Result<T, StateError>>) -> CallResult<T> {
        let attempt = &self.attempt;
        let already = attempt.stop.reason().is_some();
        // A run that is stopping may still note how far it came; only what began before is cut short.
        let answer = if already { Some(call.await) } else { attempt.unless_stopped(call).await };
        match answer.ok_or_else(CallError::cancelled)? {
            Ok(value) => {
                attempt.used(Capability::State);
                Ok(value)
            }
            Err(error @ StateError::Conflict) => Err(CallError::new(ErrorCode::Conflict, error.to_string())),
            Err(error @ StateError::Full(_)) => Err(CallError::new(ErrorCode::LimitExceeded, error.to_string())),
            Err(error @ StateError::Unavailable(_)) => Err(CallError::new(ErrorCode::Unavailable, error.to_string())),
        }
    }

    /// Guests that are only asked about themselves have the interface but not the grant.
    fn may_use_state(&self) -> CallResult<()> {
        let gated = Gated { state: true, ..Gated::default() }.check(&self.attempt.work.grants);
        gated.map_err(|(capability, denial)| self.attempt.refused(capability, &denial))
    }

    /// What may be read may not always be changed.
    fn may_change(&self, key: &str) -> CallResult<()> {
        self.key(key)?;
        let acting = self.attempt.work.grants.acting(|| format!("changing the state's key {}", key.escape_debug()));
        acting.map_err(|denial| self.attempt.refused(Capability::State, &denial))
    }

    fn key(&self, key: &str) -> CallResult<()> {
        self.may_use_state()?;
        if key.is_empty() || key.len() > KEY {
            return Err(CallError::new(ErrorCode::InvalidArgument, format!("a key has 1 to {KEY} bytes")));
        }
        Ok(())
    }
}

fn expectation(expect: state::Expectation) -> StateExpectation {
    match expect {
        state::Expectation::Anything => StateExpectation::Anything,
        state::Expectation::Absent => StateExpectation::Absent,
        state::Expectation::At(revision) => StateExpectation::At(revision),
    }
}

impl state::Host for Guest {
    async fn get(&mut self, key: String) -> CallResult<Option<state::Entry>> {
        self.key(&key)?;
        let call = self.attempt.services.state_get(self.attempt.work.job_id, key);
        let entry = self.state_call(call).await?;
        Ok(entry.map(|entry| state::Entry { value: entry.value, revision: entry.revision }))
    }

    async fn set(
        &mut self,
        key: String,
        value: Vec<u8>,
        expect: state::Expectation,
        ttl: Option<u64>,
    ) -> CallResult<u64> {
        self.may_change(&key)?;
        if value.len() > VALUE {
            return Err(CallError::new(ErrorCode::LimitExceeded, format!("a value has at most {VALUE} bytes")));
        }
        let ttl = ttl.map(Duration::from_nanos);
        let call = self.attempt.services.state_set(self.attempt.work.job_id, key, value, expectation(expect), ttl);
        self.state_call(call).await
    }

    async fn delete(&mut self, key: String, expect: state::Expectation) -> CallResult<()> {
        self.may_change(&key)?;
        let call = self.attempt.services.state_delete(self.attempt.work.job_id, key, expectation(expect));
        self.state_call(call).await
    }

    async fn keys(&mut self, prefix: String, cursor: Option<String>, limit: u32) -> CallResult<state::Page> {
        self.may_use_state()?;
        let long = |text: &str| text.len() > KEY;
        if long(&prefix) || cursor.as_deref().is_some_and(long) {
            return Err(CallError::new(ErrorCode::InvalidArgument, format!("a prefix has at most {KEY} bytes")));
        }
        let limit = limit.clamp(1, PAGE);
        let call = self.attempt.services.state_keys(self.attempt.work.job_id, prefix, cursor, limit);
        let page = self.state_call(call).await?;
        Ok(state::Page { keys: page.keys, cursor: page.cursor })
    }
}
