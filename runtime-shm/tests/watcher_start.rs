//! A process that has no descriptors left when it first connects can connect once it has some. A program of its own: what it tests happens
//! once in a process.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may end where it cannot go on")]

mod peer;

use std::fs::File;

use peer::probe::probe::Service;
use peer::{Caller, echo, guarded, honest_server};
use runtime_core::{AttachError, ServerConfig};
use runtime_shm::{Isolated, Server};
use rustix::process::{Resource, getrlimit, setrlimit};

#[test]
fn descriptors_that_come_back_are_used() {
    guarded(|| {
        let limit = getrlimit(Resource::Nofile);
        let mut low = limit;
        low.current = Some(64);
        setrlimit(Resource::Nofile, low).unwrap();
        let mut all = Vec::new();
        while let Ok(file) = File::open("/dev/null") {
            all.push(file);
        }
        // With each descriptor more it gets further, and fails at another step.
        let mut failed = 0;
        while let Err(error) = Server::<Service, Isolated>::new(&ServerConfig::default()) {
            assert!(matches!(error, AttachError::System { .. }), "{error:?}");
            failed += 1;
            assert!(
                failed < 20,
                "there are descriptors again, and it fails still: {error:?}"
            );
            all.pop();
        }
        assert!(failed > 2, "every step was to fail once");
        drop(all);
        setrlimit(Resource::Nofile, limit).unwrap();
        let (name, mut server) = honest_server::<Isolated>(4);
        let mut client = Caller::<Isolated>::connect(&name).unwrap();
        echo(&mut server, &mut client, 1);
    });
}
