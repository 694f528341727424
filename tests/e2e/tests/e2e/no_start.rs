//! Daemons that cannot start: one clear line, and the documented exit code.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use sandglass_e2e::{Ended, Home};

/// `serve` ends with `code`, prints nothing on standard output, and says each of `parts` in the one line of its error.
#[track_caller]
fn refused(home: &Home, args: &[&str], code: i32, parts: &[&str]) -> Ended {
    let mut all = vec!["serve"];
    if !args.contains(&"--listen") {
        all.extend(["--listen", "none"]);
    }
    all.extend(args);
    let ended = home.cli(&all).expect(code);
    assert_eq!(ended.stdout, "", "it said something before it ended");
    let errors: Vec<&str> = ended.stderr.lines().filter(|line| line.starts_with("error:")).collect();
    assert_eq!(errors.len(), 1, "not one clear line: {}", ended.stderr);
    ended.says(parts);
    ended
}

#[test]
fn a_port_that_is_taken_is_named() {
    let home = Home::new();
    let listener = TcpListener::bind("127.0.0.1:0").expect("this machine has a free port");
    let address = listener.local_addr().expect("a listener has an address").to_string();
    refused(&home, &["--listen", &address], 7, &[&address, "--listen"]);
    // Nobody listens to the rest of the world by mistake.
    refused(&home, &["--listen", "0.0.0.0:0"], 3, &["0.0.0.0:0", "--allow-remote"]);
    refused(&home, &["--listen", "nonsense"], 3, &["nonsense"]);
}

#[test]
fn a_data_directory_in_use_is_named_with_its_user() {
    let home = Home::new();
    let daemon = home.start();
    let pid = daemon.pid().to_string();
    refused(&home, &[], 7, &["in use", &pid, "data"]);
    // The first is not disturbed.
    daemon.put(&crate::scripts::command("job", "echo still here"));
    home.cli(&["job", "run", "job", "--wait"]).expect(0);
    daemon.stop();
}

#[test]
fn a_data_directory_that_others_may_enter_is_refused() {
    let home = Home::new();
    std::fs::create_dir(home.data()).expect("folders can be made");
    std::fs::set_permissions(home.data(), std::fs::Permissions::from_mode(0o755)).expect("it is ours");
    refused(&home, &[], 6, &["chmod 700"]);
    let file = home.write("file", "");
    let ended = home.cli(&["serve", "--listen", "none", "--data-dir", file.to_str().expect("UTF-8")]);
    ended.expect(7).says(&["data directory"]);
}

/// Writes `format` as the format of the store.
fn set_format(store: &Path, format: u32) {
    use redb::ReadableTable as _;
    const META: redb::TableDefinition<'static, &[u8], &[u8]> = redb::TableDefinition::new("meta");
    let database = redb::Database::open(store).expect("the store is whole");
    let change = database.begin_write().expect("nobody else has it");
    {
        let mut meta = change.open_table(META).expect("the table is there");
        assert!(meta.get(b"format".as_slice()).expect("readable").is_some(), "the format is elsewhere now");
        meta.insert(b"format".as_slice(), format.to_le_bytes().as_slice()).expect("writable");
    }
    change.commit().expect("writable");
}

#[test]
fn a_newer_store_is_refused_and_left_as_it_is() {
    let home = Home::new();
    let daemon = home.start();
    daemon.put(&crate::scripts::command("job", "echo hello"));
    daemon.stop();
    let store = home.data().join("store.redb");
    let ours = std::fs::read(&store).expect("it is ours");
    set_format(&store, 4711);
    refused(&home, &[], 5, &["4711", "later version"]);
    std::fs::write(&store, ours).expect("it is ours");
    let daemon = home.start();
    home.cli(&["job", "run", "job", "--wait"]).expect(0);
    daemon.stop();
}

#[test]
fn a_damaged_store_is_refused_and_left_as_it_is() {
    let home = Home::new();
    home.start().stop();
    let store = home.data().join("store.redb");
    let damaged = b"this is no database\n".repeat(1000);
    std::fs::write(&store, &damaged).expect("it is ours");
    refused(&home, &[], 70, &["damaged"]);
    assert_eq!(std::fs::read(&store).expect("it is there"), damaged);
}

#[test]
fn a_wrong_configuration_is_told_with_its_place() {
    let home = Home::new();
    let file = home.write("sandglass.toml", "max_running = 4\nlistn = 'x'\n");
    let file = file.to_str().expect("UTF-8");
    refused(&home, &["--config", file], 3, &["listn", "line 2"]);
    refused(&home, &["--config", "/nowhere.toml"], 3, &["/nowhere.toml"]);
    let jobs = home.write("jobs/bad.yaml", "name: a\ntimout: 5\ncommand: x\n");
    let jobs = jobs.parent().and_then(Path::to_str).expect("UTF-8");
    refused(&home, &["--jobs", jobs], 3, &["bad.yaml:2:1", "timeout"]);
    home.write("jobs/a-good-one.yaml", "name: good\ncommand: echo good\n");
    home.write("jobs/bad.yaml", "name: a\naction: { use: nowhere }\n");
    refused(&home, &["--jobs", jobs], 3, &["bad.yaml", "nowhere"]);
    let daemon = home.start();
    assert_eq!(daemon.get("/jobs")["items"], serde_json::json!([]), "something was applied");
    daemon.stop();
    home.write("jobs/bad.yaml", "name: a\ncommand: echo hello\n");
    let daemon = home.spawn(&["--jobs", jobs]).ready();
    home.cli(&["job", "run", "a", "--wait"]).expect(0);
    daemon.stop();
}
