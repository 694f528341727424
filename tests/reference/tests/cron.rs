//! Cron expressions against `cronsim` and `croniter`.

use sandglass_reference::{ZONES, ask, fires, generator};
use serde_json::{Value, json};

/// Expressions for each test.
const CASES: usize = 3000;
/// Fires of each.
const COUNT: usize = 24;
/// 1972 to 2090.
const FROM: std::ops::Range<i64> = 63_072_000..3_786_912_000;

/// The last day of 2099 begins, in UTC: ours end with the local year 2099, which zones begin and end at other instants.
const END: i64 = 4_102_444_800 - 86_400;

/// One random field: its values lie from `min` to `max`.
fn field(rng: &mut fastrand::Rng, min: u8, max: u8, stars: bool) -> String {
    let value = |rng: &mut fastrand::Rng| rng.u8(min..=max);
    let range = |rng: &mut fastrand::Rng| {
        // A range of one value is all values in croniter, and with a step an open one in cronsim.
        let first = rng.u8(min..max);
        (first, rng.u8(first + 1..=max))
    };
    match rng.u8(0..10) {
        0..=2 if stars => "*".to_owned(),
        3 if stars => format!("*/{}", rng.u8(1..=max / 2)),
        4 | 5 => {
            let (first, last) = range(rng);
            format!("{first}-{last}")
        }
        6 => {
            let (first, last) = range(rng);
            format!("{first}-{last}/{}", rng.u8(1..=max / 2))
        }
        7 => {
            let values: Vec<String> = (0..rng.u8(2..5)).map(|_| value(rng).to_string()).collect();
            values.join(",")
        }
        _ => value(rng).to_string(),
    }
}

/// A random expression of five fields. `extended` has what goes beyond the standard, as both cronsim and we know it.
fn expression(rng: &mut fastrand::Rng, stars: bool, extended: bool) -> String {
    let minute = field(rng, 0, 59, stars);
    let hour = field(rng, 0, 23, stars);
    let month_day = match rng.u8(0..10) {
        0 if extended => "L".to_owned(),
        1 if extended => "LW".to_owned(),
        _ => field(rng, 1, 31, true),
    };
    let month = field(rng, 1, 12, true);
    let weekday = match rng.u8(0..10) {
        0 | 1 if extended => format!("{}L", rng.u8(0..=6)),
        2 | 3 if extended => format!("{}#{}", rng.u8(0..=6), rng.u8(1..=5)),
        _ => field(rng, 0, 6, true),
    };
    format!("{minute} {hour} {month_day} {month} {weekday}")
}

/// Compares us with a reference in what both accept, and says how many expressions that were.
fn compare(requests: &[Value], trigger: impl Fn(&Value) -> Value) -> usize {
    let Some(answers) = ask(requests) else { return CASES };
    let mut compared = 0;
    for (request, answer) in requests.iter().zip(answers) {
        let from = request["from"].as_i64().expect("it is asked with an instant");
        let zone = request["zone"].as_str().expect("it is asked with a zone");
        let ours = fires(&trigger(request), zone, from, COUNT);
        match (ours, answer["fires"].as_array()) {
            (Ok(ours), Some(theirs)) => {
                let theirs: Vec<i64> = theirs.iter().filter_map(Value::as_i64).filter(|at| *at < END).collect();
                let ours: Vec<i64> = ours.into_iter().filter(|at| *at < END).collect();
                assert_eq!(ours, theirs, "{request}");
                compared += 1;
            }
            // What never fires is refused by both, each in its way.
            (Err(_), None) => {}
            (Err(ours), Some(theirs)) => assert!(theirs.is_empty(), "only we refuse {request}: {ours}"),
            (Ok(ours), None) => assert!(ours.is_empty(), "only the reference refuses {request}: {answer}"),
        }
    }
    compared
}

fn requests(
    rng: &mut fastrand::Rng,
    ask: &str,
    zones: &[&str],
    expression: impl Fn(&mut fastrand::Rng) -> String,
) -> Vec<Value> {
    let case = |rng: &mut fastrand::Rng| {
        let zone = zones[rng.usize(..zones.len())];
        json!({ "ask": ask, "expression": expression(rng), "zone": zone, "from": rng.i64(FROM), "count": COUNT })
    };
    (0..CASES).map(|_| case(rng)).collect()
}

/// Times that the clocks skip fire at the end of the gap in cronsim, as in Debian's cron: our `gap: end`. Times that they
/// show twice fire the first time, as ours do.
#[test]
fn fixed_times_in_zones_agree_with_cronsim() {
    let mut rng = generator();
    let requests = requests(&mut rng, "cronsim", &ZONES, |rng| expression(rng, false, true));
    let compared = compare(&requests, |request| json!({ "cron": request["expression"], "gap": "end" }));
    assert!(compared > CASES / 2, "{compared} were compared");
}

/// With a star in minute or hour, both follow elapsed time. Compared where the clocks change by whole hours and not at
/// midnight: cronsim steps in hours, and where a day begins with a gap it takes 01:00 for 00:00.
#[test]
fn wildcards_in_zones_agree_with_cronsim() {
    let mut rng = generator();
    let whole_hours = ["UTC", "Europe/Berlin", "Europe/Dublin", "America/New_York", "Australia/Sydney"];
    let requests = requests(&mut rng, "cronsim", &whole_hours, |rng| {
        loop {
            let expression = expression(rng, true, true);
            let mut fields = expression.split(' ');
            if fields.by_ref().take(2).any(|field| field.starts_with('*')) {
                break expression;
            }
        }
    });
    let compared = compare(&requests, |request| json!({ "cron": request["expression"] }));
    assert!(compared > CASES / 2, "{compared} were compared");
}

/// In UTC there is no gap and no fold, and croniter, told to, goes by the rule for two day fields that ours is.
#[test]
fn expressions_in_utc_agree_with_croniter() {
    let mut rng = generator();
    let requests = requests(&mut rng, "croniter", &["UTC"], |rng| expression(rng, true, false));
    let compared = compare(&requests, |request| json!({ "cron": request["expression"] }));
    assert!(compared > CASES / 2, "{compared} were compared");
}

/// Seconds come first in cronsim as in ours.
#[test]
fn six_fields_in_utc_agree_with_cronsim() {
    let mut rng = generator();
    let requests = requests(&mut rng, "cronsim", &["UTC"], |rng| {
        format!("{} {}", field(rng, 0, 59, true), expression(rng, true, true))
    });
    let compared = compare(&requests, |request| json!({ "cron": request["expression"], "seconds": true }));
    assert!(compared > CASES / 2, "{compared} were compared");
}
