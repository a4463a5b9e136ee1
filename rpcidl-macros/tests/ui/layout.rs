//! Limits of layout, and derives that cannot be had.

use rpcidl_macros::{rpc_message, rpc_service};
use runtime_core::Bytes;

#[rpc_message]
struct Itself {
    next: Option<Itself>,
}

#[rpc_message]
struct Huge {
    bytes: Bytes<65_000>,
    more: Bytes<65_000>,
}

#[rpc_message]
#[derive(Eq, Hash)]
struct Floats {
    float: f32,
}

#[rpc_message]
struct Plain {
    number: u32,
}

#[rpc_message]
#[derive(Eq)]
struct Holder {
    plain: Plain,
}

#[rpc_service]
trait Large {
    fn send(&self, first: &Bytes<60_000>, second: &Bytes<60_000>);
}

fn main() {}
