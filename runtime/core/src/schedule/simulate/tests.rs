use super::*;
use crate::schedule::JobSchedule;

fn jobs(list: &[(&str, &str)]) -> Vec<JobSpec> {
    let read = |(name, rest): &(&str, &str)| {
        let text = format!(r#"{{"name": "{name}", "action": {{"use": "shell"}}, {rest}}}"#);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{text}: {error}"))
    };
    list.iter().map(read).collect()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn forecast<'a>(from: &str, to: &str, namespace: &'a Namespace, calendars: &'a Calendars) -> Forecast<'a> {
    Forecast { from: at(from), to: at(to), zone: Tz::Europe__Berlin, namespace, calendars }
}

#[test]
fn a_week_adds_up() {
    let jobs = jobs(&[
        ("nightly", r#""triggers": [{"daily": "02:30"}]"#),
        ("backup", r#""triggers": [{"cron": "30 2 * * 1-5"}, {"daily": "02:30"}]"#),
        ("often", r#""triggers": [{"cron": "*/15 9-16 * * *"}], "timezone": "UTC""#),
        ("never", r#""triggers": []"#),
    ]);
    let (namespace, calendars) = (Namespace::default(), Calendars::default());
    // The clocks go forward on Sunday the 28th.
    let week = forecast("2027-03-22T00:00:00Z", "2027-03-29T00:00:00Z", &namespace, &calendars);
    let found = week.simulate(&jobs);
    let counts: Vec<u64> = found.jobs.iter().map(|job| job.fires).collect();
    assert_eq!(counts, [7, 7, 7 * 32, 0]);
    assert_eq!((found.fires, found.skipped), (7 + 7 + 7 * 32, 0));
    assert_eq!(found.jobs[0].first_at, Some(at("2027-03-22T01:30:00Z")));
    assert_eq!(found.jobs[0].last_at, Some(at("2027-03-28T01:30:00Z")));
    assert_eq!(found.load.iter().flatten().sum::<u64>(), found.fires);
    // Monday 02:30 in Berlin; on Sunday it is 03:30. 9 in UTC is 10 in Berlin, on Sunday 11.
    assert_eq!((found.load[0][2], found.load[6][2], found.load[6][3]), (2, 0, 2));
    assert_eq!((found.load[0][10], found.load[6][10], found.load[6][11]), (4, 0, 4));
    assert_eq!(found.collisions.instants, 7);
    assert_eq!(found.collisions.fullest[0].jobs.len(), 2);
    assert_eq!((found.busiest[0].at, found.busiest[0].fires), (at("2027-03-22T01:30:00Z"), 2));
    assert_eq!(found.busiest.len(), 20);
    let changed: Vec<&str> = found.clock_changes.iter().map(|effect| effect.job.as_str()).collect();
    assert_eq!(changed, ["backup", "nightly"]);
    let json = serde_json::to_value(&found).unwrap();
    assert_eq!(serde_json::from_value::<Simulation>(json).unwrap(), found);
}

#[test]
fn what_calendars_exclude_is_counted_aside() {
    let jobs = jobs(&[
        ("work", r#""triggers": [{"daily": "04:00", "calendars": {"exclude": ["weekend"]}}]"#),
        (
            "moved",
            r#""triggers": [{"weekly": {"days": "sat", "at": "04:00"}, "calendars": {"exclude": ["weekend"], "shift": "next"}}]"#,
        ),
        (
            "both",
            r#""triggers": [{"daily": "04:00", "calendars": {"exclude": ["weekend"]}}, {"weekly": {"days": "sun", "at": "04:00"}}]"#,
        ),
    ]);
    let weekend = serde_json::from_str(r#"{"name": "weekend", "weekdays": ["sat", "sun"]}"#).unwrap();
    let (namespace, calendars) = (Namespace::default(), [weekend].iter().collect::<Calendars>());
    let found = forecast("2027-03-01T00:00:00Z", "2027-03-15T00:00:00Z", &namespace, &calendars).simulate(&jobs);
    let counts: Vec<(u64, u64)> = found.jobs.iter().map(|job| (job.fires, job.skipped)).collect();
    // The fire of Saturday, 27 February is the first of those that move.
    assert_eq!(counts, [(10, 4), (2, 0), (12, 2)]);
    assert_eq!(found.jobs[1].first_at, Some(at("2027-03-01T03:00:00Z")));
}

#[test]
fn fires_outside_of_a_window_are_skipped_or_wait() {
    let night = r#""triggers": [{"cron": "0 * * * *"}], "window": {"from": "22:00", "to": "06:00", "outside""#;
    let (skip, wait) = (format!(r#"{night}: "skip"}}"#), format!(r#"{night}: "defer"}}"#));
    let jobs = jobs(&[("skip", &skip), ("wait", &wait)]);
    let (namespace, calendars) = (Namespace::default(), Calendars::default());
    let found = forecast("2027-03-01T23:00:00Z", "2027-03-02T23:00:00Z", &namespace, &calendars).simulate(&jobs);
    let counts: Vec<(u64, u64)> = found.jobs.iter().map(|job| (job.fires, job.skipped)).collect();
    assert_eq!(counts, [(8, 16), (24, 0)]);
}

#[test]
fn fires_come_in_order_within_the_span() {
    let jobs = jobs(&[
        ("a", r#""triggers": [{"every": "7m"}, {"cron": "*/5 * * * *"}]"#),
        ("b", r#""triggers": [{"every": "1h", "from": "2027-01-01T00:00:00Z"}], "max_runs": 5"#),
    ]);
    let (namespace, calendars) = (Namespace::default(), Calendars::default());
    let day = forecast("2027-01-01T00:00:00Z", "2027-01-02T00:00:00Z", &namespace, &calendars);
    let fires: Vec<ForecastFire> = day.fires(&jobs).collect();
    assert!(fires.windows(2).all(|pair| (pair[0].at, pair[0].job) < (pair[1].at, pair[1].job)));
    assert_eq!(fires[0].at, day.from, "the first instant is part of it");
    assert!(fires.iter().all(|fire| day.from <= fire.at && fire.at < day.to));
    assert_eq!(fires.iter().filter(|fire| fire.job == 1).count(), 5);
    // 288 by cron and 205 by interval, of which every fifth meets one by cron.
    assert_eq!(fires.iter().filter(|fire| fire.job == 0).count(), 288 + 205 - 41);
}

#[test]
fn a_thousand_jobs_for_a_quarter_of_a_year_add_up() {
    let names: Vec<(String, String)> = (0..1000)
        .map(|index| {
            let (minute, hour) = (index * 7 % 60, index % 24);
            let trigger = match index % 4 {
                0 => format!(r#"{{"cron": "{minute} * * * *"}}"#),
                1 => format!(r#"{{"cron": "{minute} {hour} * * *"}}"#),
                2 => format!(r#"{{"weekly": {{"days": ["mon", "fri"], "at": "{hour:02}:{minute:02}"}}}}"#),
                _ => r#"{"every": "6h", "jitter": "30m"}"#.to_owned(),
            };
            (format!("job-{index}"), format!(r#""triggers": [{trigger}]"#))
        })
        .collect();
    let list: Vec<(&str, &str)> = names.iter().map(|(name, rest)| (name.as_str(), rest.as_str())).collect();
    let (namespace, calendars) = (Namespace::default(), Calendars::default());
    // 13 weeks from a Monday on, in UTC so that no clock changes.
    let quarter =
        Forecast { zone: Tz::UTC, ..forecast("2027-01-04T00:00:00Z", "2027-04-05T00:00:00Z", &namespace, &calendars) };
    let found = quarter.simulate(&jobs(&list));
    let of = |kind: usize| found.jobs.iter().skip(kind).step_by(4).map(|job| job.fires).sum::<u64>();
    assert_eq!((of(0), of(1), of(2)), (250 * 91 * 24, 250 * 91, 250 * 26));
    // An interval that begins with the forecast does not fire at its first instant.
    assert!((250 * (91 * 4 - 2)..=250 * 91 * 4).contains(&of(3)), "{}", of(3));
    assert_eq!(found.load.iter().flatten().sum::<u64>(), found.fires);
}

#[test]
fn a_fire_that_waits_for_a_window_counts_when_it_opens() {
    let window = r#""window": {"from": "22:00", "to": "23:00", "outside": "defer"}, "timezone": "UTC""#;
    let night = format!(r#""triggers": [{{"cron": "0 */6 * * *"}}], {window}"#);
    let jobs = jobs(&[("night", &night), ("late", r#""triggers": [{"daily": "22:00"}], "timezone": "UTC""#)]);
    let (namespace, calendars) = (Namespace::default(), Calendars::default());
    let mut forecast = forecast("2027-03-01T00:00:00Z", "2027-03-02T12:00:00Z", &namespace, &calendars);
    forecast.zone = Tz::UTC;
    let fires: Vec<(String, usize, String)> =
        forecast.fires(&jobs).map(|fire| (fire.at.to_string(), fire.job, fire.due_at.to_string())).collect();
    let opens = "2027-03-01T22:00:00Z".to_owned();
    // All four of the first day wait for its evening, those of the second day for an evening beyond the forecast. What is
    // known of each is the first instant.
    let expected: Vec<_> = std::iter::repeat_n((opens.clone(), 0, "2027-03-01T00:00:00Z".to_owned()), 4)
        .chain([(opens.clone(), 1, opens.clone())])
        .collect();
    assert_eq!(fires, expected);
    let sum = forecast.simulate(&jobs);
    assert_eq!((sum.fires, sum.skipped), (5, 0));
    // 2027-03-01 is a Monday.
    assert_eq!(sum.load[0][22], 5);
    assert_eq!((sum.collisions.instants, sum.collisions.fullest[0].count), (1, 2));
}

#[test]
fn a_forecast_names_the_trigger_that_the_daemon_would() {
    let jobs = jobs(&[(
        "both",
        r#""triggers": [{"daily": "04:00", "calendars": {"exclude": ["weekend"]}}, {"weekly": {"days": "sun", "at": "04:00"}}]"#,
    )]);
    let weekend = serde_json::from_str(r#"{"name": "weekend", "weekdays": ["sat", "sun"]}"#).unwrap();
    let (namespace, calendars) = (Namespace::default(), [weekend].iter().collect::<Calendars>());
    let week = forecast("2027-03-01T00:00:00Z", "2027-03-08T00:00:00Z", &namespace, &calendars);
    let schedule = JobSchedule::new(&jobs[0], &week.planning(&jobs[0]));
    let fires: Vec<ForecastFire> = week.fires(&jobs).collect();
    assert_eq!(
        fires.iter().map(|fire| (fire.trigger, fire.skipped)).collect::<Vec<_>>()[4..],
        [(0, false), (0, true), (1, false)]
    );
    for fire in fires {
        let daemons = schedule.fire_at(fire.at).unwrap();
        assert_eq!(
            (usize::from(daemons.trigger), daemons.occurrence.exclusion.is_some()),
            (fire.trigger, fire.skipped)
        );
    }
}

#[test]
fn every_effect_of_clock_changes_is_counted() {
    let jobs = jobs(&[("minutes", r#""triggers": [{"cron": "0-59 2 * * *"}]"#)]);
    let (namespace, calendars) = (Namespace::default(), Calendars::default());
    let year = forecast("2027-01-01T00:00:00Z", "2028-01-01T00:00:00Z", &namespace, &calendars).simulate(&jobs);
    assert_eq!((year.clock_changes.len(), year.more_clock_changes), (20, 100));
}

#[test]
fn the_earliest_effects_are_listed_and_the_rest_counted() {
    let twenty: Vec<String> = (0..20).map(|number| format!("job-{number}")).collect();
    let jobs = jobs(
        &twenty.iter().map(|name| (name.as_str(), r#""triggers": [{"cron": "0-59 2 * * *"}]"#)).collect::<Vec<_>>(),
    );
    let (namespace, calendars) = (Namespace::default(), Calendars::default());
    let found = forecast("2027-01-01T00:00:00Z", "2047-01-01T00:00:00Z", &namespace, &calendars).simulate(&jobs);
    assert_eq!(found.clock_changes.len(), MOST_CLOCK_CHANGES);
    assert_eq!(found.more_clock_changes, 20 * 20 * 120 - MOST_CLOCK_CHANGES as u64);
    // Two changes a year with ten times of twenty jobs: the first 25 changes are listed.
    assert!(found.clock_changes.is_sorted_by_key(|effect| effect.effect.changes_at));
    assert!(found.clock_changes.last().unwrap().effect.changes_at < at("2039-04-01T00:00:00Z"));
}
