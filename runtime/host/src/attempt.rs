//! What everything that serves one attempt shares: its identity, its stop signal, what it printed and was refused.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use sandglass_core::capability::{Capability, CapabilityUses, Denial};
use sandglass_core::id::{RunId, TargetName};
use sandglass_core::invocation::{Invocation, Work};
use sandglass_core::output::{OutputChunk, OutputStream};
use sandglass_core::run::Origin;
use sandglass_core::template;
use sandglass_core::time::Timestamp;
use serde_json::Value;
use tokio::time::Instant;

use crate::bindings::types::ErrorCode;
use crate::capability::CallError;
use crate::capability::docker::Engines;
use crate::capability::exec::Tasks;
use crate::capability::files::Mounted;
use crate::capability::process::Folders;
use crate::capability::progress::Coalescer;
use crate::capability::remote::{Digests, Known};
use crate::capability::tls::Encryption;
use crate::secrets::{NotPutIn, RunSecrets};
use crate::services::Services;
use crate::stop::Stop;
use crate::ticker::Ticks;

/// How much of a guest's standard error is kept for the message of a trap, in bytes.
const STDERR_TAIL: usize = 2048;
/// How many targets are named that a guest left without a word.
const NAMED_TARGETS: usize = 5;

/// One attempt, as long as anything serves it.
pub(crate) struct Attempt {
    pub(crate) run: RunId,
    pub(crate) number: u32,
    pub(crate) origin: Origin,
    pub(crate) scheduled_at: Timestamp,
    /// The run whose result it goes on from.
    pub(crate) resumes: Option<RunId>,
    pub(crate) work: Arc<Work>,
    /// What of the work had templates, filled in. Set before the guest starts, if there are any.
    filled: OnceLock<Filled>,
    /// Set before the guest starts, if its job names any.
    secrets: OnceLock<RunSecrets>,
    /// The folders of the host that the run was granted, open. Set before the guest starts, if there are any.
    mounts: OnceLock<Vec<Mounted>>,
    pub(crate) services: Arc<dyn Services>,
    pub(crate) stop: Stop,
    pub(crate) tasks: Tasks,
    /// The host's ticks.
    pub(crate) ticks: Arc<Ticks>,
    /// The targets that it may work on, once it has asked for them.
    pub(crate) fleet: OnceLock<Known>,
    /// Those that it began to work on, each with how many came before.
    begun_on: Mutex<BTreeMap<TargetName, usize>>,
    /// How many programs on other machines it began.
    programs: AtomicU32,
    /// Those of targets that it uses.
    pub(crate) engines: Engines,
    /// Of files that it sends to other machines.
    pub(crate) digests: Digests,
    pub(crate) progress: Coalescer,
    /// Time that guest threads worked on the guest, in nanoseconds.
    pub(crate) spent: AtomicU64,
    /// The part of it that went into slow host calls, in nanoseconds.
    spent_in_host: AtomicU64,
    /// HTTP connections that are open.
    pub(crate) connections: AtomicU32,
    /// What it said of TLS.
    pub(crate) encryption: Encryption,
    started: Mutex<Option<Instant>>,
    output_bytes: AtomicU64,
    uses: [UseCount; Capability::ALL.len()],
    denial: Mutex<Option<Denial>>,
    denied_last: AtomicBool,
    stderr_tail: Mutex<Vec<u8>>,
}

/// How often one capability was used and refused so far.
#[derive(Default)]
struct UseCount {
    used: AtomicU32,
    denied: AtomicU32,
}

/// Why an attempt cannot be given what its work names.
#[derive(Debug)]
pub(crate) enum NotFilled {
    /// A template cannot be filled in.
    Template(String),
    /// A secret may not be used.
    Denied(Denial),
    /// A secret cannot be had.
    Secret(String),
}

/// What of an attempt's work had templates.
struct Filled {
    /// JSON text.
    params: String,
    env: BTreeMap<String, String>,
    working_dir: Option<String>,
}

