//! The short forms of job files, turned into the canonical form on the tree, where every value keeps its place.

pub(super) mod schedule;

use super::error::NodeError;
use super::node::{Entry, Node, Span, Value};

/// The keys that only job files know, beside those of the canonical form.
pub(super) const KEYS: &[&str] =
    &["schedule", "command", "command_windows", "commands", "script", "interpreter", "http"];

/// Ways to say what a job does. A job has exactly one.
pub(super) const ACTIONS: &[&str] = &["action", "command", "commands", "script", "http"];

/// Turns a job's short forms into canonical ones. What is wrong with them is returned beside, and left out of the job.
pub(super) fn normalise(job: Node) -> (Node, Vec<NodeError>) {
    let span = job.span;
    let Value::Map(entries) = job.value else { return (job, Vec::new()) };
    let mut parts = Parts { span, ..Parts::default() };
    for entry in entries {
        parts.take(entry);
    }
    parts.finish()
}

/// A job taken apart.
struct Parts {
    span: Span,
    /// What is canonical already.
    rest: Vec<Entry>,
    /// What says what the job does, as it is written.
    action: Option<Entry>,
    command_windows: Option<Entry>,
    interpreter: Option<Entry>,
    /// What says when the job fires, as canonical triggers.
    triggers: Option<Entry>,
    errors: Vec<NodeError>,
}

impl Default for Parts {
    fn default() -> Self {
        Self {
            span: Span::start(),
            rest: Vec::new(),
            action: None,
            command_windows: None,
            interpreter: None,
            triggers: None,
            errors: Vec::new(),
        }
    }
}

impl Parts {
    fn take(&mut self, mut entry: Entry) {
        match entry.key.as_str() {
            key if ACTIONS.contains(&key) => match &self.action {
                Some(first) => {
                    let message = format!("'{}' and '{}' both say what the job does: keep one of them", first.key, key);
                    self.errors.push(NodeError::at(message, entry.key_span).under(key));
                }
                None => self.action = Some(entry),
            },
            "schedule" | "triggers" => match &self.triggers {
                Some(_) => {
                    let message = "'schedule' and 'triggers' both say when the job fires: keep one of them";
                    self.errors.push(NodeError::at(message, entry.key_span).under("triggers"));
                }
                None => {
                    let (value, errors) = schedule::triggers(&entry.key, entry.value);
                    self.errors.extend(errors.into_iter().map(|error| error.under("triggers")));
                    self.triggers = Some(Entry { key: "triggers".to_owned(), key_span: entry.key_span, value });
                }
            },
            "command_windows" => self.command_windows = Some(entry),
            "interpreter" => self.interpreter = Some(entry),
            "env" => {
                as_texts(&mut entry.value);
                self.rest.push(entry);
            }
            "notify" => match notifiers(&mut entry.value) {
                Ok(()) => self.rest.push(entry),
                Err(error) => self.errors.push(error.under("notify")),
            },
            _ => self.rest.push(entry),
        }
    }

    fn finish(mut self) -> (Node, Vec<NodeError>) {
        if cfg!(windows) {
            let windows = self.command_windows.take();
            let replaces = self.action.as_ref().is_none_or(|action| action.key == "command");
            if let (Some(windows), true) = (windows, replaces) {
                self.action = Some(Entry { key: "command".to_owned(), ..windows });
            }
        }
        if let Some(action) = self.action.take() {
            let (key, key_span) = (action.key.clone(), action.key_span);
            match self.canonical_action(action) {
                Ok(value) => self.rest.push(Entry { key: "action".to_owned(), key_span, value }),
                Err(error) => self.errors.push(error.or_at(key_span).under(&key)),
            }
        }
        if let Some(stray) = &self.interpreter {
            let message = "'interpreter' goes with 'command', 'commands' or 'script'; elsewhere it belongs to 'with'";
            self.errors.push(NodeError::at(message, stray.key_span).under("interpreter"));
        }
        self.rest.extend(self.triggers);
        (Node::new(self.span, Value::Map(self.rest)), self.errors)
    }

    fn canonical_action(&mut self, entry: Entry) -> Result<Node, NodeError> {
        let Entry { key, key_span, value } = entry;
        match key.as_str() {
            "command" => {
                let command = expect_text(value, "a command line", "use 'commands' for a list")?;
                Ok(self.shell(key_span, command))
            }
            "commands" => {
                let plain = self.interpreter.is_none();
                let script = commands(value, plain)?;
                Ok(self.shell(key_span, script))
            }
            "script" => {
                let script = expect_text(value, "the text of a script", "to run a script's file, use 'command'")?;
                if self.interpreter.is_none()
                    && let Some(interpreter) = shebang(&script)?
                {
                    self.interpreter = Some(entry_of("interpreter", interpreter));
                }
                Ok(self.shell(key_span, script))
            }
            "http" => http(key_span, value),
            _ => Ok(value),
        }
    }

