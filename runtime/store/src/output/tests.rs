//! Output files after the end of a process at any byte, and what is left on the disk.

use std::path::{Path, PathBuf};

use sandglass_core::id::RunId;
use sandglass_core::output::{OutputChunk, OutputStream};
use sandglass_core::time::Timestamp;

use super::{FileOutput, OutputPosition};
use crate::contract::OutputStore;

const RUN: RunId = RunId::from_bits(0x0199_0000_0000_0000_0000_0000_0000_0042);

fn chunk(bytes: &[u8]) -> OutputChunk {
    OutputChunk { attempt: 1, at: Timestamp::EPOCH, stream: OutputStream::Stdout, bytes: bytes.to_vec() }
}

fn files(dir: &Path) -> Vec<(PathBuf, u64)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push((path, entry.metadata().unwrap().len()));
        }
    }
    found
}

fn read(output: &FileOutput) -> Vec<OutputChunk> {
    output.read_output(RUN, OutputPosition::START, 1 << 20).unwrap().chunks
}

#[test]
fn a_record_that_was_not_finished_is_ignored_and_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let output = FileOutput::new(dir.path());
    output.append_output(RUN, &[chunk(b"first"), chunk(b"second")]).unwrap();
    output.close_output(RUN).unwrap();
    let path = files(dir.path())[0].0.clone();
    let whole = std::fs::read(&path).unwrap();
    for length in 0..whole.len() {
        std::fs::write(&path, &whole[..length]).unwrap();
        let kept = read(&output).len();
        assert!(kept < 2);
        output.append_output(RUN, &[chunk(b"third")]).unwrap();
        output.close_output(RUN).unwrap();
        let expected = [chunk(b"first"), chunk(b"third")];
        assert_eq!(read(&output), expected[1 - kept..], "cut to {length}");
    }
    // Zeros, as a power cut leaves them where length was written before content.
    std::fs::write(&path, [&whole[..], &[0; 100]].concat()).unwrap();
    assert_eq!(read(&output), [chunk(b"first"), chunk(b"second")]);
}

#[test]
fn the_disk_stays_bounded_however_much_goes_through() {
    let dir = tempfile::tempdir().unwrap();
    let output = FileOutput::new(dir.path());
    output.open_output(RUN, 1 << 20).unwrap();
    let large = chunk(&[b'x'; 100_000]);
    for _ in 0..1000 {
        output.append_output(RUN, std::slice::from_ref(&large)).unwrap();
        let size: u64 = files(dir.path()).iter().map(|(_, size)| size).sum();
        assert!(size < 5 << 18, "{size}");
    }
    output.remove_output(RUN).unwrap();
    let other = RunId::from_bits(RUN.to_bits() + 1);
    let tiny: Vec<_> = (0..200_000).map(|_| chunk(b"y")).collect();
    output.open_output(other, 1 << 20).unwrap();
    for _ in 0..4 {
        output.append_output(other, &tiny).unwrap();
    }
    let size: u64 = files(dir.path()).iter().map(|(_, size)| size).sum();
    assert!(size < 4 << 20, "{size} for output in pieces of one byte");
    output.remove_output(other).unwrap();
    assert!(files(dir.path()).is_empty());
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "empty folders go too");
}

#[test]
fn more_runs_than_files_may_be_open() {
    let dir = tempfile::tempdir().unwrap();
    let output = FileOutput::new(dir.path());
    let runs: Vec<_> = (0..400).map(|n| RunId::from_bits(RUN.to_bits() + n)).collect();
    for round in 0..3_u8 {
        for run in &runs {
            output.append_output(*run, &[chunk(&[round])]).unwrap();
        }
    }
    for run in &runs {
        output.close_output(*run).unwrap();
        let page = output.read_output(*run, OutputPosition::START, 100).unwrap();
        assert_eq!(page.chunks.iter().map(|chunk| chunk.bytes[0]).collect::<Vec<_>>(), [0, 1, 2]);
    }
    assert_eq!(files(dir.path()).len(), 400);
}

/// Reads on until there is nothing more, and gives the bytes that came.
fn follow(output: &FileOutput, position: &mut OutputPosition) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let page = output.read_output(RUN, *position, 8 << 10).unwrap();
        if page.next == *position {
            return bytes;
        }
        *position = page.next;
        bytes.extend(page.chunks.into_iter().flat_map(|chunk| chunk.bytes));
    }
}

#[test]
fn whoever_follows_misses_nothing_that_is_kept_wherever_it_waits() {
    for (before, limit_later) in (0..100).flat_map(|before| [(before, 64 << 10), (before, 1 << 20)]) {
        let dir = tempfile::tempdir().unwrap();
        let output = FileOutput::new(dir.path());
        let print = |count: u8| {
            let chunks: Vec<_> = (0..count).map(|number| chunk(&[number; 1000])).collect();
            output.append_output(RUN, &chunks).unwrap();
        };
        output.open_output(RUN, 64 << 10).unwrap();
        print(before);
        let mut position = OutputPosition::START;
        follow(&output, &mut position);
        output.close_output(RUN).unwrap();
        // Another attempt, which goes on; how much is kept of the run stays as it is.
        output.open_output(RUN, limit_later).unwrap();
        print(200);
        let seen = follow(&output, &mut position);
        assert_eq!(position.offset(), (u64::from(before) + 200) * 1000, "{before}");
        assert!(seen.ends_with(&[199; 1000]), "{before}");
        let afresh = follow(&output, &mut OutputPosition::from_offset(position.offset() - 1000));
        assert_eq!(afresh, [199; 1000], "{before}");
    }
}
