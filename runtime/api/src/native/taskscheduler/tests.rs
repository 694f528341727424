use chrono_tz::Tz;
use sandglass_core::spec::JobSpec;
use serde_json::{Value, json};

use super::*;

/// 2027-01-15 08:00:00 UTC.
const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

fn spec(triggers: Value, zone: &str) -> JobSpec {
    let spec = json!({ "name": "nightly", "timezone": zone, "triggers": triggers, "action": { "use": "shell" } });
    serde_json::from_value(spec).unwrap()
}

fn rendered(spec: &JobSpec) -> JobTask {
    let namespace = Namespace::default();
    let source = Source { namespace: &namespace, spec, revision: Some(3), since: Some(NOW), zone: Tz::UTC, now: NOW };
    let program = r"C:\Program Files\R&D\sandglass.exe".to_owned();
    task_of(&source, &Caller::new(program, vec!["--data-dir".to_owned(), r"C:\Sand glass\".to_owned()]).unwrap())
}

/// The triggers of a job's task without white space.
fn triggers(triggers: Value, zone: &str) -> String {
    let task = rendered(&spec(triggers, zone));
    assert_eq!(task.left_out, []);
    let xml = task.xml.unwrap();
    let (_, rest) = xml.split_once("<Triggers>").unwrap();
    rest.split_once("</Triggers>").unwrap().0.lines().map(str::trim).collect()
}

/// What is left out of a job with one trigger.
fn left_out(trigger: Value) -> String {
    let mut task = rendered(&spec(json!([trigger]), "UTC"));
    assert_eq!(task.xml, None, "{trigger}");
    task.left_out.remove(0).why
}

#[test]
fn a_job_is_a_task() {
    let trigger = json!({ "weekly": { "days": ["mon", "sun"], "at": "02:00" }, "jitter": "5m" });
    let mut job = spec(json!([trigger, { "cron": "0 0 15W * *" }]), "Asia/Tokyo");
    job.overlap = sandglass_core::spec::Overlap::BufferOne;
    let task = rendered(&job);
    assert_eq!(task.path, r"\Sandglass\default\nightly");
    let xml = task.xml.unwrap();
    assert!(is_ours(&xml, &Namespace::default()) && !is_ours(&xml, &"other".parse().unwrap()));
    insta::assert_snapshot!(xml);
}

#[test]
fn days_and_times_become_schedules() {
    let has = |trigger: Value, parts: &[&str]| {
        let text = triggers(json!([trigger]), "Asia/Tokyo");
        for part in parts {
            assert!(text.contains(part), "{trigger} has no {part}: {text}");
        }
    };
    has(json!({ "daily": "03:00" }), &["<StartBoundary>2027-01-15T03:00:00</StartBoundary>", "<ScheduleByDay>"]);
    has(
        json!({ "cron": "*/15 * * * *" }),
        &[
            "<Repetition><Interval>PT15M</Interval><Duration>P1D</Duration></Repetition><StartBoundary>2027-01-15T00:00:00<",
        ],
    );
    has(
        json!({ "cron": "0-59/15 9-17 * * *" }),
        &["<Interval>PT15M</Interval><Duration>PT526M</Duration></Repetition><StartBoundary>2027-01-15T09:00:00<"],
    );
    has(
        json!({ "cron": "0 12 1,L feb *" }),
        &["<DaysOfMonth><Day>1</Day><Day>Last</Day></DaysOfMonth><Months><February /></Months>"],
    );
    has(
        json!({ "monthly": { "weekday": ["second mon", "last mon"], "at": "01:00" } }),
        &["<Weeks><Week>2</Week><Week>Last</Week></Weeks><DaysOfWeek><Monday /></DaysOfWeek><Months><January />"],
    );
    has(
        json!({ "cron": "0 1 * 6 fri" }),
        &["<Weeks><Week>1</Week><Week>2</Week><Week>3</Week><Week>4</Week><Week>Last<"],
    );
    has(
        json!({ "every": "7m", "from": "2027-01-01T00:00:00Z" }),
        &["<TimeTrigger><Repetition><Interval>PT7M</Interval></Repetition><StartBoundary>2027-01-01T00:00:00Z<"],
    );
    has(json!({ "at": "2027-12-24T18:00:00" }), &["<TimeTrigger><StartBoundary>2027-12-24T18:00:00</StartBoundary>"]);
    has(json!({ "startup": true }), &["<BootTrigger><Enabled>true</Enabled></BootTrigger>"]);
    let bounded = json!({ "daily": "03:00", "start_at": "2027-03-01T12:00:00", "end_at": "2027-04-01T00:00:00Z" });
    has(
        bounded,
        &["<StartBoundary>2027-03-02T03:00:00</StartBoundary><EndBoundary>2027-04-01T00:00:00Z</EndBoundary>"],
    );
    // The same minutes of each hour are fewer starts than the times one after another.
    let several = triggers(json!([{ "cron": "0,10 * * * *" }]), "UTC");
    assert_eq!(several.matches("<CalendarTrigger>").count(), 2, "{several}");
    assert!(several.contains("<StartBoundary>2027-01-15T00:10:00Z</StartBoundary>"), "{several}");
}

#[test]
fn what_task_scheduler_cannot_do_is_left_out() {
    for (trigger, why) in [
        (json!({ "cron": "0 0 13 * fri" }), "either the month or the week names"),
        (json!({ "cron": "0 0 */2 * fri" }), "both the month and the week name"),
        (json!({ "cron": "0 0 L-2 * *" }), "the last alone"),
        (json!({ "cron": "0 0 15W * *" }), "nearest"),
        (json!({ "cron": "0 0 * * mon#5" }), "no fifth week"),
        (json!({ "cron": "0 0 * * fri#4,sat#4,friL" }), "would start it twice"),
        (json!({ "cron": "*/10 * * * * *", "seconds": true }), "no sooner than after a minute"),
        (json!({ "every": "90s" }), "whole minutes"),
        (json!({ "at": "2020-01-01T00:00:00" }), "it is over"),
        (json!({ "after": "extract" }), "ends of other jobs"),
    ] {
        let told = left_out(trigger.clone());
        assert!(told.contains(why), "{trigger}: {told}");
    }
}

#[test]
fn what_comes_out_otherwise_is_noted() {
    let noted = |trigger: Value, zone: &str| rendered(&spec(json!([trigger]), zone)).notes;
    let berlin = noted(json!({ "daily": "02:30" }), "Europe/Berlin");
    assert!(berlin[0].contains("change over 02:30") && berlin[1].contains("the clock of Europe/Berlin"), "{berlin:?}");
    // That it makes up for what it missed is all there is to say.
    assert_eq!(noted(json!({ "daily": "02:30" }), "UTC").len(), 1);
    let repeated = noted(json!({ "cron": "*/15 * * * *", "jitter": "1m" }), "UTC");
    assert!(repeated[0].contains("the jitter of up to 1m is left out"), "{repeated:?}");
}

#[test]
fn texts_read_back_as_they_were() {
    assert_eq!(xml::escaped("a<b> & \"c\"\u{7}\n"), "a&lt;b&gt; &amp; \"c\" \n");
    for (word, expected) in [
        ("plain", "plain"),
        ("", "\"\""),
        ("two words", "\"two words\""),
        (r"C:\a b\", r#""C:\a b\\""#),
        (r#"a\"b"#, r#""a\\\"b""#),
    ] {
        assert_eq!(xml::argument(word), expected);
    }
}