impl Attempt {
    pub(crate) fn new(
        invocation: Invocation,
        services: Arc<dyn Services>,
        folders: &Arc<Folders>,
        ticks: &Arc<Ticks>,
    ) -> Self {
        Self {
            tasks: Tasks::new(Arc::clone(folders)),
            ticks: Arc::clone(ticks),
            run: invocation.run,
            number: invocation.attempt,
            origin: invocation.origin,
            scheduled_at: invocation.scheduled_at,
            resumes: invocation.resumes,
            work: invocation.work,
            filled: OnceLock::new(),
            secrets: OnceLock::new(),
            mounts: OnceLock::new(),
            services,
            stop: Stop::default(),
            fleet: OnceLock::new(),
            engines: Engines::default(),
            digests: Digests::default(),
            progress: Coalescer::default(),
            spent: AtomicU64::new(0),
            spent_in_host: AtomicU64::new(0),
            connections: AtomicU32::new(0),
            encryption: Encryption::default(),
            started: Mutex::default(),
            output_bytes: AtomicU64::new(0),
            uses: std::array::from_fn(|_| UseCount::default()),
            denial: Mutex::default(),
            denied_last: AtomicBool::new(false),
            stderr_tail: Mutex::default(),
            begun_on: Mutex::default(),
            programs: AtomicU32::new(0),
        }
    }

    /// Gets the secrets that the work names, and fills in its templates, if it has any.
    pub(crate) fn fill_in(&self) -> Result<(), NotFilled> {
        self.take_secrets()?;
        let Some(scope) = &self.work.scope else { return Ok(()) };
        let mut scope = Cow::Borrowed(scope.as_ref());
        if !scope.upstream.is_empty() {
            for upstream in &mut scope.to_mut().upstream {
                upstream.result = self.services.result_of(upstream.run.run).map_err(NotFilled::Template)?;
            }
        }
        let shows_output_of = scope.notice.as_ref().and_then(|notice| notice.shows_output_of());
        if let Some(run) = shows_output_of.filter(|_| self.may_name_output()) {
            scope.to_mut().output = self.services.last_output(run);
        }
        if let Some(secrets) = self.secrets() {
            let placeholders = secrets.all().iter().map(|held| (held.secret.name.clone(), held.placeholder.clone()));
            scope.to_mut().secrets = placeholders.collect();
        }
        let rendered = template::render(&self.work, &scope).map_err(|error| NotFilled::Template(error.to_string()))?;
        self.services.check_params(&self.work, &rendered.params).map_err(NotFilled::Template)?;
        let template::Rendered { params, env, working_dir } = rendered;
        // Filled in once: the guest starts only after this.
        _ = self.filled.set(Filled { params: params.to_string(), env, working_dir });
        Ok(())
    }

    /// Whether a template may name what a run printed: reading it takes longer than looking for the word.
    fn may_name_output(&self) -> bool {
        self.work.env.values().chain([&self.work.params]).any(|text| text.contains("output"))
    }

    /// Gets the values of the secrets that the work names, as far as it may use them.
    fn take_secrets(&self) -> Result<(), NotFilled> {
        let names = template::secrets_of_work(&self.work);
        if names.is_empty() {
            return Ok(());
        }
        names.iter().try_for_each(|name| self.work.grants.secret(name)).map_err(|denial| {
            self.denied(Capability::Secrets, &denial);
            NotFilled::Denied(denial)
        })?;
        let values = self.services.secrets(&self.work.namespace, &names).map_err(NotFilled::Secret)?;
        let secrets = RunSecrets::new(values, &self.work.secrets).map_err(NotFilled::Secret)?;
        // Taken once: the guest starts only after this.
        _ = self.secrets.set(secrets);
        Ok(())
    }

    /// The secrets that the attempt uses, if there are any.
    pub(crate) fn secrets(&self) -> Option<&RunSecrets> {
        self.secrets.get()
    }

    /// `text` without the values of the attempt's secrets.
    pub(crate) fn masked(&self, text: String) -> String {
        match self.secrets() {
            // A value in it may be a part of a character only if it is no text itself.
            Some(secrets) => String::from_utf8_lossy(&secrets.masked(text.into_bytes())).into_owned(),
            None => text,
        }
    }

    /// `value` without the values of the attempt's secrets.
    pub(crate) fn masked_json(&self, mut value: Value) -> Value {
        if let Some(secrets) = self.secrets() {
            secrets.mask_json(&mut value);
        }
        value
    }

    /// The action's parameters as people may see them: where a secret stands for its value, the template that names it.
    pub(crate) fn shown_params(&self) -> Value {
        self.shown_json(self.params()).unwrap_or_default()
    }

    /// What JSON text says, with neither the values of secrets nor what stands for them; none if it is no JSON.
    pub(crate) fn shown_json(&self, text: &str) -> Option<Value> {
        // Placeholders are words without anything that JSON would escape; values may be anything.
        let value = serde_json::from_str(&self.named(text.to_owned())).ok()?;
        Some(self.masked_json(value))
    }

