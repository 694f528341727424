//! What runs print, on its way from the guests to the store and to those who follow it.
//!
//! One thread writes. Guests hand over pieces without waiting; when too much is under way, the host is told to wait
//! before it reads more, so a slow disk slows the printing and fills no memory.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crossbeam_channel::{Receiver, Sender, unbounded};
use sandglass_core::id::RunId;
use sandglass_core::output::OutputChunk;
use sandglass_host::services::{BoxFuture, Progress};
use sandglass_store::Store;
use tokio::sync::{Notify, watch};

/// Above this many bytes under way, printing waits. The channel itself has no bound; this is its bound.
const HIGH_WATER_BYTES: usize = 8 << 20;
/// Pieces taken at once by the writing thread.
const PIECES_PER_ROUND: usize = 1024;
/// What a piece costs beside its bytes.
const PIECE_OVERHEAD: usize = 64;

enum Item {
    Piece(RunId, OutputChunk),
    /// Called once everything before it is readable.
    Flush(Box<dyn FnOnce() + Send>),
    /// The run is over.
    Close(RunId),
    /// The daemon is stopping.
    Stop,
}

/// A run that is going.
#[derive(Default)]
struct Live {
    limit_bytes: u64,
    printed: bool,
    opened: bool,
    progress: Option<Progress>,
    followers: Option<watch::Sender<()>>,
}

impl Live {
    fn tell_followers(&self) {
        if let Some(followers) = &self.followers {
            followers.send_replace(());
        }
    }
}

/// Takes output from the host, writes it, and tells followers.
pub(crate) struct Outputs {
    store: Arc<dyn Store>,
    queue: Sender<Item>,
    under_way_bytes: AtomicUsize,
    drained: Arc<Notify>,
    live: Mutex<HashMap<RunId, Live>>,
}

impl Outputs {
    /// Starts the writing thread.
    pub(crate) fn start(store: Arc<dyn Store>) -> std::io::Result<(Arc<Self>, std::thread::JoinHandle<()>)> {
        let (queue, items) = unbounded();
        let outputs = Arc::new(Self {
            store,
            queue,
            under_way_bytes: AtomicUsize::new(0),
            drained: Arc::default(),
            live: Mutex::default(),
        });
        let writer = Arc::clone(&outputs);
        let thread =
            std::thread::Builder::new().name("sandglass-output".to_owned()).spawn(move || writer.write_all(&items))?;
        Ok((outputs, thread))
    }

    /// Says how much output of each run is kept, before they start.
    pub(crate) fn begin(&self, runs: impl Iterator<Item = (RunId, u64)>) {
        let mut live = self.lock();
        for (run, limit_bytes) in runs {
            live.entry(run).or_default().limit_bytes = limit_bytes;
        }
    }

    /// Takes a piece of a run's output.
    pub(crate) fn piece(&self, run: RunId, piece: OutputChunk) {
        self.lock().entry(run).or_default().printed = true;
        self.under_way_bytes.fetch_add(piece.bytes.len() + PIECE_OVERHEAD, Ordering::AcqRel);
        self.send(Item::Piece(run, piece));
    }

    /// Takes word of how far a run has come.
    pub(crate) fn progress(&self, run: RunId, progress: Progress) {
        if let Some(live) = self.lock().get_mut(&run) {
            live.progress = Some(progress);
            live.tell_followers();
        }
    }

    /// How far a going run has come, if it told.
    pub(crate) fn progress_of(&self, run: RunId) -> Option<Progress> {
        self.lock().get(&run).and_then(|live| live.progress.clone())
    }

