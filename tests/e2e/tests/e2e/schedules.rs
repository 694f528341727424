//! A job's fires from the command line: those ahead, those of the past, why there was or was not one, and calendars.

use std::process::Stdio;
use std::time::Duration;

use sandglass_e2e::{Home, until};
use serde_json::{Value, json};

use crate::scripts::command;

const CALENDARS: &str = "calendars:\n  - { name: holidays, yearly: [\"12-25\", {easter: -2}], dates: [2027-05-01] }\n\
                         jobs:\n  - name: nightly\n    timezone: Europe/Berlin\n    command: date\n    triggers:\n      \
                         - { cron: \"30 2 * * *\", calendars: { exclude: [holidays] } }\n";

#[test]
fn calendars_come_with_their_jobs() {
    let home = Home::new();
    let daemon = home.start();
    let none = home.cli(&["calendar", "list"]).expect(0).stdout;
    assert!(none.contains("calendar apply FILE"), "{none}");
    home.write("jobs.yaml", CALENDARS);
    // The job names a calendar that only comes with it.
    home.cli(&["validate", "jobs.yaml"]).expect(0);
    let diff = home.cli(&["diff", "jobs.yaml"]).expect(1).stdout;
    assert!(
        diff.contains("calendar holidays: would be created") && diff.contains("nightly: would be created"),
        "{diff}"
    );
    let planned = home.cli(&["apply", "jobs.yaml", "--dry-run"]).expect(0).stdout;
    assert!(planned.contains("would be created"), "{planned}");
    assert_eq!(daemon.get("/calendars")["items"], json!([]), "a dry run saved something");
    let applied = home.cli(&["apply", "jobs.yaml", "--json"]).expect(0).json();
    assert_eq!(applied["calendars"], json!([{ "calendar": "holidays", "change": "created" }]), "{applied}");
    home.cli(&["diff", "jobs.yaml"]).expect(0);
    // Two files may not mean different things by one name.
    home.write("again.yaml", "calendars: [{name: holidays, weekdays: [sun]}]\n");
    let twice = home.cli(&["apply", "jobs.yaml", "again.yaml"]).expect(3);
    twice.says(&["again.yaml:1:", "calendar 'holidays' is given twice: first in jobs.yaml:2"]);
    // Who asks for all at once gets all or nothing.
    let bad = json!({ "calendars": [{ "name": "other", "weekdays": ["sun"] }], "jobs": [command("a", "date"), {
        "name": "b", "action": { "use": "nowhere" } }] });
    let apply =
        |body: &Value| daemon.http().send("POST", "/api/v1/namespaces/default/apply", &[], body.to_string().as_bytes());
    let problem = apply(&bad).problem(422, "unknown_plugin");
    assert_eq!(problem["errors"][0]["pointer"], "/jobs/1/action/use", "{problem}");
    let many = json!({ "jobs": [{ "name": "b", "action": { "use": "shell", "with": { "command": "date" } },
        "triggers": vec![json!({ "every": "9s" }); 101] }] });
    let problem = apply(&many).problem(422, "invalid_job");
    assert_eq!(problem["errors"][0]["pointer"], "/jobs/0/triggers", "{problem}");
    home.cli(&["calendar", "show", "other"]).expect(4);
    home.cli(&["job", "show", "a"]).expect(4);
    apply(&json!({ "jobs": [], "job": [] })).problem(422, "invalid_job");
    // A fault in a job saves no calendar either.
    home.write("bad.yaml", CALENDARS.replace("holidays", "other").replace("date\n", "date\n    working_dir: x\n"));
    home.cli(&["apply", "bad.yaml"]).expect(3);
    home.cli(&["calendar", "show", "other"]).expect(4).says(&["calendar list"]);

    let shown = home.cli(&["calendar", "show", "holidays"]).expect(0).stdout;
    assert!(shown.contains("yearly:") && shown.contains("-12-25\n"), "{shown}");
    let next = ["job", "next", "nightly", "-c", "2", "--from", "2027-12-24T12:00"];
    let next = home.cli(&next).expect(0).stdout;
    assert!(next.contains("calendar 'holidays' has its date"), "{next}");
    home.cli(&["calendar", "delete", "holidays"]).expect(2);
    home.cli(&["calendar", "delete", "holidays", "--yes"]).expect(5).says(&["nightly"]);

    let ics = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nX-WR-CALNAME:Closed days\r\nBEGIN:VEVENT\r\nUID:1\r\n\
               DTSTART;VALUE=DATE:20271224\r\nDTEND;VALUE=DATE:20271227\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
    home.write("closed.ics", ics);
    let dry = home.cli(&["calendar", "import", "closed", "closed.ics", "--dry-run"]).expect(0).stdout;
    assert!(dry.contains("2027-12-26"), "{dry}");
    home.cli(&["calendar", "import", "closed", "closed.ics"]).expect(0);
    home.cli(&["calendar", "delete", "closed", "--yes"]).expect(0);
    home.write("broken.ics", ics.replace("20271227", "tomorrow"));
    home.cli(&["calendar", "import", "closed", "broken.ics"]).expect(3).says(&["broken.ics:7:"]);
    let alone = home.write("calendar.yaml", "name: closed\nweekdays: [sat, sun]\n");
    home.cli(&["calendar", "apply", alone.to_str().expect("UTF-8")]).expect(0);
    daemon.stop();
    // The daemon's own folder of jobs may hold calendars, too.
    let jobs = home.write("jobs/nightly.yaml", CALENDARS.replace("holidays", "feasts"));
    let daemon = home.spawn(&["--jobs", jobs.parent().and_then(|path| path.to_str()).expect("UTF-8")]).ready();
    assert_eq!(daemon.get("/calendars/feasts")["name"], "feasts");
    daemon.stop();
}

