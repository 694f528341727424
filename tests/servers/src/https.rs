//! An HTTPS server that may misbehave.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::{Authority, Certificate};

/// How long a client may say nothing, or take nothing.
const PATIENCE: Duration = Duration::from_secs(60);
/// The most bytes of what has no end.
const ENDLESS: usize = 4 << 30;
/// The most bytes of a request's head.
const HEAD: u64 = 64 << 10;

/// What clients get.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// A text.
    Text(String),
    /// A redirect.
    Redirect(String),
    /// Nothing, not even TLS.
    Silence,
    /// A line without TLS.
    PlainText,
    /// A head that says how long the body is, and a part of it.
    Cut,
    /// A head that says nothing of the body's length, and a part of it, without a farewell.
    CutOpen,
    /// A head without an end.
    EndlessHead,
    /// A body without an end.
    EndlessBody,
}

/// A server on a free port of 127.0.0.1. Every connection has one request.
#[derive(Debug)]
pub struct Https {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
    over: Arc<AtomicBool>,
}

impl Https {
    /// Starts one.
    ///
    /// # Panics
    ///
    /// If there is no free port.
    #[must_use]
    pub fn start(certificate: &Certificate, answer: Answer) -> Self {
        Self::launch(certificate.serve(None), answer)
    }

    /// Starts one that wants of its clients a certificate by `clients`.
    ///
    /// # Panics
    ///
    /// If there is no free port.
    #[must_use]
    pub fn start_for(clients: &Authority, certificate: &Certificate, answer: Answer) -> Self {
        Self::launch(certificate.serve(Some(clients)), answer)
    }

    fn launch(config: Arc<ServerConfig>, answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("this machine has a free port");
        let address = listener.local_addr().expect("a listener has an address");
        let (heads, over) = (Arc::<Mutex<Vec<String>>>::default(), Arc::<AtomicBool>::default());
        let (shelf, ending) = (Arc::clone(&heads), Arc::clone(&over));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if ending.load(Ordering::SeqCst) {
                    return;
                }
                let (shelf, config, answer) = (Arc::clone(&shelf), Arc::clone(&config), answer.clone());
                // A connection that breaks is its client's to tell.
                std::thread::spawn(move || drop(serve(stream, config, &answer, &shelf)));
            }
        });
        Self { address, heads, over }
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The heads of the requests that came so far.
    #[must_use]
    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Https {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        // Wakes the one who waits for connections.
        drop(TcpStream::connect(self.address));
    }
}

fn serve(
    mut stream: TcpStream,
    config: Arc<ServerConfig>,
    answer: &Answer,
    shelf: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    match answer {
        Answer::Silence => return read_to_end(&mut stream),
        Answer::PlainText => {
            stream.write_all(b"220 this is no TLS\r\n")?;
            return read_to_end(&mut stream);
        }
        _ => {}
    }
    let connection = ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut reader = BufReader::new(StreamOwned::new(connection, stream));
    let head = match read_head(&mut reader) {
        Ok(head) => head,
        Err(error) => {
            // A reset would take from the client what the server has said of the reason.
            let stream = &mut reader.get_mut().sock;
            stream.shutdown(Shutdown::Write)?;
            read_to_end(stream)?;
            return Err(error);
        }
    };
    shelf.lock().unwrap_or_else(PoisonError::into_inner).push(head);
    let stream = reader.get_mut();
    match answer {
        Answer::Text(text) => {
            let head = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/plain\r\n";
            write!(stream, "{head}Content-Length: {}\r\n\r\n{text}", text.len())?;
        }
        Answer::Redirect(to) => {
            let head = "HTTP/1.1 302 Found\r\nConnection: close\r\nContent-Length: 0\r\n";
            write!(stream, "{head}Location: {to}\r\n\r\n")?;
        }
        Answer::Silence | Answer::PlainText => {}
        Answer::Cut => {
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nbegun")?;
            stream.flush()?;
            return Ok(());
        }
        Answer::CutOpen => {
            write!(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nbegun")?;
            stream.flush()?;
            return Ok(());
        }
        Answer::EndlessHead => {
            write!(stream, "HTTP/1.1 200 OK\r\n")?;
            without_end(stream, b"X-More: and more, and more, and more\r\n")?;
        }
        Answer::EndlessBody => {
            write!(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
            without_end(stream, b"and more, and more, and more ")?;
        }
    }
    stream.conn.send_close_notify();
    stream.flush()?;
    stream.sock.shutdown(Shutdown::Write)?;
    read_to_end(&mut stream.sock)
}

fn without_end(stream: &mut StreamOwned<ServerConnection, TcpStream>, piece: &[u8]) -> std::io::Result<()> {
    let pieces = piece.repeat(256);
    (0..ENDLESS / pieces.len()).try_for_each(|_| stream.write_all(&pieces))
}

fn read_to_end(stream: &mut TcpStream) -> std::io::Result<()> {
    std::io::copy(stream, &mut std::io::sink()).map(drop)
}

/// Everything until the empty line.
fn read_head(reader: &mut BufReader<StreamOwned<ServerConnection, TcpStream>>) -> std::io::Result<String> {
    let mut head = String::new();
    let mut bounded = reader.take(HEAD);
    loop {
        let start = head.len();
        if bounded.read_line(&mut head)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if head[start..].trim_end().is_empty() {
            return Ok(head);
        }
    }
}
