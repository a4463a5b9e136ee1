//! Names that generated code would have to change.

use rpcidl_macros::rpc_message;

#[rpc_message]
struct lower_case {
    a: u32,
}

#[rpc_message]
struct Snake_Camel {
    fieldName: u32,
    _underscore: u32,
    _pad0: u32,
}

#[rpc_message]
struct Größe {
    länge: u32,
}

#[rpc_message]
struct Bytes {
    a: u32,
}

#[rpc_message]
struct Twice {
    a: u32,
    a: u32,
}

#[rpc_message]
struct Room {
    _reserved: runtime_core::Reserved<4>,
    a: u32,
    _reserved1: runtime_core::Reserved<LENGTH>,
}

fn main() {}
