//! Every fire of every schedule is accounted for exactly once: by a run, or by a record of why there is none.
//!
//! The fires are those of the job's plan. A schedule counts from the instant it was saved, or from the last fire that was
//! dealt with if the clock stood later then; what was due when it was changed is settled by the old one.

use std::collections::{BTreeMap, BTreeSet};

use sandglass_core::batch::Write;
use sandglass_core::hold::{HoldSubject, Holds, Standing};
use sandglass_core::id::{JobId, RunId};
use sandglass_core::job::Job;
use sandglass_core::run::{Ending, Origin, Run, RunState, SkipReason};
use sandglass_core::time::Timestamp;

use super::{Checker, Happening, Seen, Verdict, Violation, violation};
use crate::plan::{Plan, When, weekday};

#[derive(Clone, Default)]
pub(crate) struct Accounting {
    jobs: BTreeMap<JobId, Account>,
    /// When the daemon came up, until its startup fires have been looked at.
    up_at: Option<Timestamp>,
    /// Jobs saved, disabled or enabled since then. Told by what happened, as the clock may have been set back meanwhile.
    saved_since: BTreeSet<JobId>,
}

/// The fires of a job's present schedule.
#[derive(Clone)]
struct Account {
    since: Timestamp,
    /// Fires up to and including this instant are none of this schedule's.
    from: Timestamp,
    /// Fires up to and including this one have been looked for.
    until: Timestamp,
    recorded: BTreeSet<Timestamp>,
    /// All fires that were ever recorded, by any schedule of the job.
    ever: BTreeSet<Timestamp>,
    /// How many have become runs.
    fired: u64,
    /// The latest instant at which the job or its calendar was saved.
    touched_at: Timestamp,
    /// While the job is disabled: fires after this instant are none.
    disabled_from: Option<Timestamp>,
    /// Fires up to and including this instant may be left out: the clock has been set back, and stood later when the
    /// schedule before this one was last looked at.
    optional_until: Timestamp,
}

const NAME: &str = "accounting";

