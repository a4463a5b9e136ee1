use conformance::probe::probe::{inproc::Server, method::Echo};
use runtime_core::Token;

fn answer<T: runtime_core::ServerTransport<Service = conformance::probe::probe::Service>>(
    server: &mut conformance::probe::probe::ServerOver<T>,
    token: Token<Echo, T>,
) {
    let _ = server.reply(token, 1);
    let _ = server.reply(token, 2);
}

fn main() {
    let _ = |_: Server| ();
}
