//! Two threads, sleeping and not, and futures.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use runtime_core::{Audience, CallError, ClientConfig, ServerConfig};

use crate::probe::probe::{Reply, Request, method};
use crate::{Backend, Client, Probe, Server, pair, pair_with, rounds};

/// Serves on a thread of its own until the client is gone.
fn spawn<B: Backend>(mut server: Server<B>) -> thread::JoinHandle<Probe> {
    thread::spawn(move || {
        let mut probe = Probe::default();
        server.serve(&mut probe);
        probe
    })
}

pub fn blocking_calls_across_threads<B: Backend>() {
    let (mut client, server) = pair::<B, u64>();
    let thread = spawn::<B>(server);
    for value in 0..rounds(20_000) {
        assert_eq!(client.blocking().echo(value), Ok(value));
    }
    drop(client);
    thread.join().unwrap();
}

/// Two sides on one core: whoever spins lets the other have it, instead of spinning its budget to the end at every turn. Needs a core
/// that does little else, so it runs in a program of its own.
pub fn sides_that_share_a_core_take_turns<B: Backend>() {
    const CALLS: u64 = 2_000;
    pin_to_first_core();
    let sleeps = || {
        let (mut client, server) = pair::<B, u64>();
        // The server's thread is pinned like this one.
        let thread = spawn::<B>(server);
        for value in 0..CALLS {
            assert_eq!(client.blocking().echo(value), Ok(value));
        }
        let sleeps = client.counters().sleeps;
        drop(client);
        thread.join().unwrap();
        sleeps
    };
    // What else the machine does may send a side to sleep; that nobody yields does so at nearly every call of every attempt.
    let attempts: Vec<u64> = (0..5).map(|_| sleeps()).collect();
    assert!(
        attempts.iter().any(|sleeps| *sleeps < CALLS / 2),
        "the client slept {attempts:?} times in {CALLS} calls"
    );
}

/// Pins the calling thread, where that can be done.
fn pin_to_first_core() {
    #[cfg(target_os = "linux")]
    {
        use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
        let allowed = sched_getaffinity(None).unwrap();
        let core = (0..CpuSet::MAX_CPU).find(|core| allowed.is_set(*core));
        let mut set = CpuSet::new();
        set.set(core.unwrap());
        sched_setaffinity(None, &set).unwrap();
    }
}

pub fn sleeping_sides_wake_each_other<B: Backend>() {
    // Without a spin budget both sides sleep at every turn: a lost wake-up would be a deadline missed by far.
    let client = ClientConfig {
        spin: Some(Duration::ZERO),
        deadline: Duration::from_secs(30),
        ..ClientConfig::default()
    };
    let server = ServerConfig {
        spin: Some(Duration::ZERO),
        ..ServerConfig::default()
    };
    let (mut client, server) = pair_with::<B, u64>(&client, &server);
    let thread = spawn::<B>(server);
    let start = Instant::now();
    for value in 0..3_000 {
        assert_eq!(client.blocking().echo(value), Ok(value));
        if value % 100 == 0 {
            thread::sleep(Duration::from_micros(value));
        }
    }
    assert!(client.counters().sleeps > 0);
    assert!(
        start.elapsed() < Duration::from_secs(29),
        "a wake-up was lost"
    );
    // The same with the callback form.
    for value in 0..1_000 {
        client.echo(value, value).unwrap();
        let mut got = 0;
        while got == 0 {
            assert_eq!(client.wait(Duration::from_secs(30)), Ok(true));
            got = client
                .poll(|user_data, reply| {
                    let Reply::Echo(result) = reply else {
                        panic!("unexpected {reply:?}")
                    };
                    assert_eq!((user_data, result), (value, Ok(&value)));
                })
                .unwrap();
        }
    }
    drop(client);
    thread.join().unwrap();
}

pub fn a_deep_window_across_threads<B: Backend>() {
    let calls = rounds(200_000);
    let (mut client, server) = pair::<B, u64>();
    let thread = spawn::<B>(server);
    let mut answered = vec![0_u8; calls as usize];
    let (mut sent, mut got) = (0, 0);
    while got < calls as usize {
        while sent < calls && client.echo(sent, sent).is_ok() {
            sent += 1;
        }
        let polled = client.poll(|user_data, reply| {
            let Reply::Echo(result) = reply else {
                panic!("unexpected {reply:?}")
            };
            assert_eq!(result, Ok(&user_data));
            answered[user_data as usize] += 1;
        });
        got += polled.unwrap();
        if polled == Ok(0) {
            thread::yield_now();
        }
    }
    assert!(
        answered.iter().all(|&count| count == 1),
        "a call was answered twice or never"
    );
    drop(client);
    thread.join().unwrap();
}

/// The smallest executor: a thread that is unparked.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        thread::park();
    }
}

/// Awaits all futures together, each with a waker of its own, as the executors' combinators do.
async fn all<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut futures: Vec<_> = futures
        .into_iter()
        .map(|future| (Box::pin(future), None))
        .collect();
    std::future::poll_fn(move |context| {
        struct Forward(Waker);
        impl Wake for Forward {
            fn wake(self: Arc<Self>) {
                self.0.wake_by_ref();
            }
        }
        for (future, output) in &mut futures {
            if output.is_none() {
                let waker = Waker::from(Arc::new(Forward(context.waker().clone())));
                if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                    *output = Some(value);
                }
            }
        }
        if futures.iter().all(|(_, output)| output.is_some()) {
            Poll::Ready(
                futures
                    .iter_mut()
                    .filter_map(|(_, output)| output.take())
                    .collect(),
            )
        } else {
            Poll::Pending
        }
    })
    .await
}

