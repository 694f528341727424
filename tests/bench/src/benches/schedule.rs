//! How long the next fire of each kind of trigger takes to find, and a million jobs in the scheduler.

use std::collections::HashSet;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use sandglass_core::capability::Grants;
use sandglass_core::id::{Digest, JobId};
use sandglass_core::job::{Cursor, Job};
use sandglass_core::plugin::{ActionInfo, Manifest, Plugin};
use sandglass_core::schedule::{Calendars, Planning, Schedule};
use sandglass_core::scheduler::{Moment, Options, Scheduler, Snapshot};
use sandglass_core::spec::{CalendarSpec, Trigger};
use sandglass_core::time::Timestamp;
use serde_json::{Value, json};

use super::Scale;
use crate::measure::{Sample, micros, timed};
use crate::report::{Reach, Report};
use crate::rig;

/// How many instants each kind is asked from.
const ASKED: usize = 20_000;
/// How many times in a row each is asked: a single answer is shorter than what a clock can tell.
const REPEATED: u32 = 20;
/// 2026-01-01T00:00:00Z.
const BEGIN: Timestamp = Timestamp::from_secs(1_767_225_600);
/// Instants are drawn from so many seconds after it.
const SPAN: i64 = 10 * 366 * 86_400;
const JOBS: usize = 1_000_000;

pub(super) fn run(scale: Scale, report: &mut Report) -> anyhow::Result<()> {
    for (what, trigger, at_most) in triggers() {
        next(what, trigger, at_most, scale, report)?;
    }
    loaded(scale.of(JOBS), report)
}

/// Kinds of triggers, with the most microseconds that the median may take.
fn triggers() -> Vec<(&'static str, Value, f64)> {
    let holidays = json!({ "exclude": ["holidays"] });
    let no_weekend = json!({ "exclude": ["weekend"], "shift": "next" });
    let no_workday = json!({ "exclude": ["workdays"], "shift": "previous" });
    vec![
        ("cron, every 5 minutes", json!({ "cron": "*/5 * * * *" }), 1.0),
        ("cron, workdays", json!({ "cron": "30 2 * * mon-fri" }), 1.0),
        ("cron with seconds", json!({ "cron": "*/10 * * * * *", "seconds": true }), 1.0),
        ("cron, L", json!({ "cron": "0 0 L * *" }), 1.0),
        ("cron, 15W", json!({ "cron": "0 0 15W * *" }), 1.0),
        ("cron, fri#2", json!({ "cron": "0 0 * * fri#2" }), 1.0),
        ("cron, H", json!({ "cron": "H H * * *" }), 1.0),
        ("cron, 29 February", json!({ "cron": "0 0 29 2 *" }), 20.0),
        ("cron, 29 February on a Monday", json!({ "cron": "0 0 29 2 */7" }), 20.0),
        ("every", json!({ "every": "90m" }), 1.0),
        ("daily", json!({ "daily": ["03:00", "15:00"] }), 1.0),
        ("weekly", json!({ "weekly": { "days": ["mon", "wed"], "at": "02:00" } }), 1.0),
        ("monthly", json!({ "monthly": { "weekday": "first mon", "at": "00:00" } }), 1.0),
        ("yearly", json!({ "yearly": { "month": "mar", "day": 1, "at": "00:00" } }), 1.0),
        ("at", json!({ "at": "2036-12-24T18:00:00" }), 1.0),
        ("daily with jitter", json!({ "daily": "03:00", "jitter": "5m" }), 1.0),
        ("daily with a calendar", json!({ "daily": "03:00", "calendars": holidays }), 1.0),
        (
            "weekly, always shifted",
            json!({ "weekly": { "days": "sun", "at": "03:00" }, "calendars": no_weekend }),
            20.0,
        ),
        ("cron, always shifted", json!({ "cron": "0 3 * * 1-5", "calendars": no_workday }), 20.0),
    ]
}