#[test]
fn the_past_is_made_up_for_once_its_size_is_known() {
    let home = Home::new();
    let daemon = home.start();
    let mut job = command("daily", "echo $SANDGLASS_SCHEDULED_AT");
    job["triggers"] = json!([{ "cron": "30 2 * * *" }]);
    job["timezone"] = json!("Europe/Berlin");
    daemon.put(&job);
    let range = ["--from", "2026-03-28", "--to", "2026-03-31"];
    let backfill = |more: &[&str]| home.cli(&[&["job", "backfill", "daily"], &range[..], more].concat());
    let dry = backfill(&["--dry-run"]).expect(0).stdout;
    assert!(dry.contains("From 2026-03-28T00:00:00+01:00") && dry.contains("3 runs would be started"), "{dry}");
    // Nobody is there to be asked.
    let refused = home.command(&[&["job", "backfill", "daily"], &range[..]].concat()).stdin(Stdio::null()).output();
    assert_eq!(refused.expect("the program can be started").status.code(), Some(2));
    let started = backfill(&["--yes", "--json"]).expect(0).json();
    assert_eq!((&started["runs"], started["ids"].as_array().map(Vec::len)), (&json!(3), Some(3)), "{started}");
    let runs = daemon.until_runs("daily", "succeeded", 3);
    assert!(runs.iter().all(|run| run["origin"] == "backfill"), "{runs:?}");
    // On 29 March the clocks skip 02:30.
    let due: Vec<&str> = runs.iter().filter_map(|run| run["scheduled_at"].as_str()).collect();
    assert_eq!(due, ["2026-03-28T01:30:00Z", "2026-03-29T01:30:00Z", "2026-03-30T00:30:00Z"]);
    let again = backfill(&["--yes"]).expect(0).stdout;
    assert!(again.contains("all of them with their runs already") && again.contains("nothing to start"), "{again}");

    let why = home.cli(&["job", "why", "daily", "--at", "2026-03-29 03:30", "--json"]).expect(0).json();
    assert_eq!((&why["verdict"], &why["at"]), (&json!("run"), &json!("2026-03-29T01:30:00Z")), "{why}");
    let why = home.cli(&["job", "why", "daily", "--at", "2026-03-29 12:00"]).expect(0).stdout;
    assert!(why.contains("fire before") && why.contains("T03:30:00+02:00"), "{why}");
    home.cli(&["job", "why", "nowhere", "--at", "now"]).expect(4);
    home.cli(&["job", "why", "daily", "--at", "noon"]).expect(2).says(&["2027-03-28"]);
    until("no run to be going", Duration::from_secs(20), || {
        daemon.get("/runs?state=queued,running")["items"].as_array().is_some_and(Vec::is_empty).then_some(())
    });
    daemon.stop();
}

