//! Backends: which are emitted, the crates that they need, and what is said if there is none.

use super::*;

#[test]
fn every_backend_can_be_asked_for() {
    let mut package = Package::new();
    package.write(
        "idl/echo.idl",
        "package acme.echo;\n\ninterface Echo {\n    u64 echo(in u64 value);\n}\n",
    );
    for backend in Backend::ALL {
        let config = package
            .config()
            .backend(backend)
            .runtime(backend, "::carrier");
        package.run(&config, &["idl/echo.idl"]).unwrap();
        let text = package.read("target/out/echo.rs");
        let module = format!("pub mod {} {{", crate::backend_name(backend));
        assert!(text.contains(&module), "{text}");
        assert!(text.contains("use ::carrier as backend;"), "{text}");
        assert!(!text.contains("::runtime_rdma"), "{text}");
    }
}

#[test]
fn a_crate_that_is_no_dependency_is_named() {
    let mut package = Package::new();
    let text = "package acme.echo;\n\n@Backends({inproc, shm})\ninterface Echo {\n    u64 echo(in u64 value);\n}\n";
    package.write("idl/echo.idl", text);
    let core = "[dependencies]\nruntime-core = { path = \"../rpcidl/runtime-core\" }\n";
    let inproc = "runtime-inproc = { path = \"../rpcidl/runtime-inproc\" }\n";
    package.write("Cargo.toml", format!("{core}{inproc}"));
    let manifest = package.path("Cargo.toml").into_os_string();
    // Without cargo nothing is known.
    let config = package.config();
    package.run(&config, &["idl/echo.idl"]).unwrap();

    package.env.insert("CARGO_MANIFEST_PATH", manifest);
    let error = package.run(&config, &["idl/echo.idl"]).unwrap_err();
    let text = error.to_string();
    for part in [
        "error[E0805]: backend `shm` needs the crate `runtime-shm`\n",
        "idl/echo.idl:4:11",
        "note: `Cargo.toml` does not name it",
        "help: write `runtime-shm = { path = \"../rpcidl/runtime-shm\" }` below `[dependencies]`",
        "\nFor more about it, try `rpcgen explain E0805`",
    ] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
    assert_eq!(text.matches("error[").count(), 1, "{text}");

    // What is asked for counts, somebody may know better, and what is written elsewhere may be for another package.
    for config in [
        package.config().backend(Backend::Inproc),
        package.config().runtime(Backend::Shm, "::runtime_shm"),
        package.config().out_dir(package.path("gen")),
        package.config().commit_to(package.path("gen")),
    ] {
        package.run(&config, &["idl/echo.idl"]).unwrap();
    }
    package.write("Cargo.toml", format!("{core}{inproc}runtime-shm = \"1\"\n"));
    package.run(&config, &["idl/echo.idl"]).unwrap();
    fs::remove_file(package.path("Cargo.toml")).unwrap();
    package.run(&config, &["idl/echo.idl"]).unwrap();
}

#[test]
fn stubs_that_nothing_connects_are_warned_about() {
    let mut package = Package::new();
    package.write(
        "idl/echo.idl",
        "package acme.echo;\n\ninterface Echo {\n    u64 echo(in u64 value);\n}\n",
    );
    let warnings = |package: &mut Package, config: &Config| {
        package.run(config, &["idl/echo.idl"]).unwrap();
        let mut lines = package.cargo_lines();
        lines.retain(|line| line.starts_with("cargo:warning="));
        lines
    };
    let config = package.config();
    let found = warnings(&mut package, &config);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(
        found[0].starts_with("cargo:warning=idl/echo.idl:3:11: warning[W0801]: interface `Echo` "),
        "{found:#?}"
    );
    for config in [
        package.config().backend(Backend::Inproc),
        package.config().expect_backends(false),
    ] {
        assert_eq!(warnings(&mut package, &config), [""; 0]);
    }
}
