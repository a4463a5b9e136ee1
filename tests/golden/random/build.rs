//! Generates the code of some random schemas, and messages of each of their types.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

use golden_runner::random::{Choices, Kind, Message, Schema, Ty};
use golden_runner::rpcidl::emit::{Options, emit};
use golden_runner::rpcidl::ir::Backend;
use golden_runner::rpcidl::{Input, MemoryLoader, compile};

/// How many schemas there are.
const SCHEMAS: u64 = 40;
/// How many valid messages there are of each type.
const MESSAGES: usize = 8;
/// How many variants there are of each of these.
const VARIANTS: usize = 24;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    let out = env::var("OUT_DIR")?;
    let out = Path::new(&out);
    let mut index = String::new();
    let mut calls =
        String::from("/// Runs the messages of every type.\npub fn all(run: &mut Run) {\n");
    let mut data = String::new();
    for number in 0..SCHEMAS {
        let mut choices = Choices::from_seed(number);
        let schema = Schema::random(&mut choices);
        let text = schema.to_string();
        let compilation = compile(
            &[Input::new("random.idl", text.clone())],
            &[],
            &MemoryLoader::new(),
        );
        let Some(model) = &compilation.model else {
            return Err(format!(
                "schema {number} is refused: {:?}\n{text}",
                compilation.diagnostics
            )
            .into());
        };
        // The traits of zerocopy cost more time to compile than all the rest, and the corpus has them.
        let options = Options {
            backends: vec![Backend::Inproc],
            zerocopy: false,
            ..Options::default()
        };
        let code = emit(model, &options)
            .map_err(|found| format!("{found:?}"))?
            .to_single_file();
        fs::write(out.join(format!("schema{number}.rs")), code)?;
        writeln!(
            index,
            "/// Schema {number}.\npub mod schema{number} {{ include!(concat!(env!(\"OUT_DIR\"), \"/schema{number}.rs\")); }}"
        )?;
        for (place, decl) in schema.decls.iter().enumerate() {
            if matches!(decl.kind, Kind::Alias(_)) {
                continue;
            }
            writeln!(
                calls,
                "    run.of::<schema{number}::T{place}>(\"schema{number} T{place}\");"
            )?;
            let ty = Ty::Named(place);
            for _ in 0..MESSAGES {
                let message = schema.message(&ty, &mut choices);
                line(&mut data, number, place, &message)?;
                for _ in 0..VARIANTS {
                    line(
                        &mut data,
                        number,
                        place,
                        &schema.mutated(&ty, &message, &mut choices),
                    )?;
                }
            }
        }
    }
    calls += "}\n";
    fs::write(out.join("index.rs"), index + &calls)?;
    fs::write(out.join("messages.txt"), data)?;
    Ok(())
}

fn line(data: &mut String, schema: u64, place: usize, message: &Message) -> std::fmt::Result {
    write!(
        data,
        "schema{schema} T{place}:{}:",
        if message.valid { "valid" } else { "invalid" }
    )?;
    for byte in &message.bytes {
        write!(data, "{byte:02x}")?;
    }
    data.push('\n');
    Ok(())
}
