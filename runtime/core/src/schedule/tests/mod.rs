//! Fires, one rule at a time.

mod triggers;

use chrono::NaiveDate;

use super::*;
use crate::spec::LocalOrUtc;

fn zone(name: &str) -> Tz {
    name.parse().unwrap()
}

fn instant(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn cron(text: &str) -> CronExpression {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

fn schedule(kind: TriggerKind, zone: Tz) -> Schedule {
    schedule_since(kind, zone, Timestamp::EPOCH)
}

fn schedule_since(kind: TriggerKind, zone: Tz, since: Timestamp) -> Schedule {
    Schedule::new(&kind.into(), &Planning { zone, since, seed: 0, calendars: Calendars::NONE })
}

/// The first fires of `expression` after `from`, in local time with offset, joined by spaces.
fn fires(expression: &str, zone_name: &str, from: &str, count: usize) -> String {
    let schedule = schedule(TriggerKind::Cron(cron(expression)), zone(zone_name));
    let mut fires = Vec::new();
    let mut at = instant(from);
    while let (Some(fire), true) = (schedule.next_after(at), fires.len() < count) {
        fires.push(fire.to_chrono().with_timezone(&zone(zone_name)).format("%d.%H:%M%:z").to_string());
        at = fire;
    }
    fires.join(" ")
}

fn complaint(text: &str) -> String {
    text.parse::<CronExpression>().unwrap_err().to_string()
}

#[test]
fn expressions_that_mean_the_same_read_the_same() {
    for (one, other) in [
        ("0 0 * * 7", "0 0 * * 0"),
        ("0 0 * * SUN", "0 0 * * sun"),
        ("0 0 * jan-mar,DEC *", "0 0 * 1-3,12 *"),
        ("1/20 * * * *", "1-59/20 * * * *"),
        ("1/20 * * * *", "1,21,41 * * * *"),
        ("*/20 * * * *", "*/20,40 * * * *"),
        ("0-10/5 1 * * *", "0,5,10 01 * * *"),
        ("0 0 ? * mon", "0 0 * * 1"),
        ("0 0 * * fri-mon", "0 0 * * 5,6,0,1"),
        ("0 0 * * sat-sun", "0 0 * * 0,6"),
        ("0 0 * * mon-sun", "0 0 * * 0-6"),
        ("0 0 * * 0-7", "0 0 * * 0-6"),
        ("0 0 * * 7-2", "0 0 * * 0-2"),
        ("0 0 * * 5-7", "0 0 * * 0,5,6"),
        ("0 0 * * 7-7", "0 0 * * 0"),
        ("0 0 * * 2-2", "0 0 * * 2"),
        ("0 0 * * fri-tue/2", "0 0 * * 5,0,2"),
        ("0 0 * * 1/2", "0 0 * * 1,3,5"),
        ("  0\t0 *  *\n1 ", "0 0 * * 1"),
        ("@hourly", "0 * * * *"),
        ("@Daily", "0 0 * * *"),
        ("@midnight", "@daily"),
        ("@weekly", "0 0 * * 0"),
        ("@monthly", "0 0 1 * *"),
        ("@yearly", "0 0 1 1 *"),
        ("@annually", "@yearly"),
    ] {
        assert_eq!(cron(one).recurrence(0), cron(other).recurrence(0), "{one} against {other}");
        assert_eq!(cron(one).to_string(), one, "an expression is shown as it was written");
    }
}

#[test]
fn values_are_small() {
    assert!(size_of::<Recurrence>() <= 64);
    assert!(size_of::<CronExpression>() <= 8);
    assert!(size_of::<Schedule>() <= 40);
    assert!(size_of::<InvalidCron>() <= 128);
}

#[test]
fn faults_are_pointed_at() {
    for (text, field, at) in [
        ("60 * * * *", "minute: '60' is not allowed; 0-59 is", "^^"),
        ("0 24 * * *", "hour: '24' is not allowed; 0-23 is", "  ^^"),
        ("0 0 0 * *", "day of month: '0'", "    ^"),
        ("0 0 1,32 * *", "day of month: '32'", "      ^^"),
        ("0 0 * 13 *", "month: '13'", "      ^^"),
        ("0 0 * january *", "month: 'january' is not allowed; 1-12 or jan-dec is", "      ^^^^^^^"),
        ("0 0 * * 8", "day of week: '8' is not allowed; 0-7 or sun-sat is", "        ^"),
        ("0 0 * * mon-fry", "day of week: 'fry'", "            ^^^"),
        ("jan 0 * * *", "minute: 'jan'", "^^^"),
        ("-5 * * * *", "minute: a value is missing", "^"),
        ("1,,2 * * * *", "minute: a value is missing", "  ^"),
        ("1, * * * *", "minute: a value is missing", "  ^"),
        ("5- * * * *", "minute: a value is missing", "  ^"),
        ("1-2-3 * * * *", "minute: '2-3'", "  ^^^"),
        ("+5 * * * *", "minute: '+5'", "^^"),
        ("٣ * * * *", "minute: '٣'", "^"),
        ("99999999999999999999 * * * *", "minute: '9", "^^^^"),
        ("*/0 * * * *", "minute: '0' is no step; 1 to 60", "  ^"),
        ("*/90 * * * *", "the trigger 'every'", "  ^^"),
        ("*/ * * * *", "minute: '' is no step", "  ^"),
        ("*/5/5 * * * *", "minute: '5/5' is no step", "  ^^^"),
        ("0 22-2 * * *", "hour: the range '22-2' runs backwards; for a range over the end write '22-23,0-2'", "  ^^^^"),
        ("0 0 * nov-feb *", "write '11-12,1-2'", "      ^^^^^^^"),
        ("0 0 30 2 *", "never fires", "    ^^"),
        ("0 0 31 2,4,jun *", "at most 30 there", "    ^^"),
        ("0 0 30,31 2 */7", "never fires", "    ^^^^^"),
        ("0 0 L-31 * *", "day of month: 'L-31' is not allowed; write L for", "    ^^^^"),
        ("0 0 L-x * *", "day of month: 'L-x'", "    ^^^"),
        ("0 0 W * *", "write one day before W, such as 15W", "    ^"),
        ("0 0 1-5W * *", "write one day before W", "    ^^^^"),
        ("0 0 32W * *", "day of month: '32' is not allowed", "    ^^"),
        ("0 0 31W 2 *", "never fires", "    ^^^"),
        ("0 0 L/2 * *", "day of month: 'L'", "    ^"),
        ("0 0 * * L", "write a day before L, such as friL", "        ^"),
        ("0 0 * * 8L", "day of week: '8'", "        ^"),
        ("0 0 * * 1,mon#6", "write 1 to 5 after #, such as mon#2", "          ^^^^^"),
        ("0 0 * * mon#", "write 1 to 5 after #", "        ^^^^"),
        ("0 0 * L *", "month: 'L' is not allowed", "      ^"),
        ("15W 0 * * *", "minute: '15W' is not allowed", "^^^"),
        ("H(0-29 0 * * *", "write H, H/15, H(0-29) or H(0-29)/10", "^^^^^^"),
        ("H(29-0) 0 * * *", "the range '29-0' runs backwards", "  ^^^^"),
        ("H(0-60) 0 * * *", "minute: '60' is not allowed", "    ^^"),
        ("H15 0 * * *", "minute: 'H15' is not allowed; write H,", "^^^"),
        ("H/0 0 * * *", "minute: '0' is no step", "  ^"),
        ("0 0 H(29-31) 2 *", "never fires", "    ^^^^^^^^"),
        ("0 0 30 H(1-2) *", "never fires", "    ^^"),
        ("60 25 1 * *", "minute: '60'", "^^ ^^"),
        ("0 0 * *", "has 4 fields: five are needed", "       ^"),
        ("0", "has 1 field: ", " ^"),
        ("0 0 * * * * *", "has 7 fields", "          ^^^"),
        ("@reboot", "'@reboot' is not known: write @hourly", "^^^^^^^"),
        ("@every 5m", "the trigger 'every'", "^^^^^^"),
        ("@daily 5", "has 2 fields", "       ^"),
        ("CRON_TZ=UTC 0 2 * * *", "the job's 'timezone'", "^^^^^^^^^^^"),
    ] {
        let message = complaint(text);
        let lines: Vec<&str> = message.lines().collect();
        assert!(lines[0].contains(field), "{message}");
        let shown = lines.len() - 2;
        assert_eq!(lines[shown].trim_end(), format!("  {text}"), "{message}");
        assert!(lines[shown + 1].starts_with(&format!("  {at}")), "{message}");
    }
    assert!(complaint("").starts_with("cron expression is empty"));
    assert!(complaint(" \n ").starts_with("cron expression is empty"));
    assert!(complaint(&"1,".repeat(129)).contains("too long"));
    let all: Vec<String> = (0..60).map(|minute| minute.to_string()).collect();
    assert!(format!("{} * * * *", all.join(",")).parse::<CronExpression>().is_ok());
}

#[test]
fn six_fields_are_shown_both_ways() {
    let message = complaint("0 30 2 * * 1");
    assert!(message.contains("\n  0 30 2 * * 1\n             ^\n"), "{message}");
    assert!(message.contains("seconds, add 'seconds: true', or leave it out: write '30 2 * * 1'"), "{message}");
    assert!(complaint("*/10 * * * * *").contains("add 'seconds: true', or write 'every: 10s'"));
    assert!(complaint("* * * * * *").contains("write 'every: 1s'"));
    assert!(complaint("15 30 2 * * 1").contains("write '30 2 * * 1' to fire at second 0"));
    let both = complaint("0 2 1 1 * 2030");
    assert!(
        both.contains("leave the last out: write '0 2 1 1 *'") && !both.contains("first field is seconds"),
        "{both}"
    );
    let both = complaint("0 0 12 * * ?");
    assert!(both.contains("write '0 12 * * ?'") && both.contains("write '0 0 12 * *'"), "{both}");
    assert!(
        complaint("0 2 * * * /usr/bin/backup").contains("a year or a command, leave the last out: write '0 2 * * *'")
    );
    assert!(complaint("a b c d e f").contains("has 6 fields: five are needed"));
}

#[test]
fn the_day_fields_go_together_as_cron_users_expect() {
    // 13 November 2026 is a Friday.
    assert_eq!(fires("0 0 13 * fri", "UTC", "2026-11-01T00:00:00Z", 3), "06.00:00+00:00 13.00:00+00:00 20.00:00+00:00");
    assert_eq!(fires("0 0 13 * *", "UTC", "2026-11-01T00:00:00Z", 2), "13.00:00+00:00 13.00:00+00:00");
    // A field that begins with a star restricts without offering a choice: odd days that are Mondays.
    assert_eq!(
        fires("0 0 */2 * mon", "UTC", "2026-11-01T00:00:00Z", 3),
        "09.00:00+00:00 23.00:00+00:00 07.00:00+00:00"
    );
    // 29 February on a Sunday: the rarest.
    let schedule = schedule(TriggerKind::Cron(cron("0 0 29 2 */7")), Tz::UTC);
    assert_eq!(schedule.next_after(instant("2026-01-01T00:00:00Z")), Some(instant("2032-02-29T00:00:00Z")));
    assert_eq!(schedule.next_after(instant("2032-02-29T00:00:00Z")), Some(instant("2060-02-29T00:00:00Z")));
    assert_eq!(schedule.next_after(instant("2088-02-29T00:00:00Z")), None);
}

#[test]
fn all_faults_are_told_at_once() {
    let message = complaint("60 2 0 jam *");
    let lines: Vec<&str> = message.lines().collect();
    assert!(lines[0].contains("minute: '60'") && lines[1].contains("day of month: '0'"), "{message}");
    assert!(lines[2].contains("month: 'jam'"), "{message}");
    assert_eq!(lines[3..], ["  60 2 0 jam *", "  ^^   ^ ^^^"]);
}

#[test]
fn seconds_are_a_sixth_field() {
    let fires = |text: &str| {
        let schedule = schedule(TriggerKind::Cron(CronExpression::with_seconds(text).unwrap()), Tz::UTC);
        let first = schedule.next_after(instant("2026-01-01T00:00:10Z"));
        std::iter::successors(first, |at| schedule.next_after(*at)).take(3).map(|at| at.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(fires("*/15 * * * * *"), ["2026-01-01T00:00:15Z", "2026-01-01T00:00:30Z", "2026-01-01T00:00:45Z"]);
    assert_eq!(fires("10,50 59 23 * * *"), ["2026-01-01T23:59:10Z", "2026-01-01T23:59:50Z", "2026-01-02T23:59:10Z"]);
    assert_eq!(fires("@daily")[0], "2026-01-02T00:00:00Z");
    for (text, complaint) in [
        ("0 2 * * *", "with 'seconds: true' has 5 fields: six are needed: second, minute"),
        ("0 0 2 * * * *", "has 7 fields"),
        ("60 0 2 * * *", "second: '60' is not allowed"),
        ("", "is empty"),
    ] {
        let message = CronExpression::with_seconds(text).unwrap_err().to_string();
        assert!(message.contains(complaint), "{message}");
    }
}

#[test]
fn days_are_counted_from_the_end_and_to_the_nearest_workday() {
    let days = |expression: &str, from: &str| {
        let schedule = schedule(TriggerKind::Cron(cron(expression)), Tz::UTC);
        let first = schedule.next_after(instant(from));
        let fires = std::iter::successors(first, |at| schedule.next_after(*at)).take(4);
        fires.map(|at| at.to_chrono().format("%m-%d").to_string()).collect::<Vec<_>>().join(" ")
    };
    let new_year = "2027-12-31T12:00:00Z";
    assert_eq!(days("0 0 L * *", new_year), "01-31 02-29 03-31 04-30");
    assert_eq!(days("0 0 l-30 * *", new_year), "01-01 03-01 05-01 07-01");
    assert_eq!(days("0 0 L-3,1 * *", new_year), "01-01 01-28 02-01 02-26");
    // 1 January 2028 is a Saturday, and 30 January a Sunday.
    assert_eq!(days("0 0 1W * *", new_year), "01-03 02-01 03-01 04-03");
    assert_eq!(days("0 0 15W * *", new_year), "01-14 02-15 03-15 04-14");
    assert_eq!(days("0 0 30w 1,4 *", new_year), "01-31 04-28 01-30 04-30");
    assert_eq!(days("0 0 31W * *", new_year), "01-31 03-31 05-31 07-31");
    assert_eq!(days("0 0 LW * *", new_year), "01-31 02-29 03-31 04-28");
    assert_eq!(days("0 0 * * mon#1", new_year), "01-03 02-07 03-06 04-03");
    assert_eq!(days("0 0 * * 7#5", new_year), "01-30 04-30 07-30 10-29");
    assert_eq!(days("0 0 * * friL,sat#1", new_year), "01-01 01-28 02-05 02-25");
    assert_eq!(days("0 0 L * fri", new_year), "01-07 01-14 01-21 01-28");
    assert_eq!(days("0 0 L */1 1L", "2027-05-01T00:00:00Z"), "05-31 06-28 06-30 07-26");
    // A 29 February that is a Monday is rare, but comes.
    assert_eq!(days("0 0 * 2 mon#5", new_year), "02-29 02-29");
}

#[test]
fn hashed_fields_spread_jobs_and_stay_where_they_are() {
    let namespace = "default".parse().unwrap();
    let seed = |number: u32| job_seed(&namespace, &format!("job-{number}").parse().unwrap());
    assert_eq!(seed(1), 0x0295_b164_1fcf_3a21, "a seed never changes");
    let first = |text: &str, seed: u64| {
        let planning = Planning { zone: Tz::UTC, since: Timestamp::EPOCH, seed, calendars: Calendars::NONE };
        let schedule = Schedule::new(&TriggerKind::Cron(cron(text)).into(), &planning);
        let first = schedule.next_after(instant("2025-12-31T23:59:59Z")).unwrap();
        (first.to_chrono(), schedule.next_after(first).unwrap().to_chrono())
    };
    let minutes: std::collections::BTreeSet<u32> =
        (0..600).map(|number| chrono::Timelike::minute(&first("H * * * *", seed(number)).0)).collect();
    assert_eq!(minutes.len(), 60, "every minute has a job");
    for number in 0..100 {
        let (one, two) = first("H/15 * * * *", seed(number));
        assert!(chrono::Timelike::minute(&one) < 15 && (two - one).num_minutes() == 15);
        let (one, two) = first("H(0-29)/10 3 * * *", seed(number));
        assert!(chrono::Timelike::minute(&one) < 10 && (two - one).num_minutes() == 10);
        let (one, two) = first("0 H H * *", seed(number));
        assert!(chrono::Datelike::day(&one) <= 28 && (27..=32).contains(&(two - one).num_days()));
        let (one, _) = first("0 0 * * H(fri-mon)", seed(number));
        let weekday = chrono::Datelike::weekday(&one).num_days_from_sunday();
        assert!(matches!(weekday, 5 | 6 | 0 | 1));
    }
    // The fields of one job are chosen apart from one another.
    assert!((0..20).any(|number| {
        let at = first("H H * * *", seed(number)).0;
        chrono::Timelike::minute(&at) % 24 != chrono::Timelike::hour(&at)
    }));
}

#[test]
fn fires_are_strictly_later_and_end_with_2099() {
    let minutely = schedule(TriggerKind::Cron(cron("* * * * *")), Tz::UTC);
    let next = |text: &str| minutely.next_after(instant(text)).map(|fire| fire.to_string());
    assert_eq!(next("2026-01-01T00:00:00Z").as_deref(), Some("2026-01-01T00:01:00Z"));
    assert_eq!(next("2025-12-31T23:59:59.999999Z").as_deref(), Some("2026-01-01T00:00:00Z"));
    assert_eq!(next("1960-01-01T00:00:00Z").as_deref(), Some("1970-01-01T00:00:00Z"));
    assert_eq!(next("2099-12-31T23:59:00Z"), None);
    for zone in ["UTC", "Pacific/Kiritimati", "Pacific/Niue"] {
        for last in ["* * * * *", "59 23 31 12 *"] {
            let schedule = schedule(TriggerKind::Cron(cron(last)), self::zone(zone));
            assert_eq!(schedule.next_after(Timestamp::MAX), None);
            assert_eq!(schedule.next_after(instant("2100-01-02T00:00:00Z")), None);
            assert!(schedule.next_after(instant("2099-12-30T00:00:00Z")).is_some());
        }
    }
}

#[test]
fn a_fixed_time_in_a_gap_is_shifted_and_in_a_fold_comes_once() {
    let spring = "2027-03-27T12:00:00Z";
    assert_eq!(fires("30 2 * * *", "Europe/Berlin", spring, 2), "28.03:30+02:00 29.02:30+02:00");
    // The shifted fire of 02:30 and the regular one of 03:30 are one.
    assert_eq!(fires("30 2,3 * * *", "Europe/Berlin", spring, 3), "28.03:30+02:00 29.02:30+02:00 29.03:30+02:00");
    // Shifted fires mix with regular ones in the order of time.
    assert_eq!(fires("15,45 2,3 28 * *", "Europe/Berlin", spring, 2), "28.03:15+02:00 28.03:45+02:00");
    assert_eq!(fires("0 3 28 3 *", "Europe/Berlin", spring, 1), "28.03:00+02:00");
    let autumn = "2027-10-30T12:00:00Z";
    assert_eq!(fires("30 2 * * *", "Europe/Berlin", autumn, 2), "31.02:30+02:00 01.02:30+01:00");
    assert_eq!(fires("0 2,3 * * *", "Europe/Berlin", autumn, 3), "31.02:00+02:00 31.03:00+01:00 01.02:00+01:00");
}

#[test]
fn a_starred_time_follows_the_clock_through_gap_and_fold() {
    let spring = "2027-03-28T00:15:00Z";
    assert_eq!(fires("30 * * * *", "Europe/Berlin", spring, 2), "28.01:30+01:00 28.03:30+02:00");
    assert_eq!(fires("*/30 2 * * *", "Europe/Berlin", spring, 2), "29.02:00+02:00 29.02:30+02:00");
    let autumn = "2027-10-30T23:45:00Z";
    assert_eq!(fires("30 * * * *", "Europe/Berlin", autumn, 3), "31.02:30+02:00 31.02:30+01:00 31.03:30+01:00");
    assert_eq!(
        fires("*/30 2 * * *", "Europe/Berlin", autumn, 5),
        "31.02:00+02:00 31.02:30+02:00 31.02:00+01:00 31.02:30+01:00 01.02:00+01:00"
    );
    assert_eq!(fires("0 */2 * * *", "Europe/Berlin", autumn, 3), "31.02:00+02:00 31.02:00+01:00 31.04:00+01:00");
}

#[test]
fn unusual_zones_are_right() {
    // Half an hour of daylight saving.
    assert_eq!(fires("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00Z", 2), "04.02:45+11:00 05.02:15+11:00");
    assert_eq!(fires("45 1 * * *", "Australia/Lord_Howe", "2027-04-03T00:00:00Z", 2), "04.01:45+11:00 05.01:45+10:30");
    // The gap began at midnight, so the day had no 00:00.
    assert_eq!(fires("0 0 * * *", "America/Sao_Paulo", "2018-11-03T12:00:00Z", 2), "04.01:00-02:00 05.00:00-02:00");
    assert_eq!(
        fires("@hourly", "America/Sao_Paulo", "2018-11-04T01:30:00Z", 3),
        "03.23:00-03:00 04.01:00-02:00 04.02:00-02:00"
    );
    // Standard time is +01:00; in Ramadan the clocks go back and then forward.
    assert_eq!(fires("30 2 * * *", "Africa/Casablanca", "2025-02-22T12:00:00Z", 2), "23.02:30+01:00 24.02:30+00:00");
    assert_eq!(fires("30 2 * * *", "Africa/Casablanca", "2025-04-05T12:00:00Z", 2), "06.03:30+01:00 07.02:30+01:00");
    // 30 December 2011 did not exist; its fires come a day later, and meet those of that day.
    assert_eq!(
        fires("30 2 * * *", "Pacific/Apia", "2011-12-29T09:00:00Z", 3),
        "29.02:30-10:00 31.02:30+14:00 01.02:30+14:00"
    );
    assert_eq!(fires("0 12 30 12 *", "Pacific/Apia", "2011-12-29T09:00:00Z", 1), "31.12:00+14:00");
    assert_eq!(
        fires("0 */12 * * *", "Pacific/Apia", "2011-12-29T12:00:00Z", 3),
        "29.12:00-10:00 31.00:00+14:00 31.12:00+14:00"
    );
}

#[test]
fn intervals_count_elapsed_time_from_their_anchor() {
    let every = |interval: u64, from: Option<&str>| {
        let kind = TriggerKind::Every { interval: Period::from_secs(interval), from: from.map(instant) };
        schedule_since(kind, zone("Europe/Berlin"), instant("2027-03-28T00:00:30Z"))
    };
    let hourly = every(3600, None);
    assert_eq!(hourly.next_after(instant("2027-03-28T00:00:30Z")), Some(instant("2027-03-28T01:00:30Z")));
    assert_eq!(hourly.next_after(instant("2027-03-28T01:00:30Z")), Some(instant("2027-03-28T02:00:30Z")));
    assert_eq!(hourly.next_after(instant("2020-01-01T00:00:00Z")), Some(instant("2027-03-28T01:00:30Z")));
    let anchored = every(86_400, Some("2027-06-01T06:00:00Z"));
    assert_eq!(anchored.next_after(instant("2027-03-28T00:00:30Z")), Some(instant("2027-06-01T06:00:00Z")));
    assert_eq!(anchored.next_after(instant("2027-06-01T06:00:00Z")), Some(instant("2027-06-02T06:00:00Z")));
    let past = every(600, Some("2027-01-01T00:00:00Z"));
    assert_eq!(past.next_after(instant("2027-03-28T00:00:30Z")), Some(instant("2027-03-28T00:10:00Z")));
    assert_eq!(past.next_after(Timestamp::MAX), None);
    assert_eq!(every(u64::MAX / 1_000_000, None).next_after(instant("2027-03-28T00:00:30Z")), None);
    assert_eq!(every(0, None).next_after(Timestamp::EPOCH), Some(instant("2027-03-28T00:00:30.000001Z")));
}

#[test]
fn an_instant_fires_once() {
    let at = |text: &str, name: &str| schedule(TriggerKind::At(text.parse().unwrap()), zone(name));
    let next = |schedule: &Schedule| schedule.next_after(instant("2000-01-01T00:00:00Z"));
    let christmas = at("2026-12-24T18:00:00", "Europe/Berlin");
    assert_eq!(next(&christmas), Some(instant("2026-12-24T17:00:00Z")));
    assert_eq!(christmas.next_after(instant("2026-12-24T17:00:00Z")), None);
    assert_eq!(next(&at("2026-12-24T18:00:00-05:00", "Europe/Berlin")), Some(instant("2026-12-24T23:00:00Z")));
    assert_eq!(next(&at("2027-03-28T02:30:00", "Europe/Berlin")), Some(instant("2027-03-28T01:30:00Z")));
    assert_eq!(next(&at("2027-10-31T02:30:00", "Europe/Berlin")), Some(instant("2027-10-31T00:30:00Z")));
    assert_eq!(next(&at("2011-12-30T12:00:00", "Pacific/Apia")), Some(instant("2011-12-30T22:00:00Z")));
    assert_eq!(next(&at("2150-01-01T00:00:00", "UTC")), Some(instant("2150-01-01T00:00:00Z")));
    for extreme in [chrono::NaiveDateTime::MIN, chrono::NaiveDateTime::MAX] {
        let schedule = schedule(TriggerKind::At(LocalOrUtc::Local(extreme)), zone("Europe/Berlin"));
        assert_eq!(schedule.next_after(Timestamp::MAX), None);
    }
}

#[test]
fn every_month_has_its_days() {
    for year in 1970..=2099 {
        for month in 1..=12 {
            let last = (28..=31).rev().find(|day| NaiveDate::from_ymd_opt(year, month, *day).is_some());
            assert_eq!(Some(days::days_in_month(year, month)), last, "{year}-{month}");
        }
    }
}

/// What `zone::table` and `fires` rely on, for every zone there is.
#[test]
fn tables_know_every_change_of_every_zone() {
    use chrono::{DateTime, Offset, TimeZone};
    for zone in chrono_tz::TZ_VARIANTS {
        let periods = zone::table(zone).periods();
        for pair in periods.windows(2) {
            let shift = pair[1].offset - pair[0].offset;
            assert!(shift != 0 && pair[1].starts_at - pair[0].starts_at > shift.abs(), "{zone} {pair:?}");
        }
        let mut index = 0;
        for secs in (0..4_102_444_800_i64).step_by(8 * 3600) {
            while periods.get(index + 1).is_some_and(|period| period.starts_at <= secs) {
                index += 1;
            }
            let known = zone.offset_from_utc_datetime(&DateTime::from_timestamp(secs, 0).unwrap().naive_utc());
            assert_eq!(periods[index].offset, i64::from(known.fix().local_minus_utc()), "{zone} at {secs}");
        }
    }
}
