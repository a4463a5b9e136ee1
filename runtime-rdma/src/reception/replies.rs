//! What a server answers, and which doorbells are to ring.

use runtime_core::{ReplyError, ReplyStatus};
use runtime_os::clock;

use super::Reception;
use crate::buffer::Held;
use crate::connection::Connection;
use crate::shape::SLACK;
use crate::ticket::RdmaTicket;

impl Reception {
    /// Answers a request; see [`Connection::answer`].
    ///
    /// # Safety
    /// 1. The request is held, and this server was not used by `&mut` since; it is given up here.
    /// 2. As promise 2 of [`Connection::answer`].
    #[inline(always)]
    pub(crate) unsafe fn answer(
        &self,
        ticket: RdmaTicket,
        overlay: bool,
        status: ReplyStatus,
        value: u32,
    ) -> Result<(), ReplyError> {
        if !self.turns.is_empty() || self.doorbells.detains() {
            // A copy by reference, so that the ticket itself stays in registers on the usual way.
            // SAFETY: promises 1 and 2.
            return unsafe { self.answer_of_several(&{ ticket }, overlay, status, value) };
        }
        let give_back = |held| self.give_back(held);
        // SAFETY: promise 1.
        let connection = unsafe { ticket.connection() };
        // SAFETY: promises 1 and 2; it is the ticket's own connection.
        unsafe { connection.answer(ticket, overlay, status, value, true, give_back) }
    }

    /// The same where there is another request to answer, or a reply that was collected.
    ///
    /// # Safety
    /// As for [`answer`](Self::answer).
    #[inline(never)]
    unsafe fn answer_of_several(
        &self,
        ticket: &RdmaTicket,
        overlay: bool,
        status: ReplyStatus,
        value: u32,
    ) -> Result<(), ReplyError> {
        // SAFETY: promise 1.
        let connection = unsafe { ticket.connection() };
        let give_back = |held| self.give_back(held);
        let (slot, is_last) = (ticket.tag().slot(), self.turns.is_empty());
        let collects = self.doorbells.collects(connection.seat, slot, is_last);
        let rings = !collects;
        // One that rings takes those to the same client along, and tells what that takes.
        let start =
            (rings && self.doorbells.is_any_held()).then(|| self.doorbells.look_at_handler());
        let replied =
            // SAFETY: promises 1 and 2; it is the ticket's own connection.
            unsafe { connection.answer(*ticket, overlay, status, value, rings, give_back) };
        if collects {
            self.hold(connection.seat);
        } else {
            self.forget_held(connection);
        }
        if let Some(start) = start {
            self.doorbells.note_ring(clock::now() - start);
        }
        replied
    }

    /// Has the doorbell of a connection ring when those that are held do.
    fn hold(&self, seat: u32) {
        self.doorbells.count();
        if let Some(seated) = self.seats.get(seat)
            && !seated.is_held.replace(true)
        {
            self.doorbells.hold(seat);
        }
    }

    /// Forgets that the doorbell of a connection is held, which has rung. (One that is gone may have left its seat to another.)
    fn forget_held(&self, connection: &Connection) {
        if let Some(seated) = self.seats.get(connection.seat)
            && std::ptr::eq(&raw const *seated.connection, connection)
            && seated.is_held.replace(false)
        {
            self.doorbells.forget(connection.seat);
        }
    }

    /// Rings the doorbells that are held.
    #[inline(always)]
    pub(crate) fn ring_held(&self) {
        if self.doorbells.is_any_held() {
            self.doorbells.release(|seat| {
                if let Some(seated) = self.seats.get(seat) {
                    seated.is_held.set(false);
                    seated.connection.ring();
                }
            });
        }
    }

    /// Collects the replies that follow.
    #[inline(always)]
    pub(crate) fn begin_batch(&self) {
        self.doorbells.begin();
    }

    /// Collects no more, and lets go what was collected.
    #[inline(always)]
    pub(crate) fn end_batch(&self) {
        self.was_drained.set(false);
        if self.doorbells.end() {
            self.ring_at_end();
        }
    }

    #[cold]
    fn ring_at_end(&self) {
        self.doorbells.note_no_wait();
        self.ring_held();
    }

    /// Waits for another request, if there are replies for which that is worth while: true if something has arrived. It takes no longer than to
    /// ring for them.
    #[inline(always)]
    pub(super) fn waits_for_more(&mut self) -> bool {
        match self.doorbells.patience() {
            Some(until) => self.wait_for_more(until),
            None => false,
        }
    }

    #[cold]
    fn wait_for_more(&mut self, until: u64) -> bool {
        let came = loop {
            // Something may have been polled since, by a `wait` within the batch.
            if self.polled.get_mut().is_empty() {
                self.look();
            }
            if !self.polled.get_mut().is_empty() {
                break true;
            }
            if clock::now() >= until {
                break false;
            }
            std::hint::spin_loop();
        };
        self.doorbells.note_wait(came);
        came
    }

    /// Lets the device have a buffer again, soon: the slack among the buffers is for those that wait here.
    #[inline(always)]
    pub(crate) fn give_back(&self, held: Held) {
        if self.spare.push(held) {
            // The queue has room for every buffer there is. Those that are refused all the same stay here, and are tried again.
            let _ = self.pool.post(&self.spare);
            // Also for a server that is never idle.
            self.note_looks(SLACK as u32);
            self.doorbells.judge(SLACK as u32);
        }
    }
}
