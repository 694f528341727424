//! Targets and groups: by file, by the command line and by the API, and what is refused.

use sandglass_e2e::{Answer, Daemon, Home};
use serde_json::{Value, json};

/// A digest that no machine has.
const HOST_KEY: &str = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

fn target(name: &str, more: &str) -> String {
    format!(
        "kind: target\nname: {name}\naddress: 10.0.0.5\naccount: deploy\nhost_key: {HOST_KEY}\nkey: DEPLOY_KEY\n{more}---\n"
    )
}

/// A fleet with everything that there is.
fn fleet() -> String {
    [
        target("bastion", ""),
        target("web-1", "labels: { role: web, zone: eu }\njump: bastion\nbecome: [root]\n"),
        target("web-2", "labels: { role: web, zone: us }\nport: 2222\n"),
        target("db-1", "labels: { role: db, zone: eu }\n"),
        "kind: group\nname: web\nmembers: [web-1, web-*]\n---\n".to_owned(),
        "kind: group\nname: eu-web\nmembers: [\"group:web\", db-1]\nwhere: role==web and zone != us\n---\n".to_owned(),
        "name: hello\ncommand: echo hello\n".to_owned(),
    ]
    .concat()
}

fn names(page: &Value) -> Vec<&str> {
    page["items"].as_array().expect("items").iter().map(|item| item["name"].as_str().expect("a name")).collect()
}

#[test]
fn files_bring_targets_groups_and_jobs_together() {
    let home = Home::new();
    let daemon = home.start();
    home.write("fleet.yaml", fleet());
    home.cli(&["validate", "fleet.yaml", "--offline"]).expect(0);
    let diff = home.cli(&["diff", "fleet.yaml"]).expect(1).stdout;
    assert!(
        diff.contains("target web-1: would be created") && diff.contains("group eu-web: would be created"),
        "{diff}"
    );
    home.cli(&["apply", "fleet.yaml", "--dry-run"]).expect(0);
    assert_eq!(daemon.get("/targets")["items"], json!([]), "a dry run saved something");
    let applied = home.cli(&["apply", "fleet.yaml"]).expect(0);
    // The secret is not there yet, which is told with its line.
    applied.says(&["fleet.yaml:6: target 'bastion': there is no secret DEPLOY_KEY", "secret set DEPLOY_KEY"]);
    assert!(applied.stdout.contains("eu-web") && applied.stdout.contains("hello"), "{}", applied.stdout);
    home.cli(&["diff", "fleet.yaml"]).expect(0);
    home.write("fleet.yaml", fleet().replace("port: 2222", "port: 2200").replace("zone != us", "zone == eu"));
    let diff = home.cli(&["diff", "fleet.yaml"]).expect(1).stdout;
    let fields = ["  ~ port: 2222 -> 2200\n", "  ~ where: role == web and zone != us -> role == web and zone == eu\n"];
    assert_eq!(
        diff,
        format!("target web-2: would be changed\n{}group eu-web: would be changed\n{}", fields[0], fields[1])
    );
    let planned = home.cli(&["apply", "fleet.yaml", "--dry-run"]).expect(0).stdout;
    assert!(planned.contains("would be changed") && fields.iter().all(|field| planned.contains(field)), "{planned}");
    let applied = home.cli(&["apply", "fleet.yaml", "--json"]).expect(0).json();
    let changes: Vec<&Value> =
        applied["targets"].as_array().expect("targets").iter().map(|one| &one["change"]).collect();
    assert_eq!(changes, ["unchanged", "unchanged", "changed", "unchanged"], "{applied}");
    assert_eq!(applied["groups"][1], json!({ "group": "eu-web", "change": "changed" }));

    // What a group selects is asked anew every time, and all of it outlives the daemon.
    assert_eq!(daemon.get("/groups/web")["targets"], json!(["web-1", "web-2"]));
    daemon.kill();
    let daemon = home.start();
    let group = daemon.get("/groups/eu-web");
    assert_eq!((&group["targets"], &group["revision"]), (&json!(["web-1"]), &json!(2)), "{group}");
    assert_eq!(group["spec"]["where"], "role == web and zone == eu");
    let shown = daemon.get("/targets/web-1");
    assert_eq!((&shown["groups"], &shown["spec"]["become"]), (&json!(["eu-web", "web"]), &json!(["root"])), "{shown}");
    daemon.stop();
    // A folder that a daemon starts with may hold them too.
    let home = Home::new();
    home.write("jobs/fleet.yaml", fleet());
    let daemon = home.spawn(&["--jobs", "jobs"]).ready();
    assert_eq!(names(&daemon.get("/targets")), ["bastion", "db-1", "web-1", "web-2"]);
}

