//! Receive buffers: registered memory with the request by which it is given to the device.
//!
//! Who has a buffer is a matter of ownership: the device (it is posted), or whoever holds its [`Held`]. A completion turns the first into
//! the second, a [`Chain`] that is posted the second into the first.

use std::cell::{Cell, UnsafeCell};
use std::ptr::NonNull;
use std::sync::Arc;

use crate::connection::Connection;
use crate::verbs::bindings::{IBV_ACCESS_LOCAL_WRITE, ibv_recv_wr, ibv_sge};
use crate::verbs::{Pd, PostError, Region, explain_registration};
use crate::work::Place;

/// A buffer and its receive request.
#[repr(C)]
pub(crate) struct Buffer {
    /// First, so that a list of buffers and one of their requests are the same pointers.
    request: UnsafeCell<ibv_recv_wr>,
    pub(crate) place: Place,
    /// Whose request is in it, while one is held there.
    owner: Cell<Option<NonNull<Connection>>>,
    payload: UnsafeCell<ibv_sge>,
}

// SAFETY: the cells are touched only by whoever holds the buffer, of which there is one at a time; `place` never changes.
unsafe impl Sync for Buffer {}
// SAFETY: nothing of it belongs to a thread.
unsafe impl Send for Buffer {}

/// A buffer that the device does not have: the sole right to give it away.
#[derive(Debug)]
#[must_use = "a buffer that is not given back is lost"]
pub(crate) struct Held(NonNull<Buffer>);

// SAFETY: it is a buffer by reference, and that is `Send` and `Sync`.
unsafe impl Send for Held {}

impl Held {
    /// The buffer that a completion is about.
    ///
    /// # Safety
    /// 1. A completion just polled has this `wr_id`, and its request was posted by a [`Chain`].
    #[inline(always)]
    pub(crate) unsafe fn completed(wr_id: u64) -> Self {
        let buffer = NonNull::new(wr_id as *mut Buffer);
        // SAFETY: `Buffers::new` put the buffer's address there, and the device gives back what it was given.
        Self(unsafe { buffer.unwrap_unchecked() })
    }

    /// The holder of this buffer, for where it is kept in a form that can be copied.
    ///
    /// # Safety
    /// 1. [`into_raw`](Self::into_raw) gave it, and this is the only holder made of it since.
    #[inline(always)]
    pub(crate) unsafe fn from_raw(buffer: NonNull<Buffer>) -> Self {
        Self(buffer)
    }

    /// The buffer, without its holder.
    #[inline(always)]
    pub(crate) fn into_raw(self) -> NonNull<Buffer> {
        self.0
    }

    /// Gives the buffer to the device by `post`, which gets a request of its own.
    ///
    /// A library may read the link of a request after the device has it. So where another thread polls completions, and may have the buffer
    /// in another list by then, that link must not be the buffer's.
    ///
    /// # Errors
    /// The device did not take it; here it is.
    #[cold]
    pub(crate) fn post_alone(
        self,
        post: impl FnOnce(*mut ibv_recv_wr) -> Result<(), PostError<ibv_recv_wr>>,
    ) -> Result<(), (i32, Self)> {
        // SAFETY: buffers live as long as anyone may hold them.
        let buffer = unsafe { self.0.as_ref() };
        let mut request = ibv_recv_wr {
            wr_id: self.0.as_ptr() as u64,
            next: std::ptr::null_mut(),
            // Written once, when the buffers were made.
            sg_list: buffer.payload.get(),
            num_sge: 1,
        };
        post(&mut request).map_err(|error| (error.errno, self))
    }

    #[inline(always)]
    pub(crate) fn place(&self) -> Place {
        // SAFETY: buffers live as long as anyone may hold them: see `Buffers`.
        unsafe { self.0.as_ref() }.place
    }

    /// Notes whose request is in the buffer.
    #[inline(always)]
    pub(crate) fn set_owner(&self, owner: &Connection) {
        // SAFETY: as above; whoever holds the buffer has its cells to himself.
        unsafe { self.0.as_ref() }
            .owner
            .set(Some(NonNull::from(owner)));
    }
}

impl Buffer {
    /// What [`Held::set_owner`] has noted, for whoever holds the buffer.
    ///
    /// # Safety
    /// 1. It was called since the device had the buffer.
    #[inline(always)]
    pub(crate) unsafe fn owner(&self) -> NonNull<Connection> {
        // SAFETY: promise 1.
        unsafe { self.owner.get().unwrap_unchecked() }
    }
}

