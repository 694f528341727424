//! One line of a crontab.

use serde_json::{Value, json};

/// What a line says.
#[derive(Debug, PartialEq)]
pub(super) enum Line {
    /// Nothing: it is empty or a comment.
    Nothing,
    /// A variable of the commands that follow.
    Variable { name: String, value: String },
    /// A command and when it starts.
    Start(Command),
}

/// A command that cron starts.
#[derive(Debug, PartialEq)]
pub(super) struct Command {
    /// What follows `schedule:` in a job file, or a trigger.
    pub(super) schedule: Value,
    /// As whom, in the system's crontab.
    pub(super) user: Option<String>,
    pub(super) text: String,
    /// What it reads.
    pub(super) stdin: Option<String>,
}

impl Line {
    /// Reads a line; in the system's crontab a command has the name of a user before it.
    pub(super) fn read(text: &str, system: bool) -> Result<Self, String> {
        let text = text.trim();
        if text.is_empty() || text.starts_with('#') {
            return Ok(Self::Nothing);
        }
        if let Some((name, value)) = variable(text) {
            return Ok(Self::Variable { name, value });
        }
        let text = text.strip_prefix('-').unwrap_or(text);
        let (schedule, rest) = match text.strip_prefix('@') {
            Some(text) => {
                let (word, rest) = text.split_once([' ', '\t']).unwrap_or((text, ""));
                (named(word)?, rest.trim_start())
            }
            None => five_fields(text)?,
        };
        let (user, rest) = match rest.split_once([' ', '\t']) {
            Some((user, rest)) if system => (Some(user.to_owned()), rest.trim_start()),
            None if system => return Err("the name of a user and a command must follow the schedule".to_owned()),
            _ => (None, rest),
        };
        if rest.is_empty() {
            return Err("a command must follow the schedule".to_owned());
        }
        let (text, stdin) = divided(rest);
        if text.is_empty() {
            return Err("a command must stand before the first %, behind which is what it reads".to_owned());
        }
        Ok(Self::Start(Command { schedule, user, text, stdin }))
    }
}

/// `NAME = value`, either of them in quotes or not.
fn variable(text: &str) -> Option<(String, String)> {
    let (name, value) = text.split_once('=')?;
    let unquoted = |text: &str| {
        let text = text.trim();
        let inner = ['"', '\''].iter().find_map(|quote| text.strip_prefix(*quote)?.strip_suffix(*quote));
        inner.unwrap_or(text).to_owned()
    };
    let name = unquoted(name);
    let first = name.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    let is_name = first && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    is_name.then(|| (name, unquoted(value)))
}

/// What `@word` stands for.
fn named(word: &str) -> Result<Value, String> {
    Ok(match word.to_ascii_lowercase().as_str() {
        "reboot" => json!({ "startup": true }),
        "yearly" | "annually" => "0 0 1 1 *".into(),
        "monthly" => "0 0 1 * *".into(),
        "weekly" => "0 0 * * 0".into(),
        "daily" | "midnight" => "0 0 * * *".into(),
        "hourly" => "0 * * * *".into(),
        _ => {
            let known = "@reboot, @hourly, @daily, @midnight, @weekly, @monthly, @yearly and @annually";
            return Err(format!("there is no @{word}; there are {known}"));
        }
    })
}

/// The five fields of a schedule, and what follows them.
fn five_fields(text: &str) -> Result<(Value, &str), String> {
    let mut rest = text;
    let mut fields = Vec::with_capacity(5);
    while fields.len() < 5 {
        let end = rest.find([' ', '\t']).unwrap_or(rest.len());
        let field = &rest[..end];
        if field.is_empty() {
            return Err(format!("a schedule has five fields; here are {}", fields.len()));
        }
        fields.push(by_chance(field, BOUNDS[fields.len()]));
        rest = rest[end..].trim_start();
    }
    Ok((fields.join(" ").into(), rest))
}

/// The least and the greatest value of each field.
const BOUNDS: [(&str, &str); 5] = [("0", "59"), ("0", "23"), ("1", "31"), ("1", "12"), ("0", "6")];

/// `0~29`, with which cronie chooses a value by chance when it reads the crontab, is chosen by the job's name here. Either end
/// may be left out.
fn by_chance(field: &str, (least, greatest): (&str, &str)) -> String {
    let item = |item: &str| {
        let (range, step) = item.split_at(item.find('/').unwrap_or(item.len()));
        let Some((from, to)) = range.split_once('~') else { return item.to_owned() };
        let or = |end: &str, bound: &str| if end.is_empty() { bound.to_owned() } else { end.to_owned() };
        format!("H({}-{}){step}", or(from, least), or(to, greatest))
    };
    field.split(',').map(item).collect::<Vec<_>>().join(",")
}

/// The command, and what it reads: all after the first `%`, in which each further one ends a line. `\%` is a `%`.
fn divided(text: &str) -> (String, Option<String>) {
    let (mut command, mut stdin) = (String::new(), None::<String>);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let (c, divides) = match c {
            '\\' if chars.next_if_eq(&'%').is_some() => ('%', false),
            c => (c, c == '%'),
        };
        match &mut stdin {
            None if divides => stdin = Some(String::new()),
            None => command.push(c),
            Some(stdin) => stdin.push(if divides { '\n' } else { c }),
        }
    }
    if let Some(stdin) = stdin.as_mut().filter(|stdin| !stdin.is_empty() && !stdin.ends_with('\n')) {
        stdin.push('\n');
    }
    (command.trim_end().to_owned(), stdin)
}
