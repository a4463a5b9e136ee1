//! Work requests: what a device is told of a message that is to be sent.

use std::cell::UnsafeCell;
use std::ptr::{NonNull, null_mut};

use crate::verbs::bindings::{IBV_SEND_SIGNALED, IBV_WR_SEND_WITH_IMM, ibv_send_wr, ibv_sge};

/// Registered memory that a message is sent from, or received into.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) start: NonNull<u8>,
    /// The local key of its registration.
    pub(crate) lkey: u32,
}

impl Place {
    /// Of a message without a body.
    pub(crate) const NOWHERE: Self = Self {
        start: NonNull::dangling(),
        lkey: 0,
    };
}

/// The work request of messages that are sent from one place, one after the other.
///
/// While it waits in a list it is written through the pointers of that, too; so it is cells, and lent by shared references alone.
#[repr(align(64))]
pub(crate) struct Work {
    request: UnsafeCell<ibv_send_wr>,
    payload: UnsafeCell<ibv_sge>,
}

// SAFETY: the pointers are to itself, to others of their list, which whoever sends keeps, and to registered memory.
unsafe impl Send for Work {}

/// In place of the number of a message.
const UNUSED: u64 = u64::MAX;

impl Work {
    /// For messages from this place. It is used after it has [settled](Self::settle).
    pub(crate) fn new(place: Place) -> Self {
        Self {
            request: UnsafeCell::new(ibv_send_wr {
                wr_id: UNUSED,
                opcode: IBV_WR_SEND_WITH_IMM,
                ..ibv_send_wr::default()
            }),
            payload: UnsafeCell::new(ibv_sge {
                addr: place.start.as_ptr() as u64,
                length: 0,
                lkey: place.lkey,
            }),
        }
    }

    /// Has it know where it lies, from where it is not moved any more.
    pub(crate) fn settle(&self) {
        self.request().sg_list = self.payload.get();
    }

    /// A row of them, one for each place.
    pub(crate) fn row(places: impl Iterator<Item = Place>) -> Box<[Self]> {
        let row: Box<[Self]> = places.map(Self::new).collect();
        row.iter().for_each(Self::settle);
        row
    }

    #[inline(always)]
    #[expect(clippy::mut_from_ref, reason = "it is the cell's content")]
    fn payload(&self) -> &mut ibv_sge {
        // SAFETY: this is the only thread that has it, nothing else makes a reference to it, and none outlives the functions below.
        unsafe { &mut *self.payload.get() }
    }

    #[inline(always)]
    #[expect(clippy::mut_from_ref, reason = "it is the cell's content")]
    fn request(&self) -> &mut ibv_send_wr {
        // SAFETY: as above; a library reads it while it is being posted, which is over.
        unsafe { &mut *self.request.get() }
    }

    /// Where its messages are sent from.
    #[inline(always)]
    pub(crate) fn set_place(&self, place: Place) {
        let payload = self.payload();
        payload.addr = place.start.as_ptr() as u64;
        payload.lkey = place.lkey;
    }

    /// True if the message that it was used for last, if any, is among the first so many.
    #[inline(always)]
    pub(super) fn is_among(&self, messages: u64) -> bool {
        self.request().wr_id.wrapping_add(1) <= messages
    }

    /// Has it say how the next message is sent, as the end of a list.
    #[inline(always)]
    pub(super) fn fill(&self, number: u64, flags: u32, imm: u32, len: u32) -> *mut ibv_send_wr {
        self.payload().length = len;
        let request = self.request();
        request.wr_id = number;
        request.next = null_mut();
        request.num_sge = i32::from(len != 0);
        request.send_flags = flags;
        // In network order, as the header says of it.
        request.__bindgen_anon_1.imm_data = imm.to_be();
        self.request.get()
    }

    /// Has a completion tell when the message is done that it was filled for.
    pub(super) fn signal(&self) {
        self.request().send_flags |= IBV_SEND_SIGNALED;
    }
}
