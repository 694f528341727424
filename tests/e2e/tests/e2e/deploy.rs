//! Deployments to a fleet of real SSH servers, each with a folder of its own at `/mnt`.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::Duration;

use sandglass_e2e::{Daemon, Home, run_with, until};
use sandglass_test_servers::Sshd;
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(60);

/// What a folder holds: paths, with permissions, owners, times and contents.
pub(crate) fn snapshot(folder: &Path) -> BTreeMap<String, (u32, u32, i64, Vec<u8>)> {
    let mut found = BTreeMap::new();
    let mut rest = vec![folder.to_path_buf()];
    while let Some(path) = rest.pop() {
        for entry in fs::read_dir(&path).expect("the folder can be read").flatten() {
            let data = entry.metadata().expect("it is there");
            let content =
                if data.is_dir() { Vec::new() } else { fs::read(entry.path()).expect("the file can be read") };
            let modified = if data.is_dir() { 0 } else { data.mtime() };
            let name = entry.path().strip_prefix(folder).expect("it is within").display().to_string();
            found.insert(name, (data.permissions().mode(), data.uid(), modified, content));
            if data.is_dir() {
                rest.push(entry.path());
            }
        }
    }
    found
}

/// Five servers, all entered with the key of the first.
fn servers() -> Option<Vec<Sshd>> {
    some_servers(5)
}

/// So many servers, all entered with the key of the first.
pub(crate) fn some_servers(count: usize) -> Option<Vec<Sshd>> {
    let servers: Option<Vec<Sshd>> =
        (1..=count).map(|number| Sshd::start_apart(&format!("127.0.0.{number}"))).collect();
    let servers = servers?;
    servers.iter().for_each(|server| server.let_in(&servers[0].public_key()));
    Some(servers)
}

pub(crate) fn target(name: &str, address: &str, port: u16, host_key: &str) -> String {
    let account = Sshd::account();
    format!(
        "kind: target\nname: {name}\naddress: {address}\nport: {port}\naccount: {account}\nhost_key: {}\nkey: DEPLOY_KEY\n\
         labels: {{ role: web }}\nbecome: [nobody]\n---\n",
        host_key.trim()
    )
}

/// A daemon that knows the servers as `web-1`, `web-2` and so on.
pub(crate) fn fleet(home: &Home, servers: &[Sshd]) -> Daemon {
    let daemon = home.start();
    let key = servers[0].key();
    run_with(&mut home.command(&["secret", "set", "DEPLOY_KEY"]), key.as_bytes()).expect(0);
    let targets = servers.iter().enumerate();
    let text: String = targets
        .map(|(at, server)| target(&format!("web-{}", at + 1), server.address(), server.port(), &server.host_key()))
        .collect();
    home.write("fleet.yaml", text);
    home.cli(&["apply", "fleet.yaml"]).expect(0);
    daemon
}

pub(crate) fn ended(daemon: &Daemon, name: &str, action: &str, with: &Value, more: &Value) -> Value {
    let mut job = json!({ "name": name, "action": { "use": action, "with": with } });
    job.as_object_mut().expect("a map").extend(more.as_object().expect("a map").clone());
    daemon.put(&job);
    daemon.ended(&daemon.start_run(name))
}

