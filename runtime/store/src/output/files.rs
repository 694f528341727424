//! Output of all runs below one folder.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sandglass_core::id::RunId;
use sandglass_core::output::OutputChunk;
use sandglass_core::spec::Limits;

use super::place::Place;
use super::writer::Writer;
use super::{OutputPage, OutputPosition, reader};
use crate::contract::OutputStore;
use crate::error::StoreError;

/// How many files stay open between appends; what goes beyond is opened for each append.
const OPEN_FILES: usize = 256;

/// Output in files. Any store can use it.
#[derive(Debug)]
pub struct FileOutput {
    root: PathBuf,
    writers: Mutex<Writers>,
}

#[derive(Debug, Default)]
struct Writers {
    by_run: HashMap<RunId, Arc<Mutex<Writer>>>,
    open_files: usize,
}

impl FileOutput {
    /// Output below `root`, which is created when the first output comes.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_path_buf(), writers: Mutex::default() }
    }

    /// Ends the writing of all output.
    ///
    /// # Errors
    ///
    /// As [`OutputStore::close_output`].
    pub fn close_all(&self) -> Result<(), StoreError> {
        let runs: Vec<RunId> = self.writers().by_run.keys().copied().collect();
        runs.into_iter().try_for_each(|run| self.close_output(run))
    }

    fn writers(&self) -> MutexGuard<'_, Writers> {
        self.writers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn writer(&self, run: RunId, limit_bytes: u64) -> Arc<Mutex<Writer>> {
        let new = || Arc::new(Mutex::new(Writer::new(Place::of(&self.root, run), limit_bytes)));
        Arc::clone(self.writers().by_run.entry(run).or_insert_with(new))
    }
}

fn failed(what: &'static str, run: RunId) -> impl FnOnce(std::io::Error) -> StoreError {
    move |error| StoreError::io(format!("{what} the output of run {run}"), error)
}

impl OutputStore for FileOutput {
    fn open_output(&self, run: RunId, limit_bytes: u64) -> Result<(), StoreError> {
        self.writer(run, limit_bytes);
        Ok(())
    }

    fn append_output(&self, run: RunId, chunks: &[OutputChunk]) -> Result<(), StoreError> {
        let writer = self.writer(run, Limits::default().output.get());
        let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
        let before = writer.has_file();
        let result = writer.append(chunks);
        let mut writers = self.writers();
        writers.open_files = writers.open_files + usize::from(writer.has_file()) - usize::from(before);
        if writers.open_files > OPEN_FILES && writer.has_file() {
            writer.rest();
            writers.open_files -= 1;
        }
        result.map_err(failed("write", run))
    }

    fn read_output(&self, run: RunId, from: OutputPosition, limit_bytes: usize) -> Result<OutputPage, StoreError> {
        reader::read(&Place::of(&self.root, run), from, limit_bytes).map_err(failed("read", run))
    }

    fn output_bytes(&self, run: RunId) -> Result<u64, StoreError> {
        Place::of(&self.root, run).bytes().map_err(failed("measure", run))
    }

    fn remove_output(&self, run: RunId) -> Result<(), StoreError> {
        self.close_output(run)?;
        Place::of(&self.root, run).remove().map_err(failed("remove", run))
    }

    fn close_output(&self, run: RunId) -> Result<(), StoreError> {
        let Some(writer) = self.writers().by_run.remove(&run) else { return Ok(()) };
        let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
        if writer.has_file() {
            writer.rest();
            self.writers().open_files -= 1;
        }
        Ok(())
    }
}