#[test]
fn what_calendars_and_windows_do_to_fires_is_told() {
    let home = Home::new();
    let daemon = home.start();
    home.write(
        "jobs.yaml",
        "calendars: [{name: holidays, yearly: [{easter: 1}, \"12-25\"]}]\njobs:\n  - name: report\n    timezone: Europe/Berlin\n    \
         command: date\n    triggers:\n      - weekly: {days: [mon, tue, wed, thu, fri], at: \"02:30\"}\n        \
         calendars: {exclude: [holidays], shift: next}\n  - name: never\n    timezone: Europe/Berlin\n    command: date\n    \
         schedule: \"0 9 * * *\"\n    window: {from: \"10:00\", to: \"16:00\"}\n",
    );
    let applied = home.cli(&["apply", "jobs.yaml"]).expect(0).stdout;
    assert!(applied.contains("starts nothing: the job's window is closed then"), "{applied}");
    let listed = home.cli(&["job", "list"]).expect(0).stdout;
    assert!(listed.lines().any(|line| line.starts_with("never") && line.contains(", skipped")), "{listed}");
    let why = home.cli(&["job", "why", "report", "--at", "2099-04-13T02:30"]).expect(0).stdout;
    let moved = "the fire of Mon 2099-04-13 02:30 CEST has moved to Tue 2099-04-14 02:30 CEST: calendar 'holidays'";
    assert!(why.starts_with(moved), "{why}");
    let next = ["job", "next", "report", "-c", "1", "--from", "2026-12-25 12:00"];
    let shown = home.cli(&next).expect(0).stdout;
    assert!(
        shown.contains("Sat 2026-12-26 02:30:00 CET") && shown.contains("moved here from Fri 2026-12-25"),
        "{shown}"
    );
    let json = home.cli(&[&next[..], &["--json"]].concat()).expect(0).json();
    assert_eq!(json["details"][0]["moved_from"], "2026-12-25", "{json}");
    let none = home.cli(&["job", "backfill", "never", "--from", "2026-01-01", "--to", "2026-01-11", "--dry-run"]);
    let none = none.expect(0).stdout;
    assert!(none.contains("there are 0 fires. 10 more fires are left out by calendars or the job's window."), "{none}");
    let swapped = ["job", "backfill", "never", "--from", "2026-01-11", "--to", "2026-01-01", "--dry-run"];
    home.cli(&swapped).expect(3).says(&["is not after 'from'"]);
    daemon.stop();
}

