//! The plugin `notify`: what it tells by itself, and to whom.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sandglass_e2e::{Daemon, Home, MailServer, Receiver, run_with, until};
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_secs(30);

/// A job that fails, and is told of by an action of `notify` to `receiver`.
fn failing(name: &str, action: &str, with: &Value, receiver: &Receiver) -> Value {
    json!({
        "name": name,
        "timezone": "Europe/Berlin",
        "action": { "use": "shell", "with": { "command": "echo working; echo \"cannot open <db>\" >&2; exit 3" } },
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
    assert_eq!(blocks[3]["type"], "rich_text");
    let printed = blocks[3]["elements"][0]["elements"][0]["text"].as_str().expect("what it printed");
    assert!(printed.contains("working") && printed.contains("cannot open <db>"), "{printed}");
    let link = format!("<https://jobs.example.com/api/v1/namespaces/default/runs/{run}|Look at the run>");
    assert_eq!(blocks[4]["text"]["text"], link);
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
        let mut items = runs["items"].as_array()?.iter();
        items.find(|run| run["origin"] == "notification").cloned()
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

/// A configuration that sends mail by `server`, and says `more`.
fn mail_by(server: &MailServer, more: &str) -> String {
    format!(
        "[mail]\nserver = \"127.0.0.1\"\nport = {}\nencryption = \"none\"\nfrom = \"Sandglass <jobs@example.com>\"\n{more}",
        server.port()
    )
}

/// A job that fails, and is told of by mail to `to`.
fn mailing(to: &str) -> Value {
    json!({
        "name": "nightly",
        "action": { "use": "shell", "with": { "command": "exit 3" } },
        "notify": [{
            "on": ["failed"], "use": "notify/email", "with": { "to": [to] }, "group": "0s",
            "retry": { "initial": "200ms", "jitter": "none", "max_attempts": 3, "backoff": "fixed" },
        }],
    })
}

/// The error of the last attempt of the newest notification that has failed, and how many attempts it has.
fn failed(daemon: &Daemon) -> (String, usize) {
    until("the end of the notification", LIMIT, || {
        let runs = daemon.get("/runs?notifications=true&state=failed");
        let run = runs["items"].as_array()?.iter().find(|run| run["origin"] == "notification")?.clone();
        let attempts = run["attempts"].as_array()?;
        Some((attempts.last()?["error"]["message"].as_str()?.to_owned(), attempts.len()))
    })
}

#[test]
fn a_failure_comes_by_mail_with_a_password_that_is_a_secret() {
    let (home, server) = (Home::new(), MailServer::start());
    let configuration =
        mail_by(&server, "user = \"jobs\"\npassword_secret = \"MAIL_PASSWORD\"\nallow_to = [\"*@example.com\"]\n");
    let daemon = start(&home, &configuration);
    run_with(&mut home.command(&["secret", "set", "MAIL_PASSWORD"]), b"correct-horse\n").expect(0);
    daemon.put(&mailing("Ops <ops@example.com>"));
    let run = daemon.start_run("nightly");
    let mail = until("the mail", LIMIT, || server.mails().pop());
    assert_eq!((mail.from.as_str(), &mail.to[..]), ("jobs@example.com", &["ops@example.com".to_owned()][..]));
    let login = BASE64_STANDARD.decode(mail.login.expect("a login")).expect("base64");
    assert_eq!(login, b"\0jobs\0correct-horse");
    for part in ["From: ", "To: ", "Date: ", "Message-ID: ", "Subject: nightly: failed\r\n", &format!("Run: {run}")] {
        assert!(mail.data.contains(part), "{part:?} is missing: {}", mail.data);
    }
    assert!(mail.data.contains("job 'nightly' failed: exit code 3"), "{}", mail.data);
    daemon.stop();
}

#[test]
fn a_mail_that_is_refused_says_why_and_one_that_may_go_later_is_tried_again() {
    let (home, server) = (Home::new(), MailServer::start());
    let daemon = start(&home, &mail_by(&server, "allow_to = [\"*@example.com\"]\n"));
    let tell = |to: &str| {
        daemon.put(&mailing(to));
        daemon.ended(&daemon.start_run("nightly"));
    };
    tell("nobody@example.com");
    let (message, attempts) = failed(&daemon);
    assert!(message.contains("refused the mail") && message.contains("nobody of this name here"), "{message}");
    assert_eq!(attempts, 1);
    tell("you@other.org");
    let denied = || Some(failed(&daemon)).filter(|(message, _)| message.contains("you@other.org"));
    let (message, attempts) = until("the denial", LIMIT, denied);
    assert!(message.contains("`allow_to` under [mail]"), "{message}");
    assert_eq!(attempts, 1);
    tell("busy@example.com");
    let busy = || Some(failed(&daemon)).filter(|(message, _)| message.contains("come again later"));
    assert_eq!(until("the last try", LIMIT, busy).1, 3);
    assert!(server.mails().is_empty());
    daemon.stop();
}

#[test]
fn without_a_server_a_mail_says_how_to_configure_one() {
    let home = Home::new();
    let daemon = home.start();
    daemon.put(&mailing("ops@example.com"));
    daemon.ended(&daemon.start_run("nightly"));
    let (message, attempts) = failed(&daemon);
    assert_eq!((message.as_str(), attempts), ("no mail server is configured: add [mail] to sandglass.toml", 1));
    // What a job's own grants leave out stays refused, though the plugin may mail.
    let mut narrow = mailing("ops@example.com");
    narrow["notify"][0]["grants"] = json!({ "http": "public" });
    daemon.put(&narrow);
    daemon.ended(&daemon.start_run("nightly"));
    until("the denial", LIMIT, || Some(failed(&daemon)).filter(|(message, _)| message.contains("`mail: true`")));
    daemon.stop();
}
