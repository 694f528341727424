use chrono_tz::Tz;

use super::*;
use crate::schedule::Calendars;

/// The warnings about a job with this trigger and these further keys, each as `code: message`.
fn warnings(trigger: &str, keys: &str) -> Vec<String> {
    let text = format!(r#"{{"name": "a", "action": {{"use": "shell"}}, "triggers": [{trigger}]{keys}}}"#);
    let job: JobSpec = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let planning = Planning { zone: Tz::Europe__Berlin, since: Timestamp::EPOCH, seed: 7, calendars: Calendars::NONE };
    let now = "2027-01-01T00:00:00Z".parse().unwrap();
    let found = lint(&job, &planning, now);
    assert!(found.iter().all(|warning| warning.pointer == "/triggers/0" && !warning.hint.is_empty()));
    found
        .iter()
        .map(|warning| {
            format!("{}: {}", serde_json::to_value(warning.code).unwrap().as_str().unwrap(), warning.message)
        })
        .collect()
}

#[test]
fn ordinary_schedules_are_not_warned_about() {
    for trigger in [
        r#"{"cron": "0 4 * * 1-5"}"#,
        r#"{"cron": "*/15 * * * *"}"#,
        r#"{"every": "10m"}"#,
        r#"{"every": "1h", "jitter": "5m"}"#,
        r#"{"daily": "04:00"}"#,
        r#"{"daily": "02:30", "timezone": "UTC"}"#,
        r#"{"daily": "02:30", "gap": "end", "fold": "last"}"#,
        r#"{"monthly": {"day": 1, "at": "00:00"}}"#,
        r#"{"at": "2027-12-24T18:00:00"}"#,
        r#"{"startup": true}"#,
    ] {
        assert_eq!(warnings(trigger, r#", "timeout": "5m""#), Vec::<String>::new(), "{trigger}");
    }
}

#[test]
fn slips_are_told() {
    let all = [
        (r#"{"daily": "02:30"}"#, ""),
        (r#"{"cron": "30 2 * * 1-5"}"#, r#", "timezone": "America/Sao_Paulo""#),
        (r#"{"cron": "0 12 13 * fri"}"#, ""),
        (r#"{"cron": "*/7 * * * *"}"#, ""),
        (r#"{"cron": "0 */5 * * *"}"#, ""),
        (r#"{"cron": "* * * * *"}"#, ""),
        (r#"{"every": "5s"}"#, ""),
        (r#"{"cron": "*/30 1-3 * * *", "gap": "end", "fold": "both"}"#, r#", "timeout": "5m""#),
        (r#"{"every": "10m"}"#, ""),
        (r#"{"every": "10m"}"#, r#", "timeout": "30m""#),
        (r#"{"every": "10m"}"#, r#", "timeout": "30m", "overlap": "allow_all""#),
        (r#"{"cron": "0 12 29 2 *"}"#, ""),
        (r#"{"at": "2026-12-24T18:00:00"}"#, ""),
        (r#"{"daily": "04:00", "end_at": "2026-12-24T18:00:00"}"#, ""),
        (r#"{"every": "10m", "jitter": "8m"}"#, ""),
        (r#"{"daily": "04:00", "calendars": {"exclude": ["holidays"]}}"#, ""),
    ];
    let text: String = all
        .iter()
        .map(|(trigger, keys)| {
            format!(
                "{trigger}{keys}\n{}\n",
                warnings(trigger, keys).iter().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
            )
        })
        .collect();
    insta::assert_snapshot!(text);
}
