//! Processes of runs that were going when an earlier daemon was killed.
//!
//! They are nobody's children now, so they are looked for among all processes, by the run in their environment. Members of
//! their sessions and their descendants are theirs too, as a run's sessions are its own.

use std::collections::HashSet;
use std::fs;
use std::time::Duration;

use rustix::process::{Pid, Signal};
use sandglass_core::id::RunId;

use super::proc;

/// How often to look again for processes that were killed and are not gone yet.
const ROUNDS: u32 = 400;
/// How long to wait between looks.
const PAUSE: Duration = Duration::from_millis(5);

/// Kills what is left of `runs` and waits until it is gone. Blocks, but for the looks alone if nothing is left.
pub(crate) fn end(runs: &HashSet<RunId>) {
    if runs.is_empty() {
        return;
    }
    let mut sessions = HashSet::new();
    for round in 0..ROUNDS {
        let found = find(runs, &mut sessions);
        if found.is_empty() {
            return;
        }
        if round == 0 {
            tracing::info!(processes = found.len(), "ending what interrupted runs left behind");
        }
        for (pid, started) in found {
            proc::send(pid, started, Signal::KILL);
        }
        std::thread::sleep(PAUSE);
    }
    tracing::error!(
        "processes that interrupted runs left behind could not be killed; look for SANDGLASS_RUN_ID in their environment"
    );
}

/// The processes of `runs`, with their starts, but none of our own session: a run may have started this very daemon.
/// `sessions` remembers which sessions are theirs, for members that outlive the last process with the run in its
/// environment.
fn find(runs: &HashSet<RunId>, sessions: &mut HashSet<i32>) -> Vec<(Pid, u64)> {
    let Some(ours) = proc::our_session() else { return Vec::new() };
    let all: Vec<(Pid, proc::Stat)> = everybody().filter_map(|pid| Some((pid, proc::stat(pid)?))).collect();
    let others = all.iter().filter(|(_, stat)| !stat.zombie && stat.session != ours);
    let others: Vec<&(Pid, proc::Stat)> = others.collect();
    let belongs = |pid: Pid| proc::run_of(pid).and_then(|run| run.parse().ok()).is_some_and(|run| runs.contains(&run));
    let marked: Vec<&(Pid, proc::Stat)> = others.iter().copied().filter(|(pid, _)| belongs(*pid)).collect();
    sessions.extend(marked.iter().map(|(_, stat)| stat.session));
    let below: HashSet<Pid> = marked.iter().flat_map(|(pid, _)| proc::tree(*pid)).collect();
    let found = others.iter().filter(|(pid, stat)| sessions.contains(&stat.session) || below.contains(pid));
    found.map(|(pid, stat)| (*pid, stat.started)).collect()
}

fn everybody() -> impl Iterator<Item = Pid> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn what_a_run_left_behind_dies_and_nothing_else() {
        let run = |text: &str| text.parse::<RunId>().unwrap();
        let (theirs, other) = (run("01M7Y6SDA93TMJ8G0XE9WFKRW4"), run("01M7Y6SDSXFEZW9FJPBSN5WX4W"));
        // `setsid` makes sessions as a run's processes have them; the second clears its environment.
        let start = |run: RunId, script: &str| {
            let mut command = Command::new("setsid");
            command.args(["sh", "-c", script]).env(proc::RUN_VARIABLE, run.to_string());
            command.stdin(Stdio::null()).spawn().unwrap()
        };
        let left_of = |run| find(&HashSet::from([run]), &mut HashSet::new()).len();
        let mut left = start(theirs, "env -i sleep 300 & sleep 300; true");
        let mut kept = start(other, "sleep 300; true");
        let seen = (0..ROUNDS).any(|_| {
            std::thread::sleep(PAUSE);
            left_of(theirs) >= 3 && left_of(other) > 0
        });
        assert!(seen, "the processes did not start");
        end(&HashSet::from([theirs]));
        assert_eq!(left_of(theirs), 0);
        assert!(left_of(other) > 0);
        end(&HashSet::from([theirs, other]));
        // Another test of this process may have taken their exit statuses, as those of orphans.
        let _ = (left.wait(), kept.wait());
    }
}
