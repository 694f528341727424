//! Fires added up as they go by.

use super::{BusyMinute, Collision, Collisions, Forecast, ForecastFire, JobForecast, Simulation};
use crate::schedule::zone::{self, Zone};
use crate::spec::{JobSpec, TimeZone};
use crate::time::Timestamp;

/// How many minutes and instants are listed.
const MOST_LISTED: usize = 20;
/// How many jobs of an instant are named.
const MOST_NAMED: usize = 10;
const MINUTE: i64 = 60_000_000;

pub(super) struct Tally<'a> {
    jobs: &'a [JobSpec],
    zone: &'static Zone,
    simulation: Simulation,
    /// The present minute, counted from the Unix epoch, and its fires.
    minute: (i64, u64),
    /// The present instant, and the jobs that fire at it.
    instant: Timestamp,
    together: Vec<usize>,
}

impl<'a> Tally<'a> {
    pub(super) fn new(forecast: &Forecast<'_>, jobs: &'a [JobSpec]) -> Self {
        let start =
            |job: &JobSpec| JobForecast { job: job.name.clone(), fires: 0, skipped: 0, first_at: None, last_at: None };
        Self {
            jobs,
            zone: zone::table(forecast.zone),
            simulation: Simulation {
                from: forecast.from,
                to: forecast.to,
                timezone: TimeZone(forecast.zone),
                fires: 0,
                skipped: 0,
                jobs: jobs.iter().map(start).collect(),
                load: [[0; 24]; 7],
                busiest: Vec::new(),
                collisions: Collisions::default(),
                clock_changes: Vec::new(),
                more_clock_changes: 0,
            },
            minute: (i64::MIN, 0),
            instant: Timestamp::EPOCH,
            together: Vec::new(),
        }
    }

    /// Adds a fire, which is not before any that was added.
    pub(super) fn add(&mut self, fire: &ForecastFire) {
        let job = &mut self.simulation.jobs[fire.job];
        if fire.skipped {
            job.skipped += 1;
            self.simulation.skipped += 1;
            return;
        }
        job.fires += 1;
        job.first_at = job.first_at.or(Some(fire.at));
        job.last_at = Some(fire.at);
        self.simulation.fires += 1;
        if fire.at != self.instant {
            self.end_instant();
            self.instant = fire.at;
        }
        // Several fires of one job that waited for its window start together: one job all the same.
        if self.together.last() != Some(&fire.job) {
            self.together.push(fire.job);
        }
        let minute = fire.at.as_micros().div_euclid(MINUTE);
        if minute != self.minute.0 {
            self.end_minute();
            self.minute = (minute, 0);
        }
        self.minute.1 += 1;
    }

    /// What was added up.
    pub(super) fn finish(mut self) -> Simulation {
        self.end_instant();
        self.end_minute();
        self.simulation
    }

    fn end_instant(&mut self) {
        if self.together.len() > 1 {
            let count = self.together.len() as u64;
            let collisions = &mut self.simulation.collisions;
            collisions.instants += 1;
            if is_listed(&collisions.fullest, |collision| collision.count, count) {
                let jobs = self.together.iter().take(MOST_NAMED).map(|job| self.jobs[*job].name.clone()).collect();
                list(&mut collisions.fullest, |one| one.count, Collision { at: self.instant, count, jobs });
            }
        }
        self.together.clear();
    }

    fn end_minute(&mut self) {
        let (minute, fires) = self.minute;
        if fires == 0 {
            return;
        }
        let at = Timestamp::from_micros(minute * MINUTE);
        // 1970-01-01 was a Thursday, 3 days after a Monday.
        let hours = self.zone.reading_at(at).div_euclid(60 * MINUTE);
        let (weekday, hour) = ((hours.div_euclid(24) + 3).rem_euclid(7), hours.rem_euclid(24));
        self.simulation.load[weekday.unsigned_abs() as usize][hour.unsigned_abs() as usize] += fires;
        if is_listed(&self.simulation.busiest, |busy| busy.fires, fires) {
            list(&mut self.simulation.busiest, |busy| busy.fires, BusyMinute { at, fires });
        }
    }
}

/// Whether an item of this size gets into a list of the largest.
fn is_listed<T>(items: &[T], size: impl Fn(&T) -> u64, this: u64) -> bool {
    items.len() < MOST_LISTED || items.last().is_some_and(|least| size(least) < this)
}

/// Puts an item into a list of the largest: behind those as large, which came before it.
fn list<T>(items: &mut Vec<T>, size: impl Fn(&T) -> u64, item: T) {
    let place = items.partition_point(|other| size(other) >= size(&item));
    items.insert(place, item);
    items.truncate(MOST_LISTED);
}
