use chrono_tz::Tz;
use sandglass_core::id::Namespace;
use sandglass_core::schedule::{Calendars, JobSchedule, Planning, job_seed};
use sandglass_core::spec::JobSpec;
use sandglass_core::time::Timestamp;
use serde_json::{Value, json};

use super::super::{Caller, Source};
use super::*;
use crate::crontab::{Kind, read};

/// 2027-01-15 08:00:00 UTC.
const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

fn spec(triggers: Value, zone: &str) -> JobSpec {
    let spec = json!({ "name": "nightly", "timezone": zone, "triggers": triggers, "action": { "use": "shell" } });
    serde_json::from_value(spec).unwrap()
}

fn caller() -> Caller {
    Caller::new("/usr/bin/sandglass".to_owned(), vec!["--data-dir".to_owned(), "/srv/50% full".to_owned()]).unwrap()
}

fn rendered(spec: &JobSpec, around: Tz) -> CronJobLines {
    let namespace = Namespace::default();
    let source = Source { namespace: &namespace, spec, revision: Some(3), since: Some(NOW), zone: Tz::UTC, now: NOW };
    lines_of(&source, &caller(), around)
}

/// The five fields of each line of one trigger.
fn fields(trigger: Value, zone: &str) -> Vec<String> {
    let rendered = rendered(&spec(json!([trigger]), zone), Tz::UTC);
    let fields = |line: &String| line.split(' ').take(5).collect::<Vec<_>>().join(" ");
    rendered.entries.iter().flat_map(|entry| &entry.lines).map(fields).collect()
}

/// The next fires of a job.
fn fires(spec: &JobSpec, zone: Tz, from: Timestamp, count: usize) -> Vec<Timestamp> {
    let seed = job_seed(&Namespace::default(), &spec.name);
    let planning =
        Planning { zone: spec.timezone.map_or(zone, |zone| zone.0), since: NOW, seed, calendars: Calendars::NONE };
    let schedule = JobSchedule::new(spec, &planning);
    std::iter::successors(schedule.next_after(from), |at| schedule.next_after(*at)).take(count).collect()
}

/// What stands between two texts.
fn between<'a>(text: &'a str, begin: &str, end: &str) -> Option<&'a str> {
    let rest = &text[text.find(begin)? + begin.len()..];
    Some(&rest[..rest.find(end)?])
}

/// Whether the questions of a command let it start at `at`, as a shell would find.
fn goes_on(command: &str, at: Timestamp) -> bool {
    use chrono::Datelike as _;
    let Some(zone) = between(command, "TZ=", " ") else { return true };
    let date = at.to_chrono().with_timezone(&zone.parse::<Tz>().unwrap()).date_naive();
    let weekdays = between(command, "in [", "]")
        .is_none_or(|days| days.contains(&date.weekday().number_from_monday().to_string()));
    let leap = between(command, "% 4)) ", " 0 ]").is_none_or(|compares| (compares == "-eq") == (date.year() % 4 == 0));
    weekdays && leap
}

/// The next fires of a crontab as our own import reads it.
fn fires_of_crontab(text: &str, around: Tz, from: Timestamp, count: usize) -> Vec<Timestamp> {
    let jobs = read(text, Kind::User { user: None, home: None }, |_| None).unwrap();
    let mut all = Vec::new();
    for job in &jobs {
        let command = job.job["command"].as_str().unwrap();
        let zone = job.job.get("timezone").map_or(around, |zone| zone.as_str().unwrap().parse().unwrap());
        let spec = spec(json!([{ "cron": job.job["schedule"] }]), zone.name());
        let sleeps = between(command, "sleep ", " ").map_or(0, |secs| secs.parse().unwrap());
        // Of a line that asks, far more starts come to nothing than to something.
        let most = if command.contains("date +") { count * 80 } else { count };
        let starts = fires(&spec, zone, from.before(std::time::Duration::from_secs(sleeps)), most);
        let starts = starts.into_iter().filter(|at| goes_on(command, *at));
        all.extend(starts.map(|at| at.after(std::time::Duration::from_secs(sleeps))).take(count));
    }
    all.sort_unstable();
    all.truncate(count);
    all
}

