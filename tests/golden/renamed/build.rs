//! Generates the corpus once more, for runtime crates under other names.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

use golden_runner::rpcidl::emit::Options;
use golden_runner::rpcidl::ir::Backend;
use golden_runner::{cases, folder, generate, generate_directory, options};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed={}", folder().join("idl").display());
    let out = env::var("OUT_DIR")?;
    let out = Path::new(&out);
    let renamed = |options: Options| Options {
        runtime_core: "::renamed_core".to_owned(),
        zerocopy: false,
        runtimes: [
            (Backend::Inproc, "::renamed_inproc".to_owned()),
            (Backend::Shm, "::renamed_shm".to_owned()),
            (Backend::Rdma, "::renamed_rdma".to_owned()),
        ]
        .into(),
        ..options
    };
    let mut index = String::new();
    for case in cases() {
        let name = case.name.as_str();
        fs::write(
            out.join(format!("{name}.rs")),
            generate(&case, &renamed(options(&case))),
        )?;
        writeln!(index, "/// From `idl/{name}.idl`.")?;
        writeln!(
            index,
            "pub mod {name} {{ ::core::include!(::core::concat!(::core::env!(\"OUT_DIR\"), \"/{name}.rs\")); }}"
        )?;
        if name == "imports" {
            let folder = out.join("directory");
            fs::create_dir_all(&folder)?;
            let directory = Options {
                zerocopy: true,
                ..renamed(options(&case))
            };
            for (file, text) in generate_directory(&case, &directory) {
                fs::write(folder.join(file), text)?;
            }
            let elsewhere = Options {
                externs: [(
                    "acme.common".to_owned(),
                    "crate::outer::directory::acme_common".to_owned(),
                )]
                .into(),
                ..renamed(options(&case))
            };
            fs::write(out.join("elsewhere.rs"), generate(&case, &elsewhere))?;
        }
    }
    fs::write(out.join("index.rs"), index)?;
    Ok(())
}
