//! Fires that are dealt with late.

use super::*;
use crate::job::Backlog;
use crate::run::{Ending, SkipReason};

fn caught_up(name: &str, every: &str, catch_up: &serde_json::Value) -> serde_json::Value {
    serde_json::json!({ "name": name, "triggers": [{ "every": every }], "catch_up": catch_up })
}

/// The seconds of the fires that came to runs, and of those that were missed.
fn ran_and_missed(world: &World) -> (Vec<i64>, Vec<i64>) {
    let mut runs: Vec<_> = world.runs.values().collect();
    runs.sort_by_key(|run| run.scheduled_at);
    let missed = RunState::Ended { ending: Ending::Skipped(SkipReason::Missed), at: Timestamp::EPOCH };
    let (missed, ran): (Vec<_>, Vec<_>) = runs
        .into_iter()
        .partition(|run| run.state.name() == missed.name() && run.reason() == Some(SkipReason::Missed.as_str()));
    let secs = |runs: Vec<&Arc<Run>>| runs.iter().map(|run| run.scheduled_at.as_micros() / 1_000_000 - T0).collect();
    (secs(ran), secs(missed))
}

#[test]
fn the_earliest_within_the_window_stands_for_the_others() {
    let mut world = World::new(8);
    world.apply(t(0), caught_up("a", "1m", &serde_json::json!({ "policy": "earliest", "window": "5m" })));
    world.at(t(60), Event::Tick);
    world.finish(t(61), AttemptOutcome::Succeeded);
    world.restart(t(610));
    let (ran, missed) = ran_and_missed(&world);
    assert_eq!(ran, [60, 360]);
    assert_eq!(missed, [120, 180, 240, 300, 420, 480, 540, 600]);
    // The next punctual fire is an ordinary one.
    world.finish(t(611), AttemptOutcome::Succeeded);
    world.at(t(660), Event::Tick);
    assert_eq!(ran_and_missed(&world).0, [60, 360, 660]);
}

#[test]
fn all_run_one_after_another_and_at_most_the_limit() {
    let mut world = World::new(8);
    let policy = serde_json::json!({ "policy": "all", "window": "10m", "limit": 3 });
    world.apply(t(0), caught_up("a", "1m", &policy));
    world.at(t(60), Event::Tick);
    world.finish(t(61), AttemptOutcome::Succeeded);
    world.restart(t(610));
    let (ran, missed) = ran_and_missed(&world);
    assert_eq!(ran, [60, 480, 540, 600]);
    assert_eq!(missed, [120, 180, 240, 300, 360, 420]);
    // A punctual fire meets the job still at it.
    world.at(t(660), Event::Tick);
    for (n, expected) in [480, 540, 600].into_iter().enumerate() {
        assert_eq!(world.started.len(), 1);
        assert_eq!(world.started[0].scheduled_at, t(expected));
        world.finish(t(661 + i64::try_from(n).unwrap()), AttemptOutcome::Failed);
    }
    assert!(world.started.is_empty());
    assert_eq!(world.scheduler.active(), 0);
    assert_eq!(world.states().last(), Some(&(660, StateName::Skipped)));
}

#[test]
fn all_run_at_once_if_the_job_allows_overlap() {
    let mut world = World::new(8);
    let mut job = caught_up("a", "1m", &serde_json::json!({ "policy": "all" }));
    job["overlap"] = "allow_all".into();
    world.apply(t(0), job);
    world.restart(t(190));
    assert_eq!(world.started.len(), 3);
}

#[test]
fn none_is_caught_up_if_the_job_says_so() {
    let mut world = World::new(8);
    world.apply(t(0), caught_up("a", "1m", &serde_json::json!({ "policy": "none" })));
    world.restart(t(190));
    assert_eq!(ran_and_missed(&world), (vec![], vec![60, 120, 180]));
    world.at(t(244), Event::Tick);
    assert_eq!(ran_and_missed(&world).0, [240]);
}

