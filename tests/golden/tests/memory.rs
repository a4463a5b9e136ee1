//! What `rpcgen layout` says that a connection takes is what it takes.

use std::fs;
use std::path::Path;

use golden::generated;
use rpcidl::{Input, MemoryLoader, compile, report};

/// The slots that the report gives an interface of `idl/{file}.idl`.
fn reported(file: &str, interface: &str) -> report::Lane {
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
    report::lane(interface.expect("an interface"))
}

macro_rules! equal {
    ($backend:ident $bytes:ident: $($file:ident $interface:literal $module:ident)*) => {
        [$((
            concat!(stringify!($file), ": ", $interface, " over ", stringify!($backend)),
            reported(stringify!($file), $interface).$bytes(),
            generated::$file::$module::$backend::MEMORY_PER_CONNECTION as u64,
        )),*]
    };
}

#[test]
fn the_report_and_the_generated_constant_agree() {
    // One line, split, in place, one-way, events, a window of its own, messages of many lines.
    let lanes = equal! { inproc inproc_bytes:
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
        several_backends "ITuned" tuned
    };
    // In one segment and in three, with and without response areas and events.
    let memory = equal! { shm shm_bytes:
        shm "ICamera" camera
        shm "IShutter" shutter
        shm "INothing" nothing
        shm_isolated "ICamera" camera
        shm_isolated "IShutter" shutter
        several_backends "ILanesFirst" lanes_first
        several_backends "IApart" apart
    };
    // Edited in place or not, one way, events alone, windows of their own, nothing at all.
    let nodes = equal! { rdma rdma_bytes:
        rdma "ICamera" camera
        rdma "IArchive" archive
        rdma "IShutter" shutter
        rdma "IWeather" weather
        rdma "INothing" nothing
        several_backends "INodesFirst" nodes_first
        several_backends "ITuned" tuned
    };
    for (name, reported, generated) in lanes.into_iter().chain(memory).chain(nodes) {
        assert!(generated > 0, "{name}");
        assert_eq!(reported, generated, "{name}");
    }
}

/// What `@Shm` asks for: a window of its own and larger slots.
#[test]
fn the_report_and_the_generated_constant_agree_on_tuned_shared_memory() {
    let tuned = equal! { shm shm_bytes: several_backends "ITuned" tuned };
    for (name, reported, generated) in tuned {
        assert_eq!(reported, generated, "{name}");
    }
}
