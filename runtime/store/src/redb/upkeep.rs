//! What is done to a store as a whole: making it, taking it over, pruning it.

use redb::WriteTransaction;
use sandglass_core::id::{Digest, RunId};
use sandglass_core::time::Timestamp;

use super::artifacts;
use super::commit::remove_ended;
use super::disk::{Disk, Verdict, from_redb};
use super::reading::{Reading, decode_fence, failed};
use super::rows;
use super::state;
use super::tables::{FORMAT, META_FENCE, META_FORMAT, Table, run_key, run_of_key};
use super::writing::Writing;
use crate::contract::OutputStore as _;
use crate::error::StoreError;
use crate::output::FileOutput;
use crate::query::MAX_PAGE;
use crate::records::{Prune, Pruned};

/// Makes the tables of a new store, and refuses one that is not ours or of a later version.
pub(super) fn prepare(disk: &Disk) -> Result<(), StoreError> {
    let found = disk.read(|txn| {
        let mut tables = txn.list_tables().map_err(failed)?;
        if tables.next().is_none() {
            return Ok(None);
        }
        let meta = Reading::new(txn).rows(Table::Meta)?;
        let format = meta.get(META_FORMAT).map_err(failed)?;
        let format = format.and_then(|format| <[u8; 4]>::try_from(format.value()).ok());
        let format = format.ok_or_else(|| StoreError::corrupt("it has no format"))?;
        Ok(Some(u32::from_le_bytes(format)))
    })?;
    match found {
        Some(FORMAT) => Ok(()),
        Some(found) if found > FORMAT => Err(StoreError::Newer { found, supported: FORMAT }),
        Some(found) => Err(StoreError::Older { found, supported: FORMAT }),
        None => disk.write(|txn| {
            for table in Table::ALL {
                txn.open_table(table.definition()).map_err(|error| from_redb("make the store", error))?;
            }
            let mut writing = Writing::new(txn)?;
            writing.put(Table::Meta, META_FORMAT, &FORMAT.to_le_bytes())?;
            writing.finish()?;
            Ok(Verdict::Commit(()))
        }),
    }
}

/// Raises the fencing token and gives the new one. Components that no plugin has go: nothing that could still want one
/// survives a change of opener.
pub(super) fn take_over(disk: &Disk) -> Result<u64, StoreError> {
    disk.write(|txn| {
        let mut writing = Writing::new(txn)?;
        let token = writing.get(Table::Meta, META_FENCE, decode_fence)?.unwrap_or(0) + 1;
        writing.put(Table::Meta, META_FENCE, &token.to_le_bytes())?;
        drop_orphans(&mut writing)?;
        writing.finish()?;
        Ok(Verdict::Commit(token))
    })
}

fn drop_orphans(writing: &mut Writing<'_>) -> Result<(), StoreError> {
    let mut used: Vec<Digest> = Vec::new();
    for name in writing.keys(Table::Plugins, &[], usize::MAX, |_| true)? {
        used.extend(writing.get(Table::Plugins, &name, rows::decode_plugin)?.map(|plugin| plugin.digest));
    }
    let is_used = |key: &[u8]| used.iter().any(|digest| key.starts_with(digest.as_bytes()));
    for key in writing.keys(Table::Components, &[], usize::MAX, |_| true)? {
        if !is_used(&key) {
            writing.remove(Table::Components, &key)?;
        }
    }
    Ok(())
}

/// Refuses an opener that may not write.
pub(super) fn check_fence(txn: &WriteTransaction, ours: u64) -> Result<(), StoreError> {
    use redb::ReadableTable;
    let meta = txn.open_table(Table::Meta.definition()).map_err(failed)?;
    let current = meta.get(META_FENCE).map_err(failed)?;
    let current = current.map(|token| decode_fence(token.value())).transpose()?.unwrap_or(0);
    if ours == 0 || ours != current { Err(StoreError::Fenced { ours, current }) } else { Ok(()) }
}

pub(super) fn prune(
    disk: &Disk,
    output: &FileOutput,
    release: impl Fn(&Digest) -> Result<(), StoreError>,
    ours: u64,
    prune: &Prune,
    now: Timestamp,
    limit: usize,
) -> Result<Pruned, StoreError> {
    let mut contents = Vec::new();
    let limit = limit.max(1);
    let (runs, more) = disk.read(|txn| {
        let current = Reading::new(txn).fence()?;
        if ours == 0 || ours != current {
            return Err(StoreError::Fenced { ours, current });
        }
        candidates(txn, prune, limit)
    })?;
    // Output goes first: a crash between leaves a run without output rather than output without a run.
    for run in &runs {
        output.remove_output(*run)?;
    }
    let pruned = disk.write(|txn| {
        check_fence(txn, ours)?;
        let mut writing = Writing::new(txn)?;
        let mut pruned = Pruned { runs: 0, more, expired: 0 };
        for run in &runs {
            contents.extend(artifacts::forget_run(&mut writing, *run)?);
            pruned.runs += usize::from(remove_ended(&mut writing, *run)?);
        }
        pruned.expired = state::end_expired(&mut writing, now, MAX_PAGE)?;
        writing.finish()?;
        let wrote = pruned.runs > 0 || pruned.expired > 0;
        Ok(if wrote { Verdict::Commit(pruned) } else { Verdict::Abort(pruned) })
    })?;
    // Contents go last: a crash between leaves some that no artifact has, which the next start removes.
    // One that cannot be removed keeps none of the others.
    let released: Vec<_> = contents.iter().map(release).collect();
    released.into_iter().collect::<Result<(), _>>()?;
    Ok(pruned)
}

/// The runs to remove, all of them over, and whether there are more than `limit`.
fn candidates(txn: &redb::ReadTransaction, prune: &Prune, limit: usize) -> Result<(Vec<RunId>, bool), StoreError> {
    let ended = Reading::new(txn).rows(Table::Ended)?;
    let mut found = Vec::new();
    match prune {
        Prune::Before(at) => {
            let millis = u128::from(u64::try_from(at.as_millis()).unwrap_or(0));
            let until = run_key(RunId::from_bits(millis << 80));
            for entry in ended.range::<&[u8]>(..&until[..]).map_err(failed)?.take(limit.saturating_add(1)) {
                found.push(run_of_key(entry.map_err(failed)?.0.value())?);
            }
        }
        Prune::Runs(runs) => {
            for run in runs {
                if found.len() > limit {
                    break;
                }
                if ended.get(&run_key(*run)[..]).map_err(failed)?.is_some() {
                    found.push(*run);
                }
            }
        }
    }
    let more = found.len() > limit;
    found.truncate(limit);
    Ok((found, more))
}
