//! Job templates in files: under `templates:` beside `jobs:`.

use std::collections::HashMap;

use serde::Deserialize as _;

use sandglass_core::id::TemplateName;
use sandglass_core::spec::{JobTemplateSpec, MAX_TEMPLATE_BYTES};

use super::calendars::named;
use super::document::Document;
use super::error::{JobFileError, NodeError};
use super::job;
use super::node::{Entry, Node, Value};
use crate::problem::Position;

/// The most templates in a file.
const MAX_TEMPLATES: usize = 1000;

/// A job template as it was read, and where in its file each part was.
#[derive(Clone, Debug)]
pub struct FileTemplate {
    /// The template.
    pub spec: JobTemplateSpec,
    pub(super) node: Node,
}

impl FileTemplate {
    /// Where its name is.
    #[must_use]
    pub fn position(&self) -> Position {
        self.node.nearest("/name").position
    }

    /// Whether there is a value at `pointer` of the template.
    #[must_use]
    pub fn holds(&self, pointer: &str) -> bool {
        self.node.at(pointer).is_some()
    }

    /// What somebody else found wrong at `pointer` of the template, as a fault of the file that it was read from: `text` and
    /// `source` are those given to [`read_all`](super::read_all).
    #[must_use]
    pub fn fault(&self, text: &str, source: &str, pointer: &str, message: &str) -> JobFileError {
        let error = NodeError::at(message, self.node.nearest(pointer));
        JobFileError { pointer: pointer.to_owned(), job: None, ..Document { text, source }.error(&error) }
    }
}

/// The templates under `templates:`: a list of them, or a map from names to them.
pub(super) fn read(list: Node) -> Result<Vec<FileTemplate>, Vec<NodeError>> {
    let span = list.span;
    let items: Vec<(String, Node)> = match list.value {
        Value::List(items) => items.into_iter().enumerate().map(|(index, item)| (index.to_string(), item)).collect(),
        Value::Map(entries) => entries
            .into_iter()
            .map(|Entry { key, key_span, value }| (key.clone(), named(key, key_span, value)))
            .collect(),
        Value::Scalar { .. } => {
            let message = format!("expected a list of templates, found {}", list.kind_name());
            return Err(vec![NodeError::at(message, span)]);
        }
    };
    if items.len() > MAX_TEMPLATES {
        let message = format!("{} templates are too many: {MAX_TEMPLATES} are allowed", items.len());
        return Err(vec![NodeError::at(message, span)]);
    }
    let (mut templates, mut errors) = (Vec::new(), Vec::new());
    let mut names: HashMap<TemplateName, usize> = HashMap::new();
    for (step, node) in items {
        match template(node) {
            Err(found) => errors.extend(found.into_iter().map(|error| error.under(&step))),
            Ok(template) => {
                if let Some(line) = names.insert(template.spec.name.clone(), template.position().line) {
                    let name = &template.spec.name;
                    let message = format!("template '{name}' is in this file twice: first in line {line}");
                    errors.push(NodeError::at(message, template.node.nearest("/name")).under("name").under(&step));
                }
                templates.push(template);
            }
        }
    }
    if errors.is_empty() { Ok(templates) } else { Err(errors) }
}

