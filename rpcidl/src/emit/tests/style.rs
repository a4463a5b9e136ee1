//! The output is Rust, and stays as it is when rustfmt gets hold of it.

use std::io::Write as _;
use std::process::{Command, Stdio};

use super::model;
use crate::emit::{Options, emit};

/// Names of all lengths, so that lines of all widths come out.
fn definition() -> String {
    let mut text =
        "//! Docs.\npackage a.style;\nerror Failed : u32 { BUSY = 1 }\nalias Key = string<62>;\n"
            .to_owned();
    for length in (1..30).step_by(2) {
        let long = "n".repeat(length);
        let large = "N".repeat(length);
        text.push_str(&format!(
            "enum T{long} : u8 {{ A{large} = 0, B{large} = 1, C{large} = 2, D{large} = 3, E{large} = 4 }}
             const string<200> C{large} = \"{}\";
             struct S{long} {{ T{long} a_{long} = T{long}.A{large}; vec<T{long}?, 3> b_{long}; @Deprecated(\"{}\") bool c; }}
             @Deprecated(\"x\") union U{long} : u16 {{ 0: void a_{long}; 1: bool b_{long}; 2: S{long} c_{long}; 3: u8 d_{long}; }}
             @Backends({{inproc, shm, rdma}}) {}
             interface I{long} {{
                 S{long} get_{long}(in Key key_{long}, in T{long} tier) throws Failed;
                 T{long}? find_{long}(in T{long} tier_{long});
                 void scan_{long}(in U{long} query, inout u64 cursor_{long}, out vec<S{long}, 4> page_{long}) throws Failed;
                 u8 count_{long}(inout u64 cursor_{long}, in bool flag_{long});
                 void blur_{long}(inout S{long} item_{long}, in u8 radius_{long}, in Key key, out bool done_{long});
                 @Idempotent @Deadline(ms = 5) void many_{long}(in u8 a, in u8 b, in u8 c, in u8 d, in u8 e, in u8 f, in u8 g);
                 oneway void touch_{long}(in Key key_{long});
                 event void gone_{long}(in Key key_{long}, in T{long} tier_{long});
             }}\n",
            "x".repeat(2 * length),
            "y".repeat(2 * length),
            if length % 4 == 1 { "@Shm(isolated)" } else { "" },
        ));
    }
    text
}

#[test]
fn rustfmt_changes_nothing() {
    let model = model(&[("style.idl", &definition())]);
    let options = Options::default();
    let output = emit(&model, &options).unwrap();
    for (name, text) in output
        .to_directory()
        .into_iter()
        .chain([("single.rs".to_owned(), output.to_single_file())])
    {
        let formatted = rustfmt(&text);
        let difference = text
            .lines()
            .zip(formatted.lines())
            .find(|(ours, theirs)| ours != theirs);
        assert_eq!(difference, None, "in {name}");
        assert_eq!(text, formatted, "in {name}");
    }
}

/// What rustfmt makes of a text.
fn rustfmt(text: &str) -> String {
    let command = Command::new("rustfmt")
        .args(["--edition", "2024"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut child) = command else {
        panic!("this test needs rustfmt: run `rustup component add rustfmt`");
    };
    let mut input = child.stdin.take().unwrap();
    let text = text.to_owned();
    let writing = std::thread::spawn(move || input.write_all(text.as_bytes()).unwrap());
    let output = child.wait_with_output().unwrap();
    writing.join().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_output_parses() {
    let model = model(&[("style.idl", &definition())]);
    let options = Options::default();
    let text = emit(&model, &options).unwrap().to_single_file();
    syn::parse_file(&text).unwrap();
}
