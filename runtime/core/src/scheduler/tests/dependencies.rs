//! Jobs that come after others, and jobs that need others.

use super::*;
use crate::dependency::UpstreamRun;
use crate::run::{Ending, ExpiryReason, SkipReason};
use serde_json::json;

impl World {
    fn save(&mut self, now: Timestamp, jobs: &[serde_json::Value]) -> Result<(), Refusal> {
        let spec = |job: &serde_json::Value| {
            let mut job = job.clone();
            job["action"] = json!({ "use": "noop" });
            Arc::new(serde_json::from_value::<JobSpec>(job).unwrap()).into()
        };
        let jobs = jobs.iter().map(spec).collect();
        let namespace = Namespace::default();
        let together = Together { jobs, ..Together::default() };
        let rehearse = Command::Rehearse { namespace: namespace.clone(), together: together.clone() };
        let saved = [rehearse, Command::Apply { namespace, together }].map(|command| {
            self.at(now, Event::Command { ticket: Ticket(3), command });
            match self.replies.pop() {
                Some(Reply::Acceptable | Reply::Applied { .. }) => Ok(()),
                Some(Reply::Refused(refusal)) => Err(refusal),
                other => panic!("{other:?}"),
            }
        });
        let [rehearsed, saved] = saved;
        assert_eq!(rehearsed, saved, "the rehearsal says what saving says");
        saved
    }

    /// The store answers what it was asked.
    pub(super) fn answer(&mut self, now: Timestamp) {
        for recall in std::mem::take(&mut self.recalls) {
            let of_job = self.runs.values().filter(|run| run.job_id == recall.job && run.reason().is_none());
            let last = of_job.filter_map(|run| UpstreamRun::of(run)).max_by_key(|last| last.finished_at);
            self.at(now, Event::Recalled { recall, last });
        }
    }

    /// Starts a run of the job and lets it end at once.
    fn run(&mut self, now: Timestamp, name: &str, outcome: AttemptOutcome) -> RunId {
        let run = self.start(now, name, true);
        let place = self.started.iter().position(|started| started.run == run.id).expect("it started");
        let invocation = self.started.remove(place);
        self.at(now, Event::AttemptFinished(Box::new(report(&invocation, now, outcome))));
        run.id
    }

    /// The runs of a job, the first first: when each was due and its state.
    fn runs_of(&self, job: &str) -> Vec<(i64, RunState)> {
        let runs = self.runs.values().filter(|run| run.job.as_str() == job);
        let mut runs: Vec<_> = runs.map(|run| (run.scheduled_at.as_micros() / 1_000_000 - T0, run.state)).collect();
        runs.sort_by_key(|(at, _)| *at);
        runs
    }

    fn names_of(&self, job: &str) -> Vec<(i64, StateName)> {
        self.runs_of(job).into_iter().map(|(at, state)| (at, state.name())).collect()
    }

    fn upstream_of(&self, job: &str) -> Vec<(String, RunId)> {
        let run = self.runs.values().filter(|run| run.job.as_str() == job).max_by_key(|run| run.queued_at);
        run.expect("it has a run").upstream.iter().map(|up| (up.job.to_string(), up.run)).collect()
    }
}

const GOOD: AttemptOutcome = AttemptOutcome::Succeeded;
const BAD: AttemptOutcome = AttemptOutcome::Failed;

fn plain(name: &str) -> serde_json::Value {
    json!({ "name": name })
}

fn after(name: &str, after: serde_json::Value) -> serde_json::Value {
    json!({ "name": name, "triggers": [{ "after": after }], "overlap": "allow_all" })
}

fn requires(name: &str, requires: serde_json::Value) -> serde_json::Value {
    json!({ "name": name, "requires": requires })
}

#[test]
fn a_job_runs_after_another_that_ended_so() {
    let mut world = World::new(8);
    world.save(t(0), &[plain("a"), after("b", json!("a"))]).unwrap();
    world.run(t(1), "a", BAD);
    assert_eq!(world.runs_of("b"), []);
    let first = world.run(t(2), "a", GOOD);
    assert_eq!(world.names_of("b"), [(2, StateName::Running)]);
    assert_eq!(world.upstream_of("b"), [("a".to_owned(), first)]);
    let run = world.runs.values().find(|run| run.job.as_str() == "b").unwrap();
    assert_eq!((run.origin, run.trigger), (Origin::Dependency, Some(0)));
}

