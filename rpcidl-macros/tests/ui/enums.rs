//! Rules of enumerations.

use rpcidl_macros::rpc_message;

#[rpc_message]
enum NoRepr {
    A = 0,
}

#[rpc_message]
#[repr(usize)]
enum Size {
    A = 0,
}

#[rpc_message]
#[repr(u8)]
enum Range {
    A = 256,
    B = -1,
    C = 255,
    D,
    E = A,
}

#[rpc_message(reserved = [3, 5..=9])]
#[repr(u8)]
enum Repeated {
    A = 1,
    B = 1,
    C = 3,
    D = 7,
}

#[rpc_message(flags)]
#[repr(i8)]
enum Signed {
    A = 1,
    B,
}

#[rpc_message(error)]
#[repr(u32)]
enum Errors {
    Zero = 0,
    Top = 0xffff_0000,
    None,
}

#[rpc_message(error, closed)]
#[repr(u32)]
enum ClosedError {
    A = 1,
}

#[rpc_message(error, flags)]
#[repr(u32)]
enum Both {
    A = 1,
}

#[rpc_message]
#[repr(u8)]
enum Default {
    A = 0,
    #[default]
    B = 1,
}

#[rpc_message(reserved = 1..3)]
#[repr(u8)]
enum HalfOpen {
    A = 0,
}

#[rpc_message]
#[repr(u8)]
enum Nobody {}

fn main() {}
