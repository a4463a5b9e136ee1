//! Completion channels and asynchronous events.

use core::ptr::null_mut;
use std::os::unix::process::CommandExt;
use std::process::Command;

use libc::{EAGAIN, c_int};
use runtime_rdma::verbs::bindings::*;

use crate::pair::{Path, connect};
use crate::support::{Node, Send, errno, nonblocking, readable, tests};

/// Two queue pairs whose completions go to two queues on one channel.
struct Channelled {
    node: Node,
    channel: *mut ibv_comp_channel,
    cqs: [*mut ibv_cq; 2],
    qps: [*mut ibv_qp; 2],
}

impl Channelled {
    fn new(name: &str) -> Self {
        let mut node = Node::new(name);
        let channel = node.channel();
        let cqs = [node.cq_on(16, channel), node.cq_on(16, channel)];
        let qps = cqs.map(|cq| node.qp(cq, null_mut()));
        connect((&node, qps[0]), (&node, qps[1]), Path::default());
        Self {
            node,
            channel,
            cqs,
            qps,
        }
    }

    fn fd(&self) -> c_int {
        // SAFETY: the channel is the node's.
        unsafe { (*self.channel).fd }
    }

    /// Sends a message, solicited or not.
    fn send(&self, flags: u32) {
        self.node
            .post_recv(self.qps[1], &[(1, self.node.sge(0, 8))])
            .expect("there is room");
        self.node
            .post_send(self.qps[0], &[Send::new(2, &[]).flags(flags)])
            .expect("there is room");
    }

    /// The queue of the next event.
    fn get(&self) -> Result<*mut ibv_cq, c_int> {
        let (mut cq, mut context) = (null_mut(), null_mut());
        let result =
            // SAFETY: the channel is the node's.
            unsafe { (self.node.lib.get_cq_event)(self.channel, &raw mut cq, &raw mut context) };
        if result == 0 { Ok(cq) } else { Err(errno()) }
    }

    fn ack(&self, cq: *mut ibv_cq, count: u32) {
        // SAFETY: the queue is the node's.
        unsafe { (self.node.lib.ack_cq_events)(cq, count) };
    }
}

