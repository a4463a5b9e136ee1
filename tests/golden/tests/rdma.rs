//! Calls between nodes, through what is generated for them. Both ends are in this process, over a verbs provider that is in it too.
#![cfg(target_os = "linux")]

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use golden::generated::rdma::{Fault, Frame, Settings, archive, camera, shutter, weather};
use golden::generated::several_backends::{nodes_first, tuned};
use runtime_core::{AttachError, Audience, CallError, ClientConfig, ServerConfig, Service, Tuning};
use sim_verbs::{Device, Traits};

/// A test that takes longer than this has hung.
const WATCHDOG: Duration = Duration::from_secs(60);

/// Runs a test on its own thread, with the provider, and fails it if it hangs.
fn guarded(test: impl FnOnce() + Send + 'static) {
    sim_verbs::install();
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

/// What the camera was told.
#[derive(Default)]
struct Camera(Vec<u32>);

impl camera::Handler for Camera {
    fn twice(&mut self, value: u64) -> Result<u64, Fault> {
        if value % 2 == 1 {
            return Err(Fault::ODD);
        }
        Ok(2 * value)
    }
    fn frame(&mut self, number: u32) -> Frame {
        Frame {
            number,
            bytes: [number as u8; 500],
        }
    }
    fn invert(&mut self, frame: &mut Frame) {
        frame.bytes.iter_mut().for_each(|byte| *byte = !*byte);
    }
    fn note(&mut self, number: u32) {
        self.0.push(number);
    }
}

impl shutter::Handler for Camera {
    fn press(&mut self, how: u8) {
        self.0.push(how.into());
    }
}

struct Archive;

impl archive::Handler for Archive {
    fn settings(&mut self, number: u8) -> Settings {
        Settings {
            bytes: [number; 70],
        }
    }
    fn has(&mut self, number: u32) -> bool {
        number == 5
    }
}

struct Adder;

impl nodes_first::Handler for Adder {
    fn add(&mut self, a: u64, b: u64) -> u64 {
        a.wrapping_add(b)
    }
}

#[test]
fn every_kind_of_call() {
    guarded(|| {
        let (mut client, mut server) = camera::pair::<()>().expect("a pair");
        let served = thread::spawn(move || {
            let told = server.taken(Audience::All, 3);
            let mut camera = Camera::default();
            server.serve(&mut camera);
            (told, camera.0)
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
        // The event was sent before the replies that have arrived, on one connection.
        let mut taken = Vec::new();
        let seen = client.poll_events(|event| match event {
            camera::Event::Taken(event) => taken.push(event.number),
        });
        assert_eq!((seen, taken), (Ok(1), vec![3]));
        drop(client);
        let (told, notes) = served.join().expect("the handler does not panic");
        assert_eq!(told, Ok(1));
        assert_eq!(notes, [7]);
    });
}

#[test]
fn events_larger_than_any_reply() {
    guarded(|| {
        let (mut client, mut server) = archive::pair::<()>().expect("a pair");
        let served = thread::spawn(move || {
            let frame = Frame {
                number: 9,
                bytes: [8; 500],
            };
            let told = server.stored(Audience::All, &frame);
            server.serve(&mut Archive);
            told
        });
        let settings = client.blocking().settings(6).expect("settings");
        assert_eq!(settings.bytes, [6; 70]);
        assert_eq!(client.blocking().has(5), Ok(true));
        let mut stored = Vec::new();
        let seen = client.poll_events(|event| match event {
            archive::Event::Stored(event) => stored.push((event.frame.number, event.frame.bytes)),
        });
        assert_eq!((seen, stored), (Ok(1), vec![(9, [8; 500])]));
        drop(client);
        assert_eq!(served.join().expect("the handler does not panic"), Ok(1));
    });
}

#[test]
fn one_way_alone() {
    guarded(|| {
        let (mut client, mut server) = shutter::pair::<()>().expect("a pair");
        let mut pressed = Camera::default();
        for how in 0..100 {
            while client.press(how).is_err() {
                // Its window is full.
                let _ = server.poll(&mut pressed, 8);
            }
        }
        while pressed.0.len() < 100 {
            let _ = server.poll(&mut pressed, 8);
        }
        assert_eq!(pressed.0, (0..100).collect::<Vec<u32>>());
    });
}

#[test]
fn events_alone() {
    guarded(|| {
        let (mut client, mut server) = weather::pair::<()>().expect("a pair");
        // The server has a client once it has looked.
        while server.changed(Audience::All, 4) != Ok(1) {
            let _ = server.wait(Duration::from_millis(1));
        }
        let mut to = Vec::new();
        while to.is_empty() {
            client
                .poll_events(|event| match event {
                    weather::Event::Changed(event) => to.push(event.to),
                })
                .expect("the server is there");
        }
        assert_eq!(to, [4]);
    });
}

#[test]
fn by_address() {
    guarded(|| {
        let config = ServerConfig {
            max_clients: 1,
            ..ServerConfig::default()
        };
        let mut server =
            camera::Server::bind_with("127.0.0.1:0", &config).expect("some port is free");
        let address = server.transport().local_addr().to_string();
        let twice = camera::Server::bind(&address).map(drop);
        let taken = AttachError::InUse {
            name: address.clone(),
        };
        assert_eq!(twice, Err(taken));
        let stopper = server.transport().stopper();
        let served = thread::spawn(move || server.serve(&mut Camera::default()));

        let mut client = camera::Client::<u8>::connect(&address).expect("it serves");
        assert_eq!(client.blocking().twice(4), Ok(8));
        let second = camera::Client::<()>::connect(&address).map(drop);
        assert_eq!(second, Err(AttachError::TooManyClients { limit: 1 }));
        let other = shutter::Client::<()>::connect(&address).map(drop);
        let Err(AttachError::AbiMismatch { ours, theirs, .. }) = other else {
            panic!("a camera is no shutter: {other:?}");
        };
        assert_eq!(ours, shutter::Service::ABI_HASH);
        assert_eq!(theirs, camera::Service::ABI_HASH);

        stopper.stop();
        served.join().expect("the handler does not panic");
        assert!(client.blocking().twice(4).is_err());
    });
}

/// Requests and replies that leave together are the same as those that leave one by one.
#[test]
fn many_with_one_doorbell() {
    guarded(|| {
        let (mut client, mut server) = nodes_first::rdma::pair::<u64>().expect("a pair");
        let served = thread::spawn(move || server.serve(&mut Adder));
        client.hold_doorbell();
        for number in 0..32 {
            client.add(number, 1, number).expect("the window has room");
        }
        client.ring_doorbell();
        let mut sums = [0; 32];
        let mut left = sums.len();
        while left > 0 {
            left -= client
                .poll(|number, reply| match reply {
                    nodes_first::Reply::Add(sum) => {
                        sums[number as usize] = *sum.expect("an answer");
                    }
                })
                .expect("the server is there");
        }
        assert!(sums.iter().zip(1..).all(|(sum, next)| *sum == next));
        drop(client);
        served.join().expect("the handler does not panic");
    });
}

/// The names without a backend are those of the first one: this compiles, or not.
#[test]
fn the_first_backend_is_the_plain_one() {
    guarded(|| {
        let nodes: fn(nodes_first::Server) -> nodes_first::rdma::Server = |server| server;
        let (client, server) = nodes_first::pair::<()>().expect("a pair");
        assert_eq!(client.window(), Tuning::DEFAULT.rdma_window);
        drop(nodes(server));
    });
}

/// What `@Rdma` says of the window is for RDMA, the greatest that any method asks for; whoever connects may ask for another.
#[test]
fn each_backend_has_its_own_window() {
    guarded(|| {
        let (client, _server) = tuned::rdma::pair::<()>().expect("a pair");
        assert_eq!(client.window(), 128);
        let (client, _server) = camera::pair::<()>().expect("a pair");
        assert_eq!(client.window(), 8);
        let (client, _server) = archive::pair::<()>().expect("a pair");
        assert_eq!(client.window(), 64);
        let config = ClientConfig {
            window: Some(16),
            ..ClientConfig::default()
        };
        let (client, _server) =
            camera::pair_with::<()>(&config, &ServerConfig::default()).expect("a pair");
        assert_eq!(client.window(), 16);
    });
}

/// What one connection of the archive is to send inline, and what is too long for that.
#[test]
fn what_is_sent_inline_is_said_by_the_definition() {
    guarded(|| {
        let device = Device::add("inline", Traits::default());
        let at = |address: &str| format!("{address}?device=inline");
        let mut server =
            archive::rdma::Server::bind(&at("127.0.0.1:0")).expect("the device is there");
        let address = at(&server.transport().local_addr().to_string());
        let mut client = archive::rdma::Client::<()>::connect(&address).expect("it serves");
        let mut inline = |call: &mut dyn FnMut(&mut archive::rdma::Client<()>)| {
            let before = device.counters().inline_wrs;
            call(&mut client);
            while server.poll(&mut Archive, 1).expect("a client is there") == 0 {}
            while client.poll(|(), _| ()).expect("the server is there") == 0 {}
            device.counters().inline_wrs - before
        };
        assert_eq!(archive::Service::TUNING.rdma_inline, 16);
        // Request and reply; and a reply of 70 bytes.
        assert_eq!(
            inline(&mut |client| client.has(5, ()).expect("the window is free")),
            2
        );
        assert_eq!(
            inline(&mut |client| client.settings(1, ()).expect("the window is free")),
            1
        );
    });
}