fn next(what: &str, trigger: Value, at_most: f64, scale: Scale, report: &mut Report) -> anyhow::Result<()> {
    let trigger: Trigger = serde_json::from_value(trigger).with_context(|| format!("the trigger '{what}'"))?;
    let holidays: CalendarSpec =
        serde_json::from_value(json!({ "name": "holidays", "yearly": ["12-25", "01-01", { "easter": 1 }] }))?;
    let weekend: CalendarSpec = serde_json::from_value(json!({ "name": "weekend", "weekdays": ["sat", "sun"] }))?;
    let workdays: CalendarSpec =
        serde_json::from_value(json!({ "name": "workdays", "weekdays": ["mon", "tue", "wed", "thu", "fri"] }))?;
    let calendars: Calendars = [&holidays, &weekend, &workdays].into_iter().collect();
    let planning = Planning { zone: "Europe/Berlin".parse()?, since: BEGIN, seed: 7, calendars: &calendars };
    let schedule = Schedule::new(&trigger, &planning);
    let mut rng = fastrand::Rng::with_seed(1);
    let times = (0..scale.of(ASKED)).map(|_| {
        let at = Timestamp::from_micros(BEGIN.as_micros() + rng.i64(0..SPAN * 1_000_000));
        let ((), time) = timed(|| {
            for _ in 0..REPEATED {
                black_box(schedule.next_after(black_box(at)));
            }
        });
        time / REPEATED
    });
    let times = Sample::new(times.collect());
    report.hold(format!("next, {what}, median"), micros(times.median()), "µs", Reach::AtMost(at_most));
    report.tell(format!("next, {what}, 99th percentile"), micros(times.p99()), "µs");
    Ok(())
}

/// Jobs with triggers of several kinds put into a scheduler, as after a start.
fn loaded(count: usize, report: &mut Report) -> anyhow::Result<()> {
    let triggers = [
        json!({ "cron": "H H * * *" }),
        json!({ "cron": "30 2 * * 1-5" }),
        json!({ "every": "10m" }),
        json!({ "daily": "03:00", "jitter": "5m" }),
        json!({ "monthly": { "day": "last", "at": "00:00" } }),
    ];
    let plugin = Arc::new(plugin()?);
    let mut rng = fastrand::Rng::with_seed(1);
    let mut jobs = Vec::with_capacity(count);
    for number in 0..count {
        let rest = json!({ "triggers": [triggers[number % triggers.len()]], "timezone": "Europe/Berlin" });
        let spec = rig::job(&format!("job-{number}"), json!({ "use": "noop" }), rest)?;
        let job = Job {
            id: JobId::random(BEGIN, &mut rng),
            namespace: "default".parse()?,
            revision: 1,
            spec: Arc::new(spec),
            created_at: BEGIN,
            updated_at: BEGIN,
            scheduled_since: BEGIN,
            overlay: None,
        };
        jobs.push((Arc::new(job), Cursor { done_until: BEGIN, ..Cursor::default() }));
    }
    // The list of jobs is given back while they are loaded, and is no part of what was there before.
    let list = jobs.capacity() * size_of::<(Arc<Job>, Cursor)>();
    let snapshot = Snapshot { jobs, plugins: vec![plugin], ..Snapshot::default() };
    let before = resident()?.saturating_sub(list as u64);
    let mut moment = Moment { now: BEGIN, rng: &mut rng };
    let ((scheduler, _), time) =
        timed(|| Scheduler::load(snapshot, Options::default(), &HashSet::new(), false, &mut moment));
    let grown = resident()?.saturating_sub(before);
    anyhow::ensure!(scheduler.next_wake().is_some(), "no job is scheduled");
    let time = time.max(Duration::from_nanos(1));
    let million = time.as_secs_f64() * 1e6 / count as f64;
    report.hold("a million jobs loaded and scheduled", million, "s", Reach::AtMost(5.0));
    report.hold(
        "memory for a million beyond their specifications",
        grown as f64 / count as f64,
        "MB",
        Reach::AtMost(500.0),
    );
    report.hold("memory a job beyond its specification", grown as f64 / count as f64, "B", Reach::AtMost(400.0));
    report.note(format!("{count} jobs, resident memory before and after; the specifications are there before"));
    Ok(())
}

/// The plugin that does nothing, as the scheduler knows it.
pub(super) fn plugin() -> anyhow::Result<Plugin> {
    let action = ActionInfo {
        name: "run".to_owned(),
        title: String::new(),
        description: String::new(),
        params_schema: json!({}),
        output_schema: None,
        examples: Vec::new(),
        idempotent: true,
    };
    Ok(Plugin {
        manifest: Manifest {
            name: "noop".parse()?,
            version: "1.0.0".to_owned(),
            description: String::new(),
            capabilities: Grants::default(),
        },
        digest: Digest::of(b"noop"),
        size_bytes: 4,
        actions: vec![action],
        granted: Grants::default(),
        built_in: false,
        added_at: BEGIN,
    })
}

/// This process's resident memory, in bytes.
fn resident() -> anyhow::Result<u64> {
    let text = std::fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    Ok(kilobytes.context("the kernel does not tell the resident memory")? * 1024)
}
