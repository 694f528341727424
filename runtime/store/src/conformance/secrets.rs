//! Secrets.

use std::sync::Arc;

use sandglass_core::batch::Write;
use sandglass_core::secret::{KeyId, Sealed, Secret};

use super::Subject;
use super::sample::{at, commit, conflict};
use crate::error::ConflictKind;

fn secret(namespace: &str, name: &str, revision: u64) -> Secret {
    let (namespace, name) = (namespace.parse().unwrap(), name.parse().unwrap());
    let sealed = |round: u64| Sealed { key: KeyId([7; 8]), bytes: round.to_le_bytes().to_vec() };
    let hosts = Some(vec!["*.example.org".to_owned()]);
    (1..=revision)
        .fold(None, |old: Option<Secret>, round| {
            Some(Secret::set(old.as_ref(), &namespace, &name, sealed(round), hosts.clone(), at(round as i64)))
        })
        .unwrap()
}

pub(super) fn revisions(subject: &mut dyn Subject) {
    let store = subject.open();
    store.load().unwrap();
    let (first, second) = (secret("n", "A", 1), secret("n", "A", 2));
    let put = |secret: &Secret| Write::PutSecret(Arc::new(secret.clone()));
    let (namespace, name) = (&first.namespace, &first.name);
    let wrong = |expected, found| ConflictKind::SecretRevision {
        namespace: namespace.clone(),
        name: name.clone(),
        expected,
        found,
    };
    let delete = |revision| Write::DeleteSecret { namespace: namespace.clone(), name: name.clone(), revision };
    assert_eq!(conflict(&*store, vec![put(&second)]), wrong(1, None));
    commit(&*store, vec![put(&first)]).unwrap();
    assert_eq!(conflict(&*store, vec![put(&first)]), wrong(0, Some(1)));
    let (other, elsewhere) = (secret("n", "B", 1), secret("n-1", "A", 12));
    commit(&*store, vec![put(&second), put(&other), put(&elsewhere_at_one(&elsewhere))]).unwrap();
    drop(store);
    subject.restart();
    let store = subject.open();
    store.load().unwrap();
    assert_eq!(store.secret(namespace, name).unwrap().as_deref(), Some(&second));
    assert_eq!(store.secrets(Some(namespace)).unwrap(), [Arc::new(second.clone()), Arc::new(other)]);
    assert_eq!(store.secrets(None).unwrap().len(), 3);
    assert_eq!(store.secrets(None).unwrap()[2].versions.len(), 10);
    assert_eq!(conflict(&*store, vec![delete(1)]), wrong(1, Some(2)));
    commit(&*store, vec![delete(2)]).unwrap();
    assert_eq!(conflict(&*store, vec![delete(2)]), wrong(2, None));
    assert_eq!(store.secret(namespace, name).unwrap(), None);
}

/// As if it had been changed only once, so that it can be put where there is none.
fn elsewhere_at_one(secret: &Secret) -> Secret {
    Secret { revision: 1, ..secret.clone() }
}
