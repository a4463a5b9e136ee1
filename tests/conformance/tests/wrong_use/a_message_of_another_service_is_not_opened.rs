use conformance::probe::probe::method::Mirror;
use runtime_core::{Incoming, ServerTransport, Service};

fn open<S: Service, T: ServerTransport>(incoming: Incoming<'_, S, T>) {
    let _ = incoming.open::<Mirror>();
}

fn main() {}
