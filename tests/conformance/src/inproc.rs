//! The in-process backend.

use runtime_core::{AttachError, ClientConfig, ServerConfig};

use crate::Backend;
use crate::probe::probe::Service;

/// Lanes between threads.
pub enum Inproc {}

impl Backend for Inproc {
    type Client = runtime_inproc::Client<Service>;
    type Server = runtime_inproc::Server<Service>;
    type Connector = runtime_inproc::Connector<Service>;

    const ONE_MAPPING: bool = true;

    fn server(config: &ServerConfig) -> Self::Server {
        Self::Server::new(config).expect("the configuration is possible")
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
