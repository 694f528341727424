//! Jobs as the simulation knows them: what a job file says, and independently of it when the job fires.

use std::collections::BTreeSet;

use sandglass_core::job::Job;
use sandglass_core::time::Timestamp;
use serde_json::{Value, json};

/// Microseconds in a second.
pub const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const DAY: i64 = 86_400 * SECOND;

/// When a job fires.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum When {
    /// Every so many seconds since the schedule was saved, or since an instant in seconds.
    Every {
        /// The interval.
        secs: i64,
        /// The anchor, itself a fire.
        from: Option<i64>,
    },
    /// Whenever the clocks of UTC show a multiple of so many minutes.
    Minutes(i64),
    /// Once, at this instant in seconds.
    Once(i64),
    /// At every start of the daemon.
    Startup,
}

/// The overlap policy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Overlap {
    /// `skip`
    Skip,
    /// `buffer_one`
    BufferOne,
    /// `buffer_all`
    BufferAll,
    /// `allow_all`
    AllowAll,
}

/// The catch-up policy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CatchUp {
    /// `latest`
    Latest,
    /// `earliest`
    Earliest,
    /// `all`
    All,
    /// `none`
    None,
}

/// The hours in which runs may start, in minutes of the day in UTC.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hours {
    /// The first minute.
    pub from: i64,
    /// The minute that is none any more.
    pub to: i64,
    /// Whether what comes outside waits.
    pub defer: bool,
}

impl Hours {
    /// Whether a run may start at `at`.
    #[must_use]
    pub fn contains(&self, at: Timestamp) -> bool {
        let minute = at.as_micros().rem_euclid(DAY) / MINUTE;
        if self.from < self.to {
            (self.from..self.to).contains(&minute)
        } else {
            minute >= self.from || minute < self.to
        }
    }
}

/// When a failed attempt is made again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Retry {
    /// How many attempts a run has at most.
    pub max_attempts: u32,
    /// The first wait in seconds.
    pub initial: i64,
    /// By how much a wait grows from one to the next.
    pub factor: i64,
    /// The longest wait in seconds.
    pub max: i64,
    /// Whether a wait may be shorter by chance.
    pub jitter: bool,
}

impl Retry {
    /// The wait after attempt `number`, in microseconds: at least and at most.
    #[must_use]
    pub fn wait(&self, number: u32) -> (i64, i64) {
        let grown = (1..number).fold(self.initial, |wait, _| (wait * self.factor).min(self.max));
        let full = grown.min(self.max) * SECOND;
        (if self.jitter { 0 } else { full }, full)
    }
}

/// A job.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    /// Its namespace.
    pub namespace: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Its triggers.
    pub when: Vec<When>,
    /// Whether the calendar `off` leaves out fires.
    pub calendar: bool,
    /// Its window.
    pub hours: Option<Hours>,
    /// Its overlap policy.
    pub overlap: Overlap,
    /// Its catch-up policy, with the window in seconds and the limit.
    pub catch_up: (CatchUp, i64, usize),
    /// Its retries.
    pub retry: Retry,
    /// How many runs its triggers start at most.
    pub max_runs: Option<u64>,
    /// Its priority.
    pub priority: u8,
    /// Whether an interrupted attempt may be made again.
    pub idempotent: bool,
    /// How long an attempt may take, in seconds.
    pub timeout: i64,
    /// How long it has to end once it is asked to, in seconds.
    pub grace: i64,
}

/// The namespaces of the jobs.
pub const NAMESPACES: [&str; 2] = ["default", "other"];
/// The names of jobs.
pub const NAMES: [&str; 4] = ["a", "b", "c", "d"];

