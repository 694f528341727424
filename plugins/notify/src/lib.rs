//! The plugin `notify`: tells people how runs went, in chats, on phones, by mail and by any webhook.
//!
//! What is told is a [`message`], the same for all services; each service has a file that puts it into the service's own
//! form, so that nothing in it can be read as markup and nothing is longer than the service takes. [`post`] sends it; a
//! mail is sent by the host.

mod discord;
mod email;
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
    actions: [webhook::Webhook, slack::Slack, discord::Discord, teams::Teams, ntfy::Ntfy, email::Email],
    capabilities: { http: public, secrets: any, mail: true },
}
