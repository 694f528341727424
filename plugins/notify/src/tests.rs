//! What the actions post, and what they make of the answer.

use std::time::Duration;

use sandglass_plugin::http::{Request, Response};
use sandglass_plugin::schemars::schema_for;
use sandglass_plugin::serde_json::{self, Value, json};
use sandglass_plugin::testing::{Host, check_schemas};
use sandglass_plugin::{Action, Error, ErrorCode, Failure, Outcome, Retry};

use crate::discord::Discord;
use crate::email::Email;
use crate::ntfy::Ntfy;
use crate::slack::Slack;
use crate::teams::Teams;
use crate::webhook::Webhook;

/// Markup of all services in one text, with what would call everybody.
const HOSTILE: &str = "<!channel> <@U1> @everyone [a](https://evil) **b** `c` <at>d</at> & \u{202e}e\r\n_f_";

fn answered<A: Action>(
    params: Value,
    status: u16,
    body: &'static str,
) -> (Option<Request>, Result<Outcome<Value>, Failure>) {
    let host = Host::new().on_http(move |_| {
        let headers = vec![("retry-after".to_owned(), "7".to_owned())];
        Ok(Response { status, headers, body: body.as_bytes().to_vec(), truncated: false })
    });
    let result = host.run::<A>(params);
    (host.requests().pop(), result)
}

fn sent<A: Action>(params: Value) -> Request {
    let (request, result) = answered::<A>(params, 200, "ok");
    assert!(result.is_ok(), "{result:?}");
    request.expect("one request was sent")
}

fn posted<A: Action>(params: Value) -> Value {
    serde_json::from_slice(&sent::<A>(params).body).expect("the body is JSON")
}

/// What a notifier gives once its templates are filled in.
fn told(title: &str, text: &str) -> Value {
    json!({
        "url": "https://a/hook", "title": title, "text": text, "event": "failed", "link": "https://jobs/1",
        "fields": { "Run": "01K", "State": "failed", "Exit code": 3, "Due": null, "Empty": "" },
    })
}

#[test]
fn a_webhook_has_all_that_is_told() {
    let mut params = told("nightly: failed", "job 'nightly' failed");
    params["headers"] = json!({ "Authorization": "Bearer x" });
    let request = sent::<Webhook>(params);
    assert!(request.headers.contains(&("Authorization".to_owned(), "Bearer x".to_owned())));
    let expected = json!({
        "title": "nightly: failed", "text": "job 'nightly' failed", "event": "failed", "link": "https://jobs/1",
        "fields": { "Run": "01K", "State": "failed", "Exit code": "3" }, "output": null,
    });
    assert_eq!(serde_json::from_slice::<Value>(&request.body).expect("JSON"), expected);
    let posted = posted::<Webhook>(json!({ "url": "https://a", "text": "one\ntwo" }));
    assert_eq!((&posted["title"], &posted["text"]), (&json!("one"), &json!("two")));
}

#[test]
fn slack_reads_no_markup_in_what_is_told() {
    let posted = posted::<Slack>(told(HOSTILE, HOSTILE));
    let blocks = posted["blocks"].as_array().expect("blocks");
    for text in [&blocks[0]["text"], &blocks[1]["text"], &blocks[2]["fields"][0]] {
        assert_eq!(text["type"], "plain_text", "{text}");
    }
    assert_eq!(blocks[3]["text"]["text"], "<https://jobs/1|Look at the run>");
    let fallback = posted["text"].as_str().expect("a text");
    assert!(fallback.starts_with("&lt;!channel&gt; &lt;@U1&gt;") && !fallback.contains(['<', '>']), "{fallback}");
    // A link cannot break out of its markup.
    let mut params = told("a", "b");
    params["link"] = json!("https://jobs/1|x><!channel>");
    let blocks = self::posted::<Slack>(params)["blocks"].to_string();
    assert!(!blocks.contains("channel"), "{blocks}");
}

#[test]
fn discord_mentions_nobody() {
    let posted = posted::<Discord>(told(HOSTILE, HOSTILE));
    assert_eq!(posted["allowed_mentions"], json!({ "parse": [] }));
    assert!(posted.get("content").is_none());
    let embed = &posted["embeds"][0];
    let text = embed["description"].as_str().expect("a text");
    assert!(text.starts_with("\\<!channel\\> \\<@\u{200b}U1\\> @\u{200b}everyone \\[a\\](https"), "{text}");
    assert!(text.contains("\\*\\*b\\*\\* \\`c\\`") && !text.contains('\u{202e}'), "{text}");
    assert_eq!((&embed["url"], &embed["color"]), (&json!("https://jobs/1"), &json!(0xD7_3A49)));
}

#[test]
fn teams_has_rich_texts_alone() {
    let posted = posted::<Teams>(told(HOSTILE, HOSTILE));
    let card = &posted["attachments"][0]["content"];
    let body = card["body"].as_array().expect("a body");
    assert!(body.iter().all(|block| block["type"] == "RichTextBlock"), "{body:?}");
    assert!(card.get("msteams").is_none());
    assert_eq!(card["actions"][0]["url"], "https://jobs/1");
}

