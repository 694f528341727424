//! State in tests: a map in memory. Values do not expire, because no time passes.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::state::{Entry, Expectation, Page};
use crate::testing::{Host, with};
use crate::{Error, ErrorCode};

#[derive(Default)]
pub(crate) struct Script {
    entries: BTreeMap<String, Entry>,
    revision: u64,
}

impl Host {
    /// Sets a key before an action runs.
    #[must_use]
    pub fn with_state(self, key: &str, value: &[u8]) -> Self {
        self.script.borrow_mut().state.put(key, value);
        self
    }

    /// The value of a key as actions left it.
    #[must_use]
    pub fn state(&self, key: &str) -> Option<Vec<u8>> {
        self.script.borrow().state.entries.get(key).map(|entry| entry.value.clone())
    }
}

impl Script {
    fn put(&mut self, key: &str, value: &[u8]) -> u64 {
        self.revision += 1;
        self.entries.insert(key.to_owned(), Entry { value: value.to_vec(), revision: self.revision });
        self.revision
    }

    fn check(&self, key: &str, expect: Expectation) -> Result<(), Error> {
        let found = self.entries.get(key).map(|entry| entry.revision);
        let holds = match expect {
            Expectation::Anything => true,
            Expectation::Absent => found.is_none(),
            Expectation::At(revision) => found == Some(revision),
        };
        if holds {
            return Ok(());
        }
        let message = format!("the key {key:?} is not as expected");
        Err(Error { code: ErrorCode::Conflict, message, detail: None })
    }
}

pub(crate) fn get(key: &str) -> Result<Option<Entry>, Error> {
    Ok(with(|script| script.state.entries.get(key).cloned()))
}

pub(crate) fn set(key: &str, value: &[u8], expect: Expectation, _ttl: Option<Duration>) -> Result<u64, Error> {
    with(|script| {
        script.state.check(key, expect)?;
        Ok(script.state.put(key, value))
    })
}

pub(crate) fn delete(key: &str, expect: Expectation) -> Result<(), Error> {
    with(|script| {
        script.state.check(key, expect)?;
        script.state.entries.remove(key);
        Ok(())
    })
}

pub(crate) fn keys(prefix: &str, cursor: Option<&str>, limit: u32) -> Result<Page, Error> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    Ok(with(|script| {
        let after = script.state.entries.keys().filter(|key| cursor.is_none_or(|cursor| key.as_str() > cursor));
        let mut keys: Vec<String> =
            after.filter(|key| key.starts_with(prefix)).take(limit.saturating_add(1)).cloned().collect();
        let more = keys.len() > limit;
        keys.truncate(limit);
        let cursor = if more { keys.last().cloned() } else { None };
        Page { keys, cursor }
    }))
}
