//! Options that do not exist, or are not given what they take.

use rpcidl_macros::{rpc_message, rpc_service};

#[rpc_service(backend = "improc")]
trait Misspelt {
    fn call(&self);
}

#[rpc_service(backend = ["inproc", "rdma", "inproc"])]
trait Several {
    fn call(&self);
}

#[rpc_service(backend = inproc)]
trait NoText {
    fn call(&self);
}

#[rpc_service(backends = "inproc")]
trait Unknown {
    fn call(&self);
}

#[rpc_service(package = "acme kv")]
trait Package {
    fn call(&self);
}

#[rpc_service(package = "acme.kv@1")]
trait Version {
    fn call(&self);
}

#[rpc_service(crate = runtime_core, macros = "rpcidl_macros")]
trait Relative {
    fn call(&self);
}

#[rpc_service(runtime = ::lanes)]
trait WhoseRuntime {
    fn call(&self);
}

#[rpc_service("inproc")]
trait NoKey {
    fn call(&self);
}

#[rpc_service(backend = "inproc", backend = "inproc")]
trait Twice {
    fn call(&self);
}

#[rpc_service(inproc(depth = 3, deep = 4), shm(slots), deadline_us = "50")]
trait Tuning {
    #[rpc(deadline_us = 0, idempotent = true)]
    fn deadline(&self);
    #[rpc(once)]
    fn unknown(&self);
    #[rpc(idempotnet)]
    fn misspelt(&self);
    #[rpc(id)]
    fn no_value(&self);
    #[rpc(oneway(1))]
    fn list(&self);
    #[rpc = "oneway"]
    fn no_list(&self);
    #[rpc(deadline_us = 1, deadline_ms = 1)]
    fn two_units(&self);
    fn param(&self, #[rpc(default = 1)] number: u32);
}

#[rpc_service(package = "acme@1.1")]
trait Since {
    #[rpc(since = "1.2")]
    fn later(&self);
    #[rpc(since = 1)]
    fn no_minor(&self);
}

#[rpc_message(closed, max_size = 4)]
struct Message {
    #[rpc(defualt = 1)]
    a: u32,
    b: u32,
}

#[rpc_message(max_size = 4)]
struct Large {
    a: u32,
    b: u32,
}

#[rpc(since = "1.1")]
#[rpc_message]
struct Below {
    a: u32,
}

#[rpc_message]
#[rpc(since = "1.1")]
struct Above {
    a: u32,
}

fn main() {}