#[test]
fn the_command_line_saves_selects_and_deletes() {
    let home = Home::new();
    let _daemon = home.start();
    let none = home.cli(&["target", "list"]).expect(0).stdout;
    assert!(none.contains("no targets"), "{none}");
    let add = |name: &str, more: &[&str]| {
        let basic = ["target", "add", name, "--address", "10.0.0.5", "--account", "deploy", "--host-key", HOST_KEY];
        home.cli(&[&basic[..], more].concat())
    };
    add("bastion", &["--agent", "/run/agent.sock"]).expect(0);
    let labels = ["--label", "role=web", "--label", "zone=eu", "--jump", "bastion", "--become", "root"];
    let saved = add("web-1", &[&["--key", "DEPLOY_KEY", "--port", "2222"], &labels[..]].concat()).expect(0);
    saved.says(&["there is no secret DEPLOY_KEY"]);
    let shown = home.cli(&["target", "show", "web-1"]).expect(0).stdout;
    for part in ["10.0.0.5:2222", "with the secret DEPLOY_KEY", "role=web zone=eu", "bastion", "root", HOST_KEY] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    // What is there stays unless somebody means to replace it.
    add("web-1", &["--key", "OTHER"]).expect(5).says(&["'web-1' is there already", "--replace"]);
    add("web-1", &[&["--key", "OTHER", "--replace"], &labels[..]].concat()).expect(0);
    home.cli(&["group", "add", "web", "web-*", "--where", "zone == eu"]).expect(0);
    home.cli(&["group", "add", "all", "group:web", "bastion"]).expect(0);
    let listed = home.cli(&["group", "list"]).expect(0).stdout;
    assert!(listed.contains("group:web, bastion") && listed.contains("zone == eu"), "{listed}");
    let shown = home.cli(&["group", "show", "all", "--json"]).expect(0).json();
    assert_eq!(shown["targets"], json!(["bastion", "web-1"]), "{shown}");
    for (selector, expected) in [
        ("role == web", &["web-1"][..]),
        ("group:all", &["bastion", "web-1"]),
        ("*", &["bastion", "web-1"]),
        ("platform == linux and not role", &["bastion"]),
        ("mail-*", &[]),
    ] {
        let listed = home.cli(&["target", "list", "--select", selector, "--json"]).expect(0).json();
        assert_eq!(names(&listed), expected, "{selector}");
    }
    home.cli(&["target", "list", "--select", "role = web"]).expect(2).says(&["column 6", "write '=='"]);
    home.cli(&["target", "list", "--select", "group:wep"]).expect(3).says(&["no group 'wep' (did you mean 'web'?)"]);

    // What is named stays.
    home.cli(&["target", "delete", "bastion"]).expect(2).says(&["--yes"]);
    let refused = home.cli(&["target", "delete", "bastion", "--yes"]).expect(5);
    refused.says(&["target 'bastion' is named by target 'web-1', group 'all'"]);
    home.cli(&["group", "delete", "web", "--yes"]).expect(5).says(&["group 'web' is named by group 'all'"]);
    home.cli(&["group", "delete", "all", "web", "--yes"]).expect(0);
    home.cli(&["target", "delete", "web-1", "bastion", "--yes"]).expect(0);
    home.cli(&["target", "show", "web-1"]).expect(4).says(&["there is no target 'web-1'", "target list"]);
    home.cli(&["group", "show", "web"]).expect(4).says(&["there is no group 'web'"]);
}

#[test]
fn what_is_typed_wrong_is_told_before_anything_is_asked() {
    let home = Home::new();
    let add = |more: &[&str]| home.cli(&[&["target", "add", "web-1", "--account", "deploy"], more].concat());
    let key = ["--host-key", HOST_KEY];
    add(&[&["--address", "a", "--key", "K", "--agent", "/a"], &key[..]].concat()).expect(2).says(&["--agent"]);
    add(&[&["--address", "a"], &key[..]].concat()).expect(2).says(&["--key", "--agent"]);
    add(&["--address", "a", "--key", "K"]).expect(2).says(&["--host-key"]);
    add(&[&["--address", "a:22", "--key", "K"], &key[..]].concat()).expect(2).says(&["without a port"]);
    add(&["--address", "a", "--key", "K", "--host-key", "MD5:aa:bb"]).expect(2).says(&["MD5", "ssh-keygen -lf"]);
    add(&[&["--address", "a", "--key", "K", "--label", "role"], &key[..]].concat()).expect(2).says(&["NAME=VALUE"]);
    add(&[&["--address", "a", "--key", "K", "--platform", "linus"], &key[..]].concat()).expect(2).says(&["'linux'"]);
    home.cli(&["group", "add", "web"]).expect(2).says(&["MEMBER"]);
    home.cli(&["group", "add", "web", "role == web"]).expect(2).says(&["write it after 'where'"]);
}