#[test]
fn what_would_fire_is_seen_beforehand() {
    let home = Home::new();
    home.write(
        "jobs.yaml",
        "jobs:\n  - {name: night, timezone: Europe/Berlin, schedule: \"30 2 * * *\", command: date}\n  \
         - {name: other, timezone: UTC, schedule: \"30 1 * * *\", command: date}\n",
    );
    let checked = home.cli(&["validate", "jobs.yaml"]).expect(0);
    checked.says(&["warning: jobs.yaml:2: job 'night': 02:30 does not exist in Europe/Berlin on 28 March 2027"]);
    let simulate = |more: &[&str]| {
        let args =
            ["schedule", "simulate", "jobs.yaml", "--from", "2027-03-27", "--to", "2027-03-30", "--timezone", "UTC"];
        home.cli(&[&args, more].concat()).expect(0)
    };
    let text = simulate(&["--svg", "load.svg"]).stdout;
    for part in ["2 jobs, 6 fires", "night, other", "28 March 2027 at 03:30, as 02:30 does not exist"] {
        assert!(text.contains(part), "no {part:?} in:\n{text}");
    }
    let drawn = std::fs::read_to_string(home.path().join("load.svg")).expect("it was drawn");
    assert!(drawn.starts_with("<svg") && drawn.trim_end().ends_with("</svg>"), "{drawn}");
    let summary = simulate(&["--json"]).json();
    assert_eq!((&summary["fires"], &summary["collisions"]["instants"]), (&json!(6), &json!(2)), "{summary}");
    let fires = simulate(&["--fires", "--json"]).stdout;
    let fires: Vec<Value> =
        fires.lines().map(|line| serde_json::from_str(line).expect("each line is an object")).collect();
    let of_night: Vec<&Value> = fires.iter().filter(|fire| fire["job"] == "night").map(|fire| &fire["at"]).collect();
    assert_eq!(of_night, ["2027-03-27T01:30:00Z", "2027-03-28T01:30:00Z", "2027-03-29T00:30:00Z"]);
    home.write("off.toml", "name = 'closed'\ndates = ['2027-03-28']\n");
    home.write(
        "kept.yaml",
        "jobs:\n  - {name: a, command: date, timezone: UTC, triggers: [{daily: \"12:00\", calendars: {exclude: [off]}}]}\n",
    );
    let args = ["schedule", "simulate", "kept.yaml", "--from", "2027-03-27", "--to", "2027-03-30", "--json"];
    let summary = home.cli(&[&args[..], &["--calendar", "off=off.toml"]].concat()).expect(0).json();
    assert_eq!((&summary["fires"], &summary["skipped"]), (&json!(2), &json!(1)), "{summary}");
    let explained = home.cli(&["schedule", "explain", "30 2 * * 1-5", "--timezone", "Europe/Berlin"]).expect(0).stdout;
    assert!(explained.contains("02:30") && explained.contains("Europe/Berlin"), "{explained}");
}

#[test]
fn a_window_keeps_runs_outside_of_it_from_starting() {
    let home = Home::new();
    let daemon = home.start();
    // A window of one minute that was an hour and a half ago, whatever the time is.
    daemon.put(&command("clock", "date"));
    let run = daemon.get(&format!("/runs/{}", daemon.start_run("clock")));
    let now = run["queued_at"].as_str().and_then(|text| chrono::DateTime::parse_from_rfc3339(text).ok());
    let now = now.expect("an instant in UTC");
    let at = |minutes| (now - chrono::TimeDelta::minutes(minutes)).format("%H:%M").to_string();
    let window = |outside| json!({ "from": at(90), "to": at(89), "outside": outside });
    for outside in ["skip", "defer"] {
        let mut job = command(outside, "echo ran");
        job["timezone"] = json!("UTC");
        job["window"] = window(outside);
        daemon.put(&job);
    }
    let skipped = home.cli(&["job", "run", "skip", "--json"]).expect(1).json();
    assert_eq!((&skipped["state"], &skipped["reason"]), (&json!("skipped"), &json!("outside_window")), "{skipped}");
    let waits = home.cli(&["job", "run", "defer", "--json"]).expect(0).json();
    assert_eq!(waits["state"], "queued", "{waits}");
    let forced = home.cli(&["job", "run", "skip", "--force", "--json"]).expect(0).json();
    assert_eq!(daemon.ended(forced["id"].as_str().expect("an id"))["state"], "succeeded");
    let id = waits["id"].as_str().expect("an id");
    assert_eq!(daemon.get(&format!("/runs/{id}"))["state"], "queued", "it waits for the window");
    home.cli(&["run", "cancel", id, "--wait", "--json"]).expect(0);
    assert_eq!(daemon.get(&format!("/runs/{id}"))["state"], "cancelled");
    daemon.stop();
}

