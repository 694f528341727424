//! One life: a world with a clock, a disk, guests and users, in which the daemon starts, works, dies and comes back. One
//! seed decides everything.

// Above the modules, so that they know it.
macro_rules! tell {
    ($life:expr, $($line:tt)*) => { $life.trace.tell($life.now, format_args!($($line)*)) };
}

mod durable;
mod process;
mod threads;
mod time;

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use durable::Unsynced;
use sandglass_core::batch::Expectation;
use sandglass_core::capability::Grants;
use sandglass_core::event::{Command, Ticket};
use sandglass_core::id::Digest;
use sandglass_core::job_template::NewJob;
use sandglass_core::plugin::{ActionInfo, Manifest, Plugin};
use sandglass_core::scheduler::Options;
use sandglass_core::time::Timestamp;
use sandglass_store::RedbStore;
use sandglass_store::faults::FaultyDisk;

use crate::check::{Checkers, Seen, Verdict, Violation};
use crate::daemon::{Daemon, Decision, Inbound};
use crate::ends::Ends;
use crate::host::Host;
use crate::model::Model;
use crate::places::Places;
use crate::plan::{NAMESPACES, PLUGINS, Plan, SECOND};
use crate::trace::Trace;
use crate::user::User;

/// Friday, 2027-01-15, 08:00 in UTC.
const BEGIN: Timestamp = Timestamp::from_secs(1_800_000_000);
/// How much happens in a life.
const STEPS: usize = 90;

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
    uncertain: Option<Vec<Decision>>,
    unsynced: Option<Unsynced>,
    plans: Vec<Plan>,
    places: Places,
    ends: Ends,
    checkers: Checkers,
    next_ticket: u64,
    /// Whether the disk refuses to write.
    faulty: bool,
    trace: Trace,
}

impl Life {
    /// A life that begins on an empty disk.
    #[must_use]
    pub fn new(seed: u64, options: &Options, trace: Trace) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let options = some_limits(&mut rng, options);
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
            places: Places::default(),
            ends: Ends::default(),
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
        for name in PLUGINS {
            self.command(add_plugin(name));
        }
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

    /// Lets the checkers look at all that is, as it was decided at `now`.
    fn check(&mut self, now: Timestamp, look: impl FnOnce(&mut Checkers, &Seen<'_>) -> Verdict) -> Verdict {
        let Self { model, plans, host, options, places, ends, checkers, .. } = self;
        look(checkers, &Seen { model, plans, host, places, ends, options, now })
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
        let command = Command::PutJob { namespace, job: spec.into(), expect: Expectation::Anything };
        tell!(self, "asked: {}", in_short(&command));
        self.command(command);
    }
}

fn micros(time: i64) -> Duration {
    Duration::from_micros(time.unsigned_abs())
}

/// Few places, so that runs wait for them: of the daemon, and now and then of namespaces and plugins.
fn some_limits(rng: &mut fastrand::Rng, options: &Options) -> Options {
    let mut options = Options { max_running: rng.u32(1..6), ..options.clone() };
    options.max_running_per_namespace = (rng.u8(..4) == 0).then(|| rng.u32(1..4));
    if rng.u8(..4) == 0 {
        let namespace = NAMESPACES[rng.usize(..NAMESPACES.len())].parse().expect("a name");
        options.max_running_of_namespace.insert(namespace, rng.u32(1..4));
    }
    if rng.u8(..4) == 0 {
        let plugin = PLUGINS[rng.usize(..PLUGINS.len())].parse().expect("a name");
        options.max_running_of_plugin.insert(plugin, rng.u32(1..3));
    }
    options
}

fn add_plugin(name: &str) -> Command {
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
        name: name.parse().expect("a name"),
        version: "1.0.0".into(),
        description: String::new(),
        capabilities: Grants::default(),
    };
    let plugin = Plugin {
        manifest,
        digest: Digest::of(name.as_bytes()),
        size_bytes: 4,
        actions: vec![action],
        granted: Grants::default(),
        built_in: true,
        added_at: BEGIN,
    };
    Command::PutPlugin { plugin: Arc::new(plugin), wasm: Arc::from(name.as_bytes()) }
}

fn in_short(command: &Command) -> String {
    match command {
        Command::PutJob { namespace, job: NewJob { spec, .. }, .. } => {
            let plan = serde_json::to_string(&**spec).unwrap_or_default();
            format!("save job {} in {namespace}: {plan}", spec.name)
        }
        other => format!("{other:?}"),
    }
}
