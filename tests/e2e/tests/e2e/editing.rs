//! `job edit`, with scripts for editors.

use sandglass_e2e::{Home, cli};
use serde_json::json;

use crate::scripts::command;

/// An editor that writes what the files `edit.1`, `edit.2` and so on say, one after another, and then changes nothing.
const EDITOR: &str = "n=$(($(cat edit.count 2>/dev/null || echo 0) + 1)); echo $n > edit.count; \
                      cp \"$1\" \"seen.$n\"; if [ -e \"edit.$n\" ]; then cp \"edit.$n\" \"$1\"; fi\n";

fn edit(home: &Home, edits: &[&str]) -> cli::Ended {
    _ = std::fs::remove_file(home.path().join("edit.count"));
    for (number, text) in (1..).zip(edits) {
        home.write(&format!("edit.{number}"), text);
    }
    let editor = home.write("editor.sh", EDITOR);
    let mut command = home.command(&["job", "edit", "a"]);
    command.env_remove("VISUAL").env("EDITOR", format!("sh {}", editor.display()));
    let ended = cli::run(&mut command);
    for number in 1..=edits.len() {
        _ = std::fs::remove_file(home.path().join(format!("edit.{number}")));
    }
    ended
}

#[test]
fn a_job_is_edited_checked_and_saved() {
    let home = Home::new();
    let daemon = home.start();
    daemon.put(&command("a", "sleep 30"));
    let going = daemon.start_run("a");
    edit(&home, &[]).expect(0).says(&["nothing was changed"]);
    assert_eq!(daemon.get("/jobs/a")["revision"], 1);

    // A slip is shown above the file, and mended.
    let slip = "name: a\ncommand: date\ntimout: 5m\n";
    let mended = "name: a\ncommand: date\ntimeout: 5m\n";
    let ended = edit(&home, &[slip, mended]).expect(0);
    assert!(ended.stdout.contains("timeout") && ended.stdout.contains("changed"), "{}", ended.stdout);
    let seen = std::fs::read_to_string(home.path().join("seen.2")).expect("the editor was opened again");
    assert!(seen.starts_with("#! ") && seen.contains("timeout") && seen.ends_with(slip), "{seen}");
    let job = daemon.get("/jobs/a");
    assert_eq!((&job["revision"], &job["spec"]["timeout"]), (&json!(2), &json!("5m")), "{job}");
    // What was going goes on as it was.
    let run = daemon.get(&format!("/runs/{going}"));
    assert_eq!((&run["state"], &run["revision"]), (&json!("running"), &json!(1)), "{run}");

    // Left with its fault, it is kept and nothing is saved.
    let ended = edit(&home, &["name: b\ncommand: date\n"]).expect(3);
    ended.says(&["would be another job", "is kept in"]);
    assert_eq!(daemon.get("/jobs/a")["revision"], 2);
    // An editor that changes what is said of the fault, and not the file, gives up too.
    let mut command = home.command(&["job", "edit", "a"]);
    let ended = cli::run(command.env_remove("VISUAL").env("EDITOR", "sed -i s/command/comand/"));
    ended.expect(3).says(&["comand", "is kept in"]);
    home.cli(&["run", "cancel", &going]).expect(0);
}
