//! Kills at random instants: no fire is lost, none is recorded twice, and no success is made up.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use sandglass_e2e::{Home, until};
use serde_json::Value;

use crate::scripts::{assert_gapless, each_second};

const KILLS: usize = 12;
/// Another one is taken from the environment variable `SANDGLASS_E2E_SEED`, for more rounds than a suite has time for.
const SEED: u64 = 20_261_121;
const JOBS: [&str; 4] = ["north", "east", "south", "west"];

/// Which runs wrote that they began, and that they ended; what is in these files was synced before the run went on.
struct Effects {
    began: BTreeMap<String, usize>,
    ended: BTreeSet<String>,
}

impl Effects {
    fn read(folder: &Path) -> Self {
        let mut effects = Self { began: BTreeMap::new(), ended: BTreeSet::new() };
        for job in JOBS {
            let text = std::fs::read_to_string(folder.join(job)).unwrap_or_default();
            for line in text.lines() {
                match line.split_once(' ') {
                    Some(("began", run)) => *effects.began.entry(run.to_owned()).or_default() += 1,
                    Some(("ended", run)) => _ = effects.ended.insert(run.to_owned()),
                    _ => panic!("a line that no run wrote: {line:?}"),
                }
            }
        }
        effects
    }
}

#[test]
fn kills_lose_no_fire_and_make_up_no_success() {
    let home = Home::new();
    let folder = home.path().join("effects");
    std::fs::create_dir(&folder).expect("folders can be made");
    let seed = std::env::var("SANDGLASS_E2E_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(SEED);
    eprintln!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);

    let daemon = home.start();
    for (job, sleep) in JOBS.into_iter().zip(["0", "0.2", "0.6", "0.9"]) {
        let file = folder.join(job);
        let file = file.display();
        let line = |word: &str| format!("echo \"{word} $SANDGLASS_RUN_ID\" >> {file}; sync {file}");
        daemon.put(&each_second(job, &format!("{}; sleep {sleep}; {}", line("began"), line("ended"))));
    }
    daemon.until_runs("north", "succeeded", 1);
    daemon.kill();
    for kill in 0..KILLS {
        // Every third is killed wherever it is in its start; the others some time after they are ready.
        if kill % 3 == 0 {
            let starting = home.spawn(&[]);
            pause(random.u64(5..400));
            starting.kill();
        } else {
            let daemon = home.start();
            pause(random.u64(0..1600));
            daemon.kill();
        }
        // Long enough, sometimes, for fires to be missed.
        pause(random.u64(0..900));
    }
    let daemon = home.start();
    for job in JOBS {
        let done = daemon.runs(job).iter().filter(|run| run["state"] == "succeeded").count();
        daemon.until_runs(job, "succeeded", done + 2);
    }
    // Asked to stop rather than read on the fly: then no run is between two states.
    daemon.stop();
    let daemon = home.spawn(&["--listen", "none"]).ready();
    let effects = Effects::read(&folder);
    let mut states = BTreeMap::new();
    for job in JOBS {
        let runs: Vec<Value> = daemon.runs(job);
        assert_gapless(job, &runs);
        for run in &runs {
            check(run, &effects);
            *states.entry(run["state"].as_str().unwrap_or_default().to_owned()).or_insert(0) += 1;
        }
    }
    assert!(effects.began.values().all(|times| *times == 1), "a run began twice: {:?}", effects.began);
    assert!(states.contains_key("interrupted"), "no kill met a run, so this shows little: {states:?}");
    daemon.stop();
}

fn check(run: &Value, effects: &Effects) {
    let id = run["id"].as_str().expect("an id");
    let (began, ended) = (effects.began.contains_key(id), effects.ended.contains(id));
    match run["state"].as_str().expect("a state") {
        "succeeded" => assert!(began && ended, "a success without its effect: {run}"),
        "skipped" => {
            assert!(!began, "a skipped run had an effect: {run}");
            assert!(["missed", "overlap"].contains(&run["reason"].as_str().unwrap_or_default()), "{run}");
        }
        "interrupted" => assert_eq!(run["attempts"].as_array().map(Vec::len), Some(1), "{run}"),
        // Not over yet when the daemon that answers has just started; it has its record all the same.
        "running" | "queued" => {}
        other => panic!("no run here should be {other}: {run}"),
    }
}

