//! Services over shared memory, over RDMA, over several backends, and between sides that do not trust each other.

use std::thread;

use rpcidl_macros::rpc_service;

/// Over shared memory alone.
#[rpc_service(backend = "shm")]
pub trait Shared {
    fn add(&mut self, a: u64, b: u64) -> u64;
}

/// The first one is the plain one.
#[rpc_service(backend = ["inproc", "shm"])]
pub trait Both {
    fn add(&mut self, a: u64, b: u64) -> u64;
}

/// Each side writes only its own memory.
#[rpc_service(backend = "shm", shm(isolated, slots = 16))]
pub trait Apart {
    fn add(&mut self, a: u64, b: u64) -> u64;
}

/// Each under another name than usual.
#[rpc_service(backend = "shm", runtime = ::runtime_shm, crate = ::runtime_core)]
pub trait Named {
    fn add(&mut self, a: u64, b: u64) -> u64;
}

/// Between nodes.
#[rpc_service(backend = "rdma", rdma(recv_depth = 16))]
pub trait Nodes {
    fn add(&mut self, a: u64, b: u64) -> u64;
}

/// All that there are.
#[rpc_service(backend = ["rdma", "shm", "inproc"], runtime = ::runtime_rdma)]
pub trait All {
    fn add(&mut self, a: u64, b: u64) -> u64;
}

struct Adder;

macro_rules! adders {
    ($($service:ident)*) => {$(
        impl $service for Adder {
            fn add(&mut self, a: u64, b: u64) -> u64 {
                a + b
            }
        }
    )*};
}

adders! { Shared Both Apart Named Nodes All }

macro_rules! run {
    ($($backend:path;)*) => {$({
        use $backend as backend;
        let (mut client, mut server) = backend::pair::<()>().unwrap();
        let serving = thread::spawn(move || server.serve(&mut Adder));
        assert_eq!(client.blocking().add(2, 3), Ok(5));
        drop(client);
        serving.join().unwrap();
    })*};
}

fn main() {
    // There need not be a device: both sides find one in this process.
    sim_verbs::install();
    run! {
        shared;
        both::shm;
        apart;
        named::shm;
        nodes;
        all;
        all::rdma;
        all::shm;
        all::inproc;
    }
}
