//! A client and its server in one go.

use runtime_core::{AttachError, ClientConfig, ServerConfig, Service};

use crate::client::Client;
use crate::server::Server;

/// A server and its only client. The server has nothing left to serve once the client is dropped.
///
/// # Errors
/// The configuration asks for an impossible window.
pub fn pair<S: Service>(
    client: &ClientConfig,
    server: &ServerConfig,
) -> Result<(Client<S>, Server<S>), AttachError> {
    let server = Server::new(server)?;
    let client = server.connector().connect(client)?;
    Ok((client, server))
}
