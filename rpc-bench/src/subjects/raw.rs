//! Bare ping-pongs: the physical limit that everything is compared with.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::time_groups;
use crate::pair::{Answerer, Caller, Sides, Stop, Subject};

/// Flag and payload in the same lines; `lines` says whether the answer overwrites the question or has lines of its own.
pub(crate) struct PingPong {
    /// 1: both ways in the same lines. 2: lines for each way.
    pub lines: usize,
    /// Bytes of payload.
    pub bytes: usize,
}

/// Memory for both ways, on fresh pages.
struct Area {
    base: *mut u8,
    layout: Layout,
}

// SAFETY: raw memory; the ping-pong hands it over by its flags.
unsafe impl Send for Area {}
// SAFETY: as above.
unsafe impl Sync for Area {}

impl Area {
    fn new(bytes: usize) -> Self {
        let layout = Layout::from_size_align(bytes.next_multiple_of(4096), 4096)
            .unwrap_or(Layout::new::<u64>());
        // SAFETY: the size is not 0.
        let base = unsafe { alloc_zeroed(layout) };
        assert!(!base.is_null(), "no memory");
        Self { base, layout }
    }
}

impl Drop for Area {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with this layout.
        unsafe { dealloc(self.base, self.layout) };
    }
}

struct Side {
    _area: Arc<Area>,
    mine: *mut u64,
    theirs: *mut u64,
    words: usize,
    turn: u64,
    sum: u64,
}

// SAFETY: the pointers go into `_area`, which is shared; each side writes only what the flag has given it.
unsafe impl Send for Side {}

impl Side {
    fn flag(&self, line: *mut u64) -> &AtomicU64 {
        // SAFETY: the first 8 bytes of a line of the area, reached only as an atomic.
        unsafe { AtomicU64::from_ptr(line) }
    }

    /// Writes the payload word by word, then the flag.
    #[inline(always)]
    fn write(&self, turn: u64) {
        for word in 1..=self.words {
            // SAFETY: within the area.
            let place = unsafe { self.mine.add(word) };
            // SAFETY: it is this side's turn.
            unsafe { place.write_volatile(turn) };
        }
        self.flag(self.mine).store(turn, Ordering::Release);
    }

    /// Reads the payload word by word.
    #[inline(always)]
    fn read(&mut self) {
        for word in 1..=self.words {
            // SAFETY: within the area.
            let place = unsafe { self.theirs.add(word) };
            // SAFETY: it is this side's turn.
            self.sum = self.sum.wrapping_add(unsafe { place.read_volatile() });
        }
    }
}

impl Subject for PingPong {
    fn name(&self) -> String {
        format!(
            "bare ping-pong, {}",
            if self.lines == 1 {
                "one line"
            } else {
                "two lines"
            }
        )
    }

    fn make(&self) -> Sides {
        let stride = (8 + self.bytes).next_multiple_of(128);
        let area = Arc::new(Area::new(2 * stride));
        let there = area.base.cast::<u64>();
        let back = if self.lines == 1 { 0 } else { stride };
        // SAFETY: the area has room for both.
        let back = unsafe { area.base.add(back) }.cast::<u64>();
        let words = self.bytes.div_ceil(8);
        let caller = Side {
            _area: Arc::clone(&area),
            mine: there,
            theirs: back,
            words,
            turn: 0,
            sum: 0,
        };
        let answerer = Side {
            _area: area,
            mine: back,
            theirs: there,
            words,
            turn: 0,
            sum: 0,
        };
        (Box::new(caller), Box::new(answerer))
    }
}

impl Caller for Side {
    fn run(&mut self, calls: usize, group: usize, times: &mut Vec<f64>) {
        time_groups(calls, group, times, |_| {
            // Odd turns are questions, even ones answers, so one flag can serve both ways.
            self.write(self.turn + 1);
            while self.flag(self.theirs).load(Ordering::Acquire) != self.turn + 2 {
                std::hint::spin_loop();
            }
            self.read();
            self.turn += 2;
        });
    }
}

impl Answerer for Side {
    fn run(&mut self, stop: &Stop) {
        loop {
            while self.flag(self.theirs).load(Ordering::Acquire) != self.turn + 1 {
                if stop.idle() {
                    return;
                }
            }
            self.read();
            self.write(self.turn + 2);
            self.turn += 2;
        }
    }
}
