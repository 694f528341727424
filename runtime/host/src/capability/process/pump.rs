//! Moving a process's output to the run's, line by line, without the guest; and the guest's input to the process.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use sandglass_core::output::OutputStream;
use tokio::io::AsyncWriteExt;
use tokio::net::unix::pipe;

use crate::attempt::Attempt;

/// The most that is read at once, and that a line may have before it is passed on in pieces, in bytes.
const CHUNK: usize = 16 << 10;
/// How long the beginning of a line waits for its end, so that a prompt is seen.
const PARTIAL_LINE: Duration = Duration::from_millis(250);

/// One of a process's two outputs, on its way to the run's output.
pub(super) struct Pump {
    pub(super) pipe: pipe::Receiver,
    pub(super) attempt: Arc<Attempt>,
    pub(super) stream: OutputStream,
    /// How much of the end is kept for the guest, in bytes.
    pub(super) keep: usize,
}

impl Pump {
    /// Moves everything until the last writer is gone. The end of it goes to `kept`.
    pub(super) async fn run(self, kept: &mut VecDeque<u8>) {
        let mut pending = Vec::new();
        loop {
            self.attempt.output_ready().await;
            let ready = if pending.is_empty() {
                self.pipe.readable().await
            } else {
                match tokio::time::timeout(PARTIAL_LINE, self.pipe.readable()).await {
                    Ok(ready) => ready,
                    Err(_) => {
                        self.pass_on(std::mem::take(&mut pending));
                        continue;
                    }
                }
            };
            let start = pending.len();
            pending.reserve(CHUNK);
            match ready.and_then(|()| self.pipe.try_read_buf(&mut pending)) {
                Ok(0) => break,
                Ok(_) => {
                    self.keep_end(kept, &pending[start..]);
                    self.pass_on_lines(&mut pending);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => break,
            }
        }
        self.pass_on(pending);
    }

    /// Passes whole lines on, and the beginning of one that is too long.
    fn pass_on_lines(&self, pending: &mut Vec<u8>) {
        let whole = pending.iter().rposition(|byte| *byte == b'\n').map(|at| at + 1);
        if let Some(end) = whole.or((pending.len() >= CHUNK).then_some(pending.len())) {
            let rest = pending.split_off(end);
            self.pass_on(std::mem::replace(pending, rest));
        }
    }

    fn pass_on(&self, bytes: Vec<u8>) {
        self.attempt.output(self.stream, bytes);
    }

    fn keep_end(&self, kept: &mut VecDeque<u8>, bytes: &[u8]) {
        if self.keep > 0 {
            kept.extend(&bytes[bytes.len().saturating_sub(self.keep)..]);
            let excess = kept.len().saturating_sub(self.keep);
            kept.drain(..excess);
        }
    }
}

/// Gives `bytes` to a process. One that ends or closes its input early does not want the rest.
pub(super) async fn feed(mut pipe: pipe::Sender, bytes: Vec<u8>) {
    let _ = pipe.write_all(&bytes).await;
}
