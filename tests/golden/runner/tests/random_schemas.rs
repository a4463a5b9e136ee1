//! Random schemas: the compiler's layout is that of the rules, and formatting and parsing lose nothing.

use std::thread;

use golden_runner::random::{Choices, Kind, Parts, Schema, Ty};
use golden_runner::schema::large;
use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, any};
use proptest::test_runner::{RngAlgorithm, TestCaseError, TestRng, TestRunner};
use proptest::{prop_assert, prop_assert_eq};
use rpcidl::emit::{Options, emit};
use rpcidl::ir::{Backend, FieldKind, Struct, TypeDefKind};
use rpcidl::source::SourceMap;
use rpcidl::{Compilation, Input, MemoryLoader, compile, fmt, parse};

/// The same cases each time, so that a failure is found again.
fn check(cases: u32, test: impl Fn(Schema, &mut Choices) -> Result<(), TestCaseError>) {
    let config = ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let mut runner =
        TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let result = runner.run(&vec(any::<u32>(), 0..400), |numbers| {
        let mut choices = Choices::new(numbers);
        let schema = Schema::random(&mut choices);
        test(schema, &mut choices)
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

fn compiled(text: &str) -> Compilation {
    compile(&[Input::new("random.idl", text)], &[], &MemoryLoader::new())
}

fn codes(compilation: &Compilation) -> Vec<String> {
    compilation
        .diagnostics
        .iter()
        .map(|found| format!("{}: {}", found.code, found.message))
        .collect()
}

/// Compares the compiler's fields with those of the rules.
fn same(found: &Struct, expected: &Parts<'_>, schema: &Schema) -> Result<(), TestCaseError> {
    prop_assert_eq!(found.fields.len(), expected.parts.len(), "{}", schema);
    if !expected.parts.is_empty() {
        prop_assert_eq!(
            (found.size, found.align),
            (expected.laid.size, expected.laid.align),
            "{}",
            schema
        );
    }
    for (field, part) in found.fields.iter().zip(&expected.parts) {
        prop_assert_eq!(
            (field.offset, field.size),
            (part.offset, part.size),
            "{} in\n{}",
            field.name,
            schema
        );
        let kinds = matches!(
            (&field.kind, part.ty),
            (FieldKind::Value { .. }, Ok(_))
                | (FieldKind::Pad, Err(false))
                | (FieldKind::Reserved, Err(true))
        );
        prop_assert!(kinds, "{} in\n{}", field.name, schema);
    }
    Ok(())
}

#[test]
fn the_layout_is_that_of_the_rules() {
    check(400, |schema, _| {
        let compilation = compiled(&schema.to_string());
        let Some(model) = &compilation.model else {
            return Err(TestCaseError::fail(format!(
                "{:?}\n{schema}",
                codes(&compilation)
            )));
        };
        for (index, decl) in schema.decls.iter().enumerate() {
            let name = format!("T{index}");
            let laid = schema.laid(&Ty::Named(index));
            let Some(def) = model.types.iter().find(|def| def.name == name) else {
                prop_assert!(matches!(decl.kind, Kind::Alias(_)));
                continue;
            };
            prop_assert_eq!(
                (def.size, def.align),
                (laid.size, laid.align),
                "{} in\n{}",
                name,
                schema
            );
            match (&def.kind, &decl.kind) {
                (TypeDefKind::Struct(found), Kind::Struct(fields)) => {
                    same(
                        found,
                        &schema.parts(
                            fields
                                .iter()
                                .map(|field| field.ty.as_ref().map_err(|bytes| *bytes)),
                        ),
                        &schema,
                    )?;
                }
                (TypeDefKind::Union(found), Kind::Union(tag, closed, arms)) => {
                    prop_assert_eq!(found.closed, *closed);
                    if found.storage_size != 0 {
                        prop_assert_eq!(
                            found.storage_offset,
                            schema.storage(tag, arms),
                            "{}",
                            schema
                        );
                    }
                    prop_assert_eq!(
                        found.storage_offset + found.storage_size,
                        laid.size,
                        "{}",
                        schema
                    );
                }
                (TypeDefKind::Enum(found), Kind::Enum(it) | Kind::Flags(it)) => {
                    prop_assert_eq!(
                        (found.closed, found.members.len()),
                        (it.closed, it.members.len())
                    );
                }
                _ => {
                    return Err(TestCaseError::fail(format!(
                        "{name} is of another kind in\n{schema}"
                    )));
                }
            }
        }
        for (found, method) in model.interfaces[0].methods.iter().zip(&schema.methods) {
            same(&found.request, &schema.request(method), &schema)?;
            same(&found.response, &schema.response(method), &schema)?;
        }
        Ok(())
    });
}

#[test]
fn formatting_keeps_the_meaning_and_is_idempotent() {
    check(200, |schema, choices| {
        // The same text with other blanks and comments.
        let text = schema.to_string();
        let mut loose = String::new();
        for word in text.split(' ') {
            loose += word;
            loose += choices.of(&[" ", " ", " ", "  ", "\n", "\t", " /* c */ ", " // c\n"]);
        }
        for text in [text, loose] {
            let Some(before) = compiled(&text).model else {
                return Err(TestCaseError::fail(format!(
                    "{:?}\n{text}",
                    codes(&compiled(&text))
                )));
            };
            let formatted = format(&text);
            prop_assert_eq!(
                &format(&formatted),
                &formatted,
                "formatting again changes something:\n{}",
                text
            );
            let Some(after) = compiled(&formatted).model else {
                return Err(TestCaseError::fail(format!(
                    "{:?}\n{formatted}",
                    codes(&compiled(&formatted))
                )));
            };
            prop_assert_eq!(
                &before.interfaces[0].abi_text,
                &after.interfaces[0].abi_text,
                "{}",
                text
            );
            prop_assert_eq!(
                text.matches("// c").count(),
                formatted.matches("// c").count(),
                "a comment is lost:\n{}",
                text
            );
            prop_assert_eq!(
                text.matches("/* c */").count(),
                formatted.matches("/* c */").count(),
                "a comment is lost:\n{}",
                text
            );
            prop_assert_eq!(print(&before), print(&after));
        }
        Ok(())
    });
}

fn format(text: &str) -> String {
    let mut sources = SourceMap::default();
    let id = sources.add("random.idl", text);
    let (file, found) = parse::parse(id, text);
    assert!(found.is_empty(), "{found:?}\n{text}");
    fmt::format(&file, text)
}

fn print(model: &rpcidl::ir::Model) -> String {
    let options = Options {
        backends: vec![Backend::Inproc],
        ..Options::default()
    };
    emit(model, &options)
        .expect("nothing here needs another backend")
        .to_single_file()
}

#[test]
fn mutated_schemas_never_panic() {
    const WORDS: &[&str] = &[
        "struct",
        "union",
        "interface",
        "in",
        "out",
        "oneway",
        "event",
        "throws",
        "{",
        "}",
        "<",
        ">",
        "(",
        ")",
        "[",
        "]",
        ";",
        ",",
        ":",
        "=",
        "?",
        "@",
        "@Deadline(us = 5)",
        "reserved",
        "..",
        "0",
        "1",
        "-1",
        "65536",
        "0xFFFF_FFFF_FFFF_FFFF",
        "\"",
        "/*",
        "*/",
        "//",
        "///",
        "//!",
        "é",
        "\u{0}",
        "T0",
        "T1",
        "f0",
        "closed",
        "enum",
        "flags",
        "error",
        "const",
        "alias",
        "package",
        "import",
        "extends",
        "buffer<read>",
        "void",
        "T0?",
        "T0[3]",
        "1 << 200",
        "5 / 0",
        "~",
        "!",
        "&&",
        "\r\n",
        "\t",
    ];
    check(600, |schema, choices| {
        let mut text = schema.to_string();
        for _ in 0..1 + choices.below(6) {
            let places: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
            let at = places[choices.below(places.len() as u32) as usize];
            match choices.below(4) {
                0 => text.insert_str(at, choices.of(WORDS)),
                1 => drop(text.remove(at)),
                2 => {
                    let end = places
                        .iter()
                        .copied()
                        .find(|&end| end > at + 12)
                        .unwrap_or(text.len());
                    text.replace_range(at..end, choices.of(WORDS));
                }
                _ => {
                    let end = places
                        .iter()
                        .copied()
                        .find(|&end| end > at + 30)
                        .unwrap_or(text.len());
                    let part = text[at..end].to_owned();
                    text.insert_str(at, &part);
                }
            }
            if text.is_empty() {
                text.push(' ');
            }
        }
        let compilation = compiled(&text);
        prop_assert!(
            compilation.model.is_some() || !compilation.diagnostics.is_empty(),
            "refused without a word:\n{}",
            text
        );
        for found in &compilation.diagnostics {
            rpcidl::diag::render::human(
                found,
                &compilation.sources,
                rpcidl::diag::render::Style::Plain,
            );
        }
        if let Some(model) = &compilation.model {
            drop(emit(model, &Options::default()).map(|output| output.to_single_file()));
        }
        Ok(())
    });
}

#[test]
fn the_output_is_the_same_each_time() {
    let text = large(60, 10);
    let once = print(&compiled(&text).model.expect("a sound schema"));
    // The number of threads that a run has for itself differs while others run beside it.
    let others: Vec<_> = (0..3)
        .map(|_| {
            let text = text.clone();
            thread::spawn(move || print(&compiled(&text).model.expect("a sound schema")))
        })
        .collect();
    for other in others {
        assert!(other.join().expect("no panic") == once, "two runs differ");
    }
}
