//! HTTP requests of guests: granted ones arrive, others do not leave.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod support;

use std::io::{BufRead as _, Write as _};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, Uri};
use axum::routing::{any, get};
use sandglass_core::id::Digest;
use sandglass_core::invocation::Work;
use sandglass_core::run::{AttemptError, AttemptOutcome, ErrorClass};
use serde_json::json;
use support::{Bench, error, grants, invocation, work};

/// A server that remembers what it was asked.
struct Server {
    port: u16,
    seen: Arc<Mutex<Vec<(Uri, HeaderMap, Bytes)>>>,
    arrived: Arc<tokio::sync::Semaphore>,
    _runtime: tokio::runtime::Runtime,
}

impl Server {
    fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let arrived = Arc::new(tokio::sync::Semaphore::new(0));
        let remembered = Arc::clone(&seen);
        let hanging = Arc::clone(&arrived);
        let app = Router::new()
            .route(
                "/echo",
                any(move |uri: Uri, headers: HeaderMap, body: Bytes| {
                    remembered.lock().unwrap().push((uri, headers, body.clone()));
                    async move { body }
                }),
            )
            .route(
                "/hang",
                get(move || async move {
                    hanging.add_permits(1);
                    std::future::pending::<()>().await;
                }),
            );
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        runtime.spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { port, seen, arrived, _runtime: runtime }
    }
}

fn http(bench: &Bench) -> Digest {
    let plugin = sandglass_plugins::BUILT_IN.iter().find(|plugin| plugin.name == "http").unwrap();
    bench.add(plugin.wasm)
}

