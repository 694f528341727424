//! Jobs in the schedulers of the machine: what is installed twice changes nothing, and what is not ours stays as it is.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use sandglass_e2e::{Ended, Home, cli};
use serde_json::json;

/// A `crontab` that keeps one in a file of the test's home, and refuses what the test wants refused.
const CRONTAB: &str = r#"#!/bin/sh
cd "$HOME" || exit 1
case "$1" in
    -l) if [ -e fails ]; then cat fails >&2; exit 1; fi
        if [ -e tab ]; then cat tab; else echo "no crontab for $LOGNAME" >&2; exit 1; fi
        if [ -e next ]; then mv next tab; fi ;;
    -) if [ -e refuses ]; then cat refuses >&2; exit 1; fi; cat > tab.new && mv tab.new tab && echo written >> log ;;
    *) exit 2 ;;
esac
"#;

const SYSTEMCTL: &str = "#!/bin/sh\necho \"$@\" >> \"$HOME/log\"\n";

const JOBS: &str = "
name: nightly
timezone: UTC
tags: [backup]
schedule: '30 2 * * 1-5'
command: date > \"$DIR/ran\"
env: { DIR: %HOME% }
---
name: often
timezone: UTC
triggers: [{ every: 15m }, { after: nightly }]
command: 'true'
";

/// A home with jobs in a daemon and our own programs first on the path.
fn home() -> Home {
    let home = Home::new();
    for (name, script) in [("crontab", CRONTAB), ("systemctl", SYSTEMCTL)] {
        let path = home.write(&format!("bin/{name}"), script);
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("permissions can be set");
    }
    home.write("jobs.yaml", JOBS.replace("%HOME%", &home.path().display().to_string()));
    home
}

fn export(home: &Home, args: &[&str]) -> Ended {
    let mut command = home.command(&[&["export"], args].concat());
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin", home.path().join("bin").display());
    cli::run(command.env("PATH", path).env("LOGNAME", "ann"))
}

fn read(home: &Home, name: &str) -> Vec<u8> {
    fs::read(home.path().join(name)).expect("the file is there")
}

fn text(home: &Home, name: &str) -> String {
    String::from_utf8(read(home, name)).expect("it is text")
}

#[test]
fn a_crontab_is_changed_once_and_only_where_it_is_ours() {
    let home = home();
    let daemon = home.start();
    home.cli(&["apply", "jobs.yaml"]).expect(0);
    let foreign = b"MAILTO=ann\n# caf\xe9\r\n0 1 * * * theirs\n".to_vec();
    home.write("tab", &foreign);
    let installed = export(&home, &["crontab", "--install"]).expect(0);
    installed.says(&[
        "has no entry: cron knows nothing of",
        "start twice: nightly often",
        "sandglass job pause nightly`",
        "and pause the other one: often",
    ]);
    assert!(installed.stdout.contains("starts 2 jobs of the namespace default\n"), "{}", installed.stdout);
    let first = read(&home, "tab");
    assert!(first.starts_with(&foreign));
    home.write("tab", [&first[..], b"5 5 * * * behind\n"].concat());
    let again = export(&home, &["crontab", "--install"]).expect(0);
    assert!(again.stdout.contains("nothing was changed"), "{}", again.stdout);
    assert_eq!(text(&home, "log"), "written\n");
    // What a shell does with a line is what cron does, in an environment as bare as cron's.
    let tab = String::from_utf8_lossy(&first).into_owned();
    let line = tab.lines().find(|line| line.starts_with("30 2 * * 1-5 ")).expect("the job has a line");
    let run = line["30 2 * * 1-5 ".len()..].replace("\\%", "%");
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", &run]).env_clear().env("HOME", "/").env("PATH", "/usr/bin:/bin").current_dir("/");
    cli::run(&mut shell).expect(0);
    assert!(home.path().join("ran").exists(), "the job did not run");
    // One job alone is the whole block then, and a job that is paused starts once.
    home.cli(&["job", "pause", "nightly"]).expect(0);
    let one = export(&home, &["crontab", "nightly", "--install", "--json"]).expect(0);
    assert_eq!(one.json(), json!({ "changed": true, "jobs": ["nightly"] }));
    assert!(!String::from_utf8_lossy(&read(&home, "tab")).contains("often"));
    let other = export(&home, &["crontab", "nightly", "--install"]).expect(0);
    assert!(!other.stderr.contains("twice"), "{}", other.stderr);
    home.cli(&["job", "disable", "nightly"]).expect(0);
    export(&home, &["crontab", "nightly", "--install"]).expect(0).says(&["job 'nightly' is disabled"]);
    daemon.stop();
    // Removing needs no daemon.
    export(&home, &["crontab", "--remove"]).expect(0);
    assert_eq!(read(&home, "tab"), [&foreign[..], b"5 5 * * * behind\n"].concat());
    let nothing = export(&home, &["crontab", "--remove"]).expect(0);
    assert!(nothing.stdout.contains("nothing was changed"), "{}", nothing.stdout);
}

