//! What a guest may allocate, summed over everything it has. wasmtime's own limits are for each memory alone.

use wasmtime::ResourceLimiter;

use crate::engine::{INSTANCES_PER_GUEST, MEMORIES_PER_GUEST, TABLE_ELEMENTS, TABLES_PER_GUEST};

/// Counts and bounds a guest's memories and tables.
pub(crate) struct Limiter {
    memory_limit: usize,
    memory: usize,
    table_elements: usize,
    refused: Option<Refused>,
}

/// What was refused last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refused {
    /// More linear memory than the attempt may have; how much it would have been, in bytes.
    Memory(usize),
    /// More table elements than a guest may have.
    Table,
}

impl Limiter {
    pub(crate) fn new(memory_limit: u64) -> Self {
        let memory_limit = usize::try_from(memory_limit).unwrap_or(usize::MAX);
        Self { memory_limit, memory: 0, table_elements: 0, refused: None }
    }

    /// The most linear memory that the guest had, in bytes. Memories never shrink.
    pub(crate) fn peak_memory(&self) -> u64 {
        u64::try_from(self.memory).unwrap_or(u64::MAX)
    }

    pub(crate) fn refused(&self) -> Option<Refused> {
        self.refused
    }

    pub(crate) fn memory_limit(&self) -> usize {
        self.memory_limit
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let total = self.memory.saturating_add(desired.saturating_sub(current));
        if total > self.memory_limit {
            self.refused = Some(Refused::Memory(total));
            return Ok(false);
        }
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        self.memory = total;
        Ok(true)
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let total = self.table_elements.saturating_add(desired.saturating_sub(current));
        if total > TABLE_ELEMENTS {
            self.refused = Some(Refused::Table);
            return Ok(false);
        }
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        self.table_elements = total;
        Ok(true)
    }

    fn instances(&self) -> usize {
        INSTANCES_PER_GUEST as usize
    }

    fn tables(&self) -> usize {
        TABLES_PER_GUEST as usize
    }

    fn memories(&self) -> usize {
        MEMORIES_PER_GUEST as usize
    }
}
