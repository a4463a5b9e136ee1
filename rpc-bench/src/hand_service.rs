//! The counted echo service as somebody writes it by hand who promises his callers what the stubs promise theirs: each call's data come back
//! exactly once, a call without a reply ends by its deadline and its slot is not used again before the server is done with it, what is sent
//! and received is checked before it is believed, a call to a server that is gone ends, and calls are counted on both sides.
//!
//! It has one method and does not wait. Left out is what costs a call of the stubs nothing: sleeping, futures, events, held tokens, and callbacks and
//! handlers that panic.

use runtime_core::{
    ClientTransport, Completion, Method, Overlay, ReplyError, ReplyHead, ReplyStatus,
    ServerTransport, Ticket,
};

use crate::services::{P8, echo8};

/// The number of the method.
const ECHO: u16 = <echo8::method::Echo as Method>::ID;

/// Bytes of its request and of its response.
const LEN: usize = size_of::<P8>();

/// How long a call may take, in nanoseconds.
const DEADLINE: u64 = 1_000_000_000;

/// Why there is no response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failed {
    /// The deadline has passed.
    Timeout,
    /// The server is gone.
    Disconnected,
    /// The server said so, or the reply is not as long as it has to be.
    Refused(ReplyHead),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Free,
    /// Sent since the clock was last looked at.
    Sent,
    /// Sent, and it ends then.
    Ends(u64),
    /// Ended without its reply.
    GivenUp,
}

#[derive(Clone, Copy)]
struct Call {
    state: State,
    user_data: u64,
}

/// The calling side.
pub(crate) struct Caller<C> {
    slots: C,
    calls: Box<[Call]>,
    /// Whether a call was sent since the clock was last looked at.
    sent: bool,
    /// Polls that found nothing since then.
    idle: u32,
    /// Calls that were sent.
    pub(crate) called: u64,
    /// Replies that came after their call had ended.
    pub(crate) late: u64,
}

/// Polls that find nothing between two looks at the clock.
const IDLE_POLLS: u32 = 64;

impl<C: ClientTransport<Service = echo8::Service>> Caller<C> {
    pub(crate) fn over(slots: C) -> Self {
        let free = Call {
            state: State::Free,
            user_data: 0,
        };
        Self {
            calls: vec![free; slots.slots()].into_boxed_slice(),
            slots,
            sent: false,
            idle: 0,
            called: 0,
            late: 0,
        }
    }

    /// Sends a call.
    ///
    /// # Errors
    /// The window is full; the call's data come back.
    #[inline(always)]
    pub(crate) fn echo(&mut self, payload: &P8, user_data: u64) -> Result<(), u64> {
        let Some(slot) = self.slots.take() else {
            return Err(user_data);
        };
        // SAFETY: promise 5 of `ClientTransport`: below the number of slots, of which there are as many entries.
        let call = unsafe { self.calls.get_unchecked_mut(usize::from(slot)) };
        *call = Call {
            state: State::Sent,
            user_data,
        };
        self.sent = true;
        self.called += 1;
        // SAFETY: the slot was taken just now.
        let place = unsafe { self.slots.request(slot) }.cast::<P8>();
        // SAFETY: promise 1 of `ClientTransport`: it has room for the request, is aligned, and nobody else's until it is sent.
        unsafe { place.write(*payload) };
        // SAFETY: as above, and the request is complete.
        unsafe { self.slots.send(slot, ECHO, LEN, Overlay::Always) };
        Ok(())
    }

