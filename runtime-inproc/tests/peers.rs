//! What a peer may do to the others: come and go, run code of its own where it is woken, panic there.

/// The probe service of the conformance tests.
#[path = "../../tests/conformance/src/probe.rs"]
#[rustfmt::skip]
#[allow(unused, unreachable_pub)]
mod probe;

use std::future::Future as _;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use probe::probe::{ClientOver, Request, ServerOver, Service};
use runtime_core::{
    AttachError, Bind, ClientConfig, ClientTransport, Connect, Overlay, ServerConfig,
    ServerTransport,
};
use runtime_inproc::{Client, Server};

/// Runs what a defect would let hang.
fn guarded(test: impl FnOnce() + Send + 'static) {
    let (done, ended) = mpsc::channel();
    let thread = thread::spawn(move || {
        test();
        let _ = done.send(());
    });
    match ended.recv_timeout(Duration::from_secs(60)) {
        Ok(()) | Err(RecvTimeoutError::Disconnected) => {
            thread.join().expect("the test has passed");
        }
        Err(RecvTimeoutError::Timeout) => panic!("it hangs"),
    }
}

fn server(max_clients: usize) -> Server<Service> {
    let config = ServerConfig {
        max_clients,
        ..ServerConfig::default()
    };
    Server::new(&config).expect("the configuration is possible")
}

/// Runs a function when it is woken.
struct Runs<F>(F);

impl<F: Fn() + Send + Sync + 'static> Wake for Runs<F> {
    fn wake(self: Arc<Self>) {
        (self.0)();
    }
}

fn runs(run: impl Fn() + Send + Sync + 'static) -> Waker {
    Waker::from(Arc::new(Runs(run)))
}

#[test]
fn a_server_may_connect_where_a_connecting_client_wakes_it() {
    guarded(|| {
        const NAME: &str = "a server that connects where it is woken";
        let config = ClientConfig::default();
        let server = Server::<Service>::bind(NAME, &ServerConfig::default()).unwrap();
        let (found, looked) = mpsc::channel();
        server.register(&runs(move || {
            let other = Client::<Service>::connect("nobody", &ClientConfig::default());
            found.send(other.err()).unwrap();
        }));
        let client = Client::<Service>::connect(NAME, &config).unwrap();
        let refused = AttachError::NotFound {
            name: "nobody".into(),
        };
        assert_eq!(looked.recv().unwrap(), Some(refused));
        drop(client);
    });
}

#[test]
fn a_client_may_go_while_the_server_looks_who_is_there() {
    guarded(|| {
        // One that the server has taken in, and one that it has not.
        for polled in [true, false] {
            let mut server = server(2);
            let config = ClientConfig::default();
            let mut client = Some(server.connector().connect(&config).unwrap());
            if polled {
                assert!(server.poll().is_none());
            }
            let mut visited = 0;
            server.clients(&mut |_| {
                visited += 1;
                drop(client.take());
            });
            assert_eq!(visited, 1);
            server.clients(&mut |_| visited += 1);
            assert_eq!(visited, 1);
        }
    });
}

#[test]
fn a_client_whose_waker_panics_keeps_none_from_learning_that_the_server_goes() {
    let server = server(3);
    let connector = server.connector();
    let config = ClientConfig::default();
    let connect = || connector.connect(&config).unwrap();
    // It is between them in the table.
    let (first, panicking, second) = (connect(), connect(), connect());
    let others = [first, second].map(|client| Arc::new(Mutex::new(client)));
    // All can know it before any of them is woken.
    let woken = Arc::new(AtomicUsize::new(0));
    for (one, other) in [(0, 1), (1, 0)] {
        let (other, woken) = (Arc::downgrade(&others[other]), Arc::clone(&woken));
        others[one].lock().unwrap().register(&runs(move || {
            let other = other.upgrade().unwrap();
            assert!(other.lock().unwrap().peer_gone());
            woken.fetch_add(1, Ordering::Relaxed);
        }));
    }
    let gone = || others.iter().all(|it| it.lock().unwrap().peer_gone());
    assert!(!gone());
    panicking.register(&runs(|| panic!("the waker panics")));
    // Nor the owner of the server from going on.
    drop(server);
    assert!(gone());
    assert!(panicking.peer_gone());
    assert_eq!(woken.load(Ordering::Relaxed), 2);
}

