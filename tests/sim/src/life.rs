//! One life: a world with a clock, a disk, guests and users, in which the daemon starts, works, dies and comes back. One
//! seed decides everything.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sandglass_core::batch::{Batch, Expectation, Write};
use sandglass_core::capability::Grants;
use sandglass_core::event::{Command, Ticket};
use sandglass_core::id::Digest;
use sandglass_core::invocation::{Cancel, CancelReason};
use sandglass_core::job::Job;
use sandglass_core::plugin::{ActionInfo, Manifest, Plugin};
use sandglass_core::scheduler::Options;
use sandglass_core::time::Timestamp;
use sandglass_store::faults::FaultyDisk;
use sandglass_store::{CommitError, RedbOptions, RedbStore, StoreError};

use crate::check::{Checkers, Happening, Seen, Verdict, Violation, violation};
use crate::daemon::{Daemon, Group, Inbound};
use crate::host::Host;
use crate::model::Model;
use crate::plan::{Plan, SECOND};
use crate::trace::Trace;
use crate::user::User;

/// Friday, 2027-01-15, 08:00 in UTC.
const BEGIN: Timestamp = Timestamp::from_secs(1_800_000_000);
/// How much happens in a life.
const STEPS: usize = 90;
/// Rounds within one instant after which time counts as standing still.
const ROUNDS: usize = 2000;
/// At the end everything must be over within so many wake-ups.
const WAKES: usize = 4000;

/// What may go wrong with what was on its way to the store.
struct Uncertain {
    batches: Vec<Batch>,
    decided_at: Vec<Timestamp>,
}

/// What is certain to be on the disk while more can be read from it than was synced.
struct Unsynced {
    model: Model,
    checkers: Checkers,
    /// Answers that were given since.
    answers: Vec<sandglass_core::event::Reply>,
}

/// A life.
pub struct Life {
    rng: fastrand::Rng,
    options: Options,
    now: Timestamp,
    /// The monotonic clock in microseconds.
    monotonic: i64,
    disk: FaultyDisk,
    store: Option<Arc<RedbStore>>,
    daemon: Option<Daemon>,
    host: Host,
    model: Model,
    /// What the last commit that failed or was cut short would have written.
    uncertain: Option<Uncertain>,
    unsynced: Option<Unsynced>,
    plans: Vec<Plan>,
    checkers: Checkers,
    next_ticket: u64,
    /// Whether the disk refuses to write.
    faulty: bool,
    trace: Trace,
}

macro_rules! tell {
    ($life:expr, $($line:tt)*) => { $life.trace.tell($life.now, format_args!($($line)*)) };
}

