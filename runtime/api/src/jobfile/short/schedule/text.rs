//! A schedule in a line of text: a cron expression, or another kind of trigger in few words.

use crate::jobfile::node::{Entry, Node, Scalar, Span, Value};

/// The trigger that `text` means: `every 10m`, `at 2026-12-24T18:00:00`, `daily 03:00` or `startup`, which is `@reboot` in
/// crontabs. None if it is a cron expression, as every other text is.
pub(super) fn trigger(text: &str, span: Span) -> Option<Node> {
    let text = text.trim();
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let rest = rest.trim();
    let text_of = |text: &str| Node::text(span, text);
    let (key, value) = match word.to_ascii_lowercase().as_str() {
        "every" => ("every", text_of(rest)),
        "at" => ("at", text_of(rest)),
        "daily" if !rest.is_empty() => {
            let times = rest.strip_prefix("at ").unwrap_or(rest);
            ("daily", Node::new(span, Value::List(times.split(',').map(|time| text_of(time.trim())).collect())))
        }
        "startup" | "@reboot" if rest.is_empty() => ("startup", Node::scalar(span, "true", Scalar::Bool(true))),
        _ => return None,
    };
    Some(Node::new(span, Value::Map(vec![Entry { key: key.to_owned(), key_span: span, value }])))
}

/// What was probably meant by a text that is no schedule.
pub(super) fn meant(text: &str) -> Option<String> {
    let text = text.trim();
    let words: Vec<&str> = text.split_whitespace().collect();
    let digit = text.starts_with(|char: char| char.is_ascii_digit());
    Some(match text.to_ascii_lowercase().as_str() {
        "daily" => "write '@daily' for midnight, or 'daily 02:30'".to_owned(),
        word @ ("hourly" | "weekly" | "monthly" | "yearly" | "annually" | "midnight") => format!("write '@{word}'"),
        other if other.starts_with(['{', '[']) => {
            "give one trigger as a map, and close its brackets: '{every: 5m}'".to_owned()
        }
        other if other.contains("*-*") || other.contains("..") => {
            "that is systemd's OnCalendar; write 'daily 02:00', a cron expression such as '0 2 * * mon-fri', or \
             '{weekly: {days: [mon, fri], at: \"02:00\"}}'"
                .to_owned()
        }
        other if digit && words.len() == 1 && other.contains(':') => format!("write 'daily {other}'"),
        other if digit && words.len() <= 2 && other.contains(|char: char| char.is_ascii_alphabetic()) => {
            "write a pace as 'every 5m', with units ms, s, m, h, d and w".to_owned()
        }
        _ if words.len() == 6 => format!("with seconds it is written '{{cron: \"{text}\", seconds: true}}'"),
        _ => return None,
    })
}
