//! All targets and groups of a namespace: what is selected, and whether it fits together.

mod error;
mod selection;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

pub use error::{FleetError, FleetPart, SelectError};

use super::selector::{Member, Selector};
use super::{Target, TargetGroup};
use crate::id::{TargetGroupName, TargetName};
use crate::spelling::nearest;

/// The most targets of a namespace.
pub const MAX_TARGETS: usize = 2000;
/// The most groups of targets of a namespace.
pub const MAX_GROUPS: usize = 200;
/// The most machines that a connection goes through before it is at its target.
pub const MAX_JUMPS: usize = 4;
/// How deeply groups may be in groups.
pub const MAX_GROUP_DEPTH: usize = 8;

/// The targets and groups of a namespace.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Fleet {
    targets: BTreeMap<TargetName, Arc<Target>>,
    groups: BTreeMap<TargetGroupName, Arc<TargetGroup>>,
}

/// What names a target or a group.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TargetUsers {
    /// Targets that are reached by way of it.
    pub targets: Vec<TargetName>,
    /// Groups that name it. A pattern or an expression names nobody.
    pub groups: Vec<TargetGroupName>,
}

impl TargetUsers {
    /// Whether nothing does.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.targets.is_empty() && self.groups.is_empty()
    }
}

impl fmt::Display for TargetUsers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 10;
        let targets = self.targets.iter().cloned().map(FleetPart::Target);
        let all: Vec<String> =
            targets.chain(self.groups.iter().cloned().map(FleetPart::Group)).map(|part| part.to_string()).collect();
        let shown = all.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
        match all.len().saturating_sub(SHOWN) {
            0 => f.write_str(&shown),
            more => write!(f, "{shown} and {more} more"),
        }
    }
}

impl Fleet {
    /// A fleet of these.
    pub fn new(
        targets: impl IntoIterator<Item = Arc<Target>>,
        groups: impl IntoIterator<Item = Arc<TargetGroup>>,
    ) -> Self {
        let mut fleet = Self::default();
        targets.into_iter().for_each(|target| fleet.put_target(target));
        groups.into_iter().for_each(|group| fleet.put_group(group));
        fleet
    }

    /// Puts a target in the place of what has its name.
    pub fn put_target(&mut self, target: Arc<Target>) {
        self.targets.insert(target.spec.name.clone(), target);
    }

    /// Puts a group in the place of what has its name.
    pub fn put_group(&mut self, group: Arc<TargetGroup>) {
        self.groups.insert(group.spec.name.clone(), group);
    }

    /// Forgets a target.
    pub fn remove_target(&mut self, name: &TargetName) {
        self.targets.remove(name);
    }

    /// Forgets a group.
    pub fn remove_group(&mut self, name: &TargetGroupName) {
        self.groups.remove(name);
    }

    /// The target of this name.
    #[must_use]
    pub fn target(&self, name: &TargetName) -> Option<&Arc<Target>> {
        self.targets.get(name)
    }

    /// The group of this name.
    #[must_use]
    pub fn group(&self, name: &TargetGroupName) -> Option<&Arc<TargetGroup>> {
        self.groups.get(name)
    }

    /// All targets, by name.
    pub fn targets(&self) -> impl Iterator<Item = &Arc<Target>> {
        self.targets.values()
    }

    /// All groups, by name.
    pub fn groups(&self) -> impl Iterator<Item = &Arc<TargetGroup>> {
        self.groups.values()
    }

    /// The targets that `selectors` name, by name and each once. A pattern, an expression or a group may come to nobody.
    ///
    /// # Errors
    ///
    /// If one of them names a target or a group that is not there.
    pub fn select(&self, selectors: &[Selector]) -> Result<Vec<&Arc<Target>>, SelectError> {
        let found = selection::select(self, selectors)?;
        Ok(found.into_iter().filter_map(|name| self.targets.get(name)).collect())
    }

    /// The targets on the way to `name`, the first to connect to first; empty if it is reached at once, or is not there.
    #[must_use]
    pub fn way_to(&self, name: &TargetName) -> Vec<&Arc<Target>> {
        let next = |target: &&Arc<Target>| target.spec.jump.as_ref().and_then(|jump| self.targets.get(jump));
        // A saved fleet has no circle; the bound makes that harmless to rely on.
        let first = self.targets.get(name).and_then(|target| next(&target));
        let mut way: Vec<_> = std::iter::successors(first, next).take(MAX_JUMPS).collect();
        way.reverse();
        way
    }

    /// What names the target.
    #[must_use]
    pub fn users_of_target(&self, name: &TargetName) -> TargetUsers {
        let through = self.targets.values().filter(|target| target.spec.jump.as_ref() == Some(name));
        let is_it = |member: &Member| matches!(member, Member::Target(target) if target == name);
        TargetUsers {
            targets: through.map(|target| target.spec.name.clone()).collect(),
            groups: self.groups_with(is_it),
        }
    }

