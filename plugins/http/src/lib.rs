//! The plugin `http`: sends a request, judges the response by its status, and keeps what came back.

mod request;
mod status;
#[cfg(test)]
mod tests;

sandglass_plugin::export! {
    name: "http",
    actions: [request::SendRequest],
    capabilities: { http: public, secrets: any, reveal: any },
}
