//! The client against a server that answers as it is told.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::{Client, ClientError, Endpoint, LogItem};
use crate::problem::{Code, ExitCode, Problem};
use crate::wire::LogsQuery;
use crate::wire::frames::FRAMES;

/// A server that answers one connection after the other with these texts, and what it was asked.
async fn server(answers: Vec<String>) -> (Client, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    tokio::spawn(async move {
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.windows(4).any(|window| window == b"\r\n\r\n") {
                let mut buffer = [0; 4096];
                let read = stream.read(&mut buffer).await.unwrap();
                assert!(read > 0, "the client went away");
                request.extend_from_slice(&buffer[..read]);
            }
            seen.lock().unwrap().push(String::from_utf8_lossy(&request).into_owned());
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    let endpoint = Endpoint::Tcp { host: "127.0.0.1".to_owned(), port, base: String::new() };
    (Client::new(endpoint, Some("sgl_secret".to_owned()), "default".parse().unwrap()), asked)
}

fn answer(status: &str, media_type: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-type: {media_type}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

const RUN_ID: &str = "01K9ZV3QJ8R6T1M4W7X2B5N0CE";
const RUN: &str = r#"{"id":"01K9ZV3QJ8R6T1M4W7X2B5N0CE","namespace":"default","job":"a","revision":1,"origin":"manual",
"scheduled_at":"2027-01-15T08:00:00Z","queued_at":"2027-01-15T08:00:00Z","state":"succeeded","attempts":[]}"#;

#[tokio::test]
async fn a_refusal_is_the_daemons_problem() {
    let problem = Problem::new(Code::JobNotFound, "there is no job 'a'");
    let body = serde_json::to_string(&problem).unwrap();
    let (client, asked) = server(vec![answer("404 Not Found", "application/problem+json", &body)]).await;
    let error = client.job(&"a".parse().unwrap()).await.unwrap_err();
    assert_eq!(error.exit_code(), ExitCode::NotFound);
    assert_eq!(error.into_problem(), problem);
    let asked = asked.lock().unwrap();
    assert!(asked[0].starts_with("GET /api/v1/namespaces/default/jobs/a HTTP/1.1\r\n"), "{}", asked[0]);
    assert!(asked[0].contains("authorization: Bearer sgl_secret\r\n"));
    assert!(!format!("{client:?}").contains("sgl_secret"));
}

#[tokio::test]
async fn queries_are_escaped() {
    let (client, asked) = server(vec![answer("200 OK", "application/json", r#"{"items":[]}"#)]).await;
    let page = client.jobs(Some("a b&c"), Some(5), None).await.unwrap();
    assert!(page.items.is_empty() && page.next.is_none());
    assert!(asked.lock().unwrap()[0].contains("/jobs?limit=5&tag=a%20b%26c "));
}

#[tokio::test]
async fn nobody_there_says_what_to_do() {
    let endpoint: Endpoint = "unix:///nonexistent/sandglass.sock".parse().unwrap();
    let error = Client::new(endpoint, None, "default".parse().unwrap()).status().await.unwrap_err();
    let problem = error.into_problem();
    assert_eq!(problem.exit_code(), ExitCode::Unavailable);
    assert_eq!(problem.detail, "cannot reach the daemon at unix:///nonexistent/sandglass.sock: there is no socket");
    assert!(problem.hint.unwrap().contains("sandglass serve"));
}

#[tokio::test]
async fn something_else_that_listens_is_named() {
    let (client, _) = server(vec![answer("200 OK", "text/html", "<html>"), answer("403 No", "text/html", "x")]).await;
    assert!(matches!(client.status().await, Err(ClientError::Unexpected { .. })));
    assert!(matches!(client.status().await, Err(ClientError::Unexpected { .. })));
}

#[tokio::test]
async fn followed_output_goes_on_where_it_broke_off() {
    let event = |position: &str, text: &str| {
        let data = format!(r#"{{"attempt":1,"at":"2027-01-15T08:00:00Z","stream":"stdout","text":"{text}"}}"#);
        format!("id: {position}\nevent: output\ndata: {data}\n\n")
    };
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n: hello\n\n";
    let first = format!("{head}{}", event("7", "one"));
    let end = format!("event: end\ndata: {}\n\n", RUN.replace('\n', ""));
    let second = format!("{head}{}{end}", event("9", "two"));
    let (client, asked) = server(vec![first, second]).await;
    let query = LogsQuery { follow: Some(true), ..LogsQuery::default() };
    let mut stream = client.logs(RUN_ID.parse().unwrap(), query).await.unwrap();
    let mut texts = Vec::new();
    let mut ended = false;
    while let Some(item) = stream.next().await.unwrap() {
        match item {
            LogItem::Output(printed) => texts.push(String::from_utf8(printed.chunk.bytes).unwrap()),
            LogItem::Progress(_) => {}
            LogItem::End(run) => ended = run.state.is_terminal(),
        }
    }
    assert_eq!((texts, ended), (vec!["one".to_owned(), "two".to_owned()], true));
    let asked = asked.lock().unwrap();
    assert!(asked[0].contains("/logs?follow=true "), "{}", asked[0]);
    assert!(asked[1].contains("/logs?follow=true&from=7 "), "{}", asked[1]);
}

#[tokio::test]
async fn output_is_asked_for_in_frames() {
    let (client, asked) = server(vec![answer("200 OK", "application/x-ndjson", "")]).await;
    let query = LogsQuery { follow: Some(false), ..LogsQuery::default() };
    client.logs(RUN_ID.parse().unwrap(), query).await.unwrap();
    let asked = asked.lock().unwrap();
    let accept: Vec<&str> = asked[0].lines().filter_map(|line| line.strip_prefix("accept: ")).collect();
    assert!(matches!(accept[..], [only] if only.starts_with(FRAMES)), "{accept:?}");
}

#[tokio::test]
async fn finished_output_comes_a_line_an_event() {
    let body = "{\"attempt\":1,\"at\":\"2027-01-15T08:00:00Z\",\"stream\":\"stderr\",\"text\":\"a\\n\"}\n";
    let body = format!("{body}{}", body.trim_end());
    let (client, _) = server(vec![answer("200 OK", "application/x-ndjson", &body)]).await;
    let run = RUN_ID.parse().unwrap();
    let mut stream = client.logs(run, LogsQuery::default()).await.unwrap();
    let mut pieces = 0;
    while let Some(item) = stream.next().await.unwrap() {
        assert!(matches!(item, LogItem::Output(printed) if printed.chunk.bytes == b"a\n"));
        pieces += 1;
    }
    assert_eq!(pieces, 2);
}
