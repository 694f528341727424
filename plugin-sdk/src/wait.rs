//! Waiting for several things at once: futures of what the host does beside the plugin.
//!
//! [`block_on`] drives a future, and all within it, to its end. While none of them can go on the plugin sleeps until the host
//! has news, so that waiting costs nothing.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

#[cfg(target_arch = "wasm32")]
pub(crate) use component::Signal;

/// Drives `future` to its end.
///
/// # Panics
/// If it waits for nothing that the host could tell, and so would wait for ever.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    // Asked again after any news, so that it need not be told.
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
        wait_for_news();
    }
}

/// Waits, but no longer than until somebody asks the run to stop; whether that was it.
pub async fn sleep(duration: Duration) -> bool {
    #[cfg(target_arch = "wasm32")]
    {
        use crate::bindings::sandglass::plugin::run_context;
        use crate::bindings::wasi::clocks::monotonic_clock;
        let timer = Signal::new(monotonic_clock::subscribe_duration(crate::dispatch::nanoseconds(duration)));
        let stop = Signal::new(run_context::subscribe_cancel());
        std::future::poll_fn(|context| {
            // Both, so that each is waited for.
            match (stop.is_there(context), timer.is_there(context)) {
                (true, _) => Poll::Ready(true),
                (false, true) => Poll::Ready(false),
                (false, false) => Poll::Pending,
            }
        })
        .await
    }
    #[cfg(not(target_arch = "wasm32"))]
    crate::host::sleep(duration)
}

/// Waits until somebody asks the run to stop.
pub async fn stopped() {
    #[cfg(target_arch = "wasm32")]
    {
        let stop = Signal::new(crate::bindings::sandglass::plugin::run_context::subscribe_cancel());
        std::future::poll_fn(|context| if stop.is_there(context) { Poll::Ready(()) } else { Poll::Pending }).await;
    }
    #[cfg(not(target_arch = "wasm32"))]
    if crate::host::cancel_requested().is_none() {
        std::future::pending::<()>().await;
    }
}

#[cfg(not(target_arch = "wasm32"))]
fn wait_for_news() {
    panic!("in tests the host answers at once: the future waits for something else");
}

#[cfg(target_arch = "wasm32")]
use component::wait_for_news;

#[cfg(target_arch = "wasm32")]
mod component {
    use std::cell::RefCell;
    use std::rc::{Rc, Weak};
    use std::task::{Context, Waker};

    use crate::bindings::wasi::io::poll::{Pollable, poll};

    thread_local! {
        /// Who waits for what. What nobody waits for any more is gone with its owner.
        static WAITING: RefCell<Vec<(Weak<Pollable>, Waker)>> = const { RefCell::new(Vec::new()) };
    }

    /// Word from the host that something can go on.
    #[derive(Debug)]
    pub(crate) struct Signal {
        pollable: Rc<Pollable>,
    }

    impl Signal {
        pub(crate) fn new(pollable: Pollable) -> Self {
            Self { pollable: Rc::new(pollable) }
        }

        /// Whether it has come; if not, whoever asks is woken when it does.
        pub(crate) fn is_there(&self, context: &Context<'_>) -> bool {
            if self.pollable.ready() {
                return true;
            }
            let entry = (Rc::downgrade(&self.pollable), context.waker().clone());
            WAITING.with_borrow_mut(|waiting| {
                waiting.retain(|(other, _)| other.strong_count() > 0 && !Weak::ptr_eq(other, &entry.0));
                waiting.push(entry);
            });
            false
        }
    }

    /// Sleeps until something can go on, and wakes who waits for it.
    pub(super) fn wait_for_news() {
        let waiting = WAITING.with_borrow_mut(std::mem::take);
        let (pollables, wakers): (Vec<_>, Vec<_>) =
            waiting.into_iter().filter_map(|(pollable, waker)| Some((pollable.upgrade()?, waker))).unzip();
        assert!(!pollables.is_empty(), "the future waits for nothing that the host could tell");
        let ready = poll(&pollables.iter().map(Rc::as_ref).collect::<Vec<_>>());
        let mut is_ready = vec![false; pollables.len()];
        for at in ready {
            is_ready[at as usize] = true;
        }
        for ((pollable, waker), is_ready) in pollables.iter().zip(wakers).zip(is_ready) {
            if is_ready {
                waker.wake();
            } else {
                WAITING.with_borrow_mut(|waiting| waiting.push((Rc::downgrade(pollable), waker)));
            }
        }
    }
}