#[test]
fn fires_and_their_reasons_are_asked_for_over_http() {
    let home = Home::new();
    let daemon = home.start();
    let http = daemon.http();
    let mut job = command("nightly", "true");
    job["triggers"] = json!([{ "cron": "30 2 * * *", "end_at": "2030-01-01T00:00:00" }]);
    job["timezone"] = json!("Europe/Berlin");
    daemon.put(&job);
    daemon.put(&command("by-hand", "true"));
    const JOBS: &str = "/api/v1/namespaces/default/jobs";

    let next = |query: &str| http.get(&format!("{JOBS}/nightly/next{query}")).json(200);
    let at = |page: &Value| -> Vec<String> {
        let items = page["items"].as_array().expect("a list").iter();
        items.map(|fire| fire["at"].as_str().expect("an instant").to_owned()).collect()
    };
    assert_eq!(next("")["items"].as_array().map(Vec::len), Some(10));
    let spring = next("?from=2027-03-27T12:00:00Z&count=2");
    assert_eq!(at(&spring), ["2027-03-28T01:30:00Z", "2027-03-29T00:30:00Z"]);
    assert_eq!(
        (&spring["items"][0]["clock_change"], &spring["items"][1]["clock_change"]),
        (&json!("moved"), &Value::Null)
    );
    assert_eq!(at(&next("?from=2029-12-31T12:00:00Z")), Vec::<String>::new(), "its end is past");
    assert_eq!(at(&next("?from=2027-01-01T00:00:00Z&count=100000")).len(), 1000, "a page has its bound");
    for query in ["?from=noon", "?count=-1", "?many=1"] {
        http.get(&format!("{JOBS}/nightly/next{query}")).problem(400, "bad_request");
    }
    http.get(&format!("{JOBS}/nowhere/next")).problem(404, "job_not_found");

    let why = |job: &str, at: &str| http.get(&format!("{JOBS}/{job}/why?at={at}")).json(200);
    let ahead = why("nightly", "2029-07-01T00:30:00Z");
    assert_eq!((&ahead["verdict"], &ahead["fire"]["at"]), (&json!("ahead"), &json!("2029-07-01T00:30:00Z")));
    let none = why("nightly", "2029-07-01T12:00:00Z");
    assert_eq!(none["verdict"], "no_fire");
    assert_eq!(
        (&none["previous"]["at"], &none["next"]["at"]),
        (&json!("2029-07-01T00:30:00Z"), &json!("2029-07-02T00:30:00Z"))
    );
    assert_eq!(why("nightly", "2020-07-01T00:30:00Z")["verdict"], "saved_later");
    let words = none["summary"].as_str().expect("words");
    assert!(words.contains("Sun 2029-07-01 02:30 CEST and Mon 2029-07-02 02:30 CEST"), "{words}");
    let calendar = json!({ "name": "off", "dates": ["2029-07-01"] }).to_string();
    let saved = http.send("PUT", "/api/v1/namespaces/default/calendars/off", &[], calendar.as_bytes());
    assert_eq!(saved.status, 200, "{}", saved.text());
    job["triggers"][0]["calendars"] = json!({ "exclude": ["off"], "shift": "next" });
    daemon.put(&job);
    let left_out = why("nightly", "2029-07-01T00:30:00Z");
    assert_eq!(left_out["verdict"], "left_out", "{left_out}");
    assert!(
        left_out["summary"].to_string().contains("has moved to Mon 2029-07-02 02:30 CEST: calendar 'off' has its date"),
        "{left_out}"
    );
    assert_eq!(why("by-hand", "2020-07-01T00:30:00Z")["verdict"], "no_schedule");
    for query in ["", "?at=noon", "?at=2027-01-01T00:00:00Z&more=1"] {
        http.get(&format!("{JOBS}/nightly/why{query}")).problem(400, "bad_request");
    }
    http.get(&format!("{JOBS}/nowhere/why?at=2027-01-01T00:00:00Z")).problem(404, "job_not_found");
    daemon.stop();
}