#[test]
fn triggers_become_fields() {
    for (trigger, expected) in [
        (json!({ "cron": "H(5-5) 2 * jan,3 mon-fri" }), "5 2 * 1,3 1-5"),
        (json!({ "cron": "*/15 9-17 ? * fri-mon" }), "*/15 9-17 * * 0-1,5-6"),
        (json!({ "cron": "@weekly" }), "0 0 * * 0"),
        (json!({ "cron": "0 0 13 * fri" }), "0 0 13 * 5"),
        (json!({ "cron": "0 0 */2 * 1" }), "0 0 */2 * 1"),
        (json!({ "daily": "03:10" }), "10 3 * * *"),
        (json!({ "weekly": { "days": ["mon", "sun"], "at": "02:00" } }), "0 2 * * 0-1"),
        (json!({ "monthly": { "day": [1, 15], "at": "00:00" } }), "0 0 1,15 * *"),
        (json!({ "yearly": { "month": 6, "day": 30, "at": "12:00" } }), "0 12 30 6 *"),
        (json!({ "every": "10m", "from": "2027-01-01T00:04:00Z" }), "4-54/10 * * * *"),
        (json!({ "every": "15m" }), "*/15 * * * *"),
        (json!({ "every": "8h", "from": "2027-01-01T00:00:00Z" }), "0 */8 * * *"),
        (json!({ "every": "1w", "from": "2027-01-01T06:30:00Z" }), "30 6 * * 5"),
        (json!({ "startup": true }), "@reboot /usr/bin/sandglass --data-dir '/srv/50\\% full'"),
    ] {
        assert_eq!(fields(trigger.clone(), "UTC"), [expected], "{trigger}");
    }
    assert_eq!(fields(json!({ "daily": ["03:00", "15:00", "04:30"] }), "UTC"), ["0 3,15 * * *", "30 4 * * *"]);
    assert_eq!(fields(json!({ "monthly": { "weekday": "second mon", "at": "01:00" } }), "UTC"), ["0 1 8-14 * *"]);
    assert_eq!(fields(json!({ "every": "90m", "from": "2027-01-01T00:00:00Z" }), "UTC").len(), 2);
}

#[test]
fn lines_call_the_program_so_that_a_shell_and_cron_read_them_back() {
    let rendered = rendered(
        &spec(json!([{ "cron": "30 2 * * mon#2" }, { "cron": "5,30 0 3 * * *", "seconds": true }]), "Europe/Berlin"),
        Tz::UTC,
    );
    let call = "/usr/bin/sandglass --data-dir '/srv/50\\% full' --namespace default job run nightly --wait";
    assert_eq!(
        rendered.entries[0].lines,
        [format!("30 2 8-14 * * case $(TZ=Europe/Berlin date +\\%u) in [1]) {call};; esac")]
    );
    assert_eq!(rendered.entries[1].lines[0], format!("0 3 * * * sleep 5 && {call}"));
    assert_eq!(rendered.entries[1].lines.len(), 2);
}

