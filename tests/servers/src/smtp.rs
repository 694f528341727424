//! A mail server with encryption and passwords.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::Certificate;

/// How long a client may say nothing.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a conversation is encrypted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Security {
    /// Not at all, and nothing is offered.
    Plain,
    /// After `STARTTLS`.
    Starttls,
    /// From the first byte.
    Tls,
}

/// How clients tell their password (RFC 4954).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mechanism {
    /// In one answer.
    Plain,
    /// Asked for the name and then for the password.
    Login,
}

/// A mail server on a free port of 127.0.0.1 that takes mail of whoever knows the password, for all but `nobody@…`
/// and, just now, `later@…`.
#[derive(Debug)]
pub struct Smtp {
    address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
    over: Arc<AtomicBool>,
}

/// What clients said.
#[derive(Clone, Debug, Default)]
struct Seen {
    /// The texts of mails.
    mails: Vec<String>,
    /// Whom they were for.
    recipients: Vec<String>,
    /// Every line that was not encrypted.
    clear: Vec<String>,
    /// How many mails were refused for what they say.
    unwanted: usize,
}

/// What a conversation goes by.
struct Rules {
    config: Arc<ServerConfig>,
    security: Security,
    mechanism: Mechanism,
    /// In base64, as the mechanism sends them.
    logins: Vec<String>,
}

impl Smtp {
    /// Starts one. `logins` is what a client sends in base64 for the mechanism, without what the server says between.
    ///
    /// # Panics
    ///
    /// If there is no free port.
    #[must_use]
    pub fn start(certificate: &Certificate, security: Security, mechanism: Mechanism, logins: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("this machine has a free port");
        let address = listener.local_addr().expect("a listener has an address");
        let (seen, over) = (Arc::<Mutex<Seen>>::default(), Arc::<AtomicBool>::default());
        let (shelf, ending) = (Arc::clone(&seen), Arc::clone(&over));
        let logins = logins.iter().map(ToString::to_string).collect();
        let rules = Arc::new(Rules { config: certificate.serve(None), security, mechanism, logins });
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if ending.load(Ordering::SeqCst) {
                    return;
                }
                let (shelf, rules) = (Arc::clone(&shelf), Arc::clone(&rules));
                // A connection that breaks is its client's to tell.
                std::thread::spawn(move || drop(converse(stream, &rules, &shelf)));
            }
        });
        Self { address, seen, over }
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The mails that came so far: headers and text.
    #[must_use]
    pub fn mails(&self) -> Vec<String> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).mails.clone()
    }

    /// Whom mails came for so far, as the server was told: `<a@b.example>`.
    #[must_use]
    pub fn recipients(&self) -> Vec<String> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).recipients.clone()
    }

    /// How many mails were refused so far for their subject, `unwanted`.
    #[must_use]
    pub fn unwanted(&self) -> usize {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).unwanted
    }

    /// Every line that came without encryption.
    #[must_use]
    pub fn clear(&self) -> Vec<String> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clear.clone()
    }
}

impl Drop for Smtp {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        // Wakes the one who waits for connections.
        drop(TcpStream::connect(self.address));
    }
}

/// What to do when a part of a conversation is over.
#[derive(PartialEq, Eq)]
enum Next {
    Encrypt,
    End,
}

fn converse(stream: TcpStream, rules: &Rules, shelf: &Mutex<Seen>) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let encrypted = |stream| -> std::io::Result<_> {
        let connection = ServerConnection::new(Arc::clone(&rules.config)).map_err(std::io::Error::other)?;
        Ok(BufReader::new(StreamOwned::new(connection, stream)))
    };
    if rules.security == Security::Tls {
        let mut reader = encrypted(stream)?;
        reader.get_mut().write_all(GREETING)?;
        return talk(&mut reader, rules, shelf, false).map(drop);
    }
    let mut reader = BufReader::new(stream);
    reader.get_mut().write_all(GREETING)?;
    if talk(&mut reader, rules, shelf, true)? == Next::Encrypt {
        talk(&mut encrypted(reader.into_inner())?, rules, shelf, false)?;
    }
    Ok(())
}

const GREETING: &[u8] = b"220 test ESMTP\r\n";

