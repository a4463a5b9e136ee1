//! How the processes of a test reach each other.

use std::fmt::Debug;
use std::net::TcpListener;
use std::sync::atomic::{AtomicU64, Ordering};

use runtime_core::{Bind, Connect, Service};
use runtime_shm::{Isolated, SameUser, Trust};
use rustix::process::getpid;

/// A backend between processes, as a test and its roles use it.
pub trait Way: Debug + 'static {
    /// The client's transport.
    type Client<S: Service>: Connect<Service = S>;
    /// The server's.
    type Server<S: Service>: Bind<Service = S>;

    /// What it is called on the command line of a role.
    const WORD: &'static str;

    /// An address that nobody else uses.
    fn name(what: &str) -> String {
        name(what)
    }

    /// What ends a server from another thread.
    fn stopper<S: Service>(server: &Self::Server<S>) -> impl Fn() + Send + 'static;
}

/// An abstract name that nobody else uses.
pub fn name(what: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{what}-{}-{next}", getpid().as_raw_nonzero())
}

/// Shared memory.
macro_rules! shm {
    ($trust:ty, $word:literal) => {
        impl Way for $trust {
            type Client<S: Service> = runtime_shm::Client<S, Self>;
            type Server<S: Service> = runtime_shm::Server<S, Self>;

            const WORD: &'static str = $word;

            fn stopper<S: Service>(server: &Self::Server<S>) -> impl Fn() + Send + 'static {
                let stopper = server.stopper();
                move || stopper.stop()
            }
        }
        const _: () = assert!(<$trust>::ISOLATED == matches!($word.as_bytes(), b"isolated"));
    };
}

shm! { SameUser, "same" }
shm! { Isolated, "isolated" }

/// RDMA, at the address that the environment gives as `RPCIDL_RDMA_ADDRESS`. Receivers have to be ready: no message is sent twice to one
/// that has no buffer.
#[derive(Debug)]
pub enum Rdma {}

impl Way for Rdma {
    type Client<S: Service> = runtime_rdma::Client<S>;
    type Server<S: Service> = runtime_rdma::Server<S>;

    const WORD: &'static str = "rdma";

    fn name(_: &str) -> String {
        let Ok(host) = std::env::var("RPCIDL_RDMA_ADDRESS") else {
            panic!("RPCIDL_RDMA_ADDRESS is to be an address of this host's RDMA device")
        };
        // One that nobody listens at now.
        match TcpListener::bind((host.as_str(), 0)).and_then(|listener| listener.local_addr()) {
            Ok(address) => format!("{address}?rnr_retry=0"),
            Err(error) => panic!("{host}: {error}"),
        }
    }

    fn stopper<S: Service>(server: &Self::Server<S>) -> impl Fn() + Send + 'static {
        let stopper = server.stopper();
        move || stopper.stop()
    }
}
