//! Other queues as a pair: one for requests, one for replies, the payload by value.

use super::{sum, time_groups, time_pipeline};
use crate::pair::{Answerer, Caller, Sides, Stop, Subject};

/// Slots of each queue, as many as a window has.
const CAPACITY: usize = 32;

/// Which queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Queue {
    /// `rtrb`, a ring buffer with a cached remote index.
    Rtrb,
    /// `crossbeam-channel`, bounded.
    Crossbeam,
}

/// A pair of queues.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Channels {
    /// Which.
    pub queue: Queue,
    /// Bytes of payload.
    pub bytes: usize,
    /// Messages in flight.
    pub depth: usize,
}

impl Subject for Channels {
    fn name(&self) -> String {
        match self.queue {
            Queue::Rtrb => "rtrb pair".into(),
            Queue::Crossbeam => "crossbeam-channel pair".into(),
        }
    }

    fn make(&self) -> Sides {
        match self.bytes {
            8 => sides::<1>(self),
            32 => sides::<4>(self),
            56 => sides::<7>(self),
            64 => sides::<8>(self),
            128 => sides::<16>(self),
            256 => sides::<32>(self),
            1024 => sides::<128>(self),
            4096 => sides::<512>(self),
            other => panic!("there is no payload of {other} bytes"),
        }
    }
}

/// The end of a queue that sends.
trait Send_<const W: usize>: Send {
    fn send(&mut self, payload: [u64; W]) -> bool;
}

/// The end that receives.
trait Receive<const W: usize>: Send {
    fn receive(&mut self) -> Option<[u64; W]>;
}

impl<const W: usize> Send_<W> for rtrb::Producer<[u64; W]> {
    #[inline(always)]
    fn send(&mut self, payload: [u64; W]) -> bool {
        self.push(payload).is_ok()
    }
}

impl<const W: usize> Receive<W> for rtrb::Consumer<[u64; W]> {
    #[inline(always)]
    fn receive(&mut self) -> Option<[u64; W]> {
        self.pop().ok()
    }
}

impl<const W: usize> Send_<W> for crossbeam_channel::Sender<[u64; W]> {
    #[inline(always)]
    fn send(&mut self, payload: [u64; W]) -> bool {
        self.try_send(payload).is_ok()
    }
}

impl<const W: usize> Receive<W> for crossbeam_channel::Receiver<[u64; W]> {
    #[inline(always)]
    fn receive(&mut self) -> Option<[u64; W]> {
        self.try_recv().ok()
    }
}

struct Calling<S, R, const W: usize> {
    requests: S,
    replies: R,
    depth: usize,
    sum: u64,
}

struct Answering<S, R, const W: usize> {
    requests: R,
    replies: S,
    sum: u64,
}

fn sides<const W: usize>(of: &Channels) -> Sides {
    match of.queue {
        Queue::Rtrb => ends::<_, _, W>(
            rtrb::RingBuffer::new(CAPACITY),
            rtrb::RingBuffer::new(CAPACITY),
            of.depth,
        ),
        Queue::Crossbeam => ends::<_, _, W>(
            crossbeam_channel::bounded(CAPACITY),
            crossbeam_channel::bounded(CAPACITY),
            of.depth,
        ),
    }
}

fn ends<S, R, const W: usize>(there: (S, R), back: (S, R), depth: usize) -> Sides
where
    S: Send_<W> + 'static,
    R: Receive<W> + 'static,
{
    let caller = Calling::<S, R, W> {
        requests: there.0,
        replies: back.1,
        depth,
        sum: 0,
    };
    let answerer = Answering::<S, R, W> {
        requests: there.1,
        replies: back.0,
        sum: 0,
    };
    Sides::Threads(Box::new(caller), Box::new(answerer))
}

impl<S: Send_<W>, R: Receive<W>, const W: usize> Caller for Calling<S, R, W> {
    fn run(&mut self, calls: usize, group: usize, times: &mut Vec<f64>) {
        let Self {
            requests,
            replies,
            depth,
            sum: total,
        } = self;
        let mut receive = || {
            let Some(reply) = replies.receive() else {
                return 0;
            };
            *total = total.wrapping_add(sum(&reply));
            1
        };
        if *depth == 1 {
            time_groups(calls, group, times, |number| {
                requests.send([number; W]);
                while receive() == 0 {
                    std::hint::spin_loop();
                }
            });
        } else {
            time_pipeline(
                calls,
                group,
                *depth,
                times,
                |number| requests.send([number; W]),
                || Some(receive()),
            );
        }
    }
}

impl<S: Send_<W>, R: Receive<W>, const W: usize> Answerer for Answering<S, R, W> {
    fn run(&mut self, stop: &Stop) {
        loop {
            match self.requests.receive() {
                Some(request) => {
                    self.sum = self.sum.wrapping_add(sum(&request));
                    while !self.replies.send(request) {
                        if stop.idle() {
                            return;
                        }
                    }
                }
                None => {
                    if stop.idle() {
                        return;
                    }
                }
            }
        }
    }
}
