//! `rpcgen new`: a project that runs, to begin with.

mod checkout;
mod name;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use rpcidl::build::{FilePlan, write_all};

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
    /// A checkout of rpcidl to depend on
    #[arg(
        long,
        value_name = "DIR",
        long_help = "A checkout of rpcidl to depend on. If it is not given, one that holds the current folder, the new one \
                     or the running program is taken; without any, the project depends on the published version"
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
    let fill = |template: &str| {
        let text = template
            .replace("{{name}}", &args.name)
            .replace("{{package}}", &package);
        text.replace("{{version}}", env!("CARGO_PKG_VERSION"))
    };
    let file = |path: &str, text: String| FilePlan {
        path: folder.join(path),
        text,
    };
    let files = [
        file(
            "Cargo.toml",
            manifest(&fill(MANIFEST), checkout.as_ref(), &folder),
        ),
        file(".gitignore", "/target\n".to_owned()),
        file("build.rs", fill(BUILD)),
        file(&format!("idl/{package}.idl"), fill(SCHEMA)),
        file("src/main.rs", fill(PROGRAM)),
    ];
    write_all(&files)?;
    let source = match &checkout {
        Some(_) => "",
        None => {
            "It depends on a published rpcidl, which there is not yet: `--rpcidl-path DIR` makes it use a checkout.\n"
        }
    };
    let shown = folder.display();
    console.result(&format!("Created `{shown}`. To run its service and its client:\n\n    cd {shown} && cargo run\n{source}"))
}

const MANIFEST: &str = include_str!("new/manifest.txt");
const BUILD: &str = include_str!("new/build.txt");
const SCHEMA: &str = include_str!("new/schema.txt");
const PROGRAM: &str = include_str!("new/program.txt");

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

/// The manifest with its dependencies, and apart from any workspace that it happens to lie in.
fn manifest(template: &str, checkout: Option<&Checkout>, folder: &Path) -> String {
    let dependency = |name: &str, features: &str| {
        let place = match checkout {
            Some(checkout) => format!("path = {}", checkout.crate_path(name, folder)),
            None => format!("version = \"{}\"", env!("CARGO_PKG_VERSION")),
        };
        format!("{name} = {{ {place}{features} }}\n")
    };
    let mut text = template.to_owned();
    text.push_str("[dependencies]\n");
    text.push_str(&dependency("runtime-core", ""));
    text.push_str(&dependency("runtime-inproc", ""));
    text.push_str("\n[build-dependencies]\n");
    text.push_str(&dependency("rpcidl", ", features = [\"build\"]"));
    if checkout::is_inside_workspace(folder) {
        text.push_str("\n# Keeps the project apart from the workspace around it.\n[workspace]\n");
    }
    text
}
