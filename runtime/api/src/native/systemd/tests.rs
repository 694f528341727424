use std::process::Command;

use chrono_tz::Tz;
use sandglass_core::id::Namespace;
use sandglass_core::schedule::{Calendars, JobSchedule, Planning, job_seed};
use sandglass_core::spec::JobSpec;
use sandglass_core::time::Timestamp;
use serde_json::{Value, json};

use super::*;

/// 2027-01-15 08:00:00 UTC.
const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

fn spec(triggers: Value, zone: &str) -> JobSpec {
    let spec = json!({ "name": "nightly.x", "timezone": zone, "triggers": triggers, "action": { "use": "shell" } });
    serde_json::from_value(spec).unwrap()
}

fn rendered(spec: &JobSpec) -> JobUnits {
    let namespace: Namespace = "team-a".parse().unwrap();
    let source = Source { namespace: &namespace, spec, revision: Some(3), since: Some(NOW), zone: Tz::UTC, now: NOW };
    let caller =
        Caller::new("/opt/my tools/sandglass".to_owned(), vec!["--data-dir".to_owned(), "/srv/$5%".to_owned()]);
    units_of(&source, &caller.unwrap(), Manager::User)
}

/// The `OnCalendar=` expressions of one trigger.
fn expressions(trigger: &Value, zone: &str) -> Vec<String> {
    let units = rendered(&spec(json!([trigger]), zone));
    assert_eq!(units.left_out, [], "{trigger}");
    let timer = units.files.last().unwrap();
    timer.text.lines().filter_map(|line| line.strip_prefix(calendar::KEY)).map(str::to_owned).collect()
}

