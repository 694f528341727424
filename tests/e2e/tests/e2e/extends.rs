//! Job templates: parts of jobs that other jobs extend.

use std::time::Duration;

use sandglass_e2e::{Home, until};
use serde_json::{Value, json};

const FILE: &str = "templates:\n  - name: backup\n    job:\n      timeout: 2h\n      retry: { max_attempts: 3 }\n      \
                    action: { use: shell }\n      env: { TARGET: s3, KEEP: \"7\" }\njobs:\n  - name: nightly\n    \
                    extends: backup\n    action: { with: { command: \"echo $TARGET ${KEEP-none}\" } }\n    \
                    env: { KEEP: null }\n    schedule: \"0 2 * * *\"\n  - name: weekly\n    extends: backup\n    \
                    command: date\n    timeout: 1h\n";

#[test]
fn jobs_follow_the_template_that_they_extend() {
    let home = Home::new();
    let daemon = home.start();
    let none = home.cli(&["template", "list"]).expect(0).stdout;
    assert!(none.contains("apply FILE"), "{none}");
    home.write("jobs.yaml", FILE);
    // The jobs extend a template that only comes with them.
    home.cli(&["validate", "jobs.yaml"]).expect(0);
    let diff = home.cli(&["diff", "jobs.yaml"]).expect(1).stdout;
    assert!(diff.contains("template backup: would be created") && diff.contains("nightly: would be created"), "{diff}");
    home.cli(&["apply", "jobs.yaml", "--dry-run"]).expect(0);
    assert_eq!(daemon.get("/templates")["items"], json!([]), "a dry run saved something");
    let applied = home.cli(&["apply", "jobs.yaml", "--json"]).expect(0).json();
    assert_eq!(applied["templates"], json!([{ "template": "backup", "change": "created" }]), "{applied}");
    home.cli(&["diff", "jobs.yaml"]).expect(0);

    // As it was written, and what that comes to.
    let job = daemon.get("/jobs/nightly");
    assert_eq!((&job["spec"]["extends"], &job["spec"]["env"]), (&json!("backup"), &json!({ "KEEP": null })), "{job}");
    assert_eq!(job["spec"].get("timeout"), None, "{job}");
    let resolved = daemon.get("/jobs/nightly?resolved=true");
    assert_eq!((&resolved["spec"]["timeout"], resolved.get("resolved")), (&json!("2h"), None), "{resolved}");
    assert_eq!((&resolved["spec"]["env"], &job["resolved"]), (&json!({ "TARGET": "s3" }), &resolved["spec"]));
    let shown = home.cli(&["job", "show", "nightly"]).expect(0).stdout;
    assert!(shown.contains("extends: backup") && !shown.contains("timeout:"), "{shown}");
    let shown = home.cli(&["job", "show", "nightly", "--resolved"]).expect(0).stdout;
    assert!(!shown.contains("extends:") && shown.contains("timeout: 2h"), "{shown}");
    assert_eq!(home.cli(&["job", "show", "nightly", "--json"]).expect(0).json(), job);
    let run = home.cli(&["job", "run", "nightly", "--wait", "--json"]).expect(0);
    assert_eq!(run.stderr, "s3 none\n", "the run does what both say together");

    // A change of the template reaches both jobs; what fires when stays.
    home.write("jobs.yaml", FILE.replace("s3", "gcs").replace("max_attempts: 3", "max_attempts: 5"));
    home.write("template.yaml", templates_of(&FILE.replace("s3", "gcs")));
    let diff = home.cli(&["diff", "template.yaml"]).expect(1).stdout;
    assert!(diff.contains("template backup: would be changed, and with it nightly, weekly"), "{diff}");
    let applied = home.cli(&["apply", "template.yaml"]).expect(0).stdout;
    assert!(applied.contains("nightly, weekly"), "{applied}");
    let changed = daemon.get("/jobs/nightly");
    assert_eq!((&changed["revision"], &changed["next_fire_at"]), (&json!(2), &job["next_fire_at"]));
    assert_eq!(changed["resolved"]["env"], json!({ "TARGET": "gcs" }));
    assert_eq!(daemon.get("/jobs/weekly")["resolved"]["timeout"], "1h", "what a job says itself stays");
    home.cli(&["apply", "jobs.yaml"]).expect(0);
    let changed = daemon.get("/jobs/nightly");
    assert_eq!((&changed["revision"], &changed["resolved"]["retry"]["max_attempts"]), (&json!(3), &json!(5)));
    let run = home.cli(&["job", "run", "nightly", "--wait"]).expect(0);
    assert_eq!(run.stderr, "gcs none\n");

    // People see which jobs are meant, and cannot delete it under them.
    let listed = home.cli(&["template", "list"]).expect(0).stdout;
    assert!(listed.contains("backup") && listed.contains("action, env, retry, timeout"), "{listed}");
    let shown = home.cli(&["template", "show", "backup"]).expect(0).stdout;
    assert!(shown.contains("nightly, weekly") && shown.contains("  timeout: 2h\n"), "{shown}");
    let shown = home.cli(&["template", "show", "backup", "--json"]).expect(0).json();
    assert_eq!((&shown["used_by"], &shown["revision"]), (&json!(["nightly", "weekly"]), &json!(3)), "{shown}");
    home.cli(&["template", "delete", "backup"]).expect(2);
    home.cli(&["template", "delete", "backup", "--yes"]).expect(5).says(&["extended by 2 jobs, such as '"]);
    home.cli(&["template", "show", "bakcup"]).expect(4).says(&["did you mean 'backup'?", "template list"]);

    // What is written is edited, and survives a restart.
    let mut edit = home.command(&["job", "edit", "weekly"]);
    let edited = sandglass_e2e::cli::run(edit.env_remove("VISUAL").env("EDITOR", "sed -i s/1h/90m/")).expect(0).stdout;
    assert!(edited.contains("timeout: 1h -> 1h30m"), "{edited}");
    daemon.stop();
    let daemon = home.start();
    let weekly = daemon.get("/jobs/weekly");
    assert_eq!((&weekly["spec"]["extends"], &weekly["spec"]["timeout"]), (&json!("backup"), &json!("90m")), "{weekly}");
    home.cli(&["job", "delete", "nightly", "weekly", "--yes"]).expect(0);
    home.cli(&["template", "delete", "backup", "--yes"]).expect(0);
    home.cli(&["template", "show", "backup"]).expect(4);
    daemon.stop();
    // The daemon's own folder of jobs may hold templates, too.
    let jobs = home.write("jobs/nightly.yaml", FILE);
    let daemon = home.spawn(&["--jobs", jobs.parent().and_then(|path| path.to_str()).expect("UTF-8")]).ready();
    assert_eq!(daemon.get("/templates/backup")["used_by"], json!(["nightly", "weekly"]));
    daemon.stop();
}

