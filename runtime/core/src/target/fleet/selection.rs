//! Selecting: from names, patterns, groups and expressions to targets.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Fleet, FleetPart, MAX_GROUP_DEPTH, SelectError};
use crate::id::{TargetGroupName, TargetName};
use crate::target::{Member, Selector};

/// The names of the targets that `selectors` name.
pub(super) fn select<'a>(fleet: &'a Fleet, selectors: &[Selector]) -> Result<BTreeSet<&'a TargetName>, SelectError> {
    let mut selection = Selection { fleet, groups: BTreeMap::new() };
    let mut found = BTreeSet::new();
    for selector in selectors {
        match selector {
            Selector::Named(member) => selection.add(member, 0, &mut found)?,
            Selector::Where(expression) => {
                let fits = fleet.targets.iter().filter(|(_, target)| expression.selects(&target.spec));
                found.extend(fits.map(|(name, _)| name));
            }
        }
    }
    Ok(found)
}

/// A selection under way, which asks each group once.
struct Selection<'a> {
    fleet: &'a Fleet,
    groups: BTreeMap<&'a TargetGroupName, Arc<BTreeSet<&'a TargetName>>>,
}

impl<'a> Selection<'a> {
    fn add(&mut self, member: &Member, depth: usize, found: &mut BTreeSet<&'a TargetName>) -> Result<(), SelectError> {
        match member {
            Member::Target(name) => match self.fleet.targets.get_key_value(name) {
                Some((name, _)) => _ = found.insert(name),
                None => return Err(self.no(FleetPart::Target(name.clone()))),
            },
            Member::Pattern(pattern) => {
                found.extend(self.fleet.targets.keys().filter(|name| pattern.matches(name)));
            }
            Member::Group(name) => found.extend(self.group(name, depth)?.iter().copied()),
        }
        Ok(())
    }

    fn group(&mut self, name: &TargetGroupName, depth: usize) -> Result<Arc<BTreeSet<&'a TargetName>>, SelectError> {
        if let Some(known) = self.groups.get(name) {
            return Ok(Arc::clone(known));
        }
        let Some((name, group)) = self.fleet.groups.get_key_value(name) else {
            return Err(self.no(FleetPart::Group(name.clone())));
        };
        let mut found = BTreeSet::new();
        if group.spec.members.is_empty() {
            found.extend(self.fleet.targets.keys());
        }
        // A saved fleet is never so deep; a circle would otherwise not end.
        if depth < MAX_GROUP_DEPTH {
            for member in &group.spec.members {
                self.add(member, depth + 1, &mut found)?;
            }
        }
        if let Some(filter) = &group.spec.filter {
            found.retain(|name| self.fleet.targets.get(*name).is_some_and(|target| filter.selects(&target.spec)));
        }
        let found = Arc::new(found);
        self.groups.insert(name, Arc::clone(&found));
        Ok(found)
    }

    fn no(&self, missing: FleetPart) -> SelectError {
        let meant = self.fleet.meant(&missing);
        SelectError { missing, meant }
    }
}
