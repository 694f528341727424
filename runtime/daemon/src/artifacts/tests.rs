//! What references mean, and to whom.

use std::io::Read as _;
use std::sync::Arc;

use sandglass_core::dependency::UpstreamRun;
use sandglass_core::id::{Digest, JobId};
use sandglass_core::job::Job;
use sandglass_core::run::{Ending, Run, RunState};
use sandglass_core::time::Timestamp;
use sandglass_store::RedbStore;

use super::*;

const AT: Timestamp = Timestamp::from_secs(1_800_000_000);

struct Place(Arc<dyn Store>);

impl Place {
    fn new() -> Self {
        let store = RedbStore::in_memory().unwrap();
        store.load().unwrap();
        Self(Arc::new(store))
    }

    fn write(&self, writes: Vec<Write>) {
        self.0.commit(&[Batch { writes }], AT).unwrap().remove(0).unwrap();
    }

    fn job(&self, number: u128, namespace: &str, name: &str) {
        let job = Job {
            id: JobId::from_bits(number),
            namespace: namespace.parse().unwrap(),
            revision: 1,
            spec: Arc::new(
                serde_json::from_value(serde_json::json!({ "name": name, "action": { "use": "shell" } })).unwrap(),
            ),
            created_at: AT,
            updated_at: AT,
            scheduled_since: AT,
            overlay: None,
        };
        self.write(vec![Write::PutJob(Arc::new(job))]);
    }

    /// A run of the job, with an artifact `a` that says which run it is of, and how it ended, if it did.
    fn run(&self, number: u128, job: u128, namespace: &str, upstream: &[RunId], ending: Option<Ending>) -> RunId {
        let id = RunId::from_bits(number);
        let job = JobId::from_bits(job);
        let queued = Run::queued(id, namespace.parse().unwrap(), job, "job".parse().unwrap(), AT);
        let up = |run: &RunId| UpstreamRun {
            job: "up".parse().unwrap(),
            run: *run,
            state: StateName::Succeeded,
            finished_at: AT,
        };
        let run = Run { upstream: upstream.iter().map(up).collect(), ..queued };
        self.write(vec![Write::InsertRun(Arc::new(run.clone()))]);
        let content = number.to_string();
        let kept = self.0.keep_content(&mut content.as_bytes(), 99).unwrap();
        let artifact = Artifact {
            run: id,
            attempt: 1,
            name: "a".parse().unwrap(),
            size_bytes: kept.size_bytes(),
            digest: Digest::of(content.as_bytes()),
            media_type: "text/plain".to_owned(),
            published_at: AT,
        };
        let limits = ArtifactLimits::STANDARD;
        self.write(vec![Write::PutArtifact { artifact: Arc::new(artifact), limits }]);
        if let Some(ending) = ending {
            let over = Run { version: run.version + 1, state: RunState::Ended { ending, at: AT }, ..run };
            self.write(vec![Write::UpdateRun(Arc::new(over))]);
        }
        id
    }

    /// What a run finds, or what it is told.
    fn found(&self, run: RunId, namespace: &str, reference: &str) -> Result<String, String> {
        let found = find(self.0.as_ref(), run, &namespace.parse().unwrap(), &reference.parse().unwrap());
        let mut text = String::new();
        found.map_err(|error| error.to_string())?.content.read_to_string(&mut text).unwrap();
        Ok(text)
    }
}

#[test]
fn references_lead_to_runs_of_the_same_namespace() {
    let place = Place::new();
    place.job(1, "default", "build");
    place.job(2, "other", "hidden");
    let older = place.run(10, 1, "default", &[], Some(Ending::Succeeded));
    place.run(11, 1, "default", &[], Some(Ending::Succeeded));
    place.run(12, 1, "default", &[], Some(Ending::Failed));
    let foreign = place.run(13, 2, "other", &[], Some(Ending::Succeeded));
    let one = place.run(20, 3, "default", &[older], None);
    // Its own artifact comes before that of a run that it follows from.
    assert_eq!(place.found(one, "default", "a").unwrap(), "20");
    assert_eq!(place.found(one, "default", "build/a").unwrap(), "11");
    assert_eq!(place.found(one, "default", &format!("{older}/a")).unwrap(), "10");
    for hidden in ["hidden/a".to_owned(), format!("{foreign}/a"), "build/b".to_owned(), "b".to_owned()] {
        let told = place.found(one, "default", &hidden).unwrap_err();
        assert!(told.contains("there is no artifact"), "{told}");
    }
    assert_eq!(place.found(foreign, "other", "hidden/a").unwrap(), "13");
    assert!(place.found(foreign, "other", "build/a").is_err());
    let nobody = RunId::from_bits(99);
    assert!(place.found(nobody, "default", "a").is_err());
}

#[test]
fn several_upstream_runs_are_told_apart() {
    let place = Place::new();
    let (first, second) = (place.run(1, 1, "default", &[], None), place.run(2, 1, "default", &[], None));
    let queued = |number, upstream: &[RunId]| {
        let id = RunId::from_bits(number);
        let up = |run: &RunId| UpstreamRun {
            job: "up".parse().unwrap(),
            run: *run,
            state: StateName::Succeeded,
            finished_at: AT,
        };
        let queued = Run::queued(id, Namespace::default(), JobId::from_bits(9), "job".parse().unwrap(), AT);
        place.write(vec![Write::InsertRun(Arc::new(Run { upstream: upstream.iter().map(up).collect(), ..queued }))]);
        id
    };
    let (one, both) = (queued(3, &[first]), queued(4, &[first, second]));
    assert_eq!(place.found(one, "default", "a").unwrap(), "1");
    let told = place.found(both, "default", "a").unwrap_err();
    assert!(told.contains(&format!("{first}/a")) && told.contains("several"), "{told}");
}
