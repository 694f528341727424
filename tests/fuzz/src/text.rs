//! Random text that is often nearly right.

use serde_json::{Value, json};

/// What is often right in a place, and what looks like it.
const WORDS: [&str; 78] = [
    "*",
    "*/2",
    "*/15",
    "0",
    "1",
    "5",
    "7",
    "12",
    "23",
    "29",
    "30",
    "31",
    "59",
    "60",
    "-1",
    "007",
    "1-5",
    "5-1",
    "1,3,5",
    "1-5/2",
    "fri-mon",
    "mon",
    "SUN",
    "jan",
    "Feb-Apr",
    "L",
    "L-3",
    "L-31",
    "W",
    "15W",
    "31W",
    "LW",
    "mon#2",
    "1#5",
    "5#6",
    "5L",
    "friL",
    "H",
    "H/15",
    "H(0-29)",
    "H(0-29)/10",
    "H(",
    "?",
    "@daily",
    "@hourly",
    "@reboot",
    "@every",
    "every",
    "10m",
    "1h30m",
    "90s",
    "1d",
    "500ms",
    "1.5h",
    "0s",
    "99999999999999999999d",
    "at",
    "2026-12-24T18:00:00",
    "2027-02-29T00:00:00",
    "2027-03-28T02:30:00",
    "2027-01-01T00:00:00Z",
    "18:00",
    "25:00",
    "02:30:15",
    "last",
    "first mon",
    "-3",
    "daily",
    "weekly",
    "monthly",
    "yearly",
    "startup",
    "\u{0}",
    "ä",
    "\u{1F4A9}",
    "",
    " ",
    "\t",
];
const KEYS: [&str; 9] = ["cron", "every", "daily", "at", "jitter", "start_at", "end_at", "gap", "fold"];
const CHARACTERS: &[u8] = b"0123456789*/-,#LWH()@?: .smhdTZ+\"{}[]\\\x7f\n";

/// What expressions over labels are made of.
const LABEL_WORDS: [&str; 24] = [
    "role",
    "zone",
    "name",
    "platform",
    "web",
    "eu",
    "a-b.c",
    "==",
    "!=",
    "=",
    "in",
    "and",
    "or",
    "not",
    "(",
    ")",
    "((",
    ",",
    "'a b'",
    "\"q\\\"q\"",
    "\"",
    "ä",
    "group:web",
    "web-*",
];

/// The next text.
pub(crate) fn next(rng: &mut fastrand::Rng) -> String {
    let word = |rng: &mut fastrand::Rng| WORDS[rng.usize(..WORDS.len())];
    let mut text = match rng.u8(0..12) {
        0 => word(rng).to_owned(),
        1 => (0..rng.usize(0..300)).map(|_| rng.char(..)).collect(),
        2..=4 => (0..rng.usize(1..9)).map(|_| word(rng)).collect::<Vec<_>>().join(" "),
        6..=7 => {
            (0..rng.usize(1..30)).map(|_| LABEL_WORDS[rng.usize(..LABEL_WORDS.len())]).collect::<Vec<_>>().join(" ")
        }
        5 => (0..rng.usize(1..9)).map(|_| word(rng)).collect::<Vec<_>>().join(","),
        _ => (0..5 + rng.usize(0..2)).map(|_| field(rng)).collect::<Vec<_>>().join(" "),
    };
    for _ in 0..rng.usize(0..4) {
        mutate(&mut text, rng);
    }
    text
}

/// Something that is mostly a field of a cron expression.
fn field(rng: &mut fastrand::Rng) -> String {
    match rng.u8(0..8) {
        0..=2 => "*".to_owned(),
        3 => format!("{}-{}", rng.u8(0..32), rng.u8(0..32)),
        4 => format!("*/{}", rng.u8(0..64)),
        5 => WORDS[rng.usize(..46)].to_owned(),
        6 => format!("{},{}", field(rng), field(rng)),
        _ => rng.u8(0..62).to_string(),
    }
}

/// Changes one place.
fn mutate(text: &mut String, rng: &mut fastrand::Rng) {
    let places: Vec<usize> = text.char_indices().map(|(place, _)| place).chain([text.len()]).collect();
    let place = places[rng.usize(..places.len())];
    let character = char::from(CHARACTERS[rng.usize(..CHARACTERS.len())]);
    match rng.u8(0..4) {
        0 => text.insert(place, character),
        1 if place < text.len() => _ = text.remove(place),
        2 if place < text.len() => {
            text.remove(place);
            text.insert(place, character);
        }
        _ => {
            let rest = text[place..].to_owned();
            text.push_str(&rest);
            text.truncate(text.floor_char_boundary(2000));
        }
    }
}

/// The text as one part or another of a trigger.
pub(crate) fn as_triggers(text: &str) -> Vec<Value> {
    let mut triggers: Vec<Value> = KEYS.iter().map(|key| json!({ *key: text })).collect();
    let (one, other) = text.split_once(' ').unwrap_or((text, "1"));
    let number = one.parse::<i64>().map_or_else(|_| json!(one), |number| json!(number));
    triggers.extend([
        json!({ "cron": text, "seconds": true }),
        json!({ "cron": text, "gap": "end", "fold": "both", "jitter": "1m" }),
        json!({ "cron": { "minute": one, "hour": other } }),
        json!({ "cron": { "day_of_month": number, "month": other } }),
        json!({ "cron": "* * * * *", "start_at": text }),
        json!({ "cron": "30 2 * * *", "jitter": one, "end_at": other }),
        json!({ "every": one, "from": other }),
        json!({ "weekly": { "days": one, "at": other } }),
        json!({ "monthly": { "day": number, "at": other } }),
        json!({ "monthly": { "weekday": text, "at": "02:30" }, "fold": "last" }),
        json!({ "yearly": { "month": other, "day": number, "at": "00:00" }, "gap": "skip" }),
    ]);
    triggers.extend(serde_json::from_str(text).ok());
    triggers
}