impl Checker for Accounting {
    fn write(&mut self, seen: &Seen<'_>, write: &Write) -> Verdict {
        match write {
            Write::PutJob(job) => self.saved(seen, job),
            Write::DeleteJob { id, .. } => {
                self.jobs.remove(id);
                Ok(())
            }
            Write::InsertRun(run) => self.inserted(seen, run),
            Write::PutHolds { subject, holds } => self.held(seen, subject, holds),
            Write::PutCalendar(_) => {
                self.jobs.values_mut().for_each(|account| account.touch(seen.now));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn happens(&mut self, seen: &Seen<'_>, what: &Happening<'_>) -> Verdict {
        if let Happening::Up = what {
            self.up_at = Some(seen.now);
            self.saved_since.clear();
        }
        Ok(())
    }

    fn settled(&mut self, seen: &Seen<'_>) -> Verdict {
        for (id, account) in &mut self.jobs {
            let Some((job, _)) = seen.model.jobs.get(id) else { continue };
            account.look(seen.plan(job), job, seen.now)?;
        }
        let Some(up_at) = self.up_at.take() else { return Ok(()) };
        for (id, account) in &self.jobs {
            let Some((job, _)) = seen.model.jobs.get(id) else { continue };
            let plan = seen.plan(job);
            let wanted = plan.when.contains(&When::Startup)
                && !self.saved_since.contains(id)
                && account.disabled_from.is_none()
                && !account.is_exhausted(plan);
            if wanted && !seen.model.runs.contains_key(&RunId::of_startup(*id, up_at)) {
                return violation(NAME, format!("job {} has no fire for the start at {up_at}", job.spec.name));
            }
        }
        Ok(())
    }
}

impl Accounting {
    fn saved(&mut self, seen: &Seen<'_>, job: &Job) -> Verdict {
        let now = seen.now;
        self.saved_since.insert(job.id);
        let plan = seen.plan(job);
        let Some((old, _)) = seen.model.jobs.get(&job.id) else {
            let disabled_from = seen.model.standing(job).is_disabled().then_some(now);
            let account = Account { disabled_from, ..Account::new(job.scheduled_since, now, now) };
            self.jobs.insert(job.id, account);
            return anchored(job, now);
        };
        let before = seen.plan(old);
        let account = self.jobs.get_mut(&job.id).expect("every job that is there has an account");
        let optional_until = account.touched_at;
        account.touch(now);
        if before.same_schedule(plan) {
            if job.scheduled_since != old.scheduled_since {
                return violation(NAME, format!("job {} counts anew, but its triggers are the same", job.spec.name));
            }
            if account.is_exhausted(before) && !account.is_exhausted(plan) {
                account.from = now.max(account.last_dealt_with());
                account.until = account.from;
            }
            return Ok(());
        }
        account.look(before, old, now)?;
        let from = now.max(account.last_dealt_with());
        let ever = std::mem::take(&mut account.ever);
        let touched_at = account.touched_at;
        let fresh = Account::new(job.scheduled_since, from, now);
        let disabled_from = account.disabled_from.map(|_| from);
        *account = Account { ever, touched_at, optional_until, disabled_from, ..fresh };
        anchored(job, now)
    }

    /// A job that is disabled has no fires until it is enabled again, and counts from then.
    fn held(&mut self, seen: &Seen<'_>, subject: &HoldSubject, holds: &Holds) -> Verdict {
        let now = seen.now;
        for (job, _) in seen.model.jobs.values() {
            let before = seen.model.standing(job);
            let after = match subject {
                HoldSubject::Job(id) if *id == job.id => Standing { own: holds.clone(), ..before.clone() },
                HoldSubject::Namespace(namespace) if *namespace == job.namespace => {
                    Standing { namespace: holds.clone(), ..before.clone() }
                }
                _ => continue,
            };
            if before.is_disabled() == after.is_disabled() {
                continue;
            }
            self.saved_since.insert(job.id);
            let account = self.jobs.get_mut(&job.id).expect("every job that is there has an account");
            if after.is_disabled() {
                account.disabled_from = Some(now.max(account.last_dealt_with()));
            } else {
                account.look(seen.plan(job), job, now)?;
                account.disabled_from = None;
                account.from = now.max(account.last_dealt_with());
                account.until = account.from;
                account.optional_until = account.optional_until.max(account.touched_at);
            }
            account.touch(now);
        }
        Ok(())
    }

    fn inserted(&mut self, seen: &Seen<'_>, run: &Run) -> Verdict {
        if !matches!(run.origin, Origin::Schedule | Origin::CatchUp | Origin::Dependency) {
            return Ok(());
        }
        let Some((job, plan)) = seen.job_of(run) else {
            return violation(NAME, format!("run {} is of a job that is not there", run.id));
        };
        let account = self.jobs.get_mut(&job.id).expect("every job that is there has an account");
        if !matches!(run.state, RunState::Ended { ending: Ending::Skipped(_), .. }) {
            account.fired += 1;
        }
        if plan.max_runs.is_some_and(|most| account.fired > most) {
            return violation(NAME, format!("{} fires of job {} have become runs", account.fired, run.job));
        }
        // That a job follows others is held against what they did, elsewhere.
        if plan.is_startup(run.trigger) || run.origin == Origin::Dependency {
            return Ok(());
        }
        for at in stands_for(run, account.since, plan)? {
            account.record(at, run, plan)?;
            left_out(seen, run, at, plan)?;
        }
        Ok(())
    }
}

/// The fires that a record stands for, by the job's plan.
fn stands_for(run: &Run, since: Timestamp, plan: &Plan) -> Result<Vec<Timestamp>, Violation> {
    let Some(missed) = run.missed else { return Ok(vec![run.scheduled_at]) };
    let just_before = Timestamp::from_micros(run.scheduled_at.as_micros() - 1);
    let fires = plan.fires(since, just_before, missed.until);
    if fires.len() as u64 != missed.count || fires.last() != Some(&missed.until) {
        let (found, job, at) = (fires.len(), &run.job, run.scheduled_at);
        let detail = format!("the record of job {job} at {at} stands for {missed:?}, but there are {found} fires");
        return Err(Violation { checker: NAME, what: detail });
    }
    Ok(fires.into_iter().collect())
}

impl Account {
    /// The fire at `at` has its record.
    fn record(&mut self, at: Timestamp, run: &Run, plan: &Plan) -> Verdict {
        let account = self;
        if !account.ever.insert(at) {
            return violation(NAME, format!("the fire of job {} at {at} is recorded twice", run.job));
        }
        let just_before = Timestamp::from_micros(at.as_micros() - 1);
        let disabled = account.disabled_from.is_some_and(|from| at > from);
        if disabled || at <= account.from || plan.fires(account.since, just_before, at).is_empty() {
            let (from, since) = (account.from, account.since);
            return violation(NAME, format!("job {} has no fire at {at} (from {from}, since {since})", run.job));
        }
        account.recorded.insert(at);
        Ok(())
    }
}

/// A schedule that is new counts from the instant it is saved.
fn anchored(job: &Job, now: Timestamp) -> Verdict {
    if job.scheduled_since == now {
        return Ok(());
    }
    violation(NAME, format!("job {} is saved at {now} and counts from {}", job.spec.name, job.scheduled_since))
}

/// A fire is left out for its calendar if and only if the calendar says so.
fn left_out(seen: &Seen<'_>, run: &Run, at: Timestamp, plan: &Plan) -> Verdict {
    let name = "off".parse().expect("a name");
    let calendar = seen.model.calendars.get(&(run.namespace.clone(), name)).filter(|_| plan.calendar);
    let today = weekday(at);
    let off = calendar.is_some_and(|calendar| {
        let days = serde_json::to_value(&calendar.spec.weekdays).expect("a list of days");
        let names = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
        days.as_array().is_some_and(|days| days.iter().any(|day| day == names[today]))
    });
    let skipped = matches!(run.state, RunState::Ended { ending: Ending::Skipped(SkipReason::Calendar), .. });
    if off == skipped {
        return Ok(());
    }
    violation(NAME, format!("the fire of job {} at {at}: left out {skipped}, day off {off}", run.job))
}

impl Account {
    fn new(since: Timestamp, from: Timestamp, touched_at: Timestamp) -> Self {
        let recorded = BTreeSet::new();
        let (ever, optional_until) = (BTreeSet::new(), from);
        let disabled_from = None;
        Self { since, from, until: from, recorded, ever, fired: 0, touched_at, disabled_from, optional_until }
    }

    fn touch(&mut self, now: Timestamp) {
        self.touched_at = self.touched_at.max(now);
    }

    fn is_exhausted(&self, plan: &Plan) -> bool {
        plan.max_runs.is_some_and(|most| self.fired >= most)
    }

    /// The last fire that was dealt with, or what the schedule counts from.
    fn last_dealt_with(&self) -> Timestamp {
        self.from.max(self.recorded.last().copied().unwrap_or(self.from))
    }

    /// Looks whether all fires up to `now` are recorded.
    fn look(&mut self, plan: &Plan, job: &Job, now: Timestamp) -> Verdict {
        let now = self.disabled_from.map_or(now, |from| from.min(now));
        if now <= self.until {
            return Ok(());
        }
        let due = plan.fires(self.since, self.until, now);
        if !self.is_exhausted(plan)
            && let Some(at) = due.iter().find(|at| **at > self.optional_until && !self.recorded.contains(at))
        {
            return violation(NAME, format!("at {now} the fire of job {} at {at} is nowhere", job.spec.name));
        }
        self.until = now;
        Ok(())
    }
}
