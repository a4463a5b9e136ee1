//! The backends that stubs can be emitted for: one file each, and one line in [`emitter`].

mod inproc;
mod rdma;
mod shm;

use super::writer::{Writer, block, line};
use super::{Options, Scope};
use crate::diag::{Code, Diagnostic};
use crate::ir::{Backend, Interface, InterfaceId, Model, Type};

/// What is known of a backend.
#[derive(Debug)]
pub(super) struct Emitter {
    /// The backend.
    backend: Backend,
    /// The module in the interface's.
    pub(super) module: &'static str,
    /// The name of its crate.
    package: &'static str,
    /// The path of its crate, unless the options give another.
    runtime: &'static str,
    /// What the interface's module takes from the first backend.
    pub(super) exports: &'static str,
    /// True if it carries `buffer<…>`.
    carries_buffers: bool,
    /// Writes the module.
    pub(super) emit: fn(&mut Writer, &Scope<'_>, &Interface),
}

/// Each backend has one.
fn emitter(backend: Backend) -> &'static Emitter {
    match backend {
        Backend::Inproc => &inproc::EMITTER,
        Backend::Shm => &shm::EMITTER,
        Backend::Rdma => &rdma::EMITTER,
    }
}

/// The backends that an interface is emitted for: those asked for, else those that it names.
pub(super) fn of(options: &Options, interface: &Interface) -> Vec<&'static Emitter> {
    let wanted = if options.backends.is_empty() {
        &interface.backends
    } else {
        &options.backends
    };
    let mut emitters: Vec<&'static Emitter> = Vec::new();
    for emitter in wanted.iter().map(|&backend| emitter(backend)) {
        if emitters
            .iter()
            .all(|other| other.backend != emitter.backend)
        {
            emitters.push(emitter);
        }
    }
    emitters
}

/// What cargo calls the crate that all generated code needs.
pub(super) const CORE: &str = "runtime-core";

/// What cargo calls a backend's crate.
pub(super) fn crate_name(backend: Backend) -> &'static str {
    emitter(backend).package
}

/// True if an interface is emitted for a backend.
pub(super) fn is_wanted(options: &Options, interface: &Interface, backend: Backend) -> bool {
    of(options, interface)
        .iter()
        .any(|emitter| emitter.backend == backend)
}

/// The path of a backend's crate.
fn runtime<'a>(options: &'a Options, emitter: &'static Emitter) -> &'a str {
    options
        .runtimes
        .get(&emitter.backend)
        .map_or(emitter.runtime, String::as_str)
}

/// The module of a backend: the types over its transports, what a connection costs, and both ends at once.
struct Module<'a> {
    emitter: &'static Emitter,
    /// Where the ends are, for the documentation.
    place: &'a str,
    /// What the transports are generic over.
    generics: &'a str,
    /// What the documentation calls the memory of a connection.
    memory: &'a str,
    /// What the documentation says of `pair`, and how it fails.
    pair: [&'a str; 3],
    /// Writes how `ends`, a client's and a server's transport, are made.
    ends: fn(&mut Writer),
}

impl Module<'_> {
    fn emit(&self, w: &mut Writer, scope: &Scope<'_>, interface: &Interface) {
        let generics = self.generics;
        let [pair, impossible, refused] = self.pair;
        line!(w, "/// `{}` {}.", interface.name, self.place);
        block!(w, "pub mod {}", self.emitter.module => {
            line!(w, "use ::core::prelude::v1::*;");
            w.blank();
            line!(w, "use {} as rt;", scope.options.runtime_core);
            w.blank();
            self.import(w, scope);
            w.blank();
            line!(w, "/// A client whose calls carry `U` until they are answered.");
            w.assign(
                format_args!("pub type Client<U = ()> ="),
                &format_args!("super::ClientOver<backend::Client<{generics}>, U>"),
            );
            w.blank();
            line!(w, "/// A server.");
            w.assign(
                format_args!("pub type Server ="),
                &format_args!("super::ServerOver<backend::Server<{generics}>>"),
            );
            w.blank();
            line!(w, "/// Bytes of {} that one client takes, with the window of the definition.", self.memory);
            w.assign(
                format_args!("pub const MEMORY_PER_CONNECTION: usize ="),
                &format_args!("backend::memory_per_connection::<{generics}>()"),
            );
            w.blank();
            line!(w, "/// {pair}.");
            line!(w, "///");
            line!(w, "/// # Errors");
            line!(w, "/// {impossible}.");
            block!(w, "pub fn pair<U>() -> Result<(Client<U>, Server), rt::AttachError>" => {
                line!(w, "let client = <rt::ClientConfig as ::core::default::Default>::default();");
                line!(w, "let server = <rt::ServerConfig as ::core::default::Default>::default();");
                line!(w, "pair_with(&client, &server)");
            });
            w.blank();
            line!(w, "/// {pair}, with other settings.");
            line!(w, "///");
            line!(w, "/// # Errors");
            line!(w, "/// {refused}.");
            w.signature(
                format_args!("pub fn pair_with<U>"),
                |list| {
                    list.item("client: &rt::ClientConfig");
                    list.item("server: &rt::ServerConfig");
                },
                format_args!(" -> Result<(Client<U>, Server), rt::AttachError>"),
                " {",
            );
            (self.ends)(w);
            line!(w, "let client = Client::over(ends.0, client);");
            line!(w, "let server = Server::over(ends.1, server);");
            line!(w, "Ok((client, server))");
            w.close();
        });
    }

    /// The only place that names the backend's crate, so that rustc gives one error if it is missing, and shows the line
    /// with what it says.
    fn import(&self, w: &mut Writer, scope: &Scope<'_>) {
        let path = runtime(scope.options, self.emitter);
        if path == self.emitter.runtime {
            let package = self.emitter.package;
            line!(
                w,
                "use {path} as backend; // `{package}` must be among the dependencies in Cargo.toml"
            );
        } else {
            line!(w, "use {path} as backend;");
        }
    }
}

/// Checks that every interface can be emitted for its backends.
pub(super) fn check(model: &Model, options: &Options) -> Vec<Diagnostic> {
    let carriers: Vec<_> = Backend::ALL
        .into_iter()
        .filter(|&backend| emitter(backend).carries_buffers)
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

/// A warning if interfaces are emitted for no backend. There may be a thousand of them, so it is one for all.
pub(super) fn advise(model: &Model, options: &Options) -> Vec<Diagnostic> {
    let mut extended = vec![false; model.interfaces.len()];
    for InterfaceId(base) in model.interfaces.iter().filter_map(|other| other.base) {
        if let Some(extended) = extended.get_mut(base as usize) {
            *extended = true;
        }
    }
    let alone = model.interfaces.iter().zip(extended);
    let mut alone = alone.filter(|(interface, extended)| {
        !extended && model.package(interface.package).is_input && of(options, interface).is_empty()
    });
    let Some((first, _)) = alone.next() else {
        return Vec::new();
    };
    let others = match alone.count() {
        0 => " is".to_owned(),
        1 => " and another one are".to_owned(),
        number => format!(" and {number} others are"),
    };
    let message = format!("interface `{}`{others} compiled for no backend", first.name);
    vec![
        Diagnostic::warning(Code::W0801, first.span, message)
            .label("nothing connects its stubs")
            .help("write `@Backends({inproc})` before it, with `shm` or `rdma` as needed, or ask for a backend"),
    ]
}

fn holds_buffer(model: &Model, ty: &Type) -> bool {
    match model.strip(ty) {
        Type::Buffer(_) => true,
        Type::Def(id) => model.def(*id).resource,
        _ => false,
    }
}
