//! Deployments whose connections break, or whose runs end before they can put things in order.

use std::fs;
use std::time::Duration;

use sandglass_e2e::{Home, until};
use serde_json::json;

use crate::cable::Cable;
use crate::deploy::{fleet, some_servers, target};

const SOON: Duration = Duration::from_secs(60);

fn runs(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
}

#[test]
fn a_command_whose_connection_broke_is_ended_before_it_is_undone() {
    let Some(servers) = some_servers(1) else { return };
    let home = Home::new();
    let daemon = fleet(&home, &servers);
    let (server, cable) = (&servers[0], Cable::to(&servers[0]));
    home.write("fleet.yaml", target("web-1", "127.0.0.1", cable.port, &server.host_key()));
    home.cli(&["apply", "fleet.yaml"]).expect(0);
    let at = |name: &str| fs::read_to_string(server.mnt().join(name)).ok().filter(|text| text.ends_with('\n'));
    let with = json!({
        "targets": "web-1",
        "command": "echo $SANDGLASS_TARGET > /mnt/target; echo $$ > /mnt/pid; while :; do sleep 0.05; done",
        "undo": "case $(ps -o stat= -p $(cat /mnt/pid)) in ''|Z*) echo it is over;; *) echo it runs;; esac > /mnt/undone",
        "strategy": { "kind": "transactional" },
    });
    daemon.put(&json!({ "name": "long", "action": { "use": "deploy/command", "with": with } }));
    let run = daemon.start_run("long");
    let pid = until("its process", SOON, || at("pid"));
    assert_eq!(at("target").as_deref(), Some("web-1\n"));
    assert!(runs(&pid));
    cable.cut();
    let run = daemon.ended(&run);
    let told = &run["result"]["detail"]["targets"][0];
    let message = told["message"].as_str().expect("a message");
    assert!(message.ends_with("; what it had begun there was ended"), "{run:#}");
    assert_eq!((&told["state"], at("undone").as_deref()), (&json!("undone"), Some("it is over\n")), "{run:#}");
    assert!(!runs(&pid));
}

#[test]
fn a_transaction_that_has_no_time_to_be_undone_names_its_targets() {
    let Some(servers) = some_servers(1) else { return };
    let home = Home::new();
    let daemon = fleet(&home, &servers);
    let message = |name: &str, undo: &str, grace: &str| {
        let with = json!({
            "targets": "web-1",
            "command": "touch /mnt/begun; while :; do sleep 0.05; done",
            "undo": undo,
            "strategy": { "kind": "transactional" },
        });
        daemon.put(&json!({ "name": name, "action": { "use": "deploy/command", "with": with }, "grace": grace }));
        let run = daemon.start_run(name);
        let begun = servers[0].mnt().join("begun");
        until("its command", SOON, || begun.exists().then_some(()));
        fs::remove_file(begun).expect("it is there");
        home.cli(&["run", "cancel", &run]).expect(0);
        let run = daemon.ended(&run);
        assert_eq!(run["state"], "cancelled", "{run:#}");
        run["attempts"][0]["error"]["message"].as_str().expect("a message").to_owned()
    };
    let said = message("slow", "while :; do sleep 0.05; done", "500ms");
    assert!(said.ends_with("its grace was over; it did not tell what became of web-1: see its output"), "{said}");
    let said = message("quick", "true", "1m");
    assert!(said.contains("ended when it was asked to stop: of 1 target: 1 undone"), "{said}");
}

#[test]
fn a_plan_fails_where_no_target_can_be_looked_at() {
    let Some(mut servers) = some_servers(2) else { return };
    let home = Home::new();
    let daemon = fleet(&home, &servers);
    let with = json!({ "targets": "web-*", "command": "touch /mnt/done" });
    daemon.put(&json!({ "name": "touch", "action": { "use": "deploy/command", "with": with } }));
    servers[1].kill();
    let plan = home.cli(&["job", "plan", "touch", "--json"]).expect(0).json();
    assert_eq!((&plan["complete"], &plan["steps"][0]["summary"]), (&json!(false), &json!("run 'touch /mnt/done'")));
    let unseen = plan["steps"][1]["summary"].as_str().expect("it is text");
    assert!(unseen.starts_with("cannot be looked at: web-2 cannot be reached"), "{plan:#}");
    servers[0].kill();
    home.cli(&["job", "plan", "touch"]).expect(5).says(&["web-1 cannot be looked at: web-1 cannot be reached"]);
}
