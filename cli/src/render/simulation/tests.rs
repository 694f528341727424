use sandglass_core::id::Namespace;
use sandglass_core::schedule::{Calendars, Forecast};
use sandglass_core::spec::JobSpec;

use super::*;

const PLAIN: Paint = Paint::new(false);

fn simulation() -> Simulation {
    let job = |name: &str, trigger: &str| -> JobSpec {
        let text = format!(r#"{{"name": "{name}", "action": {{"use": "shell"}}, "triggers": [{trigger}]}}"#);
        serde_json::from_str(&text).unwrap()
    };
    let jobs = [
        job("nightly-backup", r#"{"daily": "02:30"}"#),
        job("report", r#"{"weekly": {"days": ["mon", "fri"], "at": "02:30"}}"#),
        job("poll", r#"{"cron": "*/20 9-16 * * 1-5"}"#),
    ];
    let (namespace, calendars) = (Namespace::default(), Calendars::default());
    let forecast = Forecast {
        from: "2027-03-21T23:00:00Z".parse().unwrap(),
        to: "2027-03-28T22:00:00Z".parse().unwrap(),
        zone: chrono_tz::Tz::Europe__Berlin,
        namespace: &namespace,
        calendars: &calendars,
    };
    forecast.simulate(&jobs)
}

#[test]
fn a_forecast_is_told() {
    insta::assert_snapshot!(text(&simulation(), PLAIN), @r"
    3 jobs, 129 fires from 2027-03-22 00:00 to 2027-03-29 00:00 (Europe/Berlin)

    Load by hour
         00    03    06    09    12    15    18    21
    Mon  ····▓▓············████████████████··············
    Tue  ····▒▒············████████████████··············
    Wed  ····▒▒············████████████████··············
    Thu  ····▒▒············████████████████··············
    Fri  ····▓▓············████████████████··············
    Sat  ····▒▒··········································
    Sun  ······▒▒········································
         · none to █ 3 fires an hour

    Most fires
    JOB             FIRES  SKIPPED  FIRST                 LAST
    poll              120        0  Mon 2027-03-22 09:00  Fri 2027-03-26 16:40
    nightly-backup      7        0  Mon 2027-03-22 02:30  Sun 2027-03-28 03:30
    report              2        0  Mon 2027-03-22 02:30  Fri 2027-03-26 02:30

    Busiest minutes
    MINUTE                FIRES
    Mon 2027-03-22 02:30      2
    Fri 2027-03-26 02:30      2

    Jobs at the same instant
    INSTANT               JOBS
    Mon 2027-03-22 02:30     2  nightly-backup, report
    Fri 2027-03-26 02:30     2  nightly-backup, report

    Changes of the clocks
    nightly-backup: on 28 March 2027 at 03:30, as 02:30 does not exist that day (Europe/Berlin)
    ");
}

#[test]
fn no_fires_are_told_in_one_line() {
    let nothing =
        Simulation { fires: 0, jobs: vec![], clock_changes: vec![], collisions: Default::default(), ..simulation() };
    assert_eq!(text(&nothing, PLAIN), "0 jobs, 0 fires from 2027-03-22 00:00 to 2027-03-29 00:00 (Europe/Berlin)\n");
}

#[test]
fn days_that_come_more_often_are_not_busier_for_that() {
    // March 2027 begins on a Monday and has five Mondays, Tuesdays and Wednesdays.
    let at = |text: &str| text.parse().unwrap();
    let (from, to) = (at("2027-02-28T23:00:00Z"), at("2027-03-31T22:00:00Z"));
    let mut month = Simulation { from, to, ..simulation() };
    month.load = [[0; 24]; 7];
    (month.load[0][9], month.load[2][9], month.load[3][9], month.load[6][9]) = (20, 20, 16, 2);
    let load = hourly(&month);
    assert_eq!([load[0][9], load[2][9], load[3][9], load[6][9]], [4000, 4000, 4000, 500]);
    assert_eq!(
        [4000, 500, 1000, 12_400].map(per_hour),
        ["4 fires an hour", "0.5 fires an hour", "1 fire an hour", "12 fires an hour"]
    );
}

#[test]
fn shades_grow_with_the_load() {
    let shades: Vec<char> = [0, 1, 25, 26, 51, 76, 100].iter().map(|fires| shade(*fires, 100)).collect();
    assert_eq!(shades, ['·', '░', '░', '▒', '▓', '█', '█']);
    assert_eq!(shade(u64::MAX, u64::MAX), '█');
    assert_eq!(shade(0, 0), '·');
}

#[test]
fn the_drawing_has_every_hour() {
    let drawing = svg(&simulation());
    assert_eq!(drawing.matches("<rect x=").count(), 7 * 24);
    assert!(drawing.starts_with("<svg ") && drawing.ends_with("</svg>\n"));
    assert!(drawing.contains("<title>Mon 02:00: 2</title>"), "{drawing}");
    assert!(drawing.contains("fill=\"#0b3c8c\"><title>Mon 09:00: 3</title>"), "{drawing}");
}
