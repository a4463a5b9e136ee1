//! Connections between nodes.

use super::{Emitter, Module};
use crate::emit::Scope;
use crate::emit::writer::{Writer, line};
use crate::ir::{Backend, Interface};

pub(super) const EMITTER: Emitter = Emitter {
    backend: Backend::Rdma,
    module: "rdma",
    package: "runtime-rdma",
    runtime: "::runtime_rdma",
    exports: "{Client, Server, pair, pair_with}",
    carries_buffers: false,
    emit,
};

fn emit(w: &mut Writer, scope: &Scope<'_>, interface: &Interface) {
    let module = Module {
        emitter: &EMITTER,
        place: "between nodes",
        generics: "super::Service",
        memory: "registered memory, at both ends together,",
        pair: [
            "A server without a name and its only client, both in this process",
            "The definition asks for a window that is not possible, or there is no RDMA device that can be used",
            "The settings are not possible, or there is no RDMA device that can be used",
        ],
        ends: |w| {
            line!(w, "let serving = backend::Server::new(server)?;");
            line!(w, "let calling = serving.connector().connect(client)?;");
            line!(w, "let ends = (calling, serving);");
        },
    };
    module.emit(w, scope, interface);
}
