//! What runs print.

use sandglass_core::id::RunId;
use sandglass_core::output::{OutputChunk, OutputStream};

use super::Subject;
use super::sample::at;
use crate::contract::Store;
use crate::output::OutputPosition;

const RUN: RunId = RunId::from_bits(0x0199_0000_0000_0000_0000_0000_0000_0042);

pub(super) fn chunk(bytes: &[u8]) -> OutputChunk {
    OutputChunk { attempt: 1, at: at(1), stream: OutputStream::Stdout, bytes: bytes.to_vec() }
}

/// All pages from `from` on, and where they end.
fn rest(store: &dyn Store, from: OutputPosition, limit: usize) -> (Vec<OutputChunk>, OutputPosition) {
    let mut chunks = Vec::new();
    let mut next = from;
    loop {
        let page = store.read_output(RUN, next, limit).unwrap();
        if page.chunks.is_empty() {
            assert_eq!(page.next, next);
            return (chunks, next);
        }
        assert!(page.next > next);
        next = page.next;
        chunks.extend(page.chunks);
    }
}

fn bytes_of(chunks: &[OutputChunk]) -> Vec<u8> {
    chunks.iter().flat_map(|chunk| chunk.bytes.iter().copied()).collect()
}

pub(super) fn in_order(subject: &mut dyn Subject) {
    let store = subject.open();
    let page = store.read_output(RUN, OutputPosition::START, 100).unwrap();
    assert_eq!(page, crate::output::OutputPage::default());
    store.open_output(RUN, 1 << 20).unwrap();
    store.close_output(RUN).unwrap();
    store.open_output(RUN, 1 << 20).unwrap();
    let streams = [OutputStream::Stdout, OutputStream::Stderr, OutputStream::Log, OutputStream::System];
    let chunks: Vec<_> = (0..200_u32)
        .map(|n| OutputChunk {
            attempt: n / 100 + 1,
            at: at(i64::from(n) - 100),
            stream: streams[n as usize % 4],
            bytes: format!("chunk {n} \u{0}ÿ").into_bytes(),
        })
        .collect();
    store.append_output(RUN, &[]).unwrap();
    store.append_output(RUN, &[chunk(b"")]).unwrap();
    for part in chunks.chunks(7) {
        store.append_output(RUN, part).unwrap();
    }
    for limit in [0, 1, 100, 1 << 20] {
        assert_eq!(rest(&*store, OutputPosition::START, limit).0, chunks);
    }
    let middle = OutputPosition::from_offset(chunks[0].bytes.len() as u64 + 3);
    assert_eq!(rest(&*store, middle, 50).0[0].bytes, &chunks[1].bytes[3..]);
    store.close_output(RUN).unwrap();
    store.close_output(RUN).unwrap();
    drop(store);
    subject.restart();
    let store = subject.open();
    let (read, end) = rest(&*store, OutputPosition::START, 1 << 20);
    assert_eq!(read, chunks);
    assert_eq!(end.offset(), bytes_of(&chunks).len() as u64);
}

pub(super) fn head_and_tail(subject: &mut dyn Subject) {
    const LIMIT: usize = 256 << 10;
    let store = subject.open();
    let mut rng = fastrand::Rng::with_seed(8);
    store.open_output(RUN, LIMIT as u64).unwrap();
    let mut printed = Vec::new();
    for round in 0..300_u32 {
        let chunks: Vec<_> = (0..rng.usize(0..6))
            .map(|_| {
                let length = if rng.u8(0..20) == 0 { 100_000 } else { rng.usize(0..300) };
                let word = round.to_le_bytes();
                chunk(&word.into_iter().cycle().take(length).collect::<Vec<_>>())
            })
            .collect();
        store.append_output(RUN, &chunks).unwrap();
        printed.extend(bytes_of(&chunks));
        if printed.len() <= LIMIT {
            assert!(bytes_of(&rest(&*store, OutputPosition::START, 10_000).0) == printed);
        }
    }
    store.close_output(RUN).unwrap();
    assert!(printed.len() > 10 * LIMIT);
    for limit in [5000, 1 << 30] {
        let (chunks, end) = rest(&*store, OutputPosition::START, limit);
        assert_eq!(end.offset(), printed.len() as u64);
        let marks: Vec<_> = (0..chunks.len()).filter(|n| chunks[*n].stream == OutputStream::System).collect();
        assert_eq!(marks.len(), 1, "one mark where something was left out");
        let (head, tail) = (bytes_of(&chunks[..marks[0]]), bytes_of(&chunks[marks[0] + 1..]));
        assert!(head.len() >= LIMIT / 2 && printed.starts_with(&head));
        assert!(tail.len() >= LIMIT / 2 && printed.ends_with(&tail));
        assert!(head.len() + tail.len() <= LIMIT + LIMIT / 4, "{} and {}", head.len(), tail.len());
        let left_out = printed.len() - head.len() - tail.len();
        let mark = String::from_utf8(chunks[marks[0]].bytes.clone()).unwrap();
        assert!(mark.contains(&left_out.to_string()), "{mark}");
    }
}

