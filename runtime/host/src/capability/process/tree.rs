//! The death of a run's processes, whole: those that left their session and process group included.
//!
//! This process is made the reaper of its descendants, so that whatever a run leaves behind becomes a child of ours
//! when its parent ends. Such an orphan is told from children that other code of this process started by its session:
//! a run's processes have sessions of their own and can never join ours. To which run it belongs is told by its
//! environment, by its session, or, if it hid from both, by waiting until every run that it could come from has ended.

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::{Mutex, OnceLock, RwLock};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, set_child_subreaper, waitid};
use sandglass_core::id::RunId;

use super::proc;
use super::spawn::{self, Launch, Reaped};
use crate::attempt::lock;

/// How often a sweep looks again for processes that it killed and that are not gone yet.
const ROUNDS: u32 = 400;
/// How long it waits between looks.
const PAUSE: Duration = Duration::from_millis(5);

/// What is known of the processes that runs of this process started. One for the whole process, as children are its own.
struct Registry {
    /// Held for reading while a process is started and noted, for writing while orphans are reaped: a process that is
    /// not noted yet is never taken for an orphan.
    starting: RwLock<()>,
    /// Children that were there before the first run's, by id and start: whoever started this process left them to it.
    foreign: HashSet<(Pid, u64)>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// Processes that the host started and has not reaped.
    live: HashMap<Pid, RunId>,
    /// Orphans of unknown origin, by id and start: the runs that they could come from.
    strays: HashMap<(Pid, u64), HashSet<RunId>>,
}

impl Known {
    fn is_live(&self, run: RunId) -> bool {
        self.live.values().any(|live| *live == run)
    }
}

static REGISTRY: OnceLock<Registry> = OnceLock::new();

fn registry() -> &'static Registry {
    REGISTRY.get_or_init(|| {
        if let Err(error) = set_child_subreaper(Some(rustix::process::getpid())) {
            tracing::warn!("processes that leave their group may outlive their run: {error}");
        }
        let foreign =
            proc::our_children().into_iter().filter_map(|pid| Some((pid, proc::stat(pid)?.started))).collect();
        Registry { starting: RwLock::default(), foreign, known: Mutex::default() }
    })
}

/// Starts a process for `run`.
pub(super) fn start(run: RunId, launch: &Launch<'_>) -> io::Result<Pid> {
    let registry = registry();
    let _starting = registry.starting.read().unwrap_or_else(std::sync::PoisonError::into_inner);
    let pid = spawn::spawn(launch)?;
    lock(&registry.known).live.insert(pid, run);
    Ok(pid)
}

/// Takes the exit status of a process that `start` gave, once it has ended.
pub(super) fn reap(pid: Pid) -> io::Result<Option<Reaped>> {
    let mut known = lock(&registry().known);
    let reaped = spawn::reap(pid);
    if !matches!(reaped, Ok(None)) {
        known.live.remove(&pid);
    }
    reaped
}

/// Kills what is left of `run`, all of whose processes that the host started have ended, and waits until it is gone.
pub(super) async fn sweep(run: RunId) {
    if lock(&registry().known).is_live(run) {
        return;
    }
    for round in 0..ROUNDS {
        if !no_children_at_all() && sweep_once(run) {
            tokio::time::sleep(PAUSE).await;
        } else {
            return;
        }
        if round == ROUNDS / 2 {
            tracing::warn!(%run, "processes that the run left behind are slow to die");
        }
    }
    tracing::error!(%run, "processes that the run left behind could not be killed; look for {run} in their environment");
}

/// The common case, for the price of one call.
fn no_children_at_all() -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    matches!(waitid(WaitId::All, options), Err(rustix::io::Errno::CHILD))
}

/// Whether something of `run` was found, and killed, or may be there still.
fn sweep_once(run: RunId) -> bool {
    let registry = registry();
    // What ends as soon as it has started another is seen only by what it leaves.
    let (orphans, mut found) = orphans(registry);
    for (pid, stat) in orphans {
        if belongs(registry, pid, stat, run) {
            found = true;
            for pid in proc::tree(pid) {
                // Gone already, or somebody else's by now and then not ours to kill: either way the next look tells.
                let _ = kill_process(pid, Signal::KILL);
            }
        }
    }
    found
}

