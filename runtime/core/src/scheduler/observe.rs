//! Runs that ended are shown to those who watch their jobs, at the end of the step in which they ended: only then is
//! everything else as it will be.

use std::sync::Arc;

use super::{Moment, Scheduler};
use crate::event::Step;
use crate::run::Run;
use crate::time::Timestamp;

impl Scheduler {
    /// Takes note of a run that is over, or of a fire that started nothing, for those who watch the job.
    pub(super) fn note_end(&mut self, run: &Arc<Run>) {
        if self.upstreams.is_watched(&run.namespace, &run.job) {
            self.ended.push(Arc::clone(run));
        }
    }

    /// Shows what ended to those who watch, tells of it, and fills free places, until nothing more follows. To be called
    /// once all else of the step is decided.
    pub(super) fn conclude(&mut self, moment: &mut Moment<'_>, step: &mut Step) {
        self.recall(step);
        let mut told = 0;
        loop {
            self.show_ended(moment.now, step);
            told = self.tell(told, moment, step);
            self.fill(moment.now, step);
            // A run that has a place at last may be too late for it.
            if self.ended.is_empty() && !self.has_to_tell(told, step) {
                break;
            }
        }
        self.forget_untold();
    }

    /// As [`Scheduler::conclude`], in the midst of a step: who is told of what ended is told when it is concluded.
    pub(super) fn follow_up(&mut self, now: Timestamp, step: &mut Step) {
        loop {
            self.show_ended(now, step);
            self.fill(now, step);
            if self.ended.is_empty() {
                return;
            }
        }
    }

    /// What follows may end too, as a fire that is skipped. It comes to an end, as no job comes after itself.
    fn show_ended(&mut self, now: Timestamp, step: &mut Step) {
        while !self.ended.is_empty() {
            for run in std::mem::take(&mut self.ended) {
                self.tell_dependants(&run, now, step);
            }
        }
    }
}
