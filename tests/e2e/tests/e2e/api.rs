//! The API to the byte: who may ask, problem documents, revisions, paging, waiting.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use sandglass_e2e::{Deadline, Home, Http};
use serde_json::{Value, json};

use crate::scripts::command;

const JOBS: &str = "/api/v1/namespaces/default/jobs";
const RUNS: &str = "/api/v1/namespaces/default/runs";

#[test]
fn only_the_token_or_the_owners_socket_lets_in() {
    let home = Home::new();
    let daemon = home.start();
    for token in [None, Some("sgl_wrong"), Some("")] {
        let http = Http::tcp(daemon.address(), token);
        for (method, path) in
            [("GET", JOBS), ("GET", "/api/v1/status"), ("POST", "/api/v1/plugins"), ("GET", "/nowhere")]
        {
            let answer = http.send(method, path, &[], b"");
            let problem = answer.problem(401, "unauthenticated");
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
            assert!(!problem.to_string().contains(&daemon.token));
        }
        assert_eq!(http.get("/healthz").status, 200);
        assert_eq!(http.get("/readyz").status, 200);
    }
    let almost = Http::tcp(daemon.address(), Some(&daemon.token[..daemon.token.len() - 1]));
    let _ = almost.get(JOBS).problem(401, "unauthenticated");
    assert_eq!(daemon.http().get(JOBS).status, 200);
    assert_eq!(daemon.socket().get(JOBS).status, 200);
    let mode =
        |name: &str| std::fs::metadata(home.data().join(name)).expect("it is there").permissions().mode() & 0o777;
    assert_eq!([mode("sandglass.sock"), mode("admin.token"), mode(".")], [0o600, 0o600, 0o700]);

    let url = format!("http://{}", daemon.address());
    home.cli(&["job", "list", "--url", &url]).expect(6).says(&["token"]);
    home.cli(&["job", "list", "--url", &url, "--token", "wrong"]).expect(6);
    home.cli(&["job", "list", "--url", &url, "--token", &daemon.token]).expect(0);
    daemon.stop();
}

