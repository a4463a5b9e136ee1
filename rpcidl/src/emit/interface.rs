//! The module of an interface.

use super::docs::{LINTS, allow, deprecation, docs};
use super::method::stubs;
use super::writer::{Writer, block, line};
use super::{Scope, backend, client, consts, messages, server, service};
use crate::ir::InterfaceId;

/// One interface.
pub(super) fn emit(w: &mut Writer, scope: &Scope<'_>, id: InterfaceId) {
    let interface = scope.model.interface(id);
    let inner = scope.inner();
    let stubs = stubs(&inner, interface);
    let backends = backend::of(scope.options, interface);

    w.blank();
    docs(
        w,
        &interface.meta,
        format_args!(
            "`{}`: stubs over any transport{}.",
            interface.name,
            if backends.is_empty() {
                ""
            } else {
                ", and the backends it was compiled for"
            }
        ),
    );
    if backends.is_empty() {
        line!(w, "///");
        line!(
            w,
            "/// It was compiled for no backend: `ClientOver` and `ServerOver` take a transport that somebody brings along. There are a"
        );
        line!(
            w,
            "/// `Client`, a `Server` and a `pair` for each backend that the definition names, as in `@Backends({{inproc, shm, rdma}})`,"
        );
        line!(w, "/// or that is asked for where it is compiled.");
    }
    deprecation(w, &interface.meta);
    // Names, the number of arguments and the documentation are the definition's, stubs must reach what it calls
    // deprecated, and no program has a use for all of them.
    allow(w, &["dead_code", "deprecated", "unused_imports", LINTS]);
    block!(w, "pub mod {}", scope.names.of_interface(id) => {
        // What follows is written for any user: in a crate without the prelude as well.
        line!(w, "use ::core::prelude::v1::*;");
        w.blank();
        line!(w, "use {} as rt;", scope.options.runtime_core);
        if let Some(first) = backends.first() {
            w.blank();
            line!(w, "pub use self::{}::{};", first.module, first.exports);
        }
        consts::emit(w, &inner, &interface.consts, &consts::names(&interface.consts));
        let package = scope.model.packages.get(scope.package.0 as usize).map_or("", |package| &package.name);
        service::service(w, interface, package, &stubs);
        service::methods(w, &inner, &stubs);
        for stub in &stubs {
            messages::emit(w, stub);
        }
        service::enums(w, &inner, &stubs);
        client::emit(w, &inner, &stubs);
        server::emit(w, &inner, &stubs);
        for backend in &backends {
            w.blank();
            (backend.emit)(w, &inner, interface);
        }
    });
}