#[test]
fn a_crontab_that_is_unclear_or_refused_stays() {
    let home = home();
    // Without a crontab and without a daemon: jobs come from files.
    let installed = export(&home, &["crontab", "-f", "jobs.yaml", "--tag", "backup", "--install"]).expect(0);
    assert!(!installed.stderr.contains("fires"), "{}", installed.stderr);
    let tab = text(&home, "tab");
    assert!(tab.contains("# job nightly: at 02:30 on weekdays, UTC\n") && !tab.contains("often"), "{tab}");
    let unclear = tab.replace("# END sandglass (namespace default)\n", "");
    home.write("tab", &unclear);
    for args in [["crontab", "--remove"].as_slice(), &["crontab", "-f", "jobs.yaml", "--install"]] {
        export(&home, args).expect(3).says(&["line 1 of the crontab", "has no end", "crontab -e"]);
    }
    assert_eq!(text(&home, "tab"), unclear);
    home.write("tab", &tab);
    home.write("refuses", "ann may not use it\n");
    export(&home, &["crontab", "--remove"]).expect(7).says(&["`crontab -` failed", "ann may not use it"]);
    assert_eq!(text(&home, "tab"), tab);
    fs::remove_file(home.path().join("refuses")).expect("it is there");
    // Somebody else changes it between the look at it and the change of ours.
    home.write("next", format!("{tab}1 1 * * * theirs\n"));
    export(&home, &["crontab", "--remove"]).expect(5).says(&["changed by somebody else meanwhile", "do it again"]);
    assert!(text(&home, "tab").ends_with("1 1 * * * theirs\n"));
    home.write("fails", "cannot read /etc/nsswitch.conf: No such file or directory\n");
    export(&home, &["crontab", "--remove"]).expect(7).says(&["`crontab -l` failed", "nsswitch"]);
    fs::remove_file(home.path().join("fails")).expect("it is there");
    export(&home, &["crontab", "-f", "jobs.yaml", "absent"]).expect(4).says(&["no job 'absent'"]);
    // Elsewhere the lines are read again as they were written.
    let printed = export(&home, &["crontab", "-f", "jobs.yaml"]).expect(0).stdout;
    home.write("printed", &printed);
    let imported = home.cli(&["import", "crontab", "printed", "--json"]).expect(0).json();
    assert_eq!(imported["items"][0]["job"]["schedule"], "30 2 * * 1-5");
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("the folder is there");
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("it can be read").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn units_are_written_once_and_those_of_others_stay() {
    let home = home();
    let dir = home.path().join("units");
    let args = ["systemd", "-f", "jobs.yaml", "--dir", "units"];
    let printed = export(&home, &args).expect(0).stdout;
    assert!(printed.starts_with("# units/sandglass-default-nightly.service\n"), "{printed}");
    home.write("units/sandglass-default-foreign.service", "[Unit]\n");
    let installed = export(&home, &[&args[..], &["--install"]].concat()).expect(0);
    installed.says(&["systemctl --user daemon-reload; systemctl --user enable --now sandglass-default-nightly.timer"]);
    let ours = ["nightly.service", "nightly.timer", "often.service", "often.timer"];
    let mut all: Vec<_> = ours.iter().map(|name| format!("sandglass-default-{name}")).collect();
    all.insert(0, "sandglass-default-foreign.service".to_owned());
    assert_eq!(names(&dir), all);
    let again = export(&home, &[&args[..], &["--install", "--json"]].concat()).expect(0).json();
    assert_eq!((again["changed"].as_bool(), again["unchanged"].as_array().map(Vec::len)), (Some(false), Some(4)));
    // A job that is gone takes its units along.
    let one = export(&home, &[&args[..], &["--install", "--json", "--tag", "backup"]].concat()).expect(0).json();
    assert_eq!(one["removed"], json!(["sandglass-default-often.service", "sandglass-default-often.timer"]));
    // A file in the way stops it before anything is written.
    home.write("units/sandglass-default-often.timer", "[Timer]\n");
    let refused = export(&home, &[&args[..], &["--install"]].concat()).expect(5);
    refused.says(&["sandglass-default-often.timer is there, and no export made it; nothing was changed"]);
    assert!(!dir.join("sandglass-default-often.service").exists());
    let other = ["systemd", "--remove", "--dir", "units", "-n", "default-nightly"];
    assert!(export(&home, &other).expect(0).stdout.contains("nothing was changed"));
    export(&home, &["systemd", "--remove", "--dir", "units"]).expect(0);
    assert_eq!(names(&dir), ["sandglass-default-foreign.service", "sandglass-default-often.timer"]);
    assert!(!home.path().join("log").exists(), "systemd was told");
}

#[test]
fn systemd_is_told_of_units_that_changed() {
    let home = home();
    let args = ["systemd", "-f", "jobs.yaml", "--tag", "backup", "--install"];
    export(&home, &args).expect(0);
    let told = "--user daemon-reload\n--user enable --now sandglass-default-nightly.timer\n";
    assert_eq!(text(&home, "log"), told);
    let timer = text(&home, ".config/systemd/user/sandglass-default-nightly.timer");
    assert!(timer.contains("OnCalendar=Mon..Fri *-*-* 02:30:00 UTC\n"), "{timer}");
    // Whatever became of the first time, systemd knows of them afterwards.
    export(&home, &args).expect(0);
    assert_eq!(text(&home, "log"), format!("{told}--user enable --now sandglass-default-nightly.timer\n"));
    // Nobody starts at boot what does not begin with the machine any more.
    let startup = "name: nightly\ntriggers: [{ startup: true }, { cron: '30 2 * * *' }]\ncommand: date\n";
    home.write("boot.yaml", startup);
    export(&home, &["systemd", "-f", "boot.yaml", "--install"]).expect(0);
    assert!(
        text(&home, "log").ends_with("--user enable sandglass-default-nightly.service\n"),
        "{}",
        text(&home, "log")
    );
    home.write("boot.yaml", startup.replace("{ startup: true }, ", ""));
    export(&home, &["systemd", "-f", "boot.yaml", "--install"]).expect(0);
    let log = text(&home, "log");
    assert!(log.contains("--user disable sandglass-default-nightly.service\n"), "{log}");
    let failing = home.write("bin/systemctl", "#!/bin/sh\necho 'Failed to connect to bus' >&2\nexit 1\n");
    fs::set_permissions(failing, fs::Permissions::from_mode(0o755)).expect("permissions can be set");
    let removed = export(&home, &["systemd", "--remove"]).expect(7);
    removed.says(&["Failed to connect to bus", "systemctl --user daemon-reload"]);
    assert!(names(&home.path().join(".config/systemd/user")).is_empty());
}

#[test]
fn tasks_are_written_for_windows() {
    let home = home();
    let args = ["taskscheduler", "-f", "jobs.yaml", "--output-dir", "tasks", "--program", r"C:\Tools\sandglass.exe"];
    home.write("tasks/often.xml", "<Task/>");
    export(&home, &args).expect(5).says(&["often.xml is there, and no export made it"]);
    fs::remove_file(home.path().join("tasks/often.xml")).expect("it is there");
    export(&home, &args).expect(0).says(&["ends of other jobs", r"schtasks /Create /TN \Sandglass\default\JOB"]);
    let task = text(&home, "tasks/nightly.xml");
    let call = "<Command>C:\\Tools\\sandglass.exe</Command>\n      \
                <Arguments>--namespace default job run nightly --wait</Arguments>";
    assert!(task.contains(call) && task.contains("<Monday /><Tuesday />"), "{task}");
    assert!(export(&home, &args).expect(0).stdout.contains("nothing was changed"));
    export(&home, &["taskscheduler", "-f", "jobs.yaml", "--install"]).expect(2).says(&["--output-dir"]);
}
