//! On which targets at once, and when to stop.

use std::time::Duration;

use sandglass_plugin::schemars::{self, JsonSchema};
use sandglass_plugin::serde::{self, Deserialize};
use sandglass_plugin::{Issue, Period, Words};

/// How many targets are worked on at once unless a job says otherwise.
const LIMIT: u32 = 10;
/// The most that may be.
const MAX_LIMIT: u32 = 50;

/// In which order targets are worked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(crate = "self::serde", rename_all = "snake_case")]
#[schemars(crate = "self::schemars")]
pub(crate) enum Kind {
    /// All, a number of them at once; one that fails keeps none of the others.
    #[default]
    Parallel,
    /// One batch after the other.
    Rolling,
    /// A few first, then the others.
    Canary,
    /// All or none: if one fails, all is undone, the last first.
    Transactional,
}

/// How many targets at once, and when to stop.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(crate = "self::serde", deny_unknown_fields, default)]
#[schemars(crate = "self::schemars")]
pub(crate) struct Strategy {
    /// `parallel` (by default), `rolling`, `canary` or `transactional`.
    pub(crate) kind: Kind,
    /// How many targets are worked on at once; 10 by default.
    pub(crate) limit: Option<u32>,
    /// How many targets a batch has: for `rolling`, 1 by default; for `canary`, how many come first.
    pub(crate) batch: Option<u32>,
    /// How long to wait after each batch.
    pub(crate) pause: Option<Period>,
    /// A command that must succeed on each target of a batch, after its pause and before the next batch.
    pub(crate) health_check: Option<Words>,
    /// How many targets may fail before no others are begun; 0 by default, without limit for `parallel`.
    pub(crate) max_failures: Option<u32>,
}

impl Strategy {
    /// What is wrong with it, and with what names the targets.
    pub(crate) fn validate(&self, targets: &Words, issues: &mut Vec<Issue>) {
        if targets.is_empty() {
            issues.push(Issue::at("/targets", "write which targets it is for"));
        }
        let mut issue = |pointer: &str, message: &str| {
            issues.push(Issue { pointer: format!("/strategy/{pointer}"), message: message.to_owned() });
        };
        if self.limit.is_some_and(|limit| !(1..=MAX_LIMIT).contains(&limit)) {
            issue("limit", "1 to 50 targets can be worked on at once");
        }
        if self.batch == Some(0) {
            issue("batch", "a batch has at least one target");
        }
        let has_batches = matches!(self.kind, Kind::Rolling | Kind::Canary);
        for (name, given) in [
            ("batch", self.batch.is_some()),
            ("pause", self.pause.is_some()),
            ("health_check", self.health_check.is_some()),
        ] {
            if given && !has_batches {
                issue(name, "only `rolling` and `canary` have batches: write `kind: rolling`, or leave it out");
            }
        }
        if self.health_check.as_ref().is_some_and(Words::is_empty) {
            issue("health_check", "the command is empty");
        }
        if self.kind == Kind::Transactional && self.max_failures.is_some_and(|most| most > 0) {
            issue("max_failures", "a transaction is undone if one target fails: leave it out");
        }
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit.unwrap_or(LIMIT).clamp(1, MAX_LIMIT) as usize
    }

    pub(crate) fn pause(&self) -> Option<Duration> {
        self.pause.map(|Period(pause)| pause)
    }

    /// Whether none is begun once so many have failed.
    pub(crate) fn is_enough(&self, failed: usize) -> bool {
        match (self.max_failures, self.kind) {
            (Some(most), _) => failed > most as usize,
            (None, Kind::Parallel) => false,
            (None, _) => failed > 0,
        }
    }

    /// How many targets each batch has, for so many in all.
    pub(crate) fn batches(&self, targets: usize) -> Vec<usize> {
        let batch = self.batch.map_or(1, |batch| batch.max(1) as usize);
        match self.kind {
            Kind::Parallel | Kind::Transactional => vec![targets],
            Kind::Canary => {
                [batch.min(targets), targets.saturating_sub(batch)].into_iter().filter(|size| *size > 0).collect()
            }
            Kind::Rolling => (0..targets).step_by(batch).map(|begun| batch.min(targets - begun)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batches(kind: Kind, batch: Option<u32>, targets: usize) -> Vec<usize> {
        Strategy { kind, batch, ..Strategy::default() }.batches(targets)
    }

    #[test]
    fn machines_are_split_into_batches() {
        assert_eq!(batches(Kind::Parallel, None, 7), [7]);
        assert_eq!(batches(Kind::Rolling, None, 3), [1, 1, 1]);
        assert_eq!(batches(Kind::Rolling, Some(3), 7), [3, 3, 1]);
        assert_eq!(batches(Kind::Canary, Some(2), 7), [2, 5]);
        assert_eq!(batches(Kind::Canary, None, 1), [1]);
        assert_eq!(batches(Kind::Rolling, Some(5), 0), [0; 0]);
    }

    #[test]
    fn failures_have_a_budget() {
        let strategy = |kind, max_failures| Strategy { kind, max_failures, ..Strategy::default() };
        assert!(!strategy(Kind::Parallel, None).is_enough(100));
        assert!(strategy(Kind::Rolling, None).is_enough(1));
        assert!(!strategy(Kind::Rolling, Some(2)).is_enough(2) && strategy(Kind::Rolling, Some(2)).is_enough(3));
    }
}
