use conformance::probe::probe::inproc::{Client, Server};

fn moved<T: Send>() {}
fn shared<T: Sync>() {}

fn main() {
    moved::<Client<u64>>();
    moved::<Server>();
    shared::<Client<u64>>();
    shared::<Server>();
}
