//! A program that runs on another machine.

use std::sync::Arc;

use russh::client::Msg;
use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{mpsc, watch};
use zeroize::Zeroizing;

use crate::connect::Connection;
use crate::error::SshError;
use crate::line::{self, MARK};
use crate::program::{Ended, Finished, Program, Sig};

/// What is read from an input at once, in bytes: as much as a packet carries.
const CHUNK: usize = 32 << 10;
/// Signals that may wait to be sent.
const SIGNALS: usize = 8;
/// How much an account's shell may print before a program runs, in bytes, for its process id to be found.
const PREAMBLE: usize = 64 << 10;
/// How a reader says that it takes no more, and nothing more need be sent. One that is gone says otherwise.
const TOO_MUCH: std::io::ErrorKind = std::io::ErrorKind::FileTooLarge;
/// How much of standard error is kept, in bytes.
const STDERR: usize = 4 << 10;

/// A program that runs on another machine. Dropping it closes its channel, which leaves it without input and output but
/// does not stop it: [`Remote::signal`] does.
#[derive(Debug)]
pub struct Remote {
    ended: watch::Receiver<Option<Ended>>,
    signals: mpsc::Sender<Sig>,
    task: tokio::task::AbortHandle,
}

impl Drop for Remote {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Remote {
    /// Starts `program` and moves its input and output. Returns at once: that it could not be started is how it ends.
    pub fn start<I, O, E>(connection: Arc<Connection>, program: Program, stdin: I, mut stdout: O, mut stderr: E) -> Self
    where
        I: AsyncRead + Send + Unpin + 'static,
        O: AsyncWrite + Send + Unpin + 'static,
        E: AsyncWrite + Send + Unpin + 'static,
    {
        let (end, ended) = watch::channel(None);
        let (signals, mut asked) = mpsc::channel(SIGNALS);
        let task = tokio::spawn(async move {
            let how = match conduct(&connection, &program, stdin, &mut stdout, &mut stderr, &mut asked).await {
                Ok(ended) => ended,
                // Where the connection broke nobody knows how far it came.
                Err(error) if error.is_passing() => Ended::Lost(error.to_string()),
                Err(error) => Ended::NotStarted(error),
            };
            // Whoever reads them sees their end before that of the program.
            drop((stdout, stderr));
            end.send_replace(Some(how));
        });
        Self { ended, signals, task: task.abort_handle() }
    }

    /// Waits until it has ended and all its output is written.
    pub async fn ended(&self) -> Ended {
        let mut ended = self.ended.clone();
        let how = ended.wait_for(Option::is_some).await.map(|how| how.clone());
        how.ok().flatten().unwrap_or_else(|| Ended::Lost("nobody waited for it".to_owned()))
    }

