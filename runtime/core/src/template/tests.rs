//! What templates come to, what is refused, and that no template takes more than it may.

use serde_json::{Value, json};

use super::*;
use crate::id::{Digest, JobId, RunId};
use crate::invocation::Work;
use crate::run::Origin;
use crate::spec::{JobSpec, Limits, TimeZone};
use crate::time::Timestamp;

fn spec(with: &Value) -> JobSpec {
    let parameters = json!({
        "target": { "type": "string", "default": "it's" },
        "count": { "type": "integer", "default": 3 },
        "names": { "type": "array", "default": ["a", "b c"] },
        "deep": { "default": { "x": [1, null, true] } },
        "big": { "default": "x".repeat(60_000) },
    });
    let spec =
        json!({ "name": "a", "tags": ["t"], "parameters": parameters, "action": { "use": "shell", "with": with } });
    serde_json::from_value(spec).unwrap()
}

fn scope(spec: &JobSpec) -> Scope {
    Scope {
        run: RunId::from_bits(7),
        attempt: 2,
        origin: Origin::Manual,
        scheduled_at: "2027-03-28T01:30:00Z".parse().unwrap(),
        queued_at: Timestamp::EPOCH,
        trigger: None,
        namespace: "default".parse().unwrap(),
        job: spec.name.clone(),
        revision: 4,
        tags: spec.tags.clone(),
        params: spec.parameters.defaults(),
        upstream: Vec::new(),
        zone: TimeZone(chrono_tz::Tz::Europe__Berlin),
        secrets: std::collections::BTreeMap::from([("TOKEN".parse().unwrap(), "placeholder".to_owned())]),
        public_url: None,
        notice: None,
        output: None,
    }
}

fn work(with: &Value) -> Work {
    Work {
        namespace: "default".parse().unwrap(),
        job_id: JobId::from_bits(1),
        job: "a".parse().unwrap(),
        revision: 4,
        plugin: "shell".parse().unwrap(),
        digest: Digest::of(b""),
        action: "run".to_owned(),
        params: with.to_string(),
        scope: None,
        env: std::collections::BTreeMap::new(),
        secrets: [].into(),
        working_dir: None,
        timeout: std::time::Duration::ZERO,
        time_limit: crate::invocation::TimeLimit::Timeout,
        grace: std::time::Duration::ZERO,
        limits: Limits::default(),
        grants: crate::capability::EffectiveGrants {
            request: crate::capability::Grants::default(),
            ceiling: crate::capability::Grants::default(),
            plugin: crate::capability::Grants::default(),
            job: None,
            looks_only: false,
        },
    }
}

/// What the text `template` becomes, or why it does not.
fn filled(template: &str) -> Result<Value, String> {
    let with = json!({ "x": template });
    let rendered = render(&work(&with), &scope(&spec(&with)));
    rendered.map(|rendered| rendered.params["x"].clone()).map_err(|error| error.to_string())
}

/// What is wrong with the text `template` when it is saved.
fn faults(template: &str) -> Vec<String> {
    check(&spec(&json!({ "x": template }))).into_iter().map(|fault| fault.message).collect()
}

#[test]
fn templates_are_filled_in() {
    for (template, expected) in [
        ("plain", json!("plain")),
        ("{{ params.count }}", json!(3)),
        ("{{ params.count | times(2) + 1 }}", json!(7)),
        ("{{params.deep}}", json!({ "x": [1, null, true] })),
        ("{{ params.deep.x }}!", json!("[1,null,true]!")),
        ("n={{ params.count }}\n", json!("n=3\n")),
        ("{{ params.target | quote }} {{ params.names | quote }}", json!(r"'it'\''s' 'a' 'b c'")),
        ("{{ run.scheduled_at }}", json!("2027-03-28T01:30:00Z")),
        ("{{ run.scheduled_at | date('%d.%m.%Y %H:%M') }}", json!("28.03.2027 03:30")),
        ("{{ run.scheduled_at | date('%H', 'America/New_York') }}", json!("21")),
        ("{% for name in params.names %}[{{ name }}]{% endfor %}", json!("[a][b c]")),
        ("{% if run.attempt > 1 %}again{% else %}first{% endif %}", json!("again")),
        ("{{ trigger.index }}", json!(null)),
        ("<{{ trigger.index }}>", json!("<>")),
        ("{{ trigger.index is none }}", json!(true)),
        ("{{ namespace }}/{{ job.name }}@{{ job.revision }} {{ job.tags | join(',') }}", json!("default/a@4 t")),
        ("{{ params.names | tojson }}", json!("[\"a\",\"b c\"]")),
        ("{{ 'a,b' | split(',') }}", json!(["a", "b"])),
        ("{% raw %}{{ .Names }}{% endraw %} ${#list}", json!("{{ .Names }} ${#list}")),
        ("{{ params.deep.y | default('none') }}", json!("none")),
        ("{% for x in [1, 2] %}{{ x }}{% endfor %}", json!("12")),
    ] {
        assert_eq!(faults(template), Vec::<String>::new(), "{template}");
        assert_eq!(filled(template), Ok(expected), "{template}");
    }
}

