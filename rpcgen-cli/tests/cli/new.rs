//! `rpcgen new`: the project is built and run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Folder, Run};

/// The checkout that this test belongs to.
pub(crate) fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

/// Where projects are built.
fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("new")
}

/// Cargo in a project that `rpcgen new` made, without the net.
fn cargo(project: &Path, arguments: &[&str]) -> Command {
    // The same versions as in this workspace, so that nothing has to be fetched.
    let _ = fs::copy(checkout().join("Cargo.lock"), project.join("Cargo.lock"));
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(arguments).arg("--offline").current_dir(project);
    cargo.env("CARGO_TARGET_DIR", target());
    cargo.env_remove("RUSTFLAGS").env_remove("OUT_DIR");
    cargo
}

/// Builds and runs a project.
pub(crate) fn run_project(project: &Path, extra: &str) -> Run {
    Run::of(cargo(project, &["run", extra]).output().unwrap()).exits(0)
}

/// Every Rust file of a project is as `cargo fmt` leaves it.
fn is_formatted(project: &Path) {
    let mut format = Command::new(env!("CARGO"));
    let format = format.args(["fmt", "--check"]).current_dir(project);
    let output = format.output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
}

#[test]
fn the_project_runs() {
    let folder = Folder::new();
    let checkout = checkout();
    let run = folder
        .run(&[
            "new",
            "my-store",
            "--rpcidl-path",
            checkout.to_str().unwrap(),
        ])
        .exits(0)
        .silent();
    assert!(
        run.stdout.contains("cd my-store && cargo run"),
        "{}",
        run.stdout
    );
    let project = folder.path("my-store");
    is_formatted(&project);
    let cargo = |extra: &str| run_project(&project, extra);
    let run = cargo("--quiet");
    assert_eq!(run.stderr, "", "a new project builds without a warning");
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert_eq!(lines[..2], ["Hello, world! (1)", "Hello, my-store! (2)"]);
    assert!(lines[2].starts_with("nobody is greeted: "), "{lines:#?}");

    // Nothing has changed, so the build script does not run again; then it must.
    let again = cargo("--verbose");
    let dirty = again
        .stderr
        .lines()
        .find(|line| line.contains("Dirty my-store") && line.contains("the file"));
    assert_eq!(dirty, None);
    let schema = folder.read("my-store/idl/my_store.idl");
    folder.write(
        "my-store/idl/my_store.idl",
        format!("{schema}\nconst u8 MORE = 1;\n"),
    );
    cargo("--verbose")
        .says("Dirty my-store")
        .says("my_store.idl");
}

/// The programs of the two sides are called alike in each project, so one test builds them all.
#[cfg(target_os = "linux")]
#[test]
fn a_project_of_two_processes_runs() {
    use std::io::{BufRead as _, BufReader};
    use std::process::Stdio;

    let folder = Folder::new();
    let checkout = checkout();
    let new = |name: &str, backend: &str| {
        let path = checkout.to_str().unwrap();
        let run = folder.run(&["new", name, "--backend", backend, "--rpcidl-path", path]);
        let run = run.exits(0).silent();
        let project = folder.path(name);
        is_formatted(&project);
        let build = cargo(&project, &["build", "--quiet"]).output().unwrap();
        let stderr = Run::of(build).exits(0).stderr;
        assert_eq!(stderr, "", "a new project builds without a warning");
        run.stdout
    };

    let told = new("Far-Store", "rdma");
    assert!(
        told.contains("cd Far-Store && cargo run --bin server 10.0.0.1:7700\n")
            && told.contains("cd Far-Store && cargo run --bin client 10.0.0.1:7700\n"),
        "{told}"
    );
    let without = Command::new(target().join("debug/client"))
        .output()
        .unwrap();
    Run::of(without)
        .exits(1)
        .says("the argument is the address of the server");

    let told = new("near-store", "shm");
    assert!(
        told.contains("cd near-store && cargo run --bin server\n")
            && told.contains("cd near-store && cargo run --bin client\n"),
        "{told}"
    );
    // Others may run this test now.
    let name = format!("rpcgen-new-{}", std::process::id());
    let client = || {
        let mut client = Command::new(target().join("debug/client"));
        Run::of(client.arg(&name).output().unwrap())
    };
    client().exits(1).says(&format!("nobody serves `{name}`"));
    let mut server = Command::new(target().join("debug/server"));
    let mut server = server.arg(&name).stdout(Stdio::piped()).spawn().unwrap();
    let mut ready = String::new();
    let mut output = BufReader::new(server.stdout.take().unwrap());
    output.read_line(&mut ready).unwrap();
    let runs = [client(), client()];
    server.kill().unwrap();
    server.wait().unwrap();
    assert!(ready.starts_with(&format!("serving `{name}`")), "{ready}");
    for (index, run) in runs.into_iter().enumerate() {
        let run = run.exits(0).silent();
        let lines: Vec<&str> = run.stdout.lines().collect();
        let count = 2 * index;
        let first = format!("Hello, world! ({})", count + 1);
        let second = format!("Hello, near-store! ({})", count + 2);
        assert_eq!(lines[..2], [first, second]);
        assert!(lines[2].starts_with("nobody is greeted: "), "{lines:#?}");
    }
}