#[test]
fn wrong_files_change_nothing_and_say_where() {
    let home = Home::new();
    let daemon = home.start();
    let with = |more: &str| format!("name: a\ncommand: x\n---\n{}", target("web-1", more));
    for (text, says) in [
        (with("prot: 22\n"), &["f.yaml:10:1: unknown key 'prot'", "did you mean 'port'?"][..]),
        (with("port: ssh\n"), &["f.yaml:10:7: expected a whole number from 1 to 65535"]),
        (with("").replace("host_key", "hostkey"), &["f.yaml:8:1: unknown key 'hostkey'", "did you mean 'host_key'?"]),
        (with("password: x\n"), &["f.yaml:10:1: unknown key 'password'"]),
        (with("").replace("kind: target", "kind: server"), &["f.yaml:4:7: unknown kind 'server'"]),
        // What only the daemon can know has its place too.
        (with("jump: bastion\n"), &["f.yaml:10:7: target 'web-1' names target 'bastion', which is not there"]),
        (with("jump: web-1\n"), &["f.yaml:10:7: the way to target 'web-1' goes in a circle"]),
        (
            with("") + "kind: group\nname: web\nmembers:\n  - web-1\n  - group:db\n",
            &["f.yaml:15:5: group 'web' names group 'db', which is not there"],
        ),
    ] {
        home.write("f.yaml", text);
        home.cli(&["apply", "f.yaml"]).expect(3).says(says);
        home.cli(&["validate", "f.yaml"]).expect(3).says(&says[..1]);
        assert_eq!((&daemon.get("/jobs")["items"], &daemon.get("/targets")["items"]), (&json!([]), &json!([])));
    }
    home.write("a.yaml", target("web-1", ""));
    home.write("b.yaml", target("web-1", ""));
    home.cli(&["apply", "a.yaml", "b.yaml"])
        .expect(3)
        .says(&["b.yaml:2:7: target 'web-1' is given twice: first in a.yaml:2"]);
}

fn put(daemon: &Daemon, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
    daemon.http().send("PUT", &format!("/api/v1/namespaces/default{path}"), headers, body.to_string().as_bytes())
}

#[test]
fn the_api_expects_revisions_and_keeps_secrets_that_targets_need() {
    let home = Home::new();
    let daemon = home.start();
    let spec =
        json!({ "name": "web-1", "address": "web-1", "account": "deploy", "host_key": HOST_KEY, "key": "DEPLOY_KEY" });
    let saved = put(&daemon, "/targets/web-1", &[("If-None-Match", "*")], &spec);
    assert_eq!(saved.header("etag"), Some("\"1\""));
    let saved = saved.json(200);
    assert_eq!((&saved["changed"], &saved["warnings"][0]["code"]), (&json!(true), &json!("no_such_secret")), "{saved}");
    assert_eq!(saved["target"]["spec"]["port"], 22);
    put(&daemon, "/targets/web-1", &[("If-None-Match", "*")], &spec).problem(412, "revision_conflict");
    put(&daemon, "/targets/web-1", &[("If-Match", "\"2\"")], &spec).problem(412, "revision_conflict");
    put(&daemon, "/targets/web-2", &[], &spec).problem(422, "invalid_target");
    let mut circle = spec.clone();
    circle["jump"] = json!("web-1");
    let problem = put(&daemon, "/targets/web-1", &[("If-Match", "\"1\"")], &circle).problem(422, "invalid_target");
    assert_eq!(problem["errors"][0]["pointer"], "/jump", "{problem}");
    put(&daemon, "/groups/web", &[], &json!({ "name": "web" })).problem(422, "invalid_group");
    let nobody = json!({ "name": "web", "members": ["web-1", "web-3"] });
    let problem = put(&daemon, "/groups/web", &[], &nobody).problem(422, "invalid_group");
    assert_eq!(problem["errors"][0]["pointer"], "/members/1", "{problem}");
    let group = put(&daemon, "/groups/web", &[], &json!({ "name": "web", "where": "role" })).json(200);
    assert_eq!(group["changed"], true, "{group}");
    let http = daemon.http();
    let delete = |path: &str, headers: &[(&str, &str)]| {
        http.send("DELETE", &format!("/api/v1/namespaces/default{path}"), headers, &[])
    };
    delete("/groups/web", &[("If-Match", "\"7\"")]).problem(412, "revision_conflict");
    delete("/groups/nobody", &[]).problem(404, "group_not_found");
    delete("/targets/nobody", &[]).problem(404, "target_not_found");
    let answer = http.get("/api/v1/namespaces/default/targets?select=role%20%3D%20web");
    answer.problem(422, "invalid_selector");
    // Other namespaces have targets of their own.
    assert_eq!(http.get("/api/v1/namespaces/other/targets").json(200)["items"], json!([]));
    // The secret of a target is not deleted under it.
    let set = &mut home.command(&["secret", "set", "DEPLOY_KEY"]);
    sandglass_e2e::run_with(set, b"not a key, but long enough").expect(0);
    let shown = home.cli(&["secret", "show", "DEPLOY_KEY", "--json"]).expect(0).json();
    assert_eq!(shown["used_by_targets"], json!(["web-1"]), "{shown}");
    home.cli(&["secret", "delete", "DEPLOY_KEY", "--yes"]).expect(5).says(&["used by target 'web-1'"]);
    assert_eq!(delete("/targets/web-1", &[("If-Match", "\"1\"")]).status, 204);
    home.cli(&["secret", "delete", "DEPLOY_KEY", "--yes"]).expect(0);
}

