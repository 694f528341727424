//! What the action sends, and what it makes of the answer.

use std::time::Duration;

use sandglass_plugin::http::{HttpError, Response};
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
    ];
    for (params, pointer) in cases {
        let issues = Host::new().validate::<SendRequest>(params.clone());
        assert_eq!(issues.first().map(|issue| issue.pointer.as_str()), Some(pointer), "{params}");
    }
    for example in SendRequest::examples() {
        assert_eq!(Host::new().validate::<SendRequest>(example), []);
    }
}
