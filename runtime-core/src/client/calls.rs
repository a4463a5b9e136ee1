//! The table of calls in flight: what each slot's call is, whom it belongs to, when it ends.

use alloc::boxed::Box;
use core::mem::MaybeUninit;
use core::ptr::NonNull;
use core::time::Duration;

use super::nanoseconds;
use crate::service::{Method, MethodInfo, SlotShape};
use crate::transport::{Completion, ReplyHead};

/// What a slot's call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum State {
    /// No call.
    Free = 0,
    /// The reply goes to the callback of `poll`, with the user data.
    Callback = 1,
    /// Somebody waits for the reply: a blocking call or a future.
    Awaited = 2,
    /// Nothing is wanted back, but the slot is taken until the server is done with it.
    Oneway = 3,
    /// The call has ended without its reply; the slot is taken until that comes.
    Abandoned = 4,
}

/// What is known of a call when it is compiled, and its state: one word, so that a call writes it in one go.
///
/// | bits | |
/// | --- | --- |
/// | 0..7 | [`State`] |
/// | 7 | the round trip is measured |
/// | 8 | the call runs and its deadline is not yet a point in time |
/// | 9 | the call has a deadline of its own |
/// | 16..32 | the method's number |
/// | 32..48 | its index |
#[derive(Clone, Copy)]
pub(super) struct Kind(u64);

impl Kind {
    const MEASURED: u64 = 1 << 7;
    const UNSTAMPED: u64 = 1 << 8;
    const OWN_DEADLINE: u64 = 1 << 9;
    const FREE: Self = Self(State::Free as u64);

    #[inline(always)]
    const fn new<M: Method>(state: State) -> Self {
        let ends = matches!(state, State::Callback | State::Awaited);
        let unstamped = if ends { Self::UNSTAMPED } else { 0 };
        let method = (M::ID as u64) << 16 | (M::INDEX as u64 & 0xffff) << 32;
        Self(state as u64 | unstamped | method)
    }

    /// True if it is a callback call and its round trip is not measured: what most are.
    #[inline(always)]
    const fn is_plain_callback(self) -> bool {
        self.0 as u8 == State::Callback as u8
    }

    const fn state(self) -> State {
        match self.0 & 0x7f {
            1 => State::Callback,
            2 => State::Awaited,
            3 => State::Oneway,
            4 => State::Abandoned,
            _ => State::Free,
        }
    }

    const fn has(self, bit: u64) -> bool {
        self.0 & bit != 0
    }

    /// The method's number.
    #[inline(always)]
    pub(super) const fn method(self) -> u16 {
        (self.0 >> 16) as u16
    }

    /// The index of the method.
    pub(super) const fn index(self) -> usize {
        (self.0 >> 32) as usize & 0xffff
    }
}

/// One slot's call, in one cache line for a `U` of up to 8 bytes.
#[repr(C, align(64))]
struct Entry<U> {
    kind: Kind,
    /// Initialised while the state is `Callback`.
    user_data: MaybeUninit<U>,
    /// Nanoseconds: a call's own time to live, and once it is stamped the time when it ends.
    deadline: u64,
    sent_at: u64,
    /// What `arrived` keeps: the completion without its slot.
    arrived: Option<(NonNull<u8>, ReplyHead)>,
}

impl<U> Entry<U> {
    /// Takes the user data out of a callback call, which thereby is over.
    #[inline(always)]
    fn take_user_data(&mut self, state: State) -> Option<U> {
        let was = self.kind.state();
        self.kind.0 = self.kind.0 & !(0x7f | Kind::UNSTAMPED) | state as u64;
        // SAFETY: `start_callback` wrote it with this state, which is changed here, so it is read once.
        (was == State::Callback).then(|| unsafe { self.user_data.assume_init_read() })
    }

    fn is_running(&self) -> bool {
        matches!(self.kind.state(), State::Callback | State::Awaited)
    }

    /// True if the call runs, and its deadline is a point in time.
    fn has_end(&self) -> bool {
        self.is_running() && !self.kind.has(Kind::UNSTAMPED)
    }
}

impl<U> Drop for Entry<U> {
    fn drop(&mut self) {
        drop(self.take_user_data(State::Free));
    }
}

// SAFETY: the rest is `Send`, and the place names memory that is reached only with the transport, wherever that is.
unsafe impl<U: Send> Send for Entry<U> {}

const _: () = assert!(size_of::<Entry<u64>>() == 64);

/// Calls for each slot between two looks at the clock where a poll may never find nothing. The look goes over all slots.
const TURNS_PER_LOOK: i64 = 8;

