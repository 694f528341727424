//! The search for runs.
//!
//! A search walks one or more sources in the order of run ids and merges them: the runs that are going, and those that
//! are over, by the narrowest index that fits. What no index tells is compared run by run, and how many may be compared
//! is bounded; a search that reaches the bound gives what it has and says where to go on.

use std::sync::Arc;

use redb::{AccessGuard, Range};
use sandglass_core::id::{JobId, RunId};
use sandglass_core::run::{Run, StateName};

use super::reading::{Reading, Rows, failed};
use super::run_row;
use super::tables::{Table, by_job_key, by_state_key, job_key, job_of_key, run_key, run_of_key};
use crate::error::StoreError;
use crate::query::{MAX_PAGE, Order, Page, RunQuery};

/// How many runs each source may look at in vain for one page: together a few milliseconds' worth. Each has its own
/// bound, so that one which finds nothing cannot keep the others from getting on.
const ROWS_IN_VAIN: usize = 10_000;
/// The same where each row must be fetched.
const FETCHES_IN_VAIN: usize = 500;

/// A walk through one table or a part of it.
struct Source {
    range: Range<'static, &'static [u8], &'static [u8]>,
    /// Whether the values are rows. If not, the key alone is found, and the row must be fetched.
    has_rows: bool,
    left_in_vain: usize,
    head: Option<Found>,
}

/// A key and its value, or why they cannot be read.
type Entry = Result<(AccessGuard<'static, &'static [u8]>, AccessGuard<'static, &'static [u8]>), redb::StorageError>;

/// What a source offers next.
struct Found {
    run: RunId,
    row: Option<Vec<u8>>,
    /// The source has reached the bound here and does not know what follows.
    stopped: bool,
}

struct Search<'q> {
    query: &'q RunQuery,
    ended: Rows,
}

pub(super) fn search(reading: &Reading<'_>, query: &RunQuery) -> Result<Page<Arc<Run>, RunId>, StoreError> {
    let mut page = Page { items: Vec::new(), next: None };
    let Some(ids) = query.id_range() else { return Ok(page) };
    let limit = query.limit.clamp(1, MAX_PAGE);
    let search = Search { query, ended: reading.rows(Table::Ended)? };
    let mut sources = search.sources(reading, ids)?;
    for source in &mut sources {
        search.advance(source)?;
    }
    while let Some(source) = search.first(&mut sources) {
        let Some(found) = source.head.take() else { break };
        if found.stopped {
            page.next = Some(found.run);
            break;
        }
        if page.items.len() == limit {
            page.next = page.items.last().map(|run: &Arc<Run>| run.id);
            break;
        }
        let row = found.row.as_deref().expect("what is not stopped has a row");
        page.items.push(Arc::new(run_row::decode(found.run, row)?));
        search.advance(source)?;
    }
    Ok(page)
}

/// The ids of runs that are over, without their rows.
pub(super) fn ended_ids(reading: &Reading<'_>, query: &RunQuery) -> Result<Page<RunId, RunId>, StoreError> {
    let mut page = Page { items: Vec::new(), next: None };
    let Some(ids) = query.id_range() else { return Ok(page) };
    let limit = query.limit.clamp(1, MAX_PAGE);
    let search = Search { query, ended: reading.rows(Table::Ended)? };
    let mut sources = search.ended_sources(reading, ids)?;
    let next = |source: &mut Source| -> Result<(), StoreError> {
        let id = source.step(query.order).map(|entry| run_of_key(entry.map_err(failed)?.0.value())).transpose()?;
        source.head = id.map(|run| Found { run, row: None, stopped: false });
        Ok(())
    };
    sources.iter_mut().try_for_each(next)?;
    while let Some(source) = search.first(&mut sources) {
        if page.items.len() == limit {
            page.next = page.items.last().copied();
            break;
        }
        page.items.extend(source.head.take().map(|found| found.run));
        next(source)?;
    }
    Ok(page)
}

/// The jobs that have runs which are over: a look into the index for each.
pub(super) fn jobs_with_history(
    reading: &Reading<'_>,
    after: Option<JobId>,
    limit: usize,
) -> Result<Page<JobId, JobId>, StoreError> {
    let limit = limit.clamp(1, MAX_PAGE);
    let index = reading.rows(Table::EndedByJob)?;
    let mut page = Page { items: Vec::new(), next: None };
    let mut from = after;
    loop {
        let first = match from {
            None => JobId::from_bits(0),
            Some(job) if job.to_bits() == u128::MAX => return Ok(page),
            Some(job) => JobId::from_bits(job.to_bits() + 1),
        };
        let entry = index.range::<&[u8]>(&job_key(first)[..]..).map_err(failed)?.next();
        let Some(entry) = entry else { return Ok(page) };
        if page.items.len() == limit {
            page.next = page.items.last().copied();
            return Ok(page);
        }
        let job = job_of_key(entry.map_err(failed)?.0.value())?;
        page.items.push(job);
        from = Some(job);
    }
}

