//! Lanes between threads of one process.

use super::{Emitter, Module};
use crate::emit::Scope;
use crate::emit::writer::Writer;
use crate::ir::{Backend, Interface};

pub(super) const EMITTER: Emitter = Emitter {
    backend: Backend::Inproc,
    module: "inproc",
    package: "runtime-inproc",
    runtime: "::runtime_inproc",
    exports: "{Client, Server, pair, pair_with}",
    carries_buffers: false,
    emit,
};

fn emit(w: &mut Writer, scope: &Scope<'_>, interface: &Interface) {
    let module = Module {
        emitter: &EMITTER,
        place: "between threads of one process",
        generics: "super::Service",
        memory: "slots",
        pair: [
            "A server and its only client",
            "The definition asks for a window that is not possible",
            "The settings are not possible",
        ],
        ends: |w| {
            w.assign(
                format_args!("let ends ="),
                &"backend::pair::<super::Service>(client, server)?",
            );
        },
    };
    module.emit(w, scope, interface);
}
