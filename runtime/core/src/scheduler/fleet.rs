//! Targets and groups are saved and deleted. What would not fit together with the rest is refused, so that whoever selects
//! targets later finds each that is named.

use std::sync::Arc;

use super::Scheduler;
use crate::batch::{Expectation, Write};
use crate::event::{Refusal, Reply, SavedTarget, SavedTargetGroup, Step};
use crate::id::{Namespace, TargetGroupName, TargetName};
use crate::target::{Fleet, FleetPart, GroupSpec, Target, TargetGroup, TargetSpec};
use crate::time::Timestamp;

impl Scheduler {
    fn target(&self, namespace: &Namespace, name: &TargetName) -> Option<&Arc<Target>> {
        self.fleets.get(namespace)?.target(name)
    }

    fn group(&self, namespace: &Namespace, name: &TargetGroupName) -> Option<&Arc<TargetGroup>> {
        self.fleets.get(namespace)?.group(name)
    }

    /// The revision of a target or group; 0 if there is none.
    fn fleet_revision(&self, namespace: &Namespace, what: &FleetPart) -> u64 {
        let revision = match what {
            FleetPart::Target(name) => self.target(namespace, name).map(|target| target.revision),
            FleetPart::Group(name) => self.group(namespace, name).map(|group| group.revision),
        };
        revision.unwrap_or(0)
    }

    fn check_expected(&self, namespace: &Namespace, what: FleetPart, expect: Expectation) -> Result<(), Refusal> {
        let actual = self.fleet_revision(namespace, &what);
        if expect.holds(actual) { Ok(()) } else { Err(Refusal::TargetConflict { what, actual }) }
    }

    /// Refuses targets and groups with which the namespace's would not fit together.
    pub(super) fn check_fleet(
        &self,
        namespace: &Namespace,
        targets: &[Arc<TargetSpec>],
        groups: &[Arc<GroupSpec>],
    ) -> Result<(), Refusal> {
        if targets.is_empty() && groups.is_empty() {
            return Ok(());
        }
        let mut fleet = self.fleets.get(namespace).cloned().unwrap_or_default();
        for spec in targets {
            fleet.put_target(target(namespace, 0, spec, Timestamp::EPOCH));
        }
        for spec in groups {
            fleet.put_group(group(namespace, 0, spec, Timestamp::EPOCH));
        }
        fleet.check().map_err(|error| Refusal::Fleet(Box::new(error)))
    }

    pub(super) fn put_target(
        &mut self,
        namespace: &Namespace,
        spec: &Arc<TargetSpec>,
        expect: Expectation,
        now: Timestamp,
        step: &mut Step,
    ) -> Result<Reply, Refusal> {
        self.check_expected(namespace, FleetPart::Target(spec.name.clone()), expect)?;
        self.check_fleet(namespace, std::slice::from_ref(spec), &[])?;
        Ok(Reply::Target(self.save_target(namespace, spec, now, step)))
    }

    pub(super) fn save_target(
        &mut self,
        namespace: &Namespace,
        spec: &Arc<TargetSpec>,
        now: Timestamp,
        step: &mut Step,
    ) -> SavedTarget {
        let old = self.target(namespace, &spec.name);
        if let Some(same) = old.filter(|target| target.spec == *spec) {
            return SavedTarget { target: Arc::clone(same), changed: false };
        }
        let target = target(namespace, old.map_or(0, |target| target.revision) + 1, spec, now);
        self.fleets.entry(namespace.clone()).or_default().put_target(Arc::clone(&target));
        step.batch.writes.push(Write::PutTarget(Arc::clone(&target)));
        SavedTarget { target, changed: true }
    }

    pub(super) fn put_group(
        &mut self,
        namespace: &Namespace,
        spec: &Arc<GroupSpec>,
        expect: Expectation,
        now: Timestamp,
        step: &mut Step,
    ) -> Result<Reply, Refusal> {
        self.check_expected(namespace, FleetPart::Group(spec.name.clone()), expect)?;
        self.check_fleet(namespace, &[], std::slice::from_ref(spec))?;
        Ok(Reply::TargetGroup(self.save_group(namespace, spec, now, step)))
    }

    pub(super) fn save_group(
        &mut self,
        namespace: &Namespace,
        spec: &Arc<GroupSpec>,
        now: Timestamp,
        step: &mut Step,
    ) -> SavedTargetGroup {
        let old = self.group(namespace, &spec.name);
        if let Some(same) = old.filter(|group| group.spec == *spec) {
            return SavedTargetGroup { group: Arc::clone(same), changed: false };
        }
        let group = group(namespace, old.map_or(0, |group| group.revision) + 1, spec, now);
        self.fleets.entry(namespace.clone()).or_default().put_group(Arc::clone(&group));
        step.batch.writes.push(Write::PutTargetGroup(Arc::clone(&group)));
        SavedTargetGroup { group, changed: true }
    }

    pub(super) fn delete_target(
        &mut self,
        namespace: Namespace,
        name: TargetName,
        expect: Expectation,
        step: &mut Step,
    ) -> Result<Reply, Refusal> {
        let revision = self.check_deletable(&namespace, FleetPart::Target(name.clone()), expect)?;
        self.fleets.entry(namespace.clone()).or_default().remove_target(&name);
        step.batch.writes.push(Write::DeleteTarget { namespace, name: name.clone(), revision });
        Ok(Reply::TargetDeleted(name))
    }

    pub(super) fn delete_group(
        &mut self,
        namespace: Namespace,
        name: TargetGroupName,
        expect: Expectation,
        step: &mut Step,
    ) -> Result<Reply, Refusal> {
        let revision = self.check_deletable(&namespace, FleetPart::Group(name.clone()), expect)?;
        self.fleets.entry(namespace.clone()).or_default().remove_group(&name);
        step.batch.writes.push(Write::DeleteTargetGroup { namespace, name: name.clone(), revision });
        Ok(Reply::TargetGroupDeleted(name))
    }

    /// The revision of something that is there and that nothing names.
    fn check_deletable(&self, namespace: &Namespace, what: FleetPart, expect: Expectation) -> Result<u64, Refusal> {
        let nothing = Fleet::default();
        let fleet = self.fleets.get(namespace).unwrap_or(&nothing);
        let revision = self.fleet_revision(namespace, &what);
        if revision == 0 {
            let meant = fleet.meant(&what);
            return Err(Refusal::NoTarget { namespace: namespace.clone(), what, meant });
        }
        let users = match &what {
            FleetPart::Target(name) => fleet.users_of_target(name),
            FleetPart::Group(name) => fleet.users_of_group(name),
        };
        if !users.is_empty() {
            return Err(Refusal::TargetInUse { what, users });
        }
        self.check_expected(namespace, what, expect)?;
        Ok(revision)
    }
}

fn target(namespace: &Namespace, revision: u64, spec: &Arc<TargetSpec>, updated_at: Timestamp) -> Arc<Target> {
    Arc::new(Target { namespace: namespace.clone(), revision, spec: Arc::clone(spec), updated_at })
}

fn group(namespace: &Namespace, revision: u64, spec: &Arc<GroupSpec>, updated_at: Timestamp) -> Arc<TargetGroup> {
    Arc::new(TargetGroup { namespace: namespace.clone(), revision, spec: Arc::clone(spec), updated_at })
}
