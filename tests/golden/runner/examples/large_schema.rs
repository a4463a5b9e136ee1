//! `large_schema INTERFACES METHODS [--rust]`: prints a large schema, or the code that is generated for it.

use std::io::Write as _;

use golden_runner::schema::large;
use rpcidl::emit::{Options, emit};
use rpcidl::ir::Backend;
use rpcidl::{Input, MemoryLoader, compile};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [interfaces, methods, rest @ ..] = arguments.as_slice() else {
        return Err("usage: large_schema INTERFACES METHODS [--rust]".into());
    };
    let mut text = large(interfaces.parse()?, methods.parse()?);
    if rest.iter().any(|argument| argument == "--rust") {
        let compilation = compile(&[Input::new("large.idl", text)], &[], &MemoryLoader::new());
        let model = compilation.model.ok_or("the schema is refused")?;
        let options = Options {
            backends: vec![Backend::Inproc],
            zerocopy: !rest.iter().any(|argument| argument == "--no-zerocopy"),
            ..Options::default()
        };
        text = emit(&model, &options)
            .map_err(|_| "it cannot be emitted")?
            .to_single_file();
    }
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(())
}
