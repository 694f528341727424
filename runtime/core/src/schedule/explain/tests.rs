use super::*;
use crate::schedule::Calendars;

fn planning() -> Planning<'static> {
    Planning { zone: Tz::Europe__Berlin, since: Timestamp::EPOCH, seed: 7, calendars: Calendars::NONE }
}

fn explained(trigger: &str) -> Explanation {
    explain(&serde_json::from_str(trigger).unwrap(), &planning(), "2027-01-01T00:00:00Z".parse().unwrap())
}

fn cron(text: &str) -> String {
    let seconds = text.split_whitespace().count() == 6;
    let trigger = format!(r#"{{"cron": "{text}", "seconds": {seconds}}}"#);
    let summary = explained(&trigger).summary;
    summary.strip_suffix(", Europe/Berlin").unwrap().to_owned()
}

#[test]
fn cron_expressions_are_put_in_words() {
    let all = [
        "30 2 * * 1-5",
        "0 2 * * *",
        "0 9,17 * * mon",
        "*/15 * * * *",
        "* * * * *",
        "*/7 * * * *",
        "0 * * * *",
        "5 * * * *",
        "0,30 * * * *",
        "*/10 9-17 * * 1-5",
        "*/10 9,12,15 * * *",
        "0 */6 * * *",
        "0 */2 * * *",
        "20 */2 * * *",
        "5 1-12 * * *",
        "0 0 1 * *",
        "0 0 1,15 * *",
        "0 0 1-7 * *",
        "0 0 */2 * *",
        "0 0 1 * mon",
        "0 0 */2 * mon",
        "0 0 * * 0,6",
        "0 0 * jan,jul *",
        "0 0 1 1 *",
        "30 12 * 3-5 sun",
        "@weekly",
        "@yearly",
        "@hourly",
        "15,45 1,2,3,4,5,6 * * *",
        "0 0 ? * 7",
        "0 0 * * fri-mon",
        "* 3 * * *",
        "0 30 2 * * *",
        "*/10 * * * * *",
        "* * * * * *",
        "15 0 12 * * *",
        "0 0 L * *",
        "0 0 L-3 * *",
        "0 0 15W * *",
        "0 0 LW * *",
        "0 0 * * mon#2",
        "0 0 * * friL",
        "0 0 * * 5L",
        "H H * * *",
        "H * * * *",
        "H/15 * * * *",
        "H(0-29) 2 * * *",
        "H 9-17 * * 1-5",
        "30 H * * *",
    ];
    let text: String = all.iter().map(|text| format!("{text:24} {}\n", cron(text))).collect();
    insta::assert_snapshot!(text);
}

#[test]
fn other_kinds_are_put_in_words() {
    let all = [
        r#"{"every": "10m"}"#,
        r#"{"every": "1h", "from": "2027-01-01T00:00:00Z"}"#,
        r#"{"every": "1h30m", "start_at": "2027-01-01T09:30:00"}"#,
        r#"{"daily": "03:00"}"#,
        r#"{"daily": ["15:00", "03:00", "09:30:15"]}"#,
        r#"{"weekly": {"days": ["mon", "wed"], "at": "02:00"}}"#,
        r#"{"weekly": {"days": ["fri", "mon", "tue", "wed", "thu"], "at": ["02:00", "04:00"]}}"#,
        r#"{"monthly": {"day": 1, "at": "00:00"}}"#,
        r#"{"monthly": {"day": ["last", -3, 22], "at": "00:00"}}"#,
        r#"{"monthly": {"weekday": ["first mon", "last fri"], "at": "12:00"}}"#,
        r#"{"yearly": {"month": "mar", "day": [1, 15], "at": "00:00"}}"#,
        r#"{"yearly": {"month": [3, 9], "day": "last", "at": "00:00"}}"#,
        r#"{"yearly": {"month": "nov", "weekday": "fourth thu", "at": "08:00"}}"#,
        r#"{"at": "2026-12-24T18:00:00"}"#,
        r#"{"at": "2026-12-24T18:00:00Z"}"#,
        r#"{"startup": true}"#,
        r#"{"daily": "03:00", "timezone": "America/New_York"}"#,
    ];
    let text: String = all.iter().map(|trigger| format!("{trigger}\n    {}\n", explained(trigger).summary)).collect();
    insta::assert_snapshot!(text);
}

#[test]
fn modifiers_are_put_in_words() {
    let explained = explained(
        r#"{"daily": "02:30", "jitter": "5m", "start_at": "2027-01-01T00:00:00", "end_at": "2028-12-31T00:00:00Z",
        "calendars": {"exclude": ["holidays", "fairs"], "include": ["workdays"], "shift": "next"}}"#,
    );
    insta::assert_snapshot!(format!("{}\n{}", explained.summary, explained.notes.join("\n")));
}

#[test]
fn two_years_of_clock_changes_are_told() {
    let explained = explained(r#"{"cron": "30 2 * * *", "gap": "end"}"#);
    let lines: Vec<String> = explained.clock_changes.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(lines.join("\n"));
    let json = serde_json::to_value(&explained).unwrap();
    assert_eq!(json["clock_changes"][0]["change"], "skipped");
    assert_eq!(json["clock_changes"][0]["local"], "2027-03-28T02:30:00");
    assert_eq!(serde_json::from_value::<Explanation>(json).unwrap(), explained);
}
