//! TLS of requests: whom a run trusts, who it says that it is, and servers that misbehave. Every exchange ends, with a reason.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod support;

use sandglass_core::invocation::{AttemptReport, Work};
use sandglass_core::run::{AttemptOutcome, ErrorClass};
use sandglass_test_servers::{Answer, Authority, Certificate, Https};
use serde_json::{Value, json};
use support::{Bench, error, grants, invocation, work};

const NAMES: &[&str] = &["localhost", "127.0.0.1"];

fn text() -> Answer {
    Answer::Text("hello".to_owned())
}

fn request(bench: &Bench, server: &Https, more: Value) -> Work {
    let plugin = sandglass_plugins::BUILT_IN.iter().find(|plugin| plugin.name == "http").unwrap();
    let origin = format!("https://127.0.0.1:{}", server.port());
    let mut params = json!({ "url": format!("{origin}/"), "timeout": "20s" });
    params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let mut work = work(bench.add(plugin.wasm), "request", &params.to_string());
    work.grants = grants(&format!(r#"{{"http": ["{origin}/*"]}}"#));
    work
}

/// The report of a request to `server`, with what else the job says.
fn asked(server: &Https, more: Value) -> AttemptReport {
    let bench = Bench::new();
    bench.run(invocation(request(&bench, server, more)))
}

fn trusting(authority: &Authority) -> Value {
    json!({ "tls": { "ca": authority.certificate() } })
}

fn as_client(authority: &Authority, client: &Certificate) -> Value {
    let Certificate { certificate, key } = client;
    json!({ "tls": { "ca": authority.certificate(), "client_certificate": certificate, "client_key": key } })
}

/// The request fails with the code `code` and a message that contains `words`.
fn fails(report: &AttemptReport, code: &str, words: &str) {
    assert_eq!(report.end.outcome, AttemptOutcome::Failed, "{report:?}");
    let error = error(report);
    assert_eq!(error.code, code, "{error:?}");
    assert!(error.message.contains(words), "{words:?} is missing: {error:?}");
}

#[test]
fn an_authority_of_ones_own_is_trusted_where_it_is_named() {
    let authority = Authority::new();
    let server = Https::start(&authority.sign(NAMES), text());
    let report = asked(&server, trusting(&authority));
    assert_eq!(report.end.outcome, AttemptOutcome::Succeeded, "{report:?}");
    assert!(report.result.unwrap().contains("hello"));
    // Nobody else trusts it, and who trusts another authority does not trust it.
    let untrusted = "the server's certificate is not trusted: no authority that is trusted has signed it";
    fails(&asked(&server, json!({})), "tls", untrusted);
    fails(&asked(&server, trusting(&Authority::new())), "tls", "the server's certificate is not trusted");
    assert_eq!(server.heads().len(), 1);
}

#[test]
fn a_certificate_is_for_the_host_and_has_not_expired() {
    let authority = Authority::new();
    let other = Https::start(&authority.sign(&["other.example"]), text());
    fails(&asked(&other, trusting(&authority)), "tls", "it is for another host: ");
    let expired = Https::start(&authority.sign_expired(NAMES), text());
    fails(&asked(&expired, trusting(&authority)), "tls", "it has expired");
    assert!(other.heads().is_empty() && expired.heads().is_empty());
}

#[test]
fn a_server_that_wants_to_know_its_client_is_told() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let server = Https::start_for(&clients, &authority.sign(NAMES), text());
    fails(&asked(&server, trusting(&authority)), "tls", "the server wants a certificate of the client");
    let stranger = Authority::new().sign(&["client"]);
    fails(&asked(&server, as_client(&authority, &stranger)), "tls", "does not take the client's certificate");
    assert!(server.heads().is_empty());
    let report = asked(&server, as_client(&authority, &clients.sign(&["client"])));
    assert_eq!(report.end.outcome, AttemptOutcome::Succeeded, "{report:?}");
}

#[test]
fn what_does_not_fit_is_named() {
    let (authority, server) = (Authority::new(), Https::start(&Authority::new().sign(NAMES), text()));
    let (one, other) = (authority.sign(&["client"]), authority.sign(&["client"]));
    let mixed = Certificate { key: other.key, ..one };
    let of_another = asked(&server, as_client(&authority, &mixed));
    fails(&of_another, "invalid-params", "the client's key does not belong to the client's certificate");
    let bench = Bench::new();
    let plugin = sandglass_plugins::BUILT_IN.iter().find(|plugin| plugin.name == "http").unwrap();
    let digest = bench.add(plugin.wasm);
    let params = json!({ "url": "https://a.example/", "tls": { "ca": "/etc/ssl/ca.pem" } });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let issues = runtime.block_on(bench.host.validate(digest, "request", &params.to_string())).unwrap();
    let [issue] = &issues[..] else { panic!("one is wrong: {issues:?}") };
    assert_eq!(issue.pointer, "/tls");
    assert!(issue.message.contains("the CA is no certificate in PEM"), "{issue:?}");
}

#[test]
fn a_server_that_says_nothing_is_not_waited_for() {
    let authority = Authority::new();
    let server = Https::start(&authority.sign(NAMES), Answer::Silence);
    let report = asked(&server, json!({ "timeout": "1s", "tls": { "ca": authority.certificate() } }));
    fails(&report, "timeout", "the exchange took too long");
}

#[test]
fn a_server_without_tls_is_told_apart() {
    let authority = Authority::new();
    let server = Https::start(&authority.sign(NAMES), Answer::PlainText);
    fails(&asked(&server, trusting(&authority)), "tls", "the server does not speak TLS there");
}

#[test]
fn a_body_that_breaks_off_is_no_response() {
    let authority = Authority::new();
    for answer in [Answer::Cut, Answer::CutOpen] {
        let server = Https::start(&authority.sign(NAMES), answer.clone());
        let report = asked(&server, trusting(&authority));
        assert_eq!(report.end.outcome, AttemptOutcome::Failed, "{answer:?}: {report:?}");
        assert_eq!(error(&report).code, "connection", "{answer:?}: {report:?}");
    }
}

#[test]
fn what_has_no_end_is_cut() {
    let authority = Authority::new();
    let head = Https::start(&authority.sign(NAMES), Answer::EndlessHead);
    fails(&asked(&head, trusting(&authority)), "protocol", "the head of the response is too long");
    let body = Https::start(&authority.sign(NAMES), Answer::EndlessBody);
    let report = asked(&body, trusting(&authority));
    assert_eq!(report.end.outcome, AttemptOutcome::Succeeded, "{report:?}");
    let result: Value = serde_json::from_str(&report.result.unwrap()).unwrap();
    let output = result.get("output").unwrap_or(&result);
    assert_eq!(output["truncated"], true, "{result}");
}

#[test]
fn a_redirect_leads_nowhere_that_is_not_granted() {
    let authority = Authority::new();
    for to in ["http://169.254.169.254/latest/meta-data", "http://127.0.0.1:1/", "https://localhost/"] {
        let server = Https::start(&authority.sign(NAMES), Answer::Redirect(to.to_owned()));
        let mut params = trusting(&authority);
        params["follow_redirects"] = json!(3);
        let report = asked(&server, params);
        assert_eq!(error(&report).class, ErrorClass::Denied, "{to}: {report:?}");
        assert_eq!(server.heads().len(), 1, "{to}");
    }
}

#[test]
fn what_a_run_may_not_reach_it_needs_no_certificates_for() {
    let (bench, authority) = (Bench::new(), Authority::new());
    let server = Https::start(&authority.sign(NAMES), text());
    let mut work = request(&bench, &server, trusting(&authority));
    work.grants = grants(r#"{"http": ["https://a.example/*"]}"#);
    let report = bench.run(invocation(work));
    assert_eq!(error(&report).class, ErrorClass::Denied, "{report:?}");
    let origin = format!("https://127.0.0.1:{}/*", server.port());
    assert!(error(&report).message.contains(&origin), "{report:?}");
    assert!(server.heads().is_empty());
}
