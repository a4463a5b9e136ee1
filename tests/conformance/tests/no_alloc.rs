//! Calls, replies, events and loans allocate nothing once the ends are made.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

use conformance::inproc::Inproc;
use conformance::probe::probe::{Event, Reply, method};
use conformance::probe::{Blob, Image, Mode};
use conformance::{Backend, Probe, pair};
use runtime_core::Audience;

/// Counts what the measuring thread allocates.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: everything is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) };
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn the_hot_path_does_not_allocate_in_process() {
    the_hot_path_does_not_allocate::<Inproc>();
}

#[cfg(target_os = "linux")]
#[test]
fn the_hot_path_does_not_allocate_between_processes() {
    the_hot_path_does_not_allocate::<conformance::shm::Shm>();
}

#[cfg(target_os = "linux")]
#[test]
fn the_hot_path_does_not_allocate_between_isolated_processes() {
    the_hot_path_does_not_allocate::<conformance::shm::IsolatedShm>();
}

#[cfg(target_os = "linux")]
#[test]
fn the_hot_path_does_not_allocate_between_nodes() {
    the_hot_path_does_not_allocate::<conformance::rdma::Rdma>();
}

fn the_hot_path_does_not_allocate<B: Backend>() {
    let (mut client, mut server) = pair::<B, u64>();
    let mut handler = Probe {
        notes: Vec::with_capacity(4096),
        ..Probe::default()
    };
    let (blob, image) = (Blob::default(), Image { pixels: [3; 4000] });
    let mut answered = 0_u64;
    let mut round = |value: u64| {
        client.echo(value, value).expect("there is room");
        client.mirror(&blob, value).expect("there is room");
        client.brighten(&image, 1, value).expect("there is room");
        client.divide(value, 0, value).expect("there is room");
        client.toggle(Mode(7), value).expect("there is room");
        client.split(value, value).expect("there is room");
        client.note(value).expect("there is room");
        client
            .loan::<method::Mirror>()
            .expect("there is room")
            .send(value);
        while let Ok(1..) = server.poll(&mut handler, 64) {}
        server.ticked(Audience::All, value).expect("there is room");
        while client
            .poll(|_, reply: Reply<'_>| {
                std::hint::black_box(reply);
            })
            .expect("the server lives")
            != 0
        {
            answered += 1;
        }
        client
            .poll_events(|event: Event<'_>| {
                std::hint::black_box(event);
            })
            .expect("the server lives");
    };
    // The first rounds let vectors reach their size.
    (0..10).for_each(&mut round);
    let before = ALLOCATIONS.with(Cell::get);
    (0..1000).for_each(&mut round);
    let after = ALLOCATIONS.with(Cell::get);
    assert_eq!(after - before, 0, "the hot path allocated");
    assert!(answered >= 1000);

    let thread = std::thread::spawn(move || server.serve(&mut handler));
    // The first time that a thread sleeps makes what wakes it; a call below may be the one in which that happens.
    // On a busy machine its time may be over before it has come to sleep.
    for _ in 0..100 {
        assert_eq!(client.wait(Duration::from_millis(2)), Ok(false));
        if client.counters().sleeps > 0 {
            break;
        }
    }
    assert!(client.counters().sleeps > 0);
    let mut blocking = client.blocking();
    for value in 0..100 {
        blocking.echo(value).expect("the server answers");
    }
    let before = ALLOCATIONS.with(Cell::get);
    for value in 0..1000 {
        blocking.echo(value).expect("the server answers");
    }
    assert_eq!(
        ALLOCATIONS.with(Cell::get) - before,
        0,
        "a blocking call allocated"
    );
    drop(client);
    thread.join().expect("the server ends");
}
