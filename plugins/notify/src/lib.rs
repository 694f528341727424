//! The plugin `notify`: tells people how runs went, in chats, on phones and by any webhook.
//!
//! What is told is a [`message`], the same for all services; each service has a file that puts it into the service's own
//! form, so that nothing in it can be read as markup and nothing is longer than the service takes. [`post`] sends it.

mod discord;
mod message;
mod ntfy;
mod post;
mod slack;
mod teams;
#[cfg(test)]
mod tests;
mod text;
mod webhook;

sandglass_plugin::export! {
    name: "notify",
    actions: [webhook::Webhook, slack::Slack, discord::Discord, teams::Teams, ntfy::Ntfy],
    capabilities: { http: public, secrets: any },
}
