//! Jobs are paused, resumed, disabled and enabled, and say so.

use std::time::Duration;

use sandglass_e2e::{Home, until};
use serde_json::json;

use crate::scripts::command;

#[test]
fn a_paused_job_starts_nothing_by_itself_and_says_who_paused_it() {
    let home = Home::new();
    let daemon = home.start();
    let mut often = command("often", "true");
    often["triggers"] = json!([{ "every": "1s" }]);
    often["tags"] = json!(["busy"]);
    daemon.put(&often);
    let said = home.cli(&["job", "pause", "often", "--reason", "moving house"]).expect(0).stdout;
    assert!(said.contains("job 'often' is paused by ") && said.contains(": moving house"), "{said}");
    let job = daemon.get("/jobs/often");
    let (by, since) = (job["paused"]["by"].clone(), job["paused"]["since"].clone());
    assert!(by.as_str().is_some_and(|by| !by.is_empty()) && since.is_string(), "{job}");
    assert_eq!((&job["enabled"], &job["revision"]), (&json!(true), &json!(1)));
    let skipped = daemon.until_runs("often", "skipped", 2);
    assert_eq!(skipped[0]["reason"], "paused", "{skipped:?}");
    // Again, over TCP: who and since when stay.
    let path = "/api/v1/namespaces/default/jobs/often/pause";
    let again = daemon.http().send("POST", path, &[], b"").json(200);
    assert_eq!((&again["paused"]["by"], &again["paused"]["since"]), (&by, &since), "{again}");
    let at = skipped[0]["scheduled_at"].as_str().expect("an instant");
    let why = home.cli(&["job", "why", "often", "--at", at]).expect(0).stdout;
    assert!(why.contains("was skipped: the job is paused since") && why.contains("moving house"), "{why}");
    home.cli(&["job", "next", "often"]).expect(0).says(&["note: the job is paused", "job resume often"]);
    let listed = home.cli(&["job", "list"]).expect(0).stdout;
    assert!(listed.contains("paused"), "{listed}");
    home.cli(&["job", "run", "often", "--wait"]).expect(0);
    // It outlives the daemon and a change of the job.
    daemon.stop();
    let daemon = home.start();
    often["description"] = json!("changed");
    daemon.put(&often);
    assert_eq!(daemon.get("/jobs/often")["paused"]["since"], since);
    let tagged = home.cli(&["job", "resume", "--tag", "busy", "--json"]).expect(0).json();
    assert_eq!(tagged, json!({ "jobs": 1, "changed": ["often"] }));
    until("a fire that starts a run", Duration::from_secs(20), || {
        daemon.runs("often").into_iter().find(|run| run["origin"] == "schedule" && run["state"] == "succeeded")
    });
    home.cli(&["job", "pause", "--tag", "nobody"]).expect(4);
    home.cli(&["job", "pause", "nobody"]).expect(4);
    home.cli(&["job", "pause"]).expect(2);
    daemon.http().send("POST", path, &[], b"{\"tag\": \"busy\"}").problem(400, "bad_request");
}

#[test]
fn a_disabled_job_cannot_be_started_and_a_namespace_is_held_as_a_whole() {
    let home = Home::new();
    let daemon = home.start();
    let mut hourly = command("hourly", "true");
    hourly["triggers"] = json!([{ "every": "1h" }]);
    daemon.put(&hourly);
    let disabled = home.cli(&["job", "disable", "hourly", "--json"]).expect(0).json();
    let job = &disabled["items"][0];
    assert_eq!((&job["enabled"], job.get("next_fire_at")), (&json!(false), None), "{job}");
    home.cli(&["job", "run", "hourly"]).expect(5).says(&["job 'hourly' is disabled", "enable it first"]);
    let run = "/api/v1/namespaces/default/jobs/hourly/run";
    daemon.http().send("POST", run, &[], b"").problem(409, "job_disabled");
    let next = home.cli(&["job", "next", "hourly"]).expect(0).stdout;
    assert!(next.contains("it is disabled"), "{next}");
    let enabled = home.cli(&["job", "enable", "hourly"]).expect(0).stdout;
    assert!(enabled.contains("job 'hourly' is active; it fires next at"), "{enabled}");

    let whole = home.cli(&["job", "pause", "--namespace-wide", "--reason", "inventory"]).expect(0).stdout;
    assert!(whole.contains("namespace 'default' is paused by ") && whole.contains("1 job paused"), "{whole}");
    daemon.put(&command("later", "true"));
    let later = daemon.get("/jobs/later");
    assert_eq!((&later["paused"]["namespace_wide"], &later["paused"]["reason"]), (&json!(true), &json!("inventory")));
    home.cli(&["job", "resume", "--namespace-wide"]).expect(0);
    assert_eq!(daemon.get("/jobs/later").get("paused"), None);
    let all = home.cli(&["job", "pause", "--all", "--json"]).expect(0).json();
    assert_eq!(all, json!({ "jobs": 2, "changed": ["hourly", "later"] }));
}
