//! Entries of jobs' state that have expired. Reads pass over them, so nobody waits for it; but they count as kept until
//! they are forgotten.

use sandglass_core::time::Clock as _;
use sandglass_store::{Prune, Store, StoreError};

use crate::clock::SystemClock;

/// Forgets all that has expired, a part in each transaction, so that writes of runs get their turn between.
pub(super) fn forget_expired(store: &dyn Store) -> Result<usize, StoreError> {
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
    use std::sync::Arc;

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
            overlay: None,
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
