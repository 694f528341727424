//! Time passes, and at the end everything comes to its end.

use std::time::Duration;

use super::Life;
use crate::check::{Happening, Verdict, violation};
use crate::daemon::Daemon;
use crate::plan::{Plan, SECOND};

/// Rounds within one instant after which time counts as standing still.
const ROUNDS: usize = 2000;
/// At the end everything must be over within so many wake-ups.
const WAKES: usize = 4000;

impl Life {
    /// Everything that can happen now happens.
    pub(super) fn settle(&mut self) -> Verdict {
        for _ in 0..ROUNDS {
            self.turn(usize::MAX)?;
            while self.daemon.as_ref().is_some_and(Daemon::has_queued) {
                let most = self.rng.usize(1..5);
                self.commit(most)?;
            }
            let Some(daemon) = &self.daemon else { return Ok(()) };
            let due = daemon.wakes_at(self.now).filter(|at| at.since(self.now) < Duration::from_millis(1));
            if daemon.is_failing() {
                return Ok(());
            }
            match due {
                // A long backlog is dealt with in turns, a moment apart.
                Some(at) if at > self.now => self.now = at,
                Some(_) => {}
                None if daemon.is_settled() => return self.settled(),
                None => {}
            }
        }
        violation("progress", format!("at {} time stands still", self.now))
    }

    pub(super) fn settled(&mut self) -> Verdict {
        self.happens(&Happening::Tick)?;
        if self.daemon.as_ref().is_none_or(Daemon::is_stopping)
            || self.host.next_end() <= Some(self.monotonic) && self.host.next_end().is_some()
        {
            return Ok(());
        }
        self.check(self.now, |checkers, seen| checkers.settled(seen))
    }

    /// Time passes; everything happens at its instant.
    pub(super) fn advance(&mut self, time: i64) -> Verdict {
        let until = self.monotonic + time;
        self.settle()?;
        while self.monotonic < until && self.daemon.is_some() {
            self.pass((self.next() - self.monotonic).clamp(1, until - self.monotonic));
            self.settle()?;
        }
        Ok(())
    }

    /// When something happens next, by the monotonic clock.
    pub(super) fn next(&self) -> i64 {
        let now = self.now;
        let wake = self.daemon.as_ref().and_then(|daemon| daemon.wakes_at(now));
        let wake = wake.map(|at| self.monotonic + i64::try_from(at.since(now).as_micros()).unwrap_or(i64::MAX / 2));
        wake.into_iter().chain(self.host.next_end()).min().unwrap_or(i64::MAX / 2)
    }

    /// Nothing fires and nobody asks any more: everything that is not over comes to its end.
    pub(super) fn end(&mut self) -> Verdict {
        tell!(self, "the end begins");
        self.heal();
        while self.daemon.is_none() {
            self.pass(SECOND);
            self.boot()?;
            self.settle()?;
        }
        for _ in 0..20 {
            let firing = self.model.jobs.values().filter(|(job, _)| !job.spec.triggers.is_empty());
            let plans: Vec<Plan> = firing.map(|(job, _)| Plan::of(job, &self.plans).clone()).collect();
            for plan in plans {
                self.save(Plan { when: Vec::new(), ..plan });
            }
            self.advance(2 * SECOND)?;
            if self.daemon.is_none() {
                self.boot()?;
            }
        }
        for _ in 0..WAKES {
            if self.model.active.is_empty() {
                return Ok(());
            }
            let time = (self.next() - self.monotonic).clamp(1, 86_400 * SECOND);
            self.pass(time);
            self.settle()?;
            if self.daemon.is_none() {
                self.boot()?;
            }
        }
        let (id, run) = self.model.active.first_key_value().expect("it is not empty");
        violation("progress", format!("run {id} of job {} never ends: it is {:?}", run.job, run.state))
    }
}