#[test]
fn mistakes_are_told_when_the_job_is_saved() {
    for (template, part) in [
        ("{{ params.tagret }}", "no parameter 'tagret'; did you mean 'target'?"),
        ("{{ run.idd }}", "no value 'run.idd'; did you mean 'run.id'?"),
        ("{{ job.spec }}", "there is no value 'job.spec'"),
        ("{{ nothing }}", "there is no value 'nothing'"),
        ("{{ secret.A-B }}", "no value 'B'"),
        ("{{ secret }}", "write {{ secret.NAME }}"),
        ("{{ params.count | qoute }}", "no filter 'qoute'; did you mean 'quote'?"),
        ("{{ params.count is odd }}", "there is no test 'odd'"),
        ("{{ params.count", "this is no template"),
        ("{{.Names}}", "{% raw %}"),
        ("{% if params.count %}", "this is no template"),
        ("{% set a = 1 %}", "'{% set %}' is not allowed"),
        ("{{ 'x' * 1000000 }}", "'*' is not allowed"),
        ("{% for a in ['x' ~ 'y'] %}{% endfor %}", "'for' goes over a value"),
        ("{% for a in [params.big] %}{% endfor %}", "'for' goes over a value"),
        ("{% for a in params.names recursive %}{% endfor %}", "'for' goes over a value"),
    ] {
        let found = faults(template);
        assert!(found.iter().any(|message| message.contains(part)), "{template}: {found:?}");
    }
    let long = format!("{{{{ run.id }}}}{}", "x".repeat(MAX_SOURCE));
    assert!(faults(&long)[0].contains("too long"));
    let many = json!({ "x": vec!["{{ run.id }}"; MAX_TEMPLATES + 9] });
    assert_eq!(check(&spec(&many)).len(), 1);
}

#[test]
fn no_template_takes_more_than_it_may() {
    let nested = format!("{{% for a in [{}0] %}}", "1, ".repeat(60)).repeat(3) + &"{% endfor %}".repeat(3);
    let joined = format!("{{{{ {} }}}}", vec!["params.big"; 30].join(" ~ "));
    let replaced = "{{ params.big | replace('x', params.big) }}";
    let lists = format!("{{{{ [{}] }}}}", vec!["params.big"; 200].join(", "));
    let shown = format!("{{{{ [{}] | string }}}}", vec!["params.big"; 200].join(", "));
    for (template, part) in [
        (nested.as_str(), "steps"),
        (&joined, "larger than 1 MiB"),
        (replaced, "256 KiB"),
        (&lists, "larger than 1 MiB"),
        (&shown, "256 KiB"),
    ] {
        let error = filled(template).unwrap_err();
        assert!(error.contains(part) && error.contains("/action/with/x"), "{template:.60}: {error}");
    }
}

#[test]
fn what_a_run_lacks_is_told_with_its_place() {
    let error = filled("{{ params.deep.y }}").unwrap_err();
    assert!(error.starts_with("the template at /action/with/x could not be filled in"), "{error}");
    let mut work = work(&json!({}));
    work.env.insert("A".to_owned(), "{{ params.count }}".to_owned());
    work.working_dir = Some("{{ params.target }}".to_owned());
    let scope = scope(&spec(&json!({})));
    assert_eq!(render(&work, &scope).unwrap_err().pointer, "/working_dir");
    work.working_dir = Some("/srv/{{ params.count }}".to_owned());
    let rendered = render(&work, &scope).unwrap();
    assert_eq!((rendered.env["A"].as_str(), rendered.working_dir.as_deref()), ("3", Some("/srv/3")));
    assert_eq!(render_key("db-{{ params.count }}", &scope), "db-3");
    assert_eq!(render_key("db-{{ params.missing }}", &scope), "", "it waits with all others that have none");
}

