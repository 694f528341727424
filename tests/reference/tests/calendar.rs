//! The calendar forms against systemd's `OnCalendar=`, as `systemd-analyze calendar` evaluates it.

use std::process::Command;

use sandglass_reference::{fires, generator, not_asked};
use serde_json::{Value, json};

/// Triggers that are compared.
const CASES: usize = 250;
/// Fires of each.
const COUNT: usize = 12;

const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// The next elapses after `from`, in seconds since the Unix epoch; none where systemd is not installed.
fn elapses(expression: &str, from: i64) -> Option<Vec<i64>> {
    let mut command = Command::new("systemd-analyze");
    command.args(["calendar", &format!("--iterations={COUNT}"), &format!("--base-time=@{from}"), expression]);
    let Ok(output) = command.env("TZ", "UTC").env("LC_ALL", "C").output() else {
        not_asked("systemd-analyze is not installed");
        return None;
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{expression}: {}", String::from_utf8_lossy(&output.stderr));
    let instant = |line: &str| {
        let (what, when) = line.split_once(": ")?;
        let is_elapse = what.trim() == "Next elapse" || what.trim().starts_with("Iter. #");
        let when = chrono::NaiveDateTime::parse_from_str(when.trim(), "%a %Y-%m-%d %H:%M:%S UTC").ok()?;
        is_elapse.then_some(when.and_utc().timestamp())
    };
    Some(text.lines().filter_map(instant).collect())
}

/// A trigger, and the same in systemd's words.
fn case(rng: &mut fastrand::Rng) -> (Value, String) {
    let time = format!("{:02}:{:02}", rng.u8(0..24), rng.u8(0..60));
    let weekday = WEEKDAYS[rng.usize(..7)];
    let month = rng.usize(..12);
    let (days, date) = match rng.u8(0..6) {
        0 => (json!({ "day": "last" }), "~01".to_owned()),
        1 => {
            let day = rng.i8(1..=28);
            (json!({ "day": -day }), format!("~{day:02}"))
        }
        2 | 3 => {
            let day = rng.u8(1..=28);
            (json!({ "day": day }), format!("-{day:02}"))
        }
        4 => {
            let nth = rng.usize(..4);
            let first = nth * 7 + 1;
            let name = ["first", "second", "third", "fourth"][nth];
            (json!({ "weekday": format!("{name} {weekday}") }), format!("-{first:02}..{:02}", first + 6))
        }
        _ => (json!({ "weekday": format!("last {weekday}") }), "~07/1".to_owned()),
    };
    let on = if days.get("weekday").is_some() { format!("{weekday} ") } else { String::new() };
    let with = |mut days: Value, more: Value| {
        let more = more.as_object().expect("a map").clone();
        days.as_object_mut().expect("a map").extend(more);
        days
    };
    match rng.u8(0..6) {
        0 => (json!({ "daily": time }), format!("*-*-* {time}:00")),
        1 => {
            let other = WEEKDAYS[rng.usize(..7)];
            (
                json!({ "weekly": { "days": [weekday, other], "at": time } }),
                format!("{weekday},{other} *-*-* {time}:00"),
            )
        }
        2 | 3 => (json!({ "monthly": with(days, json!({ "at": time })) }), format!("{on}*-*{date} {time}:00")),
        _ => {
            let trigger = json!({ "yearly": with(days, json!({ "at": time, "month": MONTHS[month] })) });
            (trigger, format!("{on}*-{:02}{date} {time}:00", month + 1))
        }
    }
}

#[test]
fn calendar_forms_agree_with_systemd() {
    let mut rng = generator();
    for _ in 0..CASES {
        let (trigger, expression) = case(&mut rng);
        // 2000 to 2080.
        let from = rng.i64(946_684_800..3_471_292_800);
        let Some(theirs) = elapses(&expression, from) else { return };
        let ours = fires(&trigger, "UTC", from, COUNT).expect("the trigger is fine");
        assert_eq!(ours, theirs, "{trigger} is not {expression} from {from}");
    }
}