#[test]
fn the_schema_is_formatted_and_fine() {
    let folder = Folder::new();
    folder
        .run(&["new", "Demo", "--path", "some/where"])
        .exits(0)
        .silent();
    assert_eq!(
        folder.list("some/where"),
        [".gitignore", "Cargo.toml", "build.rs", "idl", "src"]
    );
    folder
        .run(&["check", "some/where/idl/demo.idl"])
        .exits(0)
        .silent();
    folder
        .run(&["fmt", "--check", "some/where/idl/demo.idl"])
        .exits(0)
        .silent();
    assert!(
        folder
            .read("some/where/Cargo.toml")
            .contains("name = \"Demo\"")
    );
}

#[test]
fn it_finds_the_checkout_that_it_is_run_in() {
    let folder = Folder::new();
    for name in ["rpcidl", "runtime-core", "runtime-inproc"] {
        folder.write(&format!("{name}/Cargo.toml"), "");
    }
    folder.write("Cargo.toml", "[workspace]\n");
    folder
        .run(&["new", "demo", "--path", "apps/demo"])
        .exits(0)
        .silent();
    let manifest = folder.read("apps/demo/Cargo.toml");
    assert!(
        manifest.contains("rpcidl = { path = \"../../rpcidl\", features = [\"build\"] }"),
        "{manifest}"
    );
    assert!(
        manifest.contains("runtime-inproc = { path = \"../../runtime-inproc\" }"),
        "{manifest}"
    );
    assert!(manifest.contains("\n[workspace]\n"), "{manifest}");
}

#[test]
fn what_is_there_is_kept() {
    let folder = Folder::new();
    folder.write("demo/notes.txt", "mine");
    folder
        .run(&["new", "demo"])
        .exits(2)
        .says("`demo` is not empty");
    assert_eq!(folder.list("demo"), ["notes.txt"]);
    folder
        .run(&["new", "demo", "--path", "demo/notes.txt"])
        .exits(2)
        .says("`demo/notes.txt`");
    fs::create_dir(folder.path("empty")).unwrap();
    folder.run(&["new", "demo", "--path", "empty"]).exits(0);
}

#[test]
fn names_that_cargo_would_refuse_are_refused() {
    let folder = Folder::new();
    for name in [
        "1st",
        "a b",
        "",
        "../up",
        "ä",
        "fn",
        "test",
        "runtime-core",
        "runtime-shm",
        "_x",
    ] {
        folder.run(&["new", name]).exits(2);
    }
    folder.run(&["new"]).exits(2).says("NAME");
    folder
        .run(&["new", "demo", "--backend", "smh"])
        .exits(2)
        .says("[possible values: inproc, shm, rdma]");
    folder
        .run(&["new", "demo", "--rpcidl-path", "."])
        .exits(2)
        .says("no checkout of rpcidl");
    folder
        .run(&["new", "demo", "--rpcidl-path", "none"])
        .exits(2)
        .says("`none`");
    assert_eq!(folder.list("."), [""; 0]);
}