impl Plan {
    /// The plan by which a job was saved.
    pub(crate) fn of<'a>(job: &Job, plans: &'a [Self]) -> &'a Self {
        let number = job.spec.description.as_deref().and_then(|text| text.parse::<usize>().ok());
        number.and_then(|number| plans.get(number)).expect("every job is saved with the number of its plan")
    }

    /// A random job, saved about `now`.
    pub fn random(rng: &mut fastrand::Rng, now: Timestamp) -> Self {
        let triggers = [0, 1, 1, 1, 1, 2][rng.usize(..6)];
        let policies = [CatchUp::Latest, CatchUp::Latest, CatchUp::Earliest, CatchUp::All, CatchUp::None];
        let overlaps = [Overlap::Skip, Overlap::Skip, Overlap::BufferOne, Overlap::BufferAll, Overlap::AllowAll];
        Self {
            namespace: NAMESPACES[rng.usize(..NAMESPACES.len())],
            name: NAMES[rng.usize(..NAMES.len())],
            when: (0..triggers).map(|_| Self::some_time(rng, now)).collect(),
            calendar: rng.u8(..4) == 0,
            hours: (rng.u8(..4) == 0).then(|| Self::some_hours(rng, now)),
            overlap: overlaps[rng.usize(..overlaps.len())],
            catch_up: (policies[rng.usize(..policies.len())], [20, 120, 3600][rng.usize(..3)], rng.usize(1..6)),
            retry: Retry {
                max_attempts: [1, 1, 2, 3, 5][rng.usize(..5)],
                initial: rng.i64(1..30),
                factor: rng.i64(1..4),
                max: rng.i64(5..90),
                jitter: rng.bool(),
            },
            max_runs: (rng.u8(..6) == 0).then(|| rng.u64(1..12)),
            priority: if rng.bool() { 5 } else { rng.u8(..10) },
            idempotent: rng.bool(),
            timeout: rng.i64(10..120),
            grace: rng.i64(1..20),
        }
    }

    fn some_time(rng: &mut fastrand::Rng, now: Timestamp) -> When {
        let now = now.as_micros() / SECOND;
        match rng.u8(..10) {
            0..5 => When::Every { secs: rng.i64(15..240), from: None },
            5 => When::Every { secs: rng.i64(15..240), from: Some(now + rng.i64(-600..600)) },
            6 | 7 => When::Minutes([1, 2, 5][rng.usize(..3)]),
            8 => When::Once(now + rng.i64(-60..900)),
            _ => When::Startup,
        }
    }

    fn some_hours(rng: &mut fastrand::Rng, now: Timestamp) -> Hours {
        // They open or close soon, or nothing would be seen of them.
        let soon = now.as_micros().rem_euclid(DAY) / MINUTE + rng.i64(0..20);
        let length = rng.i64(2..40);
        let (from, to) = if rng.bool() { (soon, soon + length) } else { (soon + length, soon) };
        Hours { from: from.rem_euclid(1440), to: to.rem_euclid(1440), defer: rng.bool() }
    }

    /// The same job with one thing changed.
    #[must_use]
    pub fn changed(&self, rng: &mut fastrand::Rng, now: Timestamp) -> Self {
        let other = Self::random(rng, now);
        let mut plan = self.clone();
        match rng.u8(..10) {
            0 => plan.when = other.when,
            1 => plan.hours = other.hours,
            2 => plan.overlap = other.overlap,
            3 => plan.catch_up = other.catch_up,
            4 => plan.retry = other.retry,
            5 => plan.max_runs = other.max_runs,
            6 => plan.priority = other.priority,
            7 => plan.idempotent = other.idempotent,
            8 => plan.calendar = other.calendar,
            _ => (plan.timeout, plan.grace) = (other.timeout, other.grace),
        }
        plan
    }

    /// The job as a file says it; `number` finds the plan again.
    #[must_use]
    pub fn spec(&self, number: usize) -> Value {
        let clock = |minute: i64| format!("{:02}:{:02}", minute / 60, minute % 60);
        let text = |secs: i64| format!("{secs}s");
        let instant = |secs: i64| Timestamp::from_secs(secs).to_string();
        let triggers = self.when.iter().map(|when| {
            let mut trigger = match when {
                When::Every { secs, from: None } => json!({ "every": text(*secs) }),
                When::Every { secs, from: Some(from) } => json!({ "every": text(*secs), "from": instant(*from) }),
                When::Minutes(step) => json!({ "cron": format!("*/{step} * * * *") }),
                When::Once(at) => json!({ "at": instant(*at) }),
                When::Startup => json!({ "startup": true }),
            };
            if self.calendar && *when != When::Startup {
                trigger["calendars"] = json!({ "exclude": ["off"] });
            }
            trigger
        });
        let overlap = match self.overlap {
            Overlap::Skip => "skip",
            Overlap::BufferOne => "buffer_one",
            Overlap::BufferAll => "buffer_all",
            Overlap::AllowAll => "allow_all",
        };
        let (policy, window, limit) = self.catch_up;
        let policy = match policy {
            CatchUp::Latest => "latest",
            CatchUp::Earliest => "earliest",
            CatchUp::All => "all",
            CatchUp::None => "none",
        };
        let mut spec = json!({
            "name": self.name,
            "description": number.to_string(),
            "timezone": "UTC",
            "triggers": triggers.collect::<Vec<_>>(),
            "action": { "use": "noop" },
            "overlap": overlap,
            "catch_up": { "policy": policy, "window": text(window), "limit": limit },
            "retry": {
                "max_attempts": self.retry.max_attempts,
                "initial": text(self.retry.initial),
                "factor": self.retry.factor,
                "max": text(self.retry.max),
                "jitter": if self.retry.jitter { "full" } else { "none" },
            },
            "priority": self.priority,
            "idempotent": self.idempotent,
            "timeout": text(self.timeout),
            "grace": text(self.grace),
        });
        if let Some(Hours { from, to, defer }) = self.hours {
            let outside = if defer { "defer" } else { "skip" };
            spec["window"] = json!({ "from": clock(from), "to": clock(to), "outside": outside });
        }
        if let Some(most) = self.max_runs {
            spec["max_runs"] = most.into();
        }
        spec
    }

    /// The job's fires after `from` up to and including `to`, if its schedule was saved at `since`.
    #[must_use]
    pub fn fires(&self, since: Timestamp, from: Timestamp, to: Timestamp) -> BTreeSet<Timestamp> {
        self.when.iter().flat_map(|when| when.fires(since, from, to)).collect()
    }

    /// Whether the triggers are the same, with what modifies them.
    #[must_use]
    pub fn same_schedule(&self, other: &Self) -> bool {
        let asks_calendar = self.when.iter().any(|when| *when != When::Startup);
        self.when == other.when && (self.calendar == other.calendar || !asks_calendar)
    }

    /// Whether the trigger of this place is one that fires at every start of the daemon.
    #[must_use]
    pub fn is_startup(&self, trigger: Option<u16>) -> bool {
        trigger.and_then(|place| self.when.get(usize::from(place))) == Some(&When::Startup)
    }
}

