//! The plugin `notify`: what it tells by itself, and to whom.

use std::time::Duration;

use sandglass_e2e::{Daemon, Home, Receiver, run_with, until};
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_secs(30);

/// A job that fails, and is told of by an action of `notify` to `receiver`.
fn failing(name: &str, action: &str, with: &Value, receiver: &Receiver) -> Value {
    json!({
        "name": name,
        "timezone": "Europe/Berlin",
        "action": { "use": "shell", "with": { "command": "exit 3" } },
        "notify": [{
            "on": ["failed"],
            "use": format!("notify/{action}"),
            "with": with,
            "grants": { "http": [format!("POST {}", receiver.url("/*"))] },
        }],
    })
}

/// Starts a daemon with this configuration.
fn start(home: &Home, configuration: &str) -> Daemon {
    let file = home.write("sandglass.toml", configuration);
    home.spawn(&["--config", file.to_str().expect("UTF-8")]).ready()
}

fn body(receiver: &Receiver) -> Value {
    let received = until("the post", LIMIT, || receiver.received().pop());
    serde_json::from_slice(&received.body).expect("JSON")
}

#[test]
fn a_failure_comes_to_slack_with_an_address_alone() {
    let (home, receiver) = (Home::new(), Receiver::start());
    let daemon = start(&home, "public_url = \"https://jobs.example.com/\"\n");
    let url = receiver.url("/hooks/topsecrettoken");
    run_with(&mut home.command(&["secret", "set", "HOOK", "--host", "127.0.0.1"]), url.as_bytes()).expect(0);
    daemon.put(&failing("nightly", "slack", &json!({ "url": "{{ secret.HOOK }}" }), &receiver));
    let run = daemon.start_run("nightly");
    daemon.ended(&run);
    let body = body(&receiver);
    let summary = format!("job 'nightly' failed: exit code 3 (run {run})");
    assert_eq!(body["text"], summary, "{body}");
    let blocks = &body["blocks"];
    assert_eq!((&blocks[0]["text"]["text"], &blocks[1]["text"]["text"]), (&json!("nightly: failed"), &json!(summary)));
    let fields: Vec<&str> =
        blocks[2]["fields"].as_array().expect("fields").iter().filter_map(|field| field["text"].as_str()).collect();
    assert!(fields.contains(&format!("Run: {run}").as_str()) && fields.contains(&"Exit code: 3"), "{fields:?}");
    assert!(fields.iter().any(|field| field.starts_with("Due: ") && field.contains("CE")), "{fields:?}");
    let link = format!("<https://jobs.example.com/api/v1/namespaces/default/runs/{run}|Look at the run>");
    assert_eq!(blocks[3]["text"]["text"], link);
    let told = until("its end", LIMIT, || {
        let runs = daemon.get("/runs?notifications=true&state=succeeded");
        runs["items"].as_array().and_then(|items| items.first().cloned())
    });
    assert!(!told.to_string().contains("topsecret"), "{told}");
    daemon.stop();
}

#[test]
fn what_fails_together_is_one_message_to_a_webhook() {
    let (home, receiver) = (Home::new(), Receiver::start());
    let daemon = home.start();
    let with = json!({ "url": receiver.url("/hook"), "headers": { "X-From": "sandglass" } });
    let mut job = failing("import", "webhook", &with, &receiver);
    job["notify"][0]["group"] = "1s".into();
    daemon.put(&job);
    let first = daemon.start_run("import");
    daemon.ended(&first);
    assert_eq!(body(&receiver)["title"], "import: failed");
    for _ in 0..3 {
        daemon.ended(&daemon.start_run("import"));
    }
    // However many messages the three made, all failures are told, and those of one message on lines of their own.
    let bodies = until("the rest", LIMIT, || {
        let bodies: Vec<Value> =
            receiver.received().iter().map(|post| serde_json::from_slice(&post.body).expect("JSON")).collect();
        let lines = |body: &Value| body["text"].as_str().expect("a text").lines().count().max(2) - 1;
        (bodies.iter().map(lines).sum::<usize>() == 4).then_some(bodies)
    });
    assert!(bodies.iter().all(|body| body["event"] == "failed" && body["link"] == Value::Null), "{bodies:?}");
    assert_eq!(receiver.received()[0].header("x-from"), Some("sandglass"));
    daemon.stop();
}

#[test]
fn what_a_service_refuses_is_not_tried_again() {
    let (home, receiver) = (Home::new(), Receiver::start());
    let daemon = home.start();
    daemon.put(&failing("nightly", "discord", &json!({ "url": receiver.url("/status/404") }), &receiver));
    daemon.ended(&daemon.start_run("nightly"));
    let told = until("its end", LIMIT, || {
        let runs = daemon.get("/runs?notifications=true&state=failed");
        let items = runs["items"].as_array()?.iter();
        items.filter(|run| run["origin"] == "notification").cloned().next()
    });
    let attempts = told["attempts"].as_array().expect("attempts");
    assert_eq!(attempts.len(), 1, "{told}");
    assert_eq!(attempts[0]["error"]["message"], "Discord answered with status 404: {\"ok\":true}");
    // A mistake in an address that is no template shows when the job is saved.
    let wrong = failing("nightly", "slack", &json!({ "url": "hooks.slack.com" }), &receiver);
    let path = "/api/v1/namespaces/default/jobs/nightly";
    let problem = daemon.http().send("PUT", path, &[], wrong.to_string().as_bytes()).problem(422, "invalid_params");
    assert!(problem.to_string().contains("/notify/0/with/url"), "{problem}");
    daemon.stop();
}
