//! Named calendars: on which dates fires start nothing, and what a change of one does to the jobs that name it.

use super::*;

/// Midnight in UTC of 2027-01-15, a Friday.
const DAY0: i64 = 1_799_971_200 - T0;
const DAY: i64 = 86_400;

fn day(number: i64) -> Timestamp {
    t(DAY0 + number * DAY)
}

fn put_calendar(world: &mut World, now: Timestamp, calendar: serde_json::Value) -> Reply {
    let spec = Arc::new(serde_json::from_value(calendar).unwrap());
    let command = Command::PutCalendar { namespace: Namespace::default(), spec, expect: Expectation::Anything };
    world.at(now, Event::Command { ticket: Ticket(6), command });
    world.replies.pop().unwrap()
}

#[test]
fn a_calendar_in_use_stays_and_one_that_is_missing_is_told() {
    let mut world = World::new(8);
    let saved = put_calendar(&mut world, day(0), serde_json::json!({ "name": "off", "dates": ["2027-01-16"] }));
    assert!(matches!(saved, Reply::Calendar(saved) if saved.changed && saved.calendar.revision == 1));
    let same = put_calendar(&mut world, day(0), serde_json::json!({ "name": "off", "dates": ["2027-01-16"] }));
    assert!(matches!(same, Reply::Calendar(saved) if !saved.changed));
    world.restart(day(0));
    let changed = put_calendar(&mut world, day(0), serde_json::json!({ "name": "off", "dates": ["2027-01-17"] }));
    assert!(matches!(changed, Reply::Calendar(saved) if saved.changed && saved.calendar.revision == 2));
    let command = || Command::DeleteCalendar { namespace: Namespace::default(), name: "off".parse().unwrap() };
    world.at(day(0), Event::Command { ticket: Ticket(6), command: command() });
    assert!(matches!(world.replies.pop(), Some(Reply::CalendarDeleted(_))));
    world.at(day(0), Event::Command { ticket: Ticket(6), command: command() });
    assert!(matches!(world.replies.pop(), Some(Reply::Refused(Refusal::NoCalendar { .. }))));
}

/// The job fires at noon, but not on the dates of the calendar `off`.
fn at_noon(name: &str) -> serde_json::Value {
    serde_json::json!({
        "name": name,
        "triggers": [{ "daily": "12:00", "calendars": { "exclude": ["off"], "shift": "next" } }],
    })
}

fn noon(number: i64) -> Timestamp {
    day(number).after(Duration::from_secs(12 * 3600))
}

fn off(dates: &[&str]) -> serde_json::Value {
    serde_json::json!({ "name": "off", "dates": dates })
}

fn next_fires(world: &World) -> HashMap<String, Option<Timestamp>> {
    world.jobs.values().map(|(job, cursor)| (job.spec.name.to_string(), cursor.next_fire_at)).collect()
}

#[test]
fn a_changed_calendar_moves_the_jobs_that_name_it_and_no_others() {
    let mut world = World::new(8);
    put_calendar(&mut world, day(0), off(&["2027-01-01"]));
    world.apply(day(0), at_noon("named"));
    world.apply(day(0), serde_json::json!({ "name": "other", "triggers": [{ "daily": "12:00" }] }));
    assert_eq!(world.scheduler.next_wake(), Some(noon(0)));
    put_calendar(&mut world, day(0), off(&["2027-01-15", "2027-01-16"]));
    let expected = |fires: [(&str, Timestamp); 2]| fires.map(|(name, at)| (name.to_owned(), Some(at))).into();
    assert_eq!(next_fires(&world), expected([("named", noon(2)), ("other", noon(0))]));
    // What the store has says the same after a restart.
    world.restart(day(0));
    assert_eq!(next_fires(&world), expected([("named", noon(2)), ("other", noon(0))]));
    world.at(noon(0), Event::Tick);
    assert_eq!(world.started.len(), 1, "only the other job fires");
}

#[test]
fn a_changed_calendar_fires_nothing_of_the_past() {
    let mut world = World::new(8);
    put_calendar(&mut world, day(0), off(&["2027-01-15"]));
    world.apply(day(0), at_noon("a"));
    // The fire of the 15th has moved to the 16th, on which there is one already. On the 16th in the evening the 15th is
    // allowed again: its fire is past.
    world.at(noon(1), Event::Tick);
    world.finish(noon(1), AttemptOutcome::Succeeded);
    put_calendar(&mut world, noon(1).after(Duration::from_secs(6 * 3600)), off(&[]));
    assert_eq!(world.scheduler.next_wake(), Some(noon(2)));
    world.at(noon(2), Event::Tick);
    assert_eq!(world.runs.len(), 2);
}

