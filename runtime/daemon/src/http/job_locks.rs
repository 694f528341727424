//! Locks that each belong to one job.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use sandglass_core::id::JobId;
use tokio::sync::OwnedMutexGuard;

/// A lock for every job that somebody holds or waits for, and for no other.
#[derive(Default)]
pub(crate) struct JobLocks(Mutex<HashMap<JobId, Weak<tokio::sync::Mutex<()>>>>);

impl JobLocks {
    /// Waits for the job's lock. It is free again when what is returned is dropped.
    pub(super) async fn lock(&self, job: JobId) -> OwnedMutexGuard<()> {
        self.of(job).lock_owned().await
    }

    fn of(&self, job: JobId) -> Arc<tokio::sync::Mutex<()>> {
        // Nothing that could panic half-way is done while the map is held.
        let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lock) = locks.get(&job).and_then(Weak::upgrade) {
            return lock;
        }
        locks.retain(|_, lock| lock.strong_count() > 0);
        let lock = Arc::default();
        locks.insert(job, Arc::downgrade(&lock));
        lock
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sandglass_core::time::Timestamp;

    #[tokio::test]
    async fn a_lock_is_held_for_its_job_alone_and_forgotten_when_it_is_free() {
        let locks = JobLocks::default();
        let mut rng = fastrand::Rng::with_seed(1);
        let [one, other] = [(); 2].map(|()| JobId::random(Timestamp::EPOCH, &mut rng));
        let held = locks.lock(one).await;
        assert!(locks.of(one).try_lock().is_err());
        drop(locks.lock(other).await);
        drop(held);
        drop(locks.lock(one).await);
        assert_eq!(locks.0.lock().unwrap().len(), 1);
    }
}
