//! What a machine was asked, as a future.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::{Answer, CopyReport, ExitReport, Stat, host};
#[cfg(target_arch = "wasm32")]
use crate::wait::Signal;
use crate::{Error, ErrorCode};

/// What a machine was asked. It goes on beside others, whether this is waited for or not; dropping it gives it up.
#[derive(Debug)]
#[must_use = "dropping it gives up what was asked"]
pub struct Pending<T> {
    state: State,
    kind: PhantomData<fn() -> T>,
}

#[derive(Debug)]
enum State {
    Going {
        /// Dropped before what it tells of.
        #[cfg(target_arch = "wasm32")]
        ready: Signal,
        operation: host::Operation,
    },
    Refused(Option<Error>),
}

/// What an answer is of.
pub trait FromAnswer: Sized {
    /// The answer, if it is of this kind.
    fn from_answer(answer: Answer) -> Option<Self>;
}

impl<T: FromAnswer> Pending<T> {
    #[cfg(target_arch = "wasm32")]
    pub(super) fn new(operation: Result<host::Operation, Error>) -> Self {
        let state = match operation {
            Ok(operation) => State::Going { ready: Signal::new(operation.subscribe()), operation },
            Err(error) => State::Refused(Some(error)),
        };
        Self { state, kind: PhantomData }
    }

    #[cfg(not(target_arch = "wasm32"))]
    pub(super) fn new(operation: Result<host::Operation, Error>) -> Self {
        let state = match operation {
            Ok(operation) => State::Going { operation },
            Err(error) => State::Refused(Some(error)),
        };
        Self { state, kind: PhantomData }
    }
}

fn lost(what: &str) -> Error {
    Error { code: ErrorCode::Internal, message: what.to_owned(), detail: None }
}

impl<T: FromAnswer> Future for Pending<T> {
    type Output = Result<T, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let _ = &context;
        match &mut self.state {
            State::Refused(error) => Poll::Ready(Err(error.take().unwrap_or_else(|| lost("it was told before")))),
            #[cfg(target_arch = "wasm32")]
            State::Going { ready, operation } => {
                if !ready.is_there(context) {
                    return Poll::Pending;
                }
                Poll::Ready(given(operation.finish()))
            }
            #[cfg(not(target_arch = "wasm32"))]
            State::Going { operation } => Poll::Ready(given(operation.finish())),
        }
    }
}

fn given<T: FromAnswer>(answer: Result<Answer, Error>) -> Result<T, Error> {
    T::from_answer(answer?).ok_or_else(|| lost("the host answered something else than it was asked"))
}

impl FromAnswer for () {
    fn from_answer(answer: Answer) -> Option<Self> {
        matches!(answer, Answer::Done).then_some(())
    }
}

impl FromAnswer for CopyReport {
    fn from_answer(answer: Answer) -> Option<Self> {
        if let Answer::Copied(report) = answer { Some(report) } else { None }
    }
}

impl FromAnswer for Option<Stat> {
    fn from_answer(answer: Answer) -> Option<Self> {
        if let Answer::Found(stat) = answer { Some(stat) } else { None }
    }
}

impl FromAnswer for Vec<u8> {
    fn from_answer(answer: Answer) -> Option<Self> {
        if let Answer::Contents(bytes) = answer { Some(bytes) } else { None }
    }
}

impl FromAnswer for ExitReport {
    fn from_answer(answer: Answer) -> Option<Self> {
        if let Answer::Ended(report) = answer { Some(report) } else { None }
    }
}