/// As much of RFC 5321 as a client needs.
fn talk<S: Read + Write>(
    reader: &mut BufReader<S>,
    rules: &Rules,
    shelf: &Mutex<Seen>,
    clear: bool,
) -> std::io::Result<Next> {
    let shelf = || shelf.lock().unwrap_or_else(PoisonError::into_inner);
    let mut welcome = rules.logins.is_empty();
    let mut recipients = Vec::new();
    loop {
        let line = read_line(reader)?;
        let (verb, rest) = line.split_once(' ').unwrap_or((&line, ""));
        if clear {
            shelf().clear.push(line.clone());
        }
        let answer = match verb.to_ascii_uppercase().as_str() {
            "EHLO" => capabilities(rules, clear),
            "STARTTLS" if clear && rules.security == Security::Starttls => {
                reader.get_mut().write_all(b"220 go on\r\n")?;
                return Ok(Next::Encrypt);
            }
            "AUTH" => {
                welcome = tells_password(reader, rules, rest)?;
                if welcome { "235 2.7.0 welcome\r\n" } else { "535 5.7.8 wrong name or password\r\n" }
            }
            "MAIL" | "RCPT" | "DATA" if !welcome => "530 5.7.0 who are you?\r\n",
            "MAIL" => {
                recipients.clear();
                "250 ok\r\n"
            }
            "RCPT" if rest.to_ascii_lowercase().contains("<nobody@") => "550 5.1.1 no such user here\r\n",
            "RCPT" if rest.to_ascii_lowercase().contains("<later@") => "450 4.2.0 try again\r\n",
            "RCPT" => {
                recipients.extend(rest.split_once(':').map(|(_, recipient)| recipient.to_owned()));
                "250 ok\r\n"
            }
            "DATA" => {
                reader.get_mut().write_all(b"354 go on\r\n")?;
                let mut mail = String::new();
                loop {
                    let line = read_line(reader)?;
                    if line == "." {
                        break;
                    }
                    mail.push_str(&line);
                    mail.push('\n');
                }
                let mut shelf = shelf();
                if mail.contains("Subject: unwanted\n") {
                    shelf.unwanted += 1;
                    "554 5.7.1 nobody wants that\r\n"
                } else {
                    shelf.mails.push(mail);
                    shelf.recipients.append(&mut recipients);
                    "250 taken\r\n"
                }
            }
            "QUIT" => {
                reader.get_mut().write_all(b"221 bye\r\n")?;
                return Ok(Next::End);
            }
            "STARTTLS" => "502 5.5.1 not here\r\n",
            _ => "250 ok\r\n",
        };
        reader.get_mut().write_all(answer.as_bytes())?;
    }
}

/// Passwords are asked for where nobody else reads them.
const fn capabilities(rules: &Rules, clear: bool) -> &'static str {
    match (clear, rules.security, rules.mechanism) {
        (true, Security::Starttls, _) => "250-test\r\n250-8BITMIME\r\n250 STARTTLS\r\n",
        (_, _, Mechanism::Plain) => "250-test\r\n250-8BITMIME\r\n250 AUTH PLAIN\r\n",
        (_, _, Mechanism::Login) => "250-test\r\n250-8BITMIME\r\n250 AUTH LOGIN\r\n",
    }
}

fn tells_password<S: Read + Write>(reader: &mut BufReader<S>, rules: &Rules, rest: &str) -> std::io::Result<bool> {
    let mut said = Vec::new();
    match rules.mechanism {
        Mechanism::Plain => said.push(rest.strip_prefix("PLAIN ").unwrap_or_default().to_owned()),
        Mechanism::Login => {
            // "Username:" and "Password:".
            for question in ["334 VXNlcm5hbWU6\r\n", "334 UGFzc3dvcmQ6\r\n"] {
                reader.get_mut().write_all(question.as_bytes())?;
                said.push(read_line(reader)?);
            }
        }
    }
    Ok(said == rules.logins)
}

fn read_line<S: Read>(reader: &mut BufReader<S>) -> std::io::Result<String> {
    const LINE: u64 = 64 << 10;
    let mut line = String::new();
    if reader.take(LINE).read_line(&mut line)? == 0 {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
