//! Components made ready to run: compiled once, kept in memory and, authenticated, on disk.

mod cache;
mod sections;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use sandglass_core::id::Digest;
use sandglass_core::plugin::Manifest;
use wasmtime::Engine;
use wasmtime::component::{Component, Linker};

use self::cache::Cache;
use crate::attempt::lock;
use crate::bindings::{PlanningPre, PluginPre};
use crate::capability::{self, Gated};
use crate::config::HostError;
use crate::engine;
use crate::guest::Guest;
use crate::inspect::RefusedComponent;

use self::sections::{Sections, read as read_sections};

/// How much nicer than others the thread that compiles is.
const NICENESS: i32 = 10;

/// A component that attempts can be made of.
pub(crate) struct Prepared {
    component: Component,
    /// What it imports of the interfaces that need a grant.
    pub(crate) imports: Gated,
    /// With everything looked up that it imports.
    pub(crate) pre: PluginPre<Guest>,
    /// How it is asked what a run would do, if it can be.
    pub(crate) planning: Option<PlanningPre<Guest>>,
    /// Whether making an instance runs code of the component.
    pub(crate) begins_with_code: bool,
}

/// All components that are ready, and the way to make more so.
pub(crate) struct Library {
    engine: Engine,
    linker: Linker<Guest>,
    ready: RwLock<HashMap<Digest, Arc<Prepared>>>,
    cache: Cache,
    /// Held while compiling: one at a time.
    compiling: Mutex<()>,
}

impl Library {
    pub(crate) fn new(engine: &Engine, cache_dir: PathBuf, key: [u8; 32]) -> Result<Self, HostError> {
        let mut linker = Linker::new(engine);
        capability::link(&mut linker).map_err(|error| HostError::Engine(format!("{error:#}")))?;
        let cache = Cache::open(cache_dir, key, engine::compatibility(engine))?;
        Ok(Self { engine: engine.clone(), linker, ready: RwLock::default(), cache, compiling: Mutex::default() })
    }

    /// The component, if it is ready in memory.
    pub(crate) fn get(&self, digest: &Digest) -> Option<Arc<Prepared>> {
        self.ready.read().unwrap_or_else(PoisonError::into_inner).get(digest).cloned()
    }

    /// The component from memory or from disk.
    pub(crate) fn find(&self, digest: &Digest) -> Option<Arc<Prepared>> {
        self.get(digest).or_else(|| {
            let prepared = self.load_cached(digest)?;
            Some(self.add(*digest, prepared))
        })
    }

    /// The component from memory, from disk, or compiled from what `wasm` gives.
    pub(crate) fn prepare(
        &self,
        digest: Digest,
        wasm: impl FnOnce() -> Result<Vec<u8>, String>,
    ) -> Result<Arc<Prepared>, HostError> {
        if let Some(prepared) = self.find(&digest) {
            return Ok(prepared);
        }
        let _compiling = lock(&self.compiling);
        // Somebody else may have compiled it while we waited.
        if let Some(prepared) = self.find(&digest) {
            return Ok(prepared);
        }
        let wasm = wasm().map_err(HostError::Component)?;
        if Digest::of(&wasm) != digest {
            return Err(HostError::Component(format!("its bytes are not those of {digest}")));
        }
        let Sections { begins_with_code, .. } = read_sections(&wasm)?;
        let prepared = self.check(compile(&self.engine, &wasm)?, begins_with_code)?;
        self.keep(&digest, &prepared);
        Ok(self.add(digest, prepared))
    }

    /// Checks and compiles a component that somebody wants to add.
    pub(crate) fn inspect(&self, wasm: &[u8]) -> Result<(Digest, Option<Manifest>, Arc<Prepared>), RefusedComponent> {
        let Sections { manifest, begins_with_code } = read_sections(wasm)?;
        let digest = Digest::of(wasm);
        if let Some(prepared) = self.get(&digest).or_else(|| self.load_cached(&digest).map(Arc::new)) {
            return Ok((digest, manifest, prepared));
        }
        let _compiling = lock(&self.compiling);
        let prepared = Arc::new(self.check(compile(&self.engine, wasm)?, begins_with_code)?);
        self.keep(&digest, &prepared);
        Ok((digest, manifest, prepared))
    }

    /// Forgets a component, in memory and on disk.
    pub(crate) fn forget(&self, digest: &Digest) {
        self.ready.write().unwrap_or_else(PoisonError::into_inner).remove(digest);
        self.cache.forget(digest);
    }

    /// Forgets what `inspect` kept of a component that is not added after all.
    pub(crate) fn forget_unless_ready(&self, digest: &Digest) {
        if self.get(digest).is_none() {
            self.cache.forget(digest);
        }
    }

    fn add(&self, digest: Digest, prepared: Prepared) -> Arc<Prepared> {
        let mut ready = self.ready.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(ready.entry(digest).or_insert_with(|| Arc::new(prepared)))
    }

