//! Failed runs are tried again as their job says, say so, and can be started again by hand.

use sandglass_e2e::Home;
use serde_json::json;

use crate::scripts::command;

#[test]
fn exit_codes_decide_and_the_record_tells_why() {
    let home = Home::new();
    let daemon = home.start();
    // Busy the first time, broken the second time.
    let script = "if [ -e tried ]; then exit 2; fi; touch tried; exit 75";
    let mut job = command("flaky", script);
    job["working_dir"] = json!(home.path());
    job["retry"] = json!({ "max_attempts": 5, "initial": "10ms", "exit_codes": { "retry": [75, "100-120"] } });
    daemon.put(&job);
    home.cli(&["job", "run", "flaky", "--wait"]).expect(1);
    let run = daemon.runs("flaky").remove(0);
    let (id, attempts) = (run["id"].as_str().expect("an id"), run["attempts"].as_array().expect("a list"));
    assert_eq!((attempts.len(), &run["exit_code"], &run["state"]), (2, &json!(2), &json!("failed")), "{run}");
    assert_eq!(run["note"], "it was not tried again: retry.exit_codes leaves exit code 2 out");
    let shown = home.cli(&["run", "show", id]).expect(0).stdout;
    assert!(shown.contains("note") && shown.contains("leaves exit code 2 out"), "{shown}");

    job["action"]["with"]["command"] = json!("echo mended");
    daemon.put(&job);
    let again = home.cli(&["run", "retry", id, "--wait", "--json"]).expect(0).json();
    let found = (&again["rerun_of"], &again["origin"], &again["state"], &again["revision"]);
    assert_eq!(found, (&json!(id), &json!("retry"), &json!("succeeded"), &json!(2)), "{again}");
    assert_eq!(daemon.get(&format!("/runs/{id}"))["state"], "failed", "what is over stays as it is");
    home.cli(&["job", "delete", "flaky", "--yes"]).expect(0);
    home.cli(&["run", "retry", id]).expect(4);

    home.write("bad.yaml", "{name: a, command: date, retry: {on: [interrupted], exit_codes: {stop: [\"9-1\"]}}}");
    home.cli(&["validate", "bad.yaml"]).expect(3).says(&["write a code such as 75"]);
    home.write("bad.yaml", "{name: a, command: date, retry: {on: [interrupted]}}");
    home.cli(&["validate", "bad.yaml"]).expect(3).says(&["idempotent: true"]);
}
