//! What is durable, and what the checkers say of it.

use std::sync::Arc;

use sandglass_core::batch::Write;
use sandglass_core::event::Reply;
use sandglass_core::time::Timestamp;

use super::Life;
use crate::check::{Checkers, Happening, Verdict, violation};
use crate::daemon::Decision;
use crate::ends::Ends;
use crate::model::Model;
use crate::order::Deed;
use crate::places::Places;

/// What is certain to be on the disk while more can be read from it than was synced.
pub(super) struct Unsynced {
    pub(super) model: Model,
    pub(super) places: Places,
    pub(super) ends: Ends,
    pub(super) checkers: Checkers,
    /// Answers that were given since.
    pub(super) answers: Vec<Reply>,
}

impl Life {
    pub(super) fn apply(&mut self, decision: &Decision) -> Verdict {
        for deed in &decision.deeds {
            match deed {
                Deed::Write(write) => {
                    tell!(self, "durable: {}", written(write));
                    self.look_at(write, decision.at)?;
                    self.model.apply(write)?;
                }
                Deed::Begin(run) => {
                    let write = Write::UpdateRun(Arc::clone(run));
                    tell!(self, "durable: {}", written(&write));
                    self.look_at(&write, decision.at)?;
                    self.model.put_run(run);
                }
                Deed::InVain(run) => self.model.put_run(run),
            }
        }
        Ok(())
    }

    fn look_at(&mut self, write: &Write, decided_at: Timestamp) -> Verdict {
        self.check(decided_at, |checkers, seen| checkers.write(seen, write))?;
        self.places.note(&self.model, &self.plans, write);
        self.ends.note(write, decided_at);
        Ok(())
    }

    pub(super) fn happens(&mut self, what: &Happening<'_>) -> Verdict {
        self.check(self.now, |checkers, seen| checkers.happens(seen, what))
    }

    /// The scheduler was made anew from the store.
    pub(super) fn reloaded(&mut self) -> Verdict {
        self.compare()?;
        self.places = Places::count(&self.model, &self.plans);
        Ok(())
    }

    /// The store holds what was acknowledged, and what was on its way as a whole or not at all.
    fn compare(&mut self) -> Verdict {
        let Some(store) = &self.store else { return Ok(()) };
        let found = match Model::of(store.as_ref()) {
            Ok(found) => found,
            Err(error) if self.faulty => {
                tell!(self, "the store cannot be read: {error}");
                return Ok(());
            }
            Err(error) => return violation("durability", format!("the store cannot be read: {error}")),
        };
        if found == self.model {
            return Ok(());
        }
        if let Some(decisions) = self.uncertain.take()
            && self.model.with(&decisions).is_some_and(|with| found == with)
        {
            tell!(self, "what was on its way is there");
            let (model, places, ends) = (self.model.clone(), self.places.clone(), self.ends.clone());
            let checkers = self.checkers.clone();
            for decision in &decisions {
                self.apply(decision)?;
            }
            // Read, but perhaps not synced.
            self.unsynced.get_or_insert(Unsynced { model, places, ends, checkers, answers: Vec::new() });
            return Ok(());
        }
        if let Some(Unsynced { model, places, ends, checkers, answers }) = self.unsynced.take()
            && found == model
        {
            tell!(self, "what was on its way is gone again");
            (self.model, self.places, self.ends, self.checkers) = (model, places, ends, checkers);
            return answers.iter().try_for_each(|reply| self.happens(&Happening::Reply(reply)));
        }
        violation("durability", self.model.difference(&found))
    }
}

fn written(write: &Write) -> String {
    match write {
        Write::InsertRun(run) | Write::UpdateRun(run) => format!(
            "run {} of job {} ({}, {}, {:?}) version {}: {:?}, {} attempts",
            run.id,
            run.job,
            run.origin.as_str(),
            run.scheduled_at,
            run.gate,
            run.version,
            run.state,
            run.attempts.len()
        ),
        Write::PutJob(job) => format!("job {} revision {} ({})", job.spec.name, job.revision, job.id),
        Write::PutPlugin { .. } => "a plugin".to_owned(),
        other => format!("{other:?}"),
    }
}
