//! The build API over temporary folders, an environment of its own, and captured lines for cargo.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

use super::*;

mod backends;

const KV: &str = "package acme.kv;\n\nimport acme.common.Uuid;\n\nstruct Record {\n    Uuid id;\n    u64  value;\n}\n";
const COMMON: &str = "package acme.common;\n\nstruct Uuid {\n    u64 high;\n    u64 low;\n}\n";
const LONE: &str = "package acme.lone;\n\nstruct Point {\n    i32 x;\n    i32 y;\n}\n";

/// A package with schemas, and the environment that cargo would give its build script.
struct Package {
    root: TempDir,
    env: BTreeMap<&'static str, OsString>,
    cargo: Vec<u8>,
}

impl Package {
    fn new() -> Self {
        let root = TempDir::new().unwrap();
        let env = BTreeMap::from([
            ("OUT_DIR", root.path().join("target/out").into_os_string()),
            ("CARGO_MANIFEST_DIR", root.path().as_os_str().to_owned()),
        ]);
        let package = Self {
            root,
            env,
            cargo: Vec::new(),
        };
        package.write("idl/acme/kv.idl", KV);
        package.write("shared/acme/common.idl", COMMON);
        package.write("idl/lone.idl", LONE);
        package
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }

    fn config(&self) -> Config {
        Config::new().include(self.path("shared"))
    }

    fn run(&mut self, config: &Config, inputs: &[&str]) -> Result<(), Error> {
        let inputs: Vec<PathBuf> = inputs.iter().map(|input| self.path(input)).collect();
        let inputs: Vec<&Path> = inputs.iter().map(PathBuf::as_path).collect();
        self.cargo.clear();
        config.run(
            &inputs,
            &|name| self.env.get(name).cloned(),
            &mut self.cargo,
        )
    }

    /// The lines for cargo, with paths as seen from the package.
    fn cargo_lines(&self) -> Vec<String> {
        let root = format!("{}/", self.root.path().display());
        String::from_utf8(self.cargo.clone())
            .unwrap()
            .replace(&root, "")
            .lines()
            .map(str::to_owned)
            .collect()
    }

