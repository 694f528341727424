//! A full disk: nothing new starts, what is going ends well, reads work, and it recovers by itself.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use sandglass_e2e::{Daemon, Home, skipped, until};
use serde_json::{Value, json};

use crate::scripts::{assert_gapless, command, each_second};

/// A small disk, unmounted when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// None where the system does not allow mounting.
    fn mount(at: &Path) -> Option<Self> {
        std::fs::create_dir(at).ok()?;
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=48m,mode=700", "sandglass-e2e"]).arg(at);
        let mounted = mount.output().is_ok_and(|output| output.status.success());
        mounted.then(|| Self(at.to_owned()))
    }

    /// Fills every byte that is free.
    fn fill(&self) {
        let path = self.0.join("filler");
        let mut file = File::options().create(true).append(true).open(path).expect("the filler can be opened");
        for size in [1 << 20, 1 << 12, 1] {
            while file.write_all(&vec![7; size]).is_ok() {}
        }
    }

    fn free(&self) {
        std::fs::remove_file(self.0.join("filler")).expect("the filler is there");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // What cannot be unmounted stays until the machine ends; the test has said what it had to say.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Tries to save a job of about 100 kB, and gives the status.
fn try_save(daemon: &Daemon, number: usize) -> (u16, Value) {
    let mut job = command(&format!("job-{number}"), "true");
    job["description"] = json!("x".repeat(100_000));
    let path = format!("/api/v1/namespaces/default/jobs/job-{number}");
    let answer = daemon.socket().send("PUT", &path, &[], job.to_string().as_bytes());
    (answer.status, serde_json::from_slice(&answer.body).unwrap_or_default())
}

#[test]
fn a_full_disk_stops_nothing_for_good() {
    let home = Home::new();
    let Some(disk) = SmallDisk::mount(&home.data()) else {
        skipped("a_full_disk_stops_nothing_for_good", "mounting a small disk needs root");
        return;
    };
    let daemon = home.start();
    let release = home.path().join("release");
    daemon.put(&command(
        "going",
        &format!("echo begun; while [ ! -e {} ]; do sleep 0.05; done; echo ended", release.display()),
    ));
    daemon.put(&each_second("tick", "echo tick"));
    daemon.put(&command("hand", "echo by hand"));
    daemon.until_runs("tick", "succeeded", 1);
    let going = daemon.start_run("going");
    until("its first output", Duration::from_secs(20), || (!daemon.output(&going, "stdout").is_empty()).then_some(()));

    // redb may have free space inside its file, so it is used up too.
    let mut number = 0;
    let problem = until("a refusal because the disk is full", Duration::from_secs(60), || {
        disk.fill();
        number += 1;
        let (status, body) = try_save(&daemon, number);
        (status != 200).then_some((status, body))
    });
    assert_eq!((problem.0, &problem.1["code"]), (507, &json!("store_full")), "{problem:?}");
    home.cli(&["job", "run", "hand"]).expect(7).says(&["full"]);
    // Reads work.
    assert!(!daemon.runs("tick").is_empty());
    home.cli(&["status", "--json"]).expect(0);
    home.cli(&["run", "show", &going]).expect(0);
    // The run that was going ends well, and is not over before that is durable.
    std::fs::write(&release, "").expect("the disk of the test's other files is not full");
    until("the end of the run's processes", Duration::from_secs(20), || {
        let processes = Command::new("pgrep").args(["-f", &release.display().to_string()]).output();
        processes.expect("pgrep is there").stdout.is_empty().then_some(())
    });
    assert_eq!(daemon.get(&format!("/runs/{going}"))["state"], "running");

    disk.free();
    let ended = daemon.ended(&going);
    assert_eq!(ended["state"], "succeeded", "{ended}");
    until("a job that can be saved again", Duration::from_secs(20), || {
        (try_save(&daemon, number).0 == 200).then_some(())
    });
    home.cli(&["job", "run", "hand", "--wait"]).expect(0);
    let before = daemon.runs("tick").iter().filter(|run| run["state"] == "succeeded").count();
    let runs = daemon.until_runs("tick", "succeeded", before + 2);
    assert_gapless("tick", &runs);
    daemon.stop();
}
