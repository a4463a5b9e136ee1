//! The backends that stubs can be emitted for: one file each, and one line in [`TABLE`].

mod inproc;

use super::writer::Writer;
use super::{Options, Scope};
use crate::diag::{Code, Diagnostic};
use crate::ir::{Backend, Interface, Model, Type};

/// What is known of a backend.
#[derive(Debug)]
pub(super) struct Emitter {
    /// The backend.
    backend: Backend,
    /// The module in the interface's.
    pub(super) module: &'static str,
    /// The path of its crate, unless the options give another.
    runtime: &'static str,
    /// What the interface's module takes from the first backend.
    pub(super) exports: &'static str,
    /// True if it carries `buffer<…>`.
    carries_buffers: bool,
    /// Writes the module.
    pub(super) emit: fn(&mut Writer, &Scope<'_>, &Interface),
}

/// The backends that are available.
static TABLE: &[Emitter] = &[inproc::EMITTER];

/// True if stubs can be emitted for a backend.
pub fn available(backend: Backend) -> bool {
    emitter(backend).is_some()
}

fn emitter(backend: Backend) -> Option<&'static Emitter> {
    TABLE.iter().find(|emitter| emitter.backend == backend)
}

/// The backends that an interface is emitted for: those asked for, else those that it names, as far as there are any.
pub(super) fn of(options: &Options, interface: &Interface) -> Vec<&'static Emitter> {
    let wanted = if options.backends.is_empty() {
        &interface.backends
    } else {
        &options.backends
    };
    let mut emitters: Vec<&'static Emitter> = Vec::new();
    for emitter in wanted.iter().filter_map(|&backend| emitter(backend)) {
        if emitters
            .iter()
            .all(|other| other.backend != emitter.backend)
        {
            emitters.push(emitter);
        }
    }
    emitters
}

/// The path of a backend's crate.
fn runtime<'a>(options: &'a Options, emitter: &'static Emitter) -> &'a str {
    options
        .runtimes
        .get(&emitter.backend)
        .map_or(emitter.runtime, String::as_str)
}

/// Checks that every interface can be emitted for its backends.
pub(super) fn check(model: &Model, options: &Options) -> Vec<Diagnostic> {
    let carriers: Vec<_> = TABLE
        .iter()
        .filter(|emitter| emitter.carries_buffers)
        .map(|it| it.backend)
        .collect();
    if !options.backends.is_empty() {
        return crate::backends(model, &options.backends, &carriers);
    }
    let mut found = Vec::new();
    for interface in &model.interfaces {
        if !model
            .packages
            .get(interface.package.0 as usize)
            .is_some_and(|package| package.is_input)
        {
            continue;
        }
        for emitter in of(options, interface)
            .into_iter()
            .filter(|emitter| !emitter.carries_buffers)
        {
            let mut params = interface.methods.iter().flat_map(|method| &method.params);
            if let Some(param) = params.find(|param| holds_buffer(model, &param.ty)) {
                let message = format!(
                    "backend `{}` cannot carry the `buffer` of `{}` yet",
                    emitter.module, param.name
                );
                let error = Diagnostic::error(Code::E0801, param.span, message);
                found.push(
                    error.help(
                        "leave the backend out of `@Backends`, or send the data as `bytes<N>`",
                    ),
                );
            }
        }
    }
    found
}

fn holds_buffer(model: &Model, ty: &Type) -> bool {
    match model.strip(ty) {
        Type::Buffer(_) => true,
        Type::Def(id) => model.def(*id).resource,
        _ => false,
    }
}