#[test]
fn unquoted_parameters_in_a_command_are_warned_about() {
    let pointers = |with: Value| lint(&spec(&with)).into_iter().map(|warning| warning.hint).collect::<Vec<_>>();
    let unquoted = json!({ "command": "tar {{ params.count }} {{ params.target }}" });
    assert!(pointers(unquoted)[0].contains("params.target | quote"));
    assert_eq!(pointers(json!({ "command": "tar {{ params.target | quote }} {{ params.count }}" })), [""; 0]);
    assert_eq!(pointers(json!({ "command": "print({{ params.target }})", "interpreter": "python3" })), [""; 0]);
    let places = |with: Value| lint(&spec(&with)).into_iter().map(|warning| warning.pointer).collect::<Vec<_>>();
    let text = "tar {{ params.target }}";
    assert_eq!(places(json!({ "command_macos": text })), ["/action/with/command_macos"]);
    assert_eq!(places(json!({ "script": format!("#!/bin/bash -e\n{text}") })), ["/action/with/script"]);
    assert_eq!(places(json!({ "script": format!("#!/usr/bin/env python3\n{text}") })), [""; 0]);
    let python = json!({ "command": text, "interpreter": "python3" });
    let commands = json!([text, "ls", { "command": text }, python, { "argv": [text] }]);
    assert_eq!(
        places(json!({ "commands": commands, "interpreter": "bash -eu" })),
        ["/action/with/commands/0", "/action/with/commands/2/command"]
    );
}

/// A notification of two failures of the job `b`.
fn of_notice() -> Scope {
    let job = spec(&json!({}));
    let text = r#"{
        "owner": "namespace", "entry": 3, "count": 2,
        "events": [
            {"kind": "failed", "job": "b", "at": "2027-01-15T08:00:00Z"},
            {"kind": "failed", "job": "b", "run": "00000000000000000000000007", "state": "failed", "exit_code": 3,
             "message": "it \"broke\"", "scheduled_at": "2027-01-15T08:00:00Z", "at": "2027-01-15T08:01:00Z"}
        ]
    }"#;
    let run = crate::run::Run::queued(
        RunId::from_bits(9),
        "default".parse().unwrap(),
        JobId::from_bits(1),
        "b".parse().unwrap(),
        Timestamp::EPOCH,
    );
    Scope::of_notice(&run, 1, &serde_json::from_str(text).unwrap(), Some(&job), 1, TimeZone::UTC)
}

