//! The run's own folder in tests: a real one, gone with its host.

use std::fs;
use std::path::PathBuf;
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::testing::{Host, with};

/// Made when it is first asked for.
#[derive(Default)]
pub(crate) struct Work(Option<PathBuf>);

impl Work {
    fn folder(&mut self) -> PathBuf {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let make = || {
            let name = format!("sandglass-test-{}-{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
            let folder = std::env::temp_dir().join(name);
            fs::create_dir(&folder).expect("the system's folder for temporary files can be written");
            folder
        };
        self.0.get_or_insert_with(make).clone()
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        if let Some(folder) = &self.0 {
            // What stays behind is in the system's folder for temporary files.
            let _ = fs::remove_dir_all(folder);
        }
    }
}

impl Host {
    /// The run's own folder, for a test to look into or to put files there.
    #[must_use]
    pub fn work(&self) -> PathBuf {
        self.script.borrow_mut().work.folder()
    }
}

pub(crate) fn folder() -> PathBuf {
    with(|script| script.work.folder())
}