    /// Sends it a signal. One that is sent before the program runs arrives when it does.
    pub async fn signal(&self, signal: Sig) {
        // An error means that it has ended.
        let _ = self.signals.send(signal).await;
    }
}

impl Connection {
    /// Runs `program` to its end with `input`, and keeps up to `keep` bytes of what it prints.
    ///
    /// # Errors
    ///
    /// If it cannot be started, prints more than that, or the connection breaks.
    pub async fn run(
        &self,
        program: &Program,
        input: impl AsyncRead + Send + Unpin,
        keep: usize,
    ) -> Result<Finished, SshError> {
        let (mut stdout, mut stderr) = (Kept::new(keep, false), Kept::new(STDERR, true));
        let (_signals, mut asked) = mpsc::channel(1);
        let ended = conduct(self, program, input, &mut stdout, &mut stderr, &mut asked).await;
        if stdout.overflowed {
            return Err(failed(self, format!("it printed more than {keep} bytes")));
        }
        let ended = ended.map_err(|error| match error {
            SshError::Failed { machine, why } => {
                let said = String::from_utf8_lossy(&stderr.bytes).trim().to_owned();
                SshError::Failed { machine, why: if said.is_empty() { why } else { format!("{why}: {said}") } }
            }
            other => other,
        })?;
        Ok(Finished { ended, stdout: stdout.bytes, stderr: stderr.bytes })
    }
}

/// From the opening of a channel to its end.
async fn conduct(
    connection: &Connection,
    program: &Program,
    stdin: impl AsyncRead + Send + Unpin,
    stdout: &mut (impl AsyncWrite + Unpin),
    stderr: &mut (impl AsyncWrite + Unpin),
    signals: &mut mpsc::Receiver<Sig>,
) -> Result<Ended, SshError> {
    let line = line::posix(program)?;
    let (channel, _permit) = connection.channel().await?;
    let broken = |error: russh::Error| connection.broken(&error);
    let (mut read, write) = channel.split();
    write.exec(true, line.text).await.map_err(broken)?;
    started(connection, &mut read).await?;
    let (announce, announced) = watch::channel(None);
    let moving = listen(&mut read, stdout, stderr, &announce);
    let feeding = async {
        let _ = feed(&write, line.header, stdin).await;
        std::future::pending::<()>().await;
    };
    let signalling = async {
        while let Some(signal) = signals.recv().await {
            let pid = announced.clone().wait_for(Option::is_some).await.ok().and_then(|pid| *pid);
            if let Some(pid) = pid {
                // What cannot be sent was for nobody, or the connection is broken, which shows by itself.
                let _ = send(connection, program, signal, pid).await;
            }
        }
        std::future::pending::<()>().await;
    };
    let (ended, preamble) = tokio::select! {
        told = moving => told,
        () = feeding => unreachable!("feeding is pending when it is done"),
        () = signalling => unreachable!("signalling is pending when it is done"),
    };
    let _ = write.close().await;
    if let (Some(ended), Some(preamble)) = (&ended, preamble) {
        // The account's shell, or the switch to another, ended before it: what that printed is all there is to tell.
        let said = String::from_utf8_lossy(&preamble.bytes).trim().chars().take(STDERR).collect::<String>();
        let said = if said.is_empty() { String::new() } else { format!(": {said}") };
        return Err(failed(connection, format!("the program was not started, {}{said}", told(ended))));
    }
    ended.ok_or_else(|| connection.broken(&"the connection broke before the program had ended"))
}

fn failed(connection: &Connection, why: String) -> SshError {
    SshError::Failed { machine: connection.machine().to_owned(), why }
}

fn told(ended: &Ended) -> String {
    match ended {
        Ended::Exited(code) => format!("and what should start it ended with exit code {code}"),
        Ended::Signalled(signal) => format!("and what should start it was ended by the signal {signal}"),
        Ended::Lost(why) => why.clone(),
        Ended::NotStarted(error) => error.to_string(),
    }
}

/// Waits for word that the machine runs it.
async fn started(connection: &Connection, read: &mut ChannelReadHalf) -> Result<(), SshError> {
    loop {
        match read.wait().await {
            Some(ChannelMsg::Success) => return Ok(()),
            Some(ChannelMsg::WindowAdjusted { .. }) => {}
            Some(ChannelMsg::Failure) => {
                return Err(failed(connection, "it lets the account in but runs no programs for it".to_owned()));
            }
            _ => return Err(connection.broken(&"the connection broke before the program was started")),
        }
    }
}

/// Sends a signal by a program of its own: not every server passes on those of the protocol, and none does to another
/// account.
async fn send(connection: &Connection, program: &Program, signal: Sig, pid: u32) -> Result<(), SshError> {
    let line = line::signal(program.run_as.as_deref(), name_of(signal), pid)?;
    let mut channel = connection.spare_channel().await?;
    channel.exec(true, line).await.map_err(|error| connection.broken(&error))?;
    while channel.wait().await.is_some() {}
    Ok(())
}

/// Moves output until the channel is closed: how the program ended, if the machine told, and what came instead of its process
/// id, if that never came.
async fn listen(
    read: &mut ChannelReadHalf,
    stdout: &mut (impl AsyncWrite + Unpin),
    stderr: &mut (impl AsyncWrite + Unpin),
    announce: &watch::Sender<Option<u32>>,
) -> (Option<Ended>, Option<Preamble>) {
    let mut ended = None;
    let mut preamble = Some(Preamble::default());
    while let Some(message) = read.wait().await {
        match message {
            // Whoever does not want the output any more does not stop the program.
            ChannelMsg::Data { data } => match &mut preamble {
                None if stdout.write_all(&data).await.is_err_and(|error| error.kind() == TOO_MUCH) => break,
                None => {}
                Some(before) => {
                    if let Some((pid, rest)) = before.take(&data) {
                        announce.send_replace(pid);
                        preamble = None;
                        if stdout.write_all(&rest).await.is_err_and(|error| error.kind() == TOO_MUCH) {
                            break;
                        }
                    }
                }
            },
            ChannelMsg::ExtendedData { data, ext: 1 } => drop(stderr.write_all(&data).await),
            ChannelMsg::ExitStatus { exit_status } => ended = Some(Ended::Exited(exit_status)),
            ChannelMsg::ExitSignal { signal_name, .. } => ended = Some(Ended::Signalled(name(&signal_name))),
            ChannelMsg::Close => break,
            _ => {}
        }
    }
    // A file needs this; a pipe does not mind.
    let _ = tokio::join!(stdout.flush(), stderr.flush());
    (ended, preamble)
}

async fn feed(
    write: &ChannelWriteHalf<Msg>,
    header: Zeroizing<Vec<u8>>,
    mut stdin: impl AsyncRead + Unpin,
) -> Result<(), russh::Error> {
    if !header.is_empty() {
        write.data(header.as_slice()).await?;
    }
    loop {
        // Each is a packet as long as may be: a server copies all that it has not passed on yet with every packet that comes.
        let mut chunk = Vec::with_capacity(CHUNK);
        match stdin.read_buf(&mut chunk).await {
            Ok(0) | Err(_) => return write.eof().await,
            Ok(_) => write.data_bytes(chunk).await?,
        }
    }
}

/// What comes before a program's own output: perhaps something that the account's shell prints at its start, and the line
/// with the process id.
#[derive(Default)]
struct Preamble {
    bytes: Vec<u8>,
}

impl Preamble {
    /// Takes more. Once it is complete, or is none: the process id, if it is known, and what else there was.
    fn take(&mut self, data: &[u8]) -> Option<(Option<u32>, Vec<u8>)> {
        self.bytes.extend_from_slice(data);
        let starts = |at: usize| at == 0 || self.bytes[at - 1] == b'\n';
        let found = self.bytes.windows(MARK.len()).enumerate().find(|(at, bytes)| *bytes == MARK && starts(*at));
        if let Some((start, _)) = found {
            let digits = start + MARK.len();
            let end = digits + self.bytes[digits..].iter().position(|byte| *byte == b'\n')?;
            let pid = std::str::from_utf8(&self.bytes[digits..end]).ok().and_then(|text| text.parse().ok());
            let mut rest = std::mem::take(&mut self.bytes);
            rest.drain(start..=end);
            return Some((pid, rest));
        }
        (self.bytes.len() > PREAMBLE).then(|| (None, std::mem::take(&mut self.bytes)))
    }
}

/// What the protocol calls the signal that ended a program.
fn name(signal: &russh::Sig) -> String {
    let text = match signal {
        russh::Sig::Custom(name) => name.clone(),
        other => format!("{other:?}"),
    };
    text.trim_start_matches("SIG").to_owned()
}

const fn name_of(signal: Sig) -> &'static str {
    match signal {
        Sig::Terminate => "TERM",
        Sig::Interrupt => "INT",
        Sig::Hangup => "HUP",
        Sig::User1 => "USR1",
        Sig::User2 => "USR2",
        Sig::Kill => "KILL",
    }
}

