//! Jobs and calendars as files say them.

use sandglass_core::run::StateName;
use sandglass_core::time::Timestamp;
use serde_json::{Value, json};

use super::{CatchUp, Group, Hours, Need, Overlap, Plan, SHARD, When};

/// The plugin that notifiers use.
pub const NOTIFIER: &str = "spare";
/// The ends that notifiers tell of.
pub const TOLD: [StateName; 4] = [StateName::Succeeded, StateName::Failed, StateName::TimedOut, StateName::Interrupted];

impl Plan {
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
                When::After { jobs, any } => {
                    let outcome = if *any { "any" } else { "succeeded" };
                    let jobs = jobs.iter().map(|job| json!({ "job": job, "outcome": outcome }));
                    json!({ "after": jobs.collect::<Vec<_>>() })
                }
            };
            if self.calendar && when.is_timed() {
                trigger["calendars"] = json!({ "exclude": ["off"] });
            }
            trigger
        });
        let overlap = match self.overlap {
            Overlap::Skip => "skip",
            Overlap::BufferOne => "buffer_one",
            Overlap::BufferAll => "buffer_all",
            Overlap::CancelOther => "cancel_other",
            Overlap::TerminateOther => "terminate_other",
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
            "requires": self.requires.iter().map(Need::text).collect::<Vec<_>>(),
            "tags": self.tags,
            "parameters": { SHARD.0: { "type": "string", "default": SHARD.1 } },
            "action": { "use": self.plugin },
            "max_instances": self.max_instances,
            "concurrency": self.groups.iter().map(Group::text).collect::<Vec<_>>(),
            "overlap": overlap,
            "catch_up": { "policy": policy, "window": text(window), "limit": limit },
            "retry": self.retry.text(),
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
        if let Some(secs) = self.tells_within() {
            let on = TOLD.map(StateName::as_str);
            let retry = json!({ "max_attempts": 2, "initial": "5s", "jitter": "none" });
            spec["notify"] = json!([{ "on": on, "use": NOTIFIER, "group": text(secs), "retry": retry }]);
        }
        for (name, deadline) in [("start_deadline", self.start_deadline), ("deadline", self.deadline)] {
            if let Some(secs) = deadline {
                spec[name] = text(secs).into();
            }
        }
        spec
    }
}

/// The calendar `off` of these weekdays (bits, 0 is Monday), as a file says it.
#[must_use]
pub fn calendar(weekdays: u8) -> Value {
    let names = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let days: Vec<&str> = (0..7).filter(|day| weekdays >> day & 1 == 1).map(|day| names[day]).collect();
    json!({ "name": "off", "weekdays": days })
}
