//! Targets and groups in files: under `targets:` and `groups:` beside `jobs:`, or in documents of their own that say
//! `kind: target` or `kind: group`.

use std::collections::HashMap;

use serde::de::DeserializeOwned;

use sandglass_core::target::{GroupSpec, MAX_GROUPS, MAX_TARGETS, TargetSpec};

use super::calendars::named;
use super::document::Document;
use super::error::{JobFileError, NodeError};
use super::node::{Entry, Node, Span, Value};
use crate::problem::Position;

/// The key of a document that says what the document is.
pub(super) const KIND: &str = "kind";

/// A part of a file as it was read, and where in the file each part of it was.
#[derive(Clone, Debug)]
pub struct FilePart<T> {
    /// The part.
    pub spec: T,
    pub(super) node: Node,
}

/// A target of a file.
pub type FileTarget = FilePart<TargetSpec>;
/// A group of targets of a file.
pub type FileGroup = FilePart<GroupSpec>;

impl<T> FilePart<T> {
    /// Where its name is.
    #[must_use]
    pub fn position(&self) -> Position {
        self.node.nearest("/name").position
    }

    /// Where the value at `pointer` is.
    #[must_use]
    pub fn locate(&self, pointer: &str) -> Position {
        self.node.nearest(pointer).position
    }

    /// What somebody else found wrong at `pointer`, as a fault of the file that it was read from: `text` and `source` are
    /// those given to [`read_all`](super::read_all).
    #[must_use]
    pub fn fault(&self, text: &str, source: &str, pointer: &str, message: &str) -> JobFileError {
        let error = NodeError::at(message, self.node.nearest(pointer));
        JobFileError { pointer: pointer.to_owned(), job: None, ..Document { text, source }.error(&error) }
    }
}

/// What is the same of targets and groups.
pub(super) trait OfFleet: DeserializeOwned {
    /// What one is called.
    const ONE: &'static str;
    /// The key of a list of them.
    const MANY: &'static str;
    /// What one has.
    const HINT: &'static str;
    /// The most in a file.
    const MOST: usize;
    /// What stands in for keys that it cannot be without, where what they say is wrong.
    const STAND_INS: &'static [(&'static str, &'static str)];

    fn name(&self) -> &str;
}

impl OfFleet for TargetSpec {
    const ONE: &'static str = "target";
    const MANY: &'static str = "targets";
    const HINT: &'static str = "a target has a name, an address, an account, a host_key, and a key or an agent";
    const MOST: usize = MAX_TARGETS;
    const STAND_INS: &'static [(&'static str, &'static str)] = &[
        ("name", "unnamed"),
        ("address", "unnamed"),
        ("account", "unnamed"),
        ("host_key", "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
        ("key", "UNNAMED"),
        ("agent", "/unnamed"),
    ];

    fn name(&self) -> &str {
        self.name.as_str()
    }
}

impl OfFleet for GroupSpec {
    const ONE: &'static str = "group";
    const MANY: &'static str = "groups";
    const HINT: &'static str = "a group has a name, and members or where";
    const MOST: usize = MAX_GROUPS;
    const STAND_INS: &'static [(&'static str, &'static str)] = &[("name", "unnamed"), ("where", "unnamed")];

    fn name(&self) -> &str {
        self.name.as_str()
    }
}

/// Where a file has targets, or groups.
#[derive(Default)]
pub(super) struct Places {
    /// Lists of them.
    pub(super) lists: Vec<Node>,
    /// Single ones, each with what its document says of its kind.
    pub(super) alone: Vec<Node>,
}

impl Places {
    pub(super) fn is_empty(&self) -> bool {
        self.lists.is_empty() && self.alone.is_empty()
    }

    /// Where the first of them is.
    pub(super) fn first(&self) -> Option<Span> {
        self.lists.first().or(self.alone.first()).map(|node| node.span)
    }

    /// All of them, and what is wrong with those that are none.
    pub(super) fn read<T: OfFleet>(self) -> (Vec<FilePart<T>>, Vec<NodeError>) {
        let (mut parts, mut errors) = (Vec::new(), Vec::new());
        for list in self.lists {
            match items::<T>(list) {
                Ok(items) => {
                    for (step, node) in items {
                        match part(node) {
                            Ok(part) => parts.push(part),
                            Err(found) => {
                                errors.extend(found.into_iter().map(|error| error.under(&step).under(T::MANY)));
                            }
                        }
                    }
                }
                Err(error) => errors.push(error.under(T::MANY)),
            }
        }
        for node in self.alone {
            match part(node) {
                Ok(part) => parts.push(part),
                Err(found) => errors.extend(found),
            }
        }
        errors.extend(repeated(&parts));
        if parts.len() > T::MOST {
            let message = format!("{} {} are too many: {} are allowed", parts.len(), T::MANY, T::MOST);
            errors.push(NodeError::at(message, Span::start()));
        }
        (parts, errors)
    }
}

