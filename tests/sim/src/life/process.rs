//! The daemon's process: it comes up, is killed, goes with the power of the machine, or stops in order.

use std::path::Path;
use std::sync::Arc;

use sandglass_store::faults::FaultyDisk;
use sandglass_store::{RedbOptions, RedbStore};

use super::Life;
use crate::check::{Happening, Verdict, violation};
use crate::daemon::{Daemon, Inbound};
use crate::plan::SECOND;

impl Life {
    pub(super) fn boot(&mut self) -> Verdict {
        for _ in 0..20 {
            match RedbStore::open_with_backend(self.disk.clone(), Path::new("/nonexistent"), redb_options()) {
                Ok(store) => {
                    let store = Arc::new(store);
                    let seed = self.rng.u64(..);
                    let begun = Daemon::begin(Arc::clone(&store), self.options.clone(), seed, self.now);
                    self.store = Some(store);
                    if self.disk.is_cut() {
                        self.power_off();
                        continue;
                    }
                    match begun {
                        Ok(daemon) => return self.booted(daemon),
                        Err(error) => self.cannot_be_used(&error)?,
                    }
                }
                Err(_) if self.disk.is_cut() => self.power_off(),
                Err(error) => self.cannot_be_used(&error)?,
            }
            self.heal();
        }
        violation("durability", "the daemon cannot be started".to_owned())
    }

    pub(super) fn booted(&mut self, daemon: Daemon) -> Verdict {
        self.reloaded()?;
        tell!(self, "the daemon is up, with {} jobs and {} runs", self.model.jobs.len(), self.model.runs.len());
        self.daemon = Some(daemon);
        self.happens(&Happening::Up)
    }

    /// The daemon is gone at once: killed, or with the power of the machine.
    pub(super) fn crash(&mut self) -> Verdict {
        if self.rng.bool() {
            tell!(self, "the power goes");
            self.disk.cut_now();
            self.power_off();
        } else {
            tell!(self, "the daemon is killed");
            let image = self.disk.image();
            self.disk = FaultyDisk::of(image);
            self.gone();
        }
        Ok(())
    }

    pub(super) fn power_off(&mut self) {
        let image = self.disk.image_after_cut(&mut self.rng).expect("the power went");
        tell!(self, "the power is off");
        self.disk = FaultyDisk::of(image);
        self.gone();
    }

    pub(super) fn gone(&mut self) {
        self.faulty = false;
        self.daemon = None;
        // Closing writes to a disk that nobody looks at any more.
        self.store = None;
        self.host.die();
    }

    /// The daemon is told to stop, and ends in order if nothing prevents it.
    pub(super) fn stop(&mut self) -> Verdict {
        tell!(self, "the daemon is told to stop");
        if let Some(daemon) = &mut self.daemon {
            daemon.inbox.push_back(Inbound::Shutdown);
        }
        for _ in 0..200 {
            self.settle()?;
            let Some(daemon) = &self.daemon else { return Ok(()) };
            if daemon.is_done() {
                tell!(self, "the daemon has stopped");
                self.disk = FaultyDisk::of(self.disk.image());
                self.gone();
                return Ok(());
            }
            let ends_in = self.host.next_end().map_or(SECOND, |at| (at - self.monotonic).max(1));
            self.pass(ends_in.min(SECOND));
        }
        self.crash()
    }
}

fn redb_options() -> RedbOptions {
    RedbOptions { cache_bytes: 1 << 20 }
}
