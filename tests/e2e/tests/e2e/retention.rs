//! What is kept of runs that are over, and what goes.

use std::time::Duration;

use sandglass_e2e::{Home, until};
use serde_json::json;

use crate::scripts::command;

const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn what_is_kept_long_enough_goes_also_when_the_job_changes() {
    let home = Home::new();
    let config = home.write("kept.toml", "upkeep_every = '1s'\n[retention]\nruns = 5\n");
    let daemon = home.spawn(&["--config", config.to_str().expect("UTF-8")]).ready();
    daemon.put(&command("fails", "exit 1"));
    let mut job = command("prints", "echo hello");
    job["retention"] = json!({ "runs": 7 });
    daemon.put(&job);
    let mut first = None;
    for _ in 0..9 {
        let run = daemon.start_run("prints");
        daemon.ended(&run);
        first.get_or_insert(run);
        daemon.ended(&daemon.start_run("fails"));
    }
    let runs = |job: &str, count: usize| {
        until("the runs to go", PATIENCE, || (daemon.runs(job).len() == count).then_some(()));
    };
    runs("fails", 5);
    runs("prints", 7);
    let first = first.expect("there were runs");
    home.cli(&["run", "logs", &first]).expect(4);
    // A change holds for what is there.
    job["retention"] = json!({ "runs": 2 });
    daemon.put(&job);
    runs("prints", 2);
    let checked = home.cli(&["store", "check"]).expect(0).stdout;
    assert_eq!(checked, "the store is in order\n");
    let size = home.cli(&["store", "compact", "--json"]).expect(0).json();
    assert!(size["after_bytes"].as_u64() <= size["before_bytes"].as_u64(), "{size}");
    assert_eq!(daemon.runs("prints").len(), 2);
    daemon.stop();
}
