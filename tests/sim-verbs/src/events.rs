//! Events: completion channels and asynchronous events, as descriptors that become readable.

use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Duration;

use runtime_rdma::verbs::bindings::{IBV_WC_SUCCESS, ibv_event_type};
use rustix::event::{EventfdFlags, eventfd};
use rustix::io::Errno;

use crate::fabric::{Fabric, lock};
use crate::objects::{Armed, Subject};
use crate::queue::Cqe;

/// How long a destruction waits for another thread's acknowledgement; the real library waits for ever.
const PATIENCE_MS: u32 = 1_000;

/// A descriptor that counts events: each read takes one.
pub(crate) fn counter() -> Result<OwnedFd, Errno> {
    eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::SEMAPHORE)
}

/// Adds one event.
fn count(fd: &OwnedFd) {
    rustix::io::write(fd, &1u64.to_ne_bytes()).expect("a counter of events does not overflow");
}

/// Waits for an event, unless the program has made the descriptor non-blocking, and takes it.
pub(crate) fn take_one(fd: BorrowedFd<'_>) -> Result<(), Errno> {
    rustix::io::read(fd, &mut [0; 8]).map(|_| ())
}

impl Fabric {
    /// Lets who polls find a new completion, and wakes who sleeps for it.
    pub(crate) fn announce(&mut self, id: u32, cqe: &Cqe) {
        let cq = self
            .cqs
            .get_mut(&id)
            .expect("the completion was just added");
        cq.set_waiting(true);
        let Some(channel) = cq.channel else {
            return;
        };
        let wakes = match cq.armed {
            None => false,
            Some(Armed::Any) => true,
            Some(Armed::Solicited) => cqe.solicited || cqe.status != IBV_WC_SUCCESS,
        };
        if wakes {
            cq.armed = None;
            cq.unread += 1;
            self.devices[cq.device].counters.notifications += 1;
            count(&self.channels[&channel].fd);
        }
    }

    /// Makes everyone who polls on a device take the lock and look.
    pub(crate) fn make_polls_look(&mut self, device: usize) {
        for cq in self.cqs.values() {
            if cq.device == device {
                cq.set_waiting(true);
            }
        }
    }

    /// Gives a context an asynchronous event.
    pub(crate) fn raise(&mut self, context: u32, kind: ibv_event_type, subject: Subject) {
        let context = self
            .contexts
            .get_mut(&context)
            .expect("an object keeps its context");
        context.events.push_back((kind, subject));
        count(&context.fd);
    }

    /// Gives every context of a device an event about the device or its port.
    pub(crate) fn raise_all(&mut self, device: usize, kind: ibv_event_type) {
        for context in self.contexts.values_mut() {
            if context.device == device {
                context.events.push_back((kind, Subject::Device));
                count(&context.fd);
            }
        }
    }

    /// Takes back the events about an object that nobody has got: it is about to be destroyed. Who waits for one wakes in vain.
    pub(crate) fn forget_events(&mut self, context: u32, subject: Subject) {
        if let Some(context) = self.contexts.get_mut(&context) {
            context.events.retain(|(_, about)| *about != subject);
        }
    }

    /// How many events about an object were got and not acknowledged.
    pub(crate) fn unacked(&mut self, subject: Subject) -> Option<&mut u32> {
        match subject {
            Subject::Cq(id) => self.cqs.get_mut(&id).map(|cq| &mut cq.unacked_async),
            Subject::Qp(qpn) => self.qps.get_mut(&qpn).map(|qp| &mut qp.unacked_async),
            Subject::Srq(id) => self.srqs.get_mut(&id).map(|srq| &mut srq.unacked_async),
            Subject::Device => None,
        }
    }
}

/// Waits until all events about an object are acknowledged; ends the process, with a reason, where the real library would wait for ever.
pub(crate) fn wait_until_acked(function: &str, unacked: impl Fn(&mut Fabric) -> u32) {
    for _ in 0..PATIENCE_MS {
        if unacked(&mut lock()) == 0 {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    give_up(&format!(
        "{function} waits for {} events to be acknowledged, and would do so for ever",
        unacked(&mut lock())
    ));
}

/// Ends the process: the program did what the library leaves undefined, or what would never end.
pub(crate) fn give_up(reason: &str) -> ! {
    eprintln!("sim-verbs: {reason}");
    std::process::abort();
}
