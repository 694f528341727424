//! Job templates: what a change of one does to the jobs that extend it, and that no job is taken that was not checked.

use super::*;
use crate::job_template::{Basis, Extension, NewJob, NewTemplate, Resolved, SavedTemplate};
use crate::spec::{JobTemplateSpec, Overlay};

fn template(name: &str, mut job: serde_json::Value) -> Arc<JobTemplateSpec> {
    if job.get("action").is_none() {
        job["action"] = serde_json::json!({ "use": "noop" });
    }
    Arc::new(serde_json::from_value(serde_json::json!({ "name": name, "job": job })).unwrap())
}

/// The job of this name over `template`.
fn extending(name: &str, template: &JobTemplateSpec, mut job: serde_json::Value, basis: Basis) -> NewJob {
    job["name"] = name.into();
    job["extends"] = template.name.as_str().into();
    let overlay = Arc::new(Overlay::new(job.as_object().unwrap().clone()).unwrap());
    let spec = Arc::new(overlay.resolve(template).unwrap());
    NewJob { spec, extends: Some(Box::new(Extension { overlay, basis })) }
}

fn ask(world: &mut World, now: Timestamp, command: Command) -> Reply {
    world.at(now, Event::Command { ticket: Ticket(8), command });
    world.replies.pop().unwrap()
}

fn apply(world: &mut World, now: Timestamp, templates: Vec<NewTemplate>, jobs: Vec<NewJob>) -> Reply {
    let namespace = Namespace::default();
    let together = Together { templates, jobs, ..Together::default() };
    ask(world, now, Command::Apply { namespace, together })
}

fn put_job(world: &mut World, now: Timestamp, job: NewJob) -> Reply {
    ask(world, now, Command::PutJob { namespace: Namespace::default(), job, expect: Expectation::Anything })
}

/// The template with everything that the store has under it, resolved.
fn with_users(world: &World, spec: &Arc<JobTemplateSpec>) -> NewTemplate {
    let jobs = world.jobs.values().filter_map(|(job, _)| {
        let overlay = job.overlay.as_ref().filter(|overlay| *overlay.template() == spec.name)?;
        let spec = Arc::new(overlay.resolve(spec).unwrap());
        Some(Resolved { job: job.id, revision: job.revision, spec })
    });
    NewTemplate { spec: Arc::clone(spec), expect: Expectation::Anything, jobs: jobs.collect() }
}

fn change(world: &mut World, now: Timestamp, spec: &Arc<JobTemplateSpec>) -> SavedTemplate {
    let new = with_users(world, spec);
    match apply(world, now, vec![new], Vec::new()) {
        Reply::Applied { mut templates, .. } => templates.remove(0),
        other => panic!("the template was not saved: {other:?}"),
    }
}

fn job<'a>(world: &'a World, name: &str) -> &'a (Arc<Job>, Cursor) {
    world.jobs.values().find(|(job, _)| job.spec.name.as_str() == name).unwrap()
}

fn daily(at: &str) -> serde_json::Value {
    serde_json::json!({ "triggers": [{ "daily": at }], "priority": 3 })
}

/// A world in which `a` and `b` extend `base`, which says when they fire, and `c` extends nothing.
fn world() -> World {
    let mut world = World::new(8);
    let base = template("base", daily("12:00"));
    change(&mut world, t(0), &base);
    for name in ["a", "b"] {
        let extending = extending(name, &base, serde_json::json!({}), Basis::Saved(1));
        assert!(matches!(put_job(&mut world, t(0), extending), Reply::Job(saved) if saved.changed));
    }
    world.apply(t(0), every_minute("c"));
    world
}

