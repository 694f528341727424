//! A job that comes after others fires once for all of them: when the last one it waited for has ended as it asks, and
//! never otherwise.

use std::collections::{BTreeMap, BTreeSet};

use sandglass_core::batch::Write;
use sandglass_core::id::{JobId, RunId};
use sandglass_core::run::{Ending, Origin, Run, RunState};

use super::{Checker, Seen, Verdict, violation};
use crate::plan::{Plan, When};

#[derive(Clone, Default)]
pub(crate) struct Dependencies {
    jobs: BTreeMap<JobId, Waiting>,
    /// Fires that must follow, with the runs that they follow from.
    owed: BTreeSet<(JobId, BTreeSet<RunId>)>,
}

/// What a job has seen since its triggers were changed.
#[derive(Clone, Default)]
struct Waiting {
    /// By the place of the trigger and the name of the job.
    seen: BTreeMap<(usize, &'static str), RunId>,
    /// How many of its fires have become runs.
    fired: u64,
}

const NAME: &str = "dependencies";

impl Checker for Dependencies {
    fn write(&mut self, seen: &Seen<'_>, write: &Write) -> Verdict {
        match write {
            Write::PutJob(job) => {
                let old = seen.model.jobs.get(&job.id);
                if !old.is_some_and(|(old, _)| seen.plan(old).same_schedule(seen.plan(job))) {
                    self.jobs.insert(job.id, Waiting::default());
                }
            }
            Write::DeleteJob { id, .. } => {
                self.jobs.remove(id);
                self.owed.retain(|(job, _)| job != id);
            }
            Write::InsertRun(run) => {
                self.made(run)?;
                self.ended(seen, run);
            }
            Write::UpdateRun(run) => self.ended(seen, run),
            _ => {}
        }
        Ok(())
    }

    fn settled(&mut self, seen: &Seen<'_>) -> Verdict {
        let Some((job, runs)) = self.owed.first() else { return Ok(()) };
        let name = seen.model.jobs.get(job).map_or_else(String::new, |(job, _)| job.spec.name.to_string());
        violation(NAME, format!("job {name} has not followed the runs {runs:?}"))
    }
}

impl Dependencies {
    fn made(&mut self, run: &Run) -> Verdict {
        let skipped = matches!(run.state, RunState::Ended { ending: Ending::Skipped(_), .. });
        let waiting = self.jobs.entry(run.job_id).or_default();
        if matches!(run.origin, Origin::Schedule | Origin::CatchUp | Origin::Dependency) && !skipped {
            waiting.fired += 1;
        }
        if run.origin != Origin::Dependency {
            return Ok(());
        }
        // One that starts at once has the runs with it that it requires.
        let runs: BTreeSet<RunId> = run.upstream.iter().map(|upstream| upstream.run).collect();
        let owed = self.owed.iter().find(|(job, owed)| *job == run.job_id && owed.is_subset(&runs)).cloned();
        if owed.is_some_and(|owed| self.owed.remove(&owed)) {
            return Ok(());
        }
        violation(NAME, format!("run {} of job {} follows nothing", run.id, run.job))
    }

    /// The run is over, if it is: those that wait for it have seen it.
    fn ended(&mut self, seen: &Seen<'_>, run: &Run) {
        let RunState::Ended { ending, .. } = run.state else { return };
        // What a job was before is another.
        if !seen.model.jobs.contains_key(&run.job_id) {
            return;
        }
        for (job, _) in seen.model.jobs.values().filter(|(job, _)| job.namespace == run.namespace) {
            if seen.model.standing(job).is_disabled() {
                continue;
            }
            let plan = seen.plan(job);
            let waiting = self.jobs.entry(job.id).or_default();
            if plan.max_runs.is_some_and(|most| waiting.fired >= most) {
                continue;
            }
            if let Some(runs) = waiting.see(plan, run, ending) {
                self.owed.insert((job.id, runs));
            }
        }
    }
}

impl Waiting {
    /// Takes note of a run that ended. Gives the runs that a fire follows from, if one follows.
    fn see(&mut self, plan: &Plan, run: &Run, ending: Ending) -> Option<BTreeSet<RunId>> {
        let mut follows: Option<BTreeMap<&str, RunId>> = None;
        for (place, when) in plan.when.iter().enumerate() {
            let When::After { jobs, any } = when else { continue };
            let counts = if *any { !matches!(ending, Ending::Skipped(_)) } else { ending == Ending::Succeeded };
            let Some(name) = jobs.iter().find(|name| run.job.as_str() == **name).filter(|_| counts) else { continue };
            self.seen.insert((place, name), run.id);
            if jobs.iter().all(|name| self.seen.contains_key(&(place, name))) {
                let follows = follows.get_or_insert_default();
                for name in jobs {
                    let run = self.seen.remove(&(place, name)).expect("it was seen");
                    follows.entry(name).or_insert(run);
                }
            }
        }
        follows.map(|runs| runs.into_values().collect())
    }
}
