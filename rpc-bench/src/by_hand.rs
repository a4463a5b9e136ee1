//! What is counted beside the stubs: the same messages written by hand, through a slot with nothing around it, and on the slots that the stubs use.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};

use runtime_core::{
    ClientConfig, ClientTransport, Method, Overlay, ReplyHead, ReplyStatus, ServerConfig,
    ServerTransport, Ticket,
};
use runtime_shm::SameUser;

use crate::count::{full_list, length_and_first};
use crate::hand_service::{Answerer, Caller};
use crate::services::{Nested, P8, P64, Sixteen, echo8};

/// A word, a request and a response.
struct Slot<P, R> {
    word: AtomicU64,
    request: P,
    response: R,
}

/// The least that a program would write by hand for one message: fill the request and set the word, look at the word and
/// make the response in place, look at the word and read the response.
///
/// Left out is what makes a service of it: a window of several slots and who may use them, method numbers and their
/// dispatch, the caller's data of each call, errors and their way back, deadlines, cancelled calls, a peer that is gone or
/// asleep, and the counters. What is copied is the same, and at its full size.
#[inline(always)]
fn by_hand<P: Copy, R: Copy>(
    calls: u64,
    response: R,
    mut request: P,
    set: impl Fn(&mut P, u64),
    handle: impl Fn(&P, &mut R),
    word: impl Fn(&R) -> u64,
) -> u64 {
    let mut slot = Box::new(Slot {
        word: AtomicU64::new(0),
        request,
        response,
    });
    // Hidden from the compiler before each side's turn, or it would keep the slot in registers.
    let slot = &mut *slot;
    let mut sum = 0;
    for number in 0..calls {
        let request = black_box(&mut request);
        set(request, number);
        slot.request = *request;
        slot.word.store(2 * number + 1, Ordering::Release);
        let server = black_box(&mut *slot);
        if server.word.load(Ordering::Acquire) == 2 * number + 1 {
            handle(&server.request, &mut server.response);
            server.word.store(2 * number + 2, Ordering::Release);
        }
        let client = black_box(&mut *slot);
        if client.word.load(Ordering::Acquire) == 2 * number + 2 {
            sum += number + word(&client.response);
        }
    }
    black_box(sum)
}

#[inline(never)]
pub(crate) fn small_by_hand(calls: u64) -> u64 {
    by_hand(
        calls,
        P8::default(),
        P8::default(),
        |request, number| request.words[0] = number,
        |request, response| *response = *request,
        |response| response.words[0],
    )
}

#[inline(never)]
pub(crate) fn fixed_by_hand(calls: u64) -> u64 {
    by_hand(
        calls,
        P64::default(),
        P64::default(),
        |request, number| request.words[0] = number,
        |request, response| *response = *request,
        |response| response.words[0],
    )
}

#[inline(never)]
pub(crate) fn sixteen_by_hand(calls: u64) -> u64 {
    by_hand(
        calls,
        Sixteen::default(),
        Sixteen::default(),
        |request, number| request.a = number,
        |request, response| *response = *request,
        |response| response.a,
    )
}

#[inline(never)]
pub(crate) fn nested_by_hand(calls: u64) -> u64 {
    by_hand(
        calls,
        Nested::default(),
        Nested::default(),
        |request, number| request.first.words[0] = number,
        |request, response| *response = *request,
        |response| response.first.words[0],
    )
}

#[inline(never)]
pub(crate) fn list_by_hand(calls: u64) -> u64 {
    by_hand(
        calls,
        0_u32,
        full_list(),
        |request, number| request[0] = number as u8,
        |request, response| *response = length_and_first(request),
        |response| u64::from(*response),
    )
}

/// Both ends of a lane between threads.
fn ends() -> (
    runtime_inproc::Client<echo8::Service>,
    runtime_inproc::Server<echo8::Service>,
) {
    let server = runtime_inproc::Server::new(&ServerConfig::default());
    let server = server.expect("the defaults are possible");
    let client = server.connector().connect(&ClientConfig::default());
    (client.expect("a fresh server admits a client"), server)
}

