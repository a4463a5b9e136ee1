use conformance::probe::probe::inproc::Client;
use runtime_core::Retry;

fn repeat(client: &mut Client<u64>) {
    let _ = client.retrying(Retry { attempts: 3 }).lookup(1);
    let _ = client.retrying(Retry { attempts: 3 }).echo(1);
}

fn main() {}
