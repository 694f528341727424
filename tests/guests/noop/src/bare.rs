//! What a program without the standard library must bring: an allocator, for itself and for the host, and an end for panics.
#![allow(unsafe_code, reason = "an allocator hands out raw memory, and there is no other here")]

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicUsize, Ordering};

/// More than a run of this guest takes; an allocation beyond it fails.
const HEAP_BYTES: usize = 256 * 1024;

/// Hands out one piece of a fixed block after the other, and takes nothing back.
struct Bump {
    heap: UnsafeCell<[u8; HEAP_BYTES]>,
    used: AtomicUsize,
}

// SAFETY: a component has one thread, and each piece of the block is handed out once.
unsafe impl Sync for Bump {}

// SAFETY: pieces do not overlap, because `used` only grows, and each begins at a multiple of the alignment asked for.
unsafe impl GlobalAlloc for Bump {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let base = self.heap.get() as usize;
        let used = self.used.load(Ordering::Relaxed);
        let start = (base + used).next_multiple_of(layout.align()) - base;
        let Some(end) = start.checked_add(layout.size()).filter(|end| *end <= HEAP_BYTES) else {
            return core::ptr::null_mut();
        };
        self.used.store(end, Ordering::Relaxed);
        // SAFETY: `start` lies within the block, by the check above.
        unsafe { self.heap.get().cast::<u8>().add(start) }
    }

    unsafe fn dealloc(&self, _block: *mut u8, _layout: Layout) {}
}

#[global_allocator]
static BUMP: Bump = Bump { heap: UnsafeCell::new([0; HEAP_BYTES]), used: AtomicUsize::new(0) };

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}

/// Where the host asks for memory when it passes strings and lists in. Nothing is ever given back or made larger.
#[unsafe(no_mangle)]
extern "C" fn cabi_realloc(_old: *mut u8, _old_bytes: usize, align: usize, bytes: usize) -> *mut u8 {
    match Layout::from_size_align(bytes, align) {
        // SAFETY: the allocator takes layouts of any size, even none.
        Ok(layout) => unsafe { BUMP.alloc(layout) },
        Err(_) => core::arch::wasm32::unreachable(),
    }
}