#[test]
fn ntfy_has_its_headers_on_one_line() {
    let mut params = told("a\r\nX-Evil: 1", "b");
    params["token"] = json!("t");
    let request = sent::<Ntfy>(params.clone());
    let header = |name: &str| {
        let found = request.headers.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    };
    assert_eq!((header("title").as_str(), header("authorization").as_str()), ("a  X-Evil: 1", "Bearer t"));
    assert_eq!((header("priority").as_str(), header("tags").as_str()), ("4", "rotating_light"));
    assert_eq!(header("click"), "https://jobs/1");
    assert_eq!(String::from_utf8_lossy(&request.body), "b\nExit code: 3\nRun: 01K\nState: failed");
    params["priority"] = json!(6);
    let (none, result) = answered::<Ntfy>(params, 200, "");
    assert!(none.is_none() && result.is_err_and(|failure| failure.retry == Retry::Never));
}

#[test]
fn nothing_is_longer_than_a_service_takes() {
    let long = "😀&<*".repeat(20_000);
    let mut params = told(&long, &long);
    params["fields"] = (0..50).map(|place| (format!("{place:02}{long}"), json!(long))).collect();
    let units = |value: &Value| value.as_str().expect("a text").encode_utf16().count();
    let slack = posted::<Slack>(params.clone());
    let blocks = &slack["blocks"];
    assert!(units(&blocks[0]["text"]["text"]) <= 150 && units(&blocks[1]["text"]["text"]) <= 3000);
    let fields = blocks[2]["fields"].as_array().expect("fields");
    assert!(fields.len() == 10 && fields.iter().all(|field| units(&field["text"]) <= 2000));
    let discord = posted::<Discord>(params.clone());
    let embed = &discord["embeds"][0];
    let fields = embed["fields"].as_array().expect("fields");
    assert!(fields.iter().all(|field| units(&field["name"]) <= 256 && units(&field["value"]) <= 1024));
    let in_fields: usize = fields.iter().map(|field| units(&field["name"]) + units(&field["value"])).sum();
    assert!(units(&embed["title"]) <= 256 && units(&embed["title"]) + units(&embed["description"]) + in_fields <= 6000);
    assert!(sent::<Teams>(params.clone()).body.len() <= 28_000);
    assert!(sent::<Ntfy>(params).body.len() <= 4096);
}

#[test]
fn what_a_service_refuses_is_told_in_its_words() {
    let failure = |status, body| answered::<Slack>(told("a", "b"), status, body).1.expect_err("no success");
    let refused = failure(404, "no_service\n");
    assert_eq!((refused.message.as_str(), refused.retry), ("Slack answered with status 404: no_service", Retry::Never));
    assert_eq!(failure(429, "").retry, Retry::After(Duration::from_secs(7)));
    assert_eq!(failure(500, "").retry, Retry::ByJobPolicy);
    for body in [r#"{"message": "Unknown Webhook", "code": 10015}"#, r#"{"error": {"message": "Unknown Webhook"}}"#] {
        assert_eq!(failure(400, body).message, "Slack answered with status 400: Unknown Webhook");
    }
    let long: &'static str = Box::leak("x".repeat(9999).into_boxed_str());
    assert!(failure(400, long).message.len() < 400);
}

#[test]
fn without_a_text_there_is_nothing_to_tell() {
    let (none, result) = answered::<Webhook>(json!({ "url": "https://a" }), 200, "");
    let failure = result.expect_err("there is no text");
    assert_eq!((none.is_none(), failure.code.as_str(), failure.retry), (true, "nothing-to-tell", Retry::Never));
}

/// The examples are taken as they stand, but for their templates, and one is run.
fn examples_work<A: Action>() {
    let examples = A::examples();
    assert_eq!(examples.len(), 3, "{}", A::NAME);
    for example in &examples {
        let text = example.to_string().replace("{{ secret.", "https://a/").replace(" }}", "");
        let filled: Value = serde_json::from_str(&text).expect("still JSON");
        assert_eq!(Host::new().validate::<A>(filled.clone()), [], "{filled}");
        if filled.get("text").is_some() {
            assert!(answered::<A>(filled, 200, "ok").1.is_ok(), "{example}");
        }
    }
    let schema = serde_json::to_value(schema_for!(A::Params)).expect("a schema is JSON");
    for (name, word) in
        [("title", "job.name"), ("text", "notification.summary"), ("link", "run.url"), ("event", "notification.event")]
    {
        let default = schema["properties"][name]["default"].as_str().unwrap_or_default();
        assert!(default.contains(word), "{}: {schema}", A::NAME);
    }
    assert_eq!(schema["properties"]["fields"]["default"]["Run"], "{{ run.id }}", "{}", A::NAME);
}

#[test]
fn all_examples_work() {
    examples_work::<Webhook>();
    examples_work::<Slack>();
    examples_work::<Discord>();
    examples_work::<Teams>();
    examples_work::<Ntfy>();
    examples_work::<Email>();
}