    /// What names the group.
    #[must_use]
    pub fn users_of_group(&self, name: &TargetGroupName) -> TargetUsers {
        let is_it = |member: &Member| matches!(member, Member::Group(group) if group == name);
        TargetUsers { targets: Vec::new(), groups: self.groups_with(is_it) }
    }

    fn groups_with(&self, is_it: impl Fn(&Member) -> bool) -> Vec<TargetGroupName> {
        let users = self.groups.values().filter(|group| group.spec.members.iter().any(&is_it));
        users.map(|group| group.spec.name.clone()).collect()
    }

    /// Whether all of it fits together: whatever is named is there, nothing goes in circles, and there is not too much.
    ///
    /// # Errors
    ///
    /// The first thing that does not.
    pub fn check(&self) -> Result<(), FleetError> {
        if self.targets.len() > MAX_TARGETS {
            return Err(FleetError::TooManyTargets(self.targets.len()));
        }
        if self.groups.len() > MAX_GROUPS {
            return Err(FleetError::TooManyGroups(self.groups.len()));
        }
        self.targets.values().try_for_each(|target| self.check_way(target))?;
        self.groups.values().try_for_each(|group| self.check_members(group))?;
        let mut depths = BTreeMap::new();
        self.groups.keys().try_for_each(|group| self.depth(group, &mut Vec::new(), &mut depths).map(|_| ()))
    }

    fn check_way(&self, target: &Target) -> Result<(), FleetError> {
        let (mut names, mut at) = (vec![target.spec.name.clone()], target);
        while let Some(jump) = &at.spec.jump {
            let Some(next) = self.targets.get(jump) else {
                let by = FleetPart::Target(at.spec.name.clone());
                return Err(self.missing(by, "/jump".to_owned(), FleetPart::Target(jump.clone())));
            };
            let is_circle = names.contains(jump);
            names.push(jump.clone());
            if is_circle {
                // Those before the circle only lead into it.
                let first = names.iter().position(|name| name == jump).unwrap_or_default();
                return Err(FleetError::JumpCircle { names: names.split_off(first) });
            }
            if names.len() > MAX_JUMPS + 1 {
                return Err(FleetError::TooManyJumps { names });
            }
            at = next;
        }
        Ok(())
    }

    fn check_members(&self, group: &TargetGroup) -> Result<(), FleetError> {
        for (place, member) in group.spec.members.iter().enumerate() {
            let missing = match member {
                Member::Target(name) if !self.targets.contains_key(name) => FleetPart::Target(name.clone()),
                Member::Group(name) if !self.groups.contains_key(name) => FleetPart::Group(name.clone()),
                _ => continue,
            };
            let by = FleetPart::Group(group.spec.name.clone());
            return Err(self.missing(by, format!("/members/{place}"), missing));
        }
        Ok(())
    }

    /// How many levels of groups there are from `name` on, itself included. `above` are those that it was found in, and
    /// `known` the answers so far, so that each group is looked at once.
    fn depth<'a>(
        &'a self,
        name: &'a TargetGroupName,
        above: &mut Vec<&'a TargetGroupName>,
        known: &mut BTreeMap<&'a TargetGroupName, usize>,
    ) -> Result<usize, FleetError> {
        let names = |above: &[&TargetGroupName]| above.iter().copied().chain([name]).cloned().collect();
        if let Some(first) = above.iter().position(|group| *group == name) {
            return Err(FleetError::GroupCircle { names: names(&above[first..]) });
        }
        let below = match known.get(name) {
            Some(depth) => *depth,
            // A circle of many is told as too deep before it is known to be one.
            None if above.len() >= MAX_GROUP_DEPTH => return Err(FleetError::GroupsTooDeep { names: names(above) }),
            None => {
                above.push(name);
                let mut deepest = 0;
                for member in self.groups.get(name).into_iter().flat_map(|group| &group.spec.members) {
                    if let Member::Group(inner) = member {
                        deepest = deepest.max(self.depth(inner, above, known)?);
                    }
                }
                above.pop();
                known.insert(name, deepest + 1);
                deepest + 1
            }
        };
        if above.len() + below > MAX_GROUP_DEPTH {
            return Err(FleetError::GroupsTooDeep { names: names(above) });
        }
        Ok(below)
    }

    fn missing(&self, by: FleetPart, pointer: String, missing: FleetPart) -> FleetError {
        let meant = self.meant(&missing);
        FleetError::Missing { by, pointer, missing, meant }
    }

    /// What was probably meant by something that is not there.
    #[must_use]
    pub fn meant(&self, missing: &FleetPart) -> Option<String> {
        let near = match missing {
            FleetPart::Target(name) if self.groups.keys().any(|group| group.as_str() == name.as_str()) => {
                return Some(Member::Group(name.as_str().parse().ok()?).to_string());
            }
            FleetPart::Target(name) => nearest(name.as_str(), self.targets.keys().map(TargetName::as_str)),
            FleetPart::Group(name) => nearest(name.as_str(), self.groups.keys().map(TargetGroupName::as_str)),
        };
        near.map(str::to_owned)
    }
}
