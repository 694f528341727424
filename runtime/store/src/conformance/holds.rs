//! What holds jobs and namespaces back.

use sandglass_core::batch::Write;
use sandglass_core::hold::{Hold, HoldSubject, Holds, Standing};

use super::Subject;
use super::sample::{at, commit, conflict, job, job_id, put_job};
use crate::error::ConflictKind;

fn hold(by: &str, reason: Option<&str>) -> Option<Hold> {
    Some(Hold { by: by.to_owned(), since: at(7), reason: reason.map(str::to_owned) })
}

pub(super) fn kept(subject: &mut dyn Subject) {
    let store = subject.open();
    store.load().unwrap();
    let job = job(1, "n", "a");
    let of_job = |holds: &Holds| Write::PutHolds { subject: HoldSubject::Job(job.id), holds: holds.clone() };
    let of_namespace = |name: &str, holds: &Holds| Write::PutHolds {
        subject: HoldSubject::Namespace(name.parse().unwrap()),
        holds: holds.clone(),
    };
    let own = Holds { paused: hold("root", Some("Wartung \u{e4}")), disabled: None };
    let all = Holds { paused: None, disabled: hold("admin", None) };
    assert_eq!(conflict(&*store, vec![of_job(&own)]), ConflictKind::NoJob(job_id(1)));
    commit(&*store, vec![put_job(&job), of_job(&own), of_namespace("n", &all)]).unwrap();
    // Another namespace, and one whose name begins with this one's.
    commit(&*store, vec![of_namespace("n-1", &own)]).unwrap();
    drop(store);
    subject.restart();
    let store = subject.open();
    let mut loaded = store.load().unwrap().holds;
    loaded.sort_by(|one, other| one.0.cmp(&other.0));
    let namespace = |name: &str| HoldSubject::Namespace(name.parse().unwrap());
    let expected =
        vec![(HoldSubject::Job(job.id), own.clone()), (namespace("n"), all.clone()), (namespace("n-1"), own.clone())];
    assert_eq!(loaded, expected);
    let standing = store.job(job.id).unwrap().unwrap().standing;
    assert_eq!(standing, Some(Box::new(Standing { own, namespace: all })));
    let none = Holds::default();
    commit(&*store, vec![of_job(&none), of_namespace("n", &none)]).unwrap();
    assert_eq!(store.job_named(&job.namespace, &job.spec.name).unwrap().unwrap().standing, None);
    assert_eq!(store.load().unwrap().holds.len(), 1);
    // What held a job back goes with it.
    commit(&*store, vec![of_job(&Holds { paused: None, disabled: hold("root", None) })]).unwrap();
    commit(&*store, vec![Write::DeleteJob { id: job.id, revision: 1 }]).unwrap();
    assert_eq!(store.load().unwrap().holds.len(), 1);
}
