//! Runs and output that were kept long enough, by what each job and the configuration say.
//!
//! History is looked through job by job, in the index alone; the rows of runs are read only where the index says that they
//! may go. They go in small transactions with pauses between, so that a run that starts meanwhile waits for one of them
//! at most.

use std::collections::BTreeSet;
use std::ops::AddAssign;
use std::sync::Arc;
use std::time::Duration;

use sandglass_core::id::{JobId, RunId};
use sandglass_core::run::{Run, StateName};
use sandglass_core::spec::Retention;
use sandglass_core::time::{Clock as _, Timestamp};
use sandglass_store::query::MAX_PAGE;
use sandglass_store::{Order, Prune, RunQuery, Store, StoreError};
use tokio::sync::watch;

use super::off_the_loop;
use crate::clock::SystemClock;

/// Runs that are removed in one transaction: a few milliseconds' worth.
const PER_TRANSACTION: usize = 100;
/// The shortest pause after a transaction; one that took longer is followed by a pause as long as it took.
const LEAST_PAUSE: Duration = Duration::from_millis(2);
/// What was removed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Cleared {
    pub(super) runs: usize,
    /// Output of runs that stay.
    pub(super) outputs: usize,
}

impl AddAssign for Cleared {
    fn add_assign(&mut self, other: Self) {
        self.runs += other.runs;
        self.outputs += other.outputs;
    }
}

/// Looks once through the history of all jobs, also of those that were deleted; for these `defaults` hold. Ends early if
/// the daemon is stopping.
pub(super) async fn round(
    store: &Arc<dyn Store>,
    defaults: Retention,
    stopping: &watch::Receiver<bool>,
) -> Result<Cleared, StoreError> {
    let mut cleared = Cleared::default();
    let mut after = None;
    loop {
        let page = off_the_loop(store, move |store| store.jobs_with_history(after, MAX_PAGE)).await?;
        for job in page.items {
            cleared += of_job(store, defaults, job, stopping).await?;
            if *stopping.borrow() {
                return Ok(cleared);
            }
        }
        after = page.next;
        if after.is_none() {
            return Ok(cleared);
        }
    }
}

async fn of_job(
    store: &Arc<dyn Store>,
    defaults: Retention,
    job: JobId,
    stopping: &watch::Receiver<bool>,
) -> Result<Cleared, StoreError> {
    let bounds = off_the_loop(store, move |store| Bounds::of(store, job, defaults)).await?;
    let mut cleared = Cleared::default();
    let mut after = None;
    while !*stopping.borrow() {
        let asked = bounds.clone();
        let found = off_the_loop(store, move |store| asked.runs_to_remove(store, after)).await?;
        for runs in found.runs.chunks(PER_TRANSACTION) {
            let (begin, runs) = (SystemClock.now(), Prune::Runs(runs.to_vec()));
            let pruned = off_the_loop(store, move |store| store.prune(&runs, SystemClock.now(), MAX_PAGE)).await?;
            cleared.runs += pruned.runs;
            tokio::time::sleep(SystemClock.now().since(begin).max(LEAST_PAUSE)).await;
            if *stopping.borrow() {
                return Ok(cleared);
            }
        }
        after = found.next;
        if after.is_none() {
            break;
        }
    }
    if bounds.retention.size.is_some() || bounds.retention.output_age.is_some() {
        cleared.outputs = off_the_loop(store, move |store| bounds.remove_output(store)).await?;
    }
    Ok(cleared)
}

/// What goes of one job.
#[derive(Clone)]
struct Bounds {
    job: JobId,
    now: Timestamp,
    retention: Retention,
    /// Of the runs that are as many as are kept, the oldest: those before it are too many.
    oldest_kept: Option<RunId>,
    /// What is shown of the job: the last run, the last that was not skipped, the last that succeeded.
    last: BTreeSet<RunId>,
}

/// Some runs that go.
struct Found {
    runs: Vec<RunId>,
    /// Where to go on looking.
    next: Option<RunId>,
}

