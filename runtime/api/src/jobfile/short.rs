//! The short forms of job files, turned into the canonical form on the tree, where every value keeps its place.

mod notify;
pub(super) mod schedule;

use super::error::NodeError;
use super::node::{Entry, Node, Span, Value};

/// The keys that only job files know, beside those of the canonical form.
pub(super) const KEYS: &[&str] = &[
    "schedule",
    "command",
    "command_windows",
    "command_linux",
    "command_macos",
    "commands",
    "stop_on_failure",
    "script",
    "interpreter",
    "http",
    "docker_image",
    "interpreter_windows",
    "interpreter_linux",
    "interpreter_macos",
];

/// Ways to say what a job does. A job has exactly one.
pub(super) const ACTIONS: &[&str] = &["action", "command", "commands", "script", "http", IMAGE];

/// Says what the job does, alone or with the command that runs in the image.
const IMAGE: &str = "docker_image";

/// Commands that a platform has instead. Alone, they say what the job does too.
const OF_PLATFORM: &[&str] = &["command_linux", "command_macos", "command_windows"];

/// What goes with commands of whatever form.
const WITH_COMMANDS: &[&str] =
    &["stop_on_failure", "interpreter", "interpreter_windows", "interpreter_linux", "interpreter_macos"];

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
    /// The image that it does it in, as it is written.
    image: Option<Entry>,
    /// What goes with a command, as it is written.
    beside: Vec<Entry>,
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
            image: None,
            beside: Vec::new(),
            triggers: None,
            errors: Vec::new(),
        }
    }
}

impl Parts {
    fn take(&mut self, mut entry: Entry) {
        match entry.key.as_str() {
            IMAGE => self.image = Some(entry),
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
            key if OF_PLATFORM.contains(&key) || WITH_COMMANDS.contains(&key) => self.beside.push(entry),
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
        if let Some(image) = self.image.take() {
            let key_span = image.key_span;
            match self.docker(image) {
                Ok(value) => self.rest.push(Entry { key: "action".to_owned(), key_span, value }),
                Err(error) => self.errors.push(error.or_at(key_span)),
            }
        } else if let Some(action) = self.action.take() {
            let (key, key_span) = (action.key.clone(), action.key_span);
            match self.canonical_action(action) {
                Ok(value) => self.rest.push(Entry { key: "action".to_owned(), key_span, value }),
                Err(error) => self.errors.push(error.or_at(key_span).under(&key)),
            }
        }
        let of_platform = self.beside.iter().find(|entry| OF_PLATFORM.contains(&entry.key.as_str()));
        match of_platform.map(|entry| entry.key_span) {
            Some(span) if !self.rest.iter().any(|entry| entry.key == "action") => match self.shell(span, None) {
                Ok(value) => self.rest.push(Entry { key: "action".to_owned(), key_span: span, value }),
                Err(error) => self.errors.push(error),
            },
            _ => {}
        }
        for stray in &self.beside {
            let message =
                format!("'{}' goes with 'command', 'commands' or 'script'; elsewhere it belongs to 'with'", stray.key);
            self.errors.push(NodeError::at(message, stray.key_span).under(&stray.key));
        }
        self.rest.extend(self.triggers);
        (Node::new(self.span, Value::Map(self.rest)), self.errors)
    }

    fn canonical_action(&mut self, entry: Entry) -> Result<Node, NodeError> {
        let Entry { key, key_span, value } = entry;
        match key.as_str() {
            "command" => {
                let command = expect_text(value, "a command line", "use 'commands' for a list")?;
                self.shell(key_span, Some(entry_of("command", command)))
            }
            "commands" => {
                let commands = commands(value)?;
                self.shell(key_span, Some(entry_of("commands", commands)))
            }
            "script" => {
                let script = expect_text(value, "the text of a script", "to run a script's file, use 'command'")?;
                self.shell(key_span, Some(entry_of("script", script)))
            }
            "http" => http(key_span, value),
            _ => Ok(value),
        }
    }

    /// The action `shell` with this command and what goes with it.
    fn shell(&mut self, span: Span, what: Option<Entry>) -> Result<Node, NodeError> {
        let mut with: Vec<Entry> = what.into_iter().collect();
        for Entry { key, key_span, value } in std::mem::take(&mut self.beside) {
            let value = if OF_PLATFORM.contains(&key.as_str()) {
                expect_text(value, "a command line", "write one text").map_err(|error| error.under(&key))?
            } else {
                value
            };
            with.push(Entry { key, key_span, value });
        }
        Ok(action(span, "shell", Node::new(span, Value::Map(with))))
    }
}

impl Parts {
    /// The action `docker` with this image and the command that there is. Containers run Linux wherever the daemon does, so
    /// what other platforms have instead of the command is for daemons without an engine.
    fn docker(&mut self, image: Entry) -> Result<Node, NodeError> {
        let span = image.value.span;
        let text = expect_text(image.value, "the name of an image", "such as postgres:16");
        let mut with = vec![entry_of("image", text.map_err(|error| error.under(IMAGE))?)];
        let of_linux =
            self.beside.iter().position(|entry| entry.key == "command_linux").map(|at| self.beside.remove(at));
        self.beside.retain(|entry| !OF_PLATFORM.contains(&entry.key.as_str()));
        let general = self.action.take();
        if let Some(Entry { key, key_span, value }) = of_linux.or(general) {
            if !matches!(key.as_str(), "command" | "command_linux" | "script") {
                let message = format!("'{IMAGE}' and '{key}' both say what the job does: keep one of them");
                let error = NodeError::at(message, key_span).hint("an image goes with 'command' or 'script'");
                return Err(error.under(&key));
            }
            let command = expect_text(value, "a command line", "for several, write one script");
            with.push(entry_of("command", command.map_err(|error| error.under(&key))?));
        }
        Ok(action(span, "docker", Node::new(span, Value::Map(with))))
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

/// Commands one after the other, each a text or a map.
fn commands(list: Node) -> Result<Node, NodeError> {
    let span = list.span;
    let Value::List(items) = list.value else {
        let message = format!("expected a list of command lines, found {}", list.kind_name());
        return Err(NodeError::at(message, span).hint("use 'command' for a single one"));
    };
    if items.is_empty() {
        return Err(NodeError::at("expected at least one command line, found an empty list", span));
    }
    let mut commands = Vec::with_capacity(items.len());
    for (index, mut item) in items.into_iter().enumerate() {
        if let Value::Map(entries) = &mut item.value {
            entries.iter_mut().filter(|entry| entry.key == "env").for_each(|entry| as_texts(&mut entry.value));
        } else {
            item = expect_text(item, "a command line", "write one text an item, or a map such as {command: …}")
                .map_err(|error| error.under(&index.to_string()))?;
        }
        commands.push(item);
    }
    Ok(Node::new(span, Value::List(commands)))
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

/// A list of notifiers, of which the environment variables are texts, or its short form.
pub(super) fn notifiers(list: &mut Node) -> Result<(), NodeError> {
    notify::spelled_out(list)?;
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
