//! Which names a project may have.

use crate::stop::Stop;

/// Names that cargo or rustc keep for themselves, or that the project depends on.
const TAKEN: &[&str] = &[
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "build",
    "const",
    "continue",
    "core",
    "crate",
    "deps",
    "do",
    "dyn",
    "else",
    "enum",
    "examples",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "incremental",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "priv",
    "proc_macro",
    "pub",
    "ref",
    "return",
    "rpcidl",
    "runtime_core",
    "runtime_inproc",
    "runtime_rdma",
    "runtime_shm",
    "self",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "unsafe",
    "unsized",
    "use",
    "virtual",
    "where",
    "while",
    "yield",
];

/// Refuses names that cargo would refuse, before anything is written.
pub(super) fn check(name: &str) -> Result<(), Stop> {
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic());
    let goes_on_well = name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if !starts_well || !goes_on_well {
        return Err(Stop::advised(
            format!("`{name}` is no name for a project"),
            "begin with a letter, and use only ASCII letters, digits, `-` and `_`",
        ));
    }
    if TAKEN.contains(&package(name).as_str()) {
        return Err(Stop::advised(
            format!("the name `{name}` is taken by Rust or rpcidl"),
            "choose another one",
        ));
    }
    Ok(())
}

/// The package of the schema, which is also the name of its file.
pub(super) fn package(name: &str) -> String {
    name.to_ascii_lowercase().replace('-', "_")
}
