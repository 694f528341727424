//! The plugin `http`: sends a request, judges the response by its status, and keeps what came back.

mod assertion;
mod auth;
mod request;
mod schema;
mod status;
#[cfg(test)]
mod tests;
mod tls;

sandglass_plugin::export! {
    name: "http",
    actions: [request::SendRequest],
    capabilities: { http: public, secrets: any, reveal: any },
}
