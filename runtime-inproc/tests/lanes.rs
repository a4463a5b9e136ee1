//! A server's turn round its lanes ends, whatever a client writes.

use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use runtime_core::{ClientId, Overlay, SlotShape, Ticket};
use runtime_lane::{
    Area, BarrierScope, ClientEnd, Control, Geometry, LaneSet, Memory, ServerLane, Wake,
    prepare_barrier,
};

const WINDOW: usize = 2;
const AREAS: usize = WINDOW + 1;

/// A lane's memory; the client of a hostile one takes its request back whenever it has been seen, and puts it there again.
#[derive(Clone)]
struct Lane(Arc<Shared>);

struct Shared {
    /// In a hostile one: true if the look before this showed a request. All of a set share it, so that they do as one would.
    seen: Option<Arc<AtomicBool>>,
    looks: AtomicUsize,
    geometry: Geometry,
    words: [AtomicU64; AREAS],
    nothing: AtomicU64,
    control: Control,
}

impl Lane {
    fn new(seen: Option<Arc<AtomicBool>>) -> Self {
        Self(Arc::new(Shared {
            seen,
            looks: AtomicUsize::new(0),
            geometry: Geometry {
                window: WINDOW,
                events: 0,
                shape: Self::SHAPE,
            },
            words: Default::default(),
            nothing: AtomicU64::new(0),
            control: Control::new(prepare_barrier(BarrierScope::Process)),
        }))
    }

    /// A client that has sent a request.
    fn with_request(seen: Option<&Arc<AtomicBool>>) -> (Self, ClientEnd<Self>) {
        if let Some(seen) = seen {
            // So that the request goes where it is shown.
            seen.store(false, Ordering::Relaxed);
        }
        let lane = Self::new(seen.cloned());
        // SAFETY: the only one of this lane.
        let mut client = unsafe { ClientEnd::new(lane.clone()) };
        let slot = client.take().expect("the window is not full");
        // SAFETY: `take` gave the slot just now.
        unsafe { client.send(slot, 1, 8, Overlay::Always) };
        (lane, client)
    }
}

// SAFETY: there is a word for each slot; no body is read or written here, and the pointer to one is only looked at.
unsafe impl Memory for Lane {
    const SCOPE: BarrierScope = BarrierScope::Process;
    const OVERLAYS: bool = true;
    const SHAPE: SlotShape = SlotShape {
        request_area: 64,
        response_area: 0,
        event_area: 0,
    };

    fn geometry(&self) -> &Geometry {
        &self.0.geometry
    }

    unsafe fn word(&self, _: Area, slot: usize) -> &AtomicU64 {
        let looks = self.0.looks.fetch_add(1, Ordering::Relaxed);
        assert!(looks < 1000, "the turn does not end");
        match &self.0.seen {
            Some(seen) if seen.fetch_not(Ordering::Relaxed) => &self.0.nothing,
            _ => &self.0.words[slot],
        }
    }

    unsafe fn body(&self, _: Area, _: usize) -> NonNull<u8> {
        NonNull::from(&self.0.nothing).cast()
    }

    fn control(&self) -> &Control {
        &self.0.control
    }

    fn wake_server(&self, _: Wake) {}

    fn wake_client(&self, _: Wake) {}
}

#[test]
fn a_request_that_comes_and_goes_does_not_hold_the_server_up() {
    for hostile in 1..4 {
        let seen = Arc::new(AtomicBool::new(false));
        let mut lanes = LaneSet::default();
        let mut clients = Vec::new();
        for number in 0..hostile {
            let (lane, client) = Lane::with_request(Some(&seen));
            // SAFETY: the only one of this lane.
            lanes.add(unsafe { ServerLane::new(lane, ClientId(number), ()) });
            clients.push(client);
        }
        // The look that takes what is there finds nothing, the one that asks whether there is something does, and so on.
        seen.store(true, Ordering::Relaxed);
        assert!(lanes.poll().is_none());
        // Nor does it cost an honest client its turn.
        let (lane, client) = Lane::with_request(None);
        // SAFETY: as above.
        lanes.add(unsafe { ServerLane::new(lane, ClientId(hostile), ()) });
        clients.push(client);
        seen.store(true, Ordering::Relaxed);
        let ticket = lanes.poll().unwrap();
        // SAFETY: the set was not changed since.
        let lane = unsafe { ticket.lane() };
        assert_eq!((ticket.method(), lane.client()), (1, ClientId(hostile)));
    }
}
