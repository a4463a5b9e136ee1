//! Connections that say nothing, too much, or nonsense: each is answered or cut, and the server serves on.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use process_tests::{
    LONG, Reaction, Role, Rude, Way, connect, connect_when_seated, echoed, try_connect,
};
use runtime_core::AttachError;

use crate::{PROGRAM, for_both};

for_both! { nonsense_is_answered_or_cut, the_silent_are_cut, a_crowd_of_silent_ones }

/// The beginning of what a client says first: magic, version.
const HEAD: &[u8] = b"\x7frpcidl\0\x02\0\0\0";

fn nonsense_is_answered_or_cut<T: Way>() {
    let name = T::name("rude");
    let server = Role::start(PROGRAM, &["serve", T::WORD, &name, "clients=2"]);
    server.expect("bound");
    let mut client = connect::<T, u64>(&name);
    assert_eq!(client.blocking().echo(0), Ok(echoed(0)));
    // Taken after the first round, in which a thread may be started that closes what the rude have given.
    let mut before = None;
    let file = std::fs::File::open("/dev/null").expect("it is there");
    let descriptors = vec![file.as_fd(); 64];
    let huge = vec![0x5a; 150 << 10];
    let padded = |len: usize| [HEAD, &vec![1; len - HEAD.len()]].concat();
    let mut other_version = padded(64);
    other_version[8] = 200;
    let messages: [(&str, &[u8], usize); 10] = [
        ("another protocol", b"GET / HTTP/1.1\r\n\r\n", 0),
        ("one byte", b"x", 0),
        ("nothing at all, in a message", b"", 0),
        ("a huge message", &huge, 0),
        ("half a hello", &padded(32), 0),
        ("a hello of nonsense", &padded(64), 0),
        ("a hello that goes on", &padded(65), 0),
        ("another version", &other_version, 0),
        ("descriptors", &padded(64), 2),
        ("more descriptors than fit", &padded(64), 64),
    ];
    for round in 0..3 {
        for (what, message, count) in messages {
            let rude = Rude::connect(&name);
            // It may be cut while it speaks.
            let _ = rude.say(message, &descriptors[..count]);
            match rude.answer() {
                Reaction::Cut => {}
                Reaction::Verdict(5, text) => assert!(
                    text.contains("protocol") || text.contains("makes no sense"),
                    "{what}: {text}"
                ),
                other => panic!("{what}: {other:?}"),
            }
            assert_eq!(client.blocking().echo(round), Ok(echoed(round)));
            // The one before has left, which the server sees within the next call or two.
            let mut another = connect_when_seated::<T, u64>(&name);
            assert_eq!(another.blocking().echo(round), Ok(echoed(round)));
        }
        before.get_or_insert_with(|| server.settled());
    }
    assert_eq!(Some(server.settled()), before, "nothing is kept of them");
}

fn the_silent_are_cut<T: Way>() {
    let name = T::name("silent");
    let server = Role::start(PROGRAM, &["serve", T::WORD, &name]);
    server.expect("bound");
    let start = Instant::now();
    let silent: Vec<_> = (0..10).map(|_| Rude::connect(&name)).collect();
    for call in 0..20 {
        let mut client = connect::<T, u64>(&name);
        assert_eq!(client.blocking().echo(call), Ok(echoed(call)));
    }
    let others = start.elapsed();
    for silent in silent {
        assert_eq!(silent.answer(), Reaction::Cut);
    }
    println!(
        "{}: twenty others were served after {others:?}, the silent cut after {:?}",
        T::WORD,
        start.elapsed()
    );
    assert!(start.elapsed() >= Duration::from_millis(900));
}

fn a_crowd_of_silent_ones<T: Way>() {
    let name = T::name("crowd");
    let server = Role::start(PROGRAM, &["serve", T::WORD, &name]);
    server.expect("bound");
    let mut client = connect::<T, u64>(&name);
    let crowd: Vec<_> = (0..64).map(|_| Rude::connect(&name)).collect();
    let start = Instant::now();
    let mut refusals = 0;
    // While they may speak there is no room for more; whoever is turned away is told why.
    let mut late = loop {
        match try_connect::<T, u64>(&name) {
            Ok(late) => break late,
            Err(AttachError::Refused { why, .. }) => {
                assert!(why.contains("have not said yet what they want"), "{why}");
                refusals += 1;
            }
            Err(other) => panic!("unexpected {other:?}"),
        }
        assert!(start.elapsed() < LONG);
        assert_eq!(client.blocking().echo(1), Ok(echoed(1)));
    };
    println!("{}: {refusals} refusals for {:?}", T::WORD, start.elapsed());
    assert_eq!(late.blocking().echo(2), Ok(echoed(2)));
    for silent in crowd {
        assert_eq!(silent.answer(), Reaction::Cut);
    }
}