/// A list of them, or a map from names to them.
fn items<T: OfFleet>(list: Node) -> Result<Vec<(String, Node)>, NodeError> {
    match list.value {
        Value::List(items) => Ok((0..).map(|index: usize| index.to_string()).zip(items).collect()),
        Value::Map(entries) => Ok(entries
            .into_iter()
            .map(|Entry { key, key_span, value }| (key.clone(), named(key, key_span, value)))
            .collect()),
        Value::Scalar { .. } => {
            Err(NodeError::at(format!("expected a list of {}, found {}", T::MANY, list.kind_name()), list.span))
        }
    }
}

/// One of them, or everything that is wrong with it.
fn part<T: OfFleet>(node: Node) -> Result<FilePart<T>, Vec<NodeError>> {
    let Value::Map(entries) = &node.value else {
        let message = format!("expected a {}, found {}", T::ONE, node.kind_name());
        return Err(vec![NodeError::at(message, node.span).hint(T::HINT)]);
    };
    let rounds = entries.len() + 1;
    let first = match T::deserialize(&node) {
        Ok(spec) => return Ok(FilePart { spec, node }),
        Err(error) => error,
    };
    // Each round finds the first fault that is left. What it concerns is then taken out, so the next round finds the next.
    let (mut rest, mut errors, mut next) = (node, Vec::new(), Some(first));
    for _ in 0..rounds {
        let Some(error) = next else { break };
        let key = error.path.first().cloned();
        // What is not there may be what was misspelt, and what a whole one cannot be may follow from what is wrong.
        if key.is_none() && !errors.is_empty() {
            break;
        }
        errors.push(error.or_at(rest.span));
        let Some(key) = key else { break };
        mend::<T>(&mut rest, &key);
        next = T::deserialize(&rest).err();
    }
    Err(errors)
}

/// Takes out what is wrong, and puts in its place what it cannot be without.
fn mend<T: OfFleet>(node: &mut Node, key: &str) {
    let Value::Map(entries) = &mut node.value else { return };
    entries.retain(|entry| entry.key != key);
    if let Some((_, text)) = T::STAND_INS.iter().find(|(name, _)| *name == key) {
        let value = Node::text(node.span, *text);
        entries.push(Entry { key: key.to_owned(), key_span: node.span, value });
    }
}

fn repeated<T: OfFleet>(parts: &[FilePart<T>]) -> Vec<NodeError> {
    let (mut lines, mut errors) = (HashMap::new(), Vec::new());
    for part in parts {
        let name = part.spec.name();
        if let Some(line) = lines.insert(name, part.position().line) {
            let message = format!("{} '{name}' is in this file twice: first in line {line}", T::ONE);
            errors.push(NodeError::at(message, part.node.nearest("/name")).under("name"));
        }
    }
    errors
}

#[cfg(test)]
mod tests {
    use super::super::{FileContents, Format, read, read_all};

    const KEY: &str = "\"SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"";

    fn target(name: &str, more: &str) -> String {
        format!(
            "kind: target\nname: {name}\naddress: 10.0.0.5\naccount: deploy\nhost_key: {KEY}\nkey: DEPLOY_KEY\n{more}"
        )
    }

    fn contents(text: &str, format: Format) -> FileContents {
        read_all(text, format, "f").unwrap_or_else(|errors| panic!("{}", errors[0]))
    }

