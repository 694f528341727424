//! Targets and groups: saved at their revisions, with jobs or alone, and never so that they do not fit together.

use super::*;
use crate::event::{SavedTarget, SavedTargetGroup};
use crate::target::{GroupSpec, TargetSpec};

fn target(name: &str, jump: Option<&str>) -> Arc<TargetSpec> {
    let mut spec = serde_json::json!({
        "name": name, "address": "10.0.0.5", "account": "deploy", "key": "KEY",
        "host_key": format!("SHA256:{}", "A".repeat(43)),
    });
    if let Some(jump) = jump {
        spec["jump"] = jump.into();
    }
    Arc::new(serde_json::from_value(spec).unwrap())
}

fn group(name: &str, members: &[&str]) -> Arc<GroupSpec> {
    Arc::new(serde_json::from_value(serde_json::json!({ "name": name, "members": members })).unwrap())
}

fn ask(world: &mut World, now: Timestamp, command: Command) -> Reply {
    world.at(now, Event::Command { ticket: Ticket(8), command });
    world.replies.pop().unwrap()
}

fn put(world: &mut World, now: Timestamp, spec: &Arc<TargetSpec>, expect: Expectation) -> Reply {
    let command = Command::PutTarget { namespace: Namespace::default(), spec: Arc::clone(spec), expect };
    ask(world, now, command)
}

fn put_group(world: &mut World, now: Timestamp, spec: &Arc<GroupSpec>) -> Reply {
    let (namespace, spec, expect) = (Namespace::default(), Arc::clone(spec), Expectation::Anything);
    ask(world, now, Command::PutTargetGroup { namespace, spec, expect })
}

fn apply(world: &mut World, now: Timestamp, targets: Vec<Arc<TargetSpec>>, groups: Vec<Arc<GroupSpec>>) -> Reply {
    let together = Together { targets, groups, ..Together::default() };
    ask(world, now, Command::Apply { namespace: Namespace::default(), together })
}

fn delete(world: &mut World, now: Timestamp, name: &str) -> Reply {
    let (namespace, name) = (Namespace::default(), name.parse().unwrap());
    ask(world, now, Command::DeleteTarget { namespace, name, expect: Expectation::Anything })
}

#[track_caller]
fn refused(reply: Reply, says: &str) {
    let Reply::Refused(refusal) = reply else { panic!("{reply:?}") };
    assert!(refusal.to_string().contains(says), "{refusal}");
}

#[test]
fn a_target_has_revisions_and_outlives_a_restart() {
    let mut world = World::new(4);
    let spec = target("web-1", None);
    let Reply::Target(SavedTarget { target: saved, changed: true }) = put(&mut world, t(1), &spec, Expectation::Absent)
    else {
        panic!("saved");
    };
    assert_eq!((saved.revision, saved.updated_at), (1, t(1)));
    let same = put(&mut world, t(2), &spec, Expectation::At(1));
    assert!(matches!(same, Reply::Target(SavedTarget { changed: false, .. })), "{same:?}");
    refused(put(&mut world, t(2), &spec, Expectation::Absent), "target 'web-1' is at revision 1");
    world.load(t(3));
    let other = TargetSpec { description: Some("front".to_owned()), ..TargetSpec::clone(&spec) };
    let changed = put(&mut world, t(3), &Arc::new(other), Expectation::At(1));
    assert!(matches!(changed, Reply::Target(SavedTarget { target, changed: true }) if target.revision == 2));
    assert!(matches!(delete(&mut world, t(4), "web-1"), Reply::TargetDeleted(_)));
    refused(delete(&mut world, t(4), "web-1"), "there is no target 'web-1'");
    world.load(t(5));
    let again = put(&mut world, t(5), &spec, Expectation::Anything);
    assert!(matches!(again, Reply::Target(SavedTarget { target, .. }) if target.revision == 1));
}

#[test]
fn what_is_named_stays_and_must_be_there() {
    let mut world = World::new(4);
    refused(put(&mut world, t(1), &target("web-1", Some("bastion")), Expectation::Anything), "which is not there");
    refused(put_group(&mut world, t(1), &group("web", &["web-1"])), "which is not there");
    put(&mut world, t(1), &target("bastion", None), Expectation::Anything);
    put(&mut world, t(1), &target("web-1", Some("bastion")), Expectation::Anything);
    let saved = put_group(&mut world, t(1), &group("web", &["web-1"]));
    assert!(matches!(saved, Reply::TargetGroup(SavedTargetGroup { changed: true, .. })), "{saved:?}");
    world.load(t(2));
    refused(delete(&mut world, t(2), "bastion"), "target 'bastion' is named by target 'web-1': delete or change that");
    refused(delete(&mut world, t(2), "web-1"), "target 'web-1' is named by group 'web'");
    refused(delete(&mut world, t(2), "bastoin"), "did you mean 'bastion'?");
    let circle = put(&mut world, t(2), &target("bastion", Some("web-1")), Expectation::Anything);
    refused(circle, "in a circle");
    let delete_group = |world: &mut World, expect| {
        let (namespace, name) = (Namespace::default(), "web".parse().unwrap());
        ask(world, t(3), Command::DeleteTargetGroup { namespace, name, expect })
    };
    refused(delete_group(&mut world, Expectation::At(2)), "group 'web' is at revision 1");
    assert!(matches!(delete_group(&mut world, Expectation::At(1)), Reply::TargetGroupDeleted(_)));
    assert!(matches!(delete(&mut world, t(4), "web-1"), Reply::TargetDeleted(_)));
}

#[test]
fn targets_and_groups_are_saved_together_or_not_at_all() {
    let mut world = World::new(4);
    let bad = vec![group("web", &["web-1", "group:db"])];
    refused(apply(&mut world, t(1), vec![target("web-1", None)], bad), "group 'web' names group 'db'");
    refused(delete(&mut world, t(1), "web-1"), "there is no target");
    // Each may name what comes with it, in whatever order.
    let targets = vec![target("web-1", Some("bastion")), target("bastion", None)];
    let groups = vec![group("web", &["web-1", "group:db"]), group("db", &["bastion"])];
    let Reply::Applied { targets, groups, .. } = apply(&mut world, t(2), targets, groups) else { panic!("applied") };
    assert!(targets.iter().all(|saved| saved.changed) && groups.iter().all(|saved| saved.changed));
    assert_eq!((targets[1].target.spec.name.as_str(), groups[0].group.revision), ("bastion", 1));
    let rehearse = Together { groups: vec![group("db", &["group:web"])], ..Together::default() };
    let command = Command::Rehearse { namespace: Namespace::default(), together: rehearse };
    refused(ask(&mut world, t(3), command), "would be a member of itself");
}
