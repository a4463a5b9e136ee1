//! Lanes between processes of one machine.

use super::{Emitter, Module};
use crate::emit::Scope;
use crate::emit::writer::{Writer, line};
use crate::ir::{Backend, Interface};

pub(super) const EMITTER: Emitter = Emitter {
    backend: Backend::Shm,
    module: "shm",
    package: "runtime-shm",
    runtime: "::runtime_shm",
    exports: "{Client, Server, pair, pair_with}",
    carries_buffers: false,
    emit,
};

fn emit(w: &mut Writer, scope: &Scope<'_>, interface: &Interface) {
    // The trust is named in either case: `memory_per_connection` is a function, whose parameters have no defaults.
    let (place, generics) = if interface.tuning.shm_isolated {
        (
            "between processes of one machine that do not trust each other",
            "super::Service, backend::Isolated",
        )
    } else {
        (
            "between processes of one machine and one user",
            "super::Service, backend::SameUser",
        )
    };
    let module = Module {
        emitter: &EMITTER,
        place,
        generics,
        memory: "shared memory",
        pair: [
            "A server without a name and its only client, both in this process",
            "The definition asks for a window that is not possible, or the operating system refused",
            "The settings are not possible, or the operating system refused",
        ],
        ends: |w| {
            line!(w, "let serving = backend::Server::new(server)?;");
            line!(w, "let calling = serving.connector().connect(client)?;");
            line!(w, "let ends = (calling, serving);");
        },
    };
    module.emit(w, scope, interface);
}
