//! The fires of many jobs, merged in order.

use std::cmp::Reverse;
use std::collections::binary_heap::PeekMut;
use std::collections::{BTreeMap, BinaryHeap};

use super::Forecast;
use crate::schedule::{Schedule, Window};
use crate::spec::{JobSpec, Outside};
use crate::time::Timestamp;

/// A fire in a forecast.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ForecastFire {
    /// When it starts a run: its instant, or when the window opens that it waits for.
    pub at: Timestamp,
    /// Its instant.
    pub due_at: Timestamp,
    /// The job: its place in the list of jobs.
    pub job: usize,
    /// Which of the job's triggers fires, counted from 0: the first of those that meet, but rather one that no calendar
    /// excludes.
    pub trigger: usize,
    /// It starts nothing: a calendar excludes its date, or the job's window is closed.
    pub skipped: bool,
}

/// The fires of a set of jobs between two instants, in the order in which they start runs; those of one instant in the
/// order of the jobs. A fire that waits for a window which opens after the second instant is none of them.
pub struct Fires {
    to: Timestamp,
    jobs: Vec<Job>,
    /// The next fire of every trigger that still has one, the least on top: instant, job, trigger.
    next: BinaryHeap<Reverse<(Timestamp, u32, u32)>>,
    /// Fires that wait for a window, by when it opens and by job. Of those of one job only the first is kept, and their
    /// number, as a closed week of a job that fires each second has many.
    waiting: BTreeMap<(Timestamp, u32), Waiting>,
}

/// Fires of a job that wait for its window.
struct Waiting {
    due_at: Timestamp,
    trigger: u32,
    count: u64,
}

struct Job {
    triggers: Vec<Trigger>,
    /// When its runs may start.
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
        let mut fires = Self {
            to: forecast.to,
            jobs: Vec::with_capacity(jobs.len()),
            next: BinaryHeap::new(),
            waiting: BTreeMap::new(),
        };
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
            let window = job.window.as_ref().map(|window| Window::new(window, planning.zone));
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

    /// Takes a fire whose window opens before, or when, the next one comes.
    fn take_waiting(&mut self) -> Option<ForecastFire> {
        let mut first = self.waiting.first_entry()?;
        let (at, job) = *first.key();
        if self.next.peek().is_some_and(|Reverse((next, other, _))| (*next, *other) < (at, job)) {
            return None;
        }
        let waiting = first.get_mut();
        let (due_at, trigger) = (waiting.due_at, waiting.trigger as usize);
        waiting.count -= 1;
        if waiting.count == 0 {
            first.remove();
        }
        Some(ForecastFire { at, due_at, job: job as usize, trigger, skipped: false })
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
            if let Some(fire) = self.take_waiting() {
                return Some(fire);
            }
            let (at, job, mut trigger) = self.take()?;
            let mut skipped = self.is_excluded(at, job, trigger);
            // Several triggers that fall on one instant are one fire; it runs if any of them lets it.
            while let Some(Reverse((other_at, other_job, other))) = self.next.peek().copied()
                && (other_at, other_job) == (at, job)
            {
                if skipped && !self.is_excluded(at, job, other) {
                    (skipped, trigger) = (false, other);
                }
                self.take();
            }
            let spec = &mut self.jobs[job as usize];
            if spec.runs_left == 0 {
                continue;
            }
            let closed = spec.window.as_ref().filter(|window| !skipped && !window.contains(at));
            let opens_at = closed.and_then(|window| match window.outside() {
                Outside::Skip => None,
                Outside::Defer => window.next_open(at),
            });
            skipped = skipped || (closed.is_some() && opens_at.is_none());
            if !skipped {
                spec.runs_left -= 1;
            }
            if let Some(opens_at) = opens_at {
                if opens_at < self.to {
                    let first = Waiting { due_at: at, trigger, count: 0 };
                    self.waiting.entry((opens_at, job)).or_insert(first).count += 1;
                }
                continue;
            }
            return Some(ForecastFire { at, due_at: at, job: job as usize, trigger: trigger as usize, skipped });
        }
    }
}