/// Our children that the host did not start, nor other code of this process. Those that have ended are reaped, and whether
/// there were any.
fn orphans(registry: &Registry) -> (Vec<(Pid, proc::Stat)>, bool) {
    let Some(session) = proc::our_session() else { return (Vec::new(), false) };
    let _starting = registry.starting.write().unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut known = lock(&registry.known);
    let children: Vec<_> = proc::our_children()
        .into_iter()
        .filter(|pid| !known.live.contains_key(pid))
        .filter_map(|pid| Some((pid, proc::stat(pid)?)))
        .filter(|(pid, stat)| !registry.foreign.contains(&(*pid, stat.started)))
        .filter(|(_, stat)| stat.session != session)
        .collect();
    known.strays.retain(|stray, _| children.iter().any(|(pid, stat)| (*pid, stat.started) == *stray));
    let (ended, living): (Vec<_>, Vec<_>) = children.into_iter().partition(|(_, stat)| stat.zombie);
    for (pid, _) in &ended {
        let _ = waitid(WaitId::Pid(*pid), WaitIdOptions::EXITED | WaitIdOptions::NOHANG);
    }
    (living, !ended.is_empty())
}

/// Whether an orphan belongs to `run`, which is ending.
fn belongs(registry: &Registry, pid: Pid, stat: proc::Stat, run: RunId) -> bool {
    let mut known = lock(&registry.known);
    if let Some(owner) = proc::run_of(pid).and_then(|text| text.parse::<RunId>().ok()) {
        return owner == run || !known.is_live(owner);
    }
    if Pid::from_raw(stat.session).is_some_and(|leader| known.live.contains_key(&leader)) {
        return false;
    }
    let live: HashSet<RunId> = known.live.values().copied().collect();
    let candidates = known.strays.entry((pid, stat.started)).or_insert_with(|| live.clone());
    candidates.retain(|candidate| *candidate != run && live.contains(candidate));
    candidates.is_empty()
}

/// What the process that leads a group started and what is outside of this group now: ids and starts. With `whole_run`, or if
/// no other process of the run is left, also what of the run lost its parents. To be looked for before the group is asked
/// to stop: what a group leaves behind cannot be told from others.
pub(super) fn outsiders(leader: Pid, run: RunId, whole_run: bool) -> Vec<(Pid, u64)> {
    let group = leader.as_raw_nonzero().get();
    let orphans = orphans_beside(leader, run, whole_run);
    let all: HashSet<Pid> = orphans.into_iter().chain([leader]).flat_map(proc::tree).collect();
    let outside = all.into_iter().filter_map(|pid| Some((pid, proc::stat(pid)?)));
    let outside = outside.filter(|(_, stat)| stat.group != group && !stat.zombie);
    outside.map(|(pid, stat)| (pid, stat.started)).collect()
}

/// The orphans of `run` that whoever stops the process `leader` speaks for: none of those of the run's other processes, and
/// if all are stopped at once, the first speaks for all.
fn orphans_beside(leader: Pid, run: RunId, whole_run: bool) -> Vec<Pid> {
    let registry = registry();
    let (orphans, _) = orphans(registry);
    let known = lock(&registry.known);
    let live: HashSet<Pid> = known.live.iter().filter(|(_, owner)| **owner == run).map(|(pid, _)| *pid).collect();
    let speaks = if whole_run {
        live.iter().all(|pid| pid.as_raw_nonzero() >= leader.as_raw_nonzero())
    } else {
        live.iter().all(|pid| *pid == leader)
    };
    if !speaks {
        return Vec::new();
    }
    let is_of_run =
        |pid: Pid| proc::run_of(pid).is_some_and(|text| text.parse::<RunId>().is_ok_and(|owner| owner == run));
    orphans.into_iter().map(|(pid, _)| pid).filter(|pid| is_of_run(*pid)).collect()
}

/// Asks these to stop.
pub(super) fn ask(processes: &[(Pid, u64)]) {
    for (pid, started) in processes {
        proc::send(*pid, *started, Signal::TERM);
        proc::send(*pid, *started, Signal::CONT);
    }
}

/// Whether one of these still lives.
pub(super) fn one_lives(processes: &[(Pid, u64)]) -> bool {
    processes.iter().any(|(pid, started)| proc::lives(*pid, *started))
}

/// Whether processes of the session that `leader` led are left besides `leader` itself.
pub(super) fn session_has_members(leader: Pid) -> bool {
    let session = leader.as_raw_nonzero().get();
    proc::our_children()
        .into_iter()
        .filter(|pid| *pid != leader)
        .filter_map(proc::stat)
        .any(|stat| stat.session == session && !stat.zombie)
}

/// Reaps orphans that have ended while their run goes on, or have outlived it. Whether there are more, or children of which
/// more may come.
pub(crate) fn reap_orphans() -> bool {
    let Some(registry) = REGISTRY.get() else { return false };
    if no_children_at_all() {
        return false;
    }
    let (living, has_reaped) = orphans(registry);
    has_reaped || !living.is_empty()
}