fn request(bench: &Bench, params: serde_json::Value, grant: &str) -> Work {
    let mut work = work(http(bench), "request", &params.to_string());
    work.grants = grants(&format!(r#"{{"http": {grant}}}"#));
    work
}

#[test]
fn a_granted_request_arrives() {
    let (bench, server) = (Bench::new(), Server::start());
    let url = format!("http://127.0.0.1:{}/echo?a=1", server.port);
    let params = json!({ "method": "POST", "url": url, "body": "hello", "headers": { "X-Test": "yes" } });
    let grant = format!(r#"["POST http://127.0.0.1:{}/*"]"#, server.port);
    let report = bench.run(invocation(request(&bench, params, &grant)));
    assert_eq!(report.end.outcome, AttemptOutcome::Succeeded, "{report:?}");
    let seen = server.seen.lock().unwrap();
    let [(uri, headers, body)] = &seen[..] else { panic!("one request: {seen:?}") };
    assert_eq!(uri.to_string(), "/echo?a=1");
    assert_eq!(headers["host"], format!("127.0.0.1:{}", server.port));
    assert_eq!(headers["x-test"], "yes");
    assert_eq!(headers["user-agent"], concat!("sandglass/", env!("CARGO_PKG_VERSION")));
    assert_eq!(&body[..], b"hello");
    assert!(report.result.unwrap().contains("hello"));
}

#[test]
fn a_guest_may_say_what_it_is() {
    let (bench, server) = (Bench::new(), Server::start());
    let url = format!("http://127.0.0.1:{}/echo", server.port);
    let grant = format!(r#"["POST {url}"]"#);
    for own in ["nightly-check/2", ""] {
        let params = json!({ "method": "POST", "url": url, "headers": { "User-Agent": own } });
        let report = bench.run(invocation(request(&bench, params, &grant)));
        assert_eq!(report.end.outcome, AttemptOutcome::Succeeded, "{report:?}");
        let seen = server.seen.lock().unwrap();
        let (_, headers, _) = seen.last().unwrap();
        assert_eq!(headers.get_all("user-agent").iter().collect::<Vec<_>>(), [own]);
    }
}

#[test]
fn names_are_granted_literally() {
    let (bench, server) = (Bench::new(), Server::start());
    let url = format!("http://localhost:{}/echo", server.port);
    let grant = format!(r#"["http://localhost:{}"]"#, server.port);
    let report = bench.run(invocation(request(&bench, json!({ "url": url }), &grant)));
    assert_eq!(report.end.outcome, AttemptOutcome::Succeeded, "{report:?}");
}

#[test]
fn what_is_not_granted_does_not_leave() {
    let (bench, server) = (Bench::new(), Server::start());
    let port = server.port;
    let of_port = |host: &str| format!("http://{host}:{port}/echo");
    for (url, grant) in [
        // Not named at all.
        (of_port("127.0.0.1"), r#"["https://api.example.com/*"]"#.to_owned()),
        // Another method, another port.
        (of_port("127.0.0.1"), format!(r#"["POST http://127.0.0.1:{port}/*"]"#)),
        (of_port("127.0.0.1"), r#"["http://127.0.0.1:1/*"]"#.to_owned()),
        // Public addresses only, however this one is written and whatever name resolves to it.
        (of_port("127.0.0.1"), "\"public\"".to_owned()),
        (of_port("localhost"), "\"public\"".to_owned()),
        (of_port("[::1]"), "\"public\"".to_owned()),
        (of_port("[::ffff:127.0.0.1]"), "\"public\"".to_owned()),
        (of_port("127.1"), "\"public\"".to_owned()),
        (of_port("2130706433"), "\"public\"".to_owned()),
        (of_port("0.0.0.0"), "\"public\"".to_owned()),
        ("http://169.254.169.254/latest/meta-data".to_owned(), "\"public\"".to_owned()),
        // A pattern with a star names no special address.
        (of_port("127.0.0.1"), format!(r#"["http://*:{port}/*"]"#)),
    ] {
        let report = bench.run(invocation(request(&bench, json!({ "url": url }), &grant)));
        assert_eq!(report.end.outcome, AttemptOutcome::Failed, "{url} {grant}: {report:?}");
        assert_eq!(error(&report).class, ErrorClass::Denied, "{url} {grant}: {report:?}");
        assert!(error(&report).message.contains("http: ["), "{url} {grant}: {report:?}");
    }
    assert!(server.seen.lock().unwrap().is_empty());
}

#[test]
fn a_server_that_is_not_there_is_no_denial() {
    let bench = Bench::new();
    let report =
        bench.run(invocation(request(&bench, json!({ "url": "http://127.0.0.1:9/" }), r#"["http://127.0.0.1:9/*"]"#)));
    assert_eq!(error(&report).class, ErrorClass::Guest, "{report:?}");
}

#[test]
fn a_body_that_breaks_off_is_told_so() {
    // With backtraces asked for, as a guest must not see them. What this process does about them is settled once.
    if std::env::var_os("RUST_BACKTRACE").is_none_or(|value| value != "1") {
        let mut again = std::process::Command::new(std::env::current_exe().unwrap());
        again.args(["a_body_that_breaks_off_is_told_so", "--exact"]).env("RUST_BACKTRACE", "1");
        assert!(again.status().unwrap().success());
        return;
    }
    let bench = Bench::new();
    for head in ["content-length: 100\r\n\r\nhalf", "transfer-encoding: chunked\r\n\r\n64\r\nhalf"] {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut lines = std::io::BufReader::new(stream.try_clone().unwrap()).lines();
            while lines.next().is_some_and(|line| !line.unwrap().is_empty()) {}
            write!(stream, "HTTP/1.1 200 OK\r\n{head}").unwrap();
        });
        let report = bench.run(invocation(request(&bench, json!({ "url": url }), &format!(r#"["{url}*"]"#))));
        let AttemptError { code, message, .. } = error(&report);
        assert_eq!((code.as_str(), message.as_str()), ("connection", "incomplete HTTP response"));
        server.join().unwrap();
    }
}

#[test]
fn cancelling_wakes_a_request_that_waits() {
    let (bench, server) = (Bench::new(), Server::start());
    let url = format!("http://127.0.0.1:{}/hang", server.port);
    let grant = format!(r#"["http://127.0.0.1:{}/*"]"#, server.port);
    let mut work = request(&bench, json!({ "url": url }), &grant);
    work.grace = Duration::from_secs(40);
    let one = invocation(work);
    let run = one.run;
    let receiver = bench.start(one);
    server._runtime.block_on(async { server.arrived.acquire().await.unwrap().forget() });
    bench.cancel(run);
    let report = receiver.recv_timeout(Duration::from_secs(30)).expect("well before its grace is over");
    assert_eq!(report.end.outcome, AttemptOutcome::Cancelled, "{report:?}");
}
