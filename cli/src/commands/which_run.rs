//! Which run is meant: by its id, by the beginning of its id, or the latest.

use std::str::FromStr;

use sandglass_api::problem::{Code, Problem};
use sandglass_api::wire::{MAX_LIMIT, Run, RunListQuery};
use sandglass_core::id::{JobName, RunId};
use sandglass_core::run::StateName;
use sandglass_core::time::Timestamp;

use crate::context::Context;
use crate::failure::Failure;

/// The fewest characters of an id that are looked up.
const SHORTEST: usize = 6;
/// The most pages of runs that are looked through.
const MOST_PAGES: usize = 10;
/// How many runs are named when several are meant.
const NAMED: usize = 4;
/// The digits of an id (Crockford's Base32).
const DIGITS: &str = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A run, named in one of three ways.
#[derive(clap::Args, Debug, Clone)]
pub(crate) struct Which {
    /// The run's id, or at least the first 6 characters of it
    #[arg(value_name = "ID", required_unless_present = "last")]
    id: Option<Named>,
    /// The latest run that was not skipped, of this job if one is given
    #[arg(long, value_name = "JOB", num_args = 0..=1, conflicts_with = "id")]
    last: Option<Option<JobName>>,
}

/// A run's id, whole or its beginning.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Named {
    Whole(RunId),
    /// In upper case.
    Beginning(String),
}

impl FromStr for Named {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(id) = text.parse() {
            return Ok(Self::Whole(id));
        }
        let beginning = text.to_ascii_uppercase();
        let digits = beginning.chars().all(|char| DIGITS.contains(char));
        let length = (SHORTEST..26).contains(&beginning.len());
        // Of 130 bits in 26 digits only 128 are used, so the first digit is at most 7.
        if digits && length && beginning.as_bytes()[0] <= b'7' {
            return Ok(Self::Beginning(beginning));
        }
        Err(format!(
            "an id has 26 characters, such as 01K9ZV3QJ8R6T1M4W7X2B5N0CE; the first {SHORTEST} or more will do"
        ))
    }
}

impl Which {
    /// The run's id. Asks the daemon unless the whole id was given.
    pub(crate) async fn find(self, context: &Context) -> Result<RunId, Failure> {
        match (self.id, self.last) {
            (Some(Named::Whole(id)), _) => Ok(id),
            (Some(Named::Beginning(beginning)), _) => begins_with(&beginning, context).await,
            (None, job) => latest(job.flatten().as_ref(), context).await.map(|run| run.id),
        }
    }
}

/// The only run whose id begins so. An id begins with the instant at which its run was due, so few have to be looked at.
async fn begins_with(beginning: &str, context: &Context) -> Result<RunId, Failure> {
    let (from, to) = due_between(beginning);
    let mut query = RunListQuery {
        from: Some(from.to_string()),
        to: Some(to.to_string()),
        limit: Some(MAX_LIMIT),
        notifications: Some(true),
        ..RunListQuery::default()
    };
    let mut found: Vec<Run> = Vec::new();
    for _ in 0..MOST_PAGES {
        let page = context.client.runs(&query).await?;
        found.extend(page.items.into_iter().filter(|run| run.id.to_string().starts_with(beginning)));
        query.cursor = page.next;
        if query.cursor.is_none() || found.len() > NAMED {
            break;
        }
    }
    match found.as_slice() {
        [run] if query.cursor.is_none() => Ok(run.id),
        [] if query.cursor.is_none() => {
            let namespace = context.client.namespace();
            let what = format!("there is no run whose id begins with {beginning} in namespace '{namespace}'");
            Err(Problem::new(Code::RunNotFound, what).with_hint("`sandglass run list` shows the runs there are").into())
        }
        several => {
            let names: Vec<String> =
                several.iter().take(NAMED).map(|run| format!("{} of {}", run.id, run.job)).collect();
            let more = if several.len() > NAMED || query.cursor.is_some() { " and more" } else { "" };
            let what = format!("several ids may begin with {beginning}: {}{more}", names.join(", "));
            Err(Failure::usage(format!("{what}; write more characters of the one you mean")))
        }
    }
}

/// The first instant at which a run may be due whose id begins so, and the first after the last.
fn due_between(beginning: &str) -> (Timestamp, Timestamp) {
    let padded = |digit: &str| {
        let id: Option<RunId> = format!("{beginning}{}", digit.repeat(26 - beginning.len())).parse().ok();
        let millis = id.map_or(0, |id| id.to_bits() >> 80);
        Timestamp::from_millis(i64::try_from(millis).unwrap_or(i64::MAX))
    };
    (padded("0"), padded("Z").after(std::time::Duration::from_millis(1)))
}

/// The latest run, of `job` if one is given, that was not skipped; if there are only skipped ones, the latest of them.
pub(crate) async fn latest(job: Option<&JobName>, context: &Context) -> Result<Run, Failure> {
    let states = StateName::ALL.into_iter().filter(|state| *state != StateName::Skipped).map(StateName::as_str);
    let states = Some(states.collect::<Vec<_>>().join(","));
    let query =
        |state| RunListQuery { job: job.map(ToString::to_string), state, limit: Some(1), ..RunListQuery::default() };
    for query in [query(states), query(None)] {
        if let Some(run) = context.client.runs(&query).await?.items.pop() {
            return Ok(run);
        }
    }
    let (of, start) = match job {
        Some(job) => (format!("job '{job}' has"), format!("start one with `sandglass job run {job}`")),
        None => ("there are".to_owned(), "start one with `sandglass job run NAME`".to_owned()),
    };
    Err(Problem::new(Code::RunNotFound, format!("{of} no runs yet")).with_hint(start).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_of_an_id_bounds_its_instant() {
        let id: RunId = "01MCC5RM00GRCZWG7V06B21GHM".parse().unwrap();
        let due: Timestamp = "2027-01-15T08:00:00Z".parse().unwrap();
        for length in SHORTEST..26 {
            let (from, to) = due_between(&id.to_string()[..length]);
            assert!(from <= due && due < to, "{length}: {from} to {to}");
        }
        let (from, to) = due_between("01MCC5RM00");
        assert_eq!((from, to), (due, due.after(std::time::Duration::from_millis(1))));
    }

    #[test]
    fn ids_and_their_beginnings_are_told_from_other_words() {
        let id: RunId = "01MCC5RM00GRCZWG7V06B21GHM".parse().unwrap();
        assert_eq!("01MCC5RM00GRCZWG7V06B21GHM".parse(), Ok(Named::Whole(id)));
        assert_eq!("01mcc5rm".parse(), Ok(Named::Beginning("01MCC5RM".to_owned())));
        for bad in ["", "01MCC", "no-id", "backup", "81MCC5RM00", "01MCC5RM00GRCZWG7V06B21GHMX"] {
            assert!(bad.parse::<Named>().is_err(), "{bad}");
        }
    }
}
