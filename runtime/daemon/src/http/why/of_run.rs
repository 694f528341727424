//! What the record of a fire or a start tells, and what stood in its way.

use std::time::Duration;

use sandglass_api::wire::{Verdict, WaitsFor, refusal, retry_note};
use sandglass_core::hold::HoldKind;
use sandglass_core::run::{Gate, Origin, Phase, Run, RunState, StateName};
use sandglass_core::schedule::Fire;
use sandglass_core::spec::Requirement;
use sandglass_core::time::Timestamp;
use sandglass_store::{RunQuery, StoreError, last_ended};

use super::{Asked, words};

/// How many of the job's runs are looked at for the one that stood in the way.
const LOOKED_AT: usize = 50;
/// A start this much after its instant is told of as late.
const LATE: Duration = Duration::from_secs(1);

impl Asked<'_> {
    /// Of a run or a skipped fire. `fire` is the schedule's fire at the time, if it has one.
    pub(super) fn of_run(&self, run: &Run, fire: Option<&Fire>) -> Result<(Verdict, String), StoreError> {
        let due = self.shown(run.scheduled_at);
        let moved = fire.filter(|fire| fire.occurrence.at == run.scheduled_at).map(|fire| self.moved_here(fire));
        let moved = moved.unwrap_or_default();
        if run.state.name() == StateName::Skipped {
            let why = self.why_skipped(run, fire)?;
            if let Some(missed) = run.missed {
                let which = fire.map(|fire| fire.occurrence.at).filter(|at| run.stands_for(*at));
                let (due, until) = (self.shown(which.unwrap_or(run.scheduled_at)), self.shown(missed.until));
                let (count, first) = (missed.count, self.shown(run.scheduled_at));
                let all = format!("the fire of {due} was skipped, as were all {count} from {first} to {until}: {why}");
                return Ok((Verdict::Skipped, all));
            }
            return Ok((Verdict::Skipped, format!("the fire of {due}{moved} was skipped: {why}")));
        }
        let origin = run.origin.as_str().replace('_', "-");
        let (id, state) = (run.id, words::state(run));
        let rest = match run.started_at() {
            Some(started) => self.lateness(run, started),
            None => self.waiting(run)?,
        };
        let origin = match run.rerun_of {
            Some(first) => format!("{origin} of run {}", first.run),
            None => origin,
        };
        let note = retry_note(run, |at| self.shown(at)).map(|note| format!("; {note}")).unwrap_or_default();
        Ok((Verdict::Run, format!("run {id} of {due}{moved} is {state}; it was started by {origin}{rest}{note}")))
    }

    /// How late a run started, and why.
    fn lateness(&self, run: &Run, started: Timestamp) -> String {
        let late = started.since(run.scheduled_at);
        if late <= LATE {
            return String::new();
        }
        let cause = match (run.phase_at(run.queued_at, self.window), run.origin) {
            (Phase::WaitsForWindow(opens_at), _) => {
                format!(", as it waited for the job's window, which opened at {}", self.shown(opens_at))
            }
            (_, Origin::CatchUp) => {
                ", as the daemon was down, suspended or overloaded when it came due, and caught up on it".to_owned()
            }
            (_, Origin::Backfill) => String::new(),
            _ if !self.stored.job.spec.requires.is_empty() => {
                ", as it waited for what it requires, for its turn or for a free place".to_owned()
            }
            _ => ", as it waited for its turn or for a free place".to_owned(),
        };
        format!(" at {}, {} late{cause}", self.shown(started), words::period(late))
    }

    /// What a run waits for that has not started.
    fn waiting(&self, run: &Run) -> Result<String, StoreError> {
        if run.state != RunState::Queued {
            return Ok(String::new());
        }
        let told = |waits: &WaitsFor| format!(", and waits for {}", waits.words(|at| self.shown(at)));
        Ok(match (self.waits.get(&run.id), run.phase_at(self.now, self.window)) {
            // The requirement itself can be told.
            (Some(waits @ WaitsFor::Requirement { .. }), _) => self.needed(run)?.unwrap_or_else(|| told(waits)),
            (Some(waits), _) => told(waits),
            (None, Phase::WaitsForWindow(opens_at)) => told(&WaitsFor::Window { opens_at }),
            _ => self.needed(run)?.unwrap_or_else(|| ", and waits for its turn or for a free place".to_owned()),
        })
    }

    /// What of other jobs a queued run waits for, if it does.
    fn needed(&self, run: &Run) -> Result<Option<String>, StoreError> {
        if run.gate == Gate::Open || !run.attempts.is_empty() {
            return Ok(None);
        }
        Ok(self.unmet(self.now)?.map(|unmet| format!(", and waits, because {unmet}")))
    }

    /// What the job requires and is not so at `at`, as far as it can still be told.
    fn unmet(&self, at: Timestamp) -> Result<Option<String>, StoreError> {
        let job = &self.stored.job;
        for requirement in &job.spec.requires {
            let Requirement { job: name, outcome, within, .. } = requirement;
            let upstream = self.store.job_named(&job.namespace, name)?;
            let last = match &upstream {
                Some(upstream) => last_ended(self.store, upstream.job.id)?,
                None => None,
            };
            if requirement.is_met(last.as_ref(), at) {
                continue;
            }
            let within = within.map(|within| format!(" within {}", words::period(within.get()))).unwrap_or_default();
            let is = match last {
                Some(last) => format!(
                    "its last run {} {} at {}",
                    last.run,
                    words::ended(last.state),
                    self.shown(last.finished_at)
                ),
                None => "it has not run yet".to_owned(),
            };
            return Ok(Some(format!("it requires a last run of '{name}' that is {outcome}{within}, and {is}")));
        }
        Ok(None)
    }

    fn why_skipped(&self, run: &Run, fire: Option<&Fire>) -> Result<String, StoreError> {
        let exclusion = fire.and_then(|fire| fire.occurrence.exclusion.as_ref());
        Ok(match run.reason() {
            Some("missed") => {
                "it came due while the daemon was down, suspended or overloaded, and the job's catch_up policy left it out"
                    .to_owned()
            }
            Some("overlap") => {
                let policy = "the job's overlap policy lets no other start then";
                match self.in_the_way(run, run.queued_at)? {
                    Some((other, phase)) => format!("{}, and {policy}", self.doing(&other, phase)),
                    None => format!("a run of the job was going or waiting, and {policy}"),
                }
            }
            Some("paused") => {
                let held = self.held(HoldKind::Paused, run.scheduled_at);
                held.unwrap_or_else(|| "the job was paused then; it is not by that pause any more".to_owned())
            }
            Some("requires") => self.unmet(run.queued_at)?.unwrap_or_else(|| "what it requires was not so then".to_owned()),
            Some("outside_window") => "the job's window was closed, and it says 'outside: skip'".to_owned(),
            Some("calendar") => exclusion.map_or_else(
                || {
                    "a calendar of its trigger left its date out; as the calendars and triggers are now, none does"
                        .to_owned()
                },
                refusal,
            ),
            _ => "it was left out".to_owned(),
        })
    }

    /// The run of the job that stood in the way of `run` at `at`, and what it was about; rather one that was going.
    fn in_the_way(&self, run: &Run, at: Timestamp) -> Result<Option<(Run, Phase)>, StoreError> {
        let query = RunQuery {
            until: Some(at.after(Duration::from_millis(1))),
            states: StateName::ALL.into_iter().filter(|state| *state != StateName::Skipped).collect(),
            limit: LOOKED_AT,
            ..RunQuery::of_job(self.stored.job.id)
        };
        let others = self.store.query(&query)?.items;
        let others = others.iter().filter(|other| other.id != run.id);
        let busy = others.map(|other| (other, other.phase_at(at, self.window)));
        let busy = busy.filter(|(_, phase)| !matches!(phase, Phase::Ahead | Phase::Over));
        let first = busy.min_by_key(|(other, phase)| (*phase != Phase::Going, other.scheduled_at));
        Ok(first.map(|(other, phase)| (other.as_ref().clone(), phase)))
    }

    fn doing(&self, run: &Run, phase: Phase) -> String {
        let which = format!("run {} of {}", run.id, self.shown(run.scheduled_at));
        match phase {
            Phase::WaitsForWindow(opens_at) => {
                let opens = if opens_at > self.now { "opens" } else { "opened" };
                format!("{which} was waiting for the job's window, which {opens} at {}", self.shown(opens_at))
            }
            Phase::Waits => format!("{which} was waiting for its turn or for a free place"),
            Phase::BetweenAttempts => format!("{which} had failed and was to be tried again"),
            Phase::Going | Phase::Ahead | Phase::Over => format!("{which} was still going"),
        }
    }
}
