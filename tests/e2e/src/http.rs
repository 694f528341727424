//! Plain HTTP/1.0, written by hand, so that what is sent and answered is known to the byte.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

/// Nothing here is silent for longer.
const SILENCE: Duration = Duration::from_secs(60);

/// Where requests go.
#[derive(Clone, Debug)]
enum Place {
    Tcp(SocketAddr),
    Socket(PathBuf),
}

/// A client that knows nothing but bytes.
#[derive(Clone, Debug)]
pub struct Http {
    place: Place,
    token: Option<String>,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers, names in small letters.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// A header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON, of an answer with this status.
    ///
    /// # Panics
    ///
    /// If the status is another, or the body is no JSON.
    #[must_use]
    #[track_caller]
    pub fn json(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "the body: {}", self.text());
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("no JSON ({error}): {}", self.text()))
    }

    /// It is a problem document with this status and code, complete as RFC 9457 and the API want it.
    ///
    /// # Panics
    ///
    /// If it is not.
    #[track_caller]
    pub fn problem(&self, status: u16, code: &str) -> Value {
        let problem = self.json(status);
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{problem}");
        assert_eq!((&problem["code"], &problem["status"]), (&code.into(), &status.into()), "{problem}");
        assert_eq!(problem["type"], format!("urn:sandglass:problem:{code}"));
        for member in ["title", "detail", "class"] {
            assert!(problem[member].as_str().is_some_and(|text| !text.is_empty()), "no {member}: {problem}");
        }
        problem
    }
}

impl Http {
    /// Over TCP, with a token or without.
    #[must_use]
    pub fn tcp(address: SocketAddr, token: Option<&str>) -> Self {
        Self { place: Place::Tcp(address), token: token.map(str::to_owned) }
    }

    /// Through the owner's socket.
    #[must_use]
    pub fn socket(path: PathBuf) -> Self {
        Self { place: Place::Socket(path), token: None }
    }

    /// Asks for what is at `path`.
    ///
    /// # Panics
    ///
    /// If there is no answer.
    #[must_use]
    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], b"")
    }

    /// Sends a request and reads the whole answer.
    ///
    /// # Panics
    ///
    /// If there is no answer.
    #[must_use]
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let answer = self.try_send(method, path, headers, body);
        answer.unwrap_or_else(|error| panic!("{method} {path} has no answer: {error}"))
    }

    /// As [`Http::send`], for a server that may be away.
    ///
    /// # Errors
    ///
    /// If the connection fails or the answer cannot be read.
    pub fn try_send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> std::io::Result<Answer> {
        let (status, headers, reader) = self.open(method, path, headers, body)?;
        let length = headers.iter().find(|(name, _)| name == "content-length").and_then(|(_, text)| text.parse().ok());
        let mut body = Vec::new();
        // What comes after the body, such as a reset because the request was not read to its end, is of no interest.
        reader.take(length.unwrap_or(u64::MAX)).read_to_end(&mut body)?;
        Ok(Answer { status, headers, body })
    }

    /// Follows an event stream.
    ///
    /// # Errors
    ///
    /// If the connection fails or the answer is no event stream.
    pub fn events(&self, path: &str, headers: &[(&str, &str)]) -> std::io::Result<Events> {
        let (status, headers, reader) = self.open("GET", path, headers, b"")?;
        let kind = headers.iter().find(|(name, _)| name == "content-type").map(|(_, value)| value.as_str());
        if status != 200 || kind != Some("text/event-stream") {
            return Err(std::io::Error::other(format!("no event stream: status {status}, {kind:?}")));
        }
        Ok(Events { reader })
    }

    fn open(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> std::io::Result<Opened> {
        let stream: Box<dyn Connection> = match &self.place {
            Place::Tcp(address) => {
                let stream = TcpStream::connect_timeout(address, SILENCE)?;
                stream.set_read_timeout(Some(SILENCE))?;
                stream.set_write_timeout(Some(SILENCE))?;
                Box::new(stream)
            }
            Place::Socket(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_read_timeout(Some(SILENCE))?;
                stream.set_write_timeout(Some(SILENCE))?;
                Box::new(stream)
            }
        };
        let mut stream = BufReader::new(stream);
        let mut head = format!("{method} {path} HTTP/1.0\r\nHost: sandglass\r\nContent-Length: {}\r\n", body.len());
        if let Some(token) = &self.token {
            head += &format!("Authorization: Bearer {token}\r\n");
        }
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        head += "\r\n";
        // A server that refuses a body need not read it, and answers all the same.
        let _ = stream.get_mut().write_all(head.as_bytes()).and_then(|()| stream.get_mut().write_all(body));
        let (first, headers) = read_head(&mut stream)?;
        let status = first.split(' ').nth(1).and_then(|word| word.parse().ok());
        let status = status.ok_or_else(|| std::io::Error::other(format!("no status in {first:?}")))?;
        Ok((status, headers, stream))
    }
}

trait Connection: Read + Write + Send {}
impl<T: Read + Write + Send> Connection for T {}

type Headers = Vec<(String, String)>;
type Opened = (u16, Headers, BufReader<Box<dyn Connection>>);

/// The first line of a message, and its headers, names in small letters.
pub(crate) fn read_head(reader: &mut impl BufRead) -> std::io::Result<(String, Headers)> {
    let mut line = || -> std::io::Result<String> {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    };
    let first = line()?;
    let mut headers = Headers::new();
    loop {
        let line = line()?;
        let Some((name, value)) = line.split_once(':') else { return Ok((first, headers)) };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
}

/// An event stream.
pub struct Events {
    reader: BufReader<Box<dyn Connection>>,
}

/// One event.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServerEvent {
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: Option<String>,
    /// Its data, which is JSON here.
    pub data: Value,
}

impl Iterator for Events {
    type Item = ServerEvent;

    fn next(&mut self) -> Option<ServerEvent> {
        let (mut event, mut data) = (ServerEvent::default(), String::new());
        loop {
            let mut line = String::new();
            if self.reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            let line = line.trim_end_matches(['\r', '\n']);
            match line.split_once(':') {
                None if line.is_empty() && !data.is_empty() => {
                    event.data = serde_json::from_str(&data).unwrap_or(Value::String(data));
                    return Some(event);
                }
                Some(("event", value)) => value.trim_start().clone_into(&mut event.name),
                Some(("id", value)) => event.id = Some(value.trim_start().to_owned()),
                Some(("data", value)) => data += value.strip_prefix(' ').unwrap_or(value),
                _ => {}
            }
        }
    }
}
