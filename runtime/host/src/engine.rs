//! The WebAssembly engine and its settings.
//!
//! WebAssembly proposals that guests do not need are off, as they are where most of the engine's faults were found.
//! Fuel bounds a guest's computation; epochs make it give way every few milliseconds; instances come from a pool.

use std::hash::{Hash, Hasher};

use sha2::{Digest as _, Sha256};
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig, WasmBacktraceDetails,
    WasmFeatures,
};

use crate::config::HostError;

/// The most elements that one table of a guest may have.
pub(crate) const TABLE_ELEMENTS: usize = 100_000;
/// The most linear memories that one guest may have.
pub(crate) const MEMORIES_PER_GUEST: u32 = 8;
/// The most tables that one guest may have.
pub(crate) const TABLES_PER_GUEST: u32 = 32;
/// The most core instances that one guest may have. A Python guest has some dozens.
pub(crate) const INSTANCES_PER_GUEST: u32 = 256;

/// The stack that WebAssembly calls may use, in bytes.
const WASM_STACK: usize = 1 << 20;
/// The stack that an attempt gets, host calls included, in bytes.
const ATTEMPT_STACK: usize = 2 << 20;
/// How much of a slot's memory stays resident for the next guest where the kernel tells which pages were written.
const KEEP_MEMORY: usize = 2 << 20;
/// How much of a slot's stack stays resident.
const KEEP_STACK: usize = 64 << 10;

/// Sets up the engine with room for `max_concurrent` attempts in a pool, or without a pool if the machine cannot have
/// one (address space is limited, or the kernel lacks something).
pub(crate) fn build(max_concurrent: u32) -> Result<Engine, HostError> {
    for pagemap in [true, false] {
        let mut config = settings();
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(max_concurrent, pagemap)));
        match Engine::new(&config) {
            Ok(engine) => return Ok(engine),
            Err(error) => tracing::debug!(pagemap, "no instance pool of this kind: {error:#}"),
        }
    }
    tracing::warn!("instances cannot be pooled on this machine; starting attempts takes longer");
    Engine::new(&settings()).map_err(|error| HostError::Engine(format!("{error:#}")))
}

fn settings() -> Config {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .concurrency_support(false)
        .gc_support(false)
        .wasm_features(WasmFeatures::THREADS, false)
        .wasm_memory64(false)
        .epoch_interruption(true)
        .consume_fuel(true)
        .max_wasm_stack(WASM_STACK)
        .async_stack_size(ATTEMPT_STACK)
        .memory_init_cow(true)
        .cranelift_opt_level(OptLevel::Speed)
        .wasm_backtrace_details(WasmBacktraceDetails::Enable);
    config
}

fn pool(max_concurrent: u32, pagemap: bool) -> PoolingAllocationConfig {
    let slots = max_concurrent.max(1);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(slots)
        .total_core_instances(slots.saturating_mul(16))
        .total_memories(slots.saturating_mul(2))
        .total_tables(slots.saturating_mul(4))
        .total_stacks(slots)
        .max_memories_per_component(MEMORIES_PER_GUEST)
        .max_tables_per_component(TABLES_PER_GUEST)
        .max_core_instances_per_component(INSTANCES_PER_GUEST)
        .max_tables_per_module(4)
        .max_memory_size(4 << 30)
        .table_elements(TABLE_ELEMENTS)
        .max_component_instance_size(10 << 20)
        .max_core_instance_size(10 << 20)
        .async_stack_keep_resident(KEEP_STACK);
    if pagemap {
        // Without the kernel's help, keeping memory resident costs a copy for each page kept and much memory.
        pool.pagemap_scan(Enabled::Yes).linear_memory_keep_resident(KEEP_MEMORY).table_keep_resident(KEEP_STACK);
    }
    pool
}

/// What compiled code depends on beside the component: the engine's version, settings and the machine.
pub(crate) fn compatibility(engine: &Engine) -> [u8; 32] {
    let mut hasher = Sha256Hasher(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.0.finalize().into()
}

/// Feeds a `Hash` implementation to SHA-256, as the standard hashers are short and may change.
struct Sha256Hasher(Sha256);

impl Hasher for Sha256Hasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let digest: [u8; 32] = self.0.clone().finalize().into();
        u64::from_le_bytes(digest[..8].try_into().expect("eight of thirty-two bytes"))
    }
}