impl When {
    fn fires(&self, since: Timestamp, from: Timestamp, to: Timestamp) -> Vec<Timestamp> {
        let (since, from, to) = (since.as_micros(), from.as_micros(), to.as_micros());
        let series = |anchor: i64, step: i64, earliest: i64| {
            let after = from.max(earliest);
            let first = anchor + ((after - anchor).div_euclid(step) + 1) * step;
            let steps = std::iter::successors(Some(first), move |at| Some(at + step));
            steps.take_while(|at| *at <= to).map(Timestamp::from_micros).collect()
        };
        match *self {
            Self::Every { secs, from: None } => series(since, secs * SECOND, since),
            Self::Every { secs, from: Some(anchor) } => series(anchor * SECOND, secs * SECOND, anchor * SECOND - 1),
            Self::Minutes(step) => series(0, step * MINUTE, i64::MIN / 2),
            Self::Once(at) => {
                let at = at * SECOND;
                if from < at && at <= to { vec![Timestamp::from_micros(at)] } else { Vec::new() }
            }
            Self::Startup => Vec::new(),
        }
    }
}

/// The day of the week of an instant in UTC, 0 for Monday.
#[must_use]
pub fn weekday(at: Timestamp) -> usize {
    // 1970 began on a Thursday.
    usize::try_from((at.as_micros().div_euclid(DAY) + 3).rem_euclid(7)).expect("a small number")
}

/// The calendar `off` of these weekdays (bits, 0 is Monday), as a file says it.
#[must_use]
pub fn calendar(weekdays: u8) -> Value {
    let names = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let days: Vec<&str> = (0..7).filter(|day| weekdays >> day & 1 == 1).map(|day| names[day]).collect();
    json!({ "name": "off", "weekdays": days })
}
