//! Random jobs, as the oracle knows them and as a job file says them.

use chrono_tz::Tz;

use crate::oracle::Clock;

/// The zones that jobs are in.
pub(crate) const ZONES: [Tz; 6] = [
    Tz::UTC,
    Tz::Europe__Berlin,
    Tz::America__New_York,
    Tz::Australia__Lord_Howe,
    Tz::Asia__Kolkata,
    Tz::Pacific__Auckland,
];

#[derive(Clone, Debug)]
pub(crate) enum When {
    /// Every so many minutes since the job was saved.
    Every(i64),
    /// Whenever the clocks show a multiple of so many minutes.
    EveryMinutes(u32),
    /// At these minutes of the day, on these weekdays (bits, 0 is Sunday).
    Fixed { times: Vec<u32>, weekdays: u32 },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Policy {
    Latest,
    Earliest,
    All,
    None,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Overlap {
    Skip,
    BufferOne,
    BufferAll,
    AllowAll,
}

#[derive(Clone, Debug)]
pub(crate) struct Job {
    /// A place in [`ZONES`].
    pub(crate) zone: usize,
    pub(crate) when: When,
    /// How many minutes a run takes.
    pub(crate) takes: i64,
    pub(crate) policy: Policy,
    pub(crate) catch_up_secs: i64,
    pub(crate) limit: usize,
    pub(crate) overlap: Overlap,
    /// Minutes of the day from which and to which runs may start.
    pub(crate) window: Option<(u32, u32)>,
    /// No fires on Saturdays and Sundays.
    pub(crate) no_weekends: bool,
    pub(crate) max_runs: Option<u64>,
}

impl Job {
    pub(crate) fn random(rng: &mut fastrand::Rng) -> Self {
        let when = match rng.u32(..4) {
            0 => When::Every(rng.i64(20..3000)),
            1 => When::EveryMinutes([15, 20, 30][rng.usize(..3)]),
            _ => {
                // Times at which clocks change are what is interesting.
                let time = |rng: &mut fastrand::Rng| if rng.bool() { rng.u32(60..240) } else { rng.u32(..1440) };
                let times = (0..rng.usize(1..4)).map(|_| time(rng)).collect();
                let weekdays = if rng.bool() { 0x7f } else { rng.u32(1..0x80) };
                When::Fixed { times, weekdays }
            }
        };
        let policies = [Policy::Latest, Policy::Earliest, Policy::All, Policy::None];
        let overlaps = [Overlap::Skip, Overlap::Skip, Overlap::BufferOne, Overlap::BufferAll, Overlap::AllowAll];
        let policy = policies[rng.usize(..4)];
        let hour = rng.u32(..24);
        Self {
            zone: rng.usize(..ZONES.len()),
            when,
            takes: rng.i64(1..50),
            policy,
            // Never on the minute, so that the microseconds that a backlog takes do not matter.
            catch_up_secs: rng.i64(1..600) * 60 + 30,
            limit: rng.usize(1..12),
            overlap: overlaps[rng.usize(..5)],
            window: (rng.u32(..4) == 0).then(|| (hour * 60, (hour + rng.u32(1..24)) % 24 * 60)),
            no_weekends: rng.u32(..4) == 0,
            max_runs: (policy == Policy::Latest && rng.u32(..4) == 0).then(|| rng.u64(1..500)),
        }
    }

    /// Whether a run may start.
    pub(crate) fn is_open(&self, clock: &Clock) -> bool {
        let time = clock.minute_of_day();
        match self.window {
            None => true,
            Some((from, to)) if from < to => (from..to).contains(&time),
            Some((from, to)) => time >= from || time < to,
        }
    }

    pub(crate) fn excludes(&self, clock: &Clock) -> bool {
        self.no_weekends && matches!(clock.weekday, 0 | 6)
    }

    /// The job as a file says it.
    pub(crate) fn spec(&self, name: &str) -> serde_json::Value {
        let clock = |time: u32| format!("{:02}:{:02}", time / 60, time % 60);
        let days = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
        let mut trigger = match &self.when {
            When::Every(minutes) => serde_json::json!({ "every": format!("{minutes}m") }),
            When::EveryMinutes(step) => serde_json::json!({ "cron": format!("*/{step} * * * *") }),
            When::Fixed { times, weekdays } => {
                let times: Vec<String> = times.iter().map(|time| clock(*time)).collect();
                let days: Vec<&str> = (0..7).filter(|day| (weekdays >> day) & 1 == 1).map(|day| days[day]).collect();
                serde_json::json!({ "weekly": { "days": days, "at": times } })
            }
        };
        if self.no_weekends {
            trigger["calendars"] = serde_json::json!({ "exclude": ["weekends"] });
        }
        let policy = format!("{:?}", self.policy).to_lowercase();
        let overlap = match self.overlap {
            Overlap::Skip => "skip",
            Overlap::BufferOne => "buffer_one",
            Overlap::BufferAll => "buffer_all",
            Overlap::AllowAll => "allow_all",
        };
        let mut spec = serde_json::json!({
            "name": name,
            "timezone": ZONES[self.zone].name(),
            "triggers": [trigger],
            "action": { "use": "noop" },
            "catch_up": { "policy": policy, "window": format!("{}s", self.catch_up_secs), "limit": self.limit },
            "overlap": overlap,
        });
        if let Some((from, to)) = self.window {
            spec["window"] = serde_json::json!({ "from": clock(from), "to": clock(to) });
        }
        if let Some(most) = self.max_runs {
            spec["max_runs"] = most.into();
        }
        spec
    }
}
