//! Bare slots in a ring: the limit for calls that are in flight together.

use std::hint::black_box;
use std::sync::Arc;

use super::raw::{Memory, Side};
use super::time_pipeline;
use crate::mapping::{Mapping, draw};
use crate::order::Order;
use crate::pair::{Answerer, Caller, Sides, Stop, Subject};

/// Slots of two lines each way, flag and payload, used in their order; nothing else.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slots {
    /// Bytes of payload.
    pub bytes: usize,
    /// Calls in flight.
    pub depth: usize,
    /// Whether the sides are two processes.
    pub processes: bool,
}

struct Calling {
    slots: Vec<Side>,
    /// The slot of the next question.
    ask: usize,
    /// The slot of the next answer.
    take: usize,
    in_flight: usize,
}

pub(crate) struct Answering {
    slots: Vec<Side>,
    next: usize,
}

impl Calling {
    fn over(memory: &Memory, bytes: usize, depth: usize) -> Self {
        let slot = |index| Side::at(memory, 2, bytes, index, true);
        Self {
            slots: (0..depth).map(slot).collect(),
            ask: 0,
            take: 0,
            in_flight: 0,
        }
    }
}

impl Answering {
    pub(crate) fn over(memory: &Memory, bytes: usize, depth: usize) -> Self {
        let slot = |index| Side::at(memory, 2, bytes, index, false);
        Self {
            slots: (0..depth).map(slot).collect(),
            next: 0,
        }
    }
}

impl Subject for Slots {
    fn name(&self) -> String {
        if self.processes {
            "bare slots, processes".into()
        } else {
            "bare slots".into()
        }
    }

    fn make(&self) -> Sides {
        let Self { bytes, depth, .. } = *self;
        let size = Side::bytes(bytes, depth);
        if !self.processes {
            let memory = Memory::fresh(size);
            return Sides::Threads(
                Box::new(Calling::over(&memory, bytes, depth)),
                Box::new(Answering::over(&memory, bytes, depth)),
            );
        }
        let place = draw(size);
        let order = Order::Slots {
            bytes,
            depth,
            place,
        };
        let make = move |mapping: &Arc<Mapping>| {
            let memory = Memory::shared(mapping, place, size)?;
            Ok(Box::new(Calling::over(&memory, bytes, depth)) as Box<dyn Caller>)
        };
        Sides::Processes(order, Box::new(make))
    }
}

/// The slot after one; a division would take longer than all else that a call does.
#[inline(always)]
fn after(slots: &[Side], at: usize) -> usize {
    if at + 1 < slots.len() { at + 1 } else { 0 }
}

impl Caller for Calling {
    fn run(&mut self, calls: usize, group: usize, times: &mut Vec<f64>) {
        let depth = self.slots.len();
        // Two closures use the slots in turn.
        let this = std::cell::RefCell::new(self);
        time_pipeline(
            calls,
            group,
            depth,
            times,
            |_| {
                let this = &mut *this.borrow_mut();
                this.slots[this.ask].ask();
                this.ask = after(&this.slots, this.ask);
                this.in_flight += 1;
                true
            },
            || {
                let this = &mut *this.borrow_mut();
                let mut got = 0;
                while this.in_flight != 0 && this.slots[this.take].answered() {
                    this.take = after(&this.slots, this.take);
                    this.in_flight -= 1;
                    got += 1;
                }
                Some(black_box(got))
            },
        );
    }
}

impl Answerer for Answering {
    fn run(&mut self, stop: &Stop) {
        loop {
            let at = self.next;
            if self.slots[at].answer() {
                self.next = after(&self.slots, at);
            } else if stop.idle() {
                return;
            }
        }
    }
}
