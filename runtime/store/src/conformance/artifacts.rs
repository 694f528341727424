//! Artifacts and their contents.

use std::io::Read as _;
use std::sync::Arc;

use sandglass_core::artifact::{Artifact, ArtifactLimits, ArtifactsFull};
use sandglass_core::batch::Write;
use sandglass_core::id::{Digest, RunId};
use sandglass_core::run::Ending;

use super::Subject;
use super::sample::{NOW, at, commit, conflict, ended, insert, job, moved, run, update};
use crate::artifact::ContentError;
use crate::contract::Store;
use crate::error::{ConflictKind, StoreError};
use crate::records::Prune;

fn artifact(run: RunId, name: &str, content: &[u8]) -> Artifact {
    Artifact {
        run,
        attempt: 1,
        name: name.parse().unwrap(),
        size_bytes: content.len() as u64,
        digest: Digest::of(content),
        media_type: "text/plain".to_owned(),
        published_at: at(5),
    }
}

fn put(artifact: &Artifact) -> Write {
    Write::PutArtifact { artifact: Arc::new(artifact.clone()), limits: ArtifactLimits::STANDARD }
}

/// Keeps the content and records the artifact.
fn publish(store: &dyn Store, run: RunId, name: &str, content: &[u8]) -> Artifact {
    let artifact = artifact(run, name, content);
    let kept = store.keep_content(&mut &*content, 100).unwrap();
    assert_eq!((*kept.digest(), kept.size_bytes()), (artifact.digest, artifact.size_bytes));
    commit(store, vec![put(&artifact)]).unwrap();
    artifact
}

fn content(store: &dyn Store, content: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut file = store.open_content(&Digest::of(content)).unwrap()?;
    file.read_to_end(&mut bytes).unwrap();
    Some(bytes)
}

pub(super) fn life(subject: &mut dyn Subject) {
    let store = subject.open();
    store.load().unwrap();
    let (here, there) = (job(1, "default", "a"), job(2, "other", "b"));
    let (first, second) = (run(1, &here, 0), run(2, &there, 1));
    commit(&*store, vec![insert(&first), insert(&second)]).unwrap();
    let both = publish(&*store, first.id, "b/c", b"both");
    let own = publish(&*store, first.id, "a", b"own");
    publish(&*store, second.id, "b/c", b"both");
    assert_eq!(store.artifacts(first.id).unwrap(), [own.clone(), both.clone()]);
    assert_eq!(store.artifact(first.id, &both.name).unwrap(), Some(both));
    assert_eq!(store.artifact(second.id, &own.name).unwrap(), None);
    // A name has its last content; the one before goes once somebody says so.
    let own = publish(&*store, first.id, "a", b"newer");
    assert_eq!(store.artifact(first.id, &own.name).unwrap(), Some(own));
    store.release_content(&Digest::of(b"own")).unwrap();
    store.release_content(&Digest::of(b"newer")).unwrap();
    assert_eq!((content(&*store, b"own"), content(&*store, b"newer")), (None, Some(b"newer".to_vec())));
    store.check().unwrap();
    for run in [&first, &second] {
        commit(&*store, vec![update(&moved(run, ended(Ending::Succeeded)))]).unwrap();
    }
    assert_eq!(conflict(&*store, vec![put(&artifact(first.id, "late", b""))]), ConflictKind::RunEnded(first.id));
    store.prune(&Prune::Runs(vec![first.id]), NOW, 9).unwrap();
    assert_eq!(store.artifacts(first.id).unwrap(), []);
    assert_eq!((content(&*store, b"newer"), content(&*store, b"both")), (None, Some(b"both".to_vec())));
    store.prune(&Prune::Runs(vec![second.id]), NOW, 9).unwrap();
    assert_eq!(content(&*store, b"both"), None);
    store.check().unwrap();
}

pub(super) fn bounds(subject: &mut dyn Subject) {
    let store = subject.open();
    store.load().unwrap();
    let job = job(1, "default", "a");
    let (first, second) = (run(1, &job, 0), run(2, &job, 1));
    commit(&*store, vec![insert(&first), insert(&second)]).unwrap();
    assert!(matches!(store.keep_content(&mut &b"12345"[..], 4), Err(ContentError::TooLarge(4))));
    let limits = ArtifactLimits { artifact: 10, run: 10, namespace: 15 };
    let write = |run: RunId, name: &str, size: usize| Write::PutArtifact {
        artifact: Arc::new(artifact(run, name, &vec![0; size])),
        limits,
    };
    commit(&*store, vec![write(first.id, "a", 6)]).unwrap();
    let full = |full| ConflictKind::ArtifactsFull(full);
    let of_run = ArtifactsFull::Run { bytes: 11, most: 10 };
    assert_eq!(conflict(&*store, vec![write(first.id, "b", 5)]), full(of_run));
    // What takes the place of another counts instead of it.
    commit(&*store, vec![write(first.id, "a", 10)]).unwrap();
    let namespace = job.namespace.clone();
    let of_namespace = ArtifactsFull::Namespace { namespace, bytes: 16, most: 15 };
    assert_eq!(conflict(&*store, vec![write(second.id, "a", 6)]), full(of_namespace));
    commit(&*store, vec![update(&moved(&first, ended(Ending::Failed)))]).unwrap();
    store.prune(&Prune::Runs(vec![first.id]), NOW, 9).unwrap();
    commit(&*store, vec![write(second.id, "a", 6)]).unwrap();
}

pub(super) fn sweep(subject: &mut dyn Subject) {
    let store = subject.open();
    store.load().unwrap();
    let run = run(1, &job(1, "default", "a"), 0);
    commit(&*store, vec![insert(&run)]).unwrap();
    publish(&*store, run.id, "a", b"kept");
    publish(&*store, run.id, "a", b"kept then");
    let held = store.keep_content(&mut &b"held"[..], 9).unwrap();
    store.release_content(held.digest()).unwrap();
    assert_eq!(content(&*store, b"held").as_deref(), Some(&b"held"[..]));
    drop(held);
    assert_eq!((content(&*store, b"held"), content(&*store, b"kept").is_some()), (None, true));
    drop(store);
    subject.restart();
    let store = subject.open();
    store.load().unwrap();
    assert_eq!((content(&*store, b"kept"), content(&*store, b"kept then").is_some()), (None, true));
    // What an artifact has must be there.
    commit(&*store, vec![put(&artifact(run.id, "lost", b"lost"))]).unwrap();
    let damage = store.check().unwrap_err();
    assert!(matches!(&damage, StoreError::Corrupt { what } if what.contains("'lost'")), "{damage}");
}