/// All slots' calls.
///
/// The deadline of a call runs from the first look at the clock after it was sent, which the first poll that finds
/// nothing takes: so a call that is answered before anyone had to wait costs no reading of the clock.
pub(super) struct Calls<U> {
    entries: Box<[Entry<U>]>,
    methods: &'static [MethodInfo],
    default_deadline: Duration,
    /// How many calls may yet be sent until the clock has to be looked at; as many as `look_after` at each look.
    until_look: i64,
    look_after: i64,
    /// The last one that was sent.
    last: u16,
    /// Polls that found nothing since the last look at the clock.
    pub(super) idle_polls: u32,
    /// No call ends before this.
    earliest: u64,
    /// Slots whose completion nobody waits for: oneway requests, and calls that were given up.
    pub(super) unwanted: usize,
}

impl<U> Calls<U> {
    pub(super) fn new(
        slots: usize,
        methods: &'static [MethodInfo],
        default_deadline: Duration,
    ) -> Self {
        let entry = |_| Entry {
            kind: Kind::FREE,
            user_data: MaybeUninit::uninit(),
            deadline: 0,
            sent_at: 0,
            arrived: None,
        };
        let look_after = slots as i64 * TURNS_PER_LOOK;
        Self {
            entries: (0..slots).map(entry).collect(),
            methods,
            default_deadline,
            until_look: look_after,
            look_after,
            last: 0,
            idle_polls: 0,
            earliest: u64::MAX,
            unwanted: 0,
        }
    }

    #[inline(always)]
    fn entry(&self, slot: u16) -> &Entry<U> {
        debug_assert!((slot as usize) < self.entries.len());
        // SAFETY: promise 5 of `ClientTransport`, from which all slots come: below `slots`, for which `new` was called.
        unsafe { self.entries.get_unchecked(slot as usize) }
    }

    #[inline(always)]
    fn entry_mut(&mut self, slot: u16) -> &mut Entry<U> {
        debug_assert!((slot as usize) < self.entries.len());
        // SAFETY: as in `entry`.
        unsafe { self.entries.get_unchecked_mut(slot as usize) }
    }

    /// Begins a call whose reply goes to the callback.
    #[inline(always)]
    pub(super) fn start_callback<M: Method>(&mut self, slot: u16, user_data: U) {
        let entry = self.entry_mut(slot);
        entry.kind = Kind::new::<M>(State::Callback);
        entry.user_data.write(user_data);
        self.note_sent(slot);
    }

    /// Begins another call.
    #[inline(always)]
    pub(super) fn start<M: Method>(&mut self, slot: u16, state: State) {
        debug_assert_ne!(state, State::Callback, "that has user data");
        self.entry_mut(slot).kind = Kind::new::<M>(state);
        if state == State::Oneway {
            self.unwanted += 1;
        }
        self.note_sent(slot);
    }

    #[inline(always)]
    fn note_sent(&mut self, slot: u16) {
        self.until_look -= 1;
        self.last = slot;
    }

    /// True if it is a callback call and its round trip is not measured: what most are.
    #[inline(always)]
    pub(super) fn is_plain_callback(&self, slot: u16) -> bool {
        self.entry(slot).kind.is_plain_callback()
    }

    /// Takes a callback call out of the table, which ends it.
    ///
    /// # Safety
    /// 1. It is one: its state is `Callback`.
    #[inline(always)]
    pub(super) unsafe fn finish_callback(&mut self, slot: u16) -> (Kind, U) {
        let entry = self.entry_mut(slot);
        let kind = entry.kind;
        debug_assert_eq!(kind.state(), State::Callback, "the caller has looked");
        entry.kind = Kind::FREE;
        // SAFETY: `start_callback` wrote it with this state, which was changed just now, so it is read once.
        (kind, unsafe { entry.user_data.assume_init_read() })
    }

    /// True if a call was sent since the last look at the clock.
    #[inline(always)]
    pub(super) fn has_unstamped(&self) -> bool {
        self.until_look != self.look_after
    }

    /// True if the clock has to be looked at by now, even if each poll finds something.
    #[inline(always)]
    pub(super) fn is_look_due(&self) -> bool {
        self.until_look <= 0
    }

    /// Lets the next poll that may look at the clock do so.
    pub(super) fn ask_for_look(&mut self) {
        self.until_look = 0;
    }

    /// True if one call was sent since the last look at the clock.
    fn has_sent_one(&self) -> bool {
        self.until_look == self.look_after - 1
    }

    /// True if one call was sent since the last look at the clock, and it takes one line each way.
    pub(super) fn has_sent_one_line(&self) -> bool {
        let takes_one_line =
            |method: &MethodInfo| method.request.max(method.response) <= SlotShape::ONE_LINE;
        let last = self.methods.get(self.index(self.last));
        self.has_sent_one() && last.is_some_and(takes_one_line)
    }

    /// Lets the deadlines of calls sent since the last look at the clock run from `now`. If one of any call has passed, the next poll has to look,
    /// too: not everybody who reads the clock can end what is due.
    pub(super) fn stamp(&mut self, now: u64) {
        if self.has_sent_one() {
            self.stamp_one(self.last, now);
        } else if self.has_unstamped() {
            for slot in 0..self.entries.len() as u16 {
                self.stamp_one(slot, now);
            }
        }
        self.until_look = if now >= self.earliest_at(now) {
            0
        } else {
            self.look_after
        };
    }