#[test]
fn many_come_together_and_one_starts_many() {
    let mut world = World::new(8);
    let all = json!(["a", { "job": "b", "outcome": "any" }]);
    world
        .save(t(0), &[plain("a"), plain("b"), after("c", all), after("d", json!("a")), after("e", json!("c"))])
        .unwrap();
    world.run(t(1), "a", GOOD);
    assert_eq!((world.runs_of("c").len(), world.runs_of("d").len()), (0, 1));
    let newer = world.run(t(2), "a", GOOD);
    let last = world.run(t(3), "b", BAD);
    assert_eq!(world.names_of("c"), [(3, StateName::Running)], "one fire, with the newest run of each");
    assert_eq!(world.upstream_of("c"), [("a".to_owned(), newer), ("b".to_owned(), last)]);
    // Everything begins anew.
    world.run(t(4), "b", BAD);
    assert_eq!(world.runs_of("c").len(), 1);
    world.run(t(5), "a", GOOD);
    assert_eq!(world.runs_of("c").len(), 2);
    // And on it goes.
    while !world.started.is_empty() {
        world.finish(t(6), GOOD);
    }
    assert_eq!(world.runs_of("e").len(), 2);
}

#[test]
fn what_has_come_survives_a_restart_and_a_change_of_other_things() {
    let mut world = World::new(8);
    let of_c = after("c", json!(["a", "b"]));
    world.save(t(0), &[plain("a"), plain("b"), of_c.clone()]).unwrap();
    world.run(t(1), "a", GOOD);
    world.restart(t(2));
    let mut changed = of_c;
    changed["priority"] = 7.into();
    world.save(t(3), &[changed]).unwrap();
    world.restart(t(4));
    world.run(t(5), "b", GOOD);
    assert_eq!(world.names_of("c"), [(5, StateName::Running)]);
    // Nothing of that is left.
    world.restart(t(6));
    world.run(t(7), "b", GOOD);
    assert_eq!(world.runs_of("c").len(), 1);
}

#[test]
fn a_run_that_a_crash_interrupted_is_told_too() {
    let mut world = World::new(8);
    world.save(t(0), &[plain("a"), after("b", json!({ "job": "a", "outcome": ["interrupted"] }))]).unwrap();
    world.start(t(1), "a", false);
    world.restart(t(2));
    assert_eq!(world.names_of("b"), [(2, StateName::Running)]);
}

#[test]
fn a_skipped_fire_counts_only_if_it_is_asked_for() {
    let mut world = World::new(8);
    let jobs = [
        plain("a"),
        after("b", json!({ "job": "a", "outcome": "any" })),
        after("c", json!({ "job": "a", "outcome": "skipped" })),
    ];
    world.save(t(0), &jobs).unwrap();
    world.start(t(1), "a", false);
    world.start(t(2), "a", false);
    assert_eq!(world.runs_of("b"), []);
    assert_eq!(world.names_of("c"), [(2, StateName::Running)]);
}

#[test]
fn a_held_job_does_not_follow() {
    let mut world = World::new(8);
    world.save(t(0), &[plain("a"), after("b", json!("a")), after("c", json!("b"))]).unwrap();
    let hold = |kind, change| Command::Hold {
        namespace: Namespace::default(),
        scope: crate::event::HoldScope::Job("b".parse().unwrap()),
        kind,
        change,
    };
    let begin = || crate::event::HoldChange::Begin { by: "me".to_owned(), reason: None };
    use crate::hold::HoldKind::{Disabled, Paused};
    let ask = |world: &mut World, now, command| {
        world.at(now, Event::Command { ticket: Ticket(1), command });
    };
    ask(&mut world, t(1), hold(Paused, begin()));
    world.run(t(2), "a", GOOD);
    ask(&mut world, t(3), hold(Disabled, begin()));
    world.run(t(4), "a", GOOD);
    let skipped = RunState::Ended { ending: Ending::Skipped(SkipReason::Paused), at: t(2) };
    assert_eq!(world.runs_of("b"), [(2, skipped)]);
    ask(&mut world, t(5), hold(Disabled, crate::event::HoldChange::End));
    ask(&mut world, t(6), hold(Paused, crate::event::HoldChange::End));
    world.run(t(7), "a", GOOD);
    assert_eq!(world.names_of("b"), [(2, StateName::Skipped), (7, StateName::Running)]);
}

