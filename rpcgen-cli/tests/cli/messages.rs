//! The forms of findings.

use serde_json::Value;

use crate::{Folder, LONE};

const BAD: &str = "package acme.bad;\n\nstruct S {\n    Missing a;\n    string  b;\n}\n";

#[test]
fn human_shows_the_text_and_counts() {
    let folder = Folder::new();
    folder
        .write("bad.idl", BAD)
        .write("other.idl", "package acme.other;\n\nconst u8 A = 256;\n");
    let run = folder.run(&["check", "bad.idl"]).exits(1);
    let run = run
        .says("error[E0201]")
        .says("bad.idl:4:")
        .says("Missing a;")
        .says("error: 2 errors in bad.idl\n");
    assert!(
        run.stderr.ends_with("try `rpcgen explain E0201`\n"),
        "{}",
        run.stderr
    );
    assert!(
        !run.stderr.contains('\x1b'),
        "there is no terminal, so there is no colour: {}",
        run.stderr
    );
    folder
        .run(&["check", "bad.idl", "other.idl"])
        .exits(1)
        .says("error: 3 errors in 2 files\n");
}

#[test]
fn warnings_are_told_and_do_not_fail() {
    let folder = Folder::new();
    folder.write("lone.idl", LONE);
    folder.write(
        "warned.idl",
        "package acme.warned;\n\nimport acme.lone.Point;\n\nstruct A {\n    u8 a;\n}\n",
    );
    let run = folder.run(&["check", "warned.idl", "lone.idl"]).exits(0);
    run.says("warning[W0201]")
        .says("warning: 1 warning in warned.idl\n");
    let run = folder
        .run(&["warned.idl", "-o", "out/", "-I", "."])
        .exits(0)
        .says("W0201");
    assert_eq!(run.stdout, "");
    assert!(folder.path("out/acme_warned.rs").exists());
}

#[test]
fn short_is_one_line_each() {
    let folder = Folder::new();
    folder.write("bad.idl", BAD);
    let run = folder
        .run(&["check", "bad.idl", "--message-format", "short"])
        .exits(1);
    let lines: Vec<&str> = run.stderr.lines().collect();
    assert_eq!(lines.len(), 2, "{lines:#?}");
    assert!(
        lines[0].starts_with("bad.idl:4:5: error[E0201]: "),
        "{lines:#?}"
    );
    assert!(
        lines[1].starts_with("bad.idl:5:5: error[E0301]: "),
        "{lines:#?}"
    );
}

#[test]
fn json_is_one_object_a_line() {
    let folder = Folder::new();
    folder.write("bad.idl", BAD);
    let run = folder
        .run(&["check", "bad.idl", "--message-format", "json"])
        .exits(1);
    let objects: Vec<Value> = run
        .stderr
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(objects.len(), 2, "{objects:#?}");
    assert_eq!(objects[0]["code"], "E0201");
    assert_eq!(objects[0]["severity"], "error");
    let run = folder
        .run(&["check", "none.idl", "--message-format", "json"])
        .exits(2);
    let object: Value = serde_json::from_str(run.stderr.trim_end()).unwrap();
    assert_eq!(object["code"], "E0001");
    let run = folder
        .run(&["explain", "E9", "--message-format", "json"])
        .exits(2);
    let object: Value = serde_json::from_str(run.stderr.trim_end()).unwrap();
    assert_eq!(
        (&object["code"], &object["severity"]),
        (&Value::Null, &"error".into())
    );
}

#[test]
fn colour_can_be_asked_for() {
    let folder = Folder::new();
    folder.write("bad.idl", BAD);
    folder
        .run(&["check", "bad.idl", "--color", "always"])
        .exits(1)
        .says("\x1b[");
    folder
        .run(&["explain", "E9", "--color", "always"])
        .exits(2)
        .says("\x1b[");
    let mut command = folder.command(&["check", "bad.idl", "--color", "never"]);
    let output = command.env("CLICOLOR_FORCE", "1").output().unwrap();
    assert!(!output.stderr.contains(&0x1b));
}

#[test]
fn nobody_is_shown_thousands() {
    let folder = Folder::new();
    let structs = (0..1500).map(|n| format!("struct S{n} {{\n    Missing x;\n}}\n"));
    folder.write(
        "bad.idl",
        format!("package a;\n{}", structs.collect::<String>()),
    );
    let run = folder.run(&["check", "bad.idl"]).exits(1);
    run.says("error[E0013]: more than 1000 errors\n")
        .says("error: more than 1000 errors in bad.idl\n");
    let run = folder
        .run(&["check", "bad.idl", "--message-format", "short"])
        .exits(1);
    assert_eq!(run.stderr.lines().count(), 1001);
    let run = folder
        .run(&["check", "bad.idl", "--message-format", "json"])
        .exits(1);
    assert_eq!(run.stderr.lines().count(), 1001);
}
