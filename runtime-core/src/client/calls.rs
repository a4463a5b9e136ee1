//! The table of calls in flight: what each slot's call is, whom it belongs to, when it ends.

use alloc::boxed::Box;
use core::task::Waker;

use crate::service::Method;
use crate::transport::Completion;

/// What a slot's call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum State {
    /// No call.
    Free,
    /// The reply goes to the callback of `poll`.
    Callback,
    /// Somebody waits for the reply: a blocking call or a future.
    Awaited,
    /// Nothing is wanted back, but the slot is taken until the server is done with it.
    Oneway,
    /// The call has ended without its reply; the slot is taken until that comes.
    Abandoned,
}

/// What is known of a call when it is compiled, and its state: eight bytes, so that a call writes them in one go.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Kind {
    state: State,
    /// True if the reply overwrites the request.
    overlay: bool,
    /// True once the deadline is a point in time.
    stamped: bool,
    method: u16,
    index: u16,
}

/// One slot's call, in one cache line for a `U` of up to 8 bytes.
#[repr(align(64))]
struct Entry<U> {
    kind: Kind,
    /// Nanoseconds: until `stamped` the call's time to live, then the time when it ends.
    deadline: u64,
    user_data: Option<U>,
    arrived: Option<Completion>,
    sent_at: u64,
    waker: Option<Waker>,
}

/// All slots' calls.
///
/// The deadline of a call runs from the first look at the clock after it was sent, which the first poll that finds
/// nothing takes: so a call that is answered before anyone had to wait costs no reading of the clock.
pub(super) struct Calls<U> {
    entries: Box<[Entry<U>]>,
    /// How many calls were sent since the last look at the clock, and the last of them.
    unstamped: u32,
    last: u16,
    /// Polls in a row that found nothing.
    pub(super) idle_polls: u32,
    /// No call ends before this.
    earliest: u64,
}

impl<U> Calls<U> {
    pub(super) fn new(slots: usize) -> Self {
        let kind = Kind {
            state: State::Free,
            overlay: false,
            stamped: true,
            method: 0,
            index: 0,
        };
        let entry = |_| Entry {
            kind,
            deadline: 0,
            user_data: None,
            arrived: None,
            sent_at: 0,
            waker: None,
        };
        Self {
            entries: (0..slots).map(entry).collect(),
            unstamped: 0,
            last: 0,
            idle_polls: 0,
            earliest: u64::MAX,
        }
    }

    #[inline(always)]
    fn entry(&self, slot: u16) -> &Entry<U> {
        &self.entries[slot as usize]
    }

    #[inline(always)]
    fn entry_mut(&mut self, slot: u16) -> &mut Entry<U> {
        &mut self.entries[slot as usize]
    }

    /// Begins a call.
    #[inline(always)]
    pub(super) fn start<M: Method>(
        &mut self,
        slot: u16,
        state: State,
        overlay: bool,
        deadline: u64,
        user_data: Option<U>,
    ) {
        let entry = self.entry_mut(slot);
        entry.kind = Kind {
            state,
            overlay,
            stamped: false,
            method: M::ID,
            index: M::INDEX as u16,
        };
        entry.deadline = deadline;
        entry.user_data = user_data;
        self.unstamped += 1;
        self.last = slot;
    }

    /// Takes a callback call out of the table, if it is one: its method, whether its reply overlays, its user data.
    #[inline(always)]
    pub(super) fn finish_callback(&mut self, slot: u16) -> Option<(u16, bool, U)> {
        let entry = self.entry_mut(slot);
        if entry.kind.state != State::Callback {
            return None;
        }
        entry.kind.state = State::Free;
        let user_data = entry.user_data.take()?;
        Some((entry.kind.method, entry.kind.overlay, user_data))
    }

    /// True if a call was sent since the last look at the clock.
    #[inline(always)]
    pub(super) fn has_unstamped(&self) -> bool {
        self.unstamped != 0
    }

    /// Lets the deadlines of calls sent since the last look at the clock run from `now`.
    pub(super) fn stamp(&mut self, now: u64) {
        match self.unstamped {
            0 => return,
            1 => self.stamp_one(self.last, now),
            _ => (0..self.entries.len() as u16).for_each(|slot| self.stamp_one(slot, now)),
        }
        self.unstamped = 0;
    }

