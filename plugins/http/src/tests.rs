//! What the action sends, and what it makes of the answer.

use std::time::Duration;

use sandglass_plugin::http::{HttpError, Request, Response};
use sandglass_plugin::plan::Step;
use sandglass_plugin::serde_json::{Value, json};
use sandglass_plugin::testing::Host;
use sandglass_plugin::{Action, Failure, Outcome, Retry};

use crate::request::SendRequest;

fn response(status: u16, headers: &[(&str, &str)], body: &str) -> Response {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Response { status, headers, body: body.as_bytes().to_vec(), truncated: false }
}

/// Runs the action against a server that always gives the same answer.
fn answered(params: Value, answer: Response) -> (Host, Result<Outcome<Value>, Failure>) {
    let host = Host::new().on_http(move |_| Ok(answer.clone()));
    let result = host.run::<SendRequest>(params);
    (host, result)
}

fn failure(answer: Response) -> Failure {
    answered(json!({ "url": "http://a/" }), answer).1.expect_err("the status is not expected")
}

#[test]
fn sends_what_the_job_says() {
    let params = json!({ "method": "post", "url": "http://a/b?c", "headers": { "x-a": "1" }, "json": { "k": [1] } });
    let (host, result) = answered(params, response(200, &[("x-b", "2")], "fine"));
    let request = host.requests().pop().expect("one request was sent");
    assert_eq!((request.method.as_str(), request.url.to_string().as_str()), ("POST", "http://a/b?c"));
    assert_eq!(request.body, br#"{"k":[1]}"#);
    assert!(request.has_header("x-a") && request.has_header("content-type"));
    assert_eq!(request.timeout, Some(Duration::from_secs(30)));
    let output = json!({ "status": 200, "headers": { "x-b": "2" }, "body": "fine", "truncated": false });
    assert_eq!(result.expect("200 is a success").output, Some(output));
}

#[test]
fn keeps_no_more_than_it_may() {
    let params = json!({ "url": "http://a/", "max_response_bytes": 3 });
    let (_, result) = answered(params, response(200, &[], "12345"));
    let output = result.expect("200 is a success").output.expect("the response is kept");
    assert_eq!((&output["body"], &output["truncated"]), (&json!("123"), &json!(true)));
}

#[test]
fn advises_by_status() {
    let busy = failure(response(429, &[("retry-after", "7")], ""));
    assert_eq!((busy.code.as_str(), busy.retry), ("status", Retry::After(Duration::from_secs(7))));
    assert_eq!(failure(response(503, &[], "")).retry, Retry::ByJobPolicy);
    assert_eq!(failure(response(500, &[("retry-after", "7")], "")).retry, Retry::ByJobPolicy);
    let missing = failure(response(404, &[], "no such page"));
    assert_eq!(missing.retry, Retry::Never);
    assert_eq!(missing.detail, Some(json!({ "status": 404, "body": "no such page" })));
}

#[test]
fn follows_redirects_only_when_told() {
    let server = |request: &sandglass_plugin::http::Request| {
        Ok(match request.url.path_and_query() {
            "/old" => response(302, &[("location", "http://other/new")], ""),
            _ => response(200, &[], &request.method),
        })
    };
    let params =
        json!({ "url": "http://a/old", "method": "POST", "body": "x", "headers": { "Authorization": "secret" } });
    let failure = Host::new().on_http(server).run::<SendRequest>(params.clone()).expect_err("302 is no success");
    assert_eq!(failure.message, "the server answered with status 302");

    let host = Host::new().on_http(server);
    let mut following = params;
    following["follow_redirects"] = json!(1);
    let outcome = host.run::<SendRequest>(following).expect("the redirect leads to 200");
    assert_eq!(outcome.output.expect("the response is kept")["body"], "GET");
    let last = host.requests().pop().expect("two requests were sent");
    assert!(!last.has_header("authorization") && last.body.is_empty());
}

#[test]
fn a_timeout_is_for_all_redirects_together() {
    let timeouts = |remaining: Duration, follow_redirects: u8| {
        let round = |_: &Request| Ok(response(302, &[("location", "http://a/")], ""));
        let host = Host::new().on_http(round).remaining(remaining).http_takes(Duration::from_millis(600));
        let params = json!({ "url": "http://a/", "timeout": "1s", "follow_redirects": follow_redirects });
        let failure = host.run::<SendRequest>(params).expect_err("it goes round");
        (failure.code, host.requests().iter().filter_map(|request| request.timeout).collect::<Vec<_>>())
    };
    let (second, rest) = (Duration::from_secs(1), Duration::from_millis(400));
    assert_eq!(timeouts(Duration::from_secs(60), 10), ("timeout".to_owned(), vec![second, rest]));
    // Of an attempt that ends before it, each request has its own.
    assert_eq!(timeouts(Duration::from_millis(900), 1).1, [second, second]);
}

#[test]
fn a_failed_connection_is_left_to_the_job() {
    let host = Host::new().on_http(|_| Err(HttpError::Transport("connection".to_owned(), "refused".to_owned())));
    let failure = host.run::<SendRequest>(json!({ "url": "http://a/" })).expect_err("nobody answers");
    assert_eq!((failure.code.as_str(), failure.retry), ("connection", Retry::ByJobPolicy));
}

#[test]
fn bad_parameters_are_named() {
    let cases = [
        (json!({ "url": "a" }), "/url"),
        (json!({ "url": "http://a", "method": "G ET" }), "/method"),
        (json!({ "url": "http://a", "headers": { "a/b": "c" } }), "/headers/a~1b"),
        (json!({ "url": "http://a", "headers": { "a": "b\nc" } }), "/headers/a"),
        (json!({ "url": "http://a", "body": "x", "json": 1 }), "/json"),
        (json!({ "url": "http://a", "expected_status": "ok" }), ""),
        (json!({ "url": "http://a", "max_response_bytes": 99_999_999 }), "/max_response_bytes"),
        (json!({ "url": "http://a", "follow_redirects": 99 }), "/follow_redirects"),
        (json!({ "url": "http://a", "timeout": "soon" }), ""),
        (json!({ "uri": "http://a" }), ""),
        (json!({ "url": "http://a", "form": {}, "body": "x" }), "/form"),
        (json!({ "url": "http://a", "auth": { "basic": { "user": "a:b", "password": "c" } } }), "/auth/basic/user"),
        (json!({ "url": "http://a", "auth": { "bearer": "x" }, "headers": { "authorization": "y" } }), "/auth"),
        (json!({ "url": "http://a", "auth": { "digest": {} } }), ""),
        (json!({ "url": "http://a", "auth": { "basic": { "user": "a" } } }), ""),
        (json!({ "url": "http://a", "auth": { "hmac": { "secret": "A", "algo": "md5" } } }), ""),
        (json!({ "url": "http://a", "assertions": [{ "at": "/a", "min": "1" }] }), ""),
        (json!({ "url": "http://a", "assertions": [{ "equals": 1 }] }), ""),
        (json!({ "url": "http://a", "assertions": [{ "at": "status" }] }), "/assertions/0/at"),
        (
            json!({ "url": "http://a", "assertions": [{ "at": "/a", "equals": 1, "exists": false }] }),
            "/assertions/0/exists",
        ),
    ];
    for (params, pointer) in cases {
        let issues = Host::new().validate::<SendRequest>(params.clone());
        assert_eq!(issues.first().map(|issue| issue.pointer.as_str()), Some(pointer), "{params}");
    }
    for example in SendRequest::examples() {
        assert_eq!(Host::new().validate::<SendRequest>(example), []);
    }
}

fn sent(host: &Host) -> sandglass_plugin::http::Request {
    host.requests().pop().expect("a request was sent")
}

#[test]
fn forms_and_queries_are_written_as_they_must_be() {
    let host = Host::new().on_http(|_| Ok(response(200, &[], "")));
    let params = json!({
        "method": "post", "url": "http://a/x?y=1#z", "query": { "a b": "c&d" }, "form": { "name": "J\u{f6}rg & co", "n": "1" },
    });
    host.run::<SendRequest>(params).expect("200 is a success");
    let request = sent(&host);
    assert_eq!(request.url.path_and_query(), "/x?y=1&a+b=c%26d");
    assert_eq!(request.body, b"n=1&name=J%C3%B6rg+%26+co");
    assert!(request.headers.contains(&("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned())));
}

#[test]
fn requests_prove_whose_they_are() {
    let host = || Host::new().on_http(|_| Ok(response(200, &[], ""))).with_secret("KEY", b"key");
    let header = |auth: Value, body: &str| {
        let host = host();
        host.run::<SendRequest>(json!({ "url": "http://a/", "auth": auth, "body": body })).expect("200 is a success");
        sent(&host).headers.pop().expect("a header")
    };
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    // RFC 7617, section 2.
    let basic = json!({ "basic": { "user": "Aladdin", "password": "open sesame" } });
    assert_eq!(header(basic, ""), pair("Authorization", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
    assert_eq!(header(json!({ "bearer": "t" }), ""), pair("Authorization", "Bearer t"));
    // The example that is known from everywhere: key "key".
    let text = "The quick brown fox jumps over the lazy dog";
    let digits = "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8";
    let signed = header(json!({ "hmac": { "secret": "KEY" } }), text);
    assert_eq!(signed, pair("X-Hub-Signature-256", &format!("sha256={digits}")));
    let signed = header(json!({ "hmac": { "secret": "KEY", "header": "X-S", "prefix": "" } }), text);
    assert_eq!(signed, pair("X-S", digits));
    let unnamed = json!({ "url": "http://a/", "auth": { "hmac": { "secret": "OTHER" } } });
    let failure = host().run::<SendRequest>(unnamed).expect_err("the job names no such secret");
    assert!(failure.message.contains("OTHER"), "{}", failure.message);
}

#[test]
fn assertions_decide_over_the_json() {
    let body = r#"{"status": "ok", "n": 3, "id": 9007199254740993, "list": ["a", 2], "none": null}"#;
    let run = |assertion: Value| {
        let host = Host::new()
            .on_http(move |_| Ok(response(200, &[("content-type", "application/json; charset=utf-8")], body)));
        host.run::<SendRequest>(json!({ "url": "http://a/", "assertions": [assertion] }))
    };
    for holds in [
        json!({ "at": "/status", "equals": "ok" }),
        json!({ "at": "/status", "contains": "o" }),
        json!({ "at": "/n", "min": 3, "max": 3.5 }),
        json!({ "at": "/n", "equals": 3.0 }),
        json!({ "at": "/list", "contains": 2 }),
        json!({ "at": "/none" }),
        json!({ "at": "/missing", "exists": false }),
        json!({ "at": "" }),
    ] {
        let outcome = run(holds.clone()).unwrap_or_else(|failure| panic!("{holds}: {}", failure.message));
        assert_eq!(outcome.output.expect("an output")["json"]["n"], 3);
    }
    for (fails, part) in [
        (json!({ "at": "/status", "equals": "fine" }), "/status is \"ok\", not \"fine\""),
        (json!({ "at": "/n", "max": 2 }), "/n is 3, which is not at most 2"),
        (json!({ "at": "/id", "equals": 9_007_199_254_740_992_u64 }), "/id is 9007199254740993, not 9007199254740992"),
        (json!({ "at": "/status", "min": 0 }), "which is not at least 0"),
        (json!({ "at": "/list", "contains": "b" }), "does not contain \"b\""),
        (json!({ "at": "/missing" }), "there is no /missing"),
        (json!({ "at": "/n", "exists": false }), "where nothing should be"),
    ] {
        let failure = run(fails.clone()).expect_err("the assertion fails");
        assert!(failure.code == "assertion" && failure.message.contains(part), "{fails}: {}", failure.message);
    }
    let text = Host::new().on_http(|_| Ok(response(200, &[], "no json")));
    let failure =
        text.run::<SendRequest>(json!({ "url": "http://a/", "assertions": [{ "at": "/a" }] })).expect_err("no JSON");
    assert!(failure.message.contains("it is no JSON"), "{}", failure.message);
}

#[test]
fn no_secret_follows_a_redirect_to_another_server() {
    let server = |request: &sandglass_plugin::http::Request| {
        Ok(match request.url.path_and_query() {
            "/old" => response(307, &[("location", "http://other/new")], ""),
            _ => response(200, &[], ""),
        })
    };
    let host = Host::new().on_http(server);
    let params = json!({ "url": "http://a/old", "follow_redirects": 1, "headers": { "X-Key": "k=sgl-secret-KEY", "X-Plain": "p" } });
    host.run::<SendRequest>(params).expect("the redirect leads to 200");
    assert!(!sent(&host).has_header("x-key") && sent(&host).has_header("x-plain"));
    let params =
        json!({ "url": "http://a/old", "method": "POST", "follow_redirects": 1, "json": { "key": "sgl-secret-KEY" } });
    let failure = Host::new().on_http(server).run::<SendRequest>(params).expect_err("it would go to another server");
    assert_eq!((failure.code.as_str(), failure.retry), ("redirect", Retry::Never));
}

#[test]
fn the_schemas_are_those_of_the_types() {
    sandglass_plugin::testing::check_schemas::<SendRequest>(concat!(env!("CARGO_MANIFEST_DIR"), "/src/request"));
}

#[test]
fn certificates_go_to_the_server_that_they_are_for() {
    const PEM: &str = "-----BEGIN CERTIFICATE-----\n";
    let server = |request: &sandglass_plugin::http::Request| {
        Ok(match request.url.path_and_query() {
            "/old" => response(307, &[("location", "/new")], ""),
            "/new" => response(307, &[("location", "https://other/newest")], ""),
            _ => response(200, &[], ""),
        })
    };
    let tls = json!({ "ca": PEM, "client_certificate": PEM, "client_key": "sgl-secret-1" });
    let host = Host::new().on_http(server);
    let params = json!({ "url": "https://a/old", "follow_redirects": 2, "tls": tls });
    host.run::<SendRequest>(params).expect("the redirects lead to 200");
    let [old, new, newest] = &host.requests()[..] else { panic!("there are three requests") };
    let chosen = old.tls.clone().expect("it was chosen");
    assert_eq!(chosen.client.map(|client| client.key).as_deref(), Some("sgl-secret-1"));
    assert_eq!((&new.tls, &newest.tls), (&old.tls, &None));

    let wrong = [
        json!({ "url": "http://a", "tls": { "ca": PEM } }),
        json!({ "url": "https://a", "tls": { "ca": "/etc/ssl/ca.pem" } }),
        json!({ "url": "https://a", "tls": { "client_key": PEM } }),
    ];
    for params in wrong {
        let issues = Host::new().validate::<SendRequest>(params.clone());
        assert_eq!(issues.first().map(|issue| issue.pointer.as_str()), Some("/tls"), "{params}");
    }
}

#[test]
fn keeps_a_response_as_an_artifact() {
    let large = "x".repeat(300 << 10);
    let params = json!({ "url": "http://a/", "artifact": "out/page.txt" });
    let (host, result) = answered(params.clone(), response(200, &[("content-type", "text/plain; a=b")], &large));
    let output = result.expect("200 is a success").output.expect("there is an output");
    assert_eq!((&output["body"], &output["truncated"]), (&json!(""), &json!(false)));
    assert_eq!((&output["artifact"]["name"], &output["artifact"]["size"]), (&json!("out/page.txt"), &json!(300 << 10)));
    assert_eq!(host.artifacts()["out/page.txt"], large.as_bytes());
    // A part of one is none.
    let params = json!({ "url": "http://a/", "artifact": "page", "max_response_bytes": 7 });
    let (host, result) = answered(params, response(200, &[], "12345678"));
    let failure = result.expect_err("there is more than that");
    assert_eq!((failure.code.as_str(), failure.retry), ("response", Retry::Never));
    assert!(failure.message.contains("more of it than max_response_bytes (7)"), "{}", failure.message);
    assert!(host.artifacts().is_empty());
    // What is refused is not kept, and quoted as ever.
    let params = json!({ "url": "http://a/", "artifact": "page", "max_response_bytes": 3 });
    let (host, result) = answered(params, response(503, &[("retry-after", "7")], "not now"));
    let failure = result.expect_err("503 is no success");
    assert_eq!((failure.code.as_str(), failure.retry), ("status", Retry::After(Duration::from_secs(7))));
    assert_eq!(failure.detail, Some(json!({ "status": 503, "body": "not now" })));
    assert!(host.artifacts().is_empty());
    let long = "x".repeat(256);
    for name in ["", "/etc/passwd", "a/../b", "a//b", "a\nb", &long] {
        let issues = Host::new().validate::<SendRequest>(json!({ "url": "http://a/", "artifact": name }));
        assert_eq!(issues[0].pointer, "/artifact", "{name}");
    }
}

#[test]
fn says_what_it_would_send() {
    let planned = |params| Host::new().plan::<SendRequest>(params).expect("a plan");
    let plan = planned(json!({ "url": "http://a/b", "query": { "c": "d" }, "artifact": "x" }));
    let said = |step: &Step| format!("{:?} {}: {}", step.effect, step.target, step.summary);
    let steps: Vec<String> = plan.steps.iter().map(said).collect();
    assert_eq!(steps, ["Effect::Read http://a/b?c=d: GET", "Effect::Create x: an artifact, of the response"]);
    assert!(plan.is_complete);
    let plan = planned(json!({ "url": "http://a/", "method": "post", "follow_redirects": 1 }));
    assert_eq!((said(&plan.steps[0]).as_str(), plan.is_complete), ("Effect::Send http://a/: POST", false));
}
