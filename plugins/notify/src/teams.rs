//! The action `teams`: a webhook of a workflow of Microsoft Teams.

use sandglass_plugin::serde_json::{Value, json};
use sandglass_plugin::{Action, Context, Failure, Issue, Outcome, Schemas, include_schema};

use crate::message::{Message, Mood, params_with_message};
use crate::post;
use crate::text::{last_lines, line, plain};

// Teams takes a message of 28 KB; a unit of text is at most three bytes.
const MAX_TITLE: usize = 300;
const MAX_TEXT: usize = 5000;
const MAX_OUTPUT: usize = 2100;
const MAX_FIELD: usize = 300;
const MAX_LINK: usize = 2000;

params_with_message! {
    /// What a notifier gives.
    Params {
        /// The address that the workflow "Post to a channel when a webhook request is received" shows; better a secret, as
        /// whoever knows it can post.
        url: String,
    }
}

pub(crate) struct Teams;

impl Action for Teams {
    const NAME: &'static str = "teams";
    const TITLE: &'static str = "Post to Microsoft Teams";
    const DESCRIPTION: &'static str = "Posts an adaptive card by the webhook of a workflow of Microsoft Teams.";
    const SCHEMAS: Option<Schemas> = Some(Schemas { params: include_schema!("src/teams.params.json"), output: None });
    type Params = Params;
    type Output = ();

    fn examples() -> Vec<Value> {
        vec![
            json!({ "url": "{{ secret.TEAMS_HOOK }}" }),
            json!({ "url": "{{ secret.TEAMS_HOOK }}", "title": "Backup", "link": "https://wiki.example.com/backup" }),
            json!({ "url": "https://example.webhook.office.com/x", "text": "{{ notification.summary }}" }),
        ]
    }

    fn validate(params: &Params) -> Vec<Issue> {
        post::check_url(&params.url)
    }

    fn run(params: Params, context: &Context) -> Result<Outcome<()>, Failure> {
        post::send(&post::request(&params.url, &body(&params.message()?))?, "Teams", context)
    }
}

/// The card has rich texts alone, in which Teams reads no markup; a mention would need an entity of the card's own.
fn body(message: &Message) -> Value {
    let title = json!({
        "type": "TextRun", "text": line(&message.title, MAX_TITLE), "weight": "Bolder", "size": "Medium",
        "color": color(message.mood()),
    });
    let mut shown = vec![rich(vec![title])];
    if !message.text.is_empty() {
        shown.push(rich(vec![json!({ "type": "TextRun", "text": plain(&message.text, MAX_TEXT) })]));
    }
    shown.extend(message.fields.iter().map(|(name, value)| {
        rich(vec![
            json!({ "type": "TextRun", "text": format!("{}: ", line(name, MAX_FIELD)), "weight": "Bolder" }),
            json!({ "type": "TextRun", "text": line(value, MAX_FIELD) }),
        ])
    }));
    if let Some(output) = &message.output {
        let text = last_lines(output, MAX_OUTPUT, |_| None);
        shown.push(rich(vec![json!({ "type": "TextRun", "text": text, "fontType": "Monospace" })]));
    }
    let mut card = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": shown,
    });
    if let Some(link) = message.link.as_ref().filter(|link| link.len() <= MAX_LINK) {
        card["actions"] = json!([{ "type": "Action.OpenUrl", "title": "Look at the run", "url": link }]);
    }
    json!({
        "type": "message",
        "attachments": [{ "contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": null, "content": card }],
    })
}

fn rich(inlines: Vec<Value>) -> Value {
    json!({ "type": "RichTextBlock", "inlines": inlines })
}

const fn color(mood: Mood) -> &'static str {
    match mood {
        Mood::Good => "Good",
        Mood::Bad => "Attention",
        Mood::Open => "Warning",
    }
}
