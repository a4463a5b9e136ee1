//! `rpcgen idl`: a Rust file as a schema.

use crate::{Folder, LONE};

const RUST: &str = "\
/// Why a call failed.
#[rpc_message(error)]
#[repr(u32)]
pub enum KvError {
    NotFound = 1,
}

#[rpc_message]
pub struct Record {
    pub key: Str<30>,
    pub value: u64,
}

#[rpc_service(backend = \"inproc\", package = \"acme.kv@1.2\")]
pub trait KvStore {
    /// Reads one record.
    fn get(&mut self, key: u64) -> Result<Record, KvError>;
}

fn unrelated() {}
";

#[test]
fn prints_a_schema_that_compiles() {
    let folder = Folder::new();
    folder.write("src/kv.rs", RUST);
    let run = folder.run(&["idl", "src/kv.rs"]).exits(0).silent();
    for part in [
        "package acme.kv@1.2;",
        "struct Record",
        "/// Reads one record.",
        "throws KvError",
    ] {
        assert!(
            run.stdout.contains(part),
            "{part} is not in\n{}",
            run.stdout
        );
    }
    assert_eq!(
        folder
            .run(&["idl", "--from-rust", "src/kv.rs"])
            .exits(0)
            .stdout,
        run.stdout
    );
    assert_eq!(folder.feed(&["idl", "-"], RUST).exits(0).stdout, run.stdout);
    folder.feed(&["check", "-"], &run.stdout).exits(0).silent();
    folder
        .feed(&["fmt", "--check", "-"], &run.stdout)
        .exits(0)
        .silent();
}

#[test]
fn findings_point_into_the_rust_text() {
    let folder = Folder::new();
    folder.write("kv.rs", RUST.replace("value: u64", "value: String"));
    folder.run(&["idl", "kv.rs"]).exits(1).says("kv.rs:11:");
    folder
        .write("broken.rs", "fn (")
        .run(&["idl", "broken.rs"])
        .exits(1)
        .says("broken.rs:1:");
    folder
        .write("plain.rs", "fn main() {}\n")
        .run(&["idl", "plain.rs"])
        .exits(1)
        .says("`plain.rs`");
    folder
        .write("lone.idl", LONE)
        .run(&["idl", "lone.idl"])
        .exits(1);
}

#[test]
fn what_cannot_be_read_is_told() {
    let folder = Folder::new();
    folder.run(&["idl", "none.rs"]).exits(2).says("`none.rs`");
    folder.run(&["idl"]).exits(2).says("FILE");
    folder
        .write("bad.rs", b"\xff")
        .run(&["idl", "bad.rs"])
        .exits(1)
        .says("E0002");
}