#[test]
fn a_job_is_told_that_its_targets_are_not_there() {
    let home = Home::new();
    let daemon = home.start();
    let key = format!("host_key: {HOST_KEY}\nkey: DEPLOY_KEY\n");
    let job = |name: &str, targets: &str| {
        format!(
            "---\nname: {name}\naction: {{ use: deploy/command, with: {{ command: restart, targets: {targets} }} }}\n"
        )
    };
    let text = [
        format!("kind: target\nname: web-1\naddress: web-1\naccount: deploy\nlabels: {{ role: web }}\n{key}"),
        "---\nkind: group\nname: web\nwhere: role == web\n".to_owned(),
        job("both", "[\"group:web\", \"web-*\"]"),
        job("filled", "\"{{ job.name }}\""),
        job("gone", "web-2"),
        job("nobody", "role == db"),
        job("wrong", "\"role ==\""),
    ];
    home.write("all.yaml", text.concat());
    let warned = |said: &str| {
        for line in [
            "job 'gone': there is no target 'web-2' (did you mean 'web-1'?): runs fail",
            "no target is named by role == db: runs fail",
            "all.yaml:26: job 'wrong': the expression cannot be read",
        ] {
            assert!(said.contains(line), "{line}: {said}");
        }
        assert_eq!(said.matches("runs fail").count(), 3, "{said}");
    };
    // As it would be once all of it is saved, and as it is then.
    warned(&home.cli(&["apply", "all.yaml", "--dry-run"]).expect(0).stderr);
    warned(&home.cli(&["apply", "all.yaml"]).expect(0).stderr);
    let spec =
        json!({ "name": "gone", "action": { "use": "docker/run", "with": { "image": "a", "target": "web-3" } } });
    let saved = put(&daemon, "/jobs/gone", &[], &spec).json(200);
    let warning = &saved["warnings"][0];
    assert_eq!(warning["code"], "no_such_target", "{saved}");
    assert_eq!(warning["pointer"], "/action/with/target", "{saved}");
    for (target, warnings) in [(json!("group:web"), 1), (json!("web-1"), 0), (json!(null), 0)] {
        let mut spec = spec.clone();
        spec["action"]["with"]["target"] = target;
        let saved = put(&daemon, "/jobs/gone", &[], &spec).json(200);
        let found: Vec<_> = saved["warnings"].as_array().into_iter().flatten().collect();
        assert_eq!(found.iter().filter(|one| one["code"] == "no_such_target").count(), warnings, "{saved}");
    }
}

#[test]
fn what_cannot_be_deleted_keeps_none_of_the_others() {
    let home = Home::new();
    let daemon = home.start();
    home.write("fleet.yaml", fleet());
    home.cli(&["apply", "fleet.yaml"]).expect(0);
    // `bastion` is the way to `web-1`, and groups name `web-1` and `db-1`.
    let ended = home.cli(&["target", "delete", "web-9", "db-1", "bastion", "web-2", "--yes"]).expect(4);
    assert_eq!(ended.stdout, "target 'web-2' is deleted\n");
    ended.says(&["'web-9'", "'bastion'", "'db-1'"]);
    home.cli(&["group", "delete", "web", "eu-web", "--yes"]).expect(0);
    let ended = home.cli(&["target", "delete", "bastion", "web-1", "--yes"]).expect(0);
    assert_eq!(ended.stdout, "target 'web-1' is deleted\ntarget 'bastion' is deleted\n");
    let ended = home.cli(&["job", "delete", "gone", "hello", "--yes", "--json"]).expect(4);
    assert_eq!(ended.json(), json!({ "deleted": ["hello"] }));
    assert!(ended.stderr.contains("\"code\": \"job_not_found\""), "{}", ended.stderr);
    assert_eq!(names(&daemon.get("/targets")), ["db-1"]);
}