#[test]
fn every_failure_is_a_problem_document() {
    let home = Home::new();
    let daemon = home.start();
    let http = daemon.http();
    daemon.put(&command("here", "true"));
    let run = daemon.start_run("here");
    daemon.ended(&run);
    let no_run = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
    let table: Vec<(&str, String, u16, &str)> = vec![
        ("GET", format!("{RUNS}?limit=many"), 400, "bad_request"),
        ("GET", format!("{RUNS}?stat=failed"), 400, "bad_request"),
        ("GET", format!("{RUNS}?state=flailed"), 400, "bad_request"),
        ("GET", format!("{RUNS}?order=up"), 400, "bad_request"),
        ("GET", format!("{RUNS}?from=yesterday"), 400, "bad_request"),
        ("GET", format!("{RUNS}?cursor=x"), 400, "bad_request"),
        ("GET", format!("{RUNS}/not-an-id"), 400, "bad_request"),
        ("GET", format!("{RUNS}/{run}?wait=long"), 400, "bad_request"),
        ("GET", format!("{RUNS}/{run}/logs?from=x"), 400, "bad_request"),
        ("GET", format!("{RUNS}/{run}/logs?stream=stdoat"), 400, "bad_request"),
        ("GET", format!("{JOBS}/a%20b"), 400, "bad_request"),
        ("GET", format!("{JOBS}/%FF"), 400, "bad_request"),
        ("GET", "/api/v1/namespaces/%2F/jobs".into(), 400, "bad_request"),
        ("GET", "/api/v2/jobs".into(), 404, "no_route"),
        ("GET", format!("{JOBS}/nowhere"), 404, "job_not_found"),
        ("POST", format!("{JOBS}/nowhere/run"), 404, "job_not_found"),
        ("DELETE", format!("{JOBS}/nowhere"), 404, "job_not_found"),
        ("GET", format!("{RUNS}?job=nowhere"), 404, "job_not_found"),
        ("GET", format!("{RUNS}/{no_run}"), 404, "run_not_found"),
        ("GET", format!("{RUNS}/{no_run}/logs"), 404, "run_not_found"),
        ("POST", format!("{RUNS}/{no_run}/cancel"), 404, "run_not_found"),
        ("GET", format!("/api/v1/namespaces/other/runs/{run}"), 404, "run_not_found"),
        ("GET", "/api/v1/plugins/nowhere".into(), 404, "plugin_not_found"),
        ("DELETE", "/api/v1/plugins/nowhere".into(), 404, "plugin_not_found"),
        ("PATCH", JOBS.into(), 405, "method_not_allowed"),
        ("DELETE", format!("{RUNS}/{run}"), 405, "method_not_allowed"),
        ("PUT", "/api/v1/plugins".into(), 405, "method_not_allowed"),
        ("POST", "/api/v1/status".into(), 405, "method_not_allowed"),
        ("DELETE", "/api/v1/plugins/shell".into(), 409, "plugin_built_in"),
        ("POST", format!("{RUNS}/{run}/cancel"), 409, "run_over"),
        ("POST", "/api/v1/plugins?name=a".into(), 422, "invalid_component"),
        ("POST", "/api/v1/plugins?grants=x".into(), 400, "bad_request"),
    ];
    for (method, path, status, code) in table {
        let answer = http.send(method, &path, &[], b"");
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text());
        let _ = answer.problem(status, code);
    }
    let bodies: [(&[u8], u16, &str); 8] = [
        (b"", 422, "invalid_job"),
        (b"{", 422, "invalid_job"),
        (b"\xff\xfe", 400, "bad_request"),
        (b"[]", 422, "invalid_job"),
        (b"{\"name\": \"a\", \"action\": {\"use\": \"shell\"}, \"timout\": 5}", 422, "invalid_job"),
        (b"{\"name\": \"a\", \"action\": {\"use\": \"nowhere\"}}", 422, "unknown_plugin"),
        (b"{\"name\": \"a\", \"action\": {\"use\": \"shell/nowhere\"}}", 422, "unknown_action"),
        (b"{\"name\": \"a\", \"action\": {\"use\": \"shell\", \"with\": {\"command\": 5}}}", 422, "invalid_params"),
    ];
    for (body, status, code) in bodies {
        let _ = http.send("POST", JOBS, &[], body).problem(status, code);
    }
    let pointer = |body: Value| {
        let answer = http.send("PUT", &format!("{JOBS}/a"), &[], body.to_string().as_bytes());
        answer.json(422)["errors"][0]["pointer"].clone()
    };
    assert_eq!(
        pointer(json!({ "name": "a", "action": { "use": "shell", "with": { "command": 5 } } })),
        "/action/with/command"
    );
    assert_eq!(pointer(json!({ "name": "b", "action": { "use": "shell" } })), "/name");
    let large = command("large", &"x".repeat(2 << 20));
    let _ = http.send("POST", JOBS, &[], large.to_string().as_bytes()).problem(413, "too_large");
    assert_eq!(daemon.get("/jobs")["items"].as_array().map(Vec::len), Some(1));
    daemon.stop();
}

#[test]
fn revisions_protect_from_overwriting() {
    let home = Home::new();
    let daemon = home.start();
    let http = daemon.http();
    let job = |text: &str| command("job", text).to_string().into_bytes();
    let path = format!("{JOBS}/job");
    let put = |headers: &[(&str, &str)], text: &str| http.send("PUT", &path, headers, &job(text));

    let rehearsed = http.send("PUT", &format!("{path}?dry_run=true"), &[], &job("one")).json(200);
    assert_eq!((&rehearsed["created"], &rehearsed["changed"]), (&json!(true), &json!(true)), "{rehearsed}");
    let _ = http.get(&path).problem(404, "job_not_found");
    let _ = put(&[("If-Match", "\"1\"")], "one").problem(412, "revision_conflict");

    assert_eq!(put(&[("If-None-Match", "*")], "one").json(200)["created"], true);
    let _ = put(&[("If-None-Match", "*")], "two").problem(412, "revision_conflict");
    let _ = http.send("POST", JOBS, &[], &job("two")).problem(409, "job_exists");
    assert_eq!(http.get(&path).header("etag"), Some("\"1\""));
    let same = put(&[("If-Match", "\"1\"")], "one").json(200);
    assert_eq!((&same["changed"], &same["job"]["revision"]), (&json!(false), &json!(1)));
    let other = put(&[("If-Match", "\"1\"")], "two").json(200);
    assert_eq!(
        (&other["changed"], &other["created"], &other["job"]["revision"]),
        (&json!(true), &json!(false), &json!(2))
    );
    let _ = put(&[("If-Match", "\"1\"")], "three").problem(412, "revision_conflict");
    let _ = put(&[("If-Match", "nonsense")], "three").problem(400, "bad_request");
    let _ = put(&[("If-Match", "\"2\""), ("If-None-Match", "*")], "three").problem(400, "bad_request");
    let answer = http.get(&path);
    assert_eq!(answer.header("etag"), Some("\"2\""));
    assert_eq!(answer.json(200)["spec"]["action"]["with"]["command"], "two");
    assert_eq!(http.send("DELETE", &path, &[], b"").status, 204);
    let _ = http.get(&path).problem(404, "job_not_found");
    daemon.stop();
}

