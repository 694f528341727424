//! A mail server that keeps what it takes.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A mail as it came.
#[derive(Clone, Debug, Default)]
pub struct Mail {
    /// The user name and password that came before, as `AUTH PLAIN` sends them, if any.
    pub login: Option<String>,
    /// The sender and the recipients, as the conversation named them.
    pub from: String,
    /// See `from`.
    pub to: Vec<String>,
    /// Headers and text.
    pub data: String,
}

/// A mail server on a free port of this machine, without TLS. It refuses recipients that begin with `nobody` for ever, and
/// those that begin with `busy` for the time being. It lives as long as the test's process.
#[derive(Debug)]
pub struct MailServer {
    address: SocketAddr,
    mails: Arc<Mutex<Vec<Mail>>>,
}

impl Default for MailServer {
    fn default() -> Self {
        Self::start()
    }
}

impl MailServer {
    /// Starts it.
    ///
    /// # Panics
    ///
    /// If there is no free port.
    #[must_use]
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("this machine has a free port");
        let address = listener.local_addr().expect("a listener has an address");
        let mails: Arc<Mutex<Vec<Mail>>> = Arc::default();
        let shelf = Arc::clone(&mails);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shelf = Arc::clone(&shelf);
                // A connection that breaks is its client's to tell.
                std::thread::spawn(move || drop(converse(stream, &shelf)));
            }
        });
        Self { address, mails }
    }

    /// Its port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// What came so far.
    #[must_use]
    pub fn mails(&self) -> Vec<Mail> {
        self.mails.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// As much of RFC 5321 as a client needs that sends one mail after another.
fn converse(stream: TcpStream, shelf: &Mutex<Vec<Mail>>) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let mut reader = BufReader::new(stream);
    let mut mail = Mail::default();
    reader.get_mut().write_all(b"220 test ESMTP\r\n")?;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let line = line.trim_end();
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        let answer = match verb.to_ascii_uppercase().as_str() {
            "EHLO" => "250-test\r\n250-8BITMIME\r\n250 AUTH PLAIN LOGIN\r\n",
            "AUTH" => {
                mail.login = rest.strip_prefix("PLAIN ").map(str::to_owned);
                "235 welcome\r\n"
            }
            "MAIL" => {
                mail.from = address(rest);
                "250 ok\r\n"
            }
            "RCPT" if address(rest).starts_with("nobody") => "550 5.1.1 nobody of this name here\r\n",
            "RCPT" if address(rest).starts_with("busy") => "451 4.3.0 come again later\r\n",
            "RCPT" => {
                mail.to.push(address(rest));
                "250 ok\r\n"
            }
            "DATA" => {
                reader.get_mut().write_all(b"354 go on\r\n")?;
                mail.data = read_data(&mut reader)?;
                shelf.lock().unwrap_or_else(PoisonError::into_inner).push(std::mem::take(&mut mail));
                "250 taken\r\n"
            }
            "QUIT" => return reader.get_mut().write_all(b"221 bye\r\n"),
            _ => "250 ok\r\n",
        };
        reader.get_mut().write_all(answer.as_bytes())?;
    }
}

/// What stands between `<` and `>`.
fn address(text: &str) -> String {
    let inner = text.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    inner.map_or_else(String::new, |(address, _)| address.to_owned())
}

/// Everything until the line with a dot alone.
fn read_data(reader: &mut BufReader<TcpStream>) -> std::io::Result<String> {
    let mut data = String::new();
    loop {
        let start = data.len();
        if reader.read_line(&mut data)? == 0 || data[start..].trim_end() == "." {
            data.truncate(start);
            return Ok(data);
        }
    }
}
