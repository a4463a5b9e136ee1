//! `rpcgen fmt`.

use std::fs;
use std::time::{Duration, SystemTime};

use crate::{Folder, KV, LONE};

const MESSY: &str = "package acme.lone;\nstruct Point{i32 x; // across\n i32   y;}\n";

#[test]
fn formats_in_place_and_keeps_comments() {
    let folder = Folder::new();
    folder.write("messy.idl", MESSY);
    let run = folder.run(&["fmt", "messy.idl"]).exits(0).silent();
    assert_eq!(run.stdout, "");
    let once = folder.read("messy.idl");
    assert_ne!(once, MESSY);
    assert!(once.contains("// across"), "{once}");
    folder.run(&["fmt", "messy.idl"]).exits(0);
    assert_eq!(
        folder.read("messy.idl"),
        once,
        "formatting twice is not formatting once"
    );
    folder
        .run(&["fmt", "--check", "messy.idl"])
        .exits(0)
        .silent();
    assert_eq!(folder.list("."), ["messy.idl"]);
}

#[test]
fn line_ends_stay_as_they_are() {
    let folder = Folder::new();
    let windows = MESSY.replace('\n', "\r\n");
    folder
        .write("unix.idl", MESSY)
        .write("windows.idl", &windows);
    folder.run(&["fmt", "unix.idl", "windows.idl"]).exits(0);
    let unix = folder.read("unix.idl");
    assert!(!unix.contains('\r'), "{unix}");
    assert_eq!(folder.read("windows.idl"), unix.replace('\n', "\r\n"));
    folder
        .run(&["fmt", "--check", "windows.idl"])
        .exits(0)
        .silent();
}

#[test]
fn check_names_every_file_and_writes_nothing() {
    let folder = Folder::new();
    folder
        .write("messy.idl", MESSY)
        .write("lone.idl", LONE)
        .write("worse.idl", MESSY);
    let run = folder
        .run(&["fmt", "--check", "messy.idl", "lone.idl", "worse.idl"])
        .exits(1);
    let run = run
        .says("`messy.idl` is not formatted")
        .says("`worse.idl` is not formatted");
    assert!(!run.stderr.contains("lone.idl"), "{}", run.stderr);
    assert_eq!(folder.read("messy.idl"), MESSY);
}

#[test]
fn a_file_with_an_error_leaves_all_files_as_they_are() {
    let folder = Folder::new();
    folder
        .write("messy.idl", MESSY)
        .write("bad.idl", "package a;\nstruct S { u8 }\n");
    folder
        .run(&["fmt", "messy.idl", "bad.idl"])
        .exits(1)
        .says("bad.idl:2");
    assert_eq!(folder.read("messy.idl"), MESSY);
}

#[test]
fn what_only_does_not_compile_is_formatted() {
    let folder = Folder::new();
    folder.write(
        "messy.idl",
        "package a;\nimport not.here.X;\nstruct S{\nX x;}\n",
    );
    folder.run(&["fmt", "messy.idl"]).exits(0).silent();
    assert!(
        folder.read("messy.idl").contains("    X x;\n"),
        "{}",
        folder.read("messy.idl")
    );
}

#[test]
fn a_formatted_file_is_left_alone() {
    let folder = Folder::new();
    folder.write("lone.idl", LONE).write("kv.idl", KV);
    let path = folder.path("lone.idl");
    let old = SystemTime::now() - Duration::from_secs(1000);
    fs::File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_modified(old)
        .unwrap();
    let old = fs::metadata(&path).unwrap().modified().unwrap();
    folder.run(&["fmt", "lone.idl"]).exits(0);
    assert_eq!(folder.read("lone.idl"), LONE);
    assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), old);
}
