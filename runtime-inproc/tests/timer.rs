//! The timer wakes at or after the time asked for, and keeps no more than the calls in flight need.

/// The probe service of the conformance tests.
#[path = "../../tests/conformance/src/probe.rs"]
#[rustfmt::skip]
#[allow(unused, unreachable_pub)]
mod probe;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use probe::probe::{Request, Service};
use runtime_core::{CallError, ClientConfig, ClientTransport, ServerConfig};
use runtime_inproc::{Client, Server};

const MILLISECOND: u64 = 1_000_000;
const HOUR: u64 = 3_600_000 * MILLISECOND;
const CALLS: usize = 10_000;
const WATCHDOG: Duration = Duration::from_secs(60);

fn ends() -> (Client<Service>, Server<Service>) {
    runtime_inproc::pair(&ClientConfig::default(), &ServerConfig::default())
        .expect("the defaults are possible")
}

/// The waker of a task of its own, which keeps what all the tasks share.
struct Task {
    _shared: Arc<()>,
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {}
}

fn task(shared: &Arc<()>) -> Waker {
    Waker::from(Arc::new(Task {
        _shared: Arc::clone(shared),
    }))
}

/// Waits until no more than so many tasks are kept, which the timer's thread may have to see to.
fn come_down_to(tasks: usize, shared: &Arc<()>) {
    let kept = || Arc::strong_count(shared) - 1;
    for _ in 0..WATCHDOG.as_millis() {
        if kept() <= tasks {
            return;
        }
        thread::sleep(Duration::from_millis(1));
    }
    panic!("{} are kept, and {tasks} would do", kept());
}

/// Tells a channel that it was woken.
struct Tells(SyncSender<()>);

impl Wake for Tells {
    fn wake(self: Arc<Self>) {
        let _ = self.0.send(());
    }
}

fn tells() -> (Waker, Receiver<()>) {
    let (sender, woken) = sync_channel(1000);
    (Waker::from(Arc::new(Tells(sender))), woken)
}

#[test]
fn wakers_of_calls_that_are_over_are_not_kept() {
    let (client, _server) = ends();
    let shared = Arc::new(());
    for call in 0..CALLS {
        client.wake_at(client.now() + HOUR + call as u64, &task(&shared));
    }
    come_down_to(2 * client.slots(), &shared);
    drop(client);
    come_down_to(0, &shared);
}

#[test]
fn a_call_without_end_needs_no_timer() {
    let (client, _server) = ends();
    let shared = Arc::new(());
    for _ in 0..CALLS {
        client.wake_at(u64::MAX, &task(&shared));
    }
    assert_eq!(Arc::strong_count(&shared), 1);
}

#[test]
fn awaited_calls_leave_little_behind() {
    for deadline in [Duration::MAX, Duration::from_secs(3600)] {
        let config = ClientConfig {
            deadline,
            ..ClientConfig::default()
        };
        let (client, mut server) =
            probe::probe::inproc::pair_with::<()>(&config, &ServerConfig::default()).unwrap();
        let shared = Arc::new(());
        for value in 0..CALLS as u64 {
            let waker = task(&shared);
            let mut context = Context::from_waker(&waker);
            let mut call = pin!(client.echo_async(value));
            assert!(call.as_mut().poll(&mut context).is_pending());
            let Some(Request::Echo(request)) = server.recv().unwrap() else {
                panic!("it was sent");
            };
            request.reply(value).unwrap();
            assert!(call.as_mut().poll(&mut context).is_ready());
        }
        // Those that the timer keeps, and the one that the transport wakes.
        come_down_to(2 * (client.window() + 1) + 1, &shared);
        drop(client);
        drop(server);
        come_down_to(0, &shared);
    }
}

#[test]
fn who_is_woken_early_and_asks_again_is_woken_in_time() {
    let (client, _server) = ends();
    let shared = Arc::new(());
    let (waker, woken) = tells();
    client.wake_at(client.now() + HOUR, &waker);
    for call in 0..CALLS {
        client.wake_at(client.now() + HOUR + call as u64, &task(&shared));
    }
    woken.recv_timeout(WATCHDOG).expect("to ask again");
    let time = client.now() + MILLISECOND;
    client.wake_at(time, &waker);
    woken.recv_timeout(WATCHDOG).expect("at its time");
    assert!(client.now() >= time);
}

#[test]
fn an_earlier_time_comes_first_and_every_time_comes() {
    let (client, _server) = ends();
    let (late, woken_late) = tells();
    let (early, woken_early) = tells();
    client.wake_at(client.now() + HOUR, &late);
    // One task that waits for two calls is woken for each.
    let time = client.now() + 2 * MILLISECOND;
    client.wake_at(time, &early);
    client.wake_at(time - MILLISECOND, &early);
    for _ in 0..2 {
        woken_early.recv_timeout(WATCHDOG).expect("at its time");
    }
    assert!(client.now() >= time);
    assert!(woken_late.try_recv().is_err());
    // Another client has its own.
    let (other, _other_server) = ends();
    other.wake_at(other.now() + MILLISECOND, &early);
    drop(client);
    woken_early.recv_timeout(WATCHDOG).expect("at its time");
    // And what the client asked for is forgotten with it: nobody is left to send.
    drop(late);
    let forgotten = woken_late.recv_timeout(WATCHDOG);
    assert_eq!(forgotten, Err(RecvTimeoutError::Disconnected));
}

#[test]
fn a_call_that_is_not_answered_ends_though_many_others_do() {
    let config = ClientConfig {
        deadline: Duration::from_secs(3600),
        ..ClientConfig::default()
    };
    let (mut client, mut server) =
        probe::probe::inproc::pair_with::<()>(&config, &ServerConfig::default()).unwrap();
    client.within(Duration::from_secs(1));
    let (waker, woken) = tells();
    let mut context = Context::from_waker(&waker);
    let mut stuck = pin!(client.echo_async(0));
    assert!(stuck.as_mut().poll(&mut context).is_pending());
    let Some(Request::Echo(request)) = server.recv().unwrap() else {
        panic!("it was sent");
    };
    let held = request.into_token();
    for value in 0..200 {
        let (other, _woken) = tells();
        let mut context = Context::from_waker(&other);
        let mut call = pin!(client.echo_async(value));
        assert!(call.as_mut().poll(&mut context).is_pending());
        let Some(Request::Echo(request)) = server.recv().unwrap() else {
            panic!("it was sent");
        };
        request.reply(value).unwrap();
        assert!(call.as_mut().poll(&mut context).is_ready());
    }
    let result = loop {
        woken.recv_timeout(WATCHDOG).expect("at its deadline");
        if let Poll::Ready(result) = stuck.as_mut().poll(&mut context) {
            break result;
        }
    };
    assert_eq!(result, Err(CallError::Timeout));
    drop(held);
}

struct Panics;

impl Wake for Panics {
    fn wake(self: Arc<Self>) {
        panic!("the waker panics");
    }
}

#[test]
fn a_waker_that_panics_does_not_end_the_timer() {
    let (client, _server) = ends();
    let (waker, woken) = tells();
    let time = client.now() + MILLISECOND;
    client.wake_at(time, &Waker::from(Arc::new(Panics)));
    client.wake_at(time, &waker);
    woken.recv_timeout(WATCHDOG).expect("at its time");
    client.wake_at(client.now() + MILLISECOND, &waker);
    woken.recv_timeout(WATCHDOG).expect("at its time");
}
