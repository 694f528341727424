//! The action `ntfy`: a topic of ntfy, for phones.

use sandglass_plugin::serde_json::{Value, json};
use sandglass_plugin::{Action, Context, Failure, Issue, Outcome, Schemas, include_schema};

use crate::message::{Message, Mood, params_with_message};
use crate::post;
use crate::text::line;

// A message of ntfy has 4096 bytes; what is longer becomes a file.
const MAX_BODY: usize = 4000;
const MAX_TITLE: usize = 200;
const MAX_LINK: usize = 2000;
const MAX_TAGS: usize = 10;

params_with_message! {
    /// What a notifier gives.
    Params {
        /// The topic's address, such as `https://ntfy.sh/my-topic`; better a secret where the topic is open to everybody.
        url: String,
        /// A token, for topics that are not open to everybody.
        #[serde(default)]
        token: Option<String>,
        /// From 1 to 5, which is the most urgent; by default 4 for what went wrong, else 3.
        #[serde(default)]
        priority: Option<u8>,
        /// Tags, of which some are shown as pictures; by default one that fits the event.
        #[serde(default)]
        tags: Option<Vec<String>>,
    }
}

pub(crate) struct Ntfy;

impl Action for Ntfy {
    const NAME: &'static str = "ntfy";
    const TITLE: &'static str = "Send to a topic of ntfy";
    const DESCRIPTION: &'static str = "Sends a message to a topic of ntfy, on ntfy.sh or a server of your own.";
    const SCHEMAS: Option<Schemas> = Some(Schemas { params: include_schema!("src/ntfy.params.json"), output: None });
    type Params = Params;
    type Output = ();

    fn examples() -> Vec<Value> {
        vec![
            json!({ "url": "https://ntfy.sh/my-topic" }),
            json!({ "url": "https://ntfy.example.com/jobs", "token": "{{ secret.NTFY_TOKEN }}", "priority": 5 }),
            json!({ "url": "https://ntfy.sh/my-topic", "tags": ["floppy_disk"], "text": "{{ notification.summary }}" }),
        ]
    }

    fn validate(params: &Params) -> Vec<Issue> {
        let mut issues = post::check_url(&params.url);
        if params.priority.is_some_and(|priority| !(1..=5).contains(&priority)) {
            issues.push(Issue::at("/priority", "expected 1 to 5"));
        }
        let tags = params.tags.as_deref().unwrap_or_default();
        let is_tag = |tag: &String| !tag.is_empty() && tag.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',');
        if tags.len() > MAX_TAGS || !tags.iter().all(is_tag) {
            issues.push(Issue::at("/tags", format!("expected at most {MAX_TAGS} words without commas")));
        }
        issues
    }

    fn run(params: Params, context: &Context) -> Result<Outcome<()>, Failure> {
        let message = params.message()?;
        let bad = message.mood() == Mood::Bad;
        let priority = params.priority.unwrap_or(if bad { 4 } else { 3 });
        let tags = params.tags.as_ref().map_or_else(|| tag(message.mood()).to_owned(), |tags| tags.join(","));
        let mut request = post::plain_request(&params.url)?
            .header("content-type", "text/plain; charset=utf-8")
            .header("title", line(&message.title, MAX_TITLE))
            .header("priority", priority.to_string())
            .body(body(&message));
        if !tags.is_empty() {
            request = request.header("tags", tags);
        }
        if let Some(link) = message.link.as_ref().filter(|link| link.len() <= MAX_LINK) {
            request = request.header("click", link);
        }
        if let Some(token) = &params.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        post::send(&request, "ntfy", context)
    }
}

/// Plain text: ntfy reads markup only where it is asked to.
fn body(message: &Message) -> String {
    let mut body = if message.text.is_empty() { message.title.clone() } else { message.text.clone() };
    for (name, value) in &message.fields {
        body.push_str(&format!("\n{name}: {}", value.replace('\n', " ")));
    }
    if let Some(output) = &message.output {
        body.push_str(&format!("\n\n{output}"));
    }
    let mut body: String = body.chars().filter(|character| !character.is_control() || *character == '\n').collect();
    if body.len() > MAX_BODY {
        body.truncate(body.floor_char_boundary(MAX_BODY));
        body.push('…');
    }
    body
}

const fn tag(mood: Mood) -> &'static str {
    match mood {
        Mood::Good => "white_check_mark",
        Mood::Bad => "rotating_light",
        Mood::Open => "hourglass",
    }
}
