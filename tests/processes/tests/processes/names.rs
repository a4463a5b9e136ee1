//! Names: of nobody, of somebody else, left by the dead, impossible.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use process_tests::{Over, Role, Way, bind, connect, echoed, try_connect};
use runtime_core::AttachError;
use runtime_shm::SameUser;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType};
use rustix::process::{Signal, geteuid};

use crate::{PROGRAM, for_both};

for_both! {
    a_name_of_nobody,
    a_name_in_use,
    a_path_that_a_killed_server_left,
    impossible_names,
}

/// Why it cannot be bound.
fn refused<T: Way>(name: &str) -> AttachError {
    match bind::<T>(name, 1) {
        Ok(_) => panic!("`{name}` is served"),
        Err(error) => error,
    }
}

/// Why it cannot be connected to.
fn unreachable<T: Way>(name: &str) -> AttachError {
    match try_connect::<T, u64>(name) {
        Ok(_) => panic!("`{name}` is served"),
        Err(error) => error,
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("temporary folders have plain names")
}

fn a_name_of_nobody<T: Way>() {
    let folder = tempfile::tempdir().expect("a folder");
    let in_folder = folder.path().join("nobody");
    let nowhere = folder.path().join("no/such/folder");
    for name in [&T::name("nobody"), text(&in_folder), text(&nowhere)] {
        let error = unreachable::<T>(name);
        assert_eq!(error, AttachError::NotFound { name: name.into() });
        assert!(error.to_string().contains("start its server first"));
    }
}

fn a_name_in_use<T: Way>() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("served");
    for name in [&T::name("in-use"), text(&path)] {
        let server = Role::start(PROGRAM, &["serve", T::WORD, name]);
        server.expect("bound");
        let mut client = connect::<T, u64>(name);
        for _ in 0..20 {
            let error = refused::<T>(name);
            assert_eq!(error, AttachError::InUse { name: name.into() });
        }
        assert_eq!(client.blocking().echo(1), Ok(echoed(1)));
        assert_eq!(connect::<T, u64>(name).blocking().echo(2), Ok(echoed(2)));
    }
}

fn a_path_that_a_killed_server_left<T: Way>() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("left");
    let name = text(&path);
    for _ in 0..5 {
        let mut server = Role::start(PROGRAM, &["serve", T::WORD, name]);
        server.expect("bound");
        let mut client = connect::<T, u64>(name);
        assert_eq!(client.blocking().echo(1), Ok(echoed(1)));
        server.signal(Signal::KILL);
        assert_eq!(server.died_of(), Some(Signal::KILL.as_raw()));
        // Nobody is there, and that is what a client is told.
        assert!(path.exists());
        let error = unreachable::<T>(name);
        assert_eq!(error, AttachError::NotFound { name: name.into() });
        // The next server of the loop finds what this one has left.
    }
    let mut server = Role::start(PROGRAM, &["serve", T::WORD, name]);
    server.expect("bound");
    server.say("stop");
    server.expect("stopped");
    assert!(!path.exists(), "one that ends in order leaves nothing");
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0);
}

#[test]
fn a_path_that_is_something_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    fs::write(&file, "precious").expect("a file");
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&file, &link).expect("a link");
    for path in [&file, &link, &folder.path().join(".")] {
        let error = refused::<SameUser>(text(path));
        let AttachError::Config { what } = &error else {
            panic!("unexpected {error:?}")
        };
        assert!(what.contains("exists and is not a socket"), "{what}");
    }
    assert_eq!(fs::read_to_string(&file).expect("it is there"), "precious");
    for path in [&file, &link, &folder.path().join(".")] {
        assert_eq!(
            unreachable::<SameUser>(text(path)),
            AttachError::Foreign {
                name: text(path).into(),
                what: "it is not a socket".into()
            }
        );
    }
}

#[test]
fn a_folder_that_is_not_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("missing/name");
    let error = refused::<SameUser>(text(&path));
    let AttachError::System { what, error } = &error else {
        panic!("unexpected {error:?}")
    };
    assert!(what.contains("missing"), "{what}");
    assert!(error.contains("No such file"), "{error}");
}