/// Lets some time pass. Nothing is waited for: the kill may come at any instant.
fn pause(millis: u64) {
    std::thread::sleep(Duration::from_millis(millis));
}

/// The processes of a run carry its id in their environment.
fn processes_of(run: &str) -> Vec<u32> {
    let mine = format!("SANDGLASS_RUN_ID={run}");
    let entries = std::fs::read_dir("/proc").expect("Linux has it").flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let has = |pid: &u32| {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == mine.as_bytes())
    };
    pids.filter(has).collect()
}

#[test]
fn a_kill_leaves_no_process_of_a_run_behind_once_restarted() {
    let home = Home::new();
    let daemon = home.start();
    daemon.put(&crate::scripts::command("long", "setsid sh -c 'sleep 300 & sleep 300' & echo up; sleep 300"));
    let run = daemon.start_run("long");
    until("the run's processes", Duration::from_secs(20), || (processes_of(&run).len() >= 4).then_some(()));
    daemon.kill();
    let daemon = home.start();
    let ended = daemon.ended(&run);
    assert_eq!(ended["state"], "interrupted", "{ended}");
    assert_eq!(ended["attempts"][0]["error"]["class"], "lost", "{ended}");
    until("the end of what the run left behind", Duration::from_secs(20), || {
        processes_of(&run).is_empty().then_some(())
    });
    daemon.stop();
}

#[test]
fn queued_runs_start_after_a_kill_and_idempotent_ones_are_tried_again() {
    let home = Home::new();
    let config = home.write("one.toml", "max_running = 1\n");
    let start = || home.spawn(&["--config", config.to_str().expect("UTF-8")]).ready();
    let daemon = start();
    let release = home.path().join("release");
    let mut again = crate::scripts::command(
        "again",
        &format!("echo attempt $SANDGLASS_ATTEMPT; while [ ! -e {} ]; do sleep 0.02; done", release.display()),
    );
    again["idempotent"] = true.into();
    again["retry"] = serde_json::json!({ "max_attempts": 3, "backoff": "fixed", "initial": "100ms", "jitter": "none" });
    daemon.put(&again);
    let again = daemon.start_run("again");
    until("its first output", Duration::from_secs(20), || (!daemon.output(&again, "stdout").is_empty()).then_some(()));
    let queued: Vec<String> = (0..3)
        .map(|number| {
            let name = format!("queued-{number}");
            daemon.put(&crate::scripts::command(&name, "echo ran"));
            daemon.start_run(&name)
        })
        .collect();
    assert!(queued.iter().all(|run| daemon.get(&format!("/runs/{run}"))["state"] == "queued"));
    daemon.kill();
    std::fs::write(&release, "").expect("files can be written");
    let daemon = start();
    let again = daemon.ended(&again);
    assert_eq!(again["state"], "succeeded", "{again}");
    let outcomes: Vec<&Value> = again["attempts"].as_array().expect("attempts").iter().map(|a| &a["outcome"]).collect();
    assert_eq!(outcomes, ["interrupted", "succeeded"], "{again}");
    for run in &queued {
        let run = daemon.ended(run);
        assert_eq!((&run["state"], run["attempts"].as_array().map(Vec::len)), (&"succeeded".into(), Some(1)), "{run}");
        assert_eq!(daemon.stdout(&run), "ran\n");
    }
    daemon.stop();
    // Folders of runs, those of the interrupted attempt too, are gone.
    let left = std::fs::read_dir(home.data().join("runs")).map_or(0, Iterator::count);
    assert_eq!(left, 0, "{left} folders of runs are left");
}
