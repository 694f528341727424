//! Threads that everything waits for and that never compute for long: the loop and the committer. When they wake, they go
//! before threads that compute.
//!
//! Linux gives each thread a slice of time, and since 6.12 one that wakes with a shorter slice goes first, unless it has had
//! more than its share. No thread gets more time that way, so it takes no privilege. Elsewhere, and where it is refused, they
//! wait for their turn like others: on two processors, and with a single run going, the loop waited 40 µs for the guest thread
//! that had woken it to clear away.

/// Calls `begin`; the threads that it begins go before others when they wake, and so do those that they begin.
pub(crate) fn promptly<T>(begin: impl FnOnce() -> T) -> T {
    #[cfg(target_os = "linux")]
    let _short = linux::ShortSlice::take();
    begin()
}

#[cfg(target_os = "linux")]
#[allow(unsafe_code, reason = "the C library has no functions for these two calls of the system")]
mod linux {
    use std::marker::PhantomData;

    /// The shortest slice that Linux gives, in nanoseconds.
    pub(super) const SHORTEST: u64 = 100_000;

    /// `struct sched_attr` of Linux in its first form.
    #[repr(C)]
    #[derive(Clone, Copy, Default, Debug)]
    pub(super) struct Attributes {
        size: u32,
        policy: u32,
        flags: u64,
        nice: i32,
        priority: u32,
        /// The slice, of a thread without a special policy.
        pub(super) runtime: u64,
        deadline: u64,
        period: u64,
    }

    const SIZE: u32 = size_of::<Attributes>() as u32;

    impl Attributes {
        /// Those of the calling thread.
        pub(super) fn read() -> Option<Self> {
            let mut attributes = Self::default();
            // SAFETY: the pointer is to writable memory of the size that is said.
            let answer = unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &raw mut attributes, SIZE, 0) };
            (answer == 0).then_some(attributes)
        }

        /// Whether they are those of a thread that nobody gave a special policy.
        pub(super) fn are_ordinary(&self) -> bool {
            u32::try_from(libc::SCHED_OTHER) == Ok(self.policy)
        }

        /// Makes them the calling thread's; whether that may be.
        pub(super) fn write(&self) -> bool {
            // SAFETY: the pointer is to initialised memory, whose size is its first field.
            unsafe { libc::syscall(libc::SYS_sched_setattr, 0, std::ptr::from_ref(self), 0) == 0 }
        }
    }

    /// A short slice of the calling thread, which threads that it begins inherit. When this is dropped it has again the one that
    /// it had, if the system's own then as a setting of the thread's.
    pub(super) struct ShortSlice {
        before: Option<Attributes>,
        /// It is of one thread.
        _here: PhantomData<*const ()>,
    }

    impl ShortSlice {
        pub(super) fn take() -> Self {
            // Whoever gave this process another policy has their reasons.
            let before = Attributes::read().filter(Attributes::are_ordinary);
            let before = before.filter(|before| Attributes { runtime: SHORTEST, ..*before }.write());
            Self { before, _here: PhantomData }
        }
    }

    impl Drop for ShortSlice {
        fn drop(&mut self) {
            if let Some(before) = self.before {
                before.write();
            }
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::linux::{Attributes, SHORTEST};
    use super::promptly;

    /// None where asking is refused.
    fn slice() -> Option<u64> {
        Some(Attributes::read()?.runtime)
    }

    /// The shortest slice that this system gives an ordinary thread: older ones take it and do nothing, and some sandboxes
    /// refuse it.
    fn shortest() -> Option<u64> {
        let mut attributes = Attributes::read()?;
        if attributes.are_ordinary() {
            attributes.runtime = SHORTEST;
            attributes.write();
        }
        slice()
    }

    #[test]
    fn threads_that_are_begun_promptly_have_a_short_slice_and_others_their_own() {
        let of_thread = || std::thread::spawn(slice);
        let before = slice();
        let (within, prompt) = promptly(|| (slice(), of_thread().join().unwrap()));
        assert_eq!(prompt, within);
        assert_eq!(prompt, std::thread::spawn(shortest).join().unwrap());
        assert_eq!((slice(), of_thread().join().unwrap()), (before, before));
    }
}
