//! Lanes between threads of one process.

use super::Emitter;
use crate::emit::Scope;
use crate::emit::writer::{Writer, block, line};
use crate::ir::{Backend, Interface};

pub(super) const EMITTER: Emitter = Emitter {
    backend: Backend::Inproc,
    module: "inproc",
    runtime: "::runtime_inproc",
    exports: "{Client, Server, pair, pair_with}",
    carries_buffers: false,
    emit,
};

fn emit(w: &mut Writer, scope: &Scope<'_>, interface: &Interface) {
    let runtime = super::runtime(scope.options, &EMITTER);
    line!(
        w,
        "/// `{}` between threads of one process.",
        interface.name
    );
    block!(w, "pub mod inproc" => {
        line!(w, "use ::core::prelude::v1::*;");
        w.blank();
        line!(w, "use {} as rt;", scope.options.runtime_core);
        w.blank();
        line!(w, "/// A client whose calls carry `U` until they are answered.");
        line!(w, "pub type Client<U = ()> = super::ClientOver<{runtime}::Client<super::Service>, U>;");
        w.blank();
        line!(w, "/// A server.");
        line!(w, "pub type Server = super::ServerOver<{runtime}::Server<super::Service>>;");
        w.blank();
        line!(w, "/// Bytes of slots that one client takes, with the window of the definition.");
        line!(w, "pub const MEMORY_PER_CONNECTION: usize =");
        line!(w, "    {runtime}::memory_per_connection::<super::Service>();");
        w.blank();
        line!(w, "/// A server and its only client.");
        line!(w, "///");
        line!(w, "/// # Errors");
        line!(w, "/// The definition asks for a window that is not possible.");
        block!(w, "pub fn pair<U>() -> Result<(Client<U>, Server), rt::AttachError>" => {
            line!(w, "let client = <rt::ClientConfig as ::core::default::Default>::default();");
            line!(w, "let server = <rt::ServerConfig as ::core::default::Default>::default();");
            line!(w, "pair_with(&client, &server)");
        });
        w.blank();
        line!(w, "/// A server and its only client, with other settings.");
        line!(w, "///");
        line!(w, "/// # Errors");
        line!(w, "/// The settings are not possible.");
        w.signature(
            format_args!("pub fn pair_with<U>"),
            |list| {
                list.item("client: &rt::ClientConfig");
                list.item("server: &rt::ServerConfig");
            },
            format_args!(" -> Result<(Client<U>, Server), rt::AttachError>"),
            " {",
        );
        w.assign(
            format_args!("let ends ="),
            &format_args!("{runtime}::pair::<super::Service>(client, server)?"),
        );
        line!(w, "let client = Client::over(ends.0, client);");
        line!(w, "let server = Server::over(ends.1, server);");
        line!(w, "Ok((client, server))");
        w.close();
    });
}