/// Buffers of one size in one region.
///
/// They have to live until the queue that they are posted to is destroyed and nobody holds one of them: whoever keeps the queue keeps
/// them, behind it.
pub(crate) struct Buffers {
    /// Unregistered after the queue is gone.
    region: Region,
    buffers: Box<[Buffer]>,
}

impl Buffers {
    /// So many of so many bytes.
    pub(crate) fn new(pd: &Arc<Pd>, count: usize, bytes: usize) -> Result<Self, String> {
        let all = count * bytes;
        let region = Region::new(pd, all, IBV_ACCESS_LOCAL_WRITE)
            .map_err(|error| explain_registration(&error, all))?;
        let place = |number: usize| Place {
            // SAFETY: `number` is below `count`, so this is within the region.
            start: unsafe { region.start().add(number * bytes) },
            lkey: region.lkey(),
        };
        let buffers: Box<[Buffer]> = (0..count)
            .map(|number| Buffer {
                place: place(number),
                owner: Cell::new(None),
                request: UnsafeCell::new(ibv_recv_wr {
                    wr_id: 0,
                    next: std::ptr::null_mut(),
                    sg_list: std::ptr::null_mut(),
                    num_sge: 1,
                }),
                payload: UnsafeCell::new(ibv_sge {
                    addr: place(number).start.as_ptr() as u64,
                    length: bytes as u32,
                    lkey: region.lkey(),
                }),
            })
            .collect();
        // Their addresses are final only now.
        for buffer in &buffers {
            let request = buffer.request.get();
            // SAFETY: nobody else has the buffer yet.
            let request = unsafe { &mut *request };
            request.wr_id = std::ptr::from_ref(buffer) as u64;
            request.sg_list = buffer.payload.get();
        }
        Ok(Self { region, buffers })
    }

    /// The holders of all of them.
    ///
    /// # Safety
    /// 1. It is called once.
    pub(crate) unsafe fn hold(&self) -> impl Iterator<Item = Held> + '_ {
        self.buffers
            .iter()
            .map(|buffer| Held(NonNull::from(buffer)))
    }
}

impl std::fmt::Debug for Buffers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Buffers({} in {} bytes)",
            self.buffers.len(),
            self.region.len()
        )
    }
}

/// Buffers that are given to the device together, the last one first.
#[derive(Debug)]
pub(crate) struct Chain {
    first: Cell<*mut ibv_recv_wr>,
    /// How many make it [full](Self::push), and how many more that are.
    list: usize,
    room: Cell<usize>,
}

// SAFETY: it holds buffers, and is made of pointers to them.
unsafe impl Send for Chain {}

impl Chain {
    /// One that is full with so many.
    pub(crate) const fn new(list: usize) -> Self {
        Self {
            first: Cell::new(std::ptr::null_mut()),
            list,
            room: Cell::new(list),
        }
    }

    /// How many more make it full.
    pub(crate) fn room(&self) -> usize {
        self.room.get()
    }

    /// Adds a buffer. True if it is full now, and is to be posted; whoever does not may go on.
    #[inline(always)]
    pub(crate) fn push(&self, held: Held) -> bool {
        // SAFETY: buffers live as long as anyone may hold them.
        let request = unsafe { held.into_raw().as_ref() }.request.get();
        // SAFETY: whoever holds a buffer has its cells to himself, and that is this chain now.
        unsafe { (*request).next = self.first.get() };
        self.first.set(request);
        let room = self.room.get().wrapping_sub(1);
        self.room.set(room);
        room == 0
    }

    /// Gives them all to the device by `post`, which gets the first of the list. For the thread that polls their completions alone: see
    /// [`Held::post_alone`].
    ///
    /// # Errors
    /// The device took no more; those that it did not take are still in the chain, which is full again with the next.
    #[cold]
    pub(crate) fn post(
        &self,
        post: impl FnOnce(*mut ibv_recv_wr) -> Result<(), PostError<ibv_recv_wr>>,
    ) -> Result<(), i32> {
        let mut first = self.first.get();
        if first.is_null() {
            return Ok(());
        }
        let posted = post(first);
        let (mut room, mut result) = (self.list, Ok(()));
        match posted {
            Ok(()) => first = std::ptr::null_mut(),
            Err(error) => {
                // Those before the one that was refused have gone.
                while first != error.bad && !first.is_null() {
                    // SAFETY: it was in this chain when it was posted, and nobody else holds it yet: this is the thread that polls
                    // completions.
                    first = unsafe { (*first).next };
                }
                if !first.is_null() {
                    room = 1;
                }
                result = Err(error.errno);
            }
        }
        self.first.set(first);
        self.room.set(room);
        result
    }
}
