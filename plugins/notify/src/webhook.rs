//! The action `webhook`: the message as JSON, for whatever listens.

use std::collections::BTreeMap;

use sandglass_plugin::serde_json::{Map, Value, json};
use sandglass_plugin::{Action, Context, Failure, Issue, Outcome, Schemas, include_schema};

use crate::message::params_with_message;
use crate::{post, text};

/// The most units of a title and of a text.
const MAX_TITLE: usize = 500;
const MAX_TEXT: usize = 16_000;
const MAX_FIELD: usize = 2000;

params_with_message! {
    /// What a notifier gives.
    Params {
        /// Where the message goes, as a POST.
        url: String,
        /// Header names and values, such as an authorization.
        #[serde(default)]
        headers: BTreeMap<String, String>,
    }
}

pub(crate) struct Webhook;

impl Action for Webhook {
    const NAME: &'static str = "webhook";
    const TITLE: &'static str = "Post a message as JSON";
    const DESCRIPTION: &'static str =
        "Posts a JSON object with title, text, event, fields, output and link to an address of your own.";
    const SCHEMAS: Option<Schemas> = Some(Schemas { params: include_schema!("src/webhook.params.json"), output: None });
    type Params = Params;
    type Output = ();

    fn examples() -> Vec<Value> {
        vec![
            json!({ "url": "https://example.com/hook" }),
            json!({ "url": "https://example.com/hook", "headers": { "Authorization": "Bearer {{ secret.HOOK_TOKEN }}" } }),
            json!({ "url": "https://example.com/hook", "title": "Backup", "text": "{{ notification.summary }}" }),
        ]
    }

    fn validate(params: &Params) -> Vec<Issue> {
        let mut issues = post::check_url(&params.url);
        for (name, value) in &params.headers {
            if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':') {
                issues.push(Issue::at("/headers", format!("{name:?} is no name of a header")));
            } else if value.contains(['\r', '\n', '\0']) {
                issues.push(Issue::at("/headers", format!("the value of {name} is not one line")));
            }
        }
        issues
    }

    fn run(params: Params, context: &Context) -> Result<Outcome<()>, Failure> {
        let message = params.message()?;
        let fields: Map<String, Value> = message
            .fields
            .iter()
            .map(|(name, value)| (text::line(name, MAX_TITLE), text::plain(value, MAX_FIELD).into()))
            .collect();
        let body = json!({
            "title": text::line(&message.title, MAX_TITLE),
            "text": text::plain(&message.text, MAX_TEXT),
            "event": message.event,
            "fields": fields,
            "output": message.output.as_ref().map(|output| text::last_lines(output, MAX_TEXT, |_| None)),
            "link": message.link,
        });
        let mut request = post::request(&params.url, &body)?;
        for (name, value) in &params.headers {
            request = request.header(name, value);
        }
        post::send(&request, "the webhook", context)
    }
}
