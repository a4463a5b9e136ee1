//! Calls over shared memory, through what is generated for it. Both ends are in this process; `idl-examples` runs them in two.
#![cfg(target_os = "linux")]

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use golden::generated::several_backends;
use runtime_core::{AttachError, Audience, CallError, ServerConfig, Service};

/// A test that takes longer than this has hung.
const WATCHDOG: Duration = Duration::from_secs(60);

/// Runs a test on its own thread and fails it if it hangs.
fn guarded(test: impl FnOnce() + Send + 'static) {
    let (done, wait) = channel();
    let thread = thread::spawn(move || {
        test();
        let _ = done.send(());
    });
    if wait.recv_timeout(WATCHDOG) == Err(RecvTimeoutError::Timeout) {
        panic!("it did not end within {WATCHDOG:?}");
    }
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// A name that no other test or run uses.
fn name(of: &str) -> String {
    format!("golden.{of}.{}", std::process::id())
}

/// What the camera was told.
#[derive(Default)]
struct Camera(Vec<u32>);

macro_rules! camera {
    ($package:ident) => {
        impl golden::generated::$package::camera::Handler for Camera {
            fn twice(&mut self, value: u64) -> Result<u64, golden::generated::$package::Fault> {
                if value % 2 == 1 {
                    return Err(golden::generated::$package::Fault::ODD);
                }
                Ok(2 * value)
            }
            fn frame(&mut self, number: u32) -> golden::generated::$package::Frame {
                golden::generated::$package::Frame {
                    number,
                    bytes: [number as u8; 500],
                }
            }
            fn invert(&mut self, frame: &mut golden::generated::$package::Frame) {
                frame.bytes.iter_mut().for_each(|byte| *byte = !*byte);
            }
            fn note(&mut self, number: u32) {
                self.0.push(number);
            }
        }

        impl golden::generated::$package::shutter::Handler for Camera {
            fn press(&mut self, how: u8) {
                self.0.push(how.into());
            }
        }

        mod $package {
            use super::*;
            use golden::generated::$package::*;

            #[test]
            fn every_shape_of_a_slot() {
                guarded(|| {
                    let (mut client, mut server) = camera::pair::<()>().expect("a pair");
                    server
                        .taken(Audience::All, 3)
                        .expect("there is a client with room");
                    let served = thread::spawn(move || {
                        let mut camera = Camera::default();
                        server.serve(&mut camera);
                        camera.0
                    });
                    assert_eq!(client.blocking().twice(21 * 2), Ok(84));
                    let odd = client.blocking().twice(1);
                    assert_eq!(odd, Err(CallError::Service(Fault::ODD)));
                    let frame = client.blocking().frame(300).expect("a frame");
                    assert_eq!((frame.number, frame.bytes), (300, [300_u32 as u8; 500]));
                    let inverted = client.blocking().invert(&frame).expect("a frame").frame;
                    assert_eq!(inverted.number, 300);
                    assert_eq!(inverted.bytes, [!(300_u32 as u8); 500]);
                    client.note(7).expect("there is room");
                    let mut taken = Vec::new();
                    let seen = client.poll_events(|event| match event {
                        camera::Event::Taken(event) => taken.push(event.number),
                    });
                    assert_eq!((seen, taken), (Ok(1), vec![3]));
                    drop(client);
                    let told = served.join().expect("the handler does not panic");
                    assert_eq!(told, [7]);
                });
            }

            #[test]
            fn one_way_alone() {
                guarded(|| {
                    let (mut client, mut server) = shutter::pair::<()>().expect("a pair");
                    for how in 0..100 {
                        while client.press(how).is_err() {
                            // Its window is full.
                            let _ = server.poll(&mut Camera::default(), 8);
                        }
                    }
                    let mut rest = Camera::default();
                    while let Ok(1..) = server.poll(&mut rest, 8) {}
                    assert_eq!(rest.0.last(), Some(&99));
                });
            }

            #[test]
            fn by_name() {
                guarded(|| {
                    let name = name(stringify!($package));
                    let nobody = camera::Client::<()>::connect(&name).map(drop);
                    let expected = AttachError::NotFound { name: name.clone() };
                    assert_eq!(nobody, Err(expected));

                    let config = ServerConfig {
                        max_clients: 1,
                        ..ServerConfig::default()
                    };
                    let mut server =
                        camera::Server::bind_with(&name, &config).expect("the name is free");
                    let twice = camera::Server::bind(&name).map(drop);
                    let expected = AttachError::InUse { name: name.clone() };
                    assert_eq!(twice, Err(expected));
                    let stopper = server.transport().stopper();
                    let served = thread::spawn(move || server.serve(&mut Camera::default()));

                    let mut client = camera::Client::<u8>::connect(&name).expect("it serves");
                    assert_eq!(client.blocking().twice(4), Ok(8));
                    let second = camera::Client::<()>::connect(&name).map(drop);
                    assert_eq!(second, Err(AttachError::TooManyClients { limit: 1 }));
                    let other = shutter::Client::<()>::connect(&name).map(drop);
                    let Err(AttachError::AbiMismatch {
                        ours,
                        theirs,
                        difference,
                        ..
                    }) = other
                    else {
                        panic!("a camera is no shutter: {other:?}");
                    };
                    assert_eq!(ours, shutter::Service::ABI_HASH);
                    assert_eq!(theirs, camera::Service::ABI_HASH);
                    assert!(difference.is_some());

                    stopper.stop();
                    served.join().expect("the handler does not panic");
                    assert!(client.blocking().twice(4).is_err());
                });
            }
        }
    };
}

camera! { shm }
camera! { shm_isolated }

/// Isolation is no part of the layout, but of what two sides agree on.
#[test]
fn both_sides_are_isolated_or_neither() {
    guarded(|| {
        use golden::generated::{shm as shared, shm_isolated as isolated};
        assert_eq!(
            shared::camera::Service::ABI_HASH,
            isolated::camera::Service::ABI_HASH
        );
        let name = name("mixed");
        let server = isolated::camera::Server::bind(&name).expect("the name is free");
        let refused = shared::camera::Client::<()>::connect(&name).map(drop);
        let Err(AttachError::Refused { why, .. }) = &refused else {
            panic!("they have different memory: {refused:?}");
        };
        assert!(why.contains("@Shm(isolated)"), "{why}");
        drop(server);
    });
}

/// Serves `add` between two ends, and calls it.
macro_rules! adds {
    ($($module:path)*) => {$({
        use $module as backend;
        let (mut client, mut server) = backend::pair::<()>().expect("a pair");
        let served = thread::spawn(move || server.serve(&mut Adder));
        assert_eq!(client.blocking().add(2, 3), Ok(5));
        drop(client);
        served.join().expect("the handler does not panic");
    })*};
}

struct Adder;

macro_rules! adders {
    ($($interface:ident)*) => {$(
        impl several_backends::$interface::Handler for Adder {
            fn add(&mut self, a: u64, b: u64) -> u64 {
                a.wrapping_add(b)
            }
        }
    )*};
}

adders! { lanes_first memory_first nodes_first apart tuned unnamed }

#[test]
fn one_definition_runs_over_each_of_its_backends() {
    guarded(|| {
        use several_backends::{apart, lanes_first, memory_first, nodes_first, tuned};
        adds! {
            lanes_first::inproc lanes_first::shm memory_first::inproc memory_first::shm
            nodes_first::inproc nodes_first::shm apart::inproc apart::shm tuned::inproc tuned::shm
        }
    });
}

/// The names without a backend are those of the first one: this compiles, or not.
#[test]
fn the_first_backend_is_the_plain_one() {
    use several_backends::{lanes_first, memory_first};
    let lanes: fn(lanes_first::Server) -> lanes_first::inproc::Server = |server| server;
    let memory: fn(memory_first::Server) -> memory_first::shm::Server = |server| server;
    let (_client, server) = lanes_first::pair::<()>().expect("a pair");
    assert_eq!(lanes(server).clients().len(), 1);
    let (_client, server) = memory_first::pair::<()>().expect("a pair");
    assert_eq!(memory(server).clients().len(), 1);
}

/// What `@Shm` says of windows is for shared memory, and what `@Inproc` says for lanes in a process.
#[test]
fn each_backend_has_its_own_window() {
    let (client, _server) = several_backends::tuned::inproc::pair::<()>().expect("a pair");
    assert_eq!(client.window(), 8);
    let (client, _server) = several_backends::tuned::shm::pair::<()>().expect("a pair");
    assert_eq!(client.window(), 64);
}
