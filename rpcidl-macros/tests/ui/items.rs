//! The attributes on items that they do not belong on, and items of a form that no definition has.

use rpcidl_macros::{rpc_message, rpc_service};

#[rpc_message]
fn function() {}

#[rpc_message]
trait Trait {
    fn call(&self);
}

#[rpc_message]
union Union {
    a: u32,
}

#[rpc_message]
type Alias = u32;

#[rpc_service]
struct Struct {
    a: u32,
}

#[rpc_service]
mod module {}

#[rpc_message]
struct Tuple(u32, u8);

#[rpc_message]
struct Unit;

#[rpc_message]
struct Empty {}

#[rpc_message]
struct Generic<T> {
    a: T,
}

#[rpc_message]
struct Borrowed<'a> {
    a: &'a u32,
}

#[rpc_message]
struct Bounded
where
    u32: Copy,
{
    a: u32,
}

#[rpc_message]
#[repr(C, packed)]
struct Packed {
    a: u32,
}

#[rpc_message]
#[repr(u8)]
enum Data {
    Nothing = 0,
    Number(u32) = 1,
    Named { a: u32 } = 2,
}

#[rpc_message]
struct Conditional {
    #[cfg(unix)]
    a: u32,
    b: u32,
}

fn main() {}