#[test]
fn rendered_lines_fire_as_the_job_does() {
    let triggers = [
        json!({ "cron": "30 2 * * *" }),
        json!({ "cron": "*/20 1-3 * * *" }),
        json!({ "cron": "0-59/20 2 * * *" }),
        json!({ "cron": "*/5,3 */3 * * *" }),
        json!({ "cron": "*/45 * * * *" }),
        json!({ "cron": "H H(1-3) * * *" }),
        json!({ "cron": "0 2 1,L * *" }),
        json!({ "cron": "15 2 15W,LW * *" }),
        json!({ "cron": "15 2 L * fri" }),
        json!({ "cron": "0 2 29 2 *" }),
        json!({ "cron": "0 3 * 2,3 sun#1,sunL" }),
        json!({ "cron": "20 0 2 * * sun", "seconds": true }),
        json!({ "daily": ["02:00", "02:30", "23:30"] }),
        json!({ "weekly": { "days": ["sat", "sun"], "at": ["00:30", "02:30"] } }),
        json!({ "monthly": { "weekday": ["last sun", "first mon"], "at": "02:15" } }),
        json!({ "yearly": { "month": [2, 12], "day": "last", "at": "02:15" } }),
        json!({ "every": "10m" }),
        json!({ "every": "90m", "from": "2027-01-01T00:10:20Z" }),
        json!({ "every": "7d", "from": "2027-01-01T01:30:00Z" }),
    ];
    let zones =
        ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Kathmandu"];
    for zone in zones {
        for around in [Tz::UTC, Tz::Europe__Berlin, Tz::Asia__Kolkata] {
            for trigger in &triggers {
                let spec = spec(json!([trigger]), zone);
                let rendered = rendered(&spec, around);
                assert_eq!(rendered.left_out, [], "{trigger}");
                let text = block(&Namespace::default(), &[rendered], around);
                // Some days before the clocks change in spring and in autumn, and in October of a year before a leap year.
                for from in [1_805_900_000, 1_824_800_000, 1_822_500_000] {
                    let from = Timestamp::from_secs(from);
                    let ours = fires(&spec, Tz::UTC, from, 50);
                    assert_eq!(fires_of_crontab(&text, around, from, 50), ours, "{trigger} in {zone}:\n{text}");
                }
            }
        }
    }
}

#[test]
fn what_cron_cannot_do_is_left_out_with_what_to_do() {
    let triggers = json!([
        { "every": "7m" },
        { "every": "1s" },
        { "every": "1500ms" },
        { "at": "2027-12-24T18:00:00" },
        { "after": "extract" },
        { "cron": "* * * * * *", "seconds": true },
        { "cron": "0 2 * * *" },
    ]);
    let rendered = rendered(&spec(triggers, "Europe/Berlin"), Tz::Europe__Berlin);
    let told: Vec<_> =
        rendered.left_out.iter().map(|left| (left.trigger, left.why.as_str(), left.instead.as_str())).collect();
    assert_eq!(told.len(), 6);
    assert!(told[0].1.contains("7m does not go into a day") && told[0].2.contains("such as 5m"), "{told:?}");
    assert!(told[1].1.contains("once a minute") && told[2].1.contains("does not go into a day"), "{told:?}");
    assert!(told[3].1.contains("no years") && told[4].2.starts_with("nothing: the daemon fires it"), "{told:?}");
    let text = block(&Namespace::default(), &[rendered], Tz::Europe__Berlin);
    assert!(
        text.contains(
            "# job nightly, revision 3: every 7 minutes, counted from when the schedule is saved: has no line here\n"
        ),
        "{text}"
    );
    assert!(!text.contains("CRON_TZ"), "{text}");
}

#[test]
fn what_comes_out_otherwise_is_noted() {
    let noted = |trigger: Value, zone: &str| {
        let mut rendered = rendered(&spec(json!([trigger]), zone), Tz::UTC);
        rendered.entries.remove(0).notes
    };
    let one = |trigger: Value, zone: &str, part: &str| {
        let notes = noted(trigger.clone(), zone);
        assert!(notes.len() == 1 && notes[0].contains(part), "{trigger}: {notes:?}");
    };
    one(json!({ "daily": "03:00", "jitter": "5m" }), "UTC", "the jitter of up to 5m is left out");
    one(
        json!({ "daily": "03:00", "calendars": { "exclude": ["holidays"] } }),
        "UTC",
        "the calendar holidays has no say",
    );
    one(json!({ "daily": "03:00", "end_at": "2028-01-01T00:00:00" }), "UTC", "not after 2028-01-01T00:00:00");
    one(json!({ "daily": "02:30", "gap": "skip" }), "Europe/Berlin", "`gap: skip` and `fold: first`");
    one(json!({ "startup": true }), "UTC", "not with the daemon");
    one(json!({ "every": "10m", "from": "2030-01-01T00:00:00Z" }), "UTC", "not before 2030-01-01T00:00:00Z");
    for (trigger, zone) in [("0 12 * * *", "Europe/Berlin"), ("*/5 * * * *", "Europe/Berlin"), ("30 2 * * *", "UTC")] {
        assert_eq!(noted(json!({ "cron": trigger }), zone), [""; 0], "{trigger}");
    }
}