/// The templates of a file alone.
fn templates_of(text: &str) -> String {
    text.split("jobs:").next().unwrap_or_default().to_owned()
}

#[test]
fn a_job_that_a_template_would_break_is_named_and_nothing_is_saved() {
    let home = Home::new();
    let daemon = home.start();
    home.write("jobs.yaml", FILE);
    home.cli(&["apply", "jobs.yaml"]).expect(0);
    // Found without the daemon, in the line of the template; by the daemon, of a job in no file; and of its plugin.
    home.write("own.yaml", FILE.replace("timeout: 2h", "priority: 12"));
    home.cli(&["apply", "own.yaml"]).expect(3).says(&["own.yaml:4:", "job 'nightly'", "template 'backup' says so"]);
    let templates = templates_of(FILE);
    home.write("template.yaml", templates.replace("timeout: 2h", "priority: 12"));
    for command in [&["apply"][..], &["apply", "--dry-run"], &["diff"], &["validate"]] {
        let ended = home.cli(&[command, &["template.yaml"]].concat()).expect(3);
        ended.says(&["template.yaml:4:", "job 'nightly', which extends template 'backup'", "priority 12"]);
    }
    home.write("template.yaml", templates.replace("use: shell", "use: shell, with: { interpeter: bash }"));
    home.cli(&["apply", "template.yaml"]).expect(3).says(&["template.yaml:6:", "job 'nightly'", "interpeter"]);
    home.write("template.yaml", templates.replace("use: shell", "use: shel"));
    home.cli(&["apply", "template.yaml"]).expect(3).says(&["template.yaml:6:", "job 'nightly'", "no plugin 'shel'"]);
    assert_eq!(daemon.get("/templates/backup")["revision"], 1);
    assert_eq!(daemon.get("/jobs/nightly")["revision"], 1);

    // A template that is not there, and one that only the daemon has.
    home.write("slip.yaml", "name: a\nextends: bakcup\ncommand: date\n");
    home.cli(&["apply", "slip.yaml"]).expect(3).says(&["slip.yaml:2:10", "did you mean 'backup'?"]);
    home.cli(&["validate", "slip.yaml", "--offline"]).expect(0);
    home.cli(&["schedule", "simulate", "slip.yaml"]).expect(3).says(&["slip.yaml:2:10", "not in these files"]);
    home.write("later.yaml", "name: a\nextends: backup\ncommand: date\nworking_dir: x\n");
    home.cli(&["apply", "later.yaml"]).expect(3).says(&["later.yaml:4:", "absolute"]);
    home.write("missing.yaml", "name: a\nextends: empty\n");
    let put = |path: &str, headers: &[(&str, &str)], body: &Value| {
        let path = format!("/api/v1/namespaces/default/{path}");
        daemon.http().send("PUT", &path, headers, body.to_string().as_bytes())
    };
    let empty = json!({ "name": "empty", "job": {} });
    let saved = put("templates/empty", &[("if-none-match", "*")], &empty);
    assert_eq!((saved.header("etag"), &saved.json(200)["changed"]), (Some("\"1\""), &json!(true)));
    home.cli(&["apply", "missing.yaml"]).expect(3).says(&["missing.yaml:1:", "'action'", "template 'empty'"]);

    // The API by itself: revisions, forms, and one job over the template.
    put("templates/empty", &[("if-none-match", "*")], &empty).problem(412, "revision_conflict");
    put("templates/empty", &[("if-match", "\"7\"")], &json!({ "name": "empty", "job": { "priority": 1 } }))
        .problem(412, "revision_conflict");
    put("templates/other", &[], &empty).problem(422, "invalid_template");
    let problem = put("templates/empty", &[], &json!({ "name": "empty", "job": { "timout": 5 } }));
    let problem = problem.problem(422, "invalid_template");
    assert_eq!(problem["errors"][0]["pointer"], "/job/timout", "{problem}");
    let breaks = json!({ "name": "backup", "job": { "action": { "use": "shell" }, "priority": 12 } });
    let problem = put("templates/backup", &[], &breaks).problem(422, "invalid_template");
    assert_eq!(problem["errors"][0]["pointer"], "/job/priority", "{problem}");
    assert!(problem["detail"].as_str().is_some_and(|text| text.contains("job 'nightly'")), "{problem}");
    let job = json!({ "name": "b", "extends": "backup", "command": "date" });
    assert_eq!(put("jobs/b", &[], &job).json(200)["job"]["resolved"]["timeout"], "2h");
    let problem = put("jobs/b", &[], &json!({ "name": "b", "extends": "nowhere" })).problem(422, "invalid_job");
    assert_eq!(problem["errors"][0]["pointer"], "/extends", "{problem}");
    let delete =
        |name: &str| daemon.http().send("DELETE", &format!("/api/v1/namespaces/default/templates/{name}"), &[], b"");
    delete("backup").problem(409, "template_in_use");
    assert_eq!(delete("empty").status, 204);
    delete("empty").problem(404, "template_not_found");
    daemon.stop();
}

