//! The notifiers of namespaces.

use std::sync::Arc;

use sandglass_core::batch::Write;
use sandglass_core::id::Namespace;
use sandglass_core::notice::NamespaceNotify;

use super::Subject;
use super::sample::{at, commit, conflict};
use crate::error::ConflictKind;

fn notify(namespace: &str, revision: u64) -> NamespaceNotify {
    let notifiers = serde_json::json!([
        { "on": ["failed", { "late": "5m" }], "use": "http", "with": { "url": "http://x/{{ run.id }}" }, "group": "2m" },
        { "on": [{ "no_success_within": "26h" }], "use": "shell", "env": { "A": "\u{e4}" }, "retry": { "factor": 1.7 } },
    ]);
    NamespaceNotify {
        namespace: namespace.parse().unwrap(),
        revision,
        notify: Arc::new(serde_json::from_value(notifiers).unwrap()),
        updated_at: at(4),
    }
}

fn put(notify: &NamespaceNotify) -> Write {
    Write::PutNotify(Arc::new(notify.clone()))
}

pub(super) fn revisions(subject: &mut dyn Subject) {
    let store = subject.open();
    store.load().unwrap();
    let namespace: Namespace = "n".parse().unwrap();
    let wrong = |expected, found| ConflictKind::NotifyRevision { namespace: namespace.clone(), expected, found };
    let delete = |revision| Write::DeleteNotify { namespace: namespace.clone(), revision };
    let (first, second) = (notify("n", 1), notify("n", 2));
    assert_eq!(conflict(&*store, vec![put(&second)]), wrong(1, None));
    commit(&*store, vec![put(&first)]).unwrap();
    assert_eq!(conflict(&*store, vec![put(&first)]), wrong(0, Some(1)));
    commit(&*store, vec![put(&second), put(&notify("n-1", 1))]).unwrap();
    drop(store);
    subject.restart();
    let store = subject.open();
    assert_eq!(store.load().unwrap().notify, [Arc::new(second.clone()), Arc::new(notify("n-1", 1))]);
    assert_eq!(store.notify(&namespace).unwrap().as_deref(), Some(&second));
    assert_eq!(conflict(&*store, vec![delete(1)]), wrong(1, Some(2)));
    commit(&*store, vec![delete(2)]).unwrap();
    assert_eq!(conflict(&*store, vec![delete(2)]), wrong(2, None));
    assert_eq!(store.notify(&namespace).unwrap(), None);
    commit(&*store, vec![put(&first)]).unwrap();
}
