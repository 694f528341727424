//! The filters of templates. Each bounds what it gives, so that a chain of them cannot grow without end.

use std::fmt::Write as _;

use chrono::format::{Item, StrftimeItems};
use chrono_tz::Tz;
use minijinja::value::ValueKind;
use minijinja::{Environment, Error, ErrorKind, Value, filters, tests};

use super::engine::Limited;
use crate::time::Timestamp;

/// What a filter gives at most, in bytes.
const MAX_BYTES: usize = 256 << 10;
/// The most parts that a text is split into.
const MAX_PARTS: usize = 10_000;

/// The names of all filters.
pub(super) const NAMES: [&str; 21] = [
    "abs", "bool", "date", "default", "first", "float", "int", "items", "join", "last", "length", "lower", "quote",
    "replace", "round", "split", "string", "times", "tojson", "trim", "upper",
];

/// Adds the filters and tests; `zone` is that of dates that name none.
pub(super) fn add(environment: &mut Environment<'_>, zone: Tz) {
    environment.add_filter("abs", filters::abs);
    environment.add_filter("bool", filters::bool);
    environment.add_filter("date", move |at: String, format: String, in_zone: Option<String>| {
        date(&at, &format, in_zone.as_deref(), zone)
    });
    environment.add_filter("default", filters::default);
    environment.add_filter("first", filters::first);
    environment.add_filter("float", filters::float);
    environment.add_filter("int", filters::int);
    environment.add_filter("items", filters::items);
    environment.add_filter("join", join);
    environment.add_filter("last", filters::last);
    environment.add_filter("length", filters::length);
    environment.add_filter("lower", |text: String| bounded(text.to_lowercase()));
    environment.add_filter("quote", |value: Value| quote(&value));
    environment.add_filter("replace", replace);
    environment.add_filter("round", filters::round);
    environment.add_filter("split", split);
    environment.add_filter("string", |value: Value| text(&value));
    environment.add_filter("times", times);
    environment.add_filter("tojson", |value: Value| json(&value));
    environment.add_filter("trim", |text: String| text.trim().to_owned());
    environment.add_filter("upper", |text: String| bounded(text.to_uppercase()));
    environment.add_test("defined", tests::is_defined);
    environment.add_test("undefined", tests::is_undefined);
    environment.add_test("none", tests::is_none);
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, message.into())
}

fn too_large() -> Error {
    invalid(format!("a filter gives more than {} KiB", MAX_BYTES >> 10))
}

fn bounded(text: String) -> Result<String, Error> {
    if text.len() > MAX_BYTES { Err(too_large()) } else { Ok(text) }
}

/// `value` as JSON on one line.
pub(super) fn json(value: &Value) -> Result<String, Error> {
    let mut out = Limited::new(MAX_BYTES);
    let written = serde_json::to_writer(&mut out, value);
    if out.is_over {
        return Err(too_large());
    }
    written.map_err(|error| invalid(format!("this is no JSON: {error}")))?;
    String::from_utf8(out.bytes).map_err(|error| invalid(error.to_string()))
}

/// A value as a text.
fn text(value: &Value) -> Result<String, Error> {
    match value.kind() {
        ValueKind::Seq | ValueKind::Map | ValueKind::Iterable => json(value),
        ValueKind::Undefined => Err(Error::from(ErrorKind::UndefinedError)),
        ValueKind::None => Ok(String::new()),
        _ => Ok(value.to_string()),
    }
}

/// A value as one word of a POSIX shell (IEEE 1003.1, 2.2.2): in single quotes, whatever it holds. A list becomes several
/// words.
fn quote(value: &Value) -> Result<String, Error> {
    let word = |value: &Value| text(value).map(|text| format!("'{}'", text.replace('\'', r"'\''")));
    if value.kind() != ValueKind::Seq {
        return bounded(word(value)?);
    }
    let mut words = String::new();
    for item in value.try_iter()? {
        if !words.is_empty() {
            words.push(' ');
        }
        words.push_str(&word(&item)?);
        if words.len() > MAX_BYTES {
            return Err(too_large());
        }
    }
    Ok(words)
}

/// An instant by the codes of `strftime`, in `in_zone` or else in the job's zone.
fn date(at: &str, format: &str, in_zone: Option<&str>, zone: Tz) -> Result<String, Error> {
    let at: Timestamp = at.parse().map_err(|error| invalid(format!("{error}")))?;
    let zone = match in_zone {
        None => zone,
        Some(name) => name.parse::<Tz>().map_err(|_| invalid(format!("there is no time zone '{name}'")))?,
    };
    let items: Vec<Item<'_>> = StrftimeItems::new(format).collect();
    if items.contains(&Item::Error) {
        return Err(invalid(format!("'{format}' is no format of a date: write such as '%Y-%m-%d %H:%M'")));
    }
    let mut text = String::new();
    write!(text, "{}", at.to_chrono().with_timezone(&zone).format_with_items(items.iter()))
        .map_err(|_| invalid(format!("'{format}' is no format of a date and a time")))?;
    bounded(text)
}

fn join(list: Value, between: Option<String>) -> Result<String, Error> {
    let between = between.unwrap_or_default();
    let mut joined = String::new();
    for (index, item) in list.try_iter()?.enumerate() {
        if index > 0 {
            joined.push_str(&between);
        }
        joined.push_str(&text(&item)?);
        if joined.len() > MAX_BYTES {
            return Err(too_large());
        }
    }
    Ok(joined)
}

fn replace(text: String, from: String, to: String) -> Result<String, Error> {
    if from.is_empty() {
        return Err(invalid("'replace' wants a text to look for"));
    }
    let found = text.matches(from.as_str()).count();
    let size = text.len().saturating_add(found.saturating_mul(to.len()));
    if size > MAX_BYTES { Err(too_large()) } else { Ok(text.replace(&from, &to)) }
}

fn split(text: String, at: Option<String>) -> Result<Value, Error> {
    let parts: Vec<Value> = match at.as_deref() {
        None | Some("") => text.split_whitespace().take(MAX_PARTS + 1).map(Value::from).collect(),
        Some(at) => text.split(at).take(MAX_PARTS + 1).map(Value::from).collect(),
    };
    if parts.len() > MAX_PARTS {
        return Err(invalid(format!("'split' gives more than {MAX_PARTS} parts")));
    }
    Ok(Value::from(parts))
}

/// The product of two numbers. The operator is not there, as it also repeats texts.
fn times(one: Value, other: Value) -> Result<Value, Error> {
    if let (Some(one), Some(other)) = (one.as_i64(), other.as_i64()) {
        return one.checked_mul(other).map(Value::from).ok_or_else(|| invalid("the product is too large"));
    }
    let number = |value: Value| f64::try_from(value).map_err(|_| invalid("'times' wants numbers"));
    Ok(Value::from(number(one)? * number(other)?))
}