impl Search<'_> {
    fn sources(&self, reading: &Reading<'_>, ids: (RunId, RunId)) -> Result<Vec<Source>, StoreError> {
        let (first, last) = ids;
        let mut sources = self.ended_sources(reading, ids)?;
        if self.wanted(false).next().is_some() {
            sources.push(Source::new(&reading.rows(Table::Active)?, &run_key(first), &run_key(last), true)?);
        }
        Ok(sources)
    }

    /// The states that are looked for, those of runs that are over or the others.
    fn wanted(&self, terminal: bool) -> impl Iterator<Item = StateName> {
        let states = StateName::ALL.into_iter();
        states.filter(move |state| state.is_terminal() == terminal && self.query.wants(*state))
    }

    fn ended_sources(&self, reading: &Reading<'_>, ids: (RunId, RunId)) -> Result<Vec<Source>, StoreError> {
        let (first, last) = ids;
        let mut sources = Vec::new();
        match self.query.job {
            Some(job) => {
                let index = reading.rows(Table::EndedByJob)?;
                for state in self.wanted(true) {
                    let (from, to) = (by_job_key(job, state, first), by_job_key(job, state, last));
                    sources.push(Source::new(&index, &from, &to, false)?);
                }
            }
            None if self.query.states.is_empty() => {
                sources.push(Source::new(&self.ended, &run_key(first), &run_key(last), true)?);
            }
            None => {
                let index = reading.rows(Table::EndedByState)?;
                for state in self.wanted(true) {
                    let (from, to) = (by_state_key(state, first), by_state_key(state, last));
                    sources.push(Source::new(&index, &from, &to, false)?);
                }
            }
        }
        Ok(sources)
    }

    /// The source whose head comes first in the order of the query.
    fn first<'s>(&self, sources: &'s mut [Source]) -> Option<&'s mut Source> {
        let heads = sources.iter_mut().filter(|source| source.head.is_some());
        let id = |source: &&mut Source| source.head.as_ref().map(|found| found.run);
        match self.query.order {
            Order::NewestFirst => heads.max_by_key(id),
            Order::OldestFirst => heads.min_by_key(id),
        }
    }

    /// Moves a source to its next match.
    fn advance(&self, source: &mut Source) -> Result<(), StoreError> {
        loop {
            let Some(entry) = source.step(self.query.order) else {
                source.head = None;
                return Ok(());
            };
            let (key, value) = entry.map_err(failed)?;
            let run = run_of_key(key.value())?;
            let row = if source.has_rows { self.matching(value.value())? } else { self.fetch(run)? };
            if row.is_some() {
                source.head = Some(Found { run, row, stopped: false });
                return Ok(());
            }
            source.left_in_vain = source.left_in_vain.saturating_sub(1);
            if source.left_in_vain == 0 {
                source.head = Some(Found { run, row: None, stopped: true });
                return Ok(());
            }
        }
    }

    fn fetch(&self, run: RunId) -> Result<Option<Vec<u8>>, StoreError> {
        let row = self.ended.get(&run_key(run)[..]).map_err(failed)?;
        let row = row.ok_or_else(|| StoreError::corrupt(format!("run {run} is in an index but is not there")))?;
        self.matching(row.value())
    }

    /// The row, if it is of a run that is looked for.
    fn matching(&self, row: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let head = run_row::head(row)?;
        let matches = self.query.wants(head.state)
            && self.query.wants_origin(head.origin)
            && self.query.job.is_none_or(|job| job == head.job)
            && self.query.namespace.as_ref().is_none_or(|namespace| namespace.as_str() == head.namespace);
        Ok(matches.then(|| row.to_vec()))
    }
}

impl Source {
    fn new(rows: &Rows, first: &[u8], last: &[u8], has_rows: bool) -> Result<Self, StoreError> {
        let range = rows.range::<&[u8]>(first..=last).map_err(failed)?;
        let left_in_vain = if has_rows { ROWS_IN_VAIN } else { FETCHES_IN_VAIN };
        Ok(Self { range, has_rows, left_in_vain, head: None })
    }

    /// The next entry, if there is one.
    fn step(&mut self, order: Order) -> Option<Entry> {
        match order {
            Order::NewestFirst => self.range.next_back(),
            Order::OldestFirst => self.range.next(),
        }
    }
}
