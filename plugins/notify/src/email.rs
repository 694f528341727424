//! The action `email`: mail by the operator's server.

use sandglass_plugin::mail::{self, Message as Mail};
use sandglass_plugin::serde_json::{Value, json};
use sandglass_plugin::{Action, Context, Failure, Issue, Outcome, Schemas, include_schema};

use crate::message::{Message, params_with_message};
use crate::text::{line, plain};

/// The most recipients; the operator's server may take fewer.
const MAX_RECIPIENTS: usize = 100;
const MAX_SUBJECT: usize = 200;
const MAX_TEXT: usize = 100_000;

params_with_message! {
    /// What a notifier gives.
    Params {
        /// Who gets it: addresses such as ops@example.com or Ops <ops@example.com>.
        to: Vec<String>,
        /// Who gets a copy.
        #[serde(default)]
        cc: Vec<String>,
        /// The subject; by default the title.
        #[serde(default)]
        subject: Option<String>,
    }
}

pub(crate) struct Email;

impl Action for Email {
    const NAME: &'static str = "email";
    const TITLE: &'static str = "Send a mail";
    const DESCRIPTION: &'static str = "Sends a mail by the server that the operator configured, from its address.";
    const SCHEMAS: Option<Schemas> = Some(Schemas { params: include_schema!("src/email.params.json"), output: None });
    type Params = Params;
    type Output = ();

    fn examples() -> Vec<Value> {
        vec![
            json!({ "to": ["ops@example.com"] }),
            json!({ "to": ["Ops <ops@example.com>"], "cc": ["boss@example.com"], "subject": "Backup failed" }),
            json!({ "to": ["ops@example.com"], "text": "{{ notification.summary }}", "fields": {} }),
        ]
    }

    fn validate(params: &Params) -> Vec<Issue> {
        let mut issues = Vec::new();
        if params.to.is_empty() {
            issues.push(Issue::at("/to", "expected at least one address"));
        }
        if params.to.len() + params.cc.len() > MAX_RECIPIENTS {
            issues.push(Issue::at("/to", format!("expected at most {MAX_RECIPIENTS} addresses with those of `cc`")));
        }
        for (key, addresses) in [("to", &params.to), ("cc", &params.cc)] {
            for (place, address) in addresses.iter().enumerate() {
                if !address.contains('@') || address.contains(char::is_control) {
                    issues.push(Issue::at(format!("/{key}/{place}"), "expected an address such as ops@example.com"));
                }
            }
        }
        issues
    }

    fn run(params: Params, _: &Context) -> Result<Outcome<()>, Failure> {
        let message = params.message()?;
        let subject = params.subject.as_deref().map(str::trim).filter(|subject| !subject.is_empty());
        let mail = Mail {
            subject: line(subject.unwrap_or(&message.title), MAX_SUBJECT),
            text: text(&message),
            html: None,
            to: params.to,
            cc: params.cc,
        };
        mail::send(&mail)?;
        let count = mail.to.len() + mail.cc.len();
        let people = if count == 1 { "1 address".to_owned() } else { format!("{count} addresses") };
        Ok(Outcome::summary(format!("the mail server took the mail to {people}")).changed(true))
    }
}

/// Plain text alone: it reads the same everywhere, and nothing in it is markup.
fn text(message: &Message) -> String {
    let mut text = if message.text.is_empty() { message.title.clone() } else { message.text.clone() };
    if !message.fields.is_empty() {
        text.push('\n');
    }
    for (name, value) in &message.fields {
        text.push_str(&format!("\n{name}: {}", value.replace('\n', " ")));
    }
    if let Some(output) = &message.output {
        text.push_str(&format!("\n\nThe last lines of its output:\n\n{output}"));
    }
    if let Some(link) = &message.link {
        text.push_str(&format!("\n\n{link}"));
    }
    text.push('\n');
    plain(&text, MAX_TEXT)
}
