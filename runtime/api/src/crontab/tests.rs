use serde_json::{Value, json};

use super::*;
use crate::jobfile::Format;

const USERS: &str = "
# comment
SHELL=/bin/bash
MAILTO = 'ops@example.org'
0 2 * * 1-5  /usr/local/bin/backup.sh --full  > /dev/null 2>&1
*/15 * * * * cd /srv/app && ./tick {{x}}
@reboot  /usr/bin/agent
5~10 4 1,15 * sun\tmail -s 'a \\% of' root%Hello%World
CRON_TZ=Europe/Berlin
30 6 * * * /usr/local/bin/backup.sh
";

fn users(text: &str) -> Result<Vec<CronJob>, Vec<InvalidCrontab>> {
    read(text, Kind::User { user: Some("ann"), home: Some("/home/ann") }, |_| None)
}

/// The job is one that job files take.
fn taken(job: &CronJob) {
    let text = Value::Object(job.job.clone()).to_string();
    if let Err(errors) = jobfile::parse(&text, Format::Json, "job") {
        panic!("{text}: {errors:?}");
    }
}

#[test]
fn lines_become_jobs_that_do_what_cron_does() {
    let jobs = users(USERS).unwrap();
    jobs.iter().for_each(taken);
    let names: Vec<_> = jobs.iter().map(|job| (job.line, job.job["name"].as_str().unwrap())).collect();
    assert_eq!(names, [(5, "backup-sh"), (6, "tick"), (7, "agent"), (8, "mail"), (10, "backup-sh-2")]);
    let first = json!({
        "name": "backup-sh",
        "schedule": "0 2 * * 1-5",
        "command": "/usr/local/bin/backup.sh --full  > /dev/null 2>&1",
        "interpreter": "/bin/bash",
        "working_dir": "/home/ann",
        "env": { "HOME": "/home/ann", "LOGNAME": "ann", "PATH": "/usr/bin:/bin", "SHELL": "/bin/bash", "USER": "ann" },
        "overlap": "allow_all",
        "catch_up": { "policy": "none" },
        "timeout": "7d",
    });
    assert_eq!(Value::Object(jobs[0].job.clone()), first);
    assert_eq!(jobs[0].notes, ["cron mailed what it printed to ops@example.org; `notify` tells of runs here"]);
    assert_eq!(jobs[1].job["command"], "{% raw %}cd /srv/app && ./tick {{x}}{% endraw %}");
    assert_eq!(jobs[2].job["triggers"], json!([{ "startup": true }]));
    assert_eq!(jobs[3].job["schedule"], "H(5-10) 4 1,15 * sun");
    let with = &jobs[3].job["action"]["with"];
    assert_eq!((&with["command"], &with["stdin"]), (&json!("mail -s 'a % of' root"), &json!("Hello\nWorld\n")));
    assert_eq!(jobs[4].job["timezone"], "Europe/Berlin");
    assert_eq!(users("~30 4~ ~ */2 ~/2 x").unwrap()[0].job["schedule"], "H(0-30) H(4-23) H(1-31) */2 H(0-6)/2");
}

#[test]
fn the_systems_crontab_names_users() {
    let text = "PATH=/sbin:/bin\n17 *\t* * *\troot\tcd / && run-parts --report /etc/cron.hourly\n";
    let home = |user: &str| (user == "root").then(|| "/root".to_owned());
    let jobs = read(text, Kind::System, home).unwrap();
    taken(&jobs[0]);
    assert_eq!(jobs[0].job["command"], "cd / && run-parts --report /etc/cron.hourly");
    assert_eq!((&jobs[0].job["name"], &jobs[0].job["env"]["PATH"]), (&json!("run-parts"), &json!("/sbin:/bin")));
    assert_eq!(jobs[0].notes, ["cron ran it as the user 'root'; it runs as the daemon's user here"]);
    let unknown = read("@daily wwww x\n", Kind::System, home).unwrap();
    assert!(unknown[0].notes[1].starts_with("there is no user 'wwww' here"), "{:?}", unknown[0].notes);
    let own = read("@daily root x\n", Kind::User { user: None, home: None }, home).unwrap();
    assert!(own[0].notes[0].starts_with("'root' is the name of a user"), "{:?}", own[0].notes);
    let faults = read("@daily root\n", Kind::System, home).unwrap_err();
    assert_eq!(faults[0].to_string(), "line 1: the name of a user and a command must follow the schedule");
}

#[test]
fn every_line_that_means_nothing_is_told() {
    let faults = users("0 2 * *\n@noon x\n61 * * * * x\n* * * * *\n0 1 * * * fine\n0 1 * * * %x\n").unwrap_err();
    let lines: Vec<_> = faults.iter().map(|fault| fault.line).collect();
    assert_eq!(lines, [1, 2, 3, 4, 6]);
    assert!(faults[0].message.contains("five fields"), "{}", faults[0]);
    assert!(faults[1].message.contains("there is no @noon"), "{}", faults[1]);
    assert!(faults[2].message.contains("61"), "{}", faults[2]);
    assert!(faults[3].message.contains("a command must follow"), "{}", faults[3]);
}
