//! Changes of a job as people read them.

use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use super::paint::Paint;
use crate::changes::Change;
use crate::commands::calendar;

/// The longest value that is shown in one line with its old one.
const SHORT: usize = 60;

/// The changes, a line each, or a block of lines where a text is long.
pub(crate) fn show(changes: &[Change], paint: Paint) -> String {
    changes.iter().map(|change| show_change(change, paint)).collect()
}

/// What became, or would become, of something.
pub(crate) fn word(change: calendar::Change, dry_run: bool, paint: Paint) -> String {
    match (change, dry_run) {
        (calendar::Change::Created, false) => paint.green("created"),
        (calendar::Change::Created, true) => paint.green("would be created"),
        (calendar::Change::Changed, false) => paint.yellow("changed"),
        (calendar::Change::Changed, true) => paint.yellow("would be changed"),
        (calendar::Change::Unchanged, _) => paint.dim("unchanged"),
    }
}

fn show_change(change: &Change, paint: Paint) -> String {
    let field = field(&change.pointer);
    match (&change.old, &change.new) {
        (Some(old), Some(new)) => match (text(old), text(new)) {
            (old, new) if is_short(&old) && is_short(&new) => {
                format!("  {} {field}: {} -> {}\n", paint.yellow("~"), paint.red(&old), paint.green(&new))
            }
            (old, new) => format!("  {} {field}:\n{}", paint.yellow("~"), lines(&old, &new, paint)),
        },
        (None, Some(new)) => one_sided("+", &field, &text(new), |text| paint.green(text)),
        (Some(old), None) => one_sided("-", &field, &text(old), |text| paint.red(text)),
        (None, None) => String::new(),
    }
}

fn one_sided(sign: &str, field: &str, value: &str, paint: impl Fn(&str) -> String) -> String {
    if is_short(value) {
        return format!("  {} {field}: {}\n", paint(sign), paint(value));
    }
    let lines: String = value.lines().map(|line| format!("      {}\n", paint(&format!("{sign} {line}")))).collect();
    format!("  {} {field}:\n{lines}", paint(sign))
}

/// Two texts line by line: what is gone, what is new, and a line around it.
fn lines(old: &str, new: &str, paint: Paint) -> String {
    let diff = TextDiff::from_lines(old, new);
    let mut shown = String::new();
    for (index, group) in diff.grouped_ops(1).iter().enumerate() {
        if index > 0 {
            shown.push_str(&format!("      {}\n", paint.dim("...")));
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let line = change.value().trim_end_matches('\n');
            let line = match change.tag() {
                ChangeTag::Delete => paint.red(&format!("- {line}")),
                ChangeTag::Insert => paint.green(&format!("+ {line}")),
                ChangeTag::Equal => paint.dim(&format!("  {line}")),
            };
            shown.push_str(&format!("      {line}\n"));
        }
    }
    shown
}

fn is_short(text: &str) -> bool {
    !text.contains('\n') && text.chars().count() <= SHORT
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// `/triggers/0/cron` as `triggers[0].cron`.
fn field(pointer: &str) -> String {
    let mut field = String::new();
    for step in pointer.split('/').skip(1) {
        let step = step.replace("~1", "/").replace("~0", "~");
        if step.bytes().all(|byte| byte.is_ascii_digit()) && !step.is_empty() && !field.is_empty() {
            field.push_str(&format!("[{step}]"));
        } else {
            field.push_str(if field.is_empty() { "" } else { "." });
            field.push_str(&step);
        }
    }
    field
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn short_values_stand_in_a_line_and_long_ones_are_compared_by_lines() {
        let change =
            |pointer: &str, old: Option<Value>, new: Option<Value>| Change { pointer: pointer.to_owned(), old, new };
        let changes = [
            change("/timeout", Some(json!("1h")), Some(json!("2h"))),
            change("/triggers/0/cron", None, Some(json!("0 2 * * *"))),
            change("/env/A~1B", Some(json!("1")), None),
            change("/action/with/command", Some(json!("set -e\na\nb\nc\nd\n")), Some(json!("set -e\na\nb\nx\nd\n"))),
            change("/grants", None, Some(json!({ "state": true }))),
        ];
        insta::assert_snapshot!(show(&changes, Paint::new(false)), @r#"
          ~ timeout: 1h -> 2h
          + triggers[0].cron: 0 2 * * *
          - env.A/B: 1
          ~ action.with.command:
                b
              - c
              + x
                d
          + grants: {"state":true}
        "#);
    }
}
