//! What a device reports of itself, its ports and the objects made of it.

use std::io;

use super::bindings::{
    IBV_EVENT_CLIENT_REREGISTER, IBV_EVENT_COMM_EST, IBV_EVENT_GID_CHANGE, IBV_EVENT_LID_CHANGE,
    IBV_EVENT_PATH_MIG, IBV_EVENT_PATH_MIG_ERR, IBV_EVENT_PKEY_CHANGE, IBV_EVENT_PORT_ACTIVE,
    IBV_EVENT_PORT_ERR, IBV_EVENT_QP_ACCESS_ERR, IBV_EVENT_QP_FATAL, IBV_EVENT_QP_LAST_WQE_REACHED,
    IBV_EVENT_QP_REQ_ERR, IBV_EVENT_SM_CHANGE, IBV_EVENT_SQ_DRAINED, ibv_async_event,
    ibv_event_type,
};
use super::context::Context;
use super::error::{last, text};

/// An event of a device: ibv_get_async_event(3) lists them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AsyncEvent {
    /// One of the `IBV_EVENT_` constants, or what a newer driver says.
    pub kind: ibv_event_type,
    /// The number of the queue pair, if it is about one.
    pub qp: Option<u32>,
    /// The port, if it is about one.
    pub port: Option<u8>,
    /// What the library calls the kind.
    pub name: String,
}

impl Context {
    /// The next event, if there is one; it never waits. Which of several threads gets an event is undefined.
    ///
    /// # Errors
    /// The events cannot be read.
    pub fn next_event(&self) -> io::Result<Option<AsyncEvent>> {
        let library = self.library();
        let mut raw = ibv_async_event::default();
        // SAFETY: the context is open, and the event may be written.
        if unsafe { (library.get_async_event)(self.raw(), &raw mut raw) } != 0 {
            let error = last();
            return if error.kind() == io::ErrorKind::WouldBlock {
                Ok(None)
            } else {
                Err(error)
            };
        }
        let kind = raw.event_type;
        let (mut qp, mut port) = (None, None);
        match kind {
            IBV_EVENT_QP_FATAL
            | IBV_EVENT_QP_REQ_ERR
            | IBV_EVENT_QP_ACCESS_ERR
            | IBV_EVENT_COMM_EST
            | IBV_EVENT_SQ_DRAINED
            | IBV_EVENT_PATH_MIG
            | IBV_EVENT_PATH_MIG_ERR
            | IBV_EVENT_QP_LAST_WQE_REACHED => {
                // SAFETY: this member is the one that these kinds have.
                let of = unsafe { raw.element.qp };
                // SAFETY: the queue pair is not gone: destroying it waits until its events are acknowledged.
                qp = Some(unsafe { (*of).qp_num });
            }
            IBV_EVENT_PORT_ACTIVE
            | IBV_EVENT_PORT_ERR
            | IBV_EVENT_LID_CHANGE
            | IBV_EVENT_PKEY_CHANGE
            | IBV_EVENT_SM_CHANGE
            | IBV_EVENT_CLIENT_REREGISTER
            | IBV_EVENT_GID_CHANGE => {
                // SAFETY: this member is the one that these kinds have.
                port = u8::try_from(unsafe { raw.element.port_num }).ok();
            }
            _ => {}
        }
        // SAFETY: the event is one just got, and acknowledged once: here, so that no destroying ever waits for whoever asks for events.
        unsafe { (library.ack_async_event)(&raw mut raw) };
        // SAFETY: it takes any number.
        let name = unsafe { (library.event_type_str)(kind) };
        Ok(Some(AsyncEvent {
            kind,
            qp,
            port,
            // SAFETY: the library's text is a constant.
            name: unsafe { text(name) },
        }))
    }
}