/// One template, or everything that is wrong with it.
pub(super) fn template(mut node: Node) -> Result<FileTemplate, Vec<NodeError>> {
    let Value::Map(entries) = &mut node.value else {
        let message = format!("expected a template, found {}", node.kind_name());
        let hint = "a template has a name, and keys of a job under 'job'";
        return Err(vec![NodeError::at(message, node.span).hint(hint)]);
    };
    if let Some(entry) = entries.iter_mut().find(|entry| entry.key == "job") {
        let (part, errors) = job::part(entry.value.clone());
        if !errors.is_empty() {
            return Err(errors.into_iter().map(|error| error.under("job")).collect());
        }
        let size = serde_json::Value::Object(job::document(&part).map_err(|error| vec![error])?).to_string().len();
        if size > MAX_TEMPLATE_BYTES {
            let message = format!("the template has {size} bytes as JSON: {MAX_TEMPLATE_BYTES} are allowed");
            return Err(vec![NodeError::at(message, entry.key_span).under("job").hint("make several of it")]);
        }
        entry.value = part;
    }
    let spec = JobTemplateSpec::deserialize(&node).map_err(|error| vec![error.or_at(node.span)])?;
    Ok(FileTemplate { spec, node })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::super::{FileContents, Format, parse_one, parse_template, read_all, resolve};
    use super::*;

    const FILE: &str = "templates:\n  - name: backup\n    job:\n      timeout: 2h\n      retry: { max_attempts: 3 }\n      \
                        action: { use: shell }\n      env: { TARGET: s3, PORT: 80 }\n      schedule: every 1h\njobs:\n  \
                        - name: nightly\n    extends: backup\n    action: { with: { command: ./backup.sh } }\n    \
                        schedule: \"0 2 * * *\"\n    env: { TARGET: null }\n";

    fn contents(text: &str) -> FileContents {
        read_all(text, Format::Yaml, "f.yaml").unwrap_or_else(|errors| panic!("{}", errors[0]))
    }

    fn first_error(text: &str) -> String {
        read_all(text, Format::Yaml, "f.yaml").unwrap_err().remove(0).to_string()
    }

    #[test]
    fn templates_stand_beside_the_jobs_that_extend_them() {
        let contents = contents(FILE);
        let (job, template) = (&contents.jobs[0], &contents.templates[0]);
        // Short forms are long ones before anything is merged.
        let triggers = json!([{ "every": "1h" }]);
        assert_eq!((&template.spec.job["triggers"], &template.spec.job["env"]["PORT"]), (&triggers, &json!("80")));
        let written = serde_json::to_value(&job.written).unwrap();
        assert_eq!((&written["extends"], &written["env"]), (&json!("backup"), &json!({ "TARGET": null })));
        let spec = resolve(job.written.overlay().unwrap(), &template.spec).unwrap();
        let spec = serde_json::to_value(spec).unwrap();
        assert_eq!(spec["action"], json!({ "use": "shell", "with": { "command": "./backup.sh" } }));
        assert_eq!((&spec["triggers"], &spec["env"]), (&json!([{ "cron": "0 2 * * *" }]), &json!({ "PORT": "80" })));
        assert!(job.holds("/action/with/command") && !job.holds("/timeout") && !job.holds("/env/TARGET"));
        assert!(template.holds("/job/timeout") && !template.holds("/job/action/with"));
        let by_name = "templates:\n  a: { job: { timeout: 1h } }\n  b: { description: x, job: {} }\n";
        let names = self::contents(by_name).templates.into_iter().map(|template| template.spec.name.to_string());
        assert_eq!(names.collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn null_takes_out_what_the_template_says() {
        let text = "templates: [{name: t, job: {command: x, schedule: every 1h, window: {from: '08:00', to: '09:00'}}}]\n\
                    jobs: [{name: a, extends: t, schedule: null, window: null}, {name: b, extends: t, window: {to: '10:00'}}]";
        let contents = contents(text);
        let specs = contents.jobs.iter().map(|job| {
            let spec = resolve(job.written.overlay().unwrap(), &contents.templates[0].spec).unwrap();
            serde_json::to_value(spec).unwrap()
        });
        let [a, b]: [Json; 2] = specs.collect::<Vec<_>>().try_into().unwrap();
        assert_eq!((a.get("triggers"), a.get("window")), (None, None));
        assert_eq!((&b["window"]["from"], &b["window"]["to"]), (&json!("08:00"), &json!("10:00")));
    }

    #[test]
    fn mistakes_have_their_place_in_the_part_that_holds_them() {
        let with = |part: &str| format!("templates: [{{name: t, job: {{{part}}}}}]");
        let job = |part: &str| format!("name: a\nextends: t\n{part}\n");
        for (text, fault) in [
            (with("timout: 5"), "f.yaml:1:29: unknown key 'timout'"),
            (with("timeout: soon"), "f.yaml:1:38: "),
            (with("retry: {max_atempts: 5}"), "f.yaml:1:37: unknown key 'max_atempts'"),
            (with("name: b"), "f.yaml:1:29: a template's job cannot have 'name'"),
            (with("extends: b"), "f.yaml:1:29: a template's job cannot have 'extends'"),
            ("templates: [{name: t}]".to_owned(), "f.yaml:1:13: key 'job' is missing"),
            ("templates: [{name: t, job: 5}]".to_owned(), "f.yaml:1:28: expected keys of a job, found a number"),
            ("templates: 5".to_owned(), "f.yaml:1:12: expected a list of templates, found a number"),
            (
                "templates: [{name: a, job: {}}, {name: a, job: {}}]".to_owned(),
                "f.yaml:1:40: template 'a' is in this file twice",
            ),
            (job("timout: 5"), "f.yaml:3:1: unknown key 'timout'"),
            (job("priority: high"), "f.yaml:3:11: expected a whole number"),
            (job("env: [a]"), "f.yaml:3:6: expected a map, found a list"),
            (job("action: {with: 5}"), "f.yaml:3:16: "),
            ("extends: t\ntimeout: 5".to_owned(), "f.yaml:1:1: the job has no name"),
            ("name: a\nextends: null".to_owned(), "f.yaml:2:10: "),
            ("name: a\nextends: b c\n".to_owned(), "f.yaml:2:10: 'b c' is not a valid template name"),
            ("name: a\nextend: b\ncommand: x\n".to_owned(), "f.yaml:2:1: unknown key 'extend'"),
        ] {
            let error = first_error(&text);
            assert!(error.starts_with(fault), "{text}: {error}");
        }
        assert!(first_error("name: a\nextend: b\ncommand: x\n").contains("did you mean 'extends'?"));
        let large = with(&format!("description: {}", "x".repeat(MAX_TEMPLATE_BYTES)));
        assert!(first_error(&large).contains("65536 are allowed"));
    }

    #[test]
    fn a_mistake_that_only_both_make_names_both() {
        let told = |template: &str, job: &str| {
            let text =
                format!("templates: [{{name: base, job: {{{template}}}}}]\njobs: [{{name: a, extends: base, {job}}}]");
            let contents = contents(&text);
            let overlay = contents.jobs[0].written.overlay().unwrap();
            resolve(overlay, &contents.templates[0].spec).unwrap_err().remove(0)
        };
        let (pointer, message) = told("timeout: 1h", "priority: 3");
        assert_eq!((pointer.as_str(), message.contains("'action'")), ("", true), "{message}");
        assert!(message.contains("template 'base'"), "{message}");
        let (pointer, message) = told("command: x, priority: 12", "timeout: 1h");
        assert_eq!(pointer, "/priority");
        assert!(message.ends_with("template 'base' says so"), "{message}");
        // What the job says itself is its own mistake.
        let (_, message) = told("command: x", "priority: 12");
        assert!(!message.contains("template"), "{message}");
    }

    #[test]
    fn a_template_and_a_job_may_stand_by_themselves() {
        let template = parse_template("name: t\njob: {command: date}\n", Format::Yaml, "body").unwrap();
        assert_eq!(template.job["action"]["use"], "shell");
        assert!(parse_template("[]", Format::Json, "body").is_err());
        let job = parse_one(r#"{"name": "a", "extends": "t"}"#, Format::Json, "body").unwrap();
        assert_eq!(job.overlay().unwrap().template().as_str(), "t");
    }
}