    /// `text` with neither the values of secrets nor what stands for them.
    pub(crate) fn shown(&self, text: String) -> String {
        self.masked(self.named(text))
    }

    /// `text` with the templates that name secrets where something stands for them.
    fn named(&self, mut text: String) -> String {
        for held in self.secrets().map(RunSecrets::all).unwrap_or_default() {
            text = text.replace(&held.placeholder, &format!("{{{{ secret.{} }}}}", held.secret.name));
        }
        text
    }

    /// The action's parameters: JSON text.
    pub(crate) fn params(&self) -> &str {
        self.filled.get().map_or(&self.work.params, |filled| &filled.params)
    }

    /// The job's environment for processes.
    pub(crate) fn env(&self) -> &BTreeMap<String, String> {
        self.filled.get().map_or(&self.work.env, |filled| &filled.env)
    }

    /// The job's working directory for processes.
    pub(crate) fn working_dir(&self) -> Option<&str> {
        self.filled.get().map_or(&self.work.working_dir, |filled| &filled.working_dir).as_deref()
    }

    /// The folders of the host that the run was granted.
    pub(crate) fn mounts(&self) -> &[Mounted] {
        self.mounts.get().map_or(&[], Vec::as_slice)
    }

    /// Keeps the folders that were opened for the run.
    pub(crate) fn set_mounts(&self, mounts: Vec<Mounted>) {
        // Opened once: the guest starts only after this.
        _ = self.mounts.set(mounts);
    }

    /// The guest takes its first step at `now`.
    pub(crate) fn begin(&self, now: Instant) {
        *lock(&self.started) = Some(now);
    }

    /// Does a host call whose time should not count as the guest's.
    pub(crate) fn in_host<T>(&self, call: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let value = call();
        self.spent_in_host.fetch_add(nanos(start.elapsed()), Ordering::Relaxed);
        value
    }

    /// Time that the guest itself computed, in microseconds.
    pub(crate) fn guest_cpu_us(&self) -> u64 {
        let host = self.spent_in_host.load(Ordering::Relaxed);
        self.spent.load(Ordering::Relaxed).saturating_sub(host) / 1000
    }

    /// When the attempt is asked to stop: its timeout after its start.
    pub(crate) fn timeout_at(&self) -> Instant {
        let start = lock(&self.started).unwrap_or_else(Instant::now);
        after(start, self.work.timeout)
    }

    /// How long until the attempt is asked to stop.
    pub(crate) fn remaining(&self) -> Duration {
        self.timeout_at().saturating_duration_since(Instant::now())
    }

    /// Hands a piece of output on, without the values of secrets.
    pub(crate) fn output(&self, stream: OutputStream, bytes: Vec<u8>) {
        match self.secrets() {
            Some(secrets) => self.pass_on(stream, secrets.masked_piece(stream, bytes)),
            None => self.pass_on(stream, bytes),
        }
    }

    /// Hands on what waits for the rest of what may be a secret: no more will come.
    pub(crate) fn end_output(&self) {
        if let Some(secrets) = self.secrets() {
            [OutputStream::Stdout, OutputStream::Stderr]
                .into_iter()
                .for_each(|stream| self.pass_on(stream, secrets.rest_of(stream)));
        }
    }

    fn pass_on(&self, stream: OutputStream, bytes: Vec<u8>) {
        // What is only planned is no run, and has no log.
        if bytes.is_empty() || self.work.grants.looks_only {
            return;
        }
        self.output_bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        self.services.output(self.run, OutputChunk { attempt: self.number, at: self.services.now(), stream, bytes });
    }

    /// Waits until more output may come.
    pub(crate) async fn output_ready(&self) {
        if let Some(ready) = self.services.output_ready(self.run) {
            ready.await;
        }
    }

    pub(crate) fn output_bytes(&self) -> u64 {
        self.output_bytes.load(Ordering::Relaxed)
    }

    /// Refuses the guest something, as [`Attempt::denied`] counts and remembers.
    pub(crate) fn refused(&self, capability: Capability, denial: &Denial) -> CallError {
        self.denied(capability, denial);
        CallError::denied(denial)
    }

    /// `text` for a process, with the values of secrets in the place of what stands for them; none if there is none in it.
    pub(crate) fn for_process(&self, text: &[u8]) -> Result<Option<Vec<u8>>, CallError> {
        let Some(secrets) = self.secrets() else { return Ok(None) };
        secrets.for_process(text).map_err(|error| self.not_put_in(&error))
    }