#[test]
fn fires_that_are_due_are_decided_on_by_the_calendar_as_it_was() {
    let mut world = World::new(8);
    put_calendar(&mut world, day(0), serde_json::json!({ "name": "off", "dates": ["2027-01-15"] }));
    let mut job = at_noon("a");
    job["triggers"][0]["calendars"]["shift"] = "none".into();
    job["catch_up"] = serde_json::json!({ "policy": "all", "window": "7d" });
    job["overlap"] = "allow_all".into();
    world.apply(day(0), job);
    // The fires of the 15th and the 16th are due and have not been looked at.
    let now = noon(1).after(Duration::from_secs(60));
    put_calendar(&mut world, now, serde_json::json!({ "name": "off", "dates": ["2027-01-16"] }));
    let by_day: HashMap<_, _> = world.runs.values().map(|run| (run.scheduled_at, run.reason())).collect();
    assert_eq!(by_day, HashMap::from([(noon(0), Some("calendar")), (noon(1), None)]));
    assert_eq!(world.scheduler.next_wake(), Some(noon(2)));
}

fn apply(world: &mut World, now: Timestamp, calendars: &[serde_json::Value], jobs: &[serde_json::Value]) -> Reply {
    let calendars = calendars.iter().map(|spec| Arc::new(serde_json::from_value(spec.clone()).unwrap())).collect();
    let with_action = |job: &serde_json::Value| {
        let mut job = job.clone();
        if job.get("action").is_none() {
            job["action"] = serde_json::json!({ "use": "noop" });
        }
        Arc::<JobSpec>::new(serde_json::from_value(job).unwrap()).into()
    };
    let jobs = jobs.iter().map(with_action).collect();
    let namespace = Namespace::default();
    let together = Together { calendars, jobs, ..Together::default() };
    let command = Command::Apply { namespace, together };
    world.at(now, Event::Command { ticket: Ticket(7), command });
    world.replies.pop().unwrap()
}

#[test]
fn jobs_and_the_calendars_they_name_are_saved_together_or_not_at_all() {
    let mut world = World::new(8);
    let unserved = serde_json::json!({ "name": "b", "action": { "use": "absent" } });
    let refused = apply(&mut world, day(0), &[off(&["2027-01-15"])], &[at_noon("a"), unserved]);
    assert!(matches!(refused, Reply::Refused(Refusal::NoPlugin(_))));
    assert!(world.calendars.is_empty() && world.jobs.is_empty(), "a refusal saved something");
    let refused = apply(&mut world, day(0), &[serde_json::json!({ "name": "other" })], &[at_noon("a")]);
    assert!(matches!(refused, Reply::Refused(Refusal::NoCalendar { .. })));
    assert!(world.calendars.is_empty() && world.jobs.is_empty(), "a refusal saved something");
    let Reply::Applied { calendars, jobs, .. } = apply(&mut world, day(0), &[off(&["2027-01-15"])], &[at_noon("a")])
    else {
        panic!("it was refused");
    };
    assert!(calendars[0].changed && jobs[0].changed);
    assert_eq!(jobs[0].cursor.next_fire_at, Some(noon(1)));
    let Reply::Applied { calendars, jobs, .. } = apply(&mut world, day(0), &[off(&["2027-01-15"])], &[at_noon("a")])
    else {
        panic!("it was refused");
    };
    assert!(!calendars[0].changed && !jobs[0].changed);
    world.restart(day(0));
    assert_eq!(world.scheduler.next_wake(), Some(noon(1)));
}

#[test]
fn a_first_fire_is_not_missed_because_a_calendar_was_changed_before_it() {
    let mut world = World::new(8);
    put_calendar(&mut world, day(0), off(&["2027-01-01"]));
    let mut job = at_noon("a");
    job["catch_up"] = serde_json::json!({ "window": "1h" });
    world.apply(day(0), job);
    put_calendar(&mut world, day(0).after(Duration::from_secs(60)), off(&["2027-01-02"]));
    world.restart(noon(0).after(Duration::from_secs(7200)));
    assert_eq!(world.started.len(), 1);
}
