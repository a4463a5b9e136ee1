//! The RDMA backend: both sides in this process, each with its own queue pair.
//!
//! It runs over the in-process verbs provider, or over the host's devices if the environment has `RPCIDL_RDMA=device`.

use runtime_core::{AttachError, ClientConfig, ServerConfig};
use runtime_rdma::{Client, Connector, Server};

use crate::Backend;
use crate::probe::probe::Service;

/// Connections between nodes.
pub struct Rdma;

impl Backend for Rdma {
    type Client = Client<Service>;
    type Server = Server<Service>;
    type Connector = Connector<Service>;

    const ONE_MAPPING: bool = false;

    fn server(config: &ServerConfig) -> Self::Server {
        if std::env::var_os("RPCIDL_RDMA").is_none_or(|what| what != "device") {
            sim_verbs::install();
        }
        Server::new(config).expect("the configuration is possible")
    }

    fn connector(server: &mut Self::Server) -> Self::Connector {
        server.connector()
    }

    fn stopper(server: &Self::Server) -> impl FnOnce() + Send + 'static {
        let stopper = server.stopper();
        move || stopper.stop()
    }

    fn connect(
        connector: &Self::Connector,
        config: &ClientConfig,
    ) -> Result<Self::Client, AttachError> {
        connector.connect(config)
    }
}
