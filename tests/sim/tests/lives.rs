//! A few lives, and what the simulator promises of itself. Thousands are lived by `cargo xtask sim`.

use sandglass_core::scheduler::Options;
use sandglass_sim::seeds::{live, live_all};
use sandglass_sim::trace::Trace;

#[test]
fn every_promise_is_kept() {
    let outcome = live_all(1, 60, &Options::default());
    assert!(outcome.failure.is_none(), "{:?}", outcome.failure);
    assert!(outcome.runs > 60 * 20, "there is too little in these lives: {} runs", outcome.runs);
}

#[test]
fn a_seed_decides_everything() {
    for seed in 1..6 {
        let told = || live(seed, &Options::default(), Trace::last(usize::MAX)).1;
        let (once, again) = (told(), told());
        let differs = once.iter().zip(&again).find(|(one, other)| one != other);
        assert_eq!(differs, None, "seed {seed}");
        assert_eq!(once.len(), again.len(), "seed {seed}");
    }
}