    /// Every file, as seen from the package.
    fn files(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(folder)).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

fn age(path: &Path) -> SystemTime {
    let old = SystemTime::now() - Duration::from_secs(1000);
    fs::File::options()
        .write(true)
        .open(path)
        .unwrap()
        .set_modified(old)
        .unwrap();
    fs::metadata(path).unwrap().modified().unwrap()
}

#[test]
fn one_input_gives_one_file_of_its_name_in_out_dir() {
    let mut package = Package::new();
    let config = package.config();
    package.run(&config, &["idl/acme/kv.idl"]).unwrap();
    assert_eq!(package.files("target/out"), ["kv.rs"]);
    let text = package.read("target/out/kv.rs");
    assert!(text.contains("pub struct Record"), "{text}");
    assert!(text.contains("pub mod acme_common"), "{text}");
    assert!(
        !text.contains(&*package.root.path().to_string_lossy()),
        "a path of this machine is in the output"
    );
}

#[test]
fn several_inputs_give_one_file_a_package() {
    let mut package = Package::new();
    let config = package.config();
    package
        .run(&config, &["idl/acme/kv.idl", "idl/lone.idl"])
        .unwrap();
    assert_eq!(
        package.files("target/out"),
        ["acme_common.rs", "acme_kv.rs", "acme_lone.rs", "mod.rs"]
    );
}

#[test]
fn cargo_watches_the_whole_import_closure_and_nothing_that_is_generated() {
    let mut package = Package::new();
    let config = package.config();
    package.run(&config, &["idl/acme/kv.idl"]).unwrap();
    let lines = package.cargo_lines();
    assert!(
        lines.contains(&"cargo:rerun-if-changed=idl/acme/kv.idl".to_owned()),
        "{lines:#?}"
    );
    assert!(
        lines.contains(&"cargo:rerun-if-changed=shared/acme/common.idl".to_owned()),
        "{lines:#?}"
    );
    // `idl/acme/common.idl` could appear, so the folder is watched.
    assert!(
        lines.contains(&"cargo:rerun-if-changed=idl/acme".to_owned()),
        "{lines:#?}"
    );
    assert!(
        lines.iter().all(|line| !line.contains("target")),
        "{lines:#?}"
    );
    assert!(
        lines
            .iter()
            .all(|line| line.starts_with("cargo:rerun-if-changed=")),
        "{lines:#?}"
    );
}

#[test]
fn cargo_is_not_told_to_watch_the_package_itself() {
    let mut package = Package::new();
    package.write("kv.idl", KV);
    let config = package.config();
    package.run(&config, &["kv.idl"]).unwrap();
    let root = package.root.path().display().to_string();
    let text = String::from_utf8(package.cargo.clone()).unwrap();
    assert!(text.contains("kv.idl"), "{text}");
    assert!(
        text.lines()
            .all(|line| !line.trim_end_matches('/').ends_with(&root)),
        "{text}"
    );
}

#[test]
fn cargo_is_not_told_to_watch_a_folder_with_generated_files() {
    let mut package = Package::new();
    let config = package
        .config()
        .commit_to(package.path("idl/acme/generated"));
    package.run(&config, &["idl/acme/kv.idl"]).unwrap();
    let lines = package.cargo_lines();
    assert!(
        !lines.contains(&"cargo:rerun-if-changed=idl/acme".to_owned()),
        "{lines:#?}"
    );
    assert!(
        lines.contains(&"cargo:rerun-if-env-changed=RPCIDL_CHECK".to_owned()),
        "{lines:#?}"
    );
    assert!(
        lines.contains(&"cargo:rerun-if-env-changed=CI".to_owned()),
        "{lines:#?}"
    );
}

#[test]
fn the_lines_for_cargo_can_be_left_out() {
    let mut package = Package::new();
    let config = package.config().emit_rerun(false);
    package.run(&config, &["idl/acme/kv.idl"]).unwrap();
    assert_eq!(package.cargo_lines(), [""; 0]);
}

#[test]
fn warnings_reach_cargo() {
    let mut package = Package::new();
    package.write(
        "idl/warned.idl",
        "package acme.warned;\n\nimport acme.common.Uuid;\n\nstruct A {\n    u8 a;\n}\n",
    );
    let config = package.config();
    package.run(&config, &["idl/warned.idl"]).unwrap();
    let lines = package.cargo_lines();
    let warnings: Vec<_> = lines
        .iter()
        .filter(|line| line.starts_with("cargo:warning="))
        .collect();
    assert_eq!(warnings.len(), 1, "{lines:#?}");
    assert!(
        warnings[0].contains("idl/warned.idl:3:") && warnings[0].contains("W0201"),
        "{warnings:#?}"
    );
}

#[test]
fn a_file_is_rewritten_only_when_it_changes() {
    let mut package = Package::new();
    let config = package.config();
    package.run(&config, &["idl/lone.idl"]).unwrap();
    let path = package.path("target/out/lone.rs");
    let old = age(&path);
    package.run(&config, &["idl/lone.idl"]).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), old);

    package.write("idl/lone.idl", LONE.replace("i32 y", "i64 y"));
    package.run(&config, &["idl/lone.idl"]).unwrap();
    assert!(fs::metadata(&path).unwrap().modified().unwrap() > old);
    assert_eq!(
        package.files("target/out"),
        ["lone.rs"],
        "a temporary file is left behind"
    );
}

#[test]
fn an_error_leaves_the_old_output_and_is_shown_in_full() {
    let mut package = Package::new();
    let config = package.config();
    package.run(&config, &["idl/lone.idl"]).unwrap();
    let before = package.read("target/out/lone.rs");
    package.write("idl/lone.idl", LONE.replace("i32 y", "Missing y"));
    let error = package.run(&config, &["idl/lone.idl"]).unwrap_err();
    assert_eq!(package.read("target/out/lone.rs"), before);
    assert!(error.to_string().contains("E0201"), "{error}");
    assert!(error.to_string().contains("lone.idl:5"), "{error}");
    // `unwrap` and `main` print this form, where line breaks must not come out as `\n`.
    let debug = format!("{error:?}");
    assert!(
        debug.lines().count() > 2 && !debug.contains("\\n"),
        "{debug}"
    );
}

