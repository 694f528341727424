//! Targets and groups.

use std::sync::Arc;

use sandglass_core::batch::Write;
use sandglass_core::id::{Namespace, TargetGroupName, TargetName};
use sandglass_core::target::{Target, TargetGroup};

use super::Subject;
use super::sample::{at, commit, conflict};
use crate::error::ConflictKind;

fn target(namespace: &str, name: &str, revision: u64) -> Target {
    let spec = serde_json::json!({
        "name": name, "description": "B\u{fc}ro", "address": "web-1.example.com", "port": 2222, "account": "deploy",
        "platform": "macos", "labels": { "role": "web", "zone": "eu" }, "key": "KEY", "key_passphrase": "PASS",
        "host_key": [format!("SHA256:{}", "A".repeat(43))], "jump": "bastion", "become": ["root"],
    });
    Target {
        namespace: namespace.parse().unwrap(),
        revision,
        spec: Arc::new(serde_json::from_value(spec).unwrap()),
        updated_at: at(4),
    }
}

fn group(namespace: &str, name: &str, revision: u64) -> TargetGroup {
    let spec = serde_json::json!({
        "name": name, "members": ["web-1", "web-*", "group:db"], "where": "role == web and not (zone == 'a b' or rack)",
    });
    TargetGroup {
        namespace: namespace.parse().unwrap(),
        revision,
        spec: Arc::new(serde_json::from_value(spec).unwrap()),
        updated_at: at(4),
    }
}

pub(super) fn targets(subject: &mut dyn Subject) {
    let store = subject.open();
    store.load().unwrap();
    let put = |target: &Target| Write::PutTarget(Arc::new(target.clone()));
    let (namespace, name): (Namespace, TargetName) = ("n".parse().unwrap(), "web-1".parse().unwrap());
    let wrong = |expected, found| ConflictKind::TargetRevision {
        namespace: namespace.clone(),
        name: name.clone(),
        expected,
        found,
    };
    let delete = |revision| Write::DeleteTarget { namespace: namespace.clone(), name: name.clone(), revision };
    let (first, second) = (target("n", "web-1", 1), target("n", "web-1", 2));
    assert_eq!(conflict(&*store, vec![put(&second)]), wrong(1, None));
    commit(&*store, vec![put(&first)]).unwrap();
    assert_eq!(conflict(&*store, vec![put(&first)]), wrong(0, Some(1)));
    commit(&*store, vec![put(&second), put(&target("n", "also", 1)), put(&target("n-1", "web-1", 1))]).unwrap();
    drop(store);
    subject.restart();
    let store = subject.open();
    assert_eq!(store.load().unwrap().targets.len(), 3);
    assert_eq!(store.target(&namespace, &name).unwrap().as_deref(), Some(&second));
    let listed = store.targets(&namespace).unwrap();
    assert_eq!(listed.iter().map(|target| target.spec.name.as_str()).collect::<Vec<_>>(), ["also", "web-1"]);
    assert_eq!(conflict(&*store, vec![delete(1)]), wrong(1, Some(2)));
    commit(&*store, vec![delete(2)]).unwrap();
    assert_eq!(conflict(&*store, vec![delete(2)]), wrong(2, None));
    assert_eq!(store.target(&namespace, &name).unwrap(), None);
    commit(&*store, vec![put(&first)]).unwrap();
    assert_eq!(store.targets(&namespace).unwrap().len(), 2);
}

pub(super) fn groups(subject: &mut dyn Subject) {
    let store = subject.open();
    store.load().unwrap();
    let put = |group: &TargetGroup| Write::PutTargetGroup(Arc::new(group.clone()));
    let (namespace, name): (Namespace, TargetGroupName) = ("n".parse().unwrap(), "web".parse().unwrap());
    let wrong = |expected, found| ConflictKind::TargetGroupRevision {
        namespace: namespace.clone(),
        name: name.clone(),
        expected,
        found,
    };
    let delete = |revision| Write::DeleteTargetGroup { namespace: namespace.clone(), name: name.clone(), revision };
    let (first, second) = (group("n", "web", 1), group("n", "web", 2));
    assert_eq!(conflict(&*store, vec![put(&second)]), wrong(1, None));
    // A target of the same name is something else.
    let namesake = Write::PutTarget(Arc::new(target("n", "web", 1)));
    commit(&*store, vec![put(&first), namesake]).unwrap();
    assert_eq!(conflict(&*store, vec![put(&first)]), wrong(0, Some(1)));
    commit(&*store, vec![put(&second), put(&group("n", "all", 1)), put(&group("n-1", "web", 1))]).unwrap();
    drop(store);
    subject.restart();
    let store = subject.open();
    assert_eq!(store.load().unwrap().groups.len(), 3);
    assert_eq!(store.target_group(&namespace, &name).unwrap().as_deref(), Some(&second));
    let listed = store.target_groups(&namespace).unwrap();
    assert_eq!(listed.iter().map(|group| group.spec.name.as_str()).collect::<Vec<_>>(), ["all", "web"]);
    assert_eq!(conflict(&*store, vec![delete(1)]), wrong(1, Some(2)));
    commit(&*store, vec![delete(2)]).unwrap();
    assert_eq!(conflict(&*store, vec![delete(2)]), wrong(2, None));
    assert_eq!(store.target_group(&namespace, &name).unwrap(), None);
    assert_eq!(store.targets(&namespace).unwrap().len(), 1);
}