#[test]
fn a_folder_without_permission() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("name");
    // Nothing is forbidden to root, so somebody else tries.
    let user: &[&str] = if geteuid().is_root() { &["65534"] } else { &[] };
    for (mode, why) in [
        (0o555, "no socket can be made there"),
        (0o311, "cannot be opened"),
    ] {
        // For others as for the owner, and the program of roles is reached by another way.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(mode)).expect("ours");
        let binder = Role::start(PROGRAM, &[&["binder", text(&path)], user].concat());
        let said = binder.expect("bound");
        assert!(said.contains("may not be used"), "{mode:o}: {said}");
        assert!(said.contains(why), "{mode:o}: {said}");
    }
}

fn impossible_names<T: Way>() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = format!("{}/", text(folder.path()));
    let long = "n".repeat(101);
    let very_long_path = format!("{path:p<200}");
    for (name, why) in [
        ("", "empty"),
        ("a\0b", "NUL"),
        ("/tmp/a\0b", "NUL"),
        (&long, "too long"),
        (&very_long_path, "too long"),
    ] {
        for error in [refused::<T>(name), unreachable::<T>(name)] {
            let AttachError::Config { what } = &error else {
                panic!("`{name}`: unexpected {error:?}")
            };
            assert!(what.contains(why), "`{name}`: {what}");
        }
    }
    // The longest that is said to be possible is.
    let longest = format!("{:-<100}", T::name("long"));
    let _server = bind::<T>(&longest, 1).expect("100 bytes are possible");
    drop(connect::<T, u64>(&longest));
    let refusal = refused::<T>(&very_long_path).to_string();
    let mut words = refusal
        .split(' ')
        .skip_while(|&word| word != "most")
        .skip(1);
    let most: usize = words
        .next()
        .and_then(|word| word.parse().ok())
        .expect("it says how long a path may be");
    let longest = format!("{path:p<most$}");
    let _server = bind::<T>(&longest, 1).expect("as long as a path may be");
    drop(connect::<T, u64>(&longest));
    let longer = format!("{longest}p");
    let error = refused::<T>(&longer);
    assert!(matches!(error, AttachError::Config { .. }), "{error:?}");
}

#[test]
fn two_servers_that_start_in_the_same_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("race");
    let address = SocketAddrUnix::new(&path).expect("short enough");
    let mut racers = [(); 2].map(|()| Role::start(PROGRAM, &["racer"]));
    for racer in &racers {
        racer.expect("ready");
    }
    for round in 0..50 {
        // What a killed server leaves: a socket that nobody listens at.
        let left = rustix::net::socket(AddressFamily::UNIX, SocketType::SEQPACKET, None)
            .expect("a socket");
        rustix::net::bind(&left, &address).expect("the path is free");
        drop(left);
        for racer in &mut racers {
            racer.say(&format!("bind {}", text(&path)));
        }
        let won = racers.each_ref().map(|racer| {
            let said = racer.expect("");
            assert!(
                said == "won" || said.contains("is served already"),
                "round {round}: {said}"
            );
            said == "won"
        });
        assert_eq!(won.iter().filter(|&&won| won).count(), 1, "round {round}");
        for racer in &mut racers {
            racer.say("free");
            racer.expect("free");
        }
        assert!(!path.exists(), "round {round}");
    }
}

#[test]
fn a_server_that_starts_while_another_ends() {
    conformance::guarded("one after the other", || {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("relay");
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            let relay = scope.spawn(|| {
                let mut bound = 0;
                while !is_over.load(Ordering::Relaxed) {
                    match bind::<SameUser>(text(&path), 1) {
                        Ok(_) => bound += 1,
                        Err(AttachError::InUse { .. }) => {}
                        Err(other) => panic!("unexpected {other}"),
                    }
                }
                bound
            });
            let over = Over(&is_over);
            let mut bound = 0;
            for _ in 0..2000 {
                match bind::<SameUser>(text(&path), 1) {
                    Ok(_) => bound += 1,
                    Err(AttachError::InUse { .. }) => {}
                    Err(other) => panic!("unexpected {other}"),
                }
            }
            drop(over);
            let other = relay.join().expect("it bound, or the name was in use");
            assert!(bound != 0 && other != 0, "{bound} and {other}");
        });
    });
}
