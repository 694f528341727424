//! What is cleared away in the background: entries of jobs' state that have expired.

use std::sync::Arc;
use std::time::Duration;

use sandglass_core::time::Clock;
use sandglass_store::{Prune, Store, StoreError};
use tokio::sync::watch;

use crate::clock::SystemClock;

/// How often it is looked for. Reads pass over what has expired, so nobody waits for it; but it counts as kept until then.
const EVERY: Duration = Duration::from_secs(60);

/// Clears away until the daemon is stopping.
pub(crate) async fn run(store: Arc<dyn Store>, mut stopping: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            _ = stopping.wait_for(|stopping| *stopping) => return,
            () = tokio::time::sleep(EVERY) => {}
        }
        let store = Arc::clone(&store);
        let forgotten = tokio::task::spawn_blocking(move || forget_expired(store.as_ref())).await;
        match forgotten {
            Ok(Err(error)) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "expired state of jobs stays for now");
            }
            Ok(Ok(count)) if count > 0 => tracing::debug!(count, "expired state of jobs was forgotten"),
            // A panic was reported when it happened.
            _ => {}
        }
    }
}

/// Forgets all that has expired, a part in each transaction, so that writes of runs get their turn between.
fn forget_expired(store: &dyn Store) -> Result<usize, StoreError> {
    let mut count = 0;
    loop {
        let pruned = store.prune(&Prune::Runs(Vec::new()), SystemClock.now(), 0)?;
        if pruned.expired == 0 {
            return Ok(count);
        }
        count += pruned.expired;
    }
}

#[cfg(test)]
mod tests {
    use sandglass_core::batch::{Batch, Expectation, Write};
    use sandglass_core::id::{JobId, Namespace};
    use sandglass_core::job::Job;
    use sandglass_core::time::Timestamp;
    use sandglass_store::{Reader as _, RedbStore};

    use super::*;

    const JOB: JobId = JobId::from_bits(7);

    fn put(key: &str, expires_at: Option<Timestamp>) -> Write {
        let (key, expect) = (key.to_owned(), Expectation::Anything);
        Write::PutState { job: JOB, key, value: Vec::new(), expect, expires_at }
    }

    #[test]
    fn all_that_has_expired_is_forgotten_and_nothing_else() {
        let store = RedbStore::in_memory().unwrap();
        store.load().unwrap();
        let at = Timestamp::from_secs(1_800_000_000);
        let job = Job {
            id: JOB,
            namespace: Namespace::default(),
            revision: 1,
            spec: Arc::new(
                serde_json::from_value(serde_json::json!({ "name": "a", "action": { "use": "shell" } })).unwrap(),
            ),
            created_at: at,
            updated_at: at,
            scheduled_since: at,
        };
        let expired = (0..2500).map(|number| put(&number.to_string(), Some(Timestamp::from_secs(1))));
        let kept = [put("kept", None), put("later", Some(Timestamp::from_secs(100_000_000_000)))];
        let writes = [Write::PutJob(Arc::new(job))].into_iter().chain(expired).chain(kept).collect();
        store.commit(&[Batch { writes }], Timestamp::EPOCH).unwrap().remove(0).unwrap();
        assert_eq!(forget_expired(&store).unwrap(), 2500);
        assert_eq!(store.state_keys(JOB, "", None, 9, Timestamp::EPOCH).unwrap().items, ["kept", "later"]);
        assert_eq!(forget_expired(&store).unwrap(), 0);
    }
}