pub fn futures_run_on_any_executor<B: Backend>() {
    let (client, server) = pair::<B, u64>();
    let thread = spawn::<B>(server);
    for value in 0..2_000 {
        assert_eq!(block_on(client.echo_async(value)), Ok(value));
    }
    for round in 0..200 {
        let futures = (0..8)
            .map(|value| client.echo_async(round + value))
            .collect();
        let expected: Vec<_> = (0..8).map(|value| Ok(round + value)).collect();
        assert_eq!(block_on(all(futures)), expected);
    }
    // One that is dropped is given up, and its slot comes back.
    for value in 0..1_000 {
        drop(client.echo_async(value));
        while client.in_flight() == client.window() {
            let _ = block_on(client.echo_async(1));
        }
    }
    drop(client);
    thread.join().unwrap();
}

pub fn futures_end_at_their_deadline<B: Backend>() {
    let config = ClientConfig {
        deadline: Duration::from_millis(20),
        ..ClientConfig::default()
    };
    let (client, server) = pair_with::<B, u64>(&config, &ServerConfig::default());
    let start = Instant::now();
    assert_eq!(block_on(client.echo_async(1)), Err(CallError::Timeout));
    assert!(start.elapsed() >= Duration::from_millis(20));
    let waiting = client.echo_async(2);
    drop(server);
    assert!(matches!(
        block_on(waiting),
        Err(CallError::Disconnected { .. } | CallError::Timeout)
    ));
}

pub fn ends_are_send<B: Backend>() {
    fn send<T: Send>() {}
    send::<Client<B>>();
    send::<Server<B>>();
    send::<runtime_core::Token<method::Echo, B::Server>>();
    // A client may be passed on in the middle of its calls.
    let (mut client, server) = pair::<B, u64>();
    let thread = spawn::<B>(server);
    client.echo(1, 1).unwrap();
    let mut client = thread::spawn(move || {
        assert_eq!(client.blocking().echo(2), Ok(2));
        client
    })
    .join()
    .unwrap();
    assert_eq!(super::reply(&mut client), (1, Ok(1)));
    drop(client);
    thread.join().unwrap();
}

/// Counts how often it is woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A future that was polled by another task before ends at its deadline in this one.
pub fn a_future_that_moves_keeps_its_deadline<B: Backend>() {
    let config = ClientConfig {
        deadline: Duration::from_millis(20),
        ..ClientConfig::default()
    };
    let (client, _server) = pair_with::<B, u64>(&config, &ServerConfig::default());
    let mut future = pin!(client.echo_async(1));
    let mut nobody = Context::from_waker(Waker::noop());
    assert!(future.as_mut().poll(&mut nobody).is_pending());
    assert_eq!(block_on(future), Err(CallError::Timeout));
}

/// The task whose reply comes is woken, also if another one looked last.
pub fn each_future_is_woken_for_itself<B: Backend>() {
    let (client, mut server) = pair::<B, u64>();
    let (first, second) = (Arc::new(Woken::default()), Arc::new(Woken::default()));
    let wakers = (Waker::from(Arc::clone(&first)), Waker::from(second));
    let mut of_first = pin!(client.echo_async(1));
    let mut of_second = pin!(client.echo_async(2));
    let mut context = Context::from_waker(&wakers.0);
    assert!(of_first.as_mut().poll(&mut context).is_pending());
    let mut other = Context::from_waker(&wakers.1);
    assert!(of_second.as_mut().poll(&mut other).is_pending());
    let Some(Request::Echo(call)) = server.recv().unwrap() else {
        panic!("the first request")
    };
    call.reply(7).unwrap();
    let start = Instant::now();
    while first.0.load(Ordering::SeqCst) == 0 {
        assert!(start.elapsed() < Duration::from_secs(30), "nobody woke it");
        thread::yield_now();
    }
    assert_eq!(of_first.as_mut().poll(&mut context), Poll::Ready(Ok(7)));
    assert!(of_second.as_mut().poll(&mut other).is_pending());
}

/// A future that is forgotten, not dropped, costs its slot until the reply comes, and nothing else.
pub fn a_forgotten_future_ends_too<B: Backend>() {
    let config = ClientConfig {
        deadline: Duration::from_millis(5),
        ..ClientConfig::default()
    };
    let (mut client, mut server) = pair_with::<B, u64>(&config, &ServerConfig::default());
    {
        let mut future = Box::pin(client.echo_async(1));
        let mut context = Context::from_waker(Waker::noop());
        assert!(future.as_mut().poll(&mut context).is_pending());
        std::mem::forget(future);
    }
    let start = Instant::now();
    while client.counters().total().timeouts == 0 {
        assert!(start.elapsed() < Duration::from_secs(30), "it never ends");
        let _ = client.wait(Duration::from_millis(1)).unwrap();
        assert_eq!(client.poll(|_, _| ()), Ok(0));
    }
    assert_eq!(client.wait(Duration::from_millis(10)), Ok(false));
    let Some(Request::Echo(call)) = server.recv().unwrap() else {
        panic!("the request")
    };
    call.reply(1).unwrap();
    assert_eq!(client.poll(|_, _| ()), Ok(0));
    assert_eq!(client.in_flight(), 0);
}

/// A blocking call sleeps, although an event that nobody polls has arrived.
pub fn a_blocking_call_sleeps_beside_an_event<B: Backend>() {
    let config = ClientConfig {
        deadline: Duration::from_millis(100),
        spin: Some(Duration::ZERO),
        ..ClientConfig::default()
    };
    let (mut client, mut server) = pair_with::<B, u64>(&config, &ServerConfig::default());
    assert_eq!(server.ticked(Audience::All, 1), Ok(1));
    assert_eq!(client.blocking().echo(1), Err(CallError::Timeout));
    let sleeps = client.counters().sleeps;
    assert!(sleeps < 100, "it slept {sleeps} times in one call");
}