/// Keeps the beginning, or the end, of what is written.
struct Kept {
    bytes: Vec<u8>,
    limit: usize,
    is_end: bool,
    overflowed: bool,
}

impl Kept {
    fn new(limit: usize, is_end: bool) -> Self {
        Self { bytes: Vec::new(), limit, is_end, overflowed: false }
    }
}

impl AsyncWrite for Kept {
    fn poll_write(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        bytes: &[u8],
    ) -> std::task::Poll<std::io::Result<usize>> {
        self.bytes.extend_from_slice(bytes);
        let excess = self.bytes.len().saturating_sub(self.limit);
        if excess > 0 {
            self.overflowed = true;
            let limit = self.limit;
            if !self.is_end {
                self.bytes.truncate(limit);
                return std::task::Poll::Ready(Err(TOO_MUCH.into()));
            }
            drop(self.bytes.drain(..excess));
        }
        std::task::Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn poll_shutdown(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::task::Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_id_is_taken_out_of_the_output() {
        let mut preamble = Preamble::default();
        assert_eq!(preamble.take(b"wel"), None);
        assert_eq!(preamble.take(b"come, sandglass:7\nsandg"), None);
        assert_eq!(preamble.take(b"lass:42"), None);
        let (pid, rest) = preamble.take(b"1\nhello").unwrap();
        assert_eq!((pid, rest.as_slice()), (Some(421), &b"welcome, sandglass:7\nhello"[..]));
        let (pid, rest) = Preamble::default().take(&vec![b'x'; PREAMBLE + 1]).unwrap();
        assert_eq!((pid, rest.len()), (None, PREAMBLE + 1));
    }
}
