//! Types that are no messages, which only rustc can tell.

use rpcidl_macros::{rpc_message, rpc_service};

struct NotMessage {
    number: u32,
}

#[rpc_message]
struct Holder {
    foreign: NotMessage,
}

#[rpc_service]
trait Service {
    fn call(&self, missing: &Missing);
}

fn main() {}