#[test]
fn a_short_delay_is_no_backlog() {
    let mut world = World::new(8);
    let mut job = caught_up("a", "1s", &serde_json::json!({}));
    job["overlap"] = "allow_all".into();
    world.apply(t(0), job);
    world.at(t(3), Event::Tick);
    assert_eq!(ran_and_missed(&world), (vec![1, 2, 3], vec![]));
    assert!(world.runs.values().all(|run| run.origin == Origin::Schedule));
}

#[test]
fn the_first_fire_runs_however_late_unless_a_later_one_stands_for_it() {
    for (now, runs) in [(10 * 86_400 + 7200, 86_400), (10 * 86_400 + 1800, 10 * 86_400)] {
        let mut world = World::new(8);
        world.apply(t(0), caught_up("a", "1d", &serde_json::json!({ "window": "1h" })));
        world.restart(t(now));
        assert_eq!(ran_and_missed(&world).0, [runs]);
        assert_eq!(world.runs.len(), 10);
    }
}

/// A crash after every commit of a long backlog comes to the same as no crash.
#[test]
fn a_crash_in_the_middle_of_a_backlog_changes_nothing() {
    for policy in ["latest", "earliest", "all"] {
        let catch_up = serde_json::json!({ "policy": policy, "window": "3605s", "limit": 7 });
        let outcome = |crashes: bool| {
            let mut world = World::new(8);
            world.apply(t(0), caught_up("a", "10s", &catch_up));
            world.at(t(10), Event::Tick);
            world.finish(t(10), AttemptOutcome::Succeeded);
            let mut now = t(10_000);
            world.restart(now);
            while world.scheduler.next_wake().is_some_and(|at| at < t(10_010)) {
                now = now.after(Duration::from_millis(1));
                assert!(now < t(10_001), "{policy}: the backlog does not end");
                if crashes {
                    world.restart(now);
                } else {
                    world.at(now, Event::Tick);
                }
            }
            assert_eq!(world.runs.len(), 1000);
            ran_and_missed(&world).0
        };
        let expected: Vec<i64> = match policy {
            "latest" => vec![10, 10_000],
            "earliest" => vec![10, 6400],
            _ => [10].into_iter().chain((9940..=10_000).step_by(10)).collect(),
        };
        assert_eq!(outcome(false), expected, "{policy}");
        assert_eq!(outcome(true), expected, "{policy} with crashes");
    }
}

#[test]
fn held_fires_start_when_the_job_is_changed_meanwhile() {
    let mut world = World::new(8);
    let job = world.apply(t(0), caught_up("a", "1m", &serde_json::json!({})));
    // As if the daemon had ended between two turns.
    let held = Backlog::Held(vec![t(60)]);
    let cursor =
        Cursor { done_until: t(60), next_fire_at: Some(t(120)), backlog: Some(Box::new(held)), ..Cursor::default() };
    world.jobs.insert(job.id, (Arc::clone(&job), cursor.clone()));
    world.restart(t(90));
    assert_eq!(ran_and_missed(&world).0, [60]);
    assert_eq!(world.jobs[&job.id].1.backlog, None);
    let mut world = World::new(8);
    let job = world.apply(t(0), caught_up("a", "1m", &serde_json::json!({})));
    world.jobs.insert(job.id, (job, cursor));
    world.load(t(90));
    world.apply(t(90), caught_up("a", "1h", &serde_json::json!({})));
    assert_eq!(ran_and_missed(&world).0, [60]);
}

/// The clock is put forward and back, also in the middle of a backlog: no fire is dealt with twice, and none is forgotten.
#[test]
fn a_clock_that_jumps_repeats_nothing() {
    for policy in ["latest", "earliest", "all", "none"] {
        let mut world = World::new(8);
        let catch_up = serde_json::json!({ "policy": policy, "window": "1h", "limit": 3 });
        let mut job = caught_up("a", "30s", &catch_up);
        job["overlap"] = "allow_all".into();
        world.apply(t(0), job);
        let mut clock = t(0);
        // Seconds that the clock goes on by between two looks at it.
        for step in [30, 3600, -7200, 10, 9000, -60, -60, 1, 86_400, -86_400, 43_200, 43_300, 5] {
            clock = Timestamp::from_secs(clock.as_micros() / 1_000_000 + step);
            let mut now = clock;
            // As the loop does: it wakes at once while fires are due, and sleeps until the clock shows the next one.
            while world.scheduler.next_wake().is_some_and(|at| at <= now.after(Duration::from_millis(1))) {
                now = now.after(Duration::from_millis(1));
                world.at(now, Event::Tick);
                assert!(now < clock.after(Duration::from_secs(5)), "{policy}: time stands still");
            }
        }
        // The world's store panics if a run is inserted twice.
        let last = world.runs.values().map(|run| run.scheduled_at).max().unwrap();
        let fires = (last.as_micros() - t(0).as_micros()) / 30_000_000;
        assert_eq!(i64::try_from(world.runs.len()), Ok(fires), "{policy}: a record for each fire");
        assert!(world.scheduler.next_wake().is_some_and(|at| at > last));
    }
}

