//! Bare ping-pongs: the physical limit that everything is compared with.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::time_groups;
use crate::mapping::{Mapping, draw};
use crate::order::Order;
use crate::pair::{Answerer, Caller, Sides, Stop, Subject};

/// Flag and payload in the same lines; `lines` says whether the answer overwrites the question or has lines of its own.
pub(crate) struct PingPong {
    /// 1: both ways in the same lines. 2: lines for each way.
    pub lines: usize,
    /// Bytes of payload.
    pub bytes: usize,
    /// Whether the sides are two processes.
    pub processes: bool,
    /// Whether each of two processes maps the other's lines for reading only.
    pub read_only: bool,
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

/// Where both sides lie.
pub(crate) struct Memory {
    /// What keeps it.
    keep: Arc<dyn Any + Send + Sync>,
    base: *mut u8,
    /// Where it reads what the other side has written.
    reading: *mut u8,
}

impl Memory {
    /// On fresh pages of this process.
    pub(crate) fn fresh(bytes: usize) -> Self {
        let area = Area::new(bytes);
        Self {
            base: area.base,
            reading: area.base,
            keep: Arc::new(area),
        }
    }

    /// At a place of the memory that two processes share.
    pub(crate) fn shared(
        mapping: &Arc<Mapping>,
        place: usize,
        bytes: usize,
    ) -> Result<Self, String> {
        let base = mapping
            .place(place, bytes)
            .ok_or_else(|| format!("there is no place at {place} for {bytes} bytes"))?;
        Ok(Self {
            base: base.as_ptr(),
            reading: base.as_ptr(),
            keep: Arc::clone(mapping) as Arc<dyn Any + Send + Sync>,
        })
    }

    /// The same, where what the other side writes is mapped for reading only.
    pub(crate) fn apart(
        mapping: &Arc<Mapping>,
        place: usize,
        bytes: usize,
    ) -> Result<Self, String> {
        let reading = mapping
            .reading_place(place, bytes)
            .ok_or_else(|| format!("there is no place at {place} for {bytes} bytes"))?;
        Ok(Self {
            reading: reading.as_ptr(),
            ..Self::shared(mapping, place, bytes)?
        })
    }

    /// Makes it zeros; before anybody else uses it.
    pub(crate) fn clear(&self, bytes: usize) {
        // SAFETY: whoever made it asked for so many bytes, and nobody else uses them yet.
        unsafe { self.base.write_bytes(0, bytes) };
    }
}

pub(crate) struct Side {
    _keep: Arc<dyn Any + Send + Sync>,
    mine: *mut u64,
    theirs: *mut u64,
    words: usize,
    turn: u64,
    sum: u64,
}

// SAFETY: the pointers go into what `_keep` keeps, which is shared; each side writes only what the flag has given it.
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
            "bare ping-pong, {} line{}{}{}",
            if self.lines == 1 { "one" } else { "two" },
            if self.lines == 1 { "" } else { "s" },
            if self.processes { ", processes" } else { "" },
            if self.read_only {
                ", each read-only for its reader"
            } else {
                ""
            }
        )
    }

    fn make(&self) -> Sides {
        let Self {
            lines,
            bytes,
            read_only,
            ..
        } = *self;
        let size = Side::bytes(bytes, 1);
        if !self.processes {
            let memory = Memory::fresh(size);
            return Sides::Threads(
                Box::new(Side::caller(&memory, lines, bytes)),
                Box::new(Side::answerer(&memory, lines, bytes)),
            );
        }
        let place = draw(size);
        let order = Order::PingPong {
            lines,
            read_only,
            bytes,
            place,
        };
        let make = move |mapping: &Arc<Mapping>| {
            let memory = if read_only {
                Memory::apart(mapping, place, size)?
            } else {
                Memory::shared(mapping, place, size)?
            };
            Ok(Box::new(Side::caller(&memory, lines, bytes)) as Box<dyn Caller>)
        };
        Sides::Processes(order, Box::new(make))
    }
}

impl Side {
    /// Bytes of memory for so many places.
    pub(crate) fn bytes(bytes: usize, count: usize) -> usize {
        2 * Self::stride(bytes) * count
    }

    fn stride(bytes: usize) -> usize {
        (8 + bytes).next_multiple_of(128)
    }

    /// The side that asks at the one place there is.
    pub(crate) fn caller(memory: &Memory, lines: usize, bytes: usize) -> Self {
        Self::at(memory, lines, bytes, 0, true)
    }

    /// The other one.
    pub(crate) fn answerer(memory: &Memory, lines: usize, bytes: usize) -> Self {
        Self::at(memory, lines, bytes, 0, false)
    }

    /// A side of one place of several, each with the lines for a message there and, if `lines` is 2, others for the one back.
    pub(crate) fn at(
        memory: &Memory,
        lines: usize,
        bytes: usize,
        index: usize,
        asks: bool,
    ) -> Self {
        let stride = Self::stride(bytes);
        let there = 2 * stride * index;
        let back = there + if lines == 1 { 0 } else { stride };
        let (mine, theirs) = if asks { (there, back) } else { (back, there) };
        Self {
            _keep: Arc::clone(&memory.keep),
            // SAFETY: the memory has room for two messages a place.
            mine: unsafe { memory.base.add(mine) }.cast(),
            // SAFETY: as above.
            theirs: unsafe { memory.reading.add(theirs) }.cast(),
            words: bytes.div_ceil(8),
            turn: 0,
            sum: 0,
        }
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
