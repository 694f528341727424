//! What is durable, and what the checkers say of it.

use sandglass_core::batch::{Batch, Write};
use sandglass_core::event::Reply;
use sandglass_core::time::Timestamp;

use super::Life;
use crate::check::{Checkers, Happening, Verdict, violation};
use crate::model::Model;

/// What may go wrong with what was on its way to the store.
pub(super) struct Uncertain {
    pub(super) batches: Vec<Batch>,
    pub(super) decided_at: Vec<Timestamp>,
}

/// What is certain to be on the disk while more can be read from it than was synced.
pub(super) struct Unsynced {
    pub(super) model: Model,
    pub(super) checkers: Checkers,
    /// Answers that were given since.
    pub(super) answers: Vec<Reply>,
}

impl Life {
    pub(super) fn apply(&mut self, batch: &Batch, decided_at: Timestamp) -> Verdict {
        for write in &batch.writes {
            tell!(self, "durable: {}", written(write));
            self.check(decided_at, |checkers, seen| checkers.write(seen, write))?;
            self.model.apply(write)?;
        }
        Ok(())
    }

    pub(super) fn happens(&mut self, what: &Happening<'_>) -> Verdict {
        self.check(self.now, |checkers, seen| checkers.happens(seen, what))
    }

    /// The store holds what was acknowledged, and what was on its way as a whole or not at all.
    pub(super) fn compare(&mut self) -> Verdict {
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
        if let Some(Uncertain { batches, decided_at }) = self.uncertain.take()
            && self.model.with(&batches).is_some_and(|with| found == with)
        {
            tell!(self, "what was on its way is there");
            let (model, checkers) = (self.model.clone(), self.checkers.clone());
            for (batch, decided_at) in batches.iter().zip(decided_at) {
                self.apply(batch, decided_at)?;
            }
            // Read, but perhaps not synced.
            self.unsynced.get_or_insert(Unsynced { model, checkers, answers: Vec::new() });
            return Ok(());
        }
        if let Some(Unsynced { model, checkers, answers }) = self.unsynced.take()
            && found == model
        {
            tell!(self, "what was on its way is gone again");
            (self.model, self.checkers) = (model, checkers);
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
