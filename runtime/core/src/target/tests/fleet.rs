//! What a fleet selects, and what does not fit together in one.

use super::*;
use crate::id::{TargetGroupName, TargetName};

fn fleet(targets: &[Arc<Target>], groups: &[Arc<TargetGroup>]) -> Fleet {
    Fleet::new(targets.iter().cloned(), groups.iter().cloned())
}

fn example() -> Fleet {
    let labelled = |name: &str, role: &str, zone: &str| {
        kept_target(name, json!({ "labels": { "role": role, "zone": zone }, "jump": "bastion" }))
    };
    fleet(
        &[
            kept_target("bastion", json!({})),
            labelled("web-1", "web", "eu"),
            labelled("web-2", "web", "us"),
            labelled("db-1", "db", "eu"),
        ],
        &[
            kept_group(json!({ "name": "web", "members": ["web-*"] })),
            kept_group(json!({ "name": "eu", "where": "zone == eu" })),
            kept_group(
                json!({ "name": "eu-web", "members": ["group:web", "db-1"], "where": "zone == eu and role == web" }),
            ),
            kept_group(json!({ "name": "all", "members": ["group:web", "group:eu", "bastion"] })),
            kept_group(json!({ "name": "nobody", "where": "role == mail" })),
        ],
    )
}

fn names(fleet: &Fleet, selectors: &[&str]) -> Result<Vec<String>, String> {
    let selectors: Vec<Selector> = selectors.iter().map(|text| text.parse().unwrap()).collect();
    let found = fleet.select(&selectors).map_err(|error| error.to_string())?;
    Ok(found.iter().map(|target| target.spec.name.to_string()).collect())
}

#[test]
fn selectors_come_to_targets_by_name_and_each_once() {
    let fleet = example();
    for (selectors, expected) in [
        (&["web-2", "db-1", "web-2"][..], &["db-1", "web-2"][..]),
        (&["web-*"], &["web-1", "web-2"]),
        (&["*-1", "bastion"], &["bastion", "db-1", "web-1"]),
        (&["mail-*"], &[]),
        (&["group:web"], &["web-1", "web-2"]),
        (&["group:eu"], &["db-1", "web-1"]),
        (&["group:eu-web"], &["web-1"]),
        (&["group:all"], &["bastion", "db-1", "web-1", "web-2"]),
        (&["group:nobody"], &[]),
        (&["role == web and zone == us", "db-1"], &["db-1", "web-2"]),
        (&["(role)"], &["db-1", "web-1", "web-2"]),
        (&["*"], &["bastion", "db-1", "web-1", "web-2"]),
        (&[], &[]),
    ] {
        assert_eq!(names(&fleet, selectors).unwrap(), expected, "{selectors:?}");
    }
}

#[test]
fn what_is_not_there_is_told_with_what_was_meant() {
    let fleet = example();
    for (selector, says) in [
        ("web-3", "there is no target 'web-3' (did you mean 'web-1'?)"),
        ("group:wep", "there is no group 'wep' (did you mean 'web'?)"),
        ("web", "there is no target 'web' (did you mean 'group:web'?)"),
        ("something-else", "there is no target 'something-else'"),
    ] {
        assert_eq!(names(&fleet, &[selector]).unwrap_err(), says);
    }
}

#[test]
fn a_whole_fleet_fits_together() {
    example().check().unwrap();
    Fleet::default().check().unwrap();
}

fn jumps(pairs: &[(&str, Option<&str>)]) -> Fleet {
    let target = |(name, jump): &(&str, Option<&str>)| match jump {
        Some(jump) => kept_target(name, json!({ "jump": jump })),
        None => kept_target(name, json!({})),
    };
    fleet(&pairs.iter().map(target).collect::<Vec<_>>(), &[])
}

fn refused(fleet: &Fleet) -> (String, Vec<String>) {
    let error = fleet.check().unwrap_err();
    let places = error.places().into_iter().map(|(part, pointer)| format!("{part} {pointer}")).collect();
    (error.to_string(), places)
}

#[test]
fn jumps_lead_somewhere_and_not_too_far() {
    let (error, places) = refused(&jumps(&[("a", Some("bastoin")), ("bastion", None)]));
    assert!(
        error.contains("target 'a' names target 'bastoin', which is not there (did you mean 'bastion'?)"),
        "{error}"
    );
    assert_eq!(places, ["target 'a' /jump"]);
    let (error, places) = refused(&jumps(&[("a", Some("b")), ("b", Some("c")), ("c", Some("b"))]));
    assert!(error.contains("'b' by way of 'c' by way of 'b'"), "{error}");
    assert_eq!(places, ["target 'b' /jump", "target 'c' /jump", "target 'b' /jump"]);
    assert!(refused(&jumps(&[("a", Some("a"))])).0.contains("in a circle: 'a' by way of 'a'"));
    let chain = [("a", Some("b")), ("b", Some("c")), ("c", Some("d")), ("d", Some("e")), ("e", None)];
    let fits = jumps(&chain);
    fits.check().unwrap();
    let way = fits.way_to(&"a".parse().unwrap());
    assert_eq!(way.iter().map(|target| target.spec.name.as_str()).collect::<Vec<_>>(), ["e", "d", "c", "b"]);
    assert!(fits.way_to(&"e".parse().unwrap()).is_empty() && fits.way_to(&"x".parse().unwrap()).is_empty());
    let long = [&chain[..], &[("0", Some("a"))]].concat();
    assert!(refused(&jumps(&long)).0.contains("the way to target '0' is too long"));
}

