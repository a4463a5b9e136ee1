//! What every transport over lanes has in common: the parts of `ClientTransport` and `ServerTransport` that pass a call on to the lane. They
//! are macros, since half of each trait is the lane's and half the backend's, which says where memory lies and how a side sleeps.

/// The lane's part of [`ClientTransport`](runtime_core::ClientTransport), for a transport whose field `end` is a [`ClientEnd`](crate::ClientEnd).
///
/// The transport still says its `Service`, `OVERLAYS`, the clock, whether the server is gone, and how it sleeps and is woken.
///
/// With it the promises of the trait hold, if the end was made for fresh memory of the service's shape:
/// 1. `request` is the body of the slot that `take` gave, which is the largest request long and free until it is sent.
/// 2. `response` is that of a completed slot, whose word said that the server has given it up; it is used again only after `release`.
/// 3. An event's slot is overwritten only after `release_arrived`.
/// 4. `take` gives the slot of a call that was alone and is over, or else the first of the free ones, and `send` takes it from them.
/// 5. Slots are numbered below `slots`.
#[macro_export]
macro_rules! client_slots {
    () => {
        const APART: usize = ::runtime_core::SlotShape::APART;

        fn window(&self) -> usize {
            $crate::Memory::geometry(self.end.memory()).window
        }

        fn slots(&self) -> usize {
            $crate::Memory::geometry(self.end.memory()).slots()
        }

        #[inline(always)]
        fn take(&mut self) -> ::core::option::Option<u16> {
            self.end.take()
        }

        #[inline(always)]
        unsafe fn give_back(&mut self, _: u16) {
            // Taking a slot changes nothing until it is sent.
        }

        #[inline(always)]
        unsafe fn request(&mut self, slot: u16) -> ::core::ptr::NonNull<u8> {
            // SAFETY: promise 1 of this function.
            unsafe { self.end.request(slot) }
        }

        #[inline(always)]
        unsafe fn send(
            &mut self,
            slot: u16,
            method: u16,
            len: usize,
            overlay: ::runtime_core::Overlay,
        ) {
            // SAFETY: promises 1 and 2 of this function; `give_back` changes nothing.
            unsafe { self.end.send(slot, method, len, overlay) };
        }

        #[inline(always)]
        fn poll(&mut self) -> ::core::option::Option<::runtime_core::Completion> {
            self.end.poll()
        }

        #[inline(always)]
        fn poll_slot(&mut self, slot: u16) -> ::core::option::Option<::runtime_core::Completion> {
            self.end.poll_slot(slot)
        }

        #[inline(always)]
        fn slot_ready(&self, slot: u16) -> bool {
            self.end.slot_ready(slot)
        }

        #[inline(always)]
        unsafe fn release(&mut self, slot: u16) {
            // SAFETY: promise 1 of this function.
            unsafe { self.end.release(slot) };
        }

        fn poll_arrived(&mut self) -> ::core::option::Option<::runtime_core::ArrivedHead> {
            self.end.poll_event()
        }

        unsafe fn arrived_bytes(
            &self,
            head: &::runtime_core::ArrivedHead,
        ) -> ::core::ptr::NonNull<u8> {
            // SAFETY: promise 1 of this function.
            unsafe { self.end.event_bytes(head) }
        }

        unsafe fn release_arrived(&mut self, _: ::runtime_core::ArrivedHead) {
            self.end.release_event();
        }

        fn ready(&self) -> bool {
            self.end.any_ready() || self.end.event_ready() || self.peer_gone()
        }
    };
}

/// The lane's part of [`ServerTransport`](runtime_core::ServerTransport), for a transport whose tickets all come from a
/// [`LaneSet`](crate::LaneSet) of this memory: what is done with a request that is held.
///
/// The transport still says its `Service`, `OVERLAYS`, its number, the clock, who is connected, and how it polls, emits, sleeps and is woken.
///
/// With it the promises of the trait hold:
/// 1. and 2. A ticket's slot belongs to its holder: the client does not touch a slot between sending it and its reply, and each ticket is
///    answered once, since `reply` takes it.
/// 3. A lane's memory lives as long as anyone shares it: the set, or a token's `Keep`.
/// 4. `ServerLane::receive` marks the slot held until it is answered.
#[macro_export]
macro_rules! lane_tickets {
    ($memory:ty) => {
        const APART: usize = ::runtime_core::SlotShape::APART;

        type Ticket = $crate::LaneTicket<$memory>;

        type Keep = ::std::sync::Arc<$crate::ServerLane<$memory>>;

        #[inline(always)]
        unsafe fn request(&self, ticket: &Self::Ticket) -> ::core::ptr::NonNull<u8> {
            // SAFETY: promise 1 of this function: the ticket is of this server's set, which was not changed since.
            let lane = unsafe { ticket.lane() };
            // SAFETY: as above; it is the ticket's own lane.
            unsafe { lane.request(ticket) }
        }

        #[inline(always)]
        unsafe fn response(
            &self,
            ticket: &Self::Ticket,
            overlay: bool,
        ) -> ::core::ptr::NonNull<u8> {
            // SAFETY: as in `request`.
            let lane = unsafe { ticket.lane() };
            // SAFETY: as above; it is the ticket's own lane.
            unsafe { lane.response(ticket, overlay) }
        }

        #[inline(always)]
        unsafe fn reply(
            &self,
            ticket: Self::Ticket,
            overlay: bool,
            status: ::runtime_core::ReplyStatus,
            value: u32,
        ) -> ::core::result::Result<(), ::runtime_core::ReplyError> {
            // SAFETY: as in `request`.
            let lane = unsafe { ticket.lane() };
            // SAFETY: as above; it is the ticket's own lane.
            unsafe { lane.reply(ticket, overlay, status, value) }
        }

        unsafe fn refuse(
            &self,
            ticket: Self::Ticket,
            status: ::runtime_core::ReplyStatus,
        ) -> ::core::result::Result<(), ::runtime_core::ReplyError> {
            // SAFETY: as in `request`.
            let lane = unsafe { ticket.lane() };
            // SAFETY: as above; it is the ticket's own lane.
            unsafe { lane.refuse(ticket, status) }
        }

        unsafe fn keep(&self, ticket: &Self::Ticket) -> Self::Keep {
            // SAFETY: as in `request`.
            unsafe { ticket.keep() }
        }

        unsafe fn kept_request(
            keep: &Self::Keep,
            ticket: &Self::Ticket,
        ) -> ::core::ptr::NonNull<u8> {
            // SAFETY: promise 1 of this function: `keep` is the ticket's own lane.
            unsafe { keep.request(ticket) }
        }

        unsafe fn kept_response(
            keep: &Self::Keep,
            ticket: &Self::Ticket,
            overlay: bool,
        ) -> ::core::ptr::NonNull<u8> {
            // SAFETY: as in `kept_request`.
            unsafe { keep.response(ticket, overlay) }
        }

        unsafe fn kept_reply(
            keep: &Self::Keep,
            ticket: Self::Ticket,
            overlay: bool,
            status: ::runtime_core::ReplyStatus,
            value: u32,
        ) -> ::core::result::Result<(), ::runtime_core::ReplyError> {
            // SAFETY: as in `kept_request`.
            unsafe { keep.reply(ticket, overlay, status, value) }
        }

        fn client_is_gone(keep: &Self::Keep) -> bool {
            $crate::Memory::client_is_gone(keep.memory())
        }

        unsafe fn client(&self, ticket: &Self::Ticket) -> ::runtime_core::ClientId {
            // SAFETY: as in `request`.
            unsafe { ticket.lane() }.client()
        }
    };
}
