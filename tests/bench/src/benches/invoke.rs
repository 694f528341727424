//! Attempts in the host alone: each a fresh instance with fuel, epochs, a memory limit and WASI at hand.
//!
//! What is timed lies between the reports of two attempts that one thread made one after the other: everything from the
//! hand-over of the invocation to its report, with nothing left out.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use sandglass_core::capability::EffectiveGrants;
use sandglass_core::id::{Digest, JobId, RunId};
use sandglass_core::invocation::{AttemptReport, Invocation, Work};
use sandglass_core::output::OutputChunk;
use sandglass_core::run::{AttemptOutcome, Origin};
use sandglass_core::spec::Limits;
use sandglass_core::time::Timestamp;
use sandglass_host::services::{BoxFuture, Progress, StateEntry, StateError, StateExpectation, StatePage};
use sandglass_host::{Host, HostConfig, Services};

use super::Scale;
use crate::measure::{Sample, clock, micros, rate, timed};
use crate::place::Place;
use crate::report::{Reach, Report};
use crate::rig;

/// How often each number of threads is measured. Many short rounds: the machine's speed changes within seconds, and two
/// threads are compared with the one just before.
const ROUNDS: usize = 25;
/// Attempts measured on each thread, each time.
const ATTEMPTS: usize = 15_000;
/// Attempts before it is measured.
const WARM_UP: usize = 5_000;
/// Attempts handed over at once.
const HAND_OVER: usize = 32;
/// Attempts under way at once, for each thread.
const UNDER_WAY: usize = 64;

pub(super) fn run(scale: Scale, report: &mut Report) -> anyhow::Result<()> {
    let component = std::fs::read(sandglass_test_guests::noop()?)?;
    let mut contestants = [1, 2].map(|threads| Contestant { threads, times: Vec::new(), rates: Vec::new() });
    let mut gains = Vec::new();
    let mut machine = Vec::new();
    // By turns, so that what else the machine does falls on both.
    for _ in 0..ROUNDS {
        for contestant in &mut contestants {
            contestant.go(&component, scale.of(ATTEMPTS))?;
        }
        let [one, two] = contestants.each_ref().map(|contestant| contestant.rates[contestant.rates.len() - 1]);
        gains.push(two / one);
        machine.push(arithmetic_gain());
    }
    for contestant in &mut contestants {
        let name = if contestant.threads == 1 { "1 thread" } else { "2 threads" };
        let sample = Sample::new(std::mem::take(&mut contestant.times));
        let typical = micros(sample.median());
        match contestant.threads {
            1 => report.hold(format!("one attempt, {name}, median"), typical, "µs", Reach::AtMost(20.0)),
            _ => report.tell(format!("one attempt, {name}, median"), typical, "µs"),
        }
        report.tell(format!("one attempt, {name}, p99"), micros(sample.p99()), "µs");
        let rates = median(&mut contestant.rates);
        report.tell(format!("attempts, {name}, median of {ROUNDS} rounds"), rates, "/s");
    }
    report.hold(
        format!("2 threads against 1, median of {ROUNDS} rounds"),
        median(&mut gains),
        "times",
        Reach::AtLeast(1.7),
    );
    report.tell("arithmetic alone, 2 threads against 1", median(&mut machine), "times");
    Ok(())
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// How much more two threads compute than one, where nothing is shared: what this machine gives at best. Processors that are
/// shared with others, or whose speed depends on their load, give less than 2.
///
/// There are more chains than a processor follows at once, so that it is used whole: two processors that are one to the
/// machine below share what a single chain would leave free.
fn arithmetic_gain() -> f64 {
    const STEPS: u64 = 5_000_000;
    let compute = || {
        let mut chains = [1_u64, 2, 3, 4, 5, 6, 7, 8];
        for step in 0..STEPS {
            for chain in &mut chains {
                // Out of sight of the compiler, which would make fewer of them.
                *chain = std::hint::black_box(*chain ^ step);
            }
        }
        chains
    };
    let ((), alone) = timed(|| std::thread::scope(|scope| drop(scope.spawn(compute))));
    let ((), together) = timed(|| {
        std::thread::scope(|scope| {
            scope.spawn(compute);
            scope.spawn(compute);
        });
    });
    2.0 * alone.as_secs_f64() / together.as_secs_f64()
}

/// A number of guest threads, and how it fared in each round.
struct Contestant {
    threads: usize,
    times: Vec<Duration>,
    rates: Vec<f64>,
}

impl Contestant {
    /// Makes `count` attempts on each thread of a host of its own.
    fn go(&mut self, component: &[u8], count: usize) -> anyhow::Result<()> {
        let place = Place::new()?;
        let host = Host::new(config(&place, self.threads), Arc::new(NoServices))?;
        let digest = Digest::of(component);
        host.prepare(digest, || Ok(component.to_owned()))?;
        Meter::measure(&host, digest, WARM_UP, self.threads)?;
        let count = count * self.threads;
        let (times, took) = Meter::measure(&host, digest, count, self.threads)?;
        self.times.extend(times);
        self.rates.push(rate(count, took));
        Ok(())
    }
}

fn config(place: &Place, threads: usize) -> HostConfig {
    HostConfig {
        cache_dir: place.path().join("cache"),
        key: [7; 32],
        max_concurrent: HostConfig::DEFAULT_MAX_CONCURRENT,
        runs_dir: place.path().join("runs"),
        threads,
    }
}

/// Keeps a host busy and notes how long each attempt took. The guest threads hand over what comes next themselves, so
/// that no other thread competes with them.
struct Meter {
    host: Weak<Host>,
    work: Arc<Work>,
    left: AtomicUsize,
    finished: AtomicUsize,
    total: usize,
    failed: AtomicBool,
    times: Mutex<Vec<Vec<Duration>>>,
    main: std::thread::Thread,
}

thread_local! {
    /// When this thread's last attempt was reported, and what it has measured since it last gave it away.
    static LAST: Cell<Option<Instant>> = const { Cell::new(None) };
    static TIMES: Cell<Vec<Duration>> = const { Cell::new(Vec::new()) };
}

/// How many times a thread keeps before it gives them away.
const KEPT: usize = 1000;

impl Meter {
    /// Makes `total` attempts: how long each took, and all of them.
    fn measure(
        host: &Arc<Host>,
        digest: Digest,
        total: usize,
        threads: usize,
    ) -> anyhow::Result<(Vec<Duration>, Duration)> {
        let meter = Arc::new(Self {
            host: Arc::downgrade(host),
            work: Arc::new(work(digest)?),
            left: AtomicUsize::new(total),
            finished: AtomicUsize::new(0),
            total,
            failed: AtomicBool::new(false),
            times: Mutex::default(),
            main: std::thread::current(),
        });
        let begin = clock();
        for _ in 0..(threads * UNDER_WAY).div_ceil(HAND_OVER) {
            meter.hand_over();
        }
        while meter.finished.load(Ordering::Acquire) < total {
            std::thread::park_timeout(Duration::from_secs(1));
            anyhow::ensure!(begin.elapsed() < Duration::from_secs(120), "the host does not get on");
        }
        let took = begin.elapsed();
        anyhow::ensure!(!meter.failed.load(Ordering::Acquire), "an attempt failed");
        let times = std::mem::take(&mut *meter.times.lock().unwrap_or_else(PoisonError::into_inner)).concat();
        Ok((times, took))
    }

    fn hand_over(self: &Arc<Self>) {
        let taken = self.left.fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| {
            (left > 0).then(|| left.saturating_sub(HAND_OVER))
        });
        let Ok(before) = taken else { return };
        let (Some(host), count) = (self.host.upgrade(), before.min(HAND_OVER)) else { return };
        let invocations = (before - count..before).map(|n| Invocation {
            run: RunId::from_bits(n as u128),
            attempt: 1,
            origin: Origin::Manual,
            scheduled_at: Timestamp::EPOCH,
            resumes: None,
            work: Arc::clone(&self.work),
        });
        let meter = Arc::clone(self);
        host.start_all(invocations.collect(), Arc::new(move |report| meter.take(&report)));
    }

    fn take(self: &Arc<Self>, report: &AttemptReport) {
        let now = clock();
        let mut times = TIMES.take();
        if let Some(last) = LAST.replace(Some(now)) {
            times.push(now - last);
        }
        if report.end.outcome != AttemptOutcome::Succeeded {
            self.failed.store(true, Ordering::Release);
        }
        if times.len() == KEPT {
            self.times.lock().unwrap_or_else(PoisonError::into_inner).push(std::mem::take(&mut times));
        }
        TIMES.set(times);
        let finished = self.finished.fetch_add(1, Ordering::AcqRel) + 1;
        if finished.is_multiple_of(HAND_OVER) {
            self.hand_over();
        }
        if finished == self.total {
            self.main.unpark();
        }
    }
}

