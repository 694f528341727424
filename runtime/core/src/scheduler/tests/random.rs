//! Random lives: fires, finishes, commands, clock jumps and restarts in any order, one seed deciding all of it. Whatever
//! happens, every fire is accounted for exactly once and no limit is broken.

use super::*;

const JOBS: [(&str, i64); 4] = [("a", 7), ("b", 13), ("c", 60), ("d", 61)];
const MAX_RUNNING: u32 = 2;

struct Life {
    world: World,
    now: i64,
    seed: u64,
}

impl Life {
    fn new(seed: u64) -> Self {
        let mut world = World::new(MAX_RUNNING);
        world.rng = fastrand::Rng::with_seed(seed);
        for (name, secs) in JOBS {
            let overlap = if secs == 13 { "allow_all" } else { "skip" };
            world.apply(
                t(0),
                serde_json::json!({
                    "name": name,
                    "triggers": [{ "every": format!("{secs}s") }],
                    "overlap": overlap,
                    "idempotent": secs == 7,
                    "priority": secs % 10,
                    "catch_up": { "window": "100s" },
                    "retry": { "max_attempts": 3, "initial": "3s" },
                }),
            );
        }
        Self { world, now: 0, seed }
    }

    fn step(&mut self) {
        match self.world.rng.u32(..100) {
            0..40 => self.pass(self.seed % 3 + 1),
            40..45 => self.pass(400),
            45..75 => self.finish_one(),
            75..80 => self.restart(),
            80..88 => {
                let (name, _) = JOBS[self.world.rng.usize(..JOBS.len())];
                let force = self.world.rng.bool();
                self.world.start(t(self.now), name, force);
            }
            88..94 => self.cancel_one(),
            // The clock is set back: nothing may fire again.
            94..97 => self.world.at(t(self.now - 50), Event::Tick),
            _ => {
                let spec = serde_json::json!({ "name": "e", "description": self.now.to_string() });
                self.world.apply(t(self.now), spec);
            }
        }
        assert!(self.world.scheduler.running() <= MAX_RUNNING, "seed {}", self.seed);
    }

    fn pass(&mut self, most: u64) {
        self.now += i64::try_from(self.world.rng.u64(1..=most)).expect("a few minutes");
        self.tick();
    }

    fn tick(&mut self) {
        let now = t(self.now);
        self.world.at(now, Event::Tick);
        let mut rounds = 0;
        // Overdue fires wait for their next turn, a moment later.
        let soon = now.after(Duration::from_millis(1));
        while self.world.scheduler.next_wake().is_some_and(|at| at <= soon) {
            self.world.at(soon, Event::Tick);
            rounds += 1;
            assert!(rounds < 1000, "seed {}: time stands still", self.seed);
        }
    }

    fn finish_one(&mut self) {
        if self.world.started.is_empty() {
            return;
        }
        let at = self.world.rng.usize(..self.world.started.len());
        self.world.started.swap(0, at);
        let outcomes =
            [AttemptOutcome::Succeeded, AttemptOutcome::Failed, AttemptOutcome::TimedOut, AttemptOutcome::Cancelled];
        let outcome = outcomes[self.world.rng.usize(..outcomes.len())];
        self.world.finish(t(self.now), outcome);
    }

    fn cancel_one(&mut self) {
        let mut going: Vec<RunId> = self.world.scheduler.active.keys().copied().collect();
        going.sort_unstable();
        if let Some(run) = going.first().copied() {
            self.world.at(t(self.now), Event::Command { ticket: Ticket(9), command: Command::CancelRun { run } });
        }
    }

    fn restart(&mut self) {
        self.now += i64::try_from(self.world.rng.u64(..200)).expect("a few minutes");
        self.world.restart(t(self.now));
        self.tick();
    }

    /// Every scheduled instant of every job has exactly one record, and everything still going is known to the scheduler.
    fn check(&self) {
        for (name, secs) in JOBS {
            let mut recorded: Vec<i64> = self
                .world
                .runs
                .values()
                .filter(|run| run.job.as_str() == name && run.origin != Origin::Manual)
                .map(|run| run.scheduled_at.as_micros() / 1_000_000 - T0)
                .collect();
            recorded.sort_unstable();
            let expected: Vec<i64> = (1..).map(|n| n * secs).take_while(|at| *at <= self.now).collect();
            assert_eq!(recorded, expected, "seed {}: fires of job {name}", self.seed);
        }
        for run in self.world.runs.values() {
            let over = run.state.name().is_terminal();
            assert_ne!(over, self.world.scheduler.active.contains_key(&run.id), "seed {}: run {}", self.seed, run.id);
            assert!(run.attempts.len() <= 3, "seed {}: too many attempts", self.seed);
        }
        let running = self.world.runs.values().filter(|run| run.state == RunState::Running).count();
        assert_eq!(running, self.world.started.len(), "seed {}: what runs was started", self.seed);
    }
}

#[test]
fn every_fire_is_accounted_for_exactly_once() {
    for seed in 0..150 {
        let mut life = Life::new(seed);
        for _ in 0..200 {
            life.step();
        }
        life.check();
    }
}

#[test]
fn everything_ends_when_time_passes_and_attempts_finish() {
    for seed in 0..30 {
        let mut life = Life::new(seed);
        for _ in 0..100 {
            life.step();
        }
        for (name, _) in JOBS {
            let command = Command::DeleteJob {
                namespace: Namespace::default(),
                name: name.parse().unwrap(),
                expect: Expectation::Anything,
            };
            life.world.at(t(life.now), Event::Command { ticket: Ticket(8), command });
        }
        while !life.world.started.is_empty() {
            life.world.finish(t(life.now), AttemptOutcome::Cancelled);
        }
        assert_eq!(life.world.scheduler.active(), 0, "seed {seed}");
        assert!(life.world.runs.values().all(|run| run.state.name().is_terminal()), "seed {seed}");
    }
}
