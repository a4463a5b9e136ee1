//! The contract on the in-process backend.

use conformance::inproc::Inproc;
use conformance::probe::Mode;
use runtime_core::WaitError;

conformance::suite! { Inproc }

/// The poll after a request that was refused takes in that the last client is gone; nothing would tell the server of it again.
#[test]
fn a_refused_request_does_not_hide_the_end() {
    let (mut client, mut server) = conformance::probe::probe::pair::<u64>().unwrap();
    client.toggle(Mode(7), 1).unwrap();
    drop(client);
    assert!(matches!(server.recv(), Err(WaitError::Disconnected)));
}