#[test]
fn notifications_have_values_of_their_own() {
    let notifier = |with: &Value| {
        serde_json::from_value(
            json!([{ "on": ["failed"], "use": "http", "with": with, "env": { "A": "{{ job.name }}" } }]),
        )
        .unwrap()
    };
    for (template, expected) in [
        ("{{ notification.summary }}", json!("2 runs of job 'b' failed since 08:00")),
        ("{{ notification.event }} {{ notification.count }}", json!("failed 2")),
        ("{{ job.name }} {{ job.tags | join(',') }} {{ namespace }}", json!("b t default")),
        ("{{ run.id }} {{ run.exit_code }}", json!("00000000000000000000000007 3")),
        ("{{ run.message | tojson }}", json!(r#""it \"broke\"""#)),
        ("<{{ run.reason }}>", json!("<>")),
        ("{% for e in notification.events %}{{ e.job }}:{{ e.exit_code }} {% endfor %}", json!("b: b:3 ")),
    ] {
        let with = json!({ "x": template });
        assert_eq!(check_notifiers(&notifier(&with)), [], "{template}");
        let rendered = render(&work(&with), &of_notice()).unwrap();
        assert_eq!(rendered.params["x"], expected, "{template}");
    }
    for (template, part) in [
        ("{{ secret }}", "write {{ secret.NAME }}"),
        ("{{ params.count }}", "there is no value 'params.count'"),
        ("{{ notification.sumary }}", "did you mean 'notification.summary'?"),
        ("{{ run.attempt }}", "there is no value 'run.attempt'"),
    ] {
        let fault = check_notifiers(&notifier(&json!({ "x": [template] }))).remove(0);
        assert_eq!(fault.pointer, "/notify/0/with/x/0");
        assert!(fault.message.contains(part), "{template}: {}", fault.message);
    }
    let link = work(&json!({ "x": "{{ run.url }}" }));
    assert_eq!(render(&link, &of_notice()).unwrap().params["x"], json!(null));
    let known = Scope { public_url: Some("https://a/b".to_owned()), ..of_notice() };
    let expected = json!("https://a/b/api/v1/namespaces/default/runs/00000000000000000000000007");
    assert_eq!(render(&link, &known).unwrap().params["x"], expected);
    // What a run printed is no template, whatever it looks like.
    let shown = work(&json!({ "x": "{{ run.output }}", "y": "<{{ run.output }}>" }));
    let printed = Scope { output: Some("1 {{ secret.A }}\n2".to_owned()), ..of_notice() };
    let rendered = render(&shown, &printed).unwrap().params;
    assert_eq!(rendered, json!({ "x": "1 {{ secret.A }}\n2", "y": "<1 {{ secret.A }}\n2>" }));
    assert_eq!(render(&shown, &of_notice()).unwrap().params, json!({ "x": null, "y": "<>" }));
    let error = render(&work(&json!({ "x": "{{ run.nothing }}" })), &of_notice()).unwrap_err();
    assert_eq!(error.pointer, "/notify/3/with/x");
}

#[test]
fn a_job_names_what_it_waits_for() {
    let spec = |command: &str| -> JobSpec {
        let job = json!({
            "name": "a", "requires": ["load-db"], "action": { "use": "shell", "with": { "command": command } },
        });
        serde_json::from_value(job).unwrap()
    };
    assert_eq!(check(&spec("{{ upstream['load-db'].run_id }}")), []);
    let wrong = check(&spec("{{ upstream.load_db.run_id }}"));
    assert!(wrong[0].message.contains("did you mean 'load-db'?"), "{wrong:?}");
}

#[test]
fn secrets_are_named_where_their_values_may_go() {
    let spec: JobSpec = serde_json::from_value(json!({
        "name": "a",
        "action": { "use": "http", "with": { "headers": { "X": "Bearer {{ secret.TOKEN }}" }, "body": ["{{ secret.B | default('secret') }}"] } },
        "env": { "KEY": "{{ secret.KEY }}", "PLAIN": "secret.NONE" },
        "secrets": ["DB_PASSWORD"],
    }))
    .unwrap();
    assert_eq!(check(&spec), []);
    let names: Vec<String> = secrets_of_job(&spec).iter().map(ToString::to_string).collect();
    assert_eq!(names, ["B", "DB_PASSWORD", "KEY", "TOKEN"]);

    for open in [
        json!({ "working_dir": "/{{ secret.A }}" }),
        json!({ "concurrency": [{ "group": "g", "limit": 1, "key": "{{ secret.A }}" }] }),
    ] {
        let mut job = json!({ "name": "a", "action": { "use": "shell" } });
        job.as_object_mut().unwrap().extend(open.as_object().unwrap().clone());
        let faults = check(&serde_json::from_value(job).unwrap());
        assert!(faults[0].message.starts_with("no secret may stand here"), "{faults:?}");
    }
}

#[test]
fn what_stands_for_a_secret_is_filled_in() {
    let with = json!({ "x": "Bearer {{ secret.TOKEN }}", "y": "{{ secret.TOKEN }}" });
    let attempt =
        Work { scope: Some(Box::new(scope(&spec(&with)))), secrets: ["OTHER".parse().unwrap()].into(), ..work(&with) };
    let names: Vec<String> = secrets_of_work(&attempt).iter().map(ToString::to_string).collect();
    assert_eq!(names, ["OTHER", "TOKEN"]);
    assert_eq!(
        render(&attempt, &scope(&spec(&with))).unwrap().params,
        json!({ "x": "Bearer placeholder", "y": "placeholder" })
    );
    let missing = render(&work(&json!({ "x": "{{ secret.NONE }}" })), &scope(&spec(&with))).unwrap_err();
    assert!(missing.message.contains("not there"), "{missing}");
}
