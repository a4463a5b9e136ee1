//! What people are told who forgot a crate in their `Cargo.toml`, by each way to generated code: one error that names it.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::new::checkout;
use crate::{Folder, Run};

const SCHEMA: &str = "package demo.clock;\n\n\
    @Backends({inproc, shm})\ninterface Clock {\n    u64 now();\n    void set(in u64 now);\n}\n";

/// A project with the crates of generated code but `runtime-shm`, and one of the compiler's.
fn project(folder: &Folder, extra: &str) {
    let checkout = checkout();
    let place = |name: &str| format!("{{ path = {:?} }}", checkout.join(name));
    let manifest = format!(
        "[package]\nname = \"demo\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[dependencies]\n\
         runtime-core = {}\nruntime-inproc = {}\n{extra}\n[workspace]\n",
        place("runtime-core"),
        place("runtime-inproc"),
    );
    folder
        .write("Cargo.toml", manifest)
        .write("idl/clock.idl", SCHEMA);
    fs::copy(checkout.join("Cargo.lock"), folder.path("Cargo.lock")).unwrap();
}

/// What `cargo check` says about it, which is one error.
fn errors(folder: &Folder) -> String {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("new");
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["check", "--offline", "--quiet", "--color", "never"])
        .current_dir(folder.path(""))
        .env("CARGO_TARGET_DIR", target)
        .env_remove("RUSTFLAGS")
        .env_remove("OUT_DIR");
    let stderr = Run::of(cargo.output().unwrap()).exits(101).stderr;
    let count = stderr
        .lines()
        .filter(|line| line.starts_with("error") && !line.starts_with("error: could not compile"))
        .count();
    assert_eq!(count, 1, "{stderr}");
    assert!(!stderr.contains("warning"), "{stderr}");
    stderr
}

fn expect(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part} in\n{text}");
    }
}

/// What the compiler says, and cargo and rustc say as well.
fn help() -> String {
    let path = checkout().join("runtime-shm");
    format!("write `runtime-shm = {{ path = {path:?} }}` below `[dependencies]`")
}

#[test]
fn rustc_shows_the_one_line_that_names_a_missing_crate() {
    let folder = Folder::new();
    project(&folder, "");
    folder
        .run(&["idl/clock.idl", "-o", "src/lib.rs"])
        .exits(0)
        .silent();
    expect(
        &errors(&folder),
        &[
            "unresolved import `runtime_shm`",
            "use ::runtime_shm as backend; // `runtime-shm` must be among the dependencies in Cargo.toml",
        ],
    );
}

#[test]
fn a_build_script_names_a_missing_crate() {
    let folder = Folder::new();
    let compiler = format!(
        "\n[build-dependencies]\nrpcidl = {{ path = {:?}, features = [\"build\"] }}\n",
        checkout().join("rpcidl")
    );
    project(&folder, &compiler);
    folder
        .write(
            "build.rs",
            "fn main() -> Result<(), rpcidl::build::Error> {\n    rpcidl::build::compile(&[\"idl/clock.idl\"])\n}\n",
        )
        .write(
            "src/lib.rs",
            "include!(concat!(env!(\"OUT_DIR\"), \"/clock.rs\"));\n",
        );
    let text = errors(&folder);
    expect(
        &text,
        &[
            // At the beginning of a line, and not inside of another error's text.
            "\n  error[E0805]: backend `shm` needs the crate `runtime-shm`",
            "idl/clock.idl:4:11",
            &help(),
            "For more about it, try `rpcgen explain E0805`",
        ],
    );
}

#[test]
fn macros_name_a_missing_crate() {
    let folder = Folder::new();
    let macros = format!(
        "rpcidl-macros = {{ path = {:?} }}\n",
        checkout().join("rpcidl-macros")
    );
    project(&folder, &macros);
    folder.write(
        "src/lib.rs",
        "rpcidl_macros::include_idl!(\"idl/clock.idl\");\n",
    );
    let include = [
        "error[E0805]: backend `shm` needs the crate `runtime-shm`",
        "idl/clock.idl:4:11",
        &help(),
        "src/lib.rs:1:29",
        "For more about it, try `rpcgen explain E0805`",
    ];
    expect(&errors(&folder), &include);

    folder.write(
        "src/lib.rs",
        "#[rpcidl_macros::rpc_service(backend = [\"shm\", \"inproc\"])]\npub trait Clock {\n    \
         fn now(&mut self) -> u64;\n}\n",
    );
    expect(
        &errors(&folder),
        &[
            "E0805: backend `shm` needs the crate `runtime-shm`",
            &help(),
            "src/lib.rs:2:11",
        ],
    );
}