impl Life {
    /// A life that begins on an empty disk.
    #[must_use]
    pub fn new(seed: u64, options: &Options, trace: Trace) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let options = Options { max_running: rng.u32(1..5), ..options.clone() };
        Self {
            rng,
            options,
            now: BEGIN,
            monotonic: 0,
            disk: FaultyDisk::default(),
            store: None,
            daemon: None,
            host: Host::default(),
            model: Model::default(),
            uncertain: None,
            unsynced: None,
            plans: Vec::new(),
            checkers: Checkers::default(),
            next_ticket: 0,
            faulty: false,
            trace,
        }
    }

    /// Lives it to its end. Gives what was told of it, and how many runs there were.
    ///
    /// # Errors
    ///
    /// The first promise that was broken.
    pub fn live(&mut self) -> Result<usize, Violation> {
        self.boot()?;
        self.command(add_plugin());
        self.settle()?;
        for _ in 0..self.rng.usize(1..6) {
            let plan = Plan { calendar: false, ..Plan::random(&mut self.rng, self.now) };
            self.save(plan);
        }
        self.settle()?;
        for _ in 0..STEPS {
            self.step()?;
        }
        self.end()?;
        Ok(self.model.runs.len())
    }

    /// What was told of it.
    #[must_use]
    pub fn told(self) -> Vec<String> {
        self.trace.lines()
    }

    fn step(&mut self) -> Verdict {
        if self.daemon.is_none() {
            let down = self.some_time(1800);
            self.pass(down);
            return self.boot();
        }
        match self.rng.u8(..100) {
            0..38 => {
                // A disk that fails gives little to see.
                let time = self.some_time(if self.faulty { 20 } else { 400 });
                self.advance(time)
            }
            38..58 => {
                self.ask();
                if self.rng.bool() { self.settle() } else { Ok(()) }
            }
            58..66 => {
                let most = self.rng.usize(..3);
                self.turn(most)
            }
            66..74 => {
                let most = self.rng.usize(1..3);
                self.commit(most)
            }
            74..77 => {
                let after = self.rng.u64(..12);
                tell!(self, "the power will go within {after} calls of the disk");
                self.disk.cut_at(self.disk.calls() + after);
                Ok(())
            }
            77..79 => self.crash(),
            79..82 => {
                let (after, kind) =
                    (self.rng.u64(..12), [ErrorKind::StorageFull, ErrorKind::Other][self.rng.usize(..2)]);
                tell!(self, "the disk will fail after {after} calls: {kind}");
                self.disk.fail_after(after, kind);
                self.faulty = true;
                Ok(())
            }
            82..87 => {
                self.heal();
                self.settle()
            }
            87..90 => {
                let time = self.some_time(7200);
                tell!(self, "the clock jumps ahead by {} s", time / SECOND);
                self.now = self.now.after(micros(time));
                self.settle()
            }
            90..93 => {
                let time = self.some_time(900);
                tell!(self, "the clock is set back by {} s", time / SECOND);
                self.now = self.now.before(micros(time));
                self.settle()
            }
            93..95 => self.stop(),
            _ => self.settle(),
        }
    }

    /// A time of up to so many seconds, a short one as likely as a long one.
    fn some_time(&mut self, most: i64) -> i64 {
        let most = self.rng.i64(1..=self.rng.clone().i64(2..=most));
        self.rng.i64(1..=most * SECOND)
    }

    fn pass(&mut self, time: i64) {
        self.now = self.now.after(micros(time));
        self.monotonic += time;
    }

    fn heal(&mut self) {
        if self.faulty {
            tell!(self, "the disk can be written again");
        }
        self.disk.heal();
        self.faulty = false;
    }

    // Users.

    fn command(&mut self, command: Command) {
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        if let Some(daemon) = &mut self.daemon {
            daemon.inbox.push_back(Inbound::Command(ticket, command));
        }
    }

    fn ask(&mut self) {
        let Self { model, plans, rng, now, .. } = self;
        let user = User { model, plans, rng, now: *now };
        if let Some(command) = user.asks() {
            tell!(self, "asked: {}", in_short(&command));
            self.command(command);
        }
    }

    fn save(&mut self, plan: Plan) {
        let Self { model, plans, rng, now, .. } = self;
        let (namespace, spec) = User { model, plans, rng, now: *now }.spec(plan);
        let command = Command::PutJob { namespace, spec, expect: Expectation::Anything };
        tell!(self, "asked: {}", in_short(&command));
        self.command(command);
    }

    // The daemon's process.

    fn boot(&mut self) -> Verdict {
        for _ in 0..20 {
            match RedbStore::open_with_backend(self.disk.clone(), Path::new("/nonexistent"), redb_options()) {
                Ok(store) => {
                    let store = Arc::new(store);
                    let seed = self.rng.u64(..);
                    let begun = Daemon::begin(Arc::clone(&store), self.options.clone(), seed, self.now);
                    self.store = Some(store);
                    if self.disk.is_cut() {
                        self.power_off();
                        continue;
                    }
                    match begun {
                        Ok(daemon) => return self.booted(daemon),
                        Err(error) => self.cannot_be_used(&error)?,
                    }
                }
                Err(_) if self.disk.is_cut() => self.power_off(),
                Err(error) => self.cannot_be_used(&error)?,
            }
            self.heal();
        }
        violation("durability", "the daemon cannot be started".to_owned())
    }

    fn booted(&mut self, daemon: Daemon) -> Verdict {
        self.compare()?;
        tell!(self, "the daemon is up, with {} jobs and {} runs", self.model.jobs.len(), self.model.runs.len());
        self.daemon = Some(daemon);
        self.happens(&Happening::Up)
    }

    /// The daemon is gone at once: killed, or with the power of the machine.
    fn crash(&mut self) -> Verdict {
        if self.rng.bool() {
            tell!(self, "the power goes");
            self.disk.cut_now();
            self.power_off();
        } else {
            tell!(self, "the daemon is killed");
            let image = self.disk.image();
            self.disk = FaultyDisk::of(image);
            self.gone();
        }
        Ok(())
    }

    fn power_off(&mut self) {
        let image = self.disk.image_after_cut(&mut self.rng).expect("the power went");
        tell!(self, "the power is off");
        self.disk = FaultyDisk::of(image);
        self.gone();
    }

    fn gone(&mut self) {
        self.faulty = false;
        self.daemon = None;
        // Closing writes to a disk that nobody looks at any more.
        self.store = None;
        self.host.die();
    }

    /// The daemon is told to stop, and ends in order if nothing prevents it.
    fn stop(&mut self) -> Verdict {
        tell!(self, "the daemon is told to stop");
        if let Some(daemon) = &mut self.daemon {
            daemon.inbox.push_back(Inbound::Shutdown);
        }
        for _ in 0..200 {
            self.settle()?;
            let Some(daemon) = &self.daemon else { return Ok(()) };
            if daemon.is_done() {
                tell!(self, "the daemon has stopped");
                self.disk = FaultyDisk::of(self.disk.image());
                self.gone();
                return Ok(());
            }
            let ends_in = self.host.next_end().map_or(SECOND, |at| (at - self.monotonic).max(1));
            self.pass(ends_in.min(SECOND));
        }
        self.crash()
    }

    // The threads of the daemon, each when it has its turn.

    fn turn(&mut self, most: usize) -> Verdict {
        for report in self.host.reports(self.now, self.monotonic) {
            tell!(self, "attempt {} of run {} ends: {:?}", report.attempt, report.run, report.end.outcome);
            self.happens(&Happening::Report(&report))?;
            if let Some(daemon) = &mut self.daemon {
                daemon.inbox.push_back(Inbound::Finished(Box::new(report)));
            }
        }
        let now = self.now;
        let Some(daemon) = &mut self.daemon else { return Ok(()) };
        let reloaded = daemon.turn(most, now);
        for (run, attempt) in std::mem::take(&mut daemon.at_once) {
            let reason = CancelReason::Shutdown;
            self.host.cancel(Cancel { run, attempt, reason, at_once: false }, self.monotonic);
        }
        if self.disk.is_cut() {
            self.power_off();
            return Ok(());
        }
        match reloaded {
            Ok(true) => {
                tell!(self, "the scheduler is made anew from the store");
                self.compare()
            }
            Ok(false) => Ok(()),
            Err(error) => self.cannot_be_used(&error),
        }
    }

    fn cannot_be_used(&mut self, error: &StoreError) -> Verdict {
        tell!(self, "the store cannot be used: {error}");
        match error {
            StoreError::Full(_) | StoreError::Io { .. } if self.faulty => Ok(()),
            other => violation("durability", format!("the store cannot be used: {other:?}")),
        }
    }

    fn commit(&mut self, most: usize) -> Verdict {
        let Some(daemon) = &mut self.daemon else { return Ok(()) };
        let calls = self.disk.calls();
        let group = daemon.commit_group(most, self.now);
        let touched = self.disk.calls() > calls;
        if touched {
            let batches = group.submissions.iter().map(|(submission, _)| submission.batch.clone()).collect();
            let decided_at = group.submissions.iter().map(|(submission, _)| submission.decided_at).collect();
            self.uncertain = Some(Uncertain { batches, decided_at });
        }
        if self.disk.is_cut() {
            self.power_off();
            return Ok(());
        }
        self.committed(group, touched)
    }

    fn committed(&mut self, group: Group, touched: bool) -> Verdict {
        let durable = group.submissions.iter().any(|(_, answer)| answer.is_ok());
        if durable && touched {
            self.uncertain = None;
            self.unsynced = None;
        }
        let mut permitted = Vec::new();
        for (submission, answer) in group.submissions {
            match answer {
                Ok(()) => {
                    self.apply(&submission.batch, submission.decided_at)?;
                    permitted.push(submission.permitted);
                }
                Err(error) => {
                    tell!(self, "a commit fails: {error:?}");
                    self.expected(&submission.batch, &error)?;
                    if let Some(daemon) = &mut self.daemon {
                        daemon.refuse(&submission.permitted, &error);
                    }
                }
            }
        }
        // Between what is durable and its effects.
        if durable && self.rng.u8(..60) == 0 {
            return self.crash();
        }
        let mut cancels = Vec::new();
        for permitted in permitted {
            let Some(daemon) = &mut self.daemon else { return Ok(()) };
            daemon.perform(&permitted);
            for invocation in permitted.starts {
                tell!(self, "attempt {} of run {} starts", invocation.attempt, invocation.run);
                self.happens(&Happening::Start(&invocation))?;
                self.host.start(invocation, self.now, self.monotonic, &mut self.rng);
            }
            cancels.extend(permitted.cancels);
            for (_, reply) in permitted.replies {
                self.happens(&Happening::Reply(&reply))?;
                if let Some(unsynced) = &mut self.unsynced {
                    unsynced.answers.push(reply);
                }
            }
        }
        for cancel in cancels {
            self.host.cancel(cancel, self.monotonic);
        }
        Ok(())
    }

    /// A commit fails for the disk, or for a backfill of what has been made up for meanwhile.
    fn expected(&self, batch: &Batch, error: &CommitError) -> Verdict {
        let makes_up = batch
            .writes
            .iter()
            .any(|write| matches!(write, Write::InsertRun(run) if run.origin == sandglass_core::run::Origin::Backfill));
        match error {
            CommitError::Store { .. } => Ok(()),
            CommitError::Conflict(_) if makes_up || self.daemon.as_ref().is_some_and(Daemon::is_failing) => Ok(()),
            CommitError::Conflict(conflict) => violation("transitions", format!("a commit conflicts: {conflict}")),
        }
    }

    // What is durable.

    fn apply(&mut self, batch: &Batch, decided_at: Timestamp) -> Verdict {
        for write in &batch.writes {
            tell!(self, "durable: {}", written(write));
            let seen = Seen {
                model: &self.model,
                plans: &self.plans,
                host: &self.host,
                now: decided_at,
                max_running: usize::try_from(self.options.max_running).unwrap_or(usize::MAX),
            };
            self.checkers.write(&seen, write)?;
            self.model.apply(write)?;
        }
        Ok(())
    }

    fn happens(&mut self, what: &Happening<'_>) -> Verdict {
        let seen = Seen {
            model: &self.model,
            plans: &self.plans,
            host: &self.host,
            now: self.now,
            max_running: usize::try_from(self.options.max_running).unwrap_or(usize::MAX),
        };
        self.checkers.happens(&seen, what)
    }

    /// The store holds what was acknowledged, and what was on its way as a whole or not at all.
    fn compare(&mut self) -> Verdict {
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

    // Time.

    /// Everything that can happen now happens.
    fn settle(&mut self) -> Verdict {
        for _ in 0..ROUNDS {
            self.turn(usize::MAX)?;
            while self.daemon.as_ref().is_some_and(Daemon::has_queued) {
                let most = self.rng.usize(1..5);
                self.commit(most)?;
            }
            let Some(daemon) = &self.daemon else { return Ok(()) };
            let due = daemon.wakes_at(self.now).filter(|at| at.since(self.now) < Duration::from_millis(1));
            if daemon.is_failing() {
                return Ok(());
            }
            match due {
                // A long backlog is dealt with in turns, a moment apart.
                Some(at) if at > self.now => self.now = at,
                Some(_) => {}
                None if daemon.is_settled() => return self.settled(),
                None => {}
            }
        }
        violation("progress", format!("at {} time stands still", self.now))
    }

    fn settled(&mut self) -> Verdict {
        self.happens(&Happening::Tick)?;
        if self.daemon.as_ref().is_none_or(Daemon::is_stopping)
            || self.host.next_end() <= Some(self.monotonic) && self.host.next_end().is_some()
        {
            return Ok(());
        }
        let seen = Seen {
            model: &self.model,
            plans: &self.plans,
            host: &self.host,
            now: self.now,
            max_running: usize::try_from(self.options.max_running).unwrap_or(usize::MAX),
        };
        self.checkers.settled(&seen)
    }

    /// Time passes; everything happens at its instant.
    fn advance(&mut self, time: i64) -> Verdict {
        let until = self.monotonic + time;
        self.settle()?;
        while self.monotonic < until && self.daemon.is_some() {
            self.pass((self.next() - self.monotonic).clamp(1, until - self.monotonic));
            self.settle()?;
        }
        Ok(())
    }

    /// When something happens next, by the monotonic clock.
    fn next(&self) -> i64 {
        let now = self.now;
        let wake = self.daemon.as_ref().and_then(|daemon| daemon.wakes_at(now));
        let wake = wake.map(|at| self.monotonic + i64::try_from(at.since(now).as_micros()).unwrap_or(i64::MAX / 2));
        wake.into_iter().chain(self.host.next_end()).min().unwrap_or(i64::MAX / 2)
    }

    // The end.

    /// Nothing fires and nobody asks any more: everything that is not over comes to its end.
    fn end(&mut self) -> Verdict {
        tell!(self, "the end begins");
        self.heal();
        while self.daemon.is_none() {
            self.pass(SECOND);
            self.boot()?;
            self.settle()?;
        }
        for _ in 0..20 {
            let firing = self.model.jobs.values().filter(|(job, _)| !job.spec.triggers.is_empty());
            let plans: Vec<Plan> = firing.map(|(job, _)| self.plan_of(job)).collect();
            for plan in plans {
                self.save(Plan { when: Vec::new(), ..plan });
            }
            self.advance(2 * SECOND)?;
            if self.daemon.is_none() {
                self.boot()?;
            }
        }
        for _ in 0..WAKES {
            if self.model.active.is_empty() {
                return Ok(());
            }
            let time = (self.next() - self.monotonic).clamp(1, 86_400 * SECOND);
            self.pass(time);
            self.settle()?;
            if self.daemon.is_none() {
                self.boot()?;
            }
        }
        let (id, run) = self.model.active.first_key_value().expect("it is not empty");
        violation("progress", format!("run {id} of job {} never ends: it is {:?}", run.job, run.state))
    }

    fn plan_of(&self, job: &Job) -> Plan {
        let number = job.spec.description.as_deref().and_then(|text| text.parse::<usize>().ok());
        self.plans[number.expect("every job is saved with the number of its plan")].clone()
    }
}