    /// The action `shell` with this command and the job's interpreter.
    fn shell(&mut self, span: Span, command: Node) -> Node {
        let mut with = vec![entry_of("command", command)];
        with.extend(self.interpreter.take());
        action(span, "shell", Node::new(span, Value::Map(with)))
    }
}

fn entry_of(key: &str, value: Node) -> Entry {
    Entry { key: key.to_owned(), key_span: value.span, value }
}

fn action(span: Span, plugin: &str, with: Node) -> Node {
    Node::new(span, Value::Map(vec![entry_of("use", Node::text(span, plugin)), entry_of("with", with)]))
}

fn expect_text(node: Node, what: &str, hint: &str) -> Result<Node, NodeError> {
    match node.as_written() {
        Some(text) => Ok(Node::text(node.span, text)),
        None => Err(NodeError::at(format!("expected {what}, found {}", node.kind_name()), node.span).hint(hint)),
    }
}

/// Commands one after the other; the first that fails ends the run.
fn commands(list: Node, plain: bool) -> Result<Node, NodeError> {
    let span = list.span;
    let Value::List(items) = list.value else {
        let message = format!("expected a list of command lines, found {}", list.kind_name());
        return Err(NodeError::at(message, span).hint("use 'command' for a single one"));
    };
    // `set -e` is what ends the run at the first failure; other interpreters than a shell have rules of their own.
    let mut lines = if plain { vec!["set -e".to_owned()] } else { Vec::new() };
    for (index, item) in items.into_iter().enumerate() {
        let text = expect_text(item, "a command line", "write one text an item")
            .map_err(|error| error.under(&index.to_string()))?;
        lines.extend(text.as_text().map(str::to_owned));
    }
    if lines.len() <= usize::from(plain) {
        return Err(NodeError::at("expected at least one command line, found an empty list", span));
    }
    Ok(Node::text(span, lines.join("\n")))
}

/// The interpreter that a script's first line names, as in `#!/usr/bin/env python3`.
fn shebang(script: &Node) -> Result<Option<Node>, NodeError> {
    let first = script.as_text().and_then(|text| text.lines().next()).unwrap_or_default();
    let Some(line) = first.strip_prefix("#!") else { return Ok(None) };
    let words: Vec<&str> = line.split_whitespace().collect();
    match words.as_slice() {
        [env, name] if env.ends_with("/env") => Ok(Some(Node::text(script.span, *name))),
        [path] => Ok(Some(Node::text(script.span, *path))),
        _ => {
            Err(NodeError::at(format!("the script's first line, '{first}', names no single interpreter"), script.span)
                .hint("leave options out there, and name the interpreter with 'interpreter'"))
        }
    }
}

/// `http: URL`, `http: METHOD URL`, or a map of the plugin's parameters.
fn http(span: Span, value: Node) -> Result<Node, NodeError> {
    if matches!(value.value, Value::Map(_)) {
        return Ok(action(span, "http", value));
    }
    let url = expect_text(value, "a URL or a map", "write http: https://example.com/hook")?;
    let mut with = Vec::new();
    let text = url.as_text().unwrap_or_default();
    match text.split_once(' ') {
        Some((method, rest)) => {
            with.push(entry_of("method", Node::text(url.span, method)));
            with.push(entry_of("url", Node::text(url.span, rest.trim())));
        }
        None => with.push(entry_of("url", url.clone())),
    }
    Ok(action(span, "http", Node::new(url.span, Value::Map(with))))
}

/// The environment variables of each notifier of a list.
pub(super) fn notifiers(list: &mut Node) -> Result<(), NodeError> {
    let (span, kind) = (list.span, list.kind_name());
    let Value::List(items) = &mut list.value else {
        let hint = "write a '-' before each, such as - {on: [failed], use: http, with: {url: …}}";
        return Err(NodeError::at(format!("expected a list of notifiers, found {kind}"), span).hint(hint));
    };
    for item in items {
        if let Value::Map(entries) = &mut item.value {
            entries.iter_mut().filter(|entry| entry.key == "env").for_each(|entry| as_texts(&mut entry.value));
        }
    }
    Ok(())
}

/// Environment variables are text: `PORT: 8080` means the text that is written there.
fn as_texts(env: &mut Node) {
    let Value::Map(entries) = &mut env.value else { return };
    for entry in entries {
        if let Some(text) = entry.value.as_written() {
            entry.value = Node::text(entry.value.span, text);
        }
    }
}