/// Both ends of a lane in shared memory, each with its own mapping.
fn ends_shm() -> (
    runtime_shm::Client<echo8::Service, SameUser>,
    runtime_shm::Server<echo8::Service, SameUser>,
) {
    let server = runtime_shm::Server::new(&ServerConfig::default());
    let server = server.expect("shared memory and a socket can be had");
    let client = server.connector().connect(&ClientConfig::default());
    (client.expect("a fresh server admits a client"), server)
}

/// The same calls written by hand on the slots that the stubs use: with a window, the caller's data of each call, and method and length
/// looked at on both sides; without deadlines, counters and errors that say what was wrong.
#[inline(never)]
pub(crate) fn small_on_slots(calls: u64) -> u64 {
    let (client, server) = ends();
    on_slots(calls, client, server)
}

#[inline(never)]
pub(crate) fn small_on_slots_shm(calls: u64) -> u64 {
    let (client, server) = ends_shm();
    on_slots(calls, client, server)
}

/// The same calls through a service written by hand that promises what the stubs promise.
#[inline(never)]
pub(crate) fn small_promising(calls: u64) -> u64 {
    let (client, server) = ends();
    promising(calls, client, server)
}

#[inline(never)]
pub(crate) fn small_promising_shm(calls: u64) -> u64 {
    let (client, server) = ends_shm();
    promising(calls, client, server)
}

#[inline(always)]
fn promising<C, S>(calls: u64, client: C, server: S) -> u64
where
    C: ClientTransport<Service = echo8::Service>,
    S: ServerTransport<Service = echo8::Service>,
{
    let (mut client, mut server) = (Caller::over(client), Answerer::over(server));
    let mut sum = 0;
    for number in 0..calls {
        let payload = P8 { words: [number] };
        let _ = client.echo(&payload, number);
        let _ = server.poll(|payload| *payload, 1);
        client.poll(|user_data, reply| {
            sum += user_data + reply.map_or(0, |reply| reply.words[0]);
        });
    }
    assert_eq!(
        (client.called, client.late),
        (server.answered, server.refused)
    );
    black_box(sum)
}

#[inline(always)]
fn on_slots<C, S>(calls: u64, mut client: C, mut server: S) -> u64
where
    C: ClientTransport<Service = echo8::Service>,
    S: ServerTransport<Service = echo8::Service>,
{
    const LEN: usize = size_of::<P8>();
    let mut user_data = vec![0; client.slots()];
    let mut sum = 0;
    for number in 0..calls {
        if let Some(slot) = client.take() {
            // SAFETY: the slot was taken just now.
            let place = unsafe { client.request(slot) }.cast::<u64>();
            // SAFETY: promise 1 of `ClientTransport`: it has room for the request, is aligned, and nobody else's until it is sent.
            unsafe { place.write(number) };
            user_data[usize::from(slot)] = number;
            // SAFETY: as above, and the request is complete.
            unsafe { client.send(slot, ECHO, LEN, Overlay::Always) };
        }
        if let Some(ticket) = server.poll() {
            if ticket.method() == ECHO && ticket.len() == LEN {
                // SAFETY: it was received just now, and is answered below.
                let request = unsafe { server.request(&ticket) }.cast::<u64>();
                // SAFETY: promise 1 of `ServerTransport`.
                let word = unsafe { request.read() };
                // SAFETY: as above.
                let response = unsafe { server.response(&ticket, true) }.cast::<u64>();
                // SAFETY: promise 2 of `ServerTransport`; nobody reads the request any more.
                unsafe { response.write(word) };
                // SAFETY: the ticket is given up. That the client is gone changes nothing.
                let _ = unsafe { server.reply(ticket, true, ReplyStatus::Ok, LEN as u32) };
            } else {
                // SAFETY: as above.
                let _ = unsafe { server.refuse(ticket, ReplyStatus::Unimplemented) };
            }
        }
        if let Some(completion) = client.poll() {
            if completion.head == ReplyHead::new(ReplyStatus::Ok as u16, LEN as u32) {
                // SAFETY: promise 2 of `ClientTransport`; the slot is released below.
                let word = unsafe { completion.place.cast::<u64>().read() };
                sum += user_data[usize::from(completion.slot)] + word;
            }
            // SAFETY: `poll` gave it, and it is given up.
            unsafe { client.release(completion.slot) };
        }
    }
    black_box(sum)
}

/// The number of the method that is called.
const ECHO: u16 = <echo8::method::Echo as Method>::ID;
