//! Faults that a test injects, and what the devices count.

use runtime_rdma::verbs::bindings::{
    IBV_EVENT_DEVICE_FATAL, IBV_EVENT_PORT_ACTIVE, IBV_EVENT_PORT_ERR, IBV_EVENT_QP_FATAL,
};

use crate::device::Device;
use crate::fabric::{Fabric, Leaks, lock};
use crate::objects::Subject;

/// Calls that can be made to fail.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(
    missing_docs,
    reason = "the names are those of the library's functions"
)]
pub enum Call {
    OpenDevice,
    QueryDevice,
    QueryPort,
    QueryGid,
    AllocPd,
    RegMr,
    CreateCompChannel,
    CreateCq,
    CreateSrq,
    ModifySrq,
    CreateQp,
    ModifyQp,
    QueryQp,
    PostSend,
    PostRecv,
    PostSrqRecv,
    PollCq,
    ReqNotifyCq,
}

/// How many they are.
pub(crate) const CALLS: usize = Call::ReqNotifyCq as usize + 1;

/// What a device has counted since the process began.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counters {
    /// Calls of `ibv_post_send` that took at least one request: each rings the device's doorbell once.
    pub doorbells: u64,
    /// Requests that they took.
    pub send_wrs: u64,
    /// Those of them that carried their message in themselves.
    pub inline_wrs: u64,
    /// Calls of `ibv_post_recv` and `ibv_post_srq_recv` that took at least one buffer.
    pub recv_posts: u64,
    /// Those of `ibv_post_srq_recv` alone.
    pub srq_posts: u64,
    /// Buffers that they took.
    pub recv_wrs: u64,
    /// Completions that polling has given.
    pub completions: u64,
    /// Messages that found no receive buffer at this device, whatever became of them.
    pub rnr: u64,
    /// Events given through completion channels.
    pub notifications: u64,
    /// Messages that its queue pairs have sent and that have arrived.
    pub carried: u64,
}

impl Counters {
    pub(crate) fn plus(self, other: &Self) -> Self {
        Self {
            doorbells: self.doorbells + other.doorbells,
            send_wrs: self.send_wrs + other.send_wrs,
            inline_wrs: self.inline_wrs + other.inline_wrs,
            recv_posts: self.recv_posts + other.recv_posts,
            srq_posts: self.srq_posts + other.srq_posts,
            recv_wrs: self.recv_wrs + other.recv_wrs,
            completions: self.completions + other.completions,
            rnr: self.rnr + other.rnr,
            notifications: self.notifications + other.notifications,
            carried: self.carried + other.carried,
        }
    }
}

impl Device {
    /// Makes the next call of a kind fail with an error, without doing anything; several wait for each other.
    pub fn fail_next(self, call: Call, errno: i32) {
        let mut fabric = lock();
        fabric.devices[self.index].faults[call as usize].push_back(errno);
        if call == Call::PollCq {
            fabric.make_polls_look(self.index);
        }
    }

    /// Takes the port down or up. While it is down, messages from and to it end in `IBV_WC_RETRY_EXC_ERR`.
    pub fn set_port(self, up: bool) {
        let mut fabric = lock();
        if core::mem::replace(&mut fabric.devices[self.index].port_up, up) == up {
            return;
        }
        let event = if up {
            IBV_EVENT_PORT_ACTIVE
        } else {
            IBV_EVENT_PORT_ERR
        };
        fabric.raise_all(self.index, event);
        fabric.look_again = true;
        fabric.settle();
    }

    /// Lets send completions come only after so many more messages of the device have arrived, until changed; 0 ends it, and lets all come
    /// that wait.
    pub fn delay_completions(self, messages: u64) {
        let mut fabric = lock();
        fabric.devices[self.index].delay = messages;
        fabric.acknowledge(self.index, messages == 0);
        fabric.settle();
    }

    /// Lets all send completions come that wait.
    pub fn release_completions(self) {
        let mut fabric = lock();
        fabric.acknowledge(self.index, true);
        fabric.settle();
    }

    /// Has each poll give one completion at most, as if messages arrived just as quickly as they are polled; or no longer.
    pub fn give_singly(self, singly: bool) {
        lock().devices[self.index].gives_singly = singly;
    }

    /// Keeps what the device's queue pairs send on the way, or lets it arrive, in order. What is not inline is read when it arrives.
    pub fn hold_deliveries(self, hold: bool) {
        let mut fabric = lock();
        fabric.devices[self.index].holds = hold;
        fabric.carry_all(self.index);
        fabric.settle();
    }

    /// Breaks a queue pair, by its number: `IBV_EVENT_QP_FATAL`, and the error state.
    ///
    /// # Panics
    /// If the device has no such queue pair.
    pub fn break_qp(self, qpn: u32) {
        let mut fabric = lock();
        let context = fabric
            .qps
            .get(&qpn)
            .filter(|qp| qp.device == self.index)
            .expect("the device has the queue pair")
            .context;
        fabric.raise(context, IBV_EVENT_QP_FATAL, Subject::Qp(qpn));
        fabric.put_in_error(qpn);
        fabric.settle();
    }

    /// Breaks the device: `IBV_EVENT_DEVICE_FATAL`, every queue pair in the error state, and nothing can be made any more.
    pub fn fatal(self) {
        let mut fabric = lock();
        fabric.devices[self.index].fatal = true;
        fabric.raise_all(self.index, IBV_EVENT_DEVICE_FATAL);
        let mut next = 0;
        while let Some((&qpn, qp)) = fabric.qps.range(next..).next() {
            next = qpn + 1;
            if qp.device == self.index {
                fabric.put_in_error(qpn);
            }
        }
        fabric.settle();
    }

    /// What the device has counted.
    pub fn counters(self) -> Counters {
        lock().devices[self.index].counters
    }

    /// The device's objects that are not destroyed yet.
    pub fn leaks(self) -> Leaks {
        lock().leaks(Some(self.index))
    }

    /// The numbers of the device's queue pairs.
    pub fn queue_pairs(self) -> Vec<u32> {
        lock()
            .qps
            .iter()
            .filter(|(_, qp)| qp.device == self.index)
            .map(|(qpn, _)| *qpn)
            .collect()
    }
}

impl Fabric {
    /// The error that this call is to give, if one waits.
    pub(crate) fn fault(&mut self, device: usize, call: Call) -> Result<(), i32> {
        self.devices[device].faults[call as usize]
            .pop_front()
            .map_or(Ok(()), Err)
    }

    /// As [`fault`](Self::fault), for a call that makes something: a broken device makes nothing.
    pub(crate) fn may_make(&mut self, device: usize, call: Call) -> Result<(), i32> {
        if self.devices[device].fatal {
            return Err(libc::EIO);
        }
        self.fault(device, call)
    }
}
