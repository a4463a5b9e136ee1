//! The shared-memory backend: both sides in this process, each with its own mapping, as two processes have them.

use runtime_core::{AttachError, ClientConfig, ServerConfig};
use runtime_shm::{Client, Connector, Isolated, SameUser, Server, Trust};

use crate::Backend;
use crate::probe::probe::Service;

/// Lanes between processes of one user.
pub type Shm = Over<SameUser>;

/// Lanes between processes that do not trust each other.
pub type IsolatedShm = Over<Isolated>;

/// Lanes between processes.
pub struct Over<T>(core::marker::PhantomData<T>);

impl<T: Trust> Backend for Over<T> {
    type Client = Client<Service, T>;
    type Server = Server<Service, T>;
    type Connector = Connector<Service, T>;

    const ONE_MAPPING: bool = false;

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