    #[inline(always)]
    fn stamp_one(&mut self, slot: u16, now: u64) {
        if self.entry(slot).kind.has(Kind::UNSTAMPED) {
            self.run_deadline(slot, now);
        }
    }

    /// Lets the deadline of a running call run from `now`.
    fn run_deadline(&mut self, slot: u16, now: u64) {
        let kind = self.entry(slot).kind;
        let lives = if kind.has(Kind::OWN_DEADLINE) {
            self.entry(slot).deadline
        } else {
            let of_method = self.methods.get(kind.index()).and_then(|it| it.deadline);
            nanoseconds(of_method.unwrap_or(self.default_deadline))
        };
        let deadline = now.saturating_add(lives);
        self.earliest = self.earliest.min(deadline);
        let entry = self.entry_mut(slot);
        entry.deadline = deadline;
        entry.kind.0 &= !Kind::UNSTAMPED;
    }

    /// The earliest time at which a call may end.
    pub(super) fn earliest(&self) -> u64 {
        self.earliest
    }

    /// The same, without calls that have ended if it were before `now`.
    pub(super) fn earliest_at(&mut self, now: u64) -> u64 {
        if now >= self.earliest {
            self.refresh_earliest();
        }
        self.earliest
    }

    /// Works out `earliest` anew.
    pub(super) fn refresh_earliest(&mut self) {
        self.earliest = self
            .entries
            .iter()
            .filter(|entry| entry.has_end())
            .map(|entry| entry.deadline)
            .min()
            .unwrap_or(u64::MAX);
    }

    /// True if this call has ended by `now`.
    pub(super) fn is_due(&self, slot: u16, now: u64) -> bool {
        let entry = self.entry(slot);
        entry.has_end() && entry.deadline <= now
    }

    /// When an awaited call ends; asks for `stamp` before.
    pub(super) fn deadline(&self, slot: u16) -> u64 {
        self.entry(slot).deadline
    }

    /// Ends a call that is no callback; its slot is free, or about to be.
    #[inline(always)]
    pub(super) fn end(&mut self, slot: u16) {
        debug_assert_ne!(self.state(slot), State::Callback, "that has user data");
        self.entry_mut(slot).kind = Kind::FREE;
    }

    /// Ends a call whose slot stays taken, and gives back what it carried.
    pub(super) fn abandon(&mut self, slot: u16) -> Option<U> {
        debug_assert!(self.entry(slot).is_running(), "it is given up once");
        self.unwanted += 1;
        let entry = self.entry_mut(slot);
        entry.arrived = None;
        entry.take_user_data(State::Abandoned)
    }

    pub(super) fn state(&self, slot: u16) -> State {
        self.entry(slot).kind.state()
    }

    pub(super) fn method(&self, slot: u16) -> u16 {
        self.entry(slot).kind.method()
    }

    pub(super) fn index(&self, slot: u16) -> usize {
        self.entry(slot).kind.index()
    }

    /// How many calls of the method at `index` are in flight.
    pub(super) fn pending(&self, index: usize) -> usize {
        let pending = |entry: &&Entry<U>| entry.kind.index() == index && entry.is_running();
        self.entries.iter().filter(pending).count()
    }

    /// Gives the call that is being sent a deadline of its own, in nanoseconds from now.
    pub(super) fn set_deadline(&mut self, slot: u16, deadline: u64) {
        let entry = self.entry_mut(slot);
        entry.deadline = deadline;
        entry.kind.0 |= Kind::OWN_DEADLINE;
    }

    /// Lets the round trip of the call that is being sent be measured.
    pub(super) fn measure(&mut self, slot: u16, now: u64) {
        let entry = self.entry_mut(slot);
        entry.sent_at = now;
        entry.kind.0 |= Kind::MEASURED;
    }

    /// When a call was sent whose round trip is measured.
    pub(super) fn sent_at(&self, slot: u16) -> Option<u64> {
        let entry = self.entry(slot);
        entry.kind.has(Kind::MEASURED).then_some(entry.sent_at)
    }

    /// Keeps the completion of an awaited call for whoever waits.
    pub(super) fn arrived(&mut self, completion: Completion) {
        self.entry_mut(completion.slot).arrived = Some((completion.place, completion.head));
    }

    /// The completion kept by `arrived`.
    #[inline(always)]
    pub(super) fn take_arrived(&mut self, slot: u16) -> Option<Completion> {
        let (place, head) = self.entry_mut(slot).arrived.take()?;
        Some(Completion { slot, head, place })
    }

    /// True if a callback call has not been delivered.
    pub(super) fn has_callbacks(&self) -> bool {
        let callback = |entry: &Entry<U>| entry.kind.state() == State::Callback;
        self.entries.iter().any(callback)
    }

    /// Slots with a call.
    pub(super) fn used(&self) -> usize {
        let used = |entry: &&Entry<U>| entry.kind.state() != State::Free;
        self.entries.iter().filter(used).count()
    }
}
