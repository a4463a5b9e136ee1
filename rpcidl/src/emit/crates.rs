//! The crates that generated code names, beside what the user's `Cargo.toml` says.
//!
//! Without the check rustc finds that a crate is missing, wherever generated code names it, and cannot say why it is
//! wanted. A manifest is only searched for the name of the crate and not understood: a dependency may be renamed, come from
//! the workspace, or be one of a target, of tests or of a feature. Whatever mentions the crate is taken for a dependency.

use super::Options;
use super::backend::{self, CORE};
use crate::diag::{Code, Diagnostic};
use crate::ir::{Backend, Model};

/// An error for every crate that is needed and that the manifest, if there is one, never mentions.
pub(super) fn check(model: &Model, options: &Options) -> Vec<Diagnostic> {
    let Some(manifest) = &options.manifest else {
        return Vec::new();
    };
    let mut found = Vec::new();
    // Who gives a path knows better.
    if options.runtime_core == Options::default().runtime_core && !mentions(manifest, CORE) {
        let message = format!("generated code needs the crate `{CORE}`");
        found.push(missing(
            Diagnostic::global(Code::E0805, message),
            manifest,
            CORE,
        ));
    }
    for backend in Backend::ALL {
        let name = backend::crate_name(backend);
        if options.runtimes.contains_key(&backend) || mentions(manifest, name) {
            continue;
        }
        let interface = model.interfaces.iter().find(|interface| {
            model.package(interface.package).is_input
                && backend::is_wanted(options, interface, backend)
        });
        if let Some(interface) = interface {
            let word = crate::backend_name(backend);
            let message = format!("backend `{word}` needs the crate `{name}`");
            let error = Diagnostic::error(Code::E0805, interface.span, message)
                .label(format!("compiled for `{word}`"));
            found.push(missing(error, manifest, name));
        }
    }
    found
}

fn missing(error: Diagnostic, manifest: &str, name: &str) -> Diagnostic {
    error.note("`Cargo.toml` does not name it").help(format!(
        "write `{}` below `[dependencies]`",
        dependency(manifest, name)
    ))
}

/// True if a line that is no comment holds the name, as cargo or as rustc writes it.
fn mentions(manifest: &str, name: &str) -> bool {
    let in_rust = name.replace('-', "_");
    lines(manifest).any(|line| line.contains(name) || line.contains(&in_rust))
}

fn lines(manifest: &str) -> impl Iterator<Item = &str> {
    manifest
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with('#'))
}

/// The line that adds a crate, from where another one of ours comes.
fn dependency(manifest: &str, name: &str) -> String {
    let ours = [CORE, "rpcidl-macros", "rpcidl"];
    let line = ours.iter().find_map(|other| {
        let value = |line: &'_ str| Some(line.strip_prefix(other)?.trim_start().to_owned());
        let value = lines(manifest)
            .filter_map(value)
            .find(|value| value.starts_with(['=', '.']))?;
        if value.contains("workspace") {
            return Some(format!("{name}.workspace = true"));
        }
        let path = quoted(&value, "path")?;
        let folder = path
            .trim_end_matches('/')
            .strip_suffix(other)
            .filter(|folder| folder.is_empty() || folder.ends_with('/'))?;
        Some(format!("{name} = {{ path = \"{folder}{name}\" }}"))
    });
    line.unwrap_or_else(|| format!("{name} = \"{}\"", env!("CARGO_PKG_VERSION")))
}

/// The text of `key = "text"`.
fn quoted<'a>(value: &'a str, key: &str) -> Option<&'a str> {
    let (_, after) = value.split_once(key)?;
    let text = after
        .trim_start()
        .strip_prefix('=')?
        .trim_start()
        .strip_prefix('"')?;
    text.split('"').next()
}

#[cfg(test)]
mod tests {
    use super::{dependency, mentions};

    #[test]
    fn whatever_mentions_a_crate_is_taken_for_a_dependency() {
        for manifest in [
            "[dependencies]\nruntime-shm = \"0.1\"\n",
            "[dependencies]\nruntime-shm.workspace = true\n",
            "[dependencies.runtime-shm]\npath = \"x\"\n",
            "[target.'cfg(unix)'.dependencies]\nruntime-shm = \"0.1\"\n",
            "[dev-dependencies]\n  runtime-shm = \"0.1\"\n",
            "[dependencies]\nruntime_shm = { package = \"other\", path = \"x\" }\n",
            "[dependencies]\nother = { path = \"x\", package = \"runtime-shm\" }\n",
            "[package]\nname = \"runtime-shm\"\n",
        ] {
            assert!(mentions(manifest, "runtime-shm"), "{manifest}");
        }
        for manifest in [
            "",
            "[dependencies]\nruntime-core = \"0.1\"\n",
            "[dependencies]\n  # runtime-shm = \"0.1\"\n",
        ] {
            assert!(!mentions(manifest, "runtime-shm"), "{manifest}");
        }
    }

    #[test]
    fn the_line_to_write_is_like_that_of_another_crate() {
        for (manifest, line) in [
            (
                "runtime-core = { path = \"../rpcidl/runtime-core\" }",
                "runtime-shm = { path = \"../rpcidl/runtime-shm\" }",
            ),
            (
                "runtime-core={path=\"runtime-core/\", features = []}",
                "runtime-shm = { path = \"runtime-shm\" }",
            ),
            (
                "runtime-core.workspace = true",
                "runtime-shm.workspace = true",
            ),
            (
                "runtime-core = { workspace = true }",
                "runtime-shm.workspace = true",
            ),
            (
                "rpcidl = { path = \"/src/rpcidl/rpcidl\", features = [\"build\"] }",
                "runtime-shm = { path = \"/src/rpcidl/runtime-shm\" }",
            ),
            (
                "rpcidl-macros = { path = \"a/rpcidl-macros\" }\nrpcidl = \"1\"",
                "runtime-shm = { path = \"a/runtime-shm\" }",
            ),
            (
                "runtime-core = { path = \"vendor/core\" }",
                concat!("runtime-shm = \"", env!("CARGO_PKG_VERSION"), "\""),
            ),
            (
                "[dependencies]\n",
                concat!("runtime-shm = \"", env!("CARGO_PKG_VERSION"), "\""),
            ),
        ] {
            assert_eq!(dependency(manifest, "runtime-shm"), line, "{manifest}");
        }
    }
}
