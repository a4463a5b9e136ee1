//! What `rpcgen layout` says that a connection takes is what it takes.

use std::fs;
use std::path::Path;

use golden::generated;
use rpcidl::{Input, MemoryLoader, compile, report};

/// What the report says of an interface of `idl/{file}.idl`.
fn reported(file: &str, interface: &str) -> u64 {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("idl")
        .join(file)
        .with_extension("idl");
    let text = fs::read(path).expect("a schema");
    let model = compile(&[Input::new(file, text)], &[], &MemoryLoader::new())
        .model
        .expect("a sound schema");
    let interface = model
        .interfaces
        .iter()
        .find(|found| found.name == interface);
    report::lane(interface.expect("an interface")).inproc_bytes()
}

macro_rules! equal {
    ($($file:ident $interface:literal $module:ident)*) => {
        [$((
            concat!(stringify!($file), ": ", $interface),
            reported(stringify!($file), $interface),
            generated::$file::$module::inproc::MEMORY_PER_CONNECTION as u64,
        )),*]
    };
}

#[test]
fn the_report_and_the_generated_constant_agree() {
    // One line, split, in place, one-way, events, a window of its own, messages of many lines.
    let cases = equal! {
        big "IBig" big
        directions "IDirections" directions
        empty_interface "IEmpty" empty
        events "ISensors" sensors
        events "IAlarm" alarm
        extends "IMiddle" middle
        in_place "IFilter" filter
        oneway "ISink" sink
        tuning "ITuned" tuned
        unions "IUnions" unions
    };
    for (name, reported, generated) in cases {
        assert!(generated > 0, "{name}");
        assert_eq!(reported, generated, "{name}");
    }
}
