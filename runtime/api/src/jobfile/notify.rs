//! The notifiers of a namespace in files: under `notify:` beside `jobs:`, or in a file of their own.

use serde::Deserialize as _;

use sandglass_core::spec::Notifiers;

use super::check;
use super::document::Document;
use super::error::{JobFileError, NodeError};
use super::node::{Entry, Node, Value};
use super::short;
use crate::problem::Position;

/// The notifiers of a namespace as they were read, and where in their file each part was.
#[derive(Clone, Debug)]
pub struct FileNotify {
    /// The notifiers.
    pub notify: Notifiers,
    /// A map that holds them under `notify`.
    pub(super) node: Node,
}

impl FileNotify {
    /// Where the value at `pointer` (RFC 6901), which begins with `/notify`, was; if there was none, where the nearest value
    /// around it was.
    #[must_use]
    pub fn locate(&self, pointer: &str) -> Position {
        self.node.nearest(pointer).position
    }

    /// What somebody else found wrong at `pointer`, as a fault of the file that the notifiers were read from: `text` and
    /// `source` are those given to [`read_all`](super::read_all).
    #[must_use]
    pub fn fault(&self, text: &str, source: &str, pointer: &str, message: &str) -> JobFileError {
        let error = NodeError::at(message, self.node.nearest(pointer));
        JobFileError { pointer: pointer.to_owned(), job: None, ..Document { text, source }.error(&error) }
    }
}

/// The notifiers in `list`, or everything that is wrong with them.
pub(super) fn read(mut list: Node) -> Result<FileNotify, Vec<NodeError>> {
    let span = list.span;
    short::notifiers(&mut list).map_err(|error| vec![error.under("notify")])?;
    let notify = Notifiers::deserialize(&list).map_err(|error| vec![error.or_at(span).under("notify")])?;
    let entry = Entry { key: "notify".to_owned(), key_span: span, value: list };
    let node = Node::new(span, Value::Map(vec![entry]));
    let errors: Vec<NodeError> = check::faults_of_notifiers(&notify)
        .into_iter()
        .map(|(pointer, message)| {
            let mut error = NodeError::at(message, node.nearest(&pointer));
            error.path = pointer.split('/').skip(1).map(str::to_owned).collect();
            error
        })
        .collect();
    if errors.is_empty() { Ok(FileNotify { notify, node }) } else { Err(errors) }
}

#[cfg(test)]
mod tests {
    use super::super::{Format, parse, read_all, read_notify};

    const HOOK: &str = "{on: [failed, {late: 5m}], use: http, with: {url: x}}";

    #[test]
    fn notifiers_stand_in_a_job_beside_jobs_or_alone() {
        let of_job = format!("name: a\ncommand: x\nnotify:\n  - {HOOK}\n");
        let jobs = parse(&of_job, Format::Yaml, "f.yaml").unwrap();
        assert_eq!(jobs[0].notify.as_slice().len(), 1);
        for (file, jobs) in [
            (format!("notify: [{HOOK}]\njobs: [{{name: a, command: x}}]\n"), 1),
            (format!("notify: [{HOOK}]\n---\n{of_job}"), 1),
            (format!("notify: [{HOOK}]\n"), 0),
            (format!("notify: [{HOOK}]\ncalendars: [{{name: a, weekdays: [sat]}}]\n"), 0),
        ] {
            let contents = read_all(&file, Format::Yaml, "f.yaml").unwrap();
            assert_eq!((contents.jobs.len(), contents.notify.unwrap().notify.as_slice().len()), (jobs, 1), "{file}");
            let error = parse(&file, Format::Yaml, "f.yaml").unwrap_err().remove(0).to_string();
            assert!(error.contains("cannot stand here: only jobs can"), "{error}");
        }
        let numbers = "- {on: [expired], use: shell, env: {PORT: 8080}}\n";
        for file in [numbers.to_owned(), format!("notify:\n{numbers}")] {
            let notify = read_notify(&file, Format::Yaml, "f.yaml").unwrap().notify;
            assert_eq!(notify.as_slice()[0].env["PORT"], "8080");
        }
        assert!(read_notify("[]", Format::Yaml, "f.yaml").unwrap().notify.is_empty());
    }

