//! The written form of rows. It is in stores that must be readable for years, so it may change only together with its
//! format number and with code that still reads the old one.

use sandglass_core::id::{JobId, RunId};
use sandglass_core::job::{Backlog, Cursor};
use sandglass_core::notice::Health;
use sandglass_core::run::{
    Attempt, AttemptEnd, AttemptOutcome, Ending, Gate, Origin, Run, RunState, SkipReason, Usage,
};
use sandglass_core::time::Timestamp;

use super::rows::{self, StateRow, StateSize};
use super::run_row;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn run() -> Run {
    let at = Timestamp::from_secs(1_800_000_000);
    let usage = Usage {
        fuel: 300,
        peak_memory_bytes: 65_536,
        wall_us: 9,
        guest_cpu_us: 8,
        output_bytes: 7,
        ..Usage::default()
    };
    let end =
        AttemptEnd { finished_at: at, outcome: AttemptOutcome::Succeeded, error: None, exit_code: Some(0), usage };
    Run {
        version: 2,
        revision: 5,
        origin: Origin::CatchUp,
        trigger: Some(1),
        scheduled_at: at,
        gate: Gate::Turn,
        state: RunState::Ended { ending: Ending::Succeeded, at },
        params: Some(std::sync::Arc::new(serde_json::Map::from_iter([("n".to_owned(), 1.into())]))),
        attempts: vec![Attempt { number: 1, started_at: at, end: Some(end) }],
        result: Some("{}".to_owned()),
        ..Run::queued(
            RunId::from_bits(1),
            "ns".parse().unwrap(),
            JobId::from_bits(0x0102),
            "job".parse().unwrap(),
            Timestamp::from_micros(at.as_micros() + 3),
        )
    }
}

#[test]
fn a_run_is_written_as_ever() {
    let expected = "0903020000000000000000000000000000000000010202026e73036a6f620501018080c489e5c5b20606020501010501000000\
                    0100ac028080040908070001027b7d0000000001077b226e223a317d000000";
    let row = run_row::encode(&run());
    assert_eq!(hex(&row), expected);
    assert_eq!(run_row::decode(run().id, &row).unwrap(), run());
}

#[test]
fn a_damaged_run_is_an_error_whatever_the_damage() {
    let skipped = RunState::Ended { ending: Ending::Skipped(SkipReason::Missed), at: Timestamp::EPOCH };
    for run in [run(), Run { state: skipped, ..run() }] {
        let row = run_row::encode(&run);
        for length in 0..row.len() {
            assert!(run_row::decode(run.id, &row[..length]).is_err(), "cut to {length}");
        }
        assert!(run_row::decode(run.id, &[&row[..], &[0]].concat()).is_err());
        let mut rng = fastrand::Rng::with_seed(6);
        for _ in 0..20_000 {
            let mut damaged = row.clone();
            for _ in 0..rng.usize(1..4) {
                let place = rng.usize(0..damaged.len());
                damaged[place] = rng.u8(..);
            }
            // It may still be a run, but it must not panic.
            let _ = run_row::decode(run.id, &damaged);
            let _ = run_row::head(&damaged);
            let _ = rows::decode_cursor(&damaged);
            let _ = rows::decode_job(run.job_id, &damaged);
            let _ = rows::decode_calendar(&damaged);
            let _ = rows::decode_notify(b"ns", &damaged);
            let _ = rows::decode_template(&damaged);
            let _ = rows::decode_plugin(&damaged);
            let _ = StateRow::decode(&damaged);
            let _ = StateSize::decode(&damaged);
        }
    }
}

#[test]
fn cursors_and_state_are_written_as_ever() {
    let cursor = Cursor {
        done_until: Timestamp::from_micros(64),
        next_fire_at: Some(Timestamp::from_micros(-1)),
        fired: 3,
        ..Cursor::default()
    };
    let held = Backlog::Held(vec![Timestamp::from_micros(60), Timestamp::from_micros(64)]);
    let stood_for = Backlog::StoodForUntil(Timestamp::from_micros(65));
    for (backlog, expected) in [(None, "00"), (Some(held), "01020700"), (Some(stood_for), "0202")] {
        let cursor = Cursor { backlog: backlog.map(Box::new), ..cursor.clone() };
        assert_eq!(hex(&rows::encode_cursor(&cursor)), format!("048001010103{expected}0000"));
        assert_eq!(rows::decode_cursor(&rows::encode_cursor(&cursor)).unwrap(), cursor);
    }
    let since = Timestamp::from_micros(1);
    let health = Health { failing: true, since, told_until: Timestamp::from_micros(64) };
    let watched = Cursor { health: Some(Box::new(health)), ..cursor };
    assert_eq!(hex(&rows::encode_cursor(&watched)), "04800101010300010102800100");
    assert_eq!(rows::decode_cursor(&rows::encode_cursor(&watched)).unwrap(), watched);
    let row = StateRow { revision: 200, value: b"ab".to_vec(), expires_at: Some(Timestamp::from_micros(1)) };
    assert_eq!(hex(&row.encode()), "02c80101026162");
    let size = StateSize { keys: 1, bytes: 200, gone: 3 };
    assert_eq!(hex(&size.encode()), "0101c80103");
    assert_eq!(StateSize::decode(&size.encode()).unwrap(), size);
}