#[test]
fn every_input_that_cannot_be_read_is_named() {
    let mut package = Package::new();
    let config = package.config();
    let error = package
        .run(&config, &["idl/none.idl", "idl/lone.idl", "idl/acme"])
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("none.idl") && error.contains("there is no such file"),
        "{error}"
    );
    assert!(error.contains("idl/acme`: it is a folder"), "{error}");
    assert!(!error.contains("lone.idl"), "{error}");
    assert!(!package.path("target").exists());
}

#[test]
fn an_include_folder_that_is_missing_is_named() {
    let mut package = Package::new();
    let config = Config::new().include(package.path("no-such-folder"));
    let error = package
        .run(&config, &["idl/lone.idl"])
        .unwrap_err()
        .to_string();
    assert!(error.contains("no-such-folder"), "{error}");
    let config = Config::new().include(package.path("idl/lone.idl"));
    let error = package
        .run(&config, &["idl/lone.idl"])
        .unwrap_err()
        .to_string();
    assert!(error.contains("it is no folder"), "{error}");
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let mut package = Package::new();
    package.env.remove("OUT_DIR");
    let mut refused =
        |config: &Config, inputs: &[&str]| package.run(config, inputs).unwrap_err().to_string();
    let error = refused(&Config::new(), &["idl/lone.idl"]);
    assert!(
        error.contains("`OUT_DIR` is not set") && error.contains("Config::out_dir"),
        "{error}"
    );
    let error = refused(
        &Config::new().out_dir("a").commit_to("b"),
        &["idl/lone.idl"],
    );
    assert!(error.contains("`out_dir` and `commit_to`"), "{error}");
    let error = refused(&Config::new().out_dir("a"), &[]);
    assert!(error.contains("no input"), "{error}");
    let error = refused(
        &Config::new().out_dir("a").runtime_core("a b"),
        &["idl/lone.idl"],
    );
    assert!(error.contains("`a b`"), "{error}");
    let error = refused(
        &Config::new().out_dir("a").extern_package("acme.common", ""),
        &["idl/lone.idl"],
    );
    assert!(error.contains("no path of Rust"), "{error}");
    let error = refused(
        &Config::new()
            .out_dir("a")
            .extern_package("acme.common", "super::common"),
        &["idl/lone.idl"],
    );
    assert!(error.contains("begin it with `crate::`"), "{error}");
    let error = refused(
        &Config::new()
            .out_dir("a")
            .extern_package("acme.comon", "crate::common"),
        &["idl/acme/kv.idl"],
    );
    assert!(error.contains("`acme.common` is"), "{error}");
}

#[test]
fn the_output_can_go_elsewhere() {
    let mut package = Package::new();
    package.env.remove("OUT_DIR");
    let config = package.config().out_dir(package.path("elsewhere/deep"));
    package.run(&config, &["idl/lone.idl"]).unwrap();
    assert_eq!(package.files("elsewhere/deep"), ["lone.rs"]);
}

#[test]
fn the_settings_reach_the_output() {
    let mut package = Package::new();
    let config = package
        .config()
        .extern_package("acme.common", "crate::shared")
        .runtime_core("::my_core")
        .zerocopy(false);
    package.run(&config, &["idl/acme/kv.idl"]).unwrap();
    let text = package.read("target/out/kv.rs");
    assert!(
        text.contains("crate::shared::Uuid") && !text.contains("pub mod acme_common"),
        "{text}"
    );
    assert!(
        text.contains("::my_core::") && !text.contains("::runtime_core"),
        "{text}"
    );
    assert!(!text.contains("FromBytes"), "{text}");
}

#[test]
fn committed_files_are_written_or_compared() {
    let mut package = Package::new();
    let config = package.config().commit_to(package.path("src/generated"));
    let stale = |package: &mut Package| {
        package
            .run(&config, &["idl/lone.idl"])
            .unwrap_err()
            .to_string()
    };

    package.env.insert("RPCIDL_CHECK", "1".into());
    let error = stale(&mut package);
    assert!(
        error.contains("src/generated/lone.rs` is missing"),
        "{error}"
    );
    assert!(
        !package.path("src").exists(),
        "a comparison wrote something"
    );

    package.env.remove("RPCIDL_CHECK");
    package.run(&config, &["idl/lone.idl"]).unwrap();
    package.env.insert("CI", "true".into());
    package.run(&config, &["idl/lone.idl"]).unwrap();

    let good = package.read("src/generated/lone.rs");
    package.write("src/generated/lone.rs", format!("{good}// by hand\n"));
    let error = stale(&mut package);
    assert!(error.contains("src/generated/lone.rs` is stale"), "{error}");
    assert!(
        package
            .read("src/generated/lone.rs")
            .ends_with("// by hand\n"),
        "a comparison wrote something"
    );

    package.write("src/generated/lone.rs", good.replace('\n', "\r\n"));
    let error = stale(&mut package);
    assert!(error.contains("line endings"), "{error}");

    package.env.insert("RPCIDL_CHECK", "0".into());
    package.run(&config, &["idl/lone.idl"]).unwrap();
    assert_eq!(package.read("src/generated/lone.rs"), good);
}

