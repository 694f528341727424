//! Who waits for the end of which run.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use sandglass_core::id::RunId;
use tokio::sync::oneshot;

/// Fewer runs than this are never looked through for followers that went away.
const LEAST_SWEEP: usize = 64;

/// Those who wait for the end of runs.
#[derive(Default)]
pub(super) struct Followers {
    waiting: Mutex<Waiting>,
    /// How many runs are followed, so that ends that nobody waits for cost no lock.
    runs: AtomicUsize,
}

#[derive(Default)]
struct Waiting {
    by_run: HashMap<RunId, Vec<oneshot::Sender<()>>>,
    /// When so many runs are followed, those whose followers have all gone away are forgotten.
    sweep_at: usize,
}

impl Followers {
    /// Resolves once the end of the run is told.
    pub(super) fn add(&self, run: RunId) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        let mut waiting = self.lock();
        waiting.sweep();
        let followers = waiting.by_run.entry(run).or_default();
        followers.retain(|sender| !sender.is_closed());
        followers.push(sender);
        self.runs.store(waiting.by_run.len(), Ordering::Release);
        receiver
    }

    /// Tells those who wait that the run is over.
    pub(super) fn tell(&self, run: RunId) {
        if self.runs.load(Ordering::Acquire) == 0 {
            return;
        }
        let mut waiting = self.lock();
        for sender in waiting.by_run.remove(&run).into_iter().flatten() {
            // A follower that went away needs no word.
            _ = sender.send(());
        }
        self.runs.store(waiting.by_run.len(), Ordering::Release);
    }

    /// Locks. A panic of another holder left nothing half done here: all changes are single calls.
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// Forgets the runs whose followers have all gone away, whenever there are twice as many runs as were left the last
    /// time: so each follower is looked at a few times in its life, however many there are.
    fn sweep(&mut self) {
        if self.by_run.len() < self.sweep_at.max(LEAST_SWEEP) {
            return;
        }
        self.by_run.retain(|_, followers| {
            followers.retain(|sender| !sender.is_closed());
            !followers.is_empty()
        });
        self.sweep_at = 2 * self.by_run.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_waits_is_told_once() {
        let followers = Followers::default();
        let (one, other) = (RunId::from_bits(1), RunId::from_bits(2));
        let mut waiting = [followers.add(one), followers.add(one), followers.add(other)];
        followers.tell(one);
        assert_eq!(waiting[0].try_recv(), Ok(()));
        assert_eq!(waiting[1].try_recv(), Ok(()));
        assert_eq!(waiting[2].try_recv(), Err(oneshot::error::TryRecvError::Empty));
        followers.tell(RunId::from_bits(3));
        followers.tell(other);
        assert_eq!(waiting[2].try_recv(), Ok(()));
        assert!(followers.lock().by_run.is_empty());
    }

    #[test]
    fn those_who_went_away_are_forgotten() {
        let followers = Followers::default();
        let kept = followers.add(RunId::from_bits(0));
        for run in 1..10_000 {
            drop(followers.add(RunId::from_bits(run)));
            assert!(followers.lock().by_run.len() <= LEAST_SWEEP);
        }
        followers.tell(RunId::from_bits(0));
        assert_eq!(kept.blocking_recv(), Ok(()));
    }
}
