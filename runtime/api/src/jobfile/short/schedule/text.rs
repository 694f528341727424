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
        "daily" => {
            let times = rest.strip_prefix("at ").unwrap_or(rest);
            ("daily", Node::new(span, Value::List(times.split(',').map(|time| text_of(time.trim())).collect())))
        }
        "startup" | "@reboot" if rest.is_empty() => ("startup", Node::scalar(span, "true", Scalar::Bool(true))),
        _ => return None,
    };
    Some(Node::new(span, Value::Map(vec![Entry { key: key.to_owned(), key_span: span, value }])))
}
