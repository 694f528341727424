//! The scheduler through years of virtual time, with crashes of the daemon, against an oracle that looks at every minute.
//!
//! `SANDGLASS_SIMULATION=JOBS,DAYS` sets the size; 1000 jobs through ten years are `1000,3650`.

mod jobs;
mod oracle;
mod world;

use jobs::Job;
use oracle::{Oracle, Record};
use world::World;

/// 2027-01-01T00:00:00Z, in minutes.
const BEGIN: i64 = 1_798_761_600 / 60;
const DAY: i64 = 1440;

fn size() -> (usize, i64) {
    let text = std::env::var("SANDGLASS_SIMULATION").unwrap_or_else(|_| "40,400".to_owned());
    let (jobs, days) = text.split_once(',').expect("JOBS,DAYS");
    (jobs.parse().expect("a number of jobs"), days.parse().expect("a number of days"))
}

#[test]
fn every_fire_is_what_the_oracle_says() {
    let (count, days) = size();
    let seed = 2027;
    println!("seed {seed}: {count} jobs, {days} days");
    let mut rng = fastrand::Rng::with_seed(seed);
    let jobs: Vec<Job> = (0..count).map(|_| Job::random(&mut rng)).collect();
    let mut oracle = Oracle::new(&jobs, BEGIN);
    let mut world = World::new(&jobs, BEGIN);
    let mut now = BEGIN;
    let mut fires = 0;
    while now < BEGIN + days * DAY {
        // Up for some days, down for minutes to days.
        let down_at = now + rng.i64(60..15 * DAY);
        let up_at = down_at + if rng.bool() { rng.i64(1..90) } else { rng.i64(1..3 * DAY) };
        for minute in now + 1..=down_at {
            oracle.minute(minute, false);
        }
        oracle.crash();
        for minute in down_at + 1..=up_at {
            oracle.minute(minute, minute == up_at);
        }
        world.run_until(down_at);
        world.restart(up_at);
        // Saved again with the same schedule, a job goes on as if nothing had been.
        world.describe(&jobs, rng.usize(..jobs.len()));
        fires += oracle.records.len();
        compare(&jobs, &mut oracle.records, &mut world.records, seed);
        now = up_at;
    }
    println!("{fires} fires");
    assert!(fires > count, "the simulation has too few fires to tell anything");
}

fn compare(jobs: &[Job], expected: &mut Vec<Record>, found: &mut Vec<Record>, seed: u64) {
    expected.sort_unstable();
    found.sort_unstable();
    if expected != found {
        let lacking = expected.iter().find(|record| !found.contains(record));
        let surplus = found.iter().find(|record| !expected.contains(record));
        let (place, ..) = *lacking.or(surplus).expect("a record that is only on one side");
        panic!(
            "seed {seed}: the oracle alone has {lacking:?}, the scheduler alone has {surplus:?}; the job is {:?}",
            jobs[place]
        );
    }
    expected.clear();
    found.clear();
}