    /// A cache that cannot be written costs time at the next start, no more.
    fn keep(&self, digest: &Digest, prepared: &Prepared) {
        let code = prepared.component.serialize().map_err(std::io::Error::other);
        if let Err(error) = code.and_then(|code| self.cache.store(digest, prepared.begins_with_code, &code)) {
            tracing::warn!("the compiled component {digest} could not be kept: {error}");
        }
    }

    fn load_cached(&self, digest: &Digest) -> Option<Prepared> {
        let code = self.cache.load(digest)?;
        let component = load(&self.engine, &code)
            .inspect_err(|error| tracing::warn!("the compiled component {digest} is compiled anew: {error:#}"))
            .ok()?;
        self.check(component, code.begins_with_code()).ok()
    }

    /// What the component imports and exports, against what there is.
    fn check(&self, component: Component, begins_with_code: bool) -> Result<Prepared, RefusedComponent> {
        if let Some(resources) = component.resources_required() {
            let (memories, tables) = (resources.num_memories, resources.num_tables);
            if memories > engine::MEMORIES_PER_GUEST || tables > engine::TABLES_PER_GUEST {
                let problem = format!("{memories} memories and {tables} tables");
                return Err(RefusedComponent::Resources(problem));
            }
        }
        let mut imports = Gated::default();
        let ty = component.component_type();
        for (name, _) in ty.imports(&self.engine) {
            refuse_newer(name)?;
            imports.process |= name.starts_with("sandglass:plugin/process@");
            imports.docker |= name.starts_with("sandglass:plugin/docker@");
            imports.state |= name.starts_with("sandglass:plugin/state@");
        }
        let exported = ty.exports(&self.engine).any(|(name, _)| name.starts_with("sandglass:plugin/action@"));
        if !exported {
            let what = "it has no such export; build it for a world that includes `base`".to_owned();
            return Err(RefusedComponent::NoAction(what));
        }
        let pre = self.linker.instantiate_pre(&component).map_err(|error| import_problem(&error))?;
        let plans = ty.exports(&self.engine).any(|(name, _)| name.starts_with("sandglass:plugin/planner@"));
        // One that this version does not know is taken for none.
        let planning = if plans { PlanningPre::new(pre.clone()).ok() } else { None };
        let pre = PluginPre::new(pre).map_err(|error| RefusedComponent::NoAction(format!("{error:#}")))?;
        Ok(Prepared { component, imports, pre, planning, begins_with_code })
    }
}

/// WASI 0.3 is named apart, as people meet it first.
fn refuse_newer(import: &str) -> Result<(), RefusedComponent> {
    if import.starts_with("wasi:") && import.contains("@0.3") {
        let hint = "; WASI 0.2 is: build for wasm32-wasip2, or with an older version of the guest's tools".to_owned();
        return Err(RefusedComponent::Import { import: import.to_owned(), hint });
    }
    Ok(())
}

/// The engine names the import between backticks, at the start of a chain of causes.
fn import_problem(error: &wasmtime::Error) -> RefusedComponent {
    let text = format!("{error:#}");
    let import = text.split('`').nth(1).unwrap_or(&text).to_owned();
    let hint = match text.split_once(": ") {
        Some((_, cause)) => format!(" in this form: {cause}"),
        None => String::new(),
    };
    RefusedComponent::Import { import, hint }
}

/// Compiles on a thread of its own that gives way to others.
fn compile(engine: &Engine, wasm: &[u8]) -> Result<Component, RefusedComponent> {
    let compiled = std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("compile".to_owned()).spawn_scoped(scope, || {
            if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
                tracing::debug!("compiling at full priority: {error}");
            }
            Component::from_binary(engine, wasm).map_err(|error| format!("{error:#}"))
        });
        match thread.map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(compiled)) => compiled,
            Ok(Err(_)) => Err("compiling it failed in a way that should not be possible".to_owned()),
            Err(error) => Err(format!("there is no thread to compile it: {error}")),
        }
    });
    give_back();
    // The pool says itself, in words, when something cannot fit into it.
    compiled.map_err(|problem| match problem.contains("exceeds the configured maximum") {
        true => RefusedComponent::Resources(problem),
        false => RefusedComponent::Malformed(problem),
    })
}

/// Has the allocator give back what compiling took: tens of megabytes, which nothing needs again soon.
#[allow(unsafe_code, reason = "the allocator of the C library has no safe interface")]
fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: it takes a number and touches only memory that is free.
    unsafe {
        libc::malloc_trim(0);
    }
}

#[allow(unsafe_code, reason = "machine code cannot be checked, only trusted")]
fn load(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: the bytes come from `Cache::load` alone, which gives only what this installation's key authenticates as
    // its own output of `Component::serialize` for an engine of the same version and settings. They are in memory, so
    // nobody can change them after the check.
    unsafe { Component::deserialize(engine, code) }
}