#[test]
fn a_change_reaches_every_job_that_extends_it_and_no_other() {
    let mut world = world();
    let before = job(&world, "a").1.next_fire_at;
    let changed =
        change(&mut world, t(10), &template("base", serde_json::json!({ "triggers": [{ "daily": "12:00" }] })));
    assert_eq!((changed.changed, changed.template.revision), (true, 2));
    assert_eq!(changed.jobs.iter().map(|name| name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    let (a, cursor) = job(&world, "a");
    assert_eq!((a.revision, a.spec.priority, a.updated_at), (2, 5, t(10)));
    assert_eq!((cursor.next_fire_at, a.scheduled_since), (before, t(0)), "an unchanged schedule was made anew");
    assert_eq!(job(&world, "c").0.revision, 1);
    let same = change(&mut world, t(20), &template("base", serde_json::json!({ "triggers": [{ "daily": "12:00" }] })));
    assert!(!same.changed && same.template.revision == 2 && same.jobs.is_empty());
    assert_eq!(job(&world, "a").0.revision, 2);
    // What the scheduler is made anew from says the same.
    world.restart(t(30));
    change(&mut world, t(40), &template("base", daily("13:00")));
    let (a, cursor) = job(&world, "a");
    assert_eq!((a.revision, a.scheduled_since), (3, t(40)));
    assert_eq!(cursor.next_fire_at, before.map(|at| at.after(Duration::from_secs(3600))));
}

#[test]
fn what_a_job_says_itself_is_not_changed_by_its_template() {
    let mut world = world();
    let base = template("base", daily("12:00"));
    let own = extending("own", &base, serde_json::json!({ "priority": 9 }), Basis::Saved(1));
    put_job(&mut world, t(0), own);
    let mut changed = daily("12:00");
    changed["priority"] = 1.into();
    let saved = change(&mut world, t(1), &template("base", changed));
    assert_eq!(saved.jobs.len(), 2, "a job that comes to the same has no new revision");
    assert_eq!((job(&world, "own").0.revision, job(&world, "own").0.spec.priority), (1, 9));
    assert_eq!(job(&world, "a").0.spec.priority, 1);
}

#[test]
fn a_job_resolved_with_another_template_than_there_is_is_refused() {
    let mut world = world();
    let old = template("base", daily("12:00"));
    let checked = extending("d", &old, serde_json::json!({}), Basis::Saved(1));
    change(&mut world, t(1), &template("base", daily("14:00")));
    let refused = put_job(&mut world, t(2), checked.clone());
    assert!(matches!(refused, Reply::Refused(Refusal::TemplateMoved { .. })), "{refused:?}");
    let refused = apply(&mut world, t(2), Vec::new(), vec![checked]);
    assert!(matches!(refused, Reply::Refused(Refusal::TemplateMoved { .. })), "{refused:?}");
    // Nor does it pass for one that came with it.
    let alone = extending("d", &old, serde_json::json!({}), Basis::Together);
    let refused = apply(&mut world, t(2), Vec::new(), vec![alone]);
    assert!(matches!(refused, Reply::Refused(Refusal::TemplateMoved { .. })), "{refused:?}");
    let slip = extending("d", &template("bsae", daily("12:00")), serde_json::json!({}), Basis::Saved(1));
    let Reply::Refused(refusal) = put_job(&mut world, t(2), slip) else { panic!("it was saved") };
    assert_eq!(refusal.to_string(), "there is no template 'bsae' in namespace 'default'; did you mean 'base'?");
    assert_eq!(world.jobs.len(), 3);
}

#[test]
fn a_template_is_refused_unless_every_job_that_extends_it_was_checked_with_it() {
    let mut world = world();
    let changed = template("base", daily("14:00"));
    let checked = with_users(&world, &changed);
    // Between the check and the command another job comes to extend it,
    let base = template("base", daily("12:00"));
    put_job(&mut world, t(1), extending("d", &base, serde_json::json!({}), Basis::Saved(1)));
    let refused = apply(&mut world, t(2), vec![checked], Vec::new());
    assert!(matches!(refused, Reply::Refused(Refusal::TemplateMoved { .. })), "{refused:?}");
    // or one of them changes,
    let checked = with_users(&world, &changed);
    put_job(&mut world, t(3), extending("d", &base, serde_json::json!({ "priority": 1 }), Basis::Saved(1)));
    let refused = apply(&mut world, t(4), vec![checked], Vec::new());
    assert!(matches!(refused, Reply::Refused(Refusal::TemplateMoved { .. })), "{refused:?}");
    // or extends it no more.
    let checked = with_users(&world, &changed);
    world.apply(t(5), every_minute("d"));
    let refused = apply(&mut world, t(6), vec![checked], Vec::new());
    assert!(matches!(refused, Reply::Refused(Refusal::TemplateMoved { .. })), "{refused:?}");
    assert_eq!(world.templates.values().next().unwrap().revision, 1);
    assert_eq!(job(&world, "a").0.revision, 1, "a refusal changed a job");
}

#[test]
fn a_template_that_a_job_could_not_follow_is_refused_with_its_name() {
    let mut world = world();
    let unserved = serde_json::json!({ "action": { "use": "absent" } });
    let new = with_users(&world, &template("base", unserved));
    let Reply::Refused(refusal) = apply(&mut world, t(1), vec![new], Vec::new()) else { panic!("it was saved") };
    let told = refusal.to_string();
    assert!(told.contains("because of job '") && told.contains("there is no plugin 'absent'"), "{told}");
    let calendars = serde_json::json!({ "triggers": [{ "daily": "12:00", "calendars": { "exclude": ["off"] } }] });
    let new = with_users(&world, &template("base", calendars));
    let Reply::Refused(refusal) = apply(&mut world, t(1), vec![new], Vec::new()) else { panic!("it was saved") };
    assert!(matches!(refusal, Refusal::TemplateBreaks { why, .. } if matches!(*why, Refusal::NoCalendar { .. })));
    assert_eq!((job(&world, "a").0.revision, job(&world, "b").0.revision), (1, 1));
}

#[test]
fn templates_and_jobs_are_saved_together_or_not_at_all() {
    let mut world = world();
    let changed = template("base", daily("14:00"));
    let other = template("other", daily("15:00"));
    let new =
        |spec: &Arc<JobTemplateSpec>, jobs| NewTemplate { spec: Arc::clone(spec), expect: Expectation::Anything, jobs };
    // `a` comes itself, so only `b` is looked up; `a` goes over to the other template.
    let a = extending("a", &other, serde_json::json!({}), Basis::Together);
    let fresh = extending("d", &changed, serde_json::json!({ "priority": 8 }), Basis::Together);
    let of_b = || {
        let users = with_users(&world, &changed).jobs;
        users.into_iter().filter(|user| user.spec.name.as_str() == "b").collect::<Vec<_>>()
    };
    let (first, second) = (of_b(), of_b());
    let unserved: JobSpec = serde_json::from_str(r#"{"name": "z", "action": {"use": "absent"}}"#).unwrap();
    let jobs = vec![a.clone(), fresh.clone(), Arc::new(unserved).into()];
    let refused = apply(&mut world, t(1), vec![new(&changed, first), new(&other, Vec::new())], jobs);
    assert!(matches!(refused, Reply::Refused(Refusal::NoPlugin(_))), "{refused:?}");
    assert_eq!((world.templates.len(), job(&world, "b").0.revision), (1, 1), "a refusal saved something");
    let saved = apply(&mut world, t(1), vec![new(&changed, second), new(&other, Vec::new())], vec![a, fresh]);
    let Reply::Applied { templates, jobs, .. } = saved else { panic!("it was refused: {saved:?}") };
    assert_eq!(templates[0].jobs.iter().map(|name| name.as_str()).collect::<Vec<_>>(), ["b"]);
    assert!(jobs.iter().all(|saved| saved.changed));
    assert_eq!((job(&world, "a").0.revision, job(&world, "b").0.revision, job(&world, "d").0.revision), (2, 2, 1));
    assert_eq!(job(&world, "a").0.overlay.as_ref().unwrap().template().as_str(), "other");
    // A job that is made whole, with the same specification, is another: templates have no say in it any more.
    let whole = Arc::clone(&job(&world, "d").0.spec);
    assert!(matches!(put_job(&mut world, t(2), whole.into()), Reply::Job(saved) if saved.changed));
    assert_eq!(change(&mut world, t(3), &template("base", daily("16:00"))).jobs.len(), 1);
}

#[test]
fn fires_that_are_due_are_decided_on_by_the_job_as_it_was() {
    let mut world = World::new(8);
    let base =
        template("base", serde_json::json!({ "triggers": [{ "every": "1m" }], "catch_up": { "policy": "all" } }));
    change(&mut world, t(0), &base);
    put_job(&mut world, t(0), extending("a", &base, serde_json::json!({ "overlap": "allow_all" }), Basis::Saved(1)));
    // Two fires are due and have not been looked at.
    change(&mut world, t(150), &template("base", serde_json::json!({ "triggers": [{ "every": "1h" }] })));
    let mut fires: Vec<i64> = world.runs.values().map(|run| run.scheduled_at.as_micros() / 1_000_000 - T0).collect();
    fires.sort_unstable();
    assert_eq!(fires, [60, 120]);
    assert_eq!(world.scheduler.next_wake(), Some(t(150 + 3600)));
}

#[test]
fn a_template_in_use_stays_and_revisions_are_compared() {
    let mut world = world();
    let delete = || Command::DeleteTemplate { namespace: Namespace::default(), name: "base".parse().unwrap() };
    let refused = ask(&mut world, t(1), delete());
    let Reply::Refused(refusal) = refused else { panic!("it was deleted") };
    assert!(matches!(&refusal, Refusal::TemplateInUse { jobs: 2, .. }), "{refusal}");
    for (expect, fits) in [(Expectation::Absent, false), (Expectation::At(2), false), (Expectation::At(1), true)] {
        let new = NewTemplate { expect, ..with_users(&world, &template("base", daily("14:00"))) };
        let reply = apply(&mut world, t(2), vec![new], Vec::new());
        assert_eq!(matches!(reply, Reply::Applied { .. }), fits, "{reply:?}");
        assert!(fits || matches!(reply, Reply::Refused(Refusal::TemplateConflict { actual: 1, .. })), "{reply:?}");
    }
    for name in ["a", "b"] {
        world.apply(t(3), every_minute(name));
    }
    assert!(matches!(ask(&mut world, t(4), delete()), Reply::TemplateDeleted(_)));
    assert!(matches!(ask(&mut world, t(4), delete()), Reply::Refused(Refusal::NoTemplate { .. })));
    let many = (0..=1000).map(|number| NewTemplate {
        spec: template(&format!("t{number}"), daily("12:00")),
        expect: Expectation::Anything,
        jobs: Vec::new(),
    });
    let refused = apply(&mut world, t(5), many.collect(), Vec::new());
    assert!(matches!(refused, Reply::Refused(Refusal::TooManyTemplates { count: 1001, .. })), "{refused:?}");
}