    #[test]
    fn a_service_or_an_address_is_enough() {
        let short = "name: a\ncommand: x\nnotify: {on_failure: [slack, ops@example.com], on_success: ntfy}\n";
        let long = r#"[
            {"on": ["failed", "timed_out", "interrupted"], "use": "notify/slack", "with": {"url": "{{ secret.SLACK_URL }}"}},
            {"on": ["failed", "timed_out", "interrupted"], "use": "notify/email", "with": {"to": ["ops@example.com"]}},
            {"on": ["succeeded"], "use": "notify/ntfy", "with": {"url": "{{ secret.NTFY_URL }}"}}
        ]"#;
        let long = format!("name: a\ncommand: x\nnotify: {long}\n");
        let of = |text: &str| parse(text, Format::Yaml, "f.yaml").unwrap().remove(0).notify.clone();
        assert_eq!(of(short), of(&long));
        // A seed's own words.
        assert_eq!(of("name: a\ncommand: x\nnotify:\n  on_failure: slack\n").as_slice().len(), 1);
    }

    #[test]
    fn mistakes_are_told_with_their_places() {
        for (file, fault) in [
            ("notify: 5\njobs: []\n", "f.yaml:1:9: expected a list of notifiers, found a number"),
            ("notify: []\n---\nnotify: []\n", "f.yaml:3:1: the notifiers of the namespace are given twice"),
            ("notify: [{on: [fails], use: a}]\n", "f.yaml:1:16: 'fails' is no event: write one of succeeded"),
            ("notify: [{on: [{late: soon}], use: a}]\n", "f.yaml:1:23: 'soon' is not a period"),
            ("notify: [{on: [{late: 0}], use: a}]\n", "f.yaml:1:16: 'late' wants a period that is not nothing"),
            ("notify: [{on: [], use: a}]\n", "f.yaml:1:15: a notifier that tells of nothing"),
            ("notify: [{on: [failed, failed], use: a}]\n", "f.yaml:1:24: 'failed' stands here twice"),
            ("notify: [{on: [failed], use: a, wiht: {}}]\n", "f.yaml:1:33: unknown key 'wiht'"),
            ("notify: [{on: [failed], use: a, retry: {factor: 0}}]\n", "f.yaml:1:49: factor 0 is out of range"),
            (
                "notify: [{on: [failed], use: a, with: {x: '{{ secret }}'}}]\n",
                "f.yaml:1:43: name the secret: write {{ secret.NAME }}",
            ),
            ("name: a\ncommand: x\nnotify: {slack: x}\n", "f.yaml:3:9: expected a list of notifiers, found a map"),
            (
                "name: a\ncommand: x\nnotify: {on_failure: pager}\n",
                "f.yaml:3:22: expected slack, discord, teams, ntfy, webhook, or a mail address",
            ),
            (
                "name: a\ncommand: x\nnotify: {on_failure: slack, on_falure: slack}\n",
                "f.yaml:3:29: 'on_falure' is none of on_failure, on_success, on_recovery",
            ),
            ("name: a\ncommand: x\nnotify: [{on: [], use: a}]\n", "f.yaml:3:15: a notifier that tells of nothing"),
        ] {
            let error = read_all(file, Format::Yaml, "f.yaml").unwrap_err().remove(0).to_string();
            assert!(error.starts_with(fault), "{file}: {error}");
        }
        for file in ["", "5", "{}", "notify: []\njobs: []\n", "a: 1\n"] {
            assert!(read_notify(file, Format::Yaml, "f.yaml").is_err(), "{file}");
        }
        let many = serde_json::json!({ "notify": vec![serde_json::json!({ "on": ["failed"], "use": "a" }); 33] });
        let error = read_all(&many.to_string(), Format::Json, "f.json").unwrap_err().remove(0);
        assert!(error.to_string().contains("33 notifiers are too many: 32 are allowed"), "{error}");
    }
}