fn redb_options() -> RedbOptions {
    RedbOptions { cache_bytes: 1 << 20 }
}

fn micros(time: i64) -> Duration {
    Duration::from_micros(time.unsigned_abs())
}

fn add_plugin() -> Command {
    let action = ActionInfo {
        name: "run".into(),
        title: String::new(),
        description: String::new(),
        params_schema: serde_json::json!({}),
        output_schema: None,
        examples: Vec::new(),
        idempotent: false,
    };
    let manifest = Manifest {
        name: "noop".parse().expect("a name"),
        version: "1.0.0".into(),
        description: String::new(),
        capabilities: Grants::default(),
    };
    let plugin = Plugin {
        manifest,
        digest: Digest::of(b"noop"),
        size_bytes: 4,
        actions: vec![action],
        granted: Grants::default(),
        built_in: true,
        added_at: BEGIN,
    };
    Command::PutPlugin { plugin: Arc::new(plugin), wasm: Arc::from(&b"noop"[..]) }
}

fn in_short(command: &Command) -> String {
    match command {
        Command::PutJob { namespace, spec, .. } => {
            let plan = serde_json::to_string(&**spec).unwrap_or_default();
            format!("save job {} in {namespace}: {plan}", spec.name)
        }
        other => format!("{other:?}"),
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
