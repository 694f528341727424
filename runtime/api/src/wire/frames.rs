//! Output as frames of bytes, for those who want much of it fast: no JSON, no Base64.
//!
//! `GET …/runs/{id}/logs` answers so if the request's `Accept` names [`FRAMES`], whether it follows or not. All numbers are
//! little-endian.
//!
//! ```text
//! frame     kind (1)  length of what follows (4)  …
//! kind 0    nothing: the connection is alive
//! kind 1    stream (1)  attempt (4)  instant in µs (8)  position (8)  bytes as they were printed
//! kind 2    a ProgressEvent as JSON
//! kind 3    the finished Run as JSON; nothing follows
//! ```
//!
//! Streams are 0 stdout, 1 stderr, 2 log, 3 system. The position is where the output goes on after the piece, for `?from=`;
//! all bits are set if the piece has none. A reader passes over frames of a kind that it does not know.

use sandglass_core::output::{OutputChunk, OutputStream};
use sandglass_core::time::Timestamp;
use serde::Serialize;

use super::{ProgressEvent, Run};

/// The media type.
pub const FRAMES: &str = "application/vnd.sandglass.output";

/// The longest frame that is read, in bytes.
const MAX_FRAME_BYTES: usize = 16 << 20;
/// The kinds.
const ALIVE: u8 = 0;
const OUTPUT: u8 = 1;
const PROGRESS: u8 = 2;
const END: u8 = 3;
const HEAD: usize = 5;
const OUTPUT_HEAD: usize = 21;
const STREAMS: [OutputStream; 4] =
    [OutputStream::Stdout, OutputStream::Stderr, OutputStream::Log, OutputStream::System];

/// What a frame holds.
#[derive(Clone, PartialEq, Debug)]
pub enum Frame {
    /// A piece of output, and where it goes on after it.
    Output(OutputChunk, Option<u64>),
    /// How far the run has come.
    Progress(ProgressEvent),
    /// The run is over.
    End(Box<Run>),
}

/// What came is no frame.
#[derive(Debug, thiserror::Error)]
#[error("a frame of output is damaged: {0}")]
pub struct InvalidFrame(String);

/// Writes a frame that only shows that the connection is alive.
pub fn write_alive(to: &mut Vec<u8>) {
    write_head(to, ALIVE, 0);
}

/// Writes a piece of output, and where it goes on after it.
pub fn write_output(to: &mut Vec<u8>, chunk: &OutputChunk, position: Option<u64>) {
    let stream = STREAMS.iter().position(|stream| *stream == chunk.stream).expect("STREAMS has every stream");
    to.reserve(HEAD + OUTPUT_HEAD + chunk.bytes.len());
    write_head(to, OUTPUT, OUTPUT_HEAD + chunk.bytes.len());
    to.push(stream as u8);
    to.extend_from_slice(&chunk.attempt.to_le_bytes());
    to.extend_from_slice(&chunk.at.as_micros().to_le_bytes());
    to.extend_from_slice(&position.unwrap_or(u64::MAX).to_le_bytes());
    to.extend_from_slice(&chunk.bytes);
}

/// Writes how far the run has come.
pub fn write_progress(to: &mut Vec<u8>, progress: &ProgressEvent) {
    write_json(to, PROGRESS, progress);
}

/// Writes the run that is over.
pub fn write_end(to: &mut Vec<u8>, run: &Run) {
    write_json(to, END, run);
}

fn write_json(to: &mut Vec<u8>, kind: u8, value: &impl Serialize) {
    let text = serde_json::to_vec(value).expect("wire types have text keys and finite numbers");
    write_head(to, kind, text.len());
    to.extend_from_slice(&text);
}

fn write_head(to: &mut Vec<u8>, kind: u8, length: usize) {
    to.push(kind);
    to.extend_from_slice(&u32::try_from(length).expect("a frame is far shorter than 4 GiB").to_le_bytes());
}

/// Puts frames together from bytes in whatever pieces they come.
#[derive(Default, Debug)]
pub struct FrameReader {
    /// The beginning of a frame: of a piece of output what comes before its bytes, of any other all that has come.
    begun: Vec<u8>,
    /// A piece of output whose bytes come.
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    chunk: OutputChunk,
    position: Option<u64>,
    missing: usize,
}

