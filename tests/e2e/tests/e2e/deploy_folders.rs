//! Whole folders on targets.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use sandglass_e2e::Home;
use serde_json::{Value, json};

use crate::deploy::{ended, fleet, snapshot, some_servers};

fn write(path: &Path, text: &str, mode: u32) {
    fs::create_dir_all(path.parent().expect("it is in a folder")).expect("a folder can be made");
    fs::write(path, text).expect("a file can be written");
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it is ours");
}

/// The files of a folder, with their modes and contents.
fn files(folder: &Path) -> BTreeMap<String, (u32, Vec<u8>)> {
    let found = snapshot(folder).into_iter().filter(|(path, _)| !folder.join(path).is_dir());
    found.map(|(path, (mode, _, _, content))| (path, (mode & 0o7777, content))).collect()
}

#[test]
fn a_folder_goes_to_targets_as_it_is_and_what_fails_is_undone() {
    let Some(servers) = some_servers(3) else { return };
    let home = Home::new();
    let daemon = fleet(&home, &servers);
    let site = home.path().join("builds/site");
    write(&site.join("index.html"), "<h1>one</h1>\n", 0o644);
    write(&site.join("bin/it's a \\ tool"), "#!/bin/sh\n", 0o755);
    write(&site.join("a/b/c/deep"), "deep\n", 0o600);
    write(&site.join("-rf"), "dash\n", 0o644);
    let mut with = json!({
        "targets": "*",
        "files": [{ "source": format!("{}/", site.display()), "dest": "/mnt/site/" }],
        "strategy": { "limit": 1 },
    });
    let grants = json!({
        "grants": { "remote": ["*:/mnt/**"], "files": [format!("{}:ro", home.path().join("builds").display())] },
    });
    let run = |with: &Value| ended(&daemon, "site", "deploy/files", with, &grants);
    let planned = || -> Vec<String> {
        let plan = home.cli(&["job", "plan", "site", "--json"]).expect(0).json();
        let text = |step: &Value, key: &str| step[key].as_str().expect("it is text").to_owned();
        let steps = plan["steps"].as_array().expect("it has steps");
        steps.iter().map(|step| format!("{} {}", text(step, "effect"), text(step, "target"))).collect()
    };
    let first = run(&with);
    assert_eq!(first["result"]["output"]["changed"], 3, "{first:#}");
    assert!(servers.iter().all(|server| files(&server.mnt().join("site")) == files(&site)));
    assert_eq!(run(&with)["result"]["output"]["changed"], 0);
    assert_eq!(planned(), [""; 0]);

    // One changes, one goes, one comes; one machine has a file of its own, and another's tool may not be run.
    write(&site.join("index.html"), "<h1>two</h1>\n", 0o644);
    fs::remove_file(site.join("a/b/c/deep")).expect("it is there");
    write(&site.join("new"), "", 0o640);
    write(&servers[0].mnt().join("site/cache/own"), "own\n", 0o644);
    let tool = servers[1].mnt().join("site/bin/it's a \\ tool");
    fs::set_permissions(&tool, fs::Permissions::from_mode(0o644)).expect("it is there");
    with["files"][0]["delete"] = json!(true);
    with["strategy"] = json!({ "kind": "transactional", "limit": 1 });
    // What is a folder on the last cannot be a file.
    let all = with["files"].as_array_mut().expect("a list");
    all.push(json!({ "dest": "/mnt/last", "contents": "" }));
    fs::create_dir(servers[2].mnt().join("last")).expect("a folder can be made");
    let before: Vec<_> = servers.iter().map(|server| snapshot(&server.mnt())).collect();
    let failed = run(&with);
    assert_eq!(failed["result"]["detail"]["targets"][2]["state"], "undone", "{failed:#}");
    for (at, server) in servers.iter().enumerate() {
        assert_eq!(snapshot(&server.mnt()), before[at], "web-{}", at + 1);
    }
    fs::remove_dir(servers[2].mnt().join("last")).expect("it is empty");
    let own = |at: usize, what: &str| format!("{what} web-{at}:/mnt/site");
    let steps = planned();
    assert_eq!(steps.len(), 14, "{steps:#?}");
    for (at, path) in [
        (own(1, "remove"), "a/b/c/deep"),
        (own(1, "remove"), "cache/own"),
        (own(1, "update"), "index.html"),
        (own(1, "create"), "new"),
        (own(2, "update"), "bin/it's a \\ tool"),
    ] {
        assert!(steps.contains(&format!("{at}/{path}")), "{at}/{path}: {steps:#?}");
    }
    let done = run(&with);
    assert_eq!(done["result"]["output"]["changed"], 3, "{done:#}");
    assert!(servers.iter().all(|server| files(&server.mnt().join("site")) == files(&site)));
    let names = fs::read_dir(servers[0].mnt()).expect("it can be read").flatten();
    assert_eq!(names.count(), 2, "nothing that was kept is left");
}

#[test]
fn what_a_folder_may_not_be_is_told() {
    let Some(servers) = some_servers(1) else { return };
    let home = Home::new();
    let daemon = fleet(&home, &servers);
    let site = home.path().join("builds/site");
    write(&site.join("a/file"), "text\n", 0o644);
    write(&site.join("b/file"), "text\n", 0o644);
    let builds = format!("{}:ro", home.path().join("builds").display());
    let message = |source: &str, remote: &str| {
        let with = json!({ "targets": "*", "files": [{ "source": source, "dest": "/mnt/site" }] });
        let grants = json!({ "grants": { "remote": [remote], "files": [builds] } });
        let run = ended(&daemon, "site", "deploy/files", &with, &grants);
        run["attempts"][0]["error"]["message"].as_str().unwrap_or_default().to_owned()
    };
    let folder = format!("{}/", site.display());
    // Each file is asked for, before any is written.
    let denied = message(&folder, "*:/mnt/site/a/**");
    assert!(denied.contains("writing /mnt/site/b/file on the target web-1"), "{denied}");
    assert!(!servers[0].mnt().join("site").exists());
    let plain = message(site.to_str().expect("it is text"), "*");
    assert!(plain.contains("is no regular file"), "{plain}");
    assert!(message("/etc/", "*").contains("/etc:ro"));
    symlink("/etc/passwd", site.join("link")).expect("a link can be made");
    let link = message(&folder, "*");
    assert!(link.contains("'link' is a link"), "{link}");
    fs::remove_file(site.join("link")).expect("it is there");
    fs::create_dir(home.path().join("builds/none")).expect("a folder can be made");
    let none = message(&folder.replace("site", "none"), "*");
    assert!(none.contains("has no files: nothing is sent"), "{none}");
    fs::write(servers[0].mnt().join("site"), "a file").expect("a file can be written");
    let file = message(&folder, "*");
    assert!(file.contains("it is no folder"), "{file}");
}