#[test]
fn jobs_that_are_not_there_and_circles_are_refused() {
    let mut world = World::new(8);
    let refusal = world.save(t(0), &[plain("extract"), after("b", json!("extarct"))]).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "job 'b' waits for job 'extarct', which is not there (did you mean 'extract'?): save that first, or apply both together"
    );
    let circle = [after("a", json!("c")), after("b", json!("a")), after("c", json!(["b"]))];
    assert_eq!(
        world.save(t(0), &circle).unwrap_err().to_string(),
        "these jobs would start over and over: 'a' comes after 'c', 'c' after 'b', 'b' after 'a'; let one of them not come after the other"
    );
    assert!(matches!(world.save(t(0), &[after("a", json!("a"))]), Err(Refusal::Circle { .. })));
    world.save(t(0), &[plain("a"), after("b", json!("a")), after("c", json!("b")), requires("d", json!("c"))]).unwrap();
    assert!(matches!(world.save(t(1), &[after("a", json!("c"))]), Err(Refusal::Circle { .. })));
    let delete = |name: &str| Command::DeleteJob {
        namespace: Namespace::default(),
        name: name.parse().unwrap(),
        expect: Expectation::Anything,
    };
    world.at(t(2), Event::Command { ticket: Ticket(1), command: delete("c") });
    assert!(matches!(world.replies.pop(), Some(Reply::Refused(Refusal::JobInUse { jobs: 1, .. }))));
    for name in ["d", "c", "b", "a"] {
        world.at(t(2), Event::Command { ticket: Ticket(1), command: delete(name) });
        assert!(matches!(world.replies.pop(), Some(Reply::JobDeleted(_))), "{name}");
    }
}

#[test]
fn a_start_needs_what_the_job_requires() {
    let mut world = World::new(8);
    let load = json!({ "job": "load", "within": "1m" });
    world.save(t(0), &[plain("load"), requires("report", load)]).unwrap();
    world.answer(t(0));
    let unmet = |at| RunState::Ended { ending: Ending::Skipped(SkipReason::Requires), at };
    assert_eq!(world.start(t(1), "report", false).state, unmet(t(1)), "it never ran");
    world.run(t(2), "load", BAD);
    assert_eq!(world.start(t(3), "report", false).state, unmet(t(3)), "it failed");
    let good = world.run(t(10), "load", GOOD);
    assert_eq!(world.start(t(70), "report", false).state, RunState::Running);
    assert_eq!(world.upstream_of("report"), [("load".to_owned(), good)]);
    world.finish(t(70), GOOD);
    assert_eq!(world.start(t(71), "report", false).state, unmet(t(71)), "it is too long ago");
    assert_eq!(world.start(t(72), "report", true).state, RunState::Running, "it is forced");
}

#[test]
fn a_run_waits_for_what_the_job_requires() {
    let mut world = World::new(1);
    let load = json!({ "job": "load", "wait": "1m" });
    let mut report = requires("report", load);
    report["overlap"] = "allow_all".into();
    world.save(t(0), &[plain("load"), report, plain("other")]).unwrap();
    world.answer(t(0));
    assert_eq!(world.start(t(1), "report", false).state, RunState::Queued);
    world.run(t(2), "other", GOOD);
    world.run(t(3), "load", BAD);
    assert_eq!(world.names_of("report"), [(1, StateName::Queued)], "others have its place");
    // It goes on waiting after a restart.
    world.restart(t(4));
    world.answer(t(5));
    world.run(t(6), "load", GOOD);
    assert_eq!(world.names_of("report"), [(1, StateName::Running)]);
    world.finish(t(7), GOOD);
    world.run(t(8), "load", BAD);
    world.start(t(10), "report", false);
    assert_eq!(world.scheduler.next_wake(), Some(t(70)));
    world.at(t(70), Event::Tick);
    let expired = RunState::Ended { ending: Ending::Expired(ExpiryReason::Requires), at: t(70) };
    assert_eq!(world.runs_of("report")[1], (10, expired));
}

