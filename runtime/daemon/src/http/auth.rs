//! Who may ask over TCP: whoever has the administrator's token.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header;
use sandglass_api::problem::{Code, Problem};
use subtle::ConstantTimeEq;

use super::error::Failure;
use super::{App, Caller};

/// Lets a request pass that needs no token or has the right one.
pub(super) async fn bearer(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let open = matches!(request.uri().path(), "/healthz" | "/readyz");
    if open || has_token(&request, &app.token) {
        request.extensions_mut().insert(Caller::ADMIN);
        return next.run(request).await;
    }
    let problem = Problem::new(Code::Unauthenticated, "the request has no valid token")
        .with_hint(format!("send `Authorization: Bearer …` with the token in {}", app.data_dir.token_file().display()));
    Failure(problem).into_response()
}

fn has_token(request: &Request, token: &str) -> bool {
    let sent = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let sent = sent.and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    sent.is_some_and(|sent| bool::from(sent.as_bytes().ct_eq(token.as_bytes())))
}
