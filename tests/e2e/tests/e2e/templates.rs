//! Templates and parameters of jobs, from the command line.

use sandglass_e2e::Home;
use serde_json::json;

const BACKUP: &str = "name: backup\nparameters:\n  target: { type: string, default: \"it's\" }\n  \
                      days: { type: integer, minimum: 1, default: 7 }\n\
                      command: echo {{ params.target | quote }} $DAYS {{ run.attempt }} {{ job.name }}\n\
                      env: { DAYS: \"{{ params.days }}\" }\n";

#[test]
fn templates_are_filled_in_for_each_attempt() {
    let home = Home::new();
    let daemon = home.start();
    home.write("backup.yaml", BACKUP);
    home.cli(&["apply", "backup.yaml"]).expect(0);
    let run = home.cli(&["job", "run", "backup", "--wait", "--json"]).expect(0);
    run.says(&["it's 7 1 backup"]);
    // Mistakes are told with their line, and what was meant.
    home.write("slip.yaml", BACKUP.replace("params.target", "params.tagret"));
    home.cli(&["validate", "slip.yaml"]).expect(3).says(&["slip.yaml:5:", "did you mean 'target'?"]);
    home.write("braces.yaml", "name: braces\ncommand: docker ps --format '{{.Names}}'\n");
    home.cli(&["apply", "braces.yaml"]).expect(3).says(&["braces.yaml:2:", "{% raw %}"]);
    home.write("raw.yaml", "name: raw\ncommand: echo '{% raw %}{{.Names}}{% endraw %}'\n");
    home.cli(&["apply", "raw.yaml"]).expect(0);
    home.cli(&["job", "run", "raw", "--wait"]).expect(0).says(&["{{.Names}}"]);
    // A trigger cannot give a value.
    home.write("lacks.yaml", "name: lacks\nschedule: every 1h\nparameters: { day: {} }\ncommand: date\n");
    home.cli(&["apply", "lacks.yaml"]).expect(3).says(&["lacks.yaml:3:", "no default"]);
    // What a shell would read as a part of the command is warned about.
    home.write("bare.yaml", BACKUP.replace(" | quote", ""));
    home.cli(&["validate", "bare.yaml"]).expect(0).says(&["bare.yaml:5:", "params.target | quote"]);
    // A value that does not fit shows when it is filled in, and is not tried again.
    let parameters = json!({ "code": { "default": "x" } });
    daemon.put(&json!({ "name": "wrong", "parameters": parameters, "retry": { "max_attempts": 3 },
        "action": { "use": "shell", "with": { "command": "true", "success_codes": ["{{ params.code }}"] } } }));
    let run = daemon.ended(&daemon.start_run("wrong"));
    let attempts = run["attempts"].as_array().expect("attempts");
    assert_eq!((attempts.len(), &attempts[0]["error"]["code"]), (1, &json!("template")), "{run}");
    assert!(attempts[0]["error"]["message"].as_str().is_some_and(|text| text.contains("/success_codes/0")), "{run}");
}

#[test]
fn a_start_sets_parameters_as_their_schemas_allow() {
    let home = Home::new();
    let daemon = home.start();
    home.write("backup.yaml", BACKUP);
    home.cli(&["apply", "backup.yaml"]).expect(0);
    let start = |params: &[&str]| home.cli(&[&["job", "run", "backup", "--wait", "--json"], params].concat());
    let run = start(&["--param", "target=gcs", "-p", "days=3"]).expect(0);
    run.says(&["gcs 3 1 backup"]);
    assert_eq!(run.json()["params"], json!({ "target": "gcs", "days": 3 }));
    let id = run.json()["id"].as_str().expect("an id").to_owned();
    let shown = home.cli(&["run", "show", &id]).expect(0).stdout;
    assert!(shown.contains("days=3 target=\"gcs\""), "{shown}");
    // What the schema does not allow starts nothing.
    start(&["-p", "days=many"]).expect(2).says(&["a whole number"]);
    let refused = start(&["-p", "days=0"]).expect(3).problem();
    assert_eq!(
        (&refused["code"], &refused["errors"][0]["pointer"]),
        (&json!("invalid_params"), &json!("/params/days"))
    );
    start(&["-p", "tagret=x"]).expect(3).says(&["did you mean 'target'?"]);
    assert_eq!(daemon.runs("backup").len(), 1);
    // A parameter without a default must be given.
    daemon.put(&json!({ "name": "day", "parameters": { "day": {} },
        "action": { "use": "shell", "with": { "command": "echo {{ params.day | quote }}" } } }));
    home.cli(&["job", "run", "day"]).expect(3).says(&["'day' is missing"]);
    home.cli(&["job", "run", "day", "-p", "day:=[1,\"x y\"]", "--wait"]).expect(0).says(&["1 x y"]);
    // What a run was given outlives the daemon.
    daemon.kill();
    let daemon = home.start();
    assert_eq!(daemon.get(&format!("/runs/{id}"))["params"], json!({ "target": "gcs", "days": 3 }));
}