    /// What the guest is told if a secret cannot stand where its placeholder stands. That it may not go there is a refusal.
    pub(crate) fn not_put_in(&self, error: &NotPutIn) -> CallError {
        match error.denial() {
            Some(denial) => self.refused(Capability::Secrets, &denial),
            None => CallError::new(ErrorCode::Denied, error.to_string()),
        }
    }

    /// Counts a refusal and remembers it: if the guest fails next, that is why.
    pub(crate) fn denied(&self, capability: Capability, denial: &Denial) {
        self.uses[capability as usize].denied.fetch_add(1, Ordering::Relaxed);
        *lock(&self.denial) = Some(denial.clone());
        self.denied_last.store(true, Ordering::SeqCst);
    }

    /// Counts a use, and notes that it was granted.
    pub(crate) fn used(&self, capability: Capability) {
        self.uses[capability as usize].used.fetch_add(1, Ordering::Relaxed);
        self.granted();
    }

    /// What was used and refused so far.
    pub(crate) fn uses(&self) -> CapabilityUses {
        let mut uses = CapabilityUses::default();
        for capability in Capability::ALL {
            let UseCount { used, denied } = &self.uses[capability as usize];
            uses[capability].used = used.load(Ordering::Relaxed);
            uses[capability].denied = denied.load(Ordering::Relaxed);
        }
        let put_in = self.secrets().map_or(0, RunSecrets::put_in_count);
        uses[Capability::Secrets].used = uses[Capability::Secrets].used.saturating_add(put_in);
        uses
    }

    /// A later request was granted: a failure from here on has another cause.
    pub(crate) fn granted(&self) {
        self.denied_last.store(false, Ordering::SeqCst);
    }

    /// The refusal that a failure of the guest would come from.
    pub(crate) fn last_denial(&self) -> Option<Denial> {
        if self.denied_last.load(Ordering::SeqCst) { lock(&self.denial).clone() } else { None }
    }

    /// What tells a program that is begun on another machine from all others.
    pub(crate) fn mark(&self) -> String {
        // With an end of its own, so that none is the beginning of another.
        format!("{}-{}-{}.", self.run, self.number, self.programs.fetch_add(1, Ordering::Relaxed))
    }

    /// Notes that something other than looking is done on a target.
    pub(crate) fn begins_on(&self, target: &TargetName) {
        let mut begun = lock(&self.begun_on);
        if !begun.contains_key(target) {
            let before = begun.len();
            begun.insert(target.clone(), before);
        }
    }

    /// What is said where the guest ended without a word about targets that it had begun to work on: the last of them.
    pub(crate) fn left_behind(&self) -> Option<String> {
        let begun = lock(&self.begun_on);
        let first = begun.len().saturating_sub(NAMED_TARGETS);
        let mut names = vec![""; begun.len() - first];
        for (target, before) in begun.iter().filter(|(_, before)| **before >= first) {
            names[before - first] = target.as_str();
        }
        let which = match begun.len() {
            0 => return None,
            all if first > 0 => format!("{all} targets, the last of them {}", names.join(", ")),
            _ => names.join(", "),
        };
        Some(format!("; it did not tell what became of {which}: see its output"))
    }

    /// Keeps the end of what the guest writes to standard error.
    pub(crate) fn remember_stderr(&self, bytes: &[u8]) {
        let mut tail = lock(&self.stderr_tail);
        tail.extend_from_slice(&bytes[bytes.len().saturating_sub(STDERR_TAIL)..]);
        let excess = tail.len().saturating_sub(STDERR_TAIL);
        tail.drain(..excess);
    }

    pub(crate) fn stderr_tail(&self) -> String {
        String::from_utf8_lossy(&lock(&self.stderr_tail)).trim().to_owned()
    }

    /// Waits for `work`, unless the attempt is asked to stop first.
    pub(crate) async fn unless_stopped<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            value = work => Some(value),
            _ = self.stop.asked() => None,
        }
    }
}

pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// `duration` after `start`, or so far away that it does not matter.
pub(crate) fn after(start: Instant, duration: Duration) -> Instant {
    const FAR: Duration = Duration::from_secs(30 * 365 * 86_400);
    start.checked_add(duration.min(FAR)).unwrap_or(start)
}

/// Locks `mutex`. What it guards is changed in one step each time, so that a panic elsewhere leaves it sound.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