#[test]
fn only_our_lines_of_a_crontab_change() {
    let namespace = Namespace::default();
    let job = |cron: &str| block(&namespace, &[rendered(&spec(json!([{ "cron": cron }]), "UTC"), Tz::UTC)], Tz::UTC);
    let foreign =
        b"MAILTO=x\n\n0 1 * * * \xff odd\r\n# BEGIN sandglass (namespace other)\n# END sandglass (namespace other)\n"
            .to_vec();
    let installed = with_block(&foreign, &namespace, &job("0 2 * * *")).unwrap();
    assert!(installed.starts_with(&foreign));
    assert_eq!(with_block(&installed, &namespace, &job("0 2 * * *")).unwrap(), installed);
    let more = [&installed[..], b"5 5 * * * later"].concat();
    let changed = with_block(&more, &namespace, &job("0 3 * * *")).unwrap();
    assert!(changed.starts_with(&foreign) && changed.ends_with(b"5 5 * * * later") && changed != more);
    assert_eq!(without_block(&changed, &namespace).unwrap(), [&foreign[..], b"5 5 * * * later"].concat());
    assert_eq!(without_block(&foreign, &namespace).unwrap(), foreign);
    assert_eq!(with_block(b"x", &namespace, "ours\n").unwrap(), b"x\nours\n");
}

#[test]
fn marks_that_do_not_match_are_refused() {
    let namespace = Namespace::default();
    let (begin, end) = ("# BEGIN sandglass (namespace default)\n", "# END sandglass (namespace default)\n");
    for (text, line) in [
        (format!("x\n{begin}y\n"), 2),
        (format!("x\n{end}"), 2),
        (format!("{begin}{end}{begin}{end}"), 3),
        (format!("{begin}{begin}{end}"), 2),
        (format!("{begin}# BEGIN sandglass (namespace other)\n{end}"), 2),
    ] {
        let error = without_block(text.as_bytes(), &namespace).unwrap_err();
        assert_eq!(error.line, line, "{text}: {error}");
        assert!(
            with_block(text.as_bytes(), &namespace, "").is_err() && zone_before(text.as_bytes(), &namespace).is_err()
        );
    }
}

#[test]
fn zones_hold_for_the_block_alone() {
    let namespace = Namespace::default();
    let triggers = json!([{ "cron": "0 2 * * *" }, { "cron": "0 3 * * *", "timezone": "Asia/Tokyo" }]);
    let text = block(&namespace, &[rendered(&spec(triggers, "Europe/Berlin"), Tz::Europe__Berlin)], Tz::Europe__Berlin);
    let zones: Vec<&str> = text.lines().filter(|line| line.starts_with("CRON_TZ=")).collect();
    assert_eq!(zones, ["CRON_TZ=Asia/Tokyo", "CRON_TZ=Europe/Berlin"]);
    assert!(text.contains("Debian"), "{text}");
    // What fires in every hour needs no zone, but not one of half an hour's difference either.
    let triggers = json!([{ "cron": "0 2 * * *", "timezone": "Asia/Kolkata" }, { "cron": "*/20 * * * *" }]);
    let spec = spec(triggers, "Europe/Berlin");
    let mixed = block(&namespace, &[rendered(&spec, Tz::UTC)], Tz::UTC);
    assert_eq!(fires_of_crontab(&mixed, Tz::UTC, NOW, 200), fires(&spec, Tz::UTC, NOW, 200), "{mixed}");
    let crontab = format!("CRON_TZ=UTC\nCRON_TZ = \"Asia/Tokyo\"\n{text}CRON_TZ=UTC\n");
    assert_eq!(zone_before(crontab.as_bytes(), &namespace).unwrap(), Some(Tz::Asia__Tokyo));
    assert_eq!(zone_before(text.as_bytes(), &namespace).unwrap(), None);
}