    /// None if more output may come at once; else a future that is ready when it may.
    pub(crate) fn ready(self: &Arc<Self>) -> Option<BoxFuture<'static, ()>> {
        if self.under_way_bytes.load(Ordering::Acquire) <= HIGH_WATER_BYTES {
            return None;
        }
        let outputs = Arc::clone(self);
        Some(Box::pin(async move {
            loop {
                let drained = outputs.drained.notified();
                if outputs.under_way_bytes.load(Ordering::Acquire) <= HIGH_WATER_BYTES {
                    return;
                }
                drained.await;
            }
        }))
    }

    /// Calls `then` once everything that the run printed so far is readable.
    pub(crate) fn after_flush(&self, run: RunId, then: impl FnOnce() + Send + 'static) {
        let printed = self.lock().get(&run).is_some_and(|live| live.printed);
        if printed { self.send(Item::Flush(Box::new(then))) } else { then() }
    }

    /// The run is over: its output is closed and its followers are told.
    pub(crate) fn ended(&self, run: RunId) {
        let mut live = self.lock();
        let printed = live.get(&run).is_some_and(|live| live.printed);
        if printed {
            self.send(Item::Close(run));
        } else {
            live.remove(&run);
        }
    }

    /// Changes whenever more output of the run is readable or its progress changed; closed when the run is over or not going.
    pub(crate) fn follow(&self, run: RunId) -> watch::Receiver<()> {
        match self.lock().get_mut(&run) {
            Some(live) => live.followers.get_or_insert_with(|| watch::channel(()).0).subscribe(),
            None => watch::channel(()).1,
        }
    }

    /// How many follow a run that is going.
    pub(crate) fn followers(&self, run: RunId) -> u32 {
        let live = self.lock();
        let followers =
            live.get(&run).and_then(|live| live.followers.as_ref()).map_or(0, watch::Sender::receiver_count);
        u32::try_from(followers).unwrap_or(u32::MAX)
    }

    /// Lets the writing thread end once everything is written.
    pub(crate) fn stop(&self) {
        self.send(Item::Stop);
    }

    fn send(&self, item: Item) {
        // The writing thread is gone only when the daemon stops; what a guest prints then is nowhere to be kept, but its
        // report must not be lost with it.
        if let Err(unsent) = self.queue.send(item)
            && let Item::Flush(then) = unsent.0
        {
            then();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<RunId, Live>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_all(&self, items: &Receiver<Item>) {
        while let Ok(first) = items.recv() {
            let mut pieces: Vec<(RunId, OutputChunk)> = Vec::new();
            for item in std::iter::once(first).chain(items.try_iter().take(PIECES_PER_ROUND)) {
                match item {
                    Item::Piece(run, piece) => pieces.push((run, piece)),
                    Item::Flush(then) => {
                        self.append(&mut pieces);
                        then();
                    }
                    Item::Close(run) => {
                        self.append(&mut pieces);
                        self.close(run);
                    }
                    Item::Stop => {
                        self.append(&mut pieces);
                        return;
                    }
                }
            }
            self.append(&mut pieces);
        }
    }

    fn append(&self, pieces: &mut Vec<(RunId, OutputChunk)>) {
        // A stable sort keeps each run's pieces in their order.
        pieces.sort_by_key(|(run, _)| *run);
        let mut rest = pieces.drain(..).peekable();
        while let Some((run, piece)) = rest.next() {
            let mut chunks = vec![piece];
            while let Some((_, piece)) = rest.next_if(|(next, _)| *next == run) {
                chunks.push(piece);
            }
            let bytes: usize = chunks.iter().map(|chunk| chunk.bytes.len() + PIECE_OVERHEAD).sum();
            self.append_run(run, &chunks);
            self.under_way_bytes.fetch_sub(bytes, Ordering::AcqRel);
            self.drained.notify_waiters();
        }
    }

    fn append_run(&self, run: RunId, chunks: &[OutputChunk]) {
        let limit_bytes = {
            let mut live = self.lock();
            let entry = live.entry(run).or_default();
            (!std::mem::replace(&mut entry.opened, true)).then_some(entry.limit_bytes)
        };
        let opened = limit_bytes.map_or(Ok(()), |limit| self.store.open_output(run, limit));
        if let Err(error) = opened.and_then(|()| self.store.append_output(run, chunks)) {
            tracing::warn!(%run, error = &error as &dyn std::error::Error, "output of the run could not be kept");
        }
        if let Some(live) = self.lock().get(&run) {
            live.tell_followers();
        }
    }

    fn close(&self, run: RunId) {
        if let Err(error) = self.store.close_output(run) {
            tracing::warn!(%run, error = &error as &dyn std::error::Error, "output of the run could not be finished");
        }
        self.lock().remove(&run);
    }
}
