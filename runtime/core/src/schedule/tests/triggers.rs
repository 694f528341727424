//! The kinds of triggers beside cron, and what modifies a trigger.

use super::*;

fn trigger(json: &str) -> Trigger {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"))
}

/// The first fires of a trigger after `from`, in local time with offset, joined by spaces.
fn trigger_fires(json: &str, zone_name: &str, from: &str, count: usize) -> String {
    let planning = Planning { zone: zone(zone_name), since: instant(from), seed: 7, calendars: Calendars::NONE };
    let schedule = Schedule::new(&trigger(json), &planning);
    let first = schedule.next_after(instant(from));
    let fires = std::iter::successors(first, |at| schedule.next_after(*at)).take(count);
    let local = fires.map(|at| at.to_chrono().with_timezone(&schedule.zone()).format("%m-%d.%H:%M%:z").to_string());
    local.collect::<Vec<_>>().join(" ")
}

#[test]
fn calendar_forms_name_local_times() {
    let fires = |json: &str, count| trigger_fires(json, "UTC", "2027-01-01T12:00:00Z", count).replace("+00:00", "");
    assert_eq!(fires(r#"{"daily": "03:00"}"#, 2), "01-02.03:00 01-03.03:00");
    assert_eq!(fires(r#"{"daily": ["15:30", "03:00", "03:00"]}"#, 3), "01-01.15:30 01-02.03:00 01-02.15:30");
    assert_eq!(
        fires(r#"{"weekly": {"days": ["wed", "Monday"], "at": "02:00"}}"#, 3),
        "01-04.02:00 01-06.02:00 01-11.02:00"
    );
    assert_eq!(fires(r#"{"monthly": {"day": 31, "at": "00:00"}}"#, 3), "01-31.00:00 03-31.00:00 05-31.00:00");
    assert_eq!(fires(r#"{"monthly": {"day": "last", "at": "00:00"}}"#, 3), "01-31.00:00 02-28.00:00 03-31.00:00");
    assert_eq!(fires(r#"{"monthly": {"day": [-3, 1], "at": "00:00"}}"#, 3), "01-29.00:00 02-01.00:00 02-26.00:00");
    assert_eq!(fires(r#"{"monthly": {"weekday": "first mon", "at": "00:00"}}"#, 2), "01-04.00:00 02-01.00:00");
    assert_eq!(
        fires(r#"{"monthly": {"weekday": ["last fri", "fifth sun"], "at": "00:00"}}"#, 3),
        "01-29.00:00 01-31.00:00 02-26.00:00"
    );
    assert_eq!(fires(r#"{"yearly": {"month": "mar", "day": 1, "at": "00:00"}}"#, 1), "03-01.00:00");
    assert_eq!(
        fires(r#"{"yearly": {"month": [2, "nov"], "weekday": "fourth thu", "at": "00:00"}}"#, 2),
        "02-25.00:00 11-25.00:00"
    );
    assert_eq!(fires(r#"{"yearly": {"month": 2, "day": 29, "at": "00:00"}}"#, 2), "02-29.00:00 02-29.00:00");
    assert_eq!(fires(r#"{"startup": true}"#, 2), "");
}

#[test]
fn triggers_that_never_fire_are_refused() {
    for json in [
        r#"{"yearly": {"month": "feb", "day": 30, "at": "00:00"}}"#,
        r#"{"yearly": {"month": ["apr", "jun"], "day": [31, -31], "at": "00:00"}}"#,
    ] {
        let error = serde_json::from_str::<Trigger>(json).unwrap_err().to_string();
        assert!(error.contains("'yearly' never fires"), "{error}");
    }
    assert!(
        serde_json::from_str::<Trigger>(r#"{"yearly": {"month": 2, "weekday": "fifth mon", "at": "00:00"}}"#).is_ok()
    );
}

#[test]
fn a_trigger_says_what_becomes_of_gap_and_fold() {
    let berlin = |modifiers: &str, from: &str, count| {
        trigger_fires(&format!(r#"{{"daily": ["02:15", "02:45"], {modifiers}}}"#), "Europe/Berlin", from, count)
    };
    let spring = "2027-03-27T12:00:00Z";
    assert_eq!(berlin(r#""gap": "shift""#, spring, 3), "03-28.03:15+02:00 03-28.03:45+02:00 03-29.02:15+02:00");
    assert_eq!(berlin(r#""gap": "end""#, spring, 2), "03-28.03:00+02:00 03-29.02:15+02:00");
    assert_eq!(berlin(r#""gap": "skip""#, spring, 1), "03-29.02:15+02:00");
    let autumn = "2027-10-30T12:00:00Z";
    assert_eq!(berlin(r#""fold": "first""#, autumn, 3), "10-31.02:15+02:00 10-31.02:45+02:00 11-01.02:15+01:00");
    assert_eq!(berlin(r#""fold": "last""#, autumn, 3), "10-31.02:15+01:00 10-31.02:45+01:00 11-01.02:15+01:00");
    assert_eq!(
        berlin(r#""fold": "both""#, autumn, 4),
        "10-31.02:15+02:00 10-31.02:45+02:00 10-31.02:15+01:00 10-31.02:45+01:00"
    );
    let apia = |modifiers: &str| {
        trigger_fires(&format!(r#"{{"daily": "12:00", {modifiers}}}"#), "Pacific/Apia", "2011-12-29T12:00:00Z", 3)
    };
    assert_eq!(apia(r#""gap": "skip""#), "12-29.12:00-10:00 12-31.12:00+14:00 01-01.12:00+14:00");
    assert_eq!(apia(r#""gap": "end""#), "12-29.12:00-10:00 12-31.00:00+14:00 12-31.12:00+14:00");
    let once = |json: &str| trigger_fires(json, "Europe/Berlin", "2027-01-01T00:00:00Z", 3);
    assert_eq!(once(r#"{"at": "2027-03-28T02:30:00", "gap": "end"}"#), "03-28.03:00+02:00");
    assert_eq!(once(r#"{"at": "2027-03-28T02:30:00", "gap": "skip"}"#), "");
    assert_eq!(once(r#"{"at": "2027-10-31T02:30:00", "fold": "both"}"#), "10-31.02:30+02:00 10-31.02:30+01:00");
    assert_eq!(once(r#"{"at": "2027-10-31T02:30:00", "fold": "last"}"#), "10-31.02:30+01:00");
}

#[test]
fn an_occurrence_says_what_the_clocks_did() {
    let changes = |json: &str, from: &str, count| {
        let planning =
            Planning { zone: zone("Europe/Berlin"), since: Timestamp::EPOCH, seed: 7, calendars: Calendars::NONE };
        let schedule = Schedule::new(&trigger(json), &planning);
        let first = schedule.occurrence_after(instant(from));
        let all = std::iter::successors(first, |fire| schedule.occurrence_after(fire.at)).take(count);
        all.map(|fire| fire.change).collect::<Vec<_>>()
    };
    let spring = "2027-03-27T12:00:00Z";
    assert_eq!(changes(r#"{"daily": ["02:30", "03:15"]}"#, spring, 3), [None, Some(ClockChange::Moved), None]);
    assert_eq!(
        changes(r#"{"daily": ["02:30", "03:30"]}"#, spring, 2),
        [None, None],
        "a regular fire is not a moved one"
    );
    assert_eq!(changes(r#"{"daily": "02:30", "gap": "end"}"#, spring, 2), [Some(ClockChange::Moved), None]);
    let both = [Some(ClockChange::First), Some(ClockChange::Second), None];
    assert_eq!(changes(r#"{"daily": "02:00", "fold": "both"}"#, "2027-10-30T12:00:00Z", 3), both);
    assert_eq!(changes(r#"{"cron": "0 * * * *"}"#, "2027-10-30T23:30:00Z", 3), both);
    assert_eq!(changes(r#"{"at": "2027-03-28T02:30:00"}"#, spring, 1), [Some(ClockChange::Moved)]);
}

#[test]
fn limits_hold_and_anchor_intervals() {
    let fires = |json: &str| trigger_fires(json, "Europe/Berlin", "2027-01-01T00:00:00Z", 4);
    assert_eq!(
        fires(r#"{"daily": "03:00", "start_at": "2027-02-01T03:00:00", "end_at": "2027-02-02T03:00:00"}"#),
        "02-01.03:00+01:00 02-02.03:00+01:00"
    );
    assert_eq!(
        fires(r#"{"every": "1h", "start_at": "2027-02-01T00:10:00", "end_at": "2027-02-01T00:30:00Z"}"#),
        "02-01.00:10+01:00 02-01.01:10+01:00"
    );
    assert_eq!(
        fires(
            r#"{"every": "1h", "from": "2027-01-01T00:05:00Z", "start_at": "2027-02-01T00:10:00Z", "end_at": "2027-02-01T02:00:00Z"}"#
        ),
        "02-01.02:05+01:00"
    );
    assert_eq!(
        fires(r#"{"daily": "03:00", "timezone": "America/New_York", "end_at": "2027-01-01T23:00:00"}"#),
        "01-01.03:00-05:00"
    );
}

#[test]
fn jitter_moves_every_fire_a_little_and_always_the_same() {
    let occurrences = |seed: u64, count: usize| {
        let planning =
            Planning { zone: zone("Europe/Berlin"), since: Timestamp::EPOCH, seed, calendars: Calendars::NONE };
        let schedule = Schedule::new(&trigger(r#"{"daily": "03:00", "jitter": "5m"}"#), &planning);
        let first = schedule.occurrence_after(instant("2027-01-01T00:00:00Z"));
        std::iter::successors(first, |fire| schedule.occurrence_after(fire.at)).take(count).collect::<Vec<_>>()
    };
    let mine = occurrences(1, 400);
    assert_eq!(mine, occurrences(1, 400));
    for fire in &mine {
        assert!(fire.at >= fire.nominal && fire.at.since(fire.nominal) < std::time::Duration::from_secs(300));
        assert_eq!(
            fire.nominal.to_chrono().with_timezone(&zone("Europe/Berlin")).format("%H:%M:%S").to_string(),
            "03:00:00"
        );
    }
    assert!(mine.windows(2).all(|pair| pair[0].nominal < pair[1].nominal && pair[0].at < pair[1].at));
    let delays = |fires: &[Occurrence]| {
        fires.iter().map(|fire| fire.at.since(fire.nominal)).collect::<std::collections::BTreeSet<_>>()
    };
    assert!(delays(&mine).len() > 390, "the fires of one job differ");
    assert_ne!(delays(&mine), delays(&occurrences(2, 400)), "jobs differ");
    let refused = |json: &str| serde_json::from_str::<Trigger>(json).unwrap_err().to_string();
    assert!(
        refused(r#"{"cron": "*/5 * * * *", "jitter": "6m"}"#).contains("'jitter: 6m' is longer than the 5m between")
    );
    assert!(refused(r#"{"every": "1m", "jitter": "2m"}"#).contains("longer than the 1m"));
    assert!(refused(r#"{"daily": ["00:01", "23:59"], "jitter": "3m"}"#).contains("longer than the 2m"));
    trigger(r#"{"weekly": {"days": "mon", "at": ["00:01", "23:59"]}, "jitter": "3m"}"#);
    trigger(r#"{"daily": "00:00", "jitter": "24h"}"#);
}

#[test]
fn calendars_exclude_dates_or_move_their_fires() {
    let specs: Vec<crate::spec::CalendarSpec> =
        [r#"{"name": "weekend", "weekdays": ["sat", "sun"]}"#, r#"{"name": "holidays", "yearly": ["01-01", "12-25"]}"#]
            .map(|json| serde_json::from_str(json).unwrap())
            .into();
    let calendars: Calendars = specs.iter().collect();
    let fires = |json: &str| {
        let planning = Planning { zone: Tz::UTC, since: Timestamp::EPOCH, seed: 7, calendars: &calendars };
        let schedule = Schedule::new(&trigger(json), &planning);
        let first = schedule.occurrence_after(instant("2026-12-30T12:00:00Z"));
        let all = std::iter::successors(first, |fire| schedule.occurrence_after(fire.at)).take(4);
        let shown = all.map(|fire| {
            let mark = if fire.exclusion.is_some() {
                "-"
            } else if fire.moved_from.is_some() {
                "+"
            } else {
                ""
            };
            fire.nominal.to_chrono().format(&format!("%m-%d{mark}")).to_string()
        });
        shown.collect::<Vec<_>>().join(" ")
    };
    // 1 January 2027 is a Friday.
    assert_eq!(
        fires(r#"{"daily": "03:00", "calendars": {"exclude": ["weekend", "holidays"]}}"#),
        "12-31 01-01- 01-02- 01-03-"
    );
    assert_eq!(
        fires(
            r#"{"monthly": {"day": 1, "at": "03:00"}, "calendars": {"exclude": ["weekend", "holidays"], "shift": "next"}}"#
        ),
        "01-04+ 02-01 03-01 04-01"
    );
    assert_eq!(
        fires(
            r#"{"monthly": {"day": 1, "at": "03:00"}, "jitter": "5m", "calendars": {"exclude": ["weekend", "holidays"], "shift": "previous"}}"#
        ),
        "12-31+ 02-01 03-01 04-01"
    );
    assert_eq!(fires(r#"{"daily": "03:00", "calendars": {"include": ["weekend"]}}"#), "12-31- 01-01- 01-02 01-03");
}

#[test]
fn a_calendars_dates_are_days_in_the_zone_of_each_trigger() {
    let calendar = serde_json::from_str(r#"{"name": "off", "dates": ["2027-05-01"]}"#).unwrap();
    let calendars = Calendars::from_iter([&calendar]);
    let excluded = |zone: &str| -> Vec<String> {
        let text =
            r#"{"every": "6h", "from": "2027-04-30T00:00:00Z", "calendars": {"exclude": ["off"]}, "timezone": ""#;
        let trigger = serde_json::from_str(&format!("{text}{zone}\"}}")).unwrap();
        let planning = Planning { zone: Tz::UTC, since: Timestamp::EPOCH, seed: 0, calendars: &calendars };
        let schedule = Schedule::new(&trigger, &planning);
        let from: Timestamp = "2027-04-29T23:59:59Z".parse().unwrap();
        std::iter::successors(schedule.occurrence_after(from), |fire| schedule.occurrence_after(fire.at))
            .take(16)
            .filter(|fire| fire.exclusion.is_some())
            .map(|fire| fire.at.to_chrono().format("%d %H").to_string())
            .collect()
    };
    assert_eq!(excluded("UTC"), ["01 00", "01 06", "01 12", "01 18"]);
    assert_eq!(excluded("Asia/Tokyo"), ["30 18", "01 00", "01 06", "01 12"]);
    assert_eq!(excluded("America/New_York"), ["01 06", "01 12", "01 18", "02 00"]);
}
