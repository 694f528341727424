//! What was started, be it a program or a container, and the streams to and from it.

use std::io::{self, Read, Write};

use crate::Error;

pub use crate::bindings::exec::sandglass::plugin::exec::{Ending, ExitReport, Input, Output, Signal};

#[cfg(target_arch = "wasm32")]
type Inner = crate::bindings::exec::sandglass::plugin::exec::Task;
#[cfg(not(target_arch = "wasm32"))]
type Inner = ExitReport;

/// A started program or container. Dropping it stops what it stands for: a polite signal, a grace, then a kill of all of it.
#[derive(Debug)]
pub struct Task {
    inner: Inner,
}

impl Task {
    #[cfg(any(feature = "process", feature = "docker"))]
    pub(crate) fn new(inner: Inner) -> Self {
        Self { inner }
    }
}

#[cfg(target_arch = "wasm32")]
impl Task {
    /// The way into the program, once, if its input is a pipe.
    ///
    /// # Errors
    /// If the input is no pipe or was taken before.
    pub fn stdin(&self) -> Result<Writer, Error> {
        self.inner.take_stdin().map(|stream| Writer { stream })
    }

    /// The program's standard output, once, if it is a pipe.
    ///
    /// # Errors
    /// If the output is no pipe or was taken before.
    pub fn stdout(&self) -> Result<Reader, Error> {
        self.inner.take_stdout().map(|stream| Reader { stream })
    }

    /// The program's standard error, once, if it is a pipe.
    ///
    /// # Errors
    /// If the output is no pipe or was taken before.
    pub fn stderr(&self) -> Result<Reader, Error> {
        self.inner.take_stderr().map(|stream| Reader { stream })
    }

    /// Sends a signal to the program's group.
    ///
    /// # Errors
    /// If the program has ended.
    pub fn signal(&self, signal: Signal) -> Result<(), Error> {
        self.inner.signal(signal)
    }

    /// Waits until the program has ended.
    ///
    /// # Errors
    /// If the host lost sight of the program.
    pub fn wait(self) -> Result<ExitReport, Error> {
        self.inner.wait()
    }
}

#[cfg(not(target_arch = "wasm32"))]
impl Task {
    /// The way into the program; in tests, what is written is dropped.
    ///
    /// # Errors
    /// None in tests.
    pub fn stdin(&self) -> Result<Writer, Error> {
        Ok(Writer { stream: io::sink() })
    }

    /// The program's standard output; in tests, the report's.
    ///
    /// # Errors
    /// None in tests.
    pub fn stdout(&self) -> Result<Reader, Error> {
        Ok(Reader { stream: io::Cursor::new(self.inner.stdout.clone()) })
    }

    /// The program's standard error; in tests, the report's.
    ///
    /// # Errors
    /// None in tests.
    pub fn stderr(&self) -> Result<Reader, Error> {
        Ok(Reader { stream: io::Cursor::new(self.inner.stderr.clone()) })
    }

    /// Sends a signal; in tests, to nobody.
    ///
    /// # Errors
    /// None in tests.
    pub fn signal(&self, _signal: Signal) -> Result<(), Error> {
        Ok(())
    }

    /// The report that the test gave.
    ///
    /// # Errors
    /// None in tests.
    pub fn wait(self) -> Result<ExitReport, Error> {
        Ok(self.inner)
    }
}

#[cfg(target_arch = "wasm32")]
type OutputStream = crate::bindings::wasi::io::streams::OutputStream;
#[cfg(not(target_arch = "wasm32"))]
type OutputStream = io::Sink;
#[cfg(target_arch = "wasm32")]
type InputStream = crate::bindings::wasi::io::streams::InputStream;
#[cfg(not(target_arch = "wasm32"))]
type InputStream = io::Cursor<Vec<u8>>;

/// The way into a program; dropping it ends the program's input.
#[derive(Debug)]
pub struct Writer {
    stream: OutputStream,
}

/// What comes out of a program.
#[derive(Debug)]
pub struct Reader {
    stream: InputStream,
}

/// What one blocking write may carry, by the rules of `wasi:io`.
#[cfg(target_arch = "wasm32")]
const WRITE_BYTES: usize = 4096;

impl Write for Writer {
    #[cfg(target_arch = "wasm32")]
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let part = &buffer[..buffer.len().min(WRITE_BYTES)];
        self.stream.blocking_write_and_flush(part).map_err(stream_error)?;
        Ok(part.len())
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.stream.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Reader {
    #[cfg(target_arch = "wasm32")]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        use crate::bindings::wasi::io::streams::StreamError;
        if buffer.is_empty() {
            return Ok(0);
        }
        match self.stream.blocking_read(buffer.len() as u64) {
            Ok(bytes) => {
                buffer[..bytes.len()].copy_from_slice(&bytes);
                Ok(bytes.len())
            }
            Err(StreamError::Closed) => Ok(0),
            Err(error) => Err(stream_error(error)),
        }
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.read(buffer)
    }
}

#[cfg(target_arch = "wasm32")]
fn stream_error(error: crate::bindings::wasi::io::streams::StreamError) -> io::Error {
    use crate::bindings::wasi::io::streams::StreamError;
    match error {
        StreamError::Closed => io::Error::new(io::ErrorKind::BrokenPipe, "the program no longer reads"),
        StreamError::LastOperationFailed(error) => io::Error::other(error.to_debug_string()),
    }
}
