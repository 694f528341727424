//! Files that runs leave to others, from the command line.

use sandglass_e2e::{Home, Receiver};
use serde_json::json;

const PIPELINE: &str = r#"
jobs:
  - name: build
    action:
      use: shell
      with:
        command: mkdir -p out && printf '%s' "$TEXT" > out/app.txt && echo '{}' > report.json
        artifacts: ["out/*.txt", report.json]
    env: { TEXT: "{{ params.text }}" }
    parameters: { text: { type: string, default: first } }
  - name: ship
    triggers: [{ after: build }]
    action:
      use: shell
      with:
        fetch: [out/app.txt, build/report.json]
        command: cat artifacts/out/app.txt artifacts/build/report.json; echo no >> artifacts/out/app.txt || id -u
  - name: poor
    action: { use: shell, with: { command: "touch a", artifacts: [a] } }
    grants: { process: any, files: [] }
"#;

#[test]
fn runs_leave_files_to_others() {
    let home = Home::new();
    let daemon = home.start();
    home.write("pipeline.yaml", PIPELINE);
    home.cli(&["apply", "pipeline.yaml"]).expect(0);
    let build = home.cli(&["job", "run", "build", "--wait", "--json"]).expect(0).json();
    let build = build["id"].as_str().expect("an id").to_owned();
    let listed = home.cli(&["run", "artifacts", &build, "--json"]).expect(0).json();
    let names: Vec<_> = listed["items"].as_array().expect("a list").iter().map(|item| &item["name"]).collect();
    assert_eq!(names, [&json!("out/app.txt"), &json!("report.json")], "{listed}");
    assert_eq!(
        (&listed["items"][0]["size_bytes"], &listed["items"][1]["media_type"]),
        (&json!(5), &json!("application/json"))
    );
    let text = home.cli(&["run", "artifacts", &build, "--get", "out/app.txt", "--to", "-"]).expect(0).stdout;
    assert_eq!(text, "first");
    home.cli(&["run", "artifacts", &build, "--get", "nothing"]).expect(4);
    let shown = home.cli(&["run", "show", &build]).expect(0).stdout;
    assert!(shown.contains("out/app.txt") && shown.contains("used: artifacts 2, process 1"), "{shown}");
    let ship = daemon.ended(daemon.runs("ship")[0]["id"].as_str().expect("an id"));
    assert_eq!(ship["state"], json!("succeeded"), "{ship}");
    assert_eq!(ship["attempts"][0]["capabilities"]["artifacts"], json!({ "used": 2, "denied": 0 }), "{ship}");
    let printed = home.cli(&["run", "logs", ship["id"].as_str().expect("an id")]).expect(0).stdout;
    assert!(printed.starts_with("first{}"), "{printed}");
    let poor = home.cli(&["job", "run", "poor", "--wait", "--json"]).expect(1).json();
    let attempt = &poor["attempts"][0];
    assert_eq!(attempt["error"]["class"], json!("denied"), "{poor}");
    assert!(attempt["error"]["message"].as_str().is_some_and(|text| text.contains("`artifacts: true`")), "{poor}");
    assert_eq!(attempt["capabilities"]["artifacts"], json!({ "used": 0, "denied": 1 }), "{poor}");
    // All of it survives the daemon, and what is kept is what it was.
    daemon.kill();
    let _daemon = home.start();
    let text = home.cli(&["run", "artifacts", "--last", "build", "--get", "out/app.txt", "--to", "-"]).expect(0).stdout;
    assert_eq!(text, "first");
    home.cli(&["store", "check"]).expect(0);
}

#[test]
fn a_response_is_kept_as_one() {
    let receiver = Receiver::start();
    let home = Home::new();
    let daemon = home.start();
    let job = |name: &str, path: &str| {
        let with = json!({ "url": receiver.url(path), "artifact": "pages/{{ job.name }}.json", "assertions": [{ "at": "/ok" }] });
        let grants = json!({ "http": [receiver.url("/*")], "files": [], "artifacts": true });
        daemon.put(&json!({ "name": name, "action": { "use": "http", "with": with }, "grants": grants }));
    };
    job("page", "/a");
    let plan = home.cli(&["job", "plan", "page", "--json"]).expect(0).json();
    assert_eq!(plan["steps"][0], json!({ "effect": "read", "target": receiver.url("/a"), "summary": "GET" }), "{plan}");
    assert_eq!((&plan["steps"][1]["target"], &plan["complete"]), (&json!("pages/page.json"), &json!(true)), "{plan}");
    assert_eq!(receiver.received().len(), 0);
    let run = home.cli(&["job", "run", "page", "--wait", "--json"]).expect(0).json();
    let output = &run["result"]["output"];
    assert_eq!((&output["body"], &output["artifact"]["size"]), (&json!(""), &json!(12)), "{run}");
    let text =
        home.cli(&["run", "artifacts", "--last", "page", "--get", "pages/page.json", "--to", "-"]).expect(0).stdout;
    assert_eq!(text, "{\"ok\":true}\n");
    // What the job did not ask for is no artifact.
    job("refused", "/status/500");
    let run = home.cli(&["job", "run", "refused", "--wait", "--json"]).expect(1).json();
    assert_eq!(run["result"]["detail"], json!({ "status": 500, "body": "{\"ok\":true}\n" }), "{run}");
    let id = run["id"].as_str().expect("an id");
    assert_eq!(home.cli(&["run", "artifacts", id, "--json"]).expect(0).json()["items"], json!([]));
}