/// Runs a test of this file in a process of its own, where it aborts, and returns what it said.
fn aborts(test: &str) -> String {
    let own = std::env::current_exe().expect("the program has a path");
    let mut command = Command::new(own);
    command
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env("SIM_VERBS_ABORT", "1");
    let dies_with_us = || {
        // SAFETY: it has no conditions on memory.
        let result = unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
        if result == 0 {
            Ok(())
        } else {
            Err(std::io::Error::last_os_error())
        }
    };
    // SAFETY: it makes one system call, as a child of a program with threads may.
    unsafe { command.pre_exec(dies_with_us) };
    let output = command.output().expect("the program runs");
    assert!(!output.status.success(), "{test} does not abort");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// True in the process that [`aborts`] has started.
fn is_to_abort() -> bool {
    std::env::var_os("SIM_VERBS_ABORT").is_some()
}

tests! {
    fn an_armed_queue_makes_its_channel_readable_once() {
        let test = Channelled::new("armed");
        nonblocking(test.fd());
        test.send(0);
        assert!(!readable(test.fd()), "it was not armed");
        assert_eq!(test.node.arm(test.cqs[1], false), 0);
        assert!(!readable(test.fd()), "what was there before does not count");
        assert_eq!(test.get(), Err(EAGAIN));
        test.send(0);
        test.send(0);
        assert!(readable(test.fd()));
        assert_eq!(test.get(), Ok(test.cqs[1]));
        assert_eq!(test.get(), Err(EAGAIN), "it was armed once");
        assert!(!readable(test.fd()));
        test.ack(test.cqs[1], 1);
        assert_eq!(test.node.device.counters().notifications, 1);
    }

    fn two_queues_of_a_channel_have_an_event_each() {
        let test = Channelled::new("two-queues");
        nonblocking(test.fd());
        for cq in test.cqs {
            assert_eq!(test.node.arm(cq, false), 0);
        }
        test.send(IBV_SEND_SIGNALED);
        let mut got = [test.get(), test.get()];
        got.sort();
        let mut both = test.cqs.map(Ok);
        both.sort();
        assert_eq!(got, both);
        assert_eq!(test.get(), Err(EAGAIN));
        for cq in test.cqs {
            test.ack(cq, 1);
        }
    }

    fn a_queue_armed_for_solicited_ones_wakes_for_them_and_for_errors() {
        let test = Channelled::new("solicited");
        assert_eq!(test.node.arm(test.cqs[1], true), 0);
        test.send(0);
        assert!(!readable(test.fd()));
        test.send(IBV_SEND_SOLICITED);
        assert!(readable(test.fd()));
        assert_eq!(test.get(), Ok(test.cqs[1]));
        assert_eq!(test.node.arm(test.cqs[1], true), 0);
        test.node.post_recv(test.qps[1], &[(3, test.node.sge(0, 8))]).expect("there is room");
        test.node.to_error(test.qps[1]);
        assert!(readable(test.fd()));
        assert_eq!(test.get(), Ok(test.cqs[1]));
        test.ack(test.cqs[1], 2);
    }

    fn who_sleeps_on_a_channel_is_woken() {
        let test = Channelled::new("sleeps");
        assert_eq!(test.node.arm(test.cqs[1], false), 0);
        let (channel, lib) = (test.channel.expose_provenance(), test.node.lib);
        let sleeper = std::thread::spawn(move || {
            let channel = core::ptr::with_exposed_provenance_mut(channel);
            let (mut cq, mut context) = (null_mut(), null_mut());
            // SAFETY: the channel stays until this thread was joined.
            let result = unsafe { (lib.get_cq_event)(channel, &raw mut cq, &raw mut context) };
            (result, cq.expose_provenance())
        });
        std::thread::sleep(std::time::Duration::from_millis(20));
        test.send(0);
        let got = sleeper.join().expect("it was woken");
        assert_eq!(got, (0, test.cqs[1].expose_provenance()));
        test.ack(test.cqs[1], 1);
    }

    fn a_destruction_waits_for_another_threads_acknowledgement() {
        let mut test = Channelled::new("waits");
        assert_eq!(test.node.arm(test.cqs[1], false), 0);
        test.send(0);
        let cq = test.get().expect("there is one");
        let (lib, address) = (test.node.lib, cq.expose_provenance());
        let other = std::thread::spawn(move || {
            std::thread::sleep(std::time::Duration::from_millis(50));
            // SAFETY: the queue waits with its destruction for this.
            unsafe { (lib.ack_cq_events)(core::ptr::with_exposed_provenance_mut(address), 1) };
        });
        for qp in test.qps {
            test.node.destroy_qp(qp);
        }
        // The node destroys its queues now.
        drop(test);
        other.join().expect("it has acknowledged");
    }

    fn events_that_nobody_got_go_with_their_queue() {
        let test = Channelled::new("unread");
        for cq in test.cqs {
            assert_eq!(test.node.arm(cq, false), 0);
        }
        test.send(IBV_SEND_SIGNALED);
        // The node destroys its queues now, with an event each.
    }

    fn destroying_a_queue_with_events_that_are_not_acknowledged_ends_the_process() {
        if is_to_abort() {
            let test = Channelled::new("unacked");
            assert_eq!(test.node.arm(test.cqs[1], false), 0);
            test.send(0);
            assert_eq!(test.get(), Ok(test.cqs[1]));
            return;
        }
        let said = aborts(
            "events::destroying_a_queue_with_events_that_are_not_acknowledged_ends_the_process",
        );
        assert!(said.contains("ibv_destroy_cq waits for 1 events to be acknowledged"), "{said}");
    }

    fn acknowledging_more_than_was_got_ends_the_process() {
        if is_to_abort() {
            let test = Channelled::new("over-acked");
            test.ack(test.cqs[1], 1);
            return;
        }
        let said = aborts("events::acknowledging_more_than_was_got_ends_the_process");
        assert!(said.contains("acknowledges more events than were got"), "{said}");
    }

    fn asynchronous_events_make_the_contexts_descriptor_readable() {
        let node = Node::new("async");
        // SAFETY: the context is open.
        let fd = unsafe { (*node.context).async_fd };
        assert!(!readable(fd));
        node.device.set_port(false);
        node.device.set_port(false);
        node.device.set_port(true);
        assert!(readable(fd));
        assert_eq!(node.event(), Some(IBV_EVENT_PORT_ERR));
        assert_eq!(node.event(), Some(IBV_EVENT_PORT_ACTIVE), "a port that is down stays down silently");
        assert_eq!(node.event(), None);
        assert!(!readable(fd));
    }

    fn an_event_names_its_queue_pair_which_waits_for_the_acknowledgement() {
        let mut node = Node::new("names");
        let cq = node.cq(8);
        let qp = node.qp(cq, null_mut());
        node.device.break_qp(node.number(qp));
        let mut event = ibv_async_event::default();
        // SAFETY: the context is open, and it is room for an event.
        let result = unsafe { (node.lib.get_async_event)(node.context, &raw mut event) };
        assert_eq!((result, event.event_type), (0, IBV_EVENT_QP_FATAL));
        // SAFETY: an event of this kind names a queue pair.
        assert_eq!(unsafe { event.element.qp }, qp);
        // SAFETY: the event was just got.
        unsafe { (node.lib.ack_async_event)(&raw mut event) };
        node.destroy_qp(qp);
    }

    fn destroying_a_queue_pair_with_an_event_that_is_not_acknowledged_ends_the_process() {
        if is_to_abort() {
            let mut node = Node::new("unacked-async");
            let cq = node.cq(8);
            let qp = node.qp(cq, null_mut());
            node.device.break_qp(node.number(qp));
            let mut event = ibv_async_event::default();
            // SAFETY: the context is open, and it is room for an event.
            assert_eq!(unsafe { (node.lib.get_async_event)(node.context, &raw mut event) }, 0);
            node.destroy_qp(qp);
            return;
        }
        let said = aborts(
            "events::destroying_a_queue_pair_with_an_event_that_is_not_acknowledged_ends_the_process",
        );
        assert!(said.contains("ibv_destroy_qp waits for 1 events to be acknowledged"), "{said}");
    }

    fn statuses_and_events_have_names() {
        let node = Node::new("names-of");
        let text = |name: *const core::ffi::c_char| {
            // SAFETY: it ends with a zero byte and stays.
            unsafe { core::ffi::CStr::from_ptr(name) }.to_str().expect("it is text")
        };
        // SAFETY: these have no conditions.
        let status = |number| text(unsafe { (node.lib.wc_status_str)(number) });
        // SAFETY: as above.
        let event = |number| text(unsafe { (node.lib.event_type_str)(number) });
        assert_eq!(status(IBV_WC_RETRY_EXC_ERR), "transport retries exceeded");
        assert_eq!(status(IBV_WC_TM_RNDV_INCOMPLETE), "tag matching rendezvous incomplete");
        assert_eq!(status(99), "unknown");
        assert_eq!(event(IBV_EVENT_QP_LAST_WQE_REACHED), "last work request reached");
        assert_eq!(event(IBV_EVENT_WQ_FATAL), "work queue fatal error");
    }
}
