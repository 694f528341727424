//! The action `discord`: a webhook of a channel of Discord.

use sandglass_plugin::serde_json::{Value, json};
use sandglass_plugin::{Action, Context, Failure, Issue, Outcome, Schemas, include_schema};

use crate::message::{Message, Mood, params_with_message};
use crate::post;
use crate::text::{fitted, last_lines, line};

// Discord's limit is 6000 for all of an embed; these are within it together, with ten fields, and each within its own.
const MAX_TITLE: usize = 256;
const MAX_TEXT: usize = 1500;
const MAX_OUTPUT: usize = 1500;
const MAX_NAME: usize = 60;
const MAX_VALUE: usize = 200;
const MAX_LINK: usize = 2000;

params_with_message! {
    /// What a notifier gives.
    Params {
        /// The webhook's address; better a secret, as whoever knows it can post.
        url: String,
        /// The name that the message is posted under; the webhook's own by default.
        #[serde(default)]
        username: Option<String>,
    }
}

pub(crate) struct Discord;

impl Action for Discord {
    const NAME: &'static str = "discord";
    const TITLE: &'static str = "Post to Discord";
    const DESCRIPTION: &'static str = "Posts an embed by a webhook of a channel of Discord. It mentions nobody.";
    const SCHEMAS: Option<Schemas> = Some(Schemas { params: include_schema!("src/discord.params.json"), output: None });
    type Params = Params;
    type Output = ();

    fn examples() -> Vec<Value> {
        vec![
            json!({ "url": "{{ secret.DISCORD_HOOK }}" }),
            json!({ "url": "{{ secret.DISCORD_HOOK }}", "username": "Sandglass" }),
            json!({ "url": "https://discord.com/api/webhooks/1/x", "text": "{{ notification.summary }}" }),
        ]
    }

    fn validate(params: &Params) -> Vec<Issue> {
        post::check_url(&params.url)
    }

    fn run(params: Params, context: &Context) -> Result<Outcome<()>, Failure> {
        let mut body = body(&params.message()?);
        if let Some(name) = params.username.as_deref().map(str::trim).filter(|name| !name.is_empty()) {
            // Discord's limit for names.
            body["username"] = line(name, 80).into();
        }
        post::send(&post::request(&params.url, &body)?, "Discord", context)
    }
}

fn body(message: &Message) -> Value {
    let fields: Vec<Value> = message
        .fields
        .iter()
        .map(|(name, value)| {
            json!({ "name": markup(name, MAX_NAME), "value": markup(value, MAX_VALUE), "inline": true })
        })
        .collect();
    let mut embed =
        json!({ "title": markup(&message.title, MAX_TITLE), "fields": fields, "color": color(message.mood()) });
    if !message.text.is_empty() {
        embed["description"] = markup(&message.text, MAX_TEXT).into();
    }
    if let Some(output) = &message.output {
        // Within a block of code only what would end it is read: three backticks, which a character of no width parts.
        let code = last_lines(output, MAX_OUTPUT, |character| (character == '`').then_some("`\u{200b}"));
        let text = embed["description"].as_str().unwrap_or_default();
        embed["description"] = format!("{text}\n```\n{code}\n```").into();
    }
    if let Some(link) = message.link.as_ref().filter(|link| link.len() <= MAX_LINK) {
        embed["url"] = link.as_str().into();
    }
    // Embeds mention nobody by themselves; that no mention is parsed holds whatever Discord makes of them later.
    json!({ "embeds": [embed], "allowed_mentions": { "parse": [] } })
}

/// Text in which Discord reads no markup. After an `@` stands a character of no width, as names such as `@everyone` know no
/// escape.
fn markup(text: &str, most: usize) -> String {
    fitted(text, most, |character| {
        Some(match character {
            '\\' => "\\\\",
            '*' => "\\*",
            '_' => "\\_",
            '~' => "\\~",
            '`' => "\\`",
            '|' => "\\|",
            '<' => "\\<",
            '>' => "\\>",
            '[' => "\\[",
            ']' => "\\]",
            '#' => "\\#",
            '@' => "@\u{200b}",
            _ => return None,
        })
    })
}

const fn color(mood: Mood) -> u32 {
    match mood {
        Mood::Good => 0x002E_A043,
        Mood::Bad => 0x00D7_3A49,
        Mood::Open => 0x00D2_9922,
    }
}