fn work(digest: Digest) -> anyhow::Result<Work> {
    Ok(Work {
        namespace: "default".parse()?,
        job_id: JobId::from_bits(1),
        job: "noop".parse()?,
        revision: 1,
        plugin: "noop".parse()?,
        digest,
        action: "noop".to_owned(),
        params: "{}".to_owned(),
        scope: None,
        env: std::collections::BTreeMap::new(),
        secrets: [].into(),
        working_dir: None,
        timeout: Duration::from_secs(60),
        time_limit: sandglass_core::invocation::TimeLimit::Timeout,
        grace: Duration::from_secs(1),
        limits: Limits::default(),
        grants: EffectiveGrants::default(),
    })
}

/// The daemon's side, with nothing behind it. The plugin that does nothing asks for nothing.
struct NoServices;

impl NoServices {
    fn none<T: Send + 'static>() -> BoxFuture<'static, Result<T, StateError>> {
        Box::pin(std::future::ready(Err(StateError::Unavailable("there is no store here".to_owned()))))
    }
}

impl Services for NoServices {
    fn now(&self) -> Timestamp {
        rig::now()
    }

    fn output(&self, _: RunId, _: OutputChunk) {}

    fn output_ready(&self, _: RunId) -> Option<BoxFuture<'static, ()>> {
        None
    }

    fn progress(&self, _: RunId, _: u32, _: Progress) {}

    fn state_get(&self, _: JobId, _: String) -> BoxFuture<'static, Result<Option<StateEntry>, StateError>> {
        Self::none()
    }

    fn state_set(
        &self,
        _: JobId,
        _: String,
        _: Vec<u8>,
        _: StateExpectation,
        _: Option<Duration>,
    ) -> BoxFuture<'static, Result<u64, StateError>> {
        Self::none()
    }

    fn state_delete(&self, _: JobId, _: String, _: StateExpectation) -> BoxFuture<'static, Result<(), StateError>> {
        Self::none()
    }

    fn state_keys(
        &self,
        _: JobId,
        _: String,
        _: Option<String>,
        _: u32,
    ) -> BoxFuture<'static, Result<StatePage, StateError>> {
        Self::none()
    }
}