#[test]
fn out_dir_is_written_in_continuous_integration_too() {
    let mut package = Package::new();
    package.env.insert("CI", "true".into());
    let config = package.config();
    package.run(&config, &["idl/lone.idl"]).unwrap();
    assert_eq!(package.files("target/out"), ["lone.rs"]);
}

#[test]
fn a_file_that_cannot_be_written_is_named_and_changes_nothing() {
    let package = Package::new();
    package.write("out/good.rs", "old");
    package.write("out/file", "");
    let files = [
        FilePlan {
            path: package.path("out/good.rs"),
            text: "new".to_owned(),
        },
        FilePlan {
            path: package.path("out/file/bad.rs"),
            text: "new".to_owned(),
        },
    ];
    let error = write_all(&files).unwrap_err();
    assert_eq!(error.path, package.path("out/file/bad.rs"));
    assert!(error.to_string().contains("out/file/bad.rs"), "{error}");
    assert_eq!(package.read("out/good.rs"), "old");
    assert_eq!(package.files("out"), ["file", "good.rs"]);
}

#[test]
fn a_read_only_file_and_a_folder_are_not_replaced() {
    let package = Package::new();
    package.write("out/kept.rs", "old");
    let path = package.path("out/kept.rs");
    let mut permissions = fs::metadata(&path).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(&path, permissions).unwrap();
    let error = write_all(&[FilePlan {
        path,
        text: "new".to_owned(),
    }])
    .unwrap_err();
    assert!(error.to_string().contains("read-only"), "{error}");
    assert_eq!(package.read("out/kept.rs"), "old");

    let error = write_all(&[FilePlan {
        path: package.path("out"),
        text: String::new(),
    }])
    .unwrap_err();
    assert!(error.to_string().contains("folder"), "{error}");
}

#[cfg(unix)]
#[test]
fn a_link_is_followed_and_stays_a_link() {
    let package = Package::new();
    package.write("real/lone.rs", "old");
    std::os::unix::fs::symlink(package.path("real/lone.rs"), package.path("link.rs")).unwrap();
    write_all(&[FilePlan {
        path: package.path("link.rs"),
        text: "new".to_owned(),
    }])
    .unwrap();
    assert_eq!(package.read("real/lone.rs"), "new");
    assert!(
        fs::symlink_metadata(package.path("link.rs"))
            .unwrap()
            .is_symlink()
    );
    assert_eq!(package.files("real"), ["lone.rs"]);
}

#[cfg(unix)]
#[test]
fn a_file_keeps_its_permissions() {
    use std::os::unix::fs::PermissionsExt as _;
    let package = Package::new();
    package.write("out.rs", "old");
    fs::set_permissions(package.path("out.rs"), fs::Permissions::from_mode(0o640)).unwrap();
    write_all(&[FilePlan {
        path: package.path("out.rs"),
        text: "new".to_owned(),
    }])
    .unwrap();
    assert_eq!(
        fs::metadata(package.path("out.rs"))
            .unwrap()
            .permissions()
            .mode()
            & 0o777,
        0o640
    );
}

#[test]
fn paths_of_rust_are_told_from_other_text() {
    for good in [
        "::runtime_core",
        "crate::a::b",
        "crate",
        "r#type::y",
        "naïve::ü",
    ] {
        assert_eq!(rust_path(good).as_deref(), Ok(good));
    }
    for bad in [
        "",
        "::",
        "a b",
        "a::",
        "a:b",
        "1a",
        "a; fn f() {}",
        "a::{b}",
        "::::a",
        "self::x",
        "super::x",
        "crate::super::x",
        "::crate::x",
    ] {
        assert!(rust_path(bad).is_err(), "{bad}");
    }
}