    fn stamp_one(&mut self, slot: u16, now: u64) {
        let entry = self.entry_mut(slot);
        if !entry.kind.stamped && matches!(entry.kind.state, State::Callback | State::Awaited) {
            entry.deadline = now.saturating_add(entry.deadline);
            entry.kind.stamped = true;
            self.earliest = self.earliest.min(self.entry(slot).deadline);
        }
    }

    /// The earliest time at which a call may end.
    pub(super) fn earliest(&self) -> u64 {
        self.earliest
    }

    /// Works out `earliest` anew.
    pub(super) fn refresh_earliest(&mut self) {
        let running = |entry: &&Entry<U>| {
            entry.kind.stamped && matches!(entry.kind.state, State::Callback | State::Awaited)
        };
        self.earliest = self
            .entries
            .iter()
            .filter(running)
            .map(|entry| entry.deadline)
            .min()
            .unwrap_or(u64::MAX);
    }

    /// True if this is a callback call that has ended by `now`; those that are awaited are ended by whoever waits.
    pub(super) fn is_due(&self, slot: u16, now: u64) -> bool {
        let entry = self.entry(slot);
        entry.kind.state == State::Callback && entry.kind.stamped && entry.deadline <= now
    }

    /// When an awaited call ends; asks for `stamp` before.
    pub(super) fn deadline(&self, slot: u16) -> u64 {
        self.entry(slot).deadline
    }

    /// Ends a call; its slot is free, or about to be.
    #[inline(always)]
    pub(super) fn end(&mut self, slot: u16) {
        self.entry_mut(slot).kind.state = State::Free;
    }

    /// Ends a call whose slot stays taken, and gives back what it carried.
    pub(super) fn abandon(&mut self, slot: u16) -> Option<U> {
        let entry = self.entry_mut(slot);
        entry.kind.state = State::Abandoned;
        entry.waker = None;
        entry.arrived = None;
        entry.user_data.take()
    }

    #[inline(always)]
    pub(super) fn state(&self, slot: u16) -> State {
        self.entry(slot).kind.state
    }

    #[inline(always)]
    pub(super) fn method(&self, slot: u16) -> u16 {
        self.entry(slot).kind.method
    }

    #[inline(always)]
    pub(super) fn overlay(&self, slot: u16) -> bool {
        self.entry(slot).kind.overlay
    }

    #[inline(always)]
    pub(super) fn index(&self, slot: u16) -> usize {
        self.entry(slot).kind.index as usize
    }

    /// How many calls of the method at `index` are in flight.
    pub(super) fn pending(&self, index: usize) -> usize {
        let pending = |entry: &&Entry<U>| {
            entry.kind.index as usize == index
                && matches!(entry.kind.state, State::Callback | State::Awaited)
        };
        self.entries.iter().filter(pending).count()
    }

    pub(super) fn set_deadline(&mut self, slot: u16, deadline: u64) {
        self.entry_mut(slot).deadline = deadline;
    }

    pub(super) fn set_sent_at(&mut self, slot: u16, now: u64) {
        self.entry_mut(slot).sent_at = now;
    }

    pub(super) fn sent_at(&self, slot: u16) -> u64 {
        self.entry(slot).sent_at
    }

    /// Keeps the completion of an awaited call and wakes whoever waits.
    #[cold]
    pub(super) fn arrived(&mut self, completion: Completion) {
        let entry = self.entry_mut(completion.slot());
        entry.arrived = Some(completion);
        if let Some(waker) = entry.waker.take() {
            waker.wake();
        }
    }

    /// The completion kept by `arrived`.
    #[inline(always)]
    pub(super) fn take_arrived(&mut self, slot: u16) -> Option<Completion> {
        self.entry_mut(slot).arrived.take()
    }

    /// Whom to wake when an awaited call's reply arrives.
    pub(super) fn set_waker(&mut self, slot: u16, waker: &Waker) {
        match &mut self.entry_mut(slot).waker {
            Some(old) => old.clone_from(waker),
            place => *place = Some(waker.clone()),
        }
    }

    /// Wakes whoever waits for this slot.
    pub(super) fn wake(&mut self, slot: u16) {
        if let Some(waker) = self.entry_mut(slot).waker.take() {
            waker.wake();
        }
    }

    /// Wakes everybody who waits; each looks for itself.
    pub(super) fn wake_all(&mut self) {
        for entry in &mut self.entries {
            if let Some(waker) = entry.waker.take() {
                waker.wake();
            }
        }
    }

    /// Slots with a call.
    pub(super) fn used(&self) -> usize {
        self.entries
            .iter()
            .filter(|entry| entry.kind.state != State::Free)
            .count()
    }
}
