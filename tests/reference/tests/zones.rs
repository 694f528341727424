//! Gaps and folds against Python's `zoneinfo`.

use sandglass_reference::{ask, fires, generator};
use serde_json::{Value, json};

/// Zones and local times that are compared.
const CASES: usize = 1200;
/// Days in a row of each: every change of a year and a half.
const DAYS: usize = 550;

/// Every rule for a local time that the clocks skip or show twice, in every zone of the database.
#[test]
fn fixed_local_times_agree_with_zoneinfo_in_every_zone() {
    assert_eq!(
        chrono_tz::IANA_TZDB_VERSION,
        "2025b",
        "the references' tzdata must be of the same version: see the set-up"
    );
    let mut rng = generator();
    let case = |rng: &mut fastrand::Rng| {
        let zone = chrono_tz::TZ_VARIANTS[rng.usize(..chrono_tz::TZ_VARIANTS.len())].name();
        // Most clocks change in the first hours of a day.
        let (hour, minute) = (if rng.bool() { rng.u8(0..4) } else { rng.u8(0..24) }, rng.u8(0..4) * 15);
        let (year, month) = (rng.u16(1972..2097), rng.u8(1..=12));
        let first = format!("{year}-{month:02}-01T{hour:02}:{minute:02}:00");
        json!({ "ask": "local_times", "zone": zone, "first": first, "days": DAYS })
    };
    let requests: Vec<Value> = (0..CASES).map(|_| case(&mut rng)).collect();
    let Some(answers) = ask(&requests) else { return };
    for (request, answer) in requests.iter().zip(answers) {
        let zone = request["zone"].as_str().expect("it is asked with a zone");
        let time = &request["first"].as_str().expect("it is asked with a time")[11..16];
        for (rule, theirs) in answer.as_object().expect("an answer for each rule") {
            let theirs: Vec<i64> = theirs.as_array().expect("instants").iter().filter_map(Value::as_i64).collect();
            let trigger = match rule.as_str() {
                "shift" | "end" | "skip" => json!({ "daily": time, "gap": rule }),
                _ => json!({ "daily": time, "fold": rule, "gap": "skip" }),
            };
            let Some(first) = theirs.first() else { continue };
            let ours = fires(&trigger, zone, first - 1, theirs.len()).expect("the trigger is fine");
            assert_eq!(ours, theirs, "{trigger} in {zone}, {request}");
        }
    }
}
