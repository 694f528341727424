//! A server that webhooks post to.

use std::io::{BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::http::read_head;

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Received {
    /// Its first line, such as `POST /hook HTTP/1.1`.
    pub first: String,
    /// Its headers, names in small letters.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: Vec<u8>,
}

impl Received {
    /// A header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// A server on a free port of this machine that keeps what it receives and answers with 200; under `/status/N`, with N.
/// It lives as long as the test's process.
#[derive(Debug)]
pub struct Receiver {
    address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Default for Receiver {
    fn default() -> Self {
        Self::start()
    }
}

impl Receiver {
    /// Starts it.
    ///
    /// # Panics
    ///
    /// If there is no free port.
    #[must_use]
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("this machine has a free port");
        let address = listener.local_addr().expect("a listener has an address");
        let received: Arc<Mutex<Vec<Received>>> = Arc::default();
        let shelf = Arc::clone(&received);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shelf = Arc::clone(&shelf);
                // A connection that breaks is its client's to tell.
                std::thread::spawn(move || drop(serve(stream, &shelf)));
            }
        });
        Self { address, received }
    }

    /// The address of `path` on it.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What came so far.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn serve(stream: TcpStream, shelf: &Mutex<Vec<Received>>) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let mut reader = BufReader::new(stream);
    let (first, headers) = read_head(&mut reader)?;
    let length = headers.iter().find(|(name, _)| name == "content-length").map(|(_, value)| value.parse());
    let mut body = Vec::new();
    match length {
        Some(length) => _ = reader.by_ref().take(length.unwrap_or(0)).read_to_end(&mut body)?,
        None if headers.iter().any(|(name, _)| name == "transfer-encoding") => body = read_chunks(&mut reader)?,
        None => {}
    }
    let path = first.split(' ').nth(1).unwrap_or("/").to_owned();
    let status = path.strip_prefix("/status/").and_then(|word| word.parse().ok()).unwrap_or(200_u16);
    shelf.lock().unwrap_or_else(PoisonError::into_inner).push(Received { first, headers, body });
    let answer = "{\"ok\":true}\n";
    write!(
        reader.get_mut(),
        "HTTP/1.1 {status} Said\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{answer}",
        answer.len()
    )
}

fn read_chunks(reader: &mut BufReader<TcpStream>) -> std::io::Result<Vec<u8>> {
    use std::io::BufRead as _;
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let size = u64::from_str_radix(line.trim(), 16).map_err(std::io::Error::other)?;
        let before = body.len();
        reader.by_ref().take(size).read_to_end(&mut body)?;
        reader.read_line(&mut line)?;
        if size == 0 || body.len() == before {
            return Ok(body);
        }
    }
}
