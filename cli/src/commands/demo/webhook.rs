//! The server that the demonstration's webhook posts to.

use std::sync::{Arc, Mutex, PoisonError};

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// The most bytes of a request that are kept.
const MAX_BODY: usize = 64 << 10;
/// The most requests that are kept.
const MAX_REQUESTS: usize = 100;

/// A server on a free port of this machine that keeps what it receives.
pub(super) struct Webhook {
    url: String,
    received: Arc<Mutex<Vec<String>>>,
    serving: tokio::task::JoinHandle<()>,
}

impl Webhook {
    pub(super) async fn start() -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/hook", listener.local_addr()?);
        let received = Arc::new(Mutex::default());
        let serving = tokio::spawn(serve(listener, Arc::clone(&received)));
        Ok(Self { url, received, serving })
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// What came, one line a request.
    pub(super) fn received(&self) -> Vec<String> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Webhook {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, received: Arc<Mutex<Vec<String>>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let received = Arc::clone(&received);
        tokio::spawn(async move {
            let answer = service_fn(|request| answer(request, &received));
            // A connection that breaks concerns its client, which tells.
            _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    received: &Mutex<Vec<String>>,
) -> Result<Response<Full<Bytes>>, std::convert::Infallible> {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let body = Limited::new(request.into_body(), MAX_BODY).collect().await;
    let body = body.map(|body| body.to_bytes()).unwrap_or_default();
    let line = format!("{method} {path} {}", String::from_utf8_lossy(&body));
    let mut received = received.lock().unwrap_or_else(PoisonError::into_inner);
    if received.len() < MAX_REQUESTS {
        received.push(line);
    }
    Ok(Response::new(Full::new(Bytes::from_static(b"{\"ok\":true}\n"))))
}
