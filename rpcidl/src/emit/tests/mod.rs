//! Tests of the whole emitter: what comes out for each construct, and that it is Rust as rustfmt writes it.

mod fragments;
mod output;
mod style;

use super::{Options, emit};
use crate::ir::Model;
use crate::load::{Input, MemoryLoader};

/// The model of some files, the first of which is the input.
pub(super) fn model(files: &[(&str, &str)]) -> Model {
    let mut loader = MemoryLoader::new();
    for (name, text) in files {
        loader.add(name, *text);
    }
    let (name, text) = files[0];
    let compiled = crate::compile(&[Input::new(name, text)], &[], &loader);
    match compiled.model {
        Some(model) => model,
        None => panic!("the definition has errors: {:?}", compiled.diagnostics),
    }
}

/// The output for a definition, without zerocopy's derives.
fn generated(definition: &str) -> String {
    let options = Options {
        zerocopy: false,
        ..Options::default()
    };
    let model = model(&[("test.idl", &format!("package test;\n{definition}"))]);
    emit(&model, &options).unwrap().to_single_file()
}

/// Checks that each text stands in the output; indentation and line ends count.
#[track_caller]
fn assert_has(output: &str, fragments: &[&str]) {
    for fragment in fragments {
        assert!(
            output.contains(fragment),
            "this is missing:\n{fragment}\nin:\n{output}"
        );
    }
}

/// Checks that none of the texts stands in the output.
#[track_caller]
fn assert_has_not(output: &str, fragments: &[&str]) {
    for fragment in fragments {
        assert!(
            !output.contains(fragment),
            "this should not be there:\n{fragment}\nin:\n{output}"
        );
    }
}
