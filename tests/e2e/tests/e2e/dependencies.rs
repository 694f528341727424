//! Jobs that come after others and jobs that need others, from the command line.

use sandglass_e2e::Home;
use serde_json::json;

const PIPELINE: &str = r#"
jobs:
  - name: extract
    command: exit ${CODE:-0}
    env: { CODE: "{{ params.code }}" }
    parameters: { code: { type: integer, default: 0 } }
  - name: clean
    command: "true"
  - name: report
    triggers:
      - after: [extract, { job: clean, outcome: any }]
    command: echo {{ upstream.extract.state }} {{ upstream.extract.run_id }} {{ upstream.extract.result.output.exit_code }}
  - name: publish
    requires: { job: report, within: 1h }
    command: echo of {{ upstream.report.run_id }}
"#;

#[test]
fn jobs_come_after_others_and_need_others() {
    let home = Home::new();
    let daemon = home.start();
    home.write("pipeline.yaml", PIPELINE);
    home.cli(&["apply", "pipeline.yaml"]).expect(0);
    let refused = home.cli(&["job", "run", "publish", "--wait", "--json"]).expect(1).json();
    assert_eq!((&refused["state"], &refused["reason"]), (&json!("skipped"), &json!("requires")));
    let at = refused["scheduled_at"].as_str().expect("an instant");
    let why = home.cli(&["job", "why", "publish", "--at", at]).expect(0).stdout;
    let words = ["requires a last run of 'report'", "it has not run yet"];
    assert!(words.iter().all(|word| why.contains(word)), "{why}");
    home.cli(&["job", "run", "extract", "--param", "code=3", "--wait"]).expect(1);
    home.cli(&["job", "run", "clean", "--wait"]).expect(0);
    assert_eq!(daemon.runs("report").len(), 0, "one of the two did not end well");
    // What has been seen survives the daemon.
    daemon.kill();
    let daemon = home.start();
    let extract = home.cli(&["job", "run", "extract", "--wait", "--json"]).expect(0).json();
    let extract = extract["id"].as_str().expect("an id").to_owned();
    let report = daemon.ended(daemon.runs("report")[0]["id"].as_str().expect("an id"));
    assert_eq!((&report["origin"], &report["state"]), (&json!("dependency"), &json!("succeeded")), "{report}");
    assert_eq!(report["upstream"][1]["run_id"], json!(extract), "{report}");
    let id = report["id"].as_str().expect("an id");
    assert_eq!(home.cli(&["run", "logs", id]).expect(0).stdout, format!("succeeded {extract} 0\n"));
    let shown = home.cli(&["run", "show", id]).expect(0).stdout;
    assert!(["upstream", "extract succeeded", "clean succeeded"].iter().all(|word| shown.contains(word)), "{shown}");
    home.cli(&["job", "run", "publish", "--wait"]).expect(0).says(&[&format!("of {id}")]);
    // A run that is made again follows from the same runs.
    let again = home.cli(&["run", "retry", id, "--wait", "--json"]).expect(0).json();
    assert_eq!(again["upstream"], report["upstream"]);
}

#[test]
fn mistakes_in_dependencies_are_told() {
    let home = Home::new();
    let _daemon = home.start();
    home.write("pipeline.yaml", PIPELINE);
    home.cli(&["apply", "pipeline.yaml"]).expect(0);
    home.write("slip.yaml", "name: slip\ntriggers: [{ after: extarct }]\ncommand: date\n");
    home.cli(&["apply", "--dry-run", "slip.yaml"]).expect(3).says(&["did you mean 'extract'?"]);
    home.cli(&["apply", "slip.yaml"]).expect(3).says(&["did you mean 'extract'?"]);
    home.write("circle.yaml", "name: extract\ntriggers: [{ after: report }]\ncommand: date\n");
    let circle = "'extract' comes after 'report', 'report' after 'extract'";
    home.cli(&["apply", "--dry-run", "circle.yaml"]).expect(3).says(&[circle]);
    home.cli(&["apply", "circle.yaml"]).expect(3).says(&[circle]);
    // What comes together may name one another.
    home.write(
        "both.yaml",
        "name: first\ncommand: date\n---\nname: then\ntriggers: [{ after: first }]\ncommand: date\n",
    );
    home.cli(&["apply", "--dry-run", "both.yaml"]).expect(0);
    home.write("word.yaml", "name: word\ntriggers: [{ after: { job: extract, outcome: sucess } }]\ncommand: date\n");
    home.cli(&["validate", "word.yaml"]).expect(3).says(&["word.yaml:2:", "there is no outcome 'sucess'"]);
    home.write("names.yaml", "name: names\ncommand: echo {{ upstream.extract.run_id }}\n");
    home.cli(&["validate", "names.yaml"]).expect(3).says(&["names.yaml:2:", "the job waits for none"]);
    home.cli(&["job", "delete", "extract", "--yes"]).expect(5).says(&["waited for by 1 job, such as 'report'"]);
}
