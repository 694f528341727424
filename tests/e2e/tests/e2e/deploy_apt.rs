//! Software with Debian's own package manager, in a root of its own on each machine: nothing of this one is changed.

use std::fs;
use std::path::Path;
use std::process::Command;

use sandglass_e2e::Home;
use sandglass_test_servers::Sshd;
use serde_json::{Value, json};

use crate::deploy::{ended, fleet, some_servers};

/// Whether this machine has the programs.
fn has_apt() -> bool {
    let missing = ["apt-get", "dpkg", "dpkg-deb", "dpkg-query"].into_iter().find(|name| {
        let found = Command::new(name).arg("--version").output();
        !found.is_ok_and(|found| found.status.success())
    });
    missing.inspect(|name| eprintln!("skipped: there is no {name}")).is_none()
}

fn with_apt(server: &Sshd) {
    let script = include_str!("deploy_apt.sh");
    let made = Command::new("sh").args(["-c", script, "sh"]).arg(server.mnt()).arg("/mnt").output();
    let made = made.expect("`sh` can be started");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

/// What is installed on a machine, as `dpkg` tells.
fn installed(server: &Sshd) -> Vec<String> {
    let root = server.mnt();
    let mut query = Command::new("dpkg-query");
    query.arg(format!("--admindir={}", root.join("var/lib/dpkg").display()));
    let told =
        query.args(["-W", "-f", "${db:Status-Status} ${Package}=${Version}\n"]).output().expect("it can be started");
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    let mut found: Vec<String> =
        told.lines().filter_map(|line| line.strip_prefix("installed ")).map(str::to_owned).collect();
    for package in &found {
        let (name, version) = package.split_once('=').expect("it was asked for so");
        let text = fs::read_to_string(root.join("opt").join(name)).expect("its file is there");
        assert_eq!(text, format!("{name} {version}\n"));
    }
    found.sort();
    found
}

#[test]
fn debians_package_manager_installs_upgrades_and_removes_and_what_fails_is_undone() {
    if !has_apt() {
        return;
    }
    let Some(servers) = some_servers(2) else { return };
    let status = || Path::new("/var/lib/dpkg/status").metadata().and_then(|data| data.modified()).ok();
    let before = status();
    let home = Home::new();
    let daemon = fleet(&home, &servers);
    servers.iter().for_each(with_apt);
    let both = |packages: &[&str]| servers.iter().all(|server| installed(server) == packages);
    let run = |packages: &[&str], state: &str, kind: &str| -> Value {
        let with = json!({
            "targets": "*",
            "state": state,
            "software": { "packages": packages, "refresh": true },
            "strategy": { "kind": kind, "limit": 1 },
        });
        ended(&daemon, "packages", "deploy/software", &with, &json!({}))
    };
    let changed = |run: &Value| run["result"]["output"]["changed"].clone();
    assert_eq!(changed(&run(&["greeter=1.0*"], "present", "parallel")), 2);
    assert!(both(&["greeter=1.0-1"]));
    assert_eq!(changed(&run(&["greeter=1.0*"], "present", "parallel")), 0);
    // What needs it stays whatever becomes of it.
    assert_eq!(changed(&run(&["addon"], "present", "parallel")), 2);
    // A version that is nowhere to be had: nothing is touched.
    let failed = run(&["greeter=9*"], "present", "transactional");
    let message = failed["attempts"][0]["error"]["message"].as_str().expect("a message").to_owned();
    assert!(message.contains("Version '9*' for 'greeter' was not found"), "{message}");
    // One that fails in the middle leaves neither what was upgraded with it nor what came with that.
    let failed = run(&["greeter=1.1-1", "broken"], "present", "transactional");
    assert_eq!(failed["result"]["detail"]["targets"][0]["state"], "undone", "{failed:#}");
    assert!(both(&["addon=1.0-1", "greeter=1.0-1"]), "{:?}", servers.iter().map(installed).collect::<Vec<_>>());
    // Nor does one that is done on the first machine and fails on the second.
    let (file, aside) = (servers[1].mnt().join("repo/greeter-data_1.0-1_all.deb"), servers[1].mnt().join("aside"));
    fs::rename(&file, &aside).expect("it is there");
    let failed = run(&["greeter=1.1-1"], "present", "transactional");
    let states: Vec<&Value> = (0..2).map(|at| &failed["result"]["detail"]["targets"][at]["state"]).collect();
    assert_eq!(states, ["undone", "undone"], "{failed:#}");
    assert!(both(&["addon=1.0-1", "greeter=1.0-1"]), "{:?}", servers.iter().map(installed).collect::<Vec<_>>());
    fs::rename(&aside, &file).expect("it is there");
    assert_eq!(changed(&run(&["greeter=1.1-1"], "present", "transactional")), 2);
    assert!(both(&["addon=1.0-1", "greeter-data=1.0-1", "greeter=1.1-1"]));
    // A file of a package, newer than what the repository has.
    let builds = home.path().join("builds");
    fs::create_dir(&builds).expect("a folder can be made");
    let package = builds.join("greeter.deb");
    fs::copy(servers[0].mnt().join("greeter_1.2-1_all.deb"), &package).expect("it was made");
    let with = json!({ "targets": "*", "software": { "artifact": package } });
    let grants = json!({ "grants": { "remote": ["*"], "files": [format!("{}:ro", builds.display())] } });
    assert_eq!(changed(&ended(&daemon, "file", "deploy/software", &with, &grants)), 2);
    assert!(both(&["addon=1.0-1", "greeter-data=1.0-1", "greeter=1.2-1"]));
    assert_eq!(changed(&ended(&daemon, "file", "deploy/software", &with, &grants)), 0);
    // What needs a package that is removed goes with it.
    assert_eq!(changed(&run(&["greeter-data=7"], "absent", "transactional")), 2);
    assert!(both(&[]));
    assert_eq!(changed(&run(&["greeter-data"], "absent", "transactional")), 0);
    assert!(!servers[0].mnt().join("opt/greeter").exists());
    assert_eq!(status(), before, "this machine's own packages are as they were");
}