fn groups(members: &[(&str, &[&str])]) -> Fleet {
    let group = |(name, members): &(&str, &[&str])| kept_group(json!({ "name": name, "members": members }));
    fleet(&[kept_target("t", json!({}))], &members.iter().map(group).collect::<Vec<_>>())
}

#[test]
fn groups_have_members_that_are_there_and_not_themselves() {
    let (error, places) = refused(&groups(&[("a", &["t", "x"])]));
    assert!(error.contains("group 'a' names target 'x', which is not there"), "{error}");
    assert_eq!(places, ["group 'a' /members/1"]);
    let (error, _) = refused(&groups(&[("a", &["group:wep"]), ("web", &["t"])]));
    assert!(error.contains("names group 'wep', which is not there (did you mean 'web'?)"), "{error}");
    let (error, places) = refused(&groups(&[("a", &["group:b"]), ("b", &["t", "group:c"]), ("c", &["group:b"])]));
    assert!(error.contains("'b' has 'c' has 'b'"), "{error}");
    assert_eq!(places[0], "group 'b' /members");
    assert!(refused(&groups(&[("a", &["group:a"])])).0.contains("would be a member of itself"));
    // As deep as it may be, by whichever way the deepest is found first.
    let names: Vec<String> = (0..=MAX_GROUP_DEPTH).map(|level| format!("g{level}")).collect();
    let deep = |levels: usize| {
        let group = |level: usize| {
            let member = if level == 0 { "t".to_owned() } else { format!("group:g{}", level - 1) };
            kept_group(json!({ "name": names[level], "members": [member] }))
        };
        fleet(&[kept_target("t", json!({}))], &(0..levels).map(group).collect::<Vec<_>>())
    };
    deep(MAX_GROUP_DEPTH).check().unwrap();
    assert_eq!(super::fleet::names(&deep(MAX_GROUP_DEPTH), &["group:g7"]).unwrap(), ["t"]);
    assert!(refused(&deep(MAX_GROUP_DEPTH + 1)).0.contains("nested too deeply"));
}

#[test]
fn groups_that_share_members_are_asked_once() {
    // Each of seven levels has all of the level below it ten times over: ten million ways down.
    let mut all = vec![];
    for level in 0..7 {
        for number in 0..10 {
            let below: Vec<String> = (0..10).map(|below| format!("group:g{}-{below}", level - 1)).collect();
            let members = if level == 0 { vec!["t".to_owned()] } else { below };
            all.push(kept_group(json!({ "name": format!("g{level}-{number}"), "members": members })));
        }
    }
    let fleet = fleet(&[kept_target("t", json!({}))], &all);
    fleet.check().unwrap();
    assert_eq!(names(&fleet, &["group:g6-0", "group:g6-9"]).unwrap(), ["t"]);
}

#[test]
fn there_is_a_most_of_both() {
    let target = kept_target("t", json!({}));
    let many = (0..=MAX_TARGETS).map(|number| {
        let spec = TargetSpec { name: format!("t{number}").parse().unwrap(), ..TargetSpec::clone(&target.spec) };
        Arc::new(Target { spec: Arc::new(spec), ..Target::clone(&target) })
    });
    assert!(Fleet::new(many, []).check().unwrap_err().to_string().contains("2000 are allowed"));
    let many = (0..=MAX_GROUPS).map(|number| kept_group(json!({ "name": format!("g{number}"), "where": "a" })));
    let error = Fleet::new([], many).check().unwrap_err();
    assert!(error.to_string().contains("200 are allowed") && error.places().is_empty(), "{error}");
}

#[test]
fn users_are_those_that_name_it() {
    let fleet = example();
    let users = |name: &str| fleet.users_of_target(&name.parse::<TargetName>().unwrap());
    assert_eq!(users("bastion").to_string(), "target 'db-1', target 'web-1', target 'web-2', group 'all'");
    assert_eq!(users("db-1").to_string(), "group 'eu-web'");
    assert!(users("web-1").is_empty());
    let users = fleet.users_of_group(&"web".parse::<TargetGroupName>().unwrap());
    assert_eq!(users.to_string(), "group 'all', group 'eu-web'");
    let mut less = fleet.clone();
    less.remove_group(&"eu".parse().unwrap());
    assert!(less.check().unwrap_err().to_string().contains("group 'all' names group 'eu'"));
}
