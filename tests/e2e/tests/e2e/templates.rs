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
