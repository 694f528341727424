//! The fires of many jobs, merged in order.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

use super::Forecast;
use crate::schedule::{Schedule, Window};
use crate::spec::{JobSpec, Outside};
use crate::time::Timestamp;

/// A fire in a forecast.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ForecastFire {
    /// Its instant.
    pub at: Timestamp,
    /// The job: its place in the list of jobs.
    pub job: usize,
    /// The first of the job's triggers that fire now, counted from 0.
    pub trigger: usize,
    /// It starts nothing: a calendar excludes its date, or the job's window is closed.
    pub skipped: bool,
}

/// The fires of a set of jobs between two instants, in order; those of one instant in the order of the jobs.
pub struct Fires {
    to: Timestamp,
    jobs: Vec<Job>,
    /// The next fire of every trigger that still has one, the least on top: instant, job, trigger.
    next: BinaryHeap<Reverse<(Timestamp, u32, u32)>>,
}

struct Job {
    triggers: Vec<Trigger>,
    /// When its runs may start, if a fire outside is to be skipped; one that waits for the window still starts a run.
    window: Option<Window>,
    /// How many runs it may still start.
    runs_left: u64,
}

struct Trigger {
    schedule: Schedule,
    has_calendars: bool,
}

impl Fires {
    pub(super) fn new(forecast: &Forecast<'_>, jobs: &[JobSpec]) -> Self {
        // The first instant is part of the forecast.
        let before = Timestamp::from_micros(forecast.from.as_micros() - 1);
        let mut fires = Self { to: forecast.to, jobs: Vec::with_capacity(jobs.len()), next: BinaryHeap::new() };
        for (index, job) in (0..).zip(jobs) {
            let planning = forecast.planning(job);
            let triggers: Vec<Trigger> = job
                .triggers
                .iter()
                .map(|trigger| Trigger {
                    schedule: Schedule::new(trigger, &planning),
                    has_calendars: !trigger.calendars.is_empty(),
                })
                .collect();
            let first = (0..).zip(&triggers).filter_map(|(trigger, spec)| {
                spec.schedule.next_after(before).filter(|at| *at < forecast.to).map(|at| Reverse((at, index, trigger)))
            });
            fires.next.extend(first);
            let window = job.window.as_ref().filter(|window| window.outside == Outside::Skip);
            let window = window.map(|window| Window::new(window, planning.zone));
            fires.jobs.push(Job {
                triggers,
                window,
                runs_left: job.max_runs.map_or(u64::MAX, std::num::NonZeroU64::get),
            });
        }
        fires
    }

    /// Takes the next fire of a single trigger.
    fn take(&mut self) -> Option<(Timestamp, u32, u32)> {
        let mut top = self.next.peek_mut()?;
        let Reverse((at, job, trigger)) = *top;
        let schedule = &self.jobs[job as usize].triggers[trigger as usize].schedule;
        match schedule.next_after(at).filter(|next| *next < self.to) {
            Some(next) => top.0.0 = next,
            None => drop(PeekMut::pop(top)),
        }
        Some((at, job, trigger))
    }

    fn is_excluded(&self, at: Timestamp, job: u32, trigger: u32) -> bool {
        let trigger = &self.jobs[job as usize].triggers[trigger as usize];
        trigger.has_calendars && {
            let before = Timestamp::from_micros(at.as_micros() - 1);
            trigger.schedule.occurrence_after(before).is_some_and(|fire| fire.exclusion.is_some())
        }
    }
}

impl Iterator for Fires {
    type Item = ForecastFire;

    fn next(&mut self) -> Option<ForecastFire> {
        loop {
            let (at, job, trigger) = self.take()?;
            let mut skipped = self.is_excluded(at, job, trigger);
            // Several triggers that fall on one instant are one fire; it runs if any of them lets it.
            while let Some(Reverse((other_at, other_job, other))) = self.next.peek().copied()
                && (other_at, other_job) == (at, job)
            {
                skipped = skipped && self.is_excluded(at, job, other);
                self.take();
            }
            let spec = &mut self.jobs[job as usize];
            if spec.runs_left == 0 {
                continue;
            }
            skipped = skipped || spec.window.as_ref().is_some_and(|window| !window.contains(at));
            if !skipped {
                spec.runs_left -= 1;
            }
            return Some(ForecastFire { at, job: job as usize, trigger: trigger as usize, skipped });
        }
    }
}