#[test]
fn the_first_of_the_clients_may_have_the_waker_that_panics() {
    let server = server(2);
    let connector = server.connector();
    let config = ClientConfig::default();
    let panicking = connector.connect(&config).unwrap();
    let other = connector.connect(&config).unwrap();
    let woken = Arc::new(AtomicUsize::new(0));
    panicking.register(&runs(|| panic!("the waker panics")));
    let counter = Arc::clone(&woken);
    other.register(&runs(move || {
        counter.fetch_add(1, Ordering::Relaxed);
    }));
    drop(server);
    assert!(panicking.peer_gone() && other.peer_gone());
    assert_eq!(woken.load(Ordering::Relaxed), 1);
}

#[test]
fn who_went_takes_a_place_until_the_server_has_looked() {
    let mut server = server(1);
    let connector = server.connector();
    let config = ClientConfig::default();
    let refused = || {
        let error = connector.connect(&config).err();
        error == Some(AttachError::TooManyClients { limit: 1 })
    };
    for polled in [false, true] {
        let client = connector.connect(&config).unwrap();
        if polled {
            assert!(server.poll().is_none());
        }
        assert!(refused());
        drop(client);
        // Its lane is still there; if the place were free, those who come and go could fill the memory.
        assert!(refused());
        assert!(server.poll().is_none());
    }
    let last = connector.connect(&config).unwrap();
    drop(connector);
    assert!(!server.finished());
    drop(last);
    // That nobody is there is known without a look.
    assert!(server.finished());
}

#[test]
fn requests_of_one_who_went_are_received_before_its_place_is_free() {
    let mut server = server(1);
    let connector = server.connector();
    let config = ClientConfig::default();
    let mut client = connector.connect(&config).unwrap();
    let slot = client.take().unwrap();
    // SAFETY: `take` gave the slot just now; all bits zero are a request.
    unsafe { client.send(slot, 1, 8, Overlay::Always) };
    drop(client);
    assert!(connector.connect(&config).is_err());
    // The ticket is not answered: that its holder keeps it is nothing to the next client.
    assert!(server.poll().is_some());
    assert!(server.poll().is_none());
    assert!(connector.connect(&config).is_ok());
}

#[test]
fn who_wakes_is_not_ended_by_a_waker_that_panics() {
    let mut server = server(2);
    let connector = server.connector();
    server.register(&runs(|| panic!("the server's waker panics")));
    let client = connector.connect(&ClientConfig::default()).unwrap();
    client.register(&runs(|| panic!("the client's waker panics")));
    client.register(&runs(|| panic!("it panics, too")));
    // Each wakes the other side, by going.
    let also = connector.connect(&ClientConfig::default()).unwrap();
    also.register(&runs(|| panic!("so does this")));
    drop((client, connector));
    assert!(server.poll().is_none());
    drop(server);
    assert!(also.peer_gone());
}

#[test]
fn a_future_whose_waker_panics_does_not_end_the_server() {
    let server = server(1);
    let connector = server.connector();
    let client = connector.connect(&ClientConfig::default()).unwrap();
    let client = ClientOver::<_, u64>::over(client, &ClientConfig::default());
    let mut server = ServerOver::over(server, &ServerConfig::default());
    let waker = runs(|| panic!("the waker panics"));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(client.echo_async(1));
    assert!(future.as_mut().poll(&mut context).is_pending());
    let Some(Request::Echo(call)) = server.recv().unwrap() else {
        panic!("the request")
    };
    call.reply(5).unwrap();
    assert_eq!(future.as_mut().poll(&mut context), Poll::Ready(Ok(5)));
}
