//! How targets and groups are written, and what is compared before.

use std::sync::Arc;

use sandglass_core::id::{Namespace, TargetGroupName, TargetName};
use sandglass_core::target::{Target, TargetGroup};

use super::codec::{Decoder, Encoder};
use super::commit::Refused;
use super::tables::Table;
use super::writing::Writing;
use crate::error::{ConflictKind, StoreError};

const TARGET_FORMAT: u8 = 1;
const GROUP_FORMAT: u8 = 1;

/// Namespace and name with a byte between that is in neither, so that names sort within their namespace.
fn key(namespace: &Namespace, name: &str) -> Vec<u8> {
    [namespace.as_str().as_bytes(), b"\0", name.as_bytes()].concat()
}

pub(super) fn target_key(namespace: &Namespace, name: &TargetName) -> Vec<u8> {
    key(namespace, name.as_str())
}

pub(super) fn group_key(namespace: &Namespace, name: &TargetGroupName) -> Vec<u8> {
    key(namespace, name.as_str())
}

fn encode_target(target: &Target) -> Vec<u8> {
    let mut row = Encoder::new(TARGET_FORMAT);
    row.number(target.revision);
    row.text(target.namespace.as_str());
    row.instant(target.updated_at);
    row.raw(&serde_json::to_vec(&*target.spec).expect("a target has only text keys"));
    row.finish()
}

pub(super) fn decode_target(bytes: &[u8]) -> Result<Target, StoreError> {
    let mut row = Decoder::new(bytes, "target", TARGET_FORMAT)?;
    let (revision, namespace, updated_at) = (row.number()?, row.parsed()?, row.instant()?);
    let spec = serde_json::from_slice(row.rest())
        .map_err(|error| StoreError::corrupt(format!("a target of namespace {namespace}: {error}")))?;
    Ok(Target { namespace, revision, spec: Arc::new(spec), updated_at })
}

fn encode_group(group: &TargetGroup) -> Vec<u8> {
    let mut row = Encoder::new(GROUP_FORMAT);
    row.number(group.revision);
    row.text(group.namespace.as_str());
    row.instant(group.updated_at);
    row.raw(&serde_json::to_vec(&*group.spec).expect("a group has only text keys"));
    row.finish()
}

pub(super) fn decode_group(bytes: &[u8]) -> Result<TargetGroup, StoreError> {
    let mut row = Decoder::new(bytes, "group of targets", GROUP_FORMAT)?;
    let (revision, namespace, updated_at) = (row.number()?, row.parsed()?, row.instant()?);
    let spec = serde_json::from_slice(row.rest())
        .map_err(|error| StoreError::corrupt(format!("a group of targets of namespace {namespace}: {error}")))?;
    Ok(TargetGroup { namespace, revision, spec: Arc::new(spec), updated_at })
}

pub(super) fn put_target(writing: &mut Writing<'_>, target: &Target) -> Result<(), Refused> {
    let (namespace, name) = (&target.namespace, &target.spec.name);
    expect_target(writing, namespace, name, target.revision.saturating_sub(1))?;
    Ok(writing.put(Table::Targets, &target_key(namespace, name), &encode_target(target))?)
}

pub(super) fn delete_target(
    writing: &mut Writing<'_>,
    namespace: &Namespace,
    name: &TargetName,
    revision: u64,
) -> Result<(), Refused> {
    expect_target(writing, namespace, name, revision)?;
    Ok(writing.remove(Table::Targets, &target_key(namespace, name))?)
}

/// Whether the target is at the revision `expected`; 0 if it should not be there.
fn expect_target(
    writing: &mut Writing<'_>,
    namespace: &Namespace,
    name: &TargetName,
    expected: u64,
) -> Result<(), Refused> {
    let found = writing.get(Table::Targets, &target_key(namespace, name), decode_target)?;
    let found = found.map(|target| target.revision);
    if found.unwrap_or(0) == expected {
        return Ok(());
    }
    let (namespace, name) = (namespace.clone(), name.clone());
    Err(ConflictKind::TargetRevision { namespace, name, expected, found }.into())
}

pub(super) fn put_group(writing: &mut Writing<'_>, group: &TargetGroup) -> Result<(), Refused> {
    let (namespace, name) = (&group.namespace, &group.spec.name);
    expect_group(writing, namespace, name, group.revision.saturating_sub(1))?;
    Ok(writing.put(Table::TargetGroups, &group_key(namespace, name), &encode_group(group))?)
}

pub(super) fn delete_group(
    writing: &mut Writing<'_>,
    namespace: &Namespace,
    name: &TargetGroupName,
    revision: u64,
) -> Result<(), Refused> {
    expect_group(writing, namespace, name, revision)?;
    Ok(writing.remove(Table::TargetGroups, &group_key(namespace, name))?)
}

/// Whether the group is at the revision `expected`; 0 if it should not be there.
fn expect_group(
    writing: &mut Writing<'_>,
    namespace: &Namespace,
    name: &TargetGroupName,
    expected: u64,
) -> Result<(), Refused> {
    let found = writing.get(Table::TargetGroups, &group_key(namespace, name), decode_group)?;
    let found = found.map(|group| group.revision);
    if found.unwrap_or(0) == expected {
        return Ok(());
    }
    let (namespace, name) = (namespace.clone(), name.clone());
    Err(ConflictKind::TargetGroupRevision { namespace, name, expected, found }.into())
}
