//! Output that cannot be written, and output that must not be lost.

use std::process::Stdio;

use crate::{Folder, KV, LONE, Run};

#[test]
fn an_error_in_the_second_file_leaves_the_output_of_the_first() {
    let folder = Folder::new();
    folder.write("lone.idl", LONE).write("kv.idl", KV);
    folder.run(&["lone.idl", "kv.idl", "-o", "gen/"]).exits(0);
    let before: Vec<String> = folder
        .list("gen")
        .iter()
        .map(|name| folder.read(&format!("gen/{name}")))
        .collect();
    folder
        .write("lone.idl", LONE.replace("i32 y", "i64 y"))
        .write("kv.idl", KV.replace("u8  level", "Levle level"));
    folder
        .run(&["lone.idl", "kv.idl", "-o", "gen/"])
        .exits(1)
        .says("E0201");
    assert_eq!(folder.list("gen"), ["acme_kv.rs", "acme_lone.rs", "mod.rs"]);
    let after: Vec<String> = folder
        .list("gen")
        .iter()
        .map(|name| folder.read(&format!("gen/{name}")))
        .collect();
    assert_eq!(before, after);
}

#[test]
fn one_file_that_cannot_be_written_leaves_the_others() {
    let folder = Folder::new();
    folder
        .write("lone.idl", LONE)
        .write("kv.idl", KV)
        .write("gen/acme_kv.rs", "old");
    std::fs::create_dir(folder.path("gen/acme_lone.rs")).unwrap();
    folder
        .run(&["lone.idl", "kv.idl", "-o", "gen/"])
        .exits(2)
        .says("`gen/acme_lone.rs`");
    assert_eq!(folder.read("gen/acme_kv.rs"), "old");
    assert_eq!(folder.list("gen"), ["acme_kv.rs", "acme_lone.rs"]);
}

#[test]
fn a_path_that_cannot_be_written_is_named() {
    let folder = Folder::new();
    folder.write("lone.idl", LONE).write("file", "");
    folder
        .run(&["lone.idl", "-o", "file/out.rs"])
        .exits(2)
        .says("cannot write `file/out.rs`: `file` is a file, not a folder\n")
        .says("help: check the path and its permissions");
    folder
        .run(&["lone.idl", "-o", "file/"])
        .exits(2)
        .says("cannot write `file/");
    assert_eq!(folder.list("."), ["file", "lone.idl"]);
}

#[test]
fn a_read_only_file_is_not_replaced() {
    let folder = Folder::new();
    folder.write("lone.idl", LONE).write("out.rs", "old");
    let path = folder.path("out.rs");
    let mut permissions = std::fs::metadata(&path).unwrap().permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(&path, permissions).unwrap();
    folder
        .run(&["lone.idl", "-o", "out.rs"])
        .exits(2)
        .says("cannot write `out.rs`")
        .says("read-only");
    assert_eq!(folder.read("out.rs"), "old");
    assert_eq!(folder.list("."), ["lone.idl", "out.rs"]);
}

#[cfg(unix)]
#[test]
fn a_folder_without_leave_to_write_is_told() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = Folder::new();
    folder.write("lone.idl", LONE).write("gen/out.rs", "old");
    let set = |mode| {
        std::fs::set_permissions(folder.path("gen"), std::fs::Permissions::from_mode(mode))
            .unwrap();
    };
    set(0o555);
    let probe = std::fs::write(folder.path("gen/probe"), "");
    let run = folder.run(&["lone.idl", "-o", "gen/out.rs"]);
    set(0o755);
    if probe.is_ok() {
        // Nothing is refused to the superuser.
        run.exits(0);
        return;
    }
    run.exits(2).says("cannot write `gen/out.rs`");
    assert_eq!(folder.read("gen/out.rs"), "old");
    assert_eq!(folder.list("gen"), ["out.rs"]);
}

/// The system stops the write in the middle, as a full disk would.
#[cfg(target_os = "linux")]
#[test]
fn a_write_that_stops_in_the_middle_leaves_the_old_file() {
    let folder = Folder::new();
    folder.write("kv.idl", KV);
    folder.run(&["kv.idl", "-o", "kv.rs"]).exits(0);
    let before = folder.read("kv.rs");
    assert!(before.len() > 4096);
    folder.write("kv.idl", KV.replace("u64 value", "i64 value"));
    let script = "trap '' XFSZ; ulimit -f 2; exec \"$0\" kv.idl -o kv.rs";
    let mut shell = std::process::Command::new("bash");
    shell
        .args(["-c", script, env!("CARGO_BIN_EXE_rpcgen")])
        .current_dir(folder.path(""));
    Run::of(shell.output().unwrap())
        .exits(2)
        .says("cannot write `kv.rs`");
    assert_eq!(folder.read("kv.rs"), before);
    assert_eq!(
        folder.list("."),
        ["kv.idl", "kv.rs"],
        "a temporary file is left behind"
    );
}

#[test]
fn an_input_is_not_overwritten() {
    let folder = Folder::new();
    folder.write("idl/lone.idl", LONE);
    folder
        .run(&["idl/lone.idl", "-o", "idl/../idl/lone.idl"])
        .exits(2)
        .says("would overwrite");
    assert_eq!(folder.read("idl/lone.idl"), LONE);
}

#[cfg(unix)]
#[test]
fn what_is_no_regular_file_is_written_to_and_stays() {
    use std::os::unix::fs::FileTypeExt as _;
    let folder = Folder::new();
    folder.write("lone.idl", LONE);
    folder
        .run(&["lone.idl", "-o", "/dev/null"])
        .exits(0)
        .silent();
    assert!(
        std::fs::metadata("/dev/null")
            .unwrap()
            .file_type()
            .is_char_device()
    );
    #[cfg(target_os = "linux")]
    folder
        .run(&["lone.idl", "-o", "/dev/full"])
        .exits(2)
        .says("cannot write `/dev/full`");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_standard_output_is_an_error() {
    let folder = Folder::new();
    folder.write("lone.idl", LONE);
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let output = folder.command(&["lone.idl"]).stdout(full).output().unwrap();
    Run::of(output)
        .exits(2)
        .says("cannot write to the standard output");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let folder = Folder::new();
    folder.write("kv.idl", KV);
    for args in [
        &["kv.idl"][..],
        &["explain", "--list"],
        &["layout", "kv.idl"],
        &["ast", "kv.idl"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = folder
            .command(args)
            .stdout(writer)
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        Run::of(output).exits(0).silent();
    }
}

#[test]
fn nobody_to_tell_an_error_to_is_no_panic() {
    let folder = Folder::new();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = folder
        .command(&["no-such-file.idl"])
        .stderr(writer)
        .output()
        .unwrap();
    Run::of(output).exits(2);
}