#[test]
fn after_an_absence_the_latest_fire_runs_and_the_others_are_recorded() {
    let mut world = World::new(8);
    world.apply(t(0), every_minute("a"));
    world.restart(t(60 * 5 + 30));
    let expected: Vec<_> = (1..=4).map(|n| (n * 60, StateName::Skipped)).chain([(300, StateName::Running)]).collect();
    assert_eq!(world.states(), expected);
    assert!(world.runs.values().all(|run| run.origin == Origin::CatchUp));
    assert_eq!(world.scheduler.next_wake(), Some(t(360)));
}

#[test]
fn outside_the_window_nothing_is_caught_up() {
    let mut world = World::new(8);
    world.apply(
        t(0),
        serde_json::json!({ "name": "a", "triggers": [{ "every": "1d" }], "catch_up": { "window": "1h" } }),
    );
    let day = 86_400;
    world.at(t(day), Event::Tick);
    world.finish(t(day), AttemptOutcome::Succeeded);
    world.restart(t(2 * day + 7200));
    assert_eq!(world.states(), [(day, StateName::Succeeded), (2 * day, StateName::Skipped)]);
    world.restart(t(3 * day + 1800));
    assert_eq!(world.states().last(), Some(&(3 * day, StateName::Running)));
}

#[test]
fn a_jobs_first_fire_is_never_missed() {
    let mut world = World::new(8);
    world.apply(t(0), serde_json::json!({ "name": "a", "triggers": [{ "at": t(60).to_string() }] }));
    world.restart(t(60 + 86_400));
    assert_eq!(world.states(), [(60, StateName::Running)]);
    assert_eq!(world.scheduler.next_wake(), None);
}

#[test]
fn a_long_absence_is_worked_off_in_bounded_steps() {
    let mut world = World::new(8);
    world.apply(t(0), serde_json::json!({ "name": "a", "triggers": [{ "every": "1s" }] }));
    world.at(t(2000), Event::Tick);
    assert!(world.runs.len() <= FIRES_PER_STEP);
    let moment = Duration::from_millis(1);
    assert!(world.scheduler.next_wake().unwrap() <= t(2000).after(moment));
    for turn in 1..100 {
        world.at(t(2000).after(moment * turn), Event::Tick);
    }
    assert_eq!(world.runs.len(), 2000);
    assert_eq!(world.started.len(), 1);
}

#[test]
fn a_first_fire_is_the_first_that_nothing_left_out() {
    let mut world = World::new(8);
    let hour = 3600;
    // T0 is at 08:00 in UTC: four hours before the first fire, which is outside of the window.
    let job = serde_json::json!({ "name": "a", "timezone": "UTC", "triggers": [{ "daily": ["12:00", "23:00"] }],
        "window": { "from": "22:00", "to": "02:00", "outside": "skip" }, "catch_up": { "window": "1h" } });
    world.apply(t(0), job);
    world.at(t(4 * hour), Event::Tick);
    world.restart(t(17 * hour));
    assert_eq!(world.states(), [(4 * hour, StateName::Skipped), (15 * hour, StateName::Running)]);
    world.finish(t(17 * hour), AttemptOutcome::Succeeded);
    world.restart(t(41 * hour));
    assert_eq!(world.states().last(), Some(&(39 * hour, StateName::Skipped)), "it is not the first any more");
}

