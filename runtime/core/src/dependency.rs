//! Jobs that come after others, or need them: what is kept of a run that ended for those that wait for it.

use std::time::Duration;

use crate::id::{JobName, RunId};
use crate::run::{Run, StateName};
use crate::spec::Requirement;
use crate::time::Timestamp;

/// A run of another job that is over, as a run that follows from it knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UpstreamRun {
    /// The job's name.
    pub job: JobName,
    /// The run.
    pub run: RunId,
    /// How it ended.
    pub state: StateName,
    /// When it was over.
    pub finished_at: Timestamp,
}

impl UpstreamRun {
    /// What is kept of `run`; none if it is not over.
    #[must_use]
    pub fn of(run: &Run) -> Option<Self> {
        let finished_at = run.finished_at()?;
        Some(Self { job: run.job.clone(), run: run.id, state: run.state.name(), finished_at })
    }
}

/// What of an `after` trigger has come so far.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Arrival {
    /// Which of the job's triggers, counted from 0.
    pub trigger: u16,
    /// The run that ended as the trigger asks for; the last one, if there were several.
    pub upstream: UpstreamRun,
}

/// What the `after` triggers of a job have seen since each fired last.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Arrivals(Vec<Arrival>);

impl Arrivals {
    /// Those arrivals.
    #[must_use]
    pub fn new(arrivals: Vec<Arrival>) -> Self {
        Self(arrivals)
    }

    /// All of them.
    #[must_use]
    pub fn as_slice(&self) -> &[Arrival] {
        &self.0
    }

    /// Adds one, in place of an earlier one of the same job.
    pub(crate) fn put(&mut self, trigger: u16, upstream: UpstreamRun) {
        self.0.retain(|arrival| arrival.trigger != trigger || arrival.upstream.job != upstream.job);
        self.0.push(Arrival { trigger, upstream });
    }

    /// Of how many jobs a run has come for the trigger.
    pub(crate) fn count(&self, trigger: u16) -> usize {
        self.0.iter().filter(|arrival| arrival.trigger == trigger).count()
    }

    /// Takes away what has come for the trigger, which fires.
    pub(crate) fn take(&mut self, trigger: u16) -> Vec<UpstreamRun> {
        let (fired, left): (Vec<_>, Vec<_>) = self.0.drain(..).partition(|arrival| arrival.trigger == trigger);
        self.0 = left;
        fired.into_iter().map(|arrival| arrival.upstream).collect()
    }
}

impl Requirement {
    /// When `last`, which meets it, was too long ago to do so; none if it never is.
    pub(crate) fn lapses_at(&self, last: &UpstreamRun) -> Option<Timestamp> {
        self.within.map(|within| last.finished_at.after(within.get() + Duration::from_micros(1)))
    }

    /// Whether it is met at `now`, if `last` is the last run of its job that is over.
    #[must_use]
    pub fn is_met(&self, last: Option<&UpstreamRun>, now: Timestamp) -> bool {
        last.is_some_and(|last| {
            let recent = self.within.is_none_or(|within| now.since(last.finished_at) <= within.get());
            self.outcome.contains(last.state) && recent
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(job: &str, state: StateName, secs: i64) -> UpstreamRun {
        let finished_at = Timestamp::from_secs(secs);
        UpstreamRun { job: job.parse().unwrap(), run: RunId::from_bits(1), state, finished_at }
    }

    #[test]
    fn a_requirement_is_about_the_last_run_and_its_age() {
        let requirement = |text: &str| serde_json::from_str::<Requirement>(text).unwrap();
        let table = [
            (r#"{"job": "load"}"#, StateName::Succeeded, 0, true),
            (r#"{"job": "load"}"#, StateName::Failed, 999, false),
            (r#"{"job": "load", "within": "1m"}"#, StateName::Succeeded, 940, true),
            (r#"{"job": "load", "within": "1m"}"#, StateName::Succeeded, 939, false),
            (r#"{"job": "load", "outcome": ["failed", "timed_out"]}"#, StateName::TimedOut, 999, true),
            (r#"{"job": "load", "outcome": "any", "within": "1m"}"#, StateName::Cancelled, 1005, true),
        ];
        for (text, state, at, met) in table {
            let last = ended("load", state, at);
            assert_eq!(requirement(text).is_met(Some(&last), Timestamp::from_secs(1000)), met, "{text}");
        }
        assert!(!requirement(r#"{"job": "load", "outcome": "any"}"#).is_met(None, Timestamp::EPOCH));
    }

    #[test]
    fn the_last_run_of_each_job_counts_until_the_trigger_fires() {
        let mut arrivals = Arrivals::default();
        arrivals.put(0, ended("a", StateName::Succeeded, 1));
        arrivals.put(1, ended("a", StateName::Succeeded, 1));
        arrivals.put(0, ended("a", StateName::Succeeded, 2));
        arrivals.put(0, ended("b", StateName::Succeeded, 3));
        assert_eq!((arrivals.count(0), arrivals.count(1)), (2, 1));
        let fired = arrivals.take(0);
        assert_eq!(fired, [ended("a", StateName::Succeeded, 2), ended("b", StateName::Succeeded, 3)]);
        assert_eq!((arrivals.count(0), arrivals.count(1)), (0, 1));
    }
}
