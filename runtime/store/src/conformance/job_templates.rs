//! Job templates, and jobs that are laid over one.

use std::sync::Arc;

use sandglass_core::batch::Write;
use sandglass_core::id::{Namespace, TemplateName};
use sandglass_core::job::Job;
use sandglass_core::job_template::JobTemplate;
use sandglass_core::spec::Overlay;

use super::Subject;
use super::sample::{at, commit, conflict, job, put_job};
use crate::error::ConflictKind;

fn template(namespace: &str, name: &str, revision: u64) -> JobTemplate {
    let spec = serde_json::json!({
        "name": name,
        "description": "Sicherungen \u{fc}ber Nacht",
        "job": {
            "timeout": "2h", "retry": { "max_attempts": 3, "factor": 1.1 },
            "action": { "use": "shell", "with": { "nested": [1, { "a": null }] } },
        },
    });
    JobTemplate {
        namespace: namespace.parse().unwrap(),
        revision,
        spec: Arc::new(serde_json::from_value(spec).unwrap()),
        updated_at: at(4),
    }
}

fn put(template: &JobTemplate) -> Write {
    Write::PutTemplate(Arc::new(template.clone()))
}

pub(super) fn revisions(subject: &mut dyn Subject) {
    let store = subject.open();
    store.load().unwrap();
    let namespace: Namespace = "n".parse().unwrap();
    let name: TemplateName = "base".parse().unwrap();
    let wrong = |expected, found| ConflictKind::TemplateRevision {
        namespace: namespace.clone(),
        name: name.clone(),
        expected,
        found,
    };
    let delete = |revision| Write::DeleteTemplate { namespace: namespace.clone(), name: name.clone(), revision };
    let (first, second) = (template("n", "base", 1), template("n", "base", 2));
    assert_eq!(conflict(&*store, vec![put(&second)]), wrong(1, None));
    commit(&*store, vec![put(&first)]).unwrap();
    assert_eq!(conflict(&*store, vec![put(&first)]), wrong(0, Some(1)));
    commit(&*store, vec![put(&second), put(&template("n", "also", 1)), put(&template("n-1", "base", 1))]).unwrap();
    drop(store);
    subject.restart();
    let store = subject.open();
    assert_eq!(store.load().unwrap().templates.len(), 3);
    assert_eq!(store.template(&namespace, &name).unwrap().as_deref(), Some(&second));
    let listed = store.templates(&namespace).unwrap();
    assert_eq!(listed.iter().map(|template| template.spec.name.as_str()).collect::<Vec<_>>(), ["also", "base"]);
    assert_eq!(conflict(&*store, vec![delete(1)]), wrong(1, Some(2)));
    commit(&*store, vec![delete(2)]).unwrap();
    assert_eq!(conflict(&*store, vec![delete(2)]), wrong(2, None));
    assert_eq!(store.template(&namespace, &name).unwrap(), None);
    commit(&*store, vec![put(&first)]).unwrap();
    assert_eq!(store.templates(&namespace).unwrap().len(), 2);
}

pub(super) fn overlays(subject: &mut dyn Subject) {
    let store = subject.open();
    store.load().unwrap();
    let document = serde_json::json!({
        "name": "b", "extends": "base", "env": { "TARGET": null }, "retry": { "factor": 0.1 },
    });
    let overlay = Overlay::new(document.as_object().unwrap().clone()).unwrap();
    let (whole, over) = (job(1, "n", "a"), Job { overlay: Some(Arc::new(overlay)), ..job(2, "n", "b") });
    commit(&*store, vec![put_job(&whole), put_job(&over)]).unwrap();
    drop(store);
    subject.restart();
    let store = subject.open();
    store.load().unwrap();
    for kept in [&whole, &over] {
        assert_eq!(*store.job(kept.id).unwrap().unwrap().job, *kept);
    }
    // A job may let go of its template.
    let changed = Job { revision: 2, overlay: None, ..over };
    commit(&*store, vec![put_job(&changed)]).unwrap();
    assert_eq!(*store.job(changed.id).unwrap().unwrap().job, changed);
}
