//! Notifiers in short: `notify: {on_failure: slack}`.

use super::super::error::NodeError;
use super::super::node::{Entry, Node, Span, Value};

/// What short notifiers tell of.
const KEYS: [(&str, &[&str]); 3] = [
    ("on_failure", &["failed", "timed_out", "interrupted"]),
    ("on_success", &["succeeded"]),
    ("on_recovery", &["recovered"]),
];

/// Who is told in short, and the secret that holds the address.
const SERVICES: [(&str, &str); 5] = [
    ("slack", "SLACK_URL"),
    ("discord", "DISCORD_URL"),
    ("teams", "TEAMS_URL"),
    ("ntfy", "NTFY_URL"),
    ("webhook", "WEBHOOK_URL"),
];

/// Turns the short form into a list of notifiers. What is neither is the caller's to refuse.
pub(super) fn spelled_out(node: &mut Node) -> Result<(), NodeError> {
    let Value::Map(entries) = &mut node.value else { return Ok(()) };
    if !entries.iter().any(|entry| KEYS.iter().any(|(key, _)| *key == entry.key)) {
        return Ok(());
    }
    let mut notifiers = Vec::new();
    for entry in std::mem::take(entries) {
        let Some((_, on)) = KEYS.iter().find(|(key, _)| *key == entry.key) else {
            let message = format!("'{}' is none of {}", entry.key, names(KEYS.iter().map(|(key, _)| *key)));
            return Err(
                NodeError::at(message, entry.key_span).hint("whatever else is told of, a list of notifiers says")
            );
        };
        let told = match entry.value.value {
            Value::List(items) => items,
            other => vec![Node::new(entry.value.span, other)],
        };
        for one in &told {
            notifiers.push(notifier(one, on).map_err(|error| error.under(&entry.key))?);
        }
    }
    node.value = Value::List(notifiers);
    Ok(())
}

fn notifier(told: &Node, on: &[&str]) -> Result<Node, NodeError> {
    let span = told.span;
    let text = told.as_text().unwrap_or_default();
    let with = match SERVICES.iter().find(|(name, _)| *name == text) {
        Some((_, secret)) => map(span, [("url", Node::text(span, format!("{{{{ secret.{secret} }}}}")))]),
        None if text.contains('@') => map(span, [("to", list(span, &[text]))]),
        None => {
            let services = names(SERVICES.iter().map(|(name, _)| *name));
            let message = format!("expected {services}, or a mail address");
            let hint = "their addresses are in the secrets SLACK_URL, DISCORD_URL and so on; for all else write a list, such as \
                        - {on: [failed], use: notify/slack, with: {url: …}}";
            return Err(NodeError::at(message, span).hint(hint));
        }
    };
    let action = if text.contains('@') { "email" } else { text };
    let uses = Node::text(span, format!("notify/{action}"));
    Ok(map(span, [("on", list(span, on)), ("use", uses), ("with", with)]))
}

fn map<const N: usize>(span: Span, entries: [(&str, Node); N]) -> Node {
    let entries = entries.map(|(key, value)| Entry { key: key.to_owned(), key_span: span, value });
    Node::new(span, Value::Map(entries.into()))
}

fn list(span: Span, texts: &[&str]) -> Node {
    Node::new(span, Value::List(texts.iter().map(|text| Node::text(span, *text)).collect()))
}

fn names<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}
