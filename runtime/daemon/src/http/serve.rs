//! Serving connections, with bounds: so many at once, and so long for a request to arrive.
//!
//! Whoever reaches the port can open connections and say nothing. They cost little, end by themselves, and never keep
//! the owner's socket from being served, which has places of its own.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::serve::Listener;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::sync::Semaphore;

use super::Caller;

/// The most connections of one listener. More wait until one ends.
const CONNECTIONS: usize = 512;
/// How long the head of a request may take to arrive, and a connection may wait for its next request.
const HEAD: Duration = Duration::from_secs(30);

/// Tells from a connection who asks, if it can be told.
pub(crate) type Identify<Io> = fn(&Io) -> Option<Caller>;

/// Serves `app` until `stop` is done, then until the requests that are going have been answered. Each request is told who
/// asks, as far as `identify` knows.
pub(crate) async fn serve<L: Listener>(
    listener: L,
    app: Router,
    identify: Identify<L::Io>,
    stop: impl Future<Output = ()>,
) {
    serve_within(listener, app, identify, stop, (CONNECTIONS, HEAD)).await;
}

async fn serve_within<L: Listener>(
    mut listener: L,
    app: Router,
    identify: Identify<L::Io>,
    stop: impl Future<Output = ()>,
    (connections, head): (usize, Duration),
) {
    let places = Arc::new(Semaphore::new(connections));
    let going = GracefulShutdown::new();
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(head);
    tokio::pin!(stop);
    loop {
        let accepted = async {
            let place = Arc::clone(&places).acquire_owned().await.expect("the semaphore is never closed");
            (listener.accept().await.0, place)
        };
        let (io, place) = tokio::select! {
            biased;
            () = &mut stop => break,
            accepted = accepted => accepted,
        };
        let (caller, app) = (identify(&io), TowerToHyperService::new(app.clone()));
        let service = service_fn(move |mut request: Request<Incoming>| {
            if let Some(caller) = caller.clone() {
                request.extensions_mut().insert(caller);
            }
            app.call(request)
        });
        let connection = http.serve_connection(TokioIo::new(io), service);
        let connection = going.watch(connection);
        tokio::spawn(async move {
            // A client that goes away or sends no HTTP is nobody's concern.
            _ = connection.await;
            drop(place);
        });
    }
    drop(listener);
    going.shutdown().await;
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpStream};

    use axum::routing::get;
    use tokio::net::TcpListener;
    use tokio::sync::oneshot;

    use super::*;

    /// A server with a route `/` that answers at once and a route `/slow` that answers when it is told to.
    struct Server {
        address: SocketAddr,
        stop: oneshot::Sender<()>,
        ended: tokio::task::JoinHandle<()>,
        release: Arc<Semaphore>,
    }

    async fn server(connections: usize, head: Duration) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let release = Arc::new(Semaphore::new(0));
        let slow = Arc::clone(&release);
        let app = Router::new().route("/", get(|| async { "fine" })).route(
            "/slow",
            get(move || async move {
                _ = slow.acquire().await;
                "at last"
            }),
        );
        let (stop, stopped) = oneshot::channel();
        let stopped = async move { _ = stopped.await };
        let ended = tokio::spawn(serve_within(listener, app, |_| None, stopped, (connections, head)));
        Server { address, stop, ended, release }
    }

    fn request(address: SocketAddr, text: &str) -> TcpStream {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(text.as_bytes()).unwrap();
        stream
    }

    /// Everything that comes until the server closes the connection.
    async fn answer(mut stream: TcpStream) -> String {
        let read = tokio::task::spawn_blocking(move || {
            let mut text = String::new();
            stream.read_to_string(&mut text).map(|_| text)
        });
        read.await.unwrap().unwrap()
    }

    const LAST: &str = "HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

    #[tokio::test]
    async fn silent_connections_end_and_make_room() {
        let server = server(2, Duration::from_millis(50)).await;
        let silent = [request(server.address, ""), request(server.address, "GET / HT")];
        // There is no place for this one until the others have been closed.
        let served = answer(request(server.address, &format!("GET / {LAST}"))).await;
        assert!(served.ends_with("fine"), "{served}");
        for stream in silent {
            assert!(!answer(stream).await.contains("fine"));
        }
        server.stop.send(()).unwrap();
        server.ended.await.unwrap();
    }

    #[tokio::test]
    async fn requests_that_are_going_are_answered_before_the_end() {
        let server = server(2, Duration::from_secs(60)).await;
        let going = request(server.address, &format!("GET /slow {LAST}"));
        // It has been accepted once another that came later has been served.
        assert!(answer(request(server.address, &format!("GET / {LAST}"))).await.ends_with("fine"));
        server.stop.send(()).unwrap();
        server.release.add_permits(1);
        assert!(answer(going).await.ends_with("at last"));
        server.ended.await.unwrap();
        assert!(TcpStream::connect(server.address).is_err(), "nobody listens any more");
    }
}
