use chrono_tz::Tz;

use super::*;
use crate::schedule::Calendars;

/// The warnings about a job with this trigger and these further keys, each as `code: message`.
fn warnings(trigger: &str, keys: &str) -> Vec<String> {
    let text = format!(r#"{{"name": "a", "action": {{"use": "shell"}}, "triggers": [{trigger}]{keys}}}"#);
    let job: JobSpec = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let calendars: Vec<crate::spec::CalendarSpec> =
        serde_json::from_str(r#"[{"name": "empty"}, {"name": "weekend", "weekdays": ["sat", "sun"]}]"#).unwrap();
    let calendars: Calendars = calendars.iter().collect();
    let planning = Planning { zone: Tz::Europe__Berlin, since: Timestamp::EPOCH, seed: 7, calendars: &calendars };
    let now = "2027-01-01T00:00:00Z".parse().unwrap();
    let found = lint(&job, &planning, now);
    assert!(found.iter().all(|warning| !warning.hint.is_empty() && !warning.pointer.is_empty()));
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
        r#"{"cron": "0 * * * *", "calendars": {"include": ["weekend"]}}, {"startup": true}"#,
        r#"{"monthly": {"day": [1, 31], "at": "00:00"}}"#,
        r#"{"monthly": {"day": "last", "at": "00:00"}}, {"cron": "0 0 L * *", "end_at": "2027-06-01T00:00:00"}"#,
    ] {
        assert_eq!(warnings(trigger, r#", "timeout": "5m""#), Vec::<String>::new(), "{trigger}");
    }
}

/// The codes of the warnings about a job with these triggers and further keys.
fn codes(triggers: &str, keys: &str) -> Vec<String> {
    let keys = format!(r#", "timeout": "5s"{keys}"#);
    warnings(triggers, &keys).iter().filter_map(|line| Some(line.split_once(':')?.0.to_owned())).collect()
}

#[test]
fn jobs_that_never_start_are_told() {
    let window = |from: &str, to: &str| format!(r#", "window": {{"from": "{from}", "to": "{to}"}}"#);
    assert_eq!(codes(r#"{"cron": "0 9,17 * * *"}"#, &window("10:00", "16:00")), ["never_starts"]);
    assert_eq!(codes(r#"{"cron": "0 9,12 * * *"}"#, &window("10:00", "16:00")), Vec::<String>::new());
    assert_eq!(codes(r#"{"every": "1h"}"#, &window("10:30", "10:40")).len(), 1);
    let defer = r#", "window": {"from": "10:00", "to": "16:00", "outside": "defer"}"#;
    assert_eq!(codes(r#"{"cron": "0 9,17 * * *"}"#, defer), Vec::<String>::new());
    for never in [
        r#"{"daily": "04:00", "calendars": {"include": ["empty"]}}"#,
        r#"{"cron": "* * * * *", "calendars": {"include": ["weekend"], "exclude": ["weekend"]}}"#,
        r#"{"daily": "04:00", "calendars": {"include": ["empty"]}, "end_at": "2027-02-01T00:00:00"}"#,
    ] {
        assert_eq!(codes(never, ""), ["never_starts"], "{never}");
    }
    assert_eq!(
        codes(r#"{"weekly": {"days": "sun", "at": "04:00"}, "calendars": {"exclude": ["weekend"]}}"#, ""),
        ["never_starts"]
    );
}

#[test]
fn slips_in_several_triggers_and_in_the_job_are_told() {
    assert_eq!(codes(r#"{"cron": "0 12 * * *"}, {"daily": "12:00"}"#, ""), ["duplicate_trigger"]);
    assert_eq!(codes(r#"{"every": "1h"}, {"every": "1h"}, {"every": "1h"}"#, "").len(), 2);
    let many: Vec<String> = (0..86_400 / 8)
        .map(|n| {
            let second = n * 8;
            format!(r#"{{"daily": "{:02}:{:02}:{:02}"}}"#, second / 3600, second / 60 % 60, second % 60)
        })
        .take(200)
        .collect();
    assert!(codes(&many.join(","), "").contains(&"storm".to_owned()));
    assert_eq!(codes(r#"{"daily": "04:00"}"#, r#", "timezone": "EST""#), ["fixed_zone"]);
    assert_eq!(codes(r#"{"daily": "04:00"}"#, r#", "window": {"from": "10:00", "to": "10:00"}"#), ["whole_day_window"]);
    assert_eq!(codes(r#"{"cron": "0 0 31 * *"}"#, ""), ["short_months"]);
    assert_eq!(codes(r#"{"monthly": {"day": 30, "at": "00:00"}}"#, ""), ["short_months"]);
}

#[test]
fn a_clock_change_that_moves_a_fire_out_of_its_window_is_told() {
    let found = warnings(r#"{"daily": "02:30", "fold": "last"}"#, r#", "window": {"from": "02:00", "to": "03:00"}"#);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].ends_with("it comes at 03:30 then, which is outside of the window, so it is skipped"),
        "{found:?}"
    );
    let found = warnings(r#"{"cron": "*/30 1-3 * * *"}"#, r#", "timeout": "5m""#);
    assert!(found[0].contains("02:00 does not exist") && found[0].ends_with("it does not fire then"), "{found:?}");
    assert!(found[1].contains("02:00 comes twice") && found[1].ends_with("it fires twice then"), "{found:?}");
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
