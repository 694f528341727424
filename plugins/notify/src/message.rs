//! What is told, whatever the service.

use std::collections::BTreeMap;

use sandglass_plugin::Failure;
use sandglass_plugin::serde_json::Value;

/// The most fields that a message shows.
pub(crate) const MAX_FIELDS: usize = 10;

/// `nightly: timed out`, and how much more there is to tell.
pub(crate) const TITLE: &str = "{{ job.name }}: {{ notification.event | replace('_', ' ') }}\
    {% if notification.count > 1 %} and {{ notification.count - 1 }} more{% endif %}";

/// What happened in a line; if it is more than one thing, each on a line of its own too.
pub(crate) const TEXT: &str = "{{ notification.summary }}\
    {% if notification.count > 1 %}{% for event in notification.events %}\n\
    {{ event.at | date('%Y-%m-%d %H:%M') }} {{ event.job }}: {{ event.event | replace('_', ' ') }}\
    {% endfor %}{% endif %}";

/// The parameters of an action: its own, and what it tells. The defaults are templates, which the runtime fills in where a
/// notifier leaves the parameter out.
macro_rules! params_with_message {
    ($(#[$doc:meta])* $name:ident { $($(#[$attribute:meta])* $field:ident: $kind:ty,)* }) => {
        $(#[$doc])*
        #[sandglass_plugin::params]
        pub(crate) struct $name {
            $($(#[$attribute])* pub(crate) $field: $kind,)*
            /// The first line.
            #[serde(default)]
            #[schemars(extend("default" = $crate::message::TITLE))]
            pub(crate) title: Option<String>,
            /// What happened, as plain text of one or several lines.
            #[serde(default)]
            #[schemars(extend("default" = $crate::message::TEXT))]
            pub(crate) text: Option<String>,
            /// Names and short values that stand below the text; those without a value are left out.
            #[serde(default)]
            #[schemars(extend("default" = {
                "Run": "{{ run.id }}",
                "State": "{{ run.state }}",
                "Exit code": "{{ run.exit_code }}",
                "Due": "{% if run.scheduled_at %}{{ run.scheduled_at | date('%Y-%m-%d %H:%M:%S %Z') }}{% endif %}"
            }))]
            pub(crate) fields: std::collections::BTreeMap<String, sandglass_plugin::serde_json::Value>,
            /// The last lines that the run printed, if it went wrong; an empty text leaves them out.
            #[serde(default)]
            #[schemars(extend("default" = "{{ run.output }}"))]
            pub(crate) output: Option<String>,
            /// An address for more; by default the run in the daemon's API, if `public_url` is configured.
            #[serde(default)]
            #[schemars(extend("default" = "{{ run.url }}"))]
            pub(crate) link: Option<String>,
            /// What kind of event it is, such as failed or recovered; it decides on colour and urgency.
            #[serde(default)]
            #[schemars(extend("default" = "{{ notification.event }}"))]
            pub(crate) event: Option<String>,
        }

        impl $name {
            /// What is told.
            fn message(&self) -> Result<$crate::message::Message, sandglass_plugin::Failure> {
                $crate::message::Message::new(
                    self.title.as_deref(), self.text.as_deref(), &self.fields, self.output.as_deref(), self.link.as_deref(),
                    self.event.as_deref(),
                )
            }
        }
    };
}

pub(crate) use params_with_message;

/// What is told. Its texts are as they came: each service makes them harmless.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) title: String,
    pub(crate) text: String,
    /// At most [`MAX_FIELDS`].
    pub(crate) fields: Vec<(String, String)>,
    /// What a program printed.
    pub(crate) output: Option<String>,
    /// An `http` or `https` address.
    pub(crate) link: Option<String>,
    pub(crate) event: Option<String>,
}

/// How good the news is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    /// Something is as it should be.
    Good,
    /// Something went wrong.
    Bad,
    /// Something to look at, or nobody said what it is.
    Open,
}

impl Message {
    /// The message that parameters make.
    pub(crate) fn new(
        title: Option<&str>,
        text: Option<&str>,
        fields: &BTreeMap<String, Value>,
        output: Option<&str>,
        link: Option<&str>,
        event: Option<&str>,
    ) -> Result<Self, Failure> {
        let given = |text: Option<&str>| text.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
        let (title, text) = match (given(title), given(text)) {
            (None, None) => {
                let why = "there is nothing to tell: give `text`, which has a default only under `notify`";
                return Err(Failure::new("nothing-to-tell", why).never_retry());
            }
            // Services want both, and one line twice is no message.
            (Some(title), None) => (title, String::new()),
            (None, Some(text)) => match text.split_once('\n') {
                Some((first, rest)) => (first.trim_end().to_owned(), rest.to_owned()),
                None => (text, String::new()),
            },
            (Some(title), Some(text)) => (title, text),
        };
        let shown = fields.iter().filter_map(|(name, value)| Some((name.clone(), plain(value)?)));
        let is_address = |link: &String| link.starts_with("https://") || link.starts_with("http://");
        let link = given(link).filter(is_address).filter(|link| !link.contains(char::is_whitespace));
        let fields = shown.take(MAX_FIELDS).collect();
        Ok(Self { title, text, fields, output: given(output), link, event: given(event) })
    }

    pub(crate) fn mood(&self) -> Mood {
        match self.event.as_deref() {
            Some("succeeded" | "recovered") => Mood::Good,
            Some("failed" | "timed_out" | "interrupted" | "no_success_within") => Mood::Bad,
            _ => Mood::Open,
        }
    }
}

/// A value of a field as text; none if there is none.
fn plain(value: &Value) -> Option<String> {
    let text = match value {
        Value::Null => return None,
        Value::String(text) => text.trim().to_owned(),
        other => other.to_string(),
    };
    if text.is_empty() { None } else { Some(text) }
}
