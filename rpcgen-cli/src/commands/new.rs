//! `rpcgen new`: a project that runs, to begin with.

mod checkout;
mod name;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use rpcidl::build::{Backend, FilePlan, write_all};

use crate::console::Console;
use crate::stop::Stop;
use checkout::Checkout;

/// Arguments of `rpcgen new`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The name of the project
    #[arg(value_name = "NAME")]
    name: String,
    /// The folder to create; NAME in the current one, if it is not given
    #[arg(long, value_name = "DIR")]
    path: Option<PathBuf>,
    /// What carries the calls: `inproc` between threads, `shm` between processes, `rdma` between nodes
    #[arg(
        long,
        value_name = "BACKEND",
        default_value = rpcidl::backend_name(Backend::Inproc),
        hide_possible_values = true,
        value_parser = PossibleValuesParser::new(Backend::ALL.map(rpcidl::backend_name))
            .try_map(|name| rpcidl::backend(&name).map_err(|error| error.message)),
    )]
    backend: Backend,
    /// A checkout of rpcidl to depend on
    #[arg(
        long,
        value_name = "DIR",
        long_help = "A checkout of rpcidl to depend on. If it is not given, one that holds the current folder, the new one \
                     or the running program is taken, or the one that it was built from; without any, the project depends on the published version"
    )]
    rpcidl_path: Option<PathBuf>,
}

/// Runs it.
pub(crate) fn run(args: &Arguments, console: &Console) -> Result<(), Stop> {
    name::check(&args.name)?;
    let folder = args
        .path
        .clone()
        .unwrap_or_else(|| PathBuf::from(&args.name));
    refuse_to_overwrite(&folder)?;
    let checkout = match &args.rpcidl_path {
        Some(path) => Some(Checkout::at(path)?),
        None => Checkout::around(&folder),
    };
    let package = name::package(&args.name);
    let backend = rpcidl::backend_name(args.backend);
    let (address, argument) = match args.backend {
        Backend::Inproc | Backend::Shm => ("address()", ""),
        Backend::Rdma => ("address()?", " 10.0.0.1:7700"),
    };
    let fill = |template: &str| {
        let parts = [
            ("{{service}}", SERVICE),
            ("{{calls}}", CALLS),
            ("{{name}}", &args.name),
            ("{{package}}", &package),
            ("{{backend}}", backend),
            ("{{address}}", address),
            ("{{argument}}", argument),
        ];
        let put = |text: String, (hole, part): (&str, &str)| text.replace(hole, part);
        parts.into_iter().fold(template.to_owned(), put)
    };
    let file = |path: &str, text: String| FilePlan {
        path: folder.join(path),
        text,
    };
    let manifest = manifest(
        &fill(MANIFEST),
        backend,
        // A library is named as Rust names modules.
        (args.backend != Backend::Inproc && package != args.name.replace('-', "_"))
            .then_some(&*package),
        checkout.as_ref(),
        &folder,
    );
    let mut files = vec![
        file("Cargo.toml", manifest),
        file(".gitignore", "/target\n".to_owned()),
        file("build.rs", fill(BUILD)),
        file(&format!("idl/{package}.idl"), fill(SCHEMA)),
    ];
    let library = match args.backend {
        Backend::Inproc => None,
        Backend::Shm => Some(SHM_LIBRARY),
        Backend::Rdma => Some(RDMA_LIBRARY),
    };
    match library {
        None => files.push(file("src/main.rs", fill(PROGRAM))),
        Some(library) => files.extend([
            file("src/lib.rs", fill(library)),
            file("src/bin/server.rs", fill(SERVER)),
            file("src/bin/client.rs", fill(CLIENT)),
        ]),
    }
    write_all(&files)?;
    let source = match &checkout {
        Some(_) => "",
        None => {
            "It depends on a published rpcidl, which there is not yet: `--rpcidl-path DIR` makes it use a checkout.\n"
        }
    };
    let shown = folder.display();
    let how = match library {
        None => format!("To run its service and its client:\n\n    cd {shown} && cargo run\n"),
        Some(_) => format!(
            "To run its service, and its client in another terminal:\n\n    \
             cd {shown} && cargo run --bin server{argument}\n    \
             cd {shown} && cargo run --bin client{argument}\n"
        ),
    };
    console.result(&format!("Created `{shown}`. {how}{source}"))
}

const MANIFEST: &str = include_str!("new/manifest.txt");
const BUILD: &str = include_str!("new/build.txt");
const SCHEMA: &str = include_str!("new/schema.txt");
const SERVICE: &str = include_str!("new/service.txt");
const CALLS: &str = include_str!("new/calls.txt");
/// Both sides in one program.
const PROGRAM: &str = include_str!("new/program.txt");
/// A program a side, and what they share.
const SERVER: &str = include_str!("new/server.txt");
const CLIENT: &str = include_str!("new/client.txt");
const SHM_LIBRARY: &str = include_str!("new/library_shm.txt");
const RDMA_LIBRARY: &str = include_str!("new/library_rdma.txt");

fn refuse_to_overwrite(folder: &Path) -> Result<(), Stop> {
    let shown = folder.display();
    match fs::read_dir(folder) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => Err(Stop::advised(
                format!("the folder `{shown}` is not empty"),
                "name another folder with `--path`, or remove what is in it",
            )),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Stop::trouble(format!("cannot write `{shown}`: {error}"))),
    }
}

/// The manifest with its dependencies, and apart from any workspace that it happens to lie in. `library` is the name of the
/// library, where it is not what cargo makes of the project's.
fn manifest(
    template: &str,
    backend: &str,
    library: Option<&str>,
    checkout: Option<&Checkout>,
    folder: &Path,
) -> String {
    let dependency = |name: &str, features: &str| {
        let place = match checkout {
            Some(checkout) => format!("path = {}", checkout.crate_path(name, folder)),
            None => format!("version = \"{}\"", env!("CARGO_PKG_VERSION")),
        };
        format!("{name} = {{ {place}{features} }}\n")
    };
    let mut text = template.to_owned();
    if let Some(library) = library {
        text.push_str(&format!("[lib]\nname = \"{library}\"\n\n"));
    }
    text.push_str("[dependencies]\n");
    text.push_str(&dependency("runtime-core", ""));
    text.push_str(&dependency(&format!("runtime-{backend}"), ""));
    text.push_str("\n[build-dependencies]\n");
    text.push_str(&dependency("rpcidl", ", features = [\"build\"]"));
    if checkout::is_inside_workspace(folder) {
        text.push_str("\n# Keeps the project apart from the workspace around it.\n[workspace]\n");
    }
    text
}