    fn errors(text: &str) -> Vec<String> {
        read_all(text, Format::Yaml, "f.yaml").unwrap_err().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn targets_and_groups_are_documents_or_stand_beside_jobs() {
        let documents = format!(
            "{}---\n{}---\nkind: group\nname: web\nmembers: [web-1, web-*]\nwhere: role == web\n---\nname: a\ncommand: x\n",
            target("bastion", ""),
            target("web-1", "port: 2222\nplatform: linux\nlabels: { role: web }\njump: bastion\nbecome: [root]\n"),
        );
        let found = contents(&documents, Format::Yaml);
        assert_eq!((found.targets.len(), found.groups.len(), found.jobs.len()), (2, 1, 1));
        assert_eq!((found.targets[1].spec.port.get(), found.targets[1].position().line), (2222, 9));
        assert_eq!(found.groups[0].locate("/members/1").column, 18);
        let listed = format!(
            "targets:\n  web-1: {{ address: web-1, account: a, host_key: {KEY}, agent: /run/a.sock }}\ngroups:\n  \
             - {{ name: web, where: role == web }}\njobs: [{{ name: a, command: x }}]\n"
        );
        let found = contents(&listed, Format::Yaml);
        assert_eq!((found.targets[0].spec.name.as_str(), found.groups.len(), found.jobs.len()), ("web-1", 1, 1));
        let toml = format!(
            "[[targets]]\nname = 'a'\naddress = 'a'\naccount = 'a'\nhost_key = {KEY}\nkey = 'K'\n[[groups]]\nname = 'g'\nmembers = ['a']\n"
        );
        let found = contents(&toml, Format::Toml);
        assert_eq!((found.targets.len(), found.groups.len(), found.jobs.len()), (1, 1, 0));
        let json = format!(
            "[{{\"kind\": \"target\", \"name\": \"a\", \"address\": \"a\", \"account\": \"a\", \"host_key\": {KEY}, \"key\": \"K\"}}]"
        );
        assert_eq!(contents(&json, Format::Json).targets.len(), 1);
        let error = read(&listed, Format::Yaml, "f.yaml").unwrap_err().remove(0).to_string();
        assert!(error.contains("targets cannot stand here: only jobs can"), "{error}");
    }

    #[test]
    fn mistakes_have_their_place() {
        let with = |more: &str| target("web-1", more);
        for (text, fault) in [
            (with("prot: 22\n"), "f.yaml:7:1: unknown key 'prot'"),
            (with("port: 0\n"), "f.yaml:7:7: expected a whole number from 1 to 65535, found the number 0"),
            (with("port: 70000\n"), "f.yaml:7:7: expected a whole number from 1 to 65535, found the number 70000"),
            (with("platform: linus\n"), "f.yaml:7:11: unknown value 'linus'"),
            (with("labels: { role: web, in: x }\n"), "f.yaml:7:22: 'in' is not a valid label"),
            (with("labels: { rack: 7 }\n"), "f.yaml:7:17: expected text, found the number 7"),
            (with("jump: a b\n"), "f.yaml:7:7: 'a b' is not a valid target name"),
            (with("become: [root, -x]\n"), "f.yaml:7:16: '-x' is not a valid account"),
            (with("agent: /run/a.sock\n"), "f.yaml:1:1: target 'web-1' says both 'key' and 'agent'"),
            (with("").replace("key: DEPLOY_KEY\n", ""), "f.yaml:1:1: target 'web-1' says neither 'key' nor 'agent'"),
            (with("").replace("SHA256:AAAA", "SHA256:AAA"), "f.yaml:5:11: 'SHA256:AAA"),
            (with("").replace("10.0.0.5", "10.0.0.5:22"), "f.yaml:3:10: '10.0.0.5:22' is not a valid address"),
            (with("").replace("kind: target", "kind: taget"), "f.yaml:1:7: unknown kind 'taget'"),
            (
                format!("{}---\n{}", with(""), with("")),
                "f.yaml:9:7: target 'web-1' is in this file twice: first in line 2",
            ),
            ("kind: group\nname: web\n".to_owned(), "f.yaml:1:1: group 'web' says neither 'members' nor 'where'"),
            (
                "kind: group\nname: web\nwhere: role = web\n".to_owned(),
                "f.yaml:3:8: the expression cannot be read at column 6: '=' alone",
            ),
            (
                "kind: group\nname: web\nmembers: [a, role == b]\n".to_owned(),
                "f.yaml:3:14: 'role == b' is an expression",
            ),
            ("kind: group\nname: web\nmember: [a]\n".to_owned(), "f.yaml:3:1: unknown key 'member'"),
            ("targets: 5\n".to_owned(), "f.yaml:1:10: expected a list of targets, found a number"),
            ("groups: [5]\n".to_owned(), "f.yaml:1:10: expected a group, found a number"),
            ("targets: []\nother: 5\n".to_owned(), "f.yaml:2:1: key 'other' cannot stand beside 'targets'"),
        ] {
            let found = errors(&text);
            assert!(found[0].starts_with(fault), "{text}: {found:?}");
        }
        assert!(errors("targets: []\ngroup: []\n")[0].contains("did you mean 'groups'?"));
        assert!(errors(&with("").replace("kind: target", "kind: taget"))[0].contains("did you mean 'target'?"));
        // All that is wrong with one is told, and nothing that only follows from it.
        let wrong = with("port: 0\nprot: 22\nplatform: linus\n").replace("10.0.0.5", "a b").replace(KEY, "none");
        let found = errors(&wrong);
        let lines: Vec<_> = found.iter().map(|fault| fault.split(':').nth(1).unwrap_or_default()).collect();
        assert_eq!(lines, ["3", "5", "7", "8", "9"], "{found:?}");
        assert_eq!(errors(&with("").replace("address", "adress")).len(), 1);
        assert_eq!(errors("kind: group\nname: web\nwhere: role =\nmembers: [a b]\n").len(), 2);
        // Every target is told of, not only the first that is wrong.
        assert_eq!(errors(&format!("{}---\n{}", with("prot: 5\n"), target("web-2", "a: 5\n"))).len(), 2);
    }
}