/// Every item of a listing, page by page, and how many pages there were.
fn pages(http: &Http, path: &str) -> (Vec<Value>, usize) {
    let (mut items, mut count, mut cursor) = (Vec::new(), 0, String::new());
    loop {
        let page = http.get(&format!("{path}{cursor}")).json(200);
        items.extend(page["items"].as_array().expect("items").iter().cloned());
        count += 1;
        match page["next"].as_str() {
            Some(next) if count < 100 => cursor = format!("&cursor={next}"),
            _ => return (items, count),
        }
    }
}

#[test]
fn listings_are_paged_and_filtered() {
    let home = Home::new();
    let daemon = home.start();
    let http = daemon.http();
    for number in 0..5 {
        let mut job = command(&format!("job-{number}"), if number == 3 { "exit 1" } else { "true" });
        job["tags"] = json!([if number % 2 == 0 { "even" } else { "odd" }]);
        daemon.put(&job);
        for _ in 0..3 {
            let run = daemon.start_run(&format!("job-{number}"));
            daemon.ended(&run);
        }
    }
    let names = |items: &[Value], member: &str| -> Vec<String> {
        items.iter().map(|item| item[member].as_str().expect("text").to_owned()).collect()
    };
    let (jobs, count) = pages(&http, &format!("{JOBS}?limit=2"));
    assert_eq!((names(&jobs, "name"), count), ((0..5).map(|number| format!("job-{number}")).collect(), 3));
    let (jobs, _) = pages(&http, &format!("{JOBS}?limit=1&tag=odd"));
    assert_eq!(names(&jobs, "name"), ["job-1", "job-3"]);

    let (newest_first, _) = pages(&http, &format!("{RUNS}?limit=4"));
    let (oldest_first, _) = pages(&http, &format!("{RUNS}?limit=7&order=asc"));
    let ids = names(&oldest_first, "id");
    assert_eq!((ids.len(), ids.iter().collect::<BTreeSet<_>>().len()), (15, 15));
    let mut turned = names(&newest_first, "id");
    turned.reverse();
    assert_eq!(turned, ids);
    let due = names(&oldest_first, "scheduled_at");
    assert!(due.is_sorted(), "{due:?}");
    let (failed, _) = pages(&http, &format!("{RUNS}?state=failed&limit=2"));
    assert!(failed.len() == 3 && failed.iter().all(|run| run["job"] == "job-3"), "{failed:?}");
    let (both, _) = pages(&http, &format!("{RUNS}?state=failed,succeeded&limit=1000"));
    assert_eq!(both.len(), 15);
    let (of_job, _) = pages(&http, &format!("{RUNS}?job=job-2&limit=1"));
    assert!(of_job.len() == 3 && of_job.iter().all(|run| run["job"] == "job-2"));
    let (early, late) = (&due[4], &due[9]);
    let (between, _) = pages(&http, &format!("{RUNS}?from={early}&to={late}&order=asc&limit=2"));
    assert_eq!(names(&between, "id"), ids[4..9]);
    let (other, _) = pages(&http, "/api/v1/namespaces/other/runs?limit=5");
    assert_eq!(other, Vec::<Value>::new());
    daemon.stop();
}

#[test]
fn waiting_ends_with_the_run_or_the_time() {
    let home = Home::new();
    let daemon = home.start();
    let http = daemon.http();
    let release = home.path().join("release");
    daemon.put(&command("held", &format!("while [ ! -e {} ]; do sleep 0.02; done", release.display())));
    let run = daemon.start_run("held");
    let asked = Deadline::after(Duration::from_secs(10));
    assert_eq!(http.get(&format!("{RUNS}/{run}?wait=1")).json(200)["state"], "running");
    assert!(!asked.is_over() && asked.elapsed() >= Duration::from_secs(1), "{:?}", asked.elapsed());
    let waiting = std::thread::spawn({
        let (http, run) = (http.clone(), run.clone());
        move || http.get(&format!("{RUNS}/{run}?wait=60")).json(200)
    });
    std::fs::write(&release, "").expect("files can be written");
    assert_eq!(waiting.join().expect("it does not panic")["state"], "succeeded");
    assert!(!asked.is_over(), "waiting went on after the end: {:?}", asked.elapsed());
    assert_eq!(http.get(&format!("{RUNS}/{run}?wait=60")).json(200)["state"], "succeeded");
    daemon.stop();
}