#[test]
fn a_mail_is_plain_text() {
    let mut params = told("a\nb: failed", HOSTILE);
    params.as_object_mut().expect("a map").remove("url");
    params["to"] = json!(["ops@example.com"]);
    let host = Host::new();
    assert!(host.run::<Email>(params.clone()).is_ok());
    let mail = host.mails().pop().expect("one mail was sent");
    assert_eq!((mail.subject.as_str(), mail.html.is_none()), ("a b: failed", true));
    assert!(mail.text.ends_with("_f_\n\nExit code: 3\nRun: 01K\nState: failed\n\nhttps://jobs/1\n"), "{}", mail.text);
    for (code, retry) in [(ErrorCode::Unavailable, Retry::ByJobPolicy), (ErrorCode::InvalidArgument, Retry::Never)] {
        let refused = Host::new().refuse_mail(Error { code, message: "no".to_owned(), detail: None });
        assert_eq!(refused.run::<Email>(params.clone()).expect_err("it is refused").retry, retry);
    }
    let wrong = json!({ "to": ["ops"], "cc": ["a@b\n"] });
    assert_eq!(Host::new().validate::<Email>(wrong).len(), 2);
    assert_eq!(Host::new().validate::<Email>(json!({ "to": [] }))[0].pointer, "/to");
}

#[test]
fn bad_parameters_are_named() {
    let issue = |issues: Vec<sandglass_plugin::Issue>| issues.first().map(|issue| issue.pointer.clone());
    let host = Host::new();
    assert_eq!(issue(host.validate::<Slack>(json!({ "url": "hooks" }))).as_deref(), Some("/url"));
    let headers = json!({ "url": "https://a", "headers": { "a": "b\nc" } });
    assert_eq!(issue(host.validate::<Webhook>(headers)).as_deref(), Some("/headers"));
    let tags = json!({ "url": "https://a", "tags": ["a,b"] });
    assert_eq!(issue(host.validate::<Ntfy>(tags)).as_deref(), Some("/tags"));
}

#[test]
fn the_schemas_written_ahead_are_those_of_the_types() {
    fn check<A: Action>() {
        check_schemas::<A>(&format!("{}/src/{}", env!("CARGO_MANIFEST_DIR"), A::NAME));
    }
    check::<Webhook>();
    check::<Slack>();
    check::<Discord>();
    check::<Teams>();
    check::<Ntfy>();
    check::<Email>();
}

#[test]
fn what_the_run_printed_stands_below_and_is_no_markup() {
    let printed = format!("first\n```\n{HOSTILE}\nlast");
    let params = |text: &str| {
        let mut params = told("nightly: failed", "why");
        params["output"] = json!(text);
        params
    };
    let blocks = posted::<Slack>(params(&printed))["blocks"].clone();
    let lines = &blocks[3]["elements"][0];
    assert_eq!((&blocks[3]["type"], &lines["type"]), (&json!("rich_text"), &json!("rich_text_preformatted")));
    assert!(lines["elements"][0]["text"].as_str().expect("a text").ends_with("last"), "{blocks}");

    let description = posted::<Discord>(params(&printed))["embeds"][0]["description"].clone();
    let description = description.as_str().expect("a text");
    assert!(
        description.starts_with("why\n```\nfirst\n`\u{200b}`") && description.ends_with("last\n```"),
        "{description}"
    );
    assert_eq!(description.matches("```").count(), 2, "{description}");

    let card = posted::<Teams>(params(&printed))["attachments"][0]["content"]["body"].clone();
    let last = card.as_array().and_then(|body| body.last()).expect("a block");
    assert_eq!(last["inlines"][0]["fontType"], "Monospace", "{card}");

    let body = sent::<Ntfy>(params("a\nb")).body;
    assert!(String::from_utf8_lossy(&body).ends_with("State: failed\n\na\nb"));
    assert_eq!(posted::<Webhook>(params("a\nb"))["output"], "a\nb");
    let mut mail = params("a\nb");
    mail.as_object_mut().expect("an object").remove("url");
    mail["to"] = json!(["ops@example.com"]);
    let host = Host::new();
    host.run::<Email>(mail).expect("the server takes it");
    assert!(
        host.mails()[0].text.contains("The last lines of its output:\n\na\nb\n\nhttps://jobs/1"),
        "{:?}",
        host.mails()
    );

    // However much there is, each service gets what it takes, the end of it.
    let much = "`@<&>\u{1f600}\n".repeat(3000) + "last";
    let units = |text: &Value| text.as_str().expect("a text").encode_utf16().count();
    let slack = posted::<Slack>(params(&much))["blocks"][3]["elements"][0]["elements"][0]["text"].clone();
    let embed = posted::<Discord>(params(&much))["embeds"][0].clone();
    let sizes = (units(&slack), units(&embed["description"]));
    assert!(sizes.0 <= 3000 && sizes.1 <= 4096, "{sizes:?}");
    assert!(slack.as_str().is_some_and(|text| text.ends_with("last")) && embed.to_string().contains("last\\n```"));
    assert!(sent::<Ntfy>(params(&much)).body.len() <= 4096);
    assert!(sent::<Teams>(params(&much)).body.len() <= 28_000);
}