#[test]
fn a_transaction_that_fails_on_the_fourth_of_five_leaves_all_as_they_were() {
    let Some(servers) = servers() else { return };
    let home = Home::new();
    let daemon = fleet(&home, &servers);
    for server in &servers {
        fs::create_dir(server.mnt().join("app")).expect("a folder can be made");
        fs::write(server.mnt().join("app/app.conf"), "old\n").expect("a file can be written");
        fs::set_permissions(server.mnt().join("app/app.conf"), fs::Permissions::from_mode(0o640)).expect("it is ours");
    }
    // What is a folder on the fourth cannot be a file.
    fs::create_dir(servers[3].mnt().join("app/last")).expect("a folder can be made");
    let before: Vec<_> = servers.iter().map(|server| snapshot(&server.mnt())).collect();
    let builds = home.path().join("builds");
    fs::create_dir(&builds).expect("a folder can be made");
    let big: Vec<u8> = (0..3_000_000_u32).map(|at| (at % 253) as u8).collect();
    fs::write(builds.join("app"), &big).expect("a file can be written");
    let with = json!({
        "targets": "role == web",
        "files": [
            { "source": builds.join("app"), "dest": "/mnt/app/new/bin/app", "mode": "0755" },
            { "contents": "new\n", "dest": "/mnt/app/app.conf" },
            { "contents": "last\n", "dest": "/mnt/app/last" },
        ],
        "strategy": { "kind": "transactional", "limit": 1 },
    });
    let grants = json!({ "grants": { "remote": ["web-*"], "files": [format!("{}:ro", builds.display())] } });
    let run = ended(&daemon, "release", "deploy/files", &with, &grants);
    assert_eq!(run["state"], "failed", "{run:#}");
    let message = run["attempts"][0]["error"]["message"].as_str().expect("a message");
    assert!(message.contains("/mnt/app/last is a folder"), "{message}");
    assert!(message.contains("4 undone, 1 not begun"), "{message}");
    for (at, server) in servers.iter().enumerate() {
        assert_eq!(snapshot(&server.mnt()), before[at], "web-{}", at + 1);
    }
    // Once nothing is in the way, all of them are changed, and the second time none.
    fs::remove_dir(servers[3].mnt().join("app/last")).expect("the folder is empty");
    let run = ended(&daemon, "release", "deploy/files", &with, &grants);
    assert_eq!(run["state"], "succeeded", "{run:#}");
    assert_eq!((&run["result"]["output"]["succeeded"], &run["result"]["output"]["changed"]), (&json!(5), &json!(5)));
    for server in &servers {
        let found = snapshot(&server.mnt());
        assert_eq!(found.len(), 6, "nothing else is there: {:?}", found.keys());
        assert!(found["app/new/bin/app"].3 == big && found["app/new/bin/app"].0 & 0o777 == 0o755);
        assert_eq!((found["app/app.conf"].3.as_slice(), found["app/app.conf"].0 & 0o777), (&b"new\n"[..], 0o640));
    }
    let again = ended(&daemon, "release", "deploy/files", &with, &grants);
    assert_eq!(again["result"]["output"]["changed"], 0, "{again:#}");
}

/// Passes a connection on, and breaks it off after so many bytes from the server.
fn breaking(to: (String, u16), after: usize) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("this machine has a free port");
    let port = listener.local_addr().expect("a listener has an address").port();
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let server = TcpStream::connect((to.0.as_str(), to.1)).expect("the server is there");
            let (mut up, mut down) = (client.try_clone().expect("a socket"), server.try_clone().expect("a socket"));
            std::thread::spawn(move || std::io::copy(&mut up, &mut down));
            let (mut passed, mut buffer) = (0, [0; 1024]);
            let (mut client, mut server) = (client, server);
            while let Ok(read @ 1..) = server.read(&mut buffer) {
                passed += read;
                if passed > after || client.write_all(&buffer[..read]).is_err() {
                    break;
                }
            }
            let _ = client.shutdown(std::net::Shutdown::Both);
            let _ = server.shutdown(std::net::Shutdown::Both);
        }
    });
    port
}