pub(super) fn removed(subject: &mut dyn Subject) {
    let store = subject.open();
    let other = RunId::from_bits(RUN.to_bits() + 1);
    assert_eq!(store.output_bytes(RUN).unwrap(), 0);
    store.remove_output(RUN).unwrap();
    store.append_output(other, &[chunk(b"stays")]).unwrap();
    for length in [100, 1 << 20] {
        store.open_output(RUN, 128 << 10).unwrap();
        store.append_output(RUN, &[chunk(&vec![b'x'; length])]).unwrap();
        store.close_output(RUN).unwrap();
        let bytes = usize::try_from(store.output_bytes(RUN).unwrap()).unwrap();
        assert!(bytes >= length.min(128 << 10) && bytes < length.min(128 << 10) * 2, "{bytes} of {length}");
        store.remove_output(RUN).unwrap();
        assert_eq!(store.output_bytes(RUN).unwrap(), 0);
        assert_eq!(rest(&*store, OutputPosition::START, 100).0, []);
    }
    assert_eq!(store.read_output(other, OutputPosition::START, 100).unwrap().chunks, [chunk(b"stays")]);
}

pub(super) fn continued(subject: &mut dyn Subject) {
    const LIMIT: usize = 128 << 10;
    let mut printed = Vec::new();
    let mut rng = fastrand::Rng::with_seed(9);
    for round in 0..12_u8 {
        let store = subject.open();
        store.open_output(RUN, LIMIT as u64).unwrap();
        for _ in 0..4 {
            let piece = chunk(&vec![round; rng.usize(1..10_000)]);
            printed.extend_from_slice(&piece.bytes);
            store.append_output(RUN, &[piece]).unwrap();
        }
        // Some openers end without closing, as a killed process does.
        if round % 2 == 0 {
            store.close_output(RUN).unwrap();
        }
        let (chunks, end) = rest(&*store, OutputPosition::START, 4000);
        assert_eq!(end.offset(), printed.len() as u64);
        let mark = chunks.iter().position(|chunk| chunk.stream == OutputStream::System);
        let (head, tail) = chunks.split_at(mark.unwrap_or(chunks.len()));
        assert!(printed.starts_with(&bytes_of(head)));
        assert!(tail.is_empty() || printed.ends_with(&bytes_of(&tail[1..])));
        assert!(mark.is_none() || bytes_of(&tail[1..]).len() >= LIMIT / 2);
        drop(store);
        subject.restart();
    }
    assert!(printed.len() > LIMIT);
}

pub(super) fn followed(subject: &mut dyn Subject) {
    let store = subject.open();
    store.open_output(RUN, 64 << 10).unwrap();
    let mut printed = Vec::new();
    let mut followed = Vec::new();
    let mut next = OutputPosition::START;
    for round in 0..100_u8 {
        let piece = chunk(&[round; 5000]);
        printed.extend_from_slice(&piece.bytes);
        store.append_output(RUN, &[piece]).unwrap();
        let (chunks, end) = rest(&*store, next, 3000);
        followed.extend(bytes_of(&chunks));
        next = end;
    }
    assert!(followed == printed, "who keeps up misses nothing");
    store.close_output(RUN).unwrap();
}