#[test]
fn a_week_away_leaves_a_few_records_however_often_the_job_fires() {
    const WEEK: i64 = 7 * 86_400;
    let triggers = [
        (serde_json::json!([{ "every": "1s" }]), 1),
        // These must be looked at one by one, ten thousand for each record.
        (serde_json::json!([{ "cron": "* * * * * *", "seconds": true }]), WEEK / 10_000 + 1),
        (serde_json::json!([{ "every": "7s" }, { "every": "11s" }]), WEEK / 40_000 + 1),
    ];
    for (triggers, most) in triggers {
        let mut world = World::new(8);
        let catch_up = serde_json::json!({ "window": "10s" });
        world.apply(t(0), serde_json::json!({ "name": "a", "triggers": triggers, "catch_up": catch_up }));
        world.at(t(11), Event::Tick);
        world.at(t(11).after(Duration::from_micros(1)), Event::Tick);
        world.finish(t(12), AttemptOutcome::Succeeded);
        let before = world.records;
        world.load(t(WEEK));
        let mut ticks = 0;
        while world.scheduler.next_wake().is_some_and(|at| at <= t(WEEK).after(Duration::from_millis(1))) {
            ticks += 1;
            world.at(t(WEEK).after(Duration::from_micros(ticks)), Event::Tick);
            assert!(ticks < 100, "time stands still");
        }
        // Those within the window each have a record.
        let stretches = i64::try_from(world.records - before).unwrap() - 11;
        assert!(stretches <= most, "{stretches} records of missed fires for {triggers}");
        assert!(world.started.len() == 1 && world.runs.len() > 100_000);
    }
}

#[test]
fn a_stretch_ends_where_a_fire_has_another_reason() {
    let mut world = World::new(8);
    // T0 is 08:00 in UTC.
    let job = serde_json::json!({
        "name": "a", "triggers": [{ "every": "1h" }],
        "window": { "from": "08:00", "to": "20:00", "outside": "skip" }
    });
    world.apply(t(0), job);
    world.at(t(3600), Event::Tick);
    world.finish(t(3601), AttemptOutcome::Succeeded);
    let before = world.records;
    world.restart(t(30 * 3600));
    let reasons = |reason: &str| world.runs.values().filter(|run| run.reason() == Some(reason)).count();
    // 10:00 to 19:00 missed, 20:00 to 07:00 outside, 08:00 to 12:00 missed, of 13:00 and 14:00 the latest runs.
    assert_eq!((reasons("missed"), reasons("outside_window"), world.started.len()), (10 + 6, 12, 1));
    assert_eq!(world.records - before, 1 + 1 + 1 + 1 + 1);
}

#[test]
fn a_backlog_goes_on_although_the_clock_is_set_back() {
    let mut world = World::new(8);
    world.apply(t(0), caught_up("a", "1s", &serde_json::json!({ "policy": "all", "limit": 1000 })));
    world.load(t(900));
    world.at(t(900), Event::Tick);
    assert!(world.scheduler.next_wake().is_some_and(|at| at > t(900)), "a part of the backlog is left");
    // By the clock as it is now, 800 is still to come.
    assert!(world.scheduler.is_due(t(800)));
    for turn in 0..100 {
        world.at(t(800).after(Duration::from_millis(turn)), Event::Tick);
    }
    assert_eq!(world.scheduler.next_wake(), Some(t(801)));
    let runs = world.runs.values().filter(|run| run.state.name() != StateName::Skipped).count();
    assert_eq!(runs, 800);
}

#[test]
fn a_run_that_waits_for_its_window_starts_if_the_clock_is_set_back_into_it() {
    let mut world = World::new(8);
    // The story begins at 08:00:00 in UTC.
    let window = serde_json::json!({ "from": "07:00", "to": "08:10", "outside": "defer" });
    world.apply(t(0), serde_json::json!({ "name": "a", "window": window }));
    let run = world.start(t(900), "a", false).id;
    assert_eq!(world.runs[&run].state, RunState::Queued);
    world.at(t(300), Event::Tick);
    assert_eq!(world.runs[&run].state, RunState::Running);
}
