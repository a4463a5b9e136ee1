//! Rules of methods, which are those of `.idl` files.

use rpcidl_macros::{rpc_message, rpc_service};

#[rpc_message]
struct Key {
    number: u64,
}

#[rpc_message]
#[repr(u8)]
enum Tier {
    Hot = 0,
}

#[rpc_message(error)]
#[repr(u32)]
enum Failed {
    Busy = 1,
}

#[rpc_service]
trait Silent {
    #[rpc(oneway)]
    fn result(&self) -> u32;
    #[rpc(oneway)]
    fn out(&self, number: &mut u32);
    #[rpc(event)]
    fn only_out(&self, #[out] number: u32);
    #[rpc(event, oneway)]
    fn both(&self);
}

#[rpc_service]
trait Throws {
    #[rpc(oneway)]
    fn silent(&self) -> Result<(), Failed>;
    fn message(&self) -> Result<u32, Key>;
    fn plain(&self) -> Result<u32, Tier>;
    fn fine(&self) -> Result<(), Failed>;
}

#[rpc_service(reserved = [7, 20..=30])]
trait Ids {
    #[rpc(id = 3)]
    fn first(&self);
    #[rpc(id = 3)]
    fn again(&self);
    #[rpc(id = 7)]
    fn reserved(&self);
    #[rpc(id = 25)]
    fn in_range(&self);
    #[rpc(id = 0)]
    fn zero(&self);
    #[rpc(id = 65_536)]
    fn large(&self);
}

#[rpc_service]
trait Names {
    fn again(&self);
    fn again(&self);
    fn aGain(&self);
}

#[rpc_service]
trait Parameters {
    fn twice(&self, number: u32, number: u32);
    fn case(&self, aB: u32, a_b: u32);
    #[rpc(idempotent)]
    fn changes(&self, number: &mut u64);
    fn shared(&self, #[out] key: &u32);
}

fn main() {}