#[test]
fn a_job_is_a_service_and_a_timer() {
    let trigger = json!({ "weekly": { "days": ["mon", "tue", "wed", "sun"], "at": "02:30" }, "jitter": "5m" });
    let units = rendered(&spec(json!([trigger]), "Asia/Tokyo"));
    let names: Vec<_> = units.files.iter().map(|file| (file.name.as_str(), file.enabled)).collect();
    assert_eq!(
        names,
        [(r"sandglass-team\x2da-nightly.x.service", false), (r"sandglass-team\x2da-nightly.x.timer", true)]
    );
    insta::assert_snapshot!(units.files[0].text, @r#"
    # Made by `sandglass export systemd` (namespace team-a), which replaces and removes files that begin so.
    # job nightly.x, revision 3. The daemon, which must be up, runs it.
    # note: systemd makes up for one missed start, however long ago it was; the daemon goes by `catch_up: latest` and looks back 1h

    [Unit]
    Description=Sandglass job nightly.x (namespace team-a)

    [Service]
    Type=oneshot
    ExecStart="/opt/my tools/sandglass" --data-dir /srv/$$5%% --namespace team-a job run nightly.x --wait
    "#);
    insta::assert_snapshot!(units.files[1].text, @"
    # Made by `sandglass export systemd` (namespace team-a), which replaces and removes files that begin so.
    # job nightly.x, revision 3. The daemon, which must be up, runs it.
    # note: systemd makes up for one missed start, however long ago it was; the daemon goes by `catch_up: latest` and looks back 1h

    [Unit]
    Description=Starts the Sandglass job nightly.x (namespace team-a)

    [Timer]
    # at 02:30 on Mondays, Tuesdays, Wednesdays and Sundays, Asia/Tokyo
    # note: systemd puts each start off by chance, up to 5m; the daemon always by the same part of it
    OnCalendar=Mon..Wed,Sun *-*-* 02:30:00 Asia/Tokyo
    Persistent=true
    RandomizedDelaySec=5m
    AccuracySec=1s

    [Install]
    WantedBy=timers.target
    ");
    assert!(units.notes.iter().any(|note| note.contains("`catch_up: latest` and looks back 1h")), "{:?}", units.notes);
    let ours = &units.files[1].text;
    assert!(is_ours(ours, &"team-a".parse().unwrap()) && !is_ours(ours, &"team".parse().unwrap()));
}

#[test]
fn triggers_become_calendar_lines() {
    for (trigger, expected) in [
        (json!({ "cron": "*/15 * * * *" }), "*-*-* *:00/15:00 UTC"),
        (json!({ "cron": "*/7 * * * *" }), "*-*-* *:00..56/7:00 UTC"),
        (json!({ "cron": "5,10 9-17 1,15 jan-mar *" }), "*-01..03-01,15 09..17:05,10:00 Europe/Berlin"),
        (json!({ "cron": "0 0 * * sat,sun" }), "Sat,Sun *-*-* 00:00:00 Europe/Berlin"),
        (json!({ "cron": "0 0 * * mon#2" }), "Mon *-*-08..14 00:00:00 Europe/Berlin"),
        (json!({ "monthly": { "day": -3, "at": "01:00" } }), "*-*~03 01:00:00 Europe/Berlin"),
        (json!({ "monthly": { "weekday": "last fri", "at": "01:00" } }), "Fri *-*~07/1 01:00:00 Europe/Berlin"),
        (json!({ "at": "2027-12-24T18:00:00" }), "2027-12-24 18:00:00 Europe/Berlin"),
        (json!({ "at": "2027-12-24T18:00:00.25Z" }), "2027-12-24 18:00:00.250 UTC"),
        (json!({ "every": "6h", "from": "2027-01-01T01:00:05Z" }), "*-*-* 01..19/6:00:05 UTC"),
    ] {
        assert_eq!(expressions(&trigger, "Europe/Berlin"), [expected], "{trigger}");
    }
}

#[test]
fn what_is_not_by_the_calendar_is_said_in_other_ways() {
    let units = rendered(&spec(json!([{ "every": "7m" }, { "startup": true }, { "after": "extract" }]), "UTC"));
    assert!(units.files[0].enabled && units.files[0].text.ends_with("[Install]\nWantedBy=default.target\n"));
    let timer = &units.files[1].text;
    assert!(
        timer.contains("OnActiveSec=7m\nOnUnitActiveSec=7m\nAccuracySec=1s\n") && !timer.contains("Persistent"),
        "{timer}"
    );
    assert!(
        timer.contains("# after every run of extract (succeeded): has no line here; why: systemd knows"),
        "{timer}"
    );
    assert_eq!((units.left_out.len(), units.left_out[0].trigger), (1, 2));
    let nothing = rendered(&spec(json!([{ "after": "extract" }]), "UTC"));
    assert_eq!((nothing.files.len(), nothing.left_out.len()), (0, 1));
    let only_start = rendered(&spec(json!([{ "startup": true }]), "UTC"));
    assert_eq!(only_start.files.len(), 1);
    let jitters = json!([{ "daily": "03:00", "jitter": "5m" }, { "daily": "04:00" }]);
    assert!(!rendered(&spec(jitters, "UTC")).files[1].text.contains("RandomizedDelaySec"));
}

#[test]
fn what_comes_out_otherwise_is_noted() {
    let noted = |trigger: Value, zone: &str| rendered(&spec(json!([trigger]), zone)).notes;
    let berlin = noted(json!({ "daily": "02:30" }), "Europe/Berlin");
    assert!(berlin[1].contains("change over 02:30, systemd leaves it out if they skip it"), "{berlin:?}");
    // Nothing but what is missed is otherwise.
    for (trigger, zone) in [
        (json!({ "daily": "12:00" }), "Europe/Berlin"),
        (json!({ "daily": "02:30", "gap": "skip" }), "Europe/Berlin"),
        (json!({ "cron": "*/5 * * * *" }), "Europe/Berlin"),
        (json!({ "cron": "*/5 1-3 * * *" }), "Asia/Tokyo"),
    ] {
        assert_eq!(noted(trigger.clone(), zone).len(), 1, "{trigger}");
    }
    let pace = noted(json!({ "cron": "*/5 1-3 * * *" }), "Europe/Berlin");
    assert!(pace[1].contains("does not start it a second time"), "{pace:?}");
    let none = spec(json!([{ "daily": "12:00" }]), "UTC");
    let none = JobSpec { catch_up: serde_json::from_value(json!({ "policy": "none" })).unwrap(), ..none };
    let units = rendered(&none);
    assert!(units.notes.is_empty() && units.files[1].text.contains("Persistent=false\n"));
}

/// The next elapses of an expression after `from`, as systemd finds them; none where it is not installed.
fn elapses(expression: &str, from: Timestamp, count: usize) -> Option<Vec<Timestamp>> {
    let base = format!("--base-time=@{}", from.as_micros() / 1_000_000);
    let mut command = Command::new("systemd-analyze");
    command.args(["calendar", &format!("--iterations={count}"), &base, expression]).env("TZ", "UTC").env("LC_ALL", "C");
    let output = command.output().ok()?;
    assert!(output.status.success(), "{expression}: {}", String::from_utf8_lossy(&output.stderr));
    let instant = |line: &str| {
        let (what, when) = line.split_once(": ")?;
        let is_elapse = what.trim() == "Next elapse" || what.trim().starts_with("Iter. #");
        let when = chrono::NaiveDateTime::parse_from_str(when.trim(), "%a %Y-%m-%d %H:%M:%S UTC").ok()?;
        is_elapse.then(|| when.and_utc().into())
    };
    Some(String::from_utf8_lossy(&output.stdout).lines().filter_map(instant).collect())
}

#[test]
fn systemd_finds_the_same_fires() {
    const COUNT: usize = 20;
    let triggers = [
        json!({ "cron": "30 2 * * *", "gap": "skip" }),
        json!({ "cron": "*/20 * * * *" }),
        json!({ "cron": "H H(1-3) * * *", "gap": "skip" }),
        json!({ "cron": "0 12 13 * fri" }),
        json!({ "cron": "0 2 1,L * *", "gap": "skip" }),
        json!({ "cron": "15 12 15W,LW * *" }),
        json!({ "cron": "15 12 28W,31W 2,3 *" }),
        json!({ "cron": "15 12 L-1 * fri" }),
        json!({ "cron": "0 3 * 2,3 sun#1,sun#5,sunL" }),
        json!({ "cron": "20,50 0-30/7 12 2 * sun", "seconds": true }),
        json!({ "daily": ["02:00", "02:30", "23:30:10"], "gap": "skip" }),
        json!({ "weekly": { "days": ["sat", "sun"], "at": ["00:30", "12:30"] } }),
        json!({ "monthly": { "weekday": ["last sun", "first mon"], "at": "12:15" } }),
        json!({ "monthly": { "day": ["last", -5], "at": "12:15" } }),
        json!({ "yearly": { "month": [2, 12], "day": "last", "at": "12:15" } }),
        json!({ "every": "8m" }),
        json!({ "every": "90m", "from": "2027-01-01T00:10:20Z" }),
        json!({ "every": "7d", "from": "2027-01-01T01:30:00Z" }),
        json!({ "at": "2028-12-24T18:00:00" }),
    ];
    for zone in ["UTC", "Europe/Berlin", "Asia/Kathmandu", "America/New_York"] {
        for trigger in &triggers {
            let spec = spec(json!([trigger]), zone);
            let seed = job_seed(&"team-a".parse().unwrap(), &spec.name);
            let planning = Planning { zone: zone.parse().unwrap(), since: NOW, seed, calendars: Calendars::NONE };
            let schedule = JobSchedule::new(&spec, &planning);
            for from in [1_805_900_000, 1_824_800_000] {
                let from = Timestamp::from_secs(from);
                let mut theirs = Vec::new();
                for expression in expressions(trigger, zone) {
                    let Some(found) = elapses(&expression, from, COUNT) else {
                        println!("skipped systemd_finds_the_same_fires: systemd-analyze is not installed");
                        return;
                    };
                    theirs.extend(found);
                }
                theirs.sort_unstable();
                theirs.truncate(COUNT);
                let first = schedule.next_after(from);
                let ours: Vec<_> = std::iter::successors(first, |at| schedule.next_after(*at)).take(COUNT).collect();
                assert_eq!(ours, theirs, "{trigger} in {zone}: {:?}", expressions(trigger, zone));
            }
        }
    }
}
