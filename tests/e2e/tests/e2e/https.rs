//! Requests over TLS with certificates that are secrets.

use sandglass_e2e::{Home, run_with};
use sandglass_test_servers::{Answer, Authority, Https};
use serde_json::{Value, json};

fn asking(server: &Https, tls: Value) -> Value {
    let origin = format!("https://127.0.0.1:{}", server.port());
    json!({
        "name": "report",
        "action": { "use": "http", "with": { "url": format!("{origin}/"), "tls": tls } },
        "grants": { "http": [format!("GET {origin}/*")] },
    })
}

#[test]
fn certificates_come_from_secrets_and_are_shown_nowhere() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let server = Https::start_for(&clients, &authority.sign(&["127.0.0.1"]), Answer::Text("hello".to_owned()));
    let client = clients.sign(&["client"]);
    let (home, other) = (Home::new(), clients.sign(&["client"]));
    let daemon = home.start();
    let set = |name: &str, value: &str, host: &str| {
        run_with(&mut home.command(&["secret", "set", name, "--host", host]), value.as_bytes()).expect(0);
    };
    set("CA", &authority.certificate(), "127.0.0.1");
    set("CERTIFICATE", &client.certificate, "127.0.0.1");
    set("KEY", &client.key, "127.0.0.1");
    let secret = |name: &str| format!("{{{{ secret.{name} }}}}");
    let tls = |key: &str| json!({ "ca": secret("CA"), "client_certificate": secret("CERTIFICATE"), "client_key": secret(key) });
    daemon.put(&asking(&server, tls("KEY")));
    let run = daemon.ended(&daemon.start_run("report"));
    assert_eq!(run["state"], "succeeded", "{run}");
    assert!(run["result"].to_string().contains("hello"), "{run}");

    // A key that is limited to another host is not used, one of another certificate is refused; neither is shown.
    set("ELSEWHERE", &client.key, "other.example");
    set("OTHER", &other.key, "127.0.0.1");
    set("BROKEN", &client.key.replace('\n', " "), "127.0.0.1");
    for (name, part) in [
        ("ELSEWHERE", "sending the secret ELSEWHERE, which is for other.example alone, to 127.0.0.1 is denied"),
        ("OTHER", "the client's key does not belong to the client's certificate"),
        ("BROKEN", "were the line breaks lost?"),
    ] {
        daemon.put(&asking(&server, tls(name)));
        let run = daemon.ended(&daemon.start_run("report"));
        let message = run["attempts"][0]["error"]["message"].as_str().unwrap_or_default();
        assert!(message.contains(part), "{name}: {run}");
        assert!(client.key.lines().all(|line| !run.to_string().contains(line)), "{run}");
    }
    assert_eq!(server.heads().len(), 1);

    // What stands in the job itself is looked at when the job is saved.
    let wrong = asking(&server, json!({ "ca": "/etc/ssl/ca.pem" }));
    let path = "/api/v1/namespaces/default/jobs/report";
    let problem = daemon.http().send("PUT", path, &[], wrong.to_string().as_bytes()).problem(422, "invalid_params");
    assert!(problem.to_string().contains("/action/with/tls: the CA is no certificate in PEM"), "{problem}");
    daemon.stop();
}