impl FrameReader {
    /// Takes bytes that came, up to the end of the next frame, which it gives. None if they all are taken before.
    ///
    /// # Errors
    ///
    /// If what came is no frame; nothing that follows can be read then.
    pub fn next_frame(&mut self, bytes: &mut &[u8]) -> Result<Option<Frame>, InvalidFrame> {
        loop {
            if let Some(open) = &mut self.open {
                let come = bytes.split_off(..open.missing.min(bytes.len())).unwrap_or_default();
                open.chunk.bytes.extend_from_slice(come);
                open.missing -= come.len();
                if open.missing > 0 {
                    return Ok(None);
                }
                return Ok(self.open.take().map(|open| Frame::Output(open.chunk, open.position)));
            }
            let Some([kind, length @ ..]) = self.begin(HEAD, bytes).and_then(|begun| begun.first_chunk::<HEAD>())
            else {
                return Ok(None);
            };
            let (kind, length) = (*kind, u32::from_le_bytes(*length) as usize);
            if length > MAX_FRAME_BYTES {
                return Err(InvalidFrame(format!("it claims {length} bytes")));
            }
            let ahead = if kind == OUTPUT { length.min(OUTPUT_HEAD) } else { length };
            let Some(begun) = self.begin(HEAD + ahead, bytes) else { return Ok(None) };
            let content = &begun[HEAD..];
            let frame = match kind {
                OUTPUT => {
                    self.open = Some(open(content, length)?);
                    None
                }
                _ => read(kind, content)?,
            };
            self.begun.clear();
            if frame.is_some() {
                return Ok(frame);
            }
        }
    }

    /// The first `length` bytes of the frame, once they have come.
    fn begin(&mut self, length: usize, bytes: &mut &[u8]) -> Option<&[u8]> {
        let missing = length.saturating_sub(self.begun.len()).min(bytes.len());
        self.begun.extend_from_slice(bytes.split_off(..missing).unwrap_or_default());
        self.begun.get(..length)
    }
}

/// What a frame holds that is no output, if it is of a kind that says something.
fn read(kind: u8, content: &[u8]) -> Result<Option<Frame>, InvalidFrame> {
    let json = |error: serde_json::Error| InvalidFrame(error.to_string());
    match kind {
        PROGRESS => serde_json::from_slice(content).map(|progress| Some(Frame::Progress(progress))).map_err(json),
        END => serde_json::from_slice(content).map(|run| Some(Frame::End(Box::new(run)))).map_err(json),
        _ => Ok(None),
    }
}

/// A piece of output of which nothing but the head has come; the whole frame has this many bytes.
fn open(head: &[u8], length: usize) -> Result<Open, InvalidFrame> {
    let head = head.first_chunk::<OUTPUT_HEAD>().ok_or_else(|| InvalidFrame("it is cut short".to_owned()))?;
    let number = |from: usize, length: usize| {
        head[from..from + length].iter().rev().fold(0_u64, |number, byte| number << 8 | u64::from(*byte))
    };
    let stream = STREAMS.get(usize::from(head[0])).copied();
    let stream = stream.ok_or_else(|| InvalidFrame(format!("it has the unknown stream {}", head[0])))?;
    let missing = length - OUTPUT_HEAD;
    let chunk = OutputChunk {
        attempt: number(1, 4) as u32,
        at: Timestamp::from_micros(number(5, 8).cast_signed()),
        stream,
        bytes: Vec::with_capacity(missing),
    };
    Ok(Open { chunk, position: Some(number(13, 8)).filter(|position| *position != u64::MAX), missing })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_survive_any_cut() {
        let piece = |stream, at, bytes: &[u8]| OutputChunk {
            attempt: 7,
            at: Timestamp::from_micros(at),
            stream,
            bytes: bytes.to_vec(),
        };
        let pieces = [
            (piece(OutputStream::Stdout, -5, b"a\xff\n"), Some(3)),
            (piece(OutputStream::Log, i64::MAX, b""), None),
            (piece(OutputStream::System, 0, &[0; 300]), Some(u64::MAX - 1)),
        ];
        let progress = ProgressEvent { completed: 1, total: Some(2), unit: None, message: Some("ä".to_owned()) };
        let mut bytes = Vec::new();
        for (chunk, position) in &pieces {
            write_output(&mut bytes, chunk, *position);
            write_alive(&mut bytes);
        }
        bytes.extend_from_slice(&[99, 2, 0, 0, 0, 1, 2]);
        write_progress(&mut bytes, &progress);
        for cut in 1..bytes.len() {
            let (mut reader, mut frames) = (FrameReader::default(), Vec::new());
            for mut part in bytes.chunks(cut) {
                while let Some(frame) = reader.next_frame(&mut part).unwrap() {
                    frames.push(frame);
                }
            }
            let expected = pieces.iter().map(|(chunk, position)| Frame::Output(chunk.clone(), *position));
            assert_eq!(frames, expected.chain([Frame::Progress(progress.clone())]).collect::<Vec<_>>());
        }
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        for bad in [&[1, 255, 255, 255, 255][..], &[1, 1, 0, 0, 0, 0], &[3, 1, 0, 0, 0, b'x']] {
            let mut bytes = bad;
            assert!(FrameReader::default().next_frame(&mut bytes).is_err(), "{bad:?}");
        }
    }
}
