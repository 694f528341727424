//! Folders, volumes and memory in a container's file system, as job files write them.

use std::fmt;

use sandglass_plugin::docker::Container;
use sandglass_plugin::schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use sandglass_plugin::serde::{Deserialize, Deserializer, de};
use sandglass_plugin::{FileRef, files, params};

use crate::size::Size;

/// How much a memory has whose size is not said.
const TMPFS: Size = Size(64 << 20);

/// A folder or volume: `SOURCE:TARGET`, `SOURCE:TARGET:ro`, or a map.
#[derive(Debug)]
pub(crate) struct Mount(pub(crate) MountParams);

/// A folder that the job's grants name, or a volume, in the container.
#[params]
#[derive(Default)]
pub(crate) struct MountParams {
    /// A folder that the job's grants name, `work` for the run's own, or the name of a volume.
    pub(crate) source: String,
    /// Where it is in the container.
    pub(crate) target: String,
    /// Whether it cannot be written; false by default.
    #[serde(default)]
    pub(crate) read_only: bool,
}

impl Mount {
    /// The container with it.
    pub(crate) fn into(&self, container: Container) -> Container {
        let Self(MountParams { source, target, read_only }) = self;
        if source == files::WORK {
            return container.mount(files::in_work(""), target, *read_only);
        }
        if !source.starts_with('/') {
            return container.volume(source, target, *read_only);
        }
        let trimmed = source.trim_end_matches('/');
        let mount = if trimmed.is_empty() { "/" } else { trimmed }.to_owned();
        container.mount(FileRef { mount, path: String::new() }, target, *read_only)
    }

    /// What it is, for people.
    pub(crate) fn shown(&self) -> String {
        let Self(MountParams { source, target, read_only }) = self;
        let what = if source == files::WORK || source.starts_with('/') { "folder" } else { "volume" };
        format!("the {what} {source} at {target}{}", if *read_only { ", read-only" } else { "" })
    }

    /// What is wrong with it.
    pub(crate) fn problem(&self) -> Option<String> {
        let Self(MountParams { source, target, .. }) = self;
        let is_name = source.len() > 1
            && source.starts_with(|c: char| c.is_ascii_alphanumeric())
            && source.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c));
        if !source.starts_with('/') && !is_name {
            return Some(format!(
                "the source {source:?} is neither an absolute path, nor `work`, nor the name of a volume"
            ));
        }
        (!target.starts_with('/')).then(|| format!("the target {target:?} is not an absolute path"))
    }

    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        let (source, target) = (parts.next()?, parts.next()?);
        let read_only = match (parts.next(), parts.next()) {
            (None, _) | (Some("rw"), None) => false,
            (Some("ro"), None) => true,
            _ => return None,
        };
        Some(Self(MountParams { source: source.to_owned(), target: target.to_owned(), read_only }))
    }
}

impl<'de> Deserialize<'de> for Mount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MountVisitor)
    }
}

struct MountVisitor;

impl<'de> de::Visitor<'de> for MountVisitor {
    type Value = Mount;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SOURCE:TARGET, SOURCE:TARGET:ro, or a map")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Mount, E> {
        Mount::parse(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
    }

    fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Mount, A::Error> {
        MountParams::deserialize(de::value::MapAccessDeserializer::new(map)).map(Mount)
    }
}

impl JsonSchema for Mount {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Mount".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let map = generator.subschema_for::<MountParams>();
        json_schema!({
            "description": "SOURCE:TARGET, SOURCE:TARGET:ro, or a map.",
            "anyOf": [{ "type": "string", "pattern": "^[^:]+:[^:]+(:(ro|rw))?$" }, map]
        })
    }
}

/// Where memory is in the container, and how much: `TARGET` or `TARGET:SIZE`.
pub(crate) fn tmpfs(text: &str) -> Result<(&str, u64), String> {
    let (target, size) = match text.split_once(':') {
        None => (text, Some(TMPFS)),
        Some((target, size)) => (target, Size::parse(size)),
    };
    match size {
        Some(Size(bytes)) if target.starts_with('/') => Ok((target, bytes)),
        _ => Err(format!("expected an absolute path, and a size after a colon, as in /tmp:64MiB; found {text:?}")),
    }
}
