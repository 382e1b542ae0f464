//! What parses bytes from outside reserves no more memory than those bytes warrant, whatever they are.
//!
//! An allocator that counts stands under this whole program; each thread counts for itself, so that tests
//! may run beside each other.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

mod frames;
mod journal;

thread_local! {
    static HELD: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

fn took(bytes: usize) {
    HELD.set(HELD.get().saturating_add(bytes));
    PEAK.set(PEAK.get().max(HELD.get()));
}

fn gave(bytes: usize) {
    HELD.set(HELD.get().saturating_sub(bytes));
}

// SAFETY: every call goes to the system's allocator unchanged; the counters are plain numbers of this
// thread, without a destructor, so that touching them allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        took(layout.size());
        // SAFETY: the caller keeps to the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        gave(layout.size());
        // SAFETY: the caller keeps to the contract of `dealloc`, and `alloc` above is the system's.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Old and new may live side by side for a moment.
        took(size);
        gave(layout.size());
        // SAFETY: the caller keeps to the contract of `realloc`.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most that `work` held at once, beyond what was held before.
fn peak_of<T>(work: impl FnOnce() -> T) -> usize {
    let before = HELD.get();
    PEAK.set(before);
    let result = work();
    let peak = PEAK.get();
    drop(result);
    peak.saturating_sub(before)
}

#[test]
fn the_counter_counts() {
    assert_eq!(peak_of(|| 7), 0);
    assert_eq!(peak_of(|| drop(Vec::<u8>::with_capacity(1 << 20))), 1 << 20);
    let held = peak_of(|| Vec::<u8>::with_capacity(1000));
    assert_eq!(held, 1000);
}