impl Bounds {
    fn of(store: &dyn Store, job: JobId, defaults: Retention) -> Result<Self, StoreError> {
        let stored = store.job(job)?;
        let spec = stored.as_ref().and_then(|stored| stored.job.spec.retention.as_deref());
        let retention = spec.copied().unwrap_or_default().or(defaults);
        let oldest_kept = match retention.runs {
            Some(runs) => nth_newest(store, job, runs.get())?,
            None => None,
        };
        let mut last = BTreeSet::new();
        if stored.is_some() {
            let done = StateName::ALL.into_iter().filter(|state| *state != StateName::Skipped);
            for states in [BTreeSet::new(), done.collect(), BTreeSet::from([StateName::Succeeded])] {
                last.extend(store.ended_ids(&RunQuery { states, limit: 1, ..RunQuery::of_job(job) })?.items);
            }
        }
        Ok(Self { job, now: SystemClock.now(), retention, oldest_kept, last })
    }

    /// Some of the runs that go, beyond `after`, the oldest first.
    fn runs_to_remove(&self, store: &dyn Store, after: Option<RunId>) -> Result<Found, StoreError> {
        let of_age = self.retention.age.map(|age| first_id(self.now.before(age.get())));
        let mut found = Found { runs: Vec::new(), next: None };
        let Some(before) = self.oldest_kept.into_iter().chain(of_age).max() else { return Ok(found) };
        let page = store.ended_ids(&self.oldest_first(after))?;
        let more = page.items.last().is_some_and(|last| *last < before);
        found.next = page.next.filter(|_| more);
        for id in page.items.into_iter().take_while(|id| *id < before).filter(|id| !self.last.contains(id)) {
            let too_many = self.oldest_kept.is_some_and(|oldest| id < oldest);
            if store.run(id)?.is_some_and(|run| run.is_past(&self.retention, too_many, self.now)) {
                found.runs.push(id);
            }
        }
        Ok(found)
    }

    /// Removes output that is too old or too much, and gives of how many runs. They stay.
    fn remove_output(&self, store: &dyn Store) -> Result<usize, StoreError> {
        let mut count = 0;
        let mut query = RunQuery { limit: MAX_PAGE, ..RunQuery::of_job(self.job) };
        // None once an output did not fit: those of all older runs go as well.
        let mut kept_bytes = Some(0_u64);
        loop {
            let page = store.ended_ids(&query)?;
            for id in page.items {
                let bytes = store.output_bytes(id)?;
                if bytes == 0 {
                    continue;
                }
                // The latest output stays however much it is: a limit that it is beyond would leave nothing to look at.
                let fits = |kept: &u64| *kept == 0 || self.retention.size.is_none_or(|size| kept + bytes <= size.get());
                kept_bytes = kept_bytes.filter(fits).map(|kept| kept + bytes);
                if kept_bytes.is_none() || self.output_is_too_old(store, id)? {
                    store.remove_output(id)?;
                    count += 1;
                }
            }
            query.after = page.next;
            if query.after.is_none() {
                return Ok(count);
            }
        }
    }

    fn output_is_too_old(&self, store: &dyn Store, id: RunId) -> Result<bool, StoreError> {
        let Some(age) = self.retention.output_age else { return Ok(false) };
        let until = self.now.before(age.get());
        // A run is never over before the instant in its id, so most need not be read.
        let is_over = |run: Arc<Run>| run.finished_at().is_some_and(|at| at < until);
        Ok(id < first_id(until) && store.run(id)?.is_some_and(is_over))
    }

    fn oldest_first(&self, after: Option<RunId>) -> RunQuery {
        RunQuery { order: Order::OldestFirst, after, limit: MAX_PAGE, ..RunQuery::of_job(self.job) }
    }
}

/// The run that has `count - 1` newer ones, of those of the job that are over; none if there are fewer.
fn nth_newest(store: &dyn Store, job: JobId, count: u64) -> Result<Option<RunId>, StoreError> {
    let mut left = count;
    let mut query = RunQuery::of_job(job);
    loop {
        query.limit = usize::try_from(left).unwrap_or(usize::MAX).clamp(1, MAX_PAGE);
        let page = store.ended_ids(&query)?;
        left = left.saturating_sub(page.items.len() as u64);
        query.after = page.next;
        match (left, query.after) {
            (0, next) => return Ok(page.items.last().copied().filter(|_| next.is_some())),
            (_, None) => return Ok(None),
            _ => {}
        }
    }
}

/// The first id of an instant: those of earlier runs lie before it.
fn first_id(at: Timestamp) -> RunId {
    RunId::from_bits(u128::from(u64::try_from(at.as_millis()).unwrap_or(0)) << 80)
}

#[cfg(test)]
mod tests;
