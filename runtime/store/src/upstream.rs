//! Runs that others follow from or need, read from the store.

use sandglass_core::dependency::UpstreamRun;
use sandglass_core::id::JobId;
use sandglass_core::run::StateName;

use crate::contract::Reader;
use crate::error::StoreError;
use crate::query::RunQuery;

/// How many of a job's runs are looked at for the one that ended last.
const LOOKED_AT: usize = 200;

/// The job's last run that is over, skipped fires aside: the one that ended last among its newest; of several that ended at
/// the same instant, as after the clock was set back, the newest.
///
/// # Errors
///
/// If the store cannot be read.
pub fn last_ended(store: &(impl Reader + ?Sized), job: JobId) -> Result<Option<UpstreamRun>, StoreError> {
    let counts = |state: &StateName| state.is_terminal() && *state != StateName::Skipped;
    let states = StateName::ALL.into_iter().filter(counts).collect();
    let mut query = RunQuery { states, limit: LOOKED_AT, ..RunQuery::of_job(job) };
    loop {
        let page = store.query(&query)?;
        let last =
            page.items.iter().filter_map(|run| UpstreamRun::of(run)).max_by_key(|run| (run.finished_at, run.run));
        // A page may be empty although there is more behind it.
        if last.is_some() || page.next.is_none() {
            return Ok(last);
        }
        query.after = page.next;
    }
}
