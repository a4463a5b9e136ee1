//! Which backends an interface may be emitted for.

use crate::diag::{Code, Diagnostic};
use crate::ir::{self, Backend, Model};
use crate::suggest;

/// The names of all backends.
pub(super) const NAMES: [&str; 3] = ["inproc", "shm", "rdma"];

/// The backend of that name.
///
/// # Errors
/// E0803 if there is none.
pub fn backend(name: &str) -> Result<Backend, Box<Diagnostic>> {
    match name {
        "inproc" => Ok(Backend::Inproc),
        "shm" => Ok(Backend::Shm),
        "rdma" => Ok(Backend::Rdma),
        _ => {
            let error = Diagnostic::global(Code::E0803, format!("unknown backend `{name}`"));
            Err(Box::new(match suggest::nearest(name, NAMES) {
                Some(near) => error.help(format!("write `{near}`")),
                None => error.help("the backends are `inproc`, `shm` and `rdma`"),
            }))
        }
    }
}

/// The name of a backend.
pub fn backend_name(backend: Backend) -> &'static str {
    match backend {
        Backend::Inproc => "inproc",
        Backend::Shm => "shm",
        Backend::Rdma => "rdma",
    }
}

/// Checks that every interface of the inputs can be emitted for the backends that are `wanted`, given those that
/// can carry a `buffer`.
pub fn backends(model: &Model, wanted: &[Backend], carry_buffers: &[Backend]) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for interface in &model.interfaces {
        if !model.package(interface.package).is_input {
            continue;
        }
        for &backend in wanted {
            let word = backend_name(backend);
            if !interface.backends.is_empty() && !interface.backends.contains(&backend) {
                found.push(
                    Diagnostic::error(
                        Code::E0802,
                        interface.span,
                        format!(
                            "interface `{}` does not allow backend `{word}`",
                            interface.name
                        ),
                    )
                    .help(format!(
                        "add `{word}` to its `@Backends`, or do not ask for it"
                    )),
                );
                continue;
            }
            if carry_buffers.contains(&backend) {
                continue;
            }
            let lender = interface.methods.iter().find(|method| {
                method
                    .params
                    .iter()
                    .any(|param| holds_buffer(model, &param.ty))
            });
            if let Some(method) = lender {
                found.push(
                    Diagnostic::error(
                        Code::E0801,
                        method.span,
                        format!(
                            "backend `{word}` cannot carry the `buffer` of `{}` yet",
                            method.name
                        ),
                    )
                    .help("leave the backend out with `@Backends`, or send the data as `bytes<N>`"),
                );
            }
        }
    }
    found
}

fn holds_buffer(model: &Model, ty: &ir::Type) -> bool {
    match model.strip(ty) {
        ir::Type::Buffer(_) => true,
        ir::Type::Def(id) => model.def(*id).resource,
        _ => false,
    }
}
