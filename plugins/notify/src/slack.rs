//! The action `slack`: an incoming webhook of Slack.

use sandglass_plugin::serde_json::{Value, json};
use sandglass_plugin::{Action, Context, Failure, Issue, Outcome, Schemas, include_schema};

use crate::message::{Message, params_with_message};
use crate::post;
use crate::text::{fitted, last_lines, line, plain};

// Slack's limits of block kit: a header, a section, and a field.
const MAX_HEADER: usize = 150;
const MAX_SECTION: usize = 3000;
const MAX_FIELD: usize = 2000;
/// What is shown where blocks are not, such as on a phone.
const MAX_FALLBACK: usize = 1000;

params_with_message! {
    /// What a notifier gives.
    Params {
        /// The incoming webhook's address; better a secret, as whoever knows it can post.
        url: String,
    }
}

pub(crate) struct Slack;

impl Action for Slack {
    const NAME: &'static str = "slack";
    const TITLE: &'static str = "Post to Slack";
    const DESCRIPTION: &'static str =
        "Posts a message by an incoming webhook of Slack, or of what understands Slack's.";
    const SCHEMAS: Option<Schemas> = Some(Schemas { params: include_schema!("src/slack.params.json"), output: None });
    type Params = Params;
    type Output = ();

    fn examples() -> Vec<Value> {
        vec![
            json!({ "url": "{{ secret.SLACK_HOOK }}" }),
            json!({ "url": "{{ secret.SLACK_HOOK }}", "title": "Backup", "fields": {} }),
            json!({ "url": "https://hooks.slack.com/services/T0/B0/x", "text": "{{ notification.summary }}" }),
        ]
    }

    fn validate(params: &Params) -> Vec<Issue> {
        post::check_url(&params.url)
    }

    fn run(params: Params, context: &Context) -> Result<Outcome<()>, Failure> {
        post::send(&post::request(&params.url, &body(&params.message()?))?, "Slack", context)
    }
}

/// Titles, texts and fields are `plain_text`, in which Slack reads no markup. The rest is escaped as Slack asks for: with
/// `&`, `<` and `>` gone, nothing can be a mention or a link.
fn body(message: &Message) -> Value {
    let mut blocks = vec![json!({ "type": "header", "text": shown(line(&message.title, MAX_HEADER)) })];
    if !message.text.is_empty() {
        blocks.push(json!({ "type": "section", "text": shown(plain(&message.text, MAX_SECTION)) }));
    }
    if !message.fields.is_empty() {
        let fields: Vec<Value> =
            message.fields.iter().map(|(name, value)| shown(line(&format!("{name}: {value}"), MAX_FIELD))).collect();
        blocks.push(json!({ "type": "section", "fields": fields }));
    }
    if let Some(output) = &message.output {
        // A text within rich text is read as it stands.
        let text = json!({ "type": "text", "text": last_lines(output, MAX_SECTION, |_| None) });
        let lines = json!({ "type": "rich_text_preformatted", "elements": [text] });
        blocks.push(json!({ "type": "rich_text", "elements": [lines] }));
    }
    // As a link in markup, because a button would ask for an app that answers it.
    let link = message.link.as_ref().filter(|link| link.len() <= MAX_FIELD && !link.contains(['|', '>', '<']));
    if let Some(link) = link {
        let text = format!("<{}|Look at the run>", fitted(link, MAX_SECTION, escaped));
        blocks.push(json!({ "type": "section", "text": { "type": "mrkdwn", "text": text } }));
    }
    let fallback = if message.text.is_empty() { &message.title } else { &message.text };
    json!({ "text": fitted(fallback, MAX_FALLBACK, escaped), "blocks": blocks, "link_names": false })
}

fn shown(text: String) -> Value {
    json!({ "type": "plain_text", "text": text, "emoji": false })
}

fn escaped(character: char) -> Option<&'static str> {
    match character {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        _ => None,
    }
}
