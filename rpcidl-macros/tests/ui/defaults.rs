//! Defaults that do not fit.

use rpcidl_macros::rpc_message;
use runtime_core::{List, Str};

#[rpc_message]
#[repr(u8)]
enum Tier {
    Hot = 0,
}

#[rpc_message]
#[repr(u8)]
enum Other {
    Hot = 0,
}

#[rpc_message]
struct Defaults {
    #[rpc(default = 300)]
    byte: u8,
    #[rpc(default = -1)]
    unsigned: u32,
    #[rpc(default = 1)]
    flag: bool,
    #[rpc(default = "too long")]
    text: Str<4>,
    #[rpc(default = 1.5)]
    float: u32,
    #[rpc(default = [1])]
    list: List<u32, 4>,
    #[rpc(default = 1)]
    optional: Option<u32>,
    #[rpc(default)]
    nothing: u32,
    #[rpc(default = NUMBER)]
    constant: u32,
}

#[rpc_message]
struct Members {
    #[rpc(default = Tier::Cold)]
    tier: Tier,
    #[rpc(default = Other::Hot)]
    other: Tier,
    #[rpc(default = 0)]
    number: Tier,
}

fn main() {}