#[test]
fn what_happened_before_somebody_required_it_is_asked_for() {
    let mut world = World::new(8);
    world.save(t(0), &[plain("load")]).unwrap();
    let good = world.run(t(1), "load", GOOD);
    world.save(t(2), &[requires("report", json!("load"))]).unwrap();
    // Nothing is known yet, so a start waits.
    assert_eq!(world.start(t(3), "report", false).state, RunState::Queued);
    world.answer(t(4));
    assert_eq!(world.names_of("report"), [(3, StateName::Running)]);
    assert_eq!(world.upstream_of("report"), [("load".to_owned(), good)]);
    world.finish(t(5), GOOD);
    // After a restart again. An answer that comes behind a newer end is too late.
    world.load(t(6));
    world.run(t(7), "load", BAD);
    world.answer(t(8));
    world.at(
        t(9),
        Event::Recalled {
            recall: Recall { namespace: Namespace::default(), name: "load".parse().unwrap(), job: JobId::from_bits(1) },
            last: None,
        },
    );
    let skipped = RunState::Ended { ending: Ending::Skipped(SkipReason::Requires), at: t(9) };
    assert_eq!(world.start(t(9), "report", false).state, skipped);
    world.save(t(10), &[plain("report")]).unwrap();
    assert_eq!(world.start(t(11), "report", false).state, RunState::Running);
}

#[test]
fn a_fire_that_is_due_is_not_put_off_by_a_run_that_ends() {
    let mut world = World::new(8);
    let mut job = after("b", json!({ "job": "a", "outcome": "interrupted" }));
    job["triggers"].as_array_mut().unwrap().push(json!({ "every": "1m" }));
    world.save(t(0), &[plain("a"), job]).unwrap();
    world.start(t(1), "a", false);
    world.load(t(70));
    assert_eq!(world.names_of("b"), [(70, StateName::Running)]);
    // The clock is set back by so little that nothing else would be noticed.
    world.at(Timestamp::from_micros(t(70).as_micros() - 500_000), Event::Tick);
    assert_eq!(world.names_of("b"), [(60, StateName::Running), (70, StateName::Running)]);
}

#[test]
fn what_was_too_long_ago_is_asked_again_when_the_clock_is_set_back() {
    let mut world = World::new(8);
    let needs = json!({ "name": "b", "requires": [{ "job": "a", "within": "1m", "wait": "1h" }] });
    world.save(t(0), &[json!({ "name": "a" }), needs]).unwrap();
    world.answer(t(0));
    world.start(t(5), "a", false);
    world.finish(t(10), AttemptOutcome::Succeeded);
    let run = world.start(t(100), "b", false);
    assert_eq!(run.state, RunState::Queued);
    world.at(t(40), Event::Tick);
    assert_eq!(world.runs[&run.id].state, RunState::Running);
}

#[test]
fn what_lapses_while_another_is_waited_for_is_not_waited_for_itself() {
    let mut world = World::new(8);
    let requires = json!([{ "job": "a", "wait": "1h" }, { "job": "b", "within": "1m" }]);
    let jobs = [json!({ "name": "a" }), json!({ "name": "b" }), json!({ "name": "c", "requires": requires })];
    world.save(t(0), &jobs).unwrap();
    world.answer(t(0));
    let run = |world: &mut World, at: i64| {
        world.start(t(at), "b", false);
        world.finish(t(at), AttemptOutcome::Succeeded);
    };
    run(&mut world, 10);
    let waits = world.start(t(20), "c", false).id;
    // Another run of it in time is as good.
    run(&mut world, 60);
    world.at(t(71), Event::Tick);
    assert_eq!(world.runs[&waits].state, RunState::Queued);
    world.at(t(120), Event::Tick);
    assert_eq!(world.runs[&waits].state, RunState::Queued);
    world.at(t(121), Event::Tick);
    let ending = Ending::Expired(ExpiryReason::Requires);
    assert_eq!(world.runs[&waits].state, RunState::Ended { ending, at: t(121) });
}
