//! The plugin `http`: sends a request, judges the response by its status, and keeps what came back.

mod artifact;
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
    plans: [request::SendRequest],
    capabilities: { http: public, files: [], secrets: any, reveal: any, artifacts: true },
}
