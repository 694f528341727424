//! A forecast for a set of jobs: every fire between two instants in order, and what it adds up to.
//!
//! Memory does not grow with the number of fires: they are merged one by one, counted, and forgotten.

mod fires;
mod tally;

use chrono_tz::Tz;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use fires::{Fires, ForecastFire};

use super::clock::each_clock_effect;
use super::{Calendars, ClockEffect, Planning, job_seed};
use crate::id::{JobName, Namespace};
use crate::spec::{JobSpec, TimeZone};
use crate::time::Timestamp;
use tally::Tally;

/// How many effects of changes of the clocks are listed.
const MOST_CLOCK_CHANGES: usize = 5000;

/// What a forecast depends on beside the jobs.
#[derive(Clone, Copy, Debug)]
pub struct Forecast<'a> {
    /// The first instant.
    pub from: Timestamp,
    /// The first instant that is no longer part of it.
    pub to: Timestamp,
    /// The zone of jobs that name none, and of the load by hour.
    pub zone: Tz,
    /// Whose jobs they are.
    pub namespace: &'a Namespace,
    /// The namespace's calendars.
    pub calendars: &'a Calendars,
}

/// What the fires of a set of jobs add up to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Simulation {
    /// The first instant.
    pub from: Timestamp,
    /// The first instant that is no longer part of it.
    pub to: Timestamp,
    /// The zone of `load`.
    pub timezone: TimeZone,
    /// Fires that start a run, unless something else stands in their way.
    pub fires: u64,
    /// Fires that start nothing, as calendars or windows exclude them.
    pub skipped: u64,
    /// The jobs, in the order in which they were given.
    pub jobs: Vec<JobForecast>,
    /// Fires by day of the week, from Monday, and hour of the day, 0 to 23, by the clock of `timezone`.
    pub load: [[u64; 24]; 7],
    /// The minutes with the most fires, the busiest first.
    pub busiest: Vec<BusyMinute>,
    /// Instants that several jobs share.
    pub collisions: Collisions,
    /// What changes of the clocks do to the jobs, in order: for each change and trigger the first ten times, and of all
    /// those the first 5,000.
    pub clock_changes: Vec<JobClockEffect>,
    /// How many such effects there are beyond those listed.
    pub more_clock_changes: u64,
}

/// One job's part.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JobForecast {
    /// The job.
    pub job: JobName,
    /// Its fires that start a run.
    pub fires: u64,
    /// Its fires that start nothing.
    pub skipped: u64,
    /// The first fire that starts a run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_at: Option<Timestamp>,
    /// The last fire that starts a run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_at: Option<Timestamp>,
}

/// A minute and its fires.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BusyMinute {
    /// When it begins.
    pub at: Timestamp,
    /// How many fires it has.
    pub fires: u64,
}

/// Instants at which more than one job fires.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Collisions {
    /// How many such instants there are.
    pub instants: u64,
    /// Those with the most jobs, the fullest first.
    pub fullest: Vec<Collision>,
}

/// An instant at which more than one job fires.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Collision {
    /// The instant.
    pub at: Timestamp,
    /// How many jobs fire.
    pub count: u64,
    /// The first ten of them.
    pub jobs: Vec<JobName>,
}

/// What a change of the clocks does to a job.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct JobClockEffect {
    /// The job.
    pub job: JobName,
    /// Which of its triggers, counted from 0.
    pub trigger: usize,
    /// What happens.
    #[serde(flatten)]
    pub effect: ClockEffect,
}

impl<'a> Forecast<'a> {
    /// What the schedules of `job` depend on; intervals without an anchor count from the forecast's first instant.
    #[must_use]
    pub fn planning(&self, job: &JobSpec) -> Planning<'a> {
        Planning {
            zone: job.timezone.map_or(self.zone, |zone| zone.0),
            since: self.from,
            seed: job_seed(self.namespace, &job.name),
            calendars: self.calendars,
        }
    }

    /// Every fire of `jobs`, in order.
    #[must_use]
    pub fn fires(&self, jobs: &'a [JobSpec]) -> Fires {
        Fires::new(self, jobs)
    }

    /// Adds up the fires of `jobs`.
    #[must_use]
    pub fn simulate(&self, jobs: &'a [JobSpec]) -> Simulation {
        let mut tally = Tally::new(self, jobs);
        self.fires(jobs).for_each(|fire| tally.add(&fire));
        let mut simulation = tally.finish();
        (simulation.clock_changes, simulation.more_clock_changes) = self.clock_effects(jobs);
        simulation
    }

    /// The earliest effects of clock changes in order, and how many others there are.
    fn clock_effects(&self, jobs: &[JobSpec]) -> (Vec<JobClockEffect>, u64) {
        let mut effects = Vec::new();
        let mut count = 0u64;
        for job in jobs {
            let planning = self.planning(job);
            for (trigger, spec) in job.triggers.iter().enumerate() {
                each_clock_effect(spec, &planning, self.from, self.to, usize::MAX, |effect| {
                    count += 1;
                    effects.extend(effect.map(|effect| JobClockEffect { job: job.name.clone(), trigger, effect }));
                    if effects.len() >= 2 * MOST_CLOCK_CHANGES {
                        keep_earliest(&mut effects);
                    }
                });
            }
        }
        keep_earliest(&mut effects);
        let more = count.saturating_sub(effects.len() as u64);
        (effects, more)
    }
}

/// Puts effects in order, and forgets all but as many as are listed.
fn keep_earliest(effects: &mut Vec<JobClockEffect>) {
    effects.sort_by(|one, other| {
        let key = |effect: &JobClockEffect| (effect.effect.changes_at, effect.effect.local);
        key(one).0.cmp(&key(other).0).then_with(|| one.job.cmp(&other.job)).then(key(one).1.cmp(&key(other).1))
    });
    effects.truncate(MOST_CLOCK_CHANGES);
}

#[cfg(test)]
mod tests;
