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

pub(crate) struct Side {
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
        let mut pairs = Side::pairs(self.lines, self.bytes, 1);
        match pairs.pop() {
            Some((caller, answerer)) => (Box::new(caller), Box::new(answerer)),
            None => unreachable!("one pair was asked for"),
        }
    }
}

impl Side {
    /// Both sides of as many places, each with the lines for a message there and, if `lines` is 2, others for the one back.
    pub(crate) fn pairs(lines: usize, bytes: usize, count: usize) -> Vec<(Self, Self)> {
        let stride = (8 + bytes).next_multiple_of(128);
        let area = Arc::new(Area::new(2 * stride * count));
        let words = bytes.div_ceil(8);
        let pair = |index: usize| {
            // SAFETY: the area has room for two messages a place.
            let there = unsafe { area.base.add(2 * stride * index) };
            // SAFETY: as above.
            let back = unsafe { there.add(if lines == 1 { 0 } else { stride }) };
            let side = |mine: *mut u8, theirs: *mut u8| Self {
                _area: Arc::clone(&area),
                mine: mine.cast(),
                theirs: theirs.cast(),
                words,
                turn: 0,
                sum: 0,
            };
            (side(there, back), side(back, there))
        };
        (0..count).map(pair).collect()
    }

    /// Asks; the answer to the question before has been taken.
    #[inline(always)]
    pub(crate) fn ask(&self) {
        // Odd turns are questions, even ones answers, so one flag can serve both ways.
        self.write(self.turn + 1);
    }

    /// Takes the answer, if it is there.
    #[inline(always)]
    pub(crate) fn answered(&mut self) -> bool {
        let there = self.flag(self.theirs).load(Ordering::Acquire) == self.turn + 2;
        if there {
            self.read();
            self.turn += 2;
        }
        there
    }

    /// Takes a question and answers it, if it is there.
    #[inline(always)]
    pub(crate) fn answer(&mut self) -> bool {
        let there = self.flag(self.theirs).load(Ordering::Acquire) == self.turn + 1;
        if there {
            self.read();
            self.write(self.turn + 2);
            self.turn += 2;
        }
        there
    }
}

impl Caller for Side {
    fn run(&mut self, calls: usize, group: usize, times: &mut Vec<f64>) {
        time_groups(calls, group, times, |_| {
            self.ask();
            while !self.answered() {
                std::hint::spin_loop();
            }
        });
    }
}

impl Answerer for Side {
    fn run(&mut self, stop: &Stop) {
        loop {
            while !self.answer() {
                if stop.idle() {
                    return;
                }
            }
        }
    }
}