#[test]
fn templates_and_jobs_that_are_saved_at_once_never_part() {
    let home = Home::new();
    let daemon = home.start();
    let template =
        |priority: u8| json!({ "name": "base", "job": { "action": { "use": "shell" }, "priority": priority } });
    let put = |path: String, body: Value| {
        let path = format!("/api/v1/namespaces/default/{path}");
        daemon.http().send("PUT", &path, &[], body.to_string().as_bytes()).json(200)
    };
    put("templates/base".to_owned(), template(0));
    std::thread::scope(|scope| {
        scope.spawn(|| (0..20).for_each(|round| drop(put("templates/base".to_owned(), template(round % 10)))));
        for writer in 0..3 {
            scope.spawn(move || {
                for round in 0..10 {
                    let name = format!("job-{writer}-{}", round % 4);
                    let command = format!("echo {round}");
                    put(format!("jobs/{name}"), json!({ "name": name, "extends": "base", "command": command }));
                }
            });
        }
    });
    let priority = &daemon.get("/templates/base")["spec"]["job"]["priority"];
    until("every job to be as its template says", Duration::from_secs(5), || {
        let jobs = daemon.get("/jobs")["items"].as_array().cloned().unwrap_or_default();
        (jobs.len() == 12 && jobs.iter().all(|job| job["resolved"]["priority"] == *priority)).then_some(())
    });
    daemon.stop();
}