#[test]
fn machines_that_refuse_hang_or_break_off_keep_none_of_the_others() {
    let Some(servers) = servers() else { return };
    let home = Home::new();
    let daemon = fleet(&home, &servers);
    // The second does not know the key, the third takes connections and says nothing, the fourth breaks off in the middle.
    let Some(stranger) = Sshd::start() else { return };
    let silent = TcpListener::bind("127.0.0.1:0").expect("this machine has a free port");
    let silent_port = silent.local_addr().expect("a listener has an address").port();
    let broken_port = breaking((servers[3].address().to_owned(), servers[3].port()), 20_000);
    let text = [
        target("web-2", stranger.address(), stranger.port(), &stranger.host_key()),
        target("web-3", "127.0.0.1", silent_port, &servers[2].host_key()),
        target("web-4", "127.0.0.1", broken_port, &servers[3].host_key()),
        target("other-key", servers[0].address(), servers[0].port(), &servers[1].host_key()),
    ];
    home.write("fleet.yaml", text.concat());
    home.cli(&["apply", "fleet.yaml"]).expect(0);
    let with = json!({
        "targets": ["web-*", "other-key"],
        "command": "echo begun; head -c 60000 /dev/zero | tr '\\0' x; echo; touch /mnt/done",
    });
    let run = ended(&daemon, "touch", "deploy/command", &with, &json!({ "env": { "WHO": "me" }, "timeout": "2m" }));
    assert_eq!(run["state"], "failed", "{run:#}");
    let message = run["attempts"][0]["error"]["message"].as_str().expect("a message");
    assert!(message.contains("of 6 targets: 4 failed"), "{message}");
    let touched: Vec<bool> = servers.iter().map(|server| server.mnt().join("done").exists()).collect();
    assert!(touched[0] && touched[4] && !touched[1] && !touched[2], "{touched:?}");
    let id = run["id"].as_str().expect("an id");
    let log = home.cli(&["run", "logs", id]).expect(0);
    let said = format!("{}{}", log.stdout, log.stderr);
    for line in [
        "web-1 | begun",
        "error web-2 does not let",
        "error web-3 cannot be reached",
        "does not answer within",
        "error other-key shows the host key ssh-ed25519 SHA256:",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
    drop(silent);
    // What each of them is left with is told, and once they are mended only those that failed are worked on again.
    let told = &run["result"]["detail"]["targets"];
    let states: Vec<_> =
        told.as_array().expect("each is told of").iter().map(|one| (&one["target"], &one["state"])).collect();
    assert_eq!(states[0], (&json!("other-key"), &json!("failed")), "{told:#}");
    assert_eq!((states[1].1, states[2].1, states[5].1), (&json!("succeeded"), &json!("failed"), &json!("succeeded")));
    let shown = home.cli(&["run", "show", id]).expect(0).stdout;
    assert!(shown.contains("target: web-2") && shown.contains("state: failed"), "{shown}");
    let targets = servers.iter().enumerate();
    let mended: String = targets
        .map(|(at, server)| target(&format!("web-{}", at + 1), server.address(), server.port(), &server.host_key()))
        .collect();
    home.write(
        "fleet.yaml",
        mended + &target("other-key", servers[3].address(), servers[3].port(), &servers[3].host_key()),
    );
    home.cli(&["apply", "fleet.yaml"]).expect(0);
    for server in &servers {
        let _ = fs::remove_file(server.mnt().join("done"));
    }
    let again = home.cli(&["run", "retry", id, "--failed", "--wait", "--json"]).expect(0).json();
    assert_eq!((&again["rerun_of"], &again["resumes"]), (&json!(id), &json!(true)), "{again:#}");
    assert_eq!(again["result"]["output"]["succeeded"], 6, "{again:#}");
    let touched: Vec<bool> = servers.iter().map(|server| server.mnt().join("done").exists()).collect();
    assert_eq!(touched, [false, true, true, true, false]);
    // Nothing is left that failed.
    let refused = home.cli(&["run", "retry", again["id"].as_str().expect("an id"), "--failed"]).expect(3);
    assert!(refused.stderr.contains("nothing of it failed"), "{}", refused.stderr);
}

#[test]
fn a_plan_says_what_would_change_on_targets_and_changes_nothing() {
    let Some(servers) = servers() else { return };
    let home = Home::new();
    let daemon = fleet(&home, &servers);
    fs::write(servers[0].mnt().join("motd"), "hello\n").expect("a file can be written");
    fs::write(servers[1].mnt().join("motd"), "old\n").expect("a file can be written");
    fs::write(servers[2].mnt().join("old"), "").expect("a file can be written");
    let before: Vec<_> = servers.iter().map(|server| snapshot(&server.mnt())).collect();
    run_with(&mut home.command(&["secret", "set", "WORD"]), b"hello").expect(0);
    let with = json!({
        "targets": ["web-1", "web-2", "web-3"],
        "files": [{ "dest": "/mnt/motd", "contents": "{{ secret.WORD }}\n" }, { "dest": "/mnt/old", "absent": true }],
    });
    daemon.put(&json!({ "name": "motd", "action": { "use": "deploy/files", "with": with } }));
    let plan = home.cli(&["job", "plan", "motd", "--json"]).expect(0).json();
    let steps = plan["steps"].as_array().expect("it has steps");
    let steps: Vec<_> = steps.iter().map(|step| (step["effect"].as_str(), step["target"].as_str())).collect();
    let expected = [("update", "web-2:/mnt/motd"), ("create", "web-3:/mnt/motd"), ("remove", "web-3:/mnt/old")];
    assert_eq!(steps, expected.map(|(effect, target)| (Some(effect), Some(target))), "{plan:#}");
    assert_eq!(
        (&plan["complete"], &plan["params"]["files"][0]["contents"]),
        (&json!(true), &json!("{{ secret.WORD }}\n"))
    );
    let shown = home.cli(&["job", "plan", "motd"]).expect(0).stdout;
    assert!(shown.contains("3 steps of deploy/files; nothing was done"), "{shown}");
    for (at, server) in servers.iter().enumerate() {
        assert_eq!(snapshot(&server.mnt()), before[at], "web-{}", at + 1);
    }
    assert_eq!(daemon.ended(&daemon.start_run("motd"))["result"]["output"]["changed"], 2);
    let shown = home.cli(&["job", "plan", "motd"]).expect(0).stdout;
    assert!(shown.contains("would change nothing"), "{shown}");
    daemon.put(&json!({ "name": "plain", "command": "echo {{ job.name }}" }));
    let plan = home.cli(&["job", "plan", "plain", "--json"]).expect(0).json();
    let step = &plan["steps"][0];
    assert_eq!((&step["effect"], &step["summary"]), (&json!("execute"), &json!("echo plain")), "{plan}");
    // A plugin that cannot say is shown with what it would be given.
    let with = json!({ "url": "https://hooks.example.com/{{ job.name }}" });
    daemon.put(&json!({ "name": "teller", "action": { "use": "notify/webhook", "with": with } }));
    let shown = home.cli(&["job", "plan", "teller"]).expect(0).stdout;
    assert!(shown.contains("notify/webhook") && shown.contains("hooks.example.com/teller"), "{shown}");
    home.cli(&["job", "plan", "nothing"]).expect(4);
    let with = json!({ "targets": "web-99", "command": "true" });
    daemon.put(&json!({ "name": "nowhere", "action": { "use": "deploy/command", "with": with } }));
    home.cli(&["job", "plan", "nowhere"]).expect(4).says(&["web-99"]);
    let runs = home.cli(&["run", "list", "--job", "plain", "--json"]).expect(0).json();
    assert_eq!(runs["items"], json!([]), "a plan is no run");
}

/// Gives a server a package manager that keeps its packages in files, and installs none while there is a file `broken`.
fn with_package_manager(server: &Sshd) {
    let bin = server.mnt().join("bin");
    fs::create_dir_all(&bin).expect("a folder can be made");
    fs::create_dir_all(server.mnt().join("packages")).expect("a folder can be made");
    let query =
        "#!/bin/sh\nfor name; do :; done\n[ -f /mnt/packages/$name ] && echo installed $(cat /mnt/packages/$name)\n";
    let apt = "#!/bin/sh\nwhile [ $# -gt 0 ]; do case $1 in install|remove) do=$1;; -s) s=1;; --) shift; break;; esac; shift; done\n\
               if [ \"$s\" ]; then for p; do case $p in *-) continue;; esac; n=${p%%=*}; v=$(cat /mnt/packages/$n 2> /dev/null) && v=\" [$v]\"\n\
               echo \"Inst $n$v (new)\"; done; exit; fi\n\
               echo \"$do $*\" >> /mnt/asked\n[ ! -f /mnt/broken ] || { echo 'E: no space left' >&2; exit 100; }\n\
               for p; do n=${p%%=*}; v=${p#*=}; [ $v != $p ] || v=1.0; d=$do\n\
               case $p in *-) n=${p%-} d=remove;; esac\n\
               if [ $d = install ]; then echo $v > /mnt/packages/$n; else rm /mnt/packages/$n; fi; done\n";
    for (name, text) in [("dpkg-query", query), ("apt-get", apt)] {
        fs::write(bin.join(name), text).expect("a file can be written");
        fs::set_permissions(bin.join(name), fs::Permissions::from_mode(0o755)).expect("it is ours");
    }
}

#[test]
fn software_is_installed_where_it_is_not_and_a_failure_is_undone() {
    let Some(servers) = servers() else { return };
    let home = Home::new();
    let daemon = fleet(&home, &servers);
    servers.iter().for_each(with_package_manager);
    let package = |at: usize, name: &str| {
        fs::read_to_string(servers[at].mnt().join("packages").join(name)).ok().map(|text| text.trim().to_owned())
    };
    fs::write(servers[0].mnt().join("packages/nginx"), "1.24-2\n").expect("a file can be written");
    fs::write(servers[1].mnt().join("packages/nginx"), "0.9\n").expect("a file can be written");
    fs::write(servers[2].mnt().join("broken"), "").expect("a file can be written");
    let mut with = json!({
        "targets": ["web-1", "web-2", "web-3"],
        "software": { "packages": ["nginx=1.24*"] },
        "strategy": { "kind": "transactional", "limit": 1 },
    });
    let run = ended(&daemon, "nginx", "deploy/software", &with, &json!({}));
    assert_eq!(run["state"], "failed", "{run:#}");
    let message = run["attempts"][0]["error"]["message"].as_str().expect("a message");
    assert!(message.contains("2 undone") && message.contains("E: no space left"), "{message}");
    assert_eq!((package(0, "nginx").as_deref(), package(1, "nginx").as_deref()), (Some("1.24-2"), Some("0.9")));
    fs::remove_file(servers[2].mnt().join("broken")).expect("it is there");
    with["software"]["packages"] = json!(["nginx=1.24-3"]);
    let run = ended(&daemon, "nginx", "deploy/software", &with, &json!({}));
    assert_eq!((&run["state"], &run["result"]["output"]["changed"]), (&json!("succeeded"), &json!(3)), "{run:#}");
    assert!((0..3).all(|at| package(at, "nginx").as_deref() == Some("1.24-3")));
    let run = ended(&daemon, "nginx", "deploy/software", &with, &json!({}));
    assert_eq!(run["result"]["output"]["changed"], 0, "{run:#}");
    // Steps of the job's own, with a file.
    let builds = home.path().join("builds");
    fs::create_dir(&builds).expect("a folder can be made");
    fs::write(builds.join("tool"), "#!/bin/sh\necho tool 2.1\n").expect("a file can be written");
    let with = json!({
        "targets": ["web-4", "web-5"],
        "software": {
            "artifact": builds.join("tool"),
            "check": "/mnt/tool | grep -qx 'tool 2.1'",
            "install": "install -m 755 \"$ARTIFACT\" /mnt/tool",
        },
    });
    let grants = json!({ "grants": { "remote": ["web-*"], "files": [format!("{}:ro", builds.display())] } });
    let run = ended(&daemon, "tool", "deploy/software", &with, &grants);
    assert_eq!(run["result"]["output"]["changed"], 2, "{run:#}");
    let run = ended(&daemon, "tool", "deploy/software", &with, &grants);
    assert_eq!(run["result"]["output"]["changed"], 0, "{run:#}");
    let left = fs::read_dir("/tmp").expect("there is one").flatten();
    let left = left.map(|entry| entry.path()).filter(|path| path.join("tool").exists());
    let left: Vec<_> = left.filter(|path| path.to_string_lossy().starts_with("/tmp/sandglass.")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_run_that_is_cancelled_stops_its_programs_everywhere() {
    let Some(servers) = servers() else { return };
    let home = Home::new();
    let daemon = fleet(&home, &servers);
    // What it does when it is asked to stop takes a while: longer than its run needs to give up on it.
    let command =
        "trap 'sleep 1; echo $NAME > /mnt/stopped; exit 1' TERM; touch /mnt/begun; while :; do sleep 0.05; done";
    let with = json!({ "targets": "*", "command": command, "env": { "NAME": "it's {{ secret.WORD }}" } });
    run_with(&mut home.command(&["secret", "set", "WORD"]), b"open sesame").expect(0);
    daemon.put(&json!({ "name": "long", "action": { "use": "deploy/command", "with": with }, "grace": "20s" }));
    let run = daemon.start_run("long");
    let all = |name: &str| servers.iter().all(|server| server.mnt().join(name).exists());
    until("the beginning everywhere", SOON, || all("begun").then_some(()));
    home.cli(&["run", "cancel", &run]).expect(0);
    assert_eq!(daemon.ended(&run)["state"], "cancelled");
    for server in &servers {
        let said = until("its end", SOON, || fs::read_to_string(server.mnt().join("stopped")).ok());
        assert_eq!(said, "it's open sesame\n");
    }
}

#[test]
fn a_grant_of_an_account_is_all_that_working_as_it_needs() {
    let Some(servers) = Sshd::start().map(|server| [server]) else { return };
    let home = Home::new();
    let daemon = fleet(&home, &servers);
    let run_as = |name: &str, account: Option<&str>, grant: &str| {
        let mut with = json!({ "targets": "*", "command": "id -un" });
        if let Some(account) = account {
            with["account"] = json!(account);
        }
        let run = ended(&daemon, name, "deploy/command", &with, &json!({ "grants": { "remote": [grant] } }));
        let output = home.cli(&["run", "logs", run["id"].as_str().expect("an id")]).stdout;
        (run["state"].clone(), output, run["attempts"][0]["error"].clone())
    };
    let (login, switched) = (Sshd::account(), "nobody@web-*");
    let has_sudo =
        std::process::Command::new("sudo").args(["-n", "-u", "nobody", "true"]).status().is_ok_and(|it| it.success());
    if has_sudo {
        let (state, output, _) = run_as("switched", Some("nobody"), switched);
        assert!(state == "succeeded" && output.contains("nobody"), "{state}: {output}");
    }
    // The account that is entered as may be named, too.
    let (state, output, _) = run_as("named", None, &format!("{login}@web-*"));
    assert!(state == "succeeded" && output.contains(&login), "{state}: {output}");
    // As nobody else.
    let (_, _, error) = run_as("other", None, switched);
    assert_eq!(error["class"], "denied", "{error:#}");
    assert!(error["message"].as_str().expect("a message").contains("running a program"), "{error:#}");
}

#[test]
fn what_no_grant_allows_is_refused_with_the_line_that_would() {
    let Some(server) = Sshd::start() else { return };
    let home = Home::new();
    let daemon = fleet(&home, &[server]);
    let command = json!({ "targets": "*", "command": "true" });
    let run = ended(&daemon, "denied", "deploy/command", &command, &json!({ "grants": { "remote": ["db-*"] } }));
    let error = &run["attempts"][0]["error"];
    assert_eq!(error["class"], "denied", "{run:#}");
    let message = error["message"].as_str().expect("a message");
    assert!(message.contains("`remote: [\"web-1\"]`") && message.contains("the job's owner"), "{message}");
    let paths = json!({ "grants": { "remote": ["web-1:/srv/app/**"] } });
    let run = ended(&daemon, "paths", "deploy/command", &command, &paths);
    assert!(
        run["attempts"][0]["error"]["message"].as_str().expect("a message").contains("running a program"),
        "{run:#}"
    );
    let as_root = json!({ "targets": "*", "command": "true", "account": "postgres" });
    let run = ended(&daemon, "switch", "deploy/command", &as_root, &json!({}));
    assert!(run["attempts"][0]["error"]["message"].as_str().expect("a message").contains("`become`"), "{run:#}");
    let nobody = json!({ "targets": "web-7", "command": "true" });
    let run = ended(&daemon, "nobody", "deploy/command", &nobody, &json!({}));
    assert!(
        run["attempts"][0]["error"]["message"].as_str().expect("a message").contains("did you mean 'web-1'"),
        "{run:#}"
    );
}