    /// Delivers what has arrived, and calls that have ended.
    #[inline(always)]
    pub(crate) fn poll(&mut self, mut deliver: impl FnMut(u64, Result<&P8, Failed>)) -> usize {
        let mut delivered = 0;
        while let Some(Completion { slot, head, place }) = self.slots.poll() {
            // SAFETY: as in `echo`.
            let call = unsafe { self.calls.get_unchecked_mut(usize::from(slot)) };
            let Call { state, user_data } = *call;
            call.state = State::Free;
            if matches!(state, State::Sent | State::Ends(_)) {
                if head == ReplyHead::new(ReplyStatus::Ok as u16, LEN as u32) {
                    // SAFETY: promise 2 of `ClientTransport`; the slot is released below.
                    deliver(user_data, Ok(unsafe { place.cast().as_ref() }));
                } else {
                    deliver(user_data, Err(Failed::Refused(head)));
                }
                delivered += 1;
            } else {
                self.late += 1;
            }
            // SAFETY: `poll` gave it, and it is given up.
            unsafe { self.slots.release(slot) };
        }
        if delivered == 0 {
            self.idle += 1;
            if self.sent || self.idle >= IDLE_POLLS {
                delivered = self.look_at_clock(&mut deliver);
            }
        }
        delivered
    }

    #[cold]
    fn look_at_clock(&mut self, deliver: &mut impl FnMut(u64, Result<&P8, Failed>)) -> usize {
        (self.sent, self.idle) = (false, 0);
        let (now, gone) = (self.slots.now(), self.slots.peer_gone());
        let why = if gone {
            Failed::Disconnected
        } else {
            Failed::Timeout
        };
        let mut ended = 0;
        for (slot, call) in self.calls.iter_mut().enumerate() {
            let is_over = match call.state {
                State::Sent if !gone => {
                    call.state = State::Ends(now + DEADLINE);
                    false
                }
                State::Ends(end) => gone || end <= now,
                State::Sent => true,
                State::Free | State::GivenUp => false,
            };
            // One whose reply is there ends with the next poll.
            if is_over && !self.slots.slot_ready(slot as u16) {
                call.state = State::GivenUp;
                deliver(call.user_data, Err(why));
                ended += 1;
            }
        }
        ended
    }
}

/// The answering side.
pub(crate) struct Answerer<S> {
    slots: S,
    /// Requests that were answered.
    pub(crate) answered: u64,
    /// Requests of another length, or for another method.
    pub(crate) refused: u64,
}

impl<S: ServerTransport<Service = echo8::Service>> Answerer<S> {
    pub(crate) fn over(slots: S) -> Self {
        Self {
            slots,
            answered: 0,
            refused: 0,
        }
    }

    /// Answers what has arrived, at most so many requests.
    ///
    /// # Errors
    /// A client was gone when its reply was to be sent; its other requests are still to come.
    #[inline(always)]
    pub(crate) fn poll(
        &mut self,
        mut handle: impl FnMut(&P8) -> P8,
        limit: usize,
    ) -> Result<usize, ReplyError> {
        let mut served = 0;
        while served < limit {
            let Some(ticket) = self.slots.poll() else {
                break;
            };
            served += 1;
            match ticket.method() {
                ECHO if ticket.len() == LEN => {
                    self.answered += 1;
                    // SAFETY: it was received just now, and is answered below.
                    let request = unsafe { self.slots.request(&ticket) };
                    // SAFETY: promise 1 of `ServerTransport`.
                    let response = handle(unsafe { request.cast().as_ref() });
                    // SAFETY: as above.
                    let place = unsafe { self.slots.response(&ticket, true) }.cast::<P8>();
                    // SAFETY: promise 2 of `ServerTransport`; nobody reads the request any more.
                    unsafe { place.write(response) };
                    // SAFETY: the ticket is given up.
                    unsafe { self.slots.reply(ticket, true, ReplyStatus::Ok, LEN as u32) }?;
                }
                ECHO => self.refuse(ticket, ReplyStatus::Invalid)?,
                _ => self.refuse(ticket, ReplyStatus::Unimplemented)?,
            }
        }
        Ok(served)
    }

    #[cold]
    fn refuse(&mut self, ticket: S::Ticket, why: ReplyStatus) -> Result<(), ReplyError> {
        self.refused += 1;
        // SAFETY: `poll` received it just now, and it is given up.
        unsafe { self.slots.refuse(ticket, why) }
    }
}
