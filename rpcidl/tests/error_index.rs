//! Every code has a page, and what the page shows is true.

mod common;

use common::{codes, compile_files, errors, lines};
use rpcidl::diag::{Code, Diagnostic, ERROR_INDEX, Severity};
use rpcidl::{Input, LoadError, Loader, MemoryLoader, backend, backends, compile};

/// One fenced block.
struct Block<'a> {
    fails: bool,
    file: Option<&'a str>,
    text: String,
}

fn blocks(page: &str) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let Some(info) = line.strip_prefix("```idl") else {
            continue;
        };
        let text: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        let parts: Vec<&str> = info.split(',').collect();
        blocks.push(Block {
            fails: parts.contains(&"fail"),
            file: parts.iter().find_map(|part| part.strip_prefix("file=")),
            text: text.join("\n") + "\n",
        });
    }
    blocks
}

/// The files of a page: of its failing example or of its mended one.
fn example(code: Code, fails: bool) -> Vec<(String, String)> {
    blocks(code.page)
        .into_iter()
        .filter(|block| block.fails == fails)
        .map(|block| (block.file.unwrap_or("example.idl").to_owned(), block.text))
        .collect()
}

fn compile_example(files: &[(String, String)]) -> rpcidl::Compilation {
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    compile_files(&files)
}

/// Codes that the text of a page cannot show, and why; each is provoked by a test below.
const NOT_BY_TEXT: &[(&str, &str)] = &[
    ("E0001", "needs a file that cannot be read"),
    ("E0002", "a page is UTF-8"),
    ("E0004", "shows what cannot be seen"),
    ("E0013", "needs a thousand errors"),
    ("E0210", "needs two inputs"),
    ("E0327", "brackets in a text are limited before"),
    ("E0329", "needs 64 MiB of strings; see hostile_models.rs"),
    ("E0404", "needs 4,097 members"),
    ("E0407", "needs 1,025 files"),
    ("E0409", "needs 16 MiB"),
    ("E0410", "needs 64 MiB of layouts"),
    ("E0801", "depends on the backend that is asked for"),
    ("E0802", "depends on the backend that is asked for"),
    ("E0805", "depends on the manifest of a package"),
    ("W0801", "depends on the backend that is asked for"),
];

/// Codes of definitions in Rust; the tests of the macros show them.
fn is_about_rust(code: Code) -> bool {
    code.name.starts_with("E07")
}

/// True if the examples of a code's page can be compiled as they are.
fn is_shown_by_text(code: Code) -> bool {
    !is_about_rust(code) && NOT_BY_TEXT.iter().all(|(name, _)| *name != code.name)
}

#[test]
fn every_page_is_whole() {
    let mut wrong = Vec::new();
    for code in ERROR_INDEX {
        let title = format!("# {}: {}\n", code.name, code.title);
        if !code.page.starts_with(&title) {
            wrong.push(format!("{code}: the page must begin with {title:?}"));
        }
        assert_eq!(Code::find(&code.name.to_lowercase()), Some(*code));
        let language = if is_about_rust(*code) {
            "```rust"
        } else {
            "```text"
        };
        if !is_shown_by_text(*code) && code.page.contains(language) {
            continue;
        }
        let blocks = blocks(code.page);
        if !blocks.iter().any(|block| block.fails) || blocks.iter().all(|block| block.fails) {
            wrong.push(format!(
                "{code}: the page needs a failing example and a mended one"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let names: Vec<&str> = ERROR_INDEX.iter().map(|code| code.name).collect();
    let mut unique = names.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(names.len(), unique.len(), "a code is listed twice");
}

#[test]
fn every_failing_example_fails_as_its_page_says() {
    let mut wrong = Vec::new();
    for code in ERROR_INDEX.iter().filter(|code| is_shown_by_text(**code)) {
        let compilation = compile_example(&example(*code, true));
        if !codes(&compilation).contains(&code.name) {
            wrong.push(format!("{code}: found {:?}", lines(&compilation)));
        }
        let others = compilation
            .diagnostics
            .iter()
            .filter(|found| found.code != *code)
            .count();
        if others > 0 {
            wrong.push(format!("{code}: not alone: {:?}", lines(&compilation)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_mended_example_compiles_without_a_word() {
    let mut wrong = Vec::new();
    for code in ERROR_INDEX {
        let compilation = compile_example(&example(*code, false));
        if !compilation.diagnostics.is_empty() {
            wrong.push(format!("{code}: found {:?}", lines(&compilation)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_message_has_the_house_style() {
    let wrong: Vec<String> = ERROR_INDEX
        .iter()
        .flat_map(|code| common::style(&compile_example(&example(*code, true))))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A loader whose files are there but cannot be read.
struct Locked;

impl Loader for Locked {
    fn load(&self, _: &str) -> Result<Vec<u8>, LoadError> {
        Err(LoadError::Other("permission denied".to_owned()))
    }
}

#[test]
fn e0001_a_file_that_cannot_be_read() {
    let text = "package a;\nimport b.C;\nstruct S { C c; }\n";
    let compilation = compile(&[Input::new("a.idl", text)], &[], &Locked);
    assert_eq!(codes(&compilation), ["E0001"], "{:?}", lines(&compilation));
    assert!(
        compilation.diagnostics[0]
            .message
            .contains("permission denied")
    );
    assert!(compilation.diagnostics[0].primary.is_some());
}

#[test]
fn e0002_a_file_that_is_not_utf8() {
    let compilation = compile(
        &[Input::new("a.idl", b"package a;\nstruct \xff".to_vec())],
        &[],
        &MemoryLoader::new(),
    );
    assert_eq!(codes(&compilation), ["E0002"], "{:?}", lines(&compilation));
    assert_eq!(
        compilation
            .sources
            .line_column(compilation.diagnostics[0].primary.clone().unwrap().span),
        (2, 8)
    );
}

#[test]
fn e0004_what_nobody_sees() {
    for hidden in ["\0", "\u{202e}"] {
        let text = format!("package a;\nstruct S {hidden}{{ u8 x; }}\n");
        assert!(
            codes(&common::compile_text(&text)).contains(&"E0004"),
            "{hidden:?}"
        );
    }
}

#[test]
fn e0013_too_many_errors() {
    let compilation = common::compile_text(&"int main(void);\n$ ".repeat(2000));
    assert!(
        codes(&compilation).contains(&"E0013"),
        "{:?}",
        lines(&compilation).last()
    );
}

#[test]
fn e0210_two_inputs_of_one_package() {
    let compile_inputs = |files: &[(String, String)]| {
        let inputs: Vec<Input> = files
            .iter()
            .map(|(name, text)| Input::new(name, text.as_str()))
            .collect();
        compile(&inputs, &[], &MemoryLoader::new())
    };
    let compilation = compile_inputs(&example(Code::E0210, true));
    assert_eq!(codes(&compilation), ["E0210"], "{:?}", lines(&compilation));
    assert_eq!(compilation.diagnostics[0].secondary.len(), 1);
    let compilation = compile_inputs(&example(Code::E0210, false));
    assert!(compilation.model.is_some());
}

#[test]
fn e0327_an_expression_out_of_nowhere_is_too_deep() {
    use rpcidl::ast;
    use rpcidl::source::{SourceMap, Span};
    let mut sources = SourceMap::default();
    let text = "const u32 ONE = 1;";
    let source = sources.add("macro", text);
    let (mut file, _) = rpcidl::parse::parse(source, text);
    let Some(ast::Item::Const(node)) = file.items.first_mut() else {
        panic!("{file:?}")
    };
    for _ in 0..1000 {
        let inner = std::mem::replace(
            &mut node.value,
            ast::Expr {
                kind: ast::ExprKind::Invalid,
                span: Span::new(source, 0, 0),
            },
        );
        node.value = ast::Expr {
            span: inner.span,
            kind: ast::ExprKind::Paren(Box::new(inner)),
        };
    }
    let compilation = rpcidl::compile_file(file, sources);
    assert_eq!(codes(&compilation), ["E0327"], "{:?}", lines(&compilation));
}

#[test]
fn e0404_too_many_members() {
    let members = |count: u32| {
        (0..count)
            .map(|n| format!("M{n}"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let arms = |count: u32| {
        (0..count)
            .map(|n| format!("{n}: u8 a{n};"))
            .collect::<String>()
    };
    let compile_both = |count| {
        common::compile_text(&format!(
            "package a; enum E : u16 {{ {} }} union U : u16 {{ {} }}",
            members(count),
            arms(count)
        ))
    };
    assert_eq!(codes(&compile_both(4097)), ["E0404", "E0404"]);
    assert_eq!(codes(&compile_both(4096)), Vec::<&str>::new());
}

#[test]
fn e0407_too_many_imported_files() {
    let mut loader = MemoryLoader::new();
    let mut text = "package a;\n".to_owned();
    for n in 0..1025 {
        loader.add(
            &format!("p{n}.idl"),
            format!("package p{n}; struct S{n} {{ u8 x; }}"),
        );
        text.push_str(&format!("import p{n}.S{n};\n"));
    }
    text.push_str("struct S { u8 x; }");
    let compilation = compile(&[Input::new("a.idl", text)], &[], &loader);
    assert_eq!(
        errors(&compilation),
        ["E0407 more than 1024 files are imported"]
    );
}

#[test]
fn e0409_a_source_that_is_too_large() {
    let text = vec![b' '; 16 * 1024 * 1024 + 1];
    let compilation = compile(&[Input::new("a.idl", text)], &[], &MemoryLoader::new());
    assert_eq!(codes(&compilation), ["E0409"]);
}

#[test]
fn e0410_too_much_layout_to_describe() {
    let mut text = "package a; struct S {".to_owned();
    for n in 0..8000 {
        text.push_str(&format!("u8 field_with_a_rather_long_name_{n};"));
    }
    text.push('}');
    for n in 0..200 {
        text.push_str(&format!("interface I{n} {{ void f(in S s); }}"));
    }
    let compilation = common::compile_text(&text);
    assert_eq!(codes(&compilation), ["E0410"], "{:?}", lines(&compilation));
}

#[test]
fn e0801_e0802_backends_that_are_asked_for() {
    use rpcidl::ir::Backend::{Inproc, Rdma, Shm};
    let model = |code: Code, fails: bool| compile_example(&example(code, fails)).model.unwrap();
    let found = |model: &rpcidl::ir::Model, wanted: &[_], able: &[_]| {
        backends(model, wanted, able)
            .iter()
            .map(|found| found.code.name)
            .collect::<Vec<_>>()
    };
    let lends = model(Code::E0801, true);
    assert_eq!(found(&lends, &[Inproc, Shm], &[Shm]), ["E0801"]);
    assert_eq!(found(&lends, &[Shm], &[Shm]), Vec::<&str>::new());
    assert_eq!(
        found(&model(Code::E0801, false), &[Inproc, Shm], &[]),
        Vec::<&str>::new()
    );
    let local = model(Code::E0802, true);
    assert_eq!(found(&local, &[Shm, Rdma], &[]), ["E0802"]);
    assert_eq!(
        found(&model(Code::E0802, false), &[Shm, Rdma], &[]),
        Vec::<&str>::new()
    );
}

#[test]
fn e0805_a_crate_that_the_manifest_does_not_name() {
    use rpcidl::emit::{Options, emit};
    use rpcidl::ir::Backend;
    let model = common::compile_text(
        "package a; @Backends({shm, inproc}) interface A { void f(); } \
         @Backends({inproc, shm}) interface B { void f(); }",
    );
    let model = model.model.unwrap();
    let found = |manifest: Option<&str>, change: fn(&mut Options)| {
        let mut options = Options {
            manifest: manifest.map(str::to_owned),
            ..Options::default()
        };
        change(&mut options);
        let found = emit(&model, &options).map_or_else(|found| found, |_| Vec::new());
        let said = |found: &Diagnostic| {
            assert_eq!(found.code, Code::E0805);
            let help = found.help.as_deref().unwrap_or_default();
            format!("{}; {help}", found.message)
        };
        found.iter().map(said).collect::<Vec<_>>()
    };
    let inproc = "[dependencies]\nruntime-core.workspace = true\nruntime-inproc = \"1\"\n";
    // One error a crate, however many interfaces need it.
    assert_eq!(
        found(Some(inproc), |_| {}),
        ["backend `shm` needs the crate `runtime-shm`; \
             write `runtime-shm.workspace = true` below `[dependencies]`"]
    );
    let nothing = found(Some("[package]\nname = \"demo\"\n"), |_| {});
    assert_eq!(nothing.len(), 3, "{nothing:#?}");
    assert!(
        nothing[0]
            .starts_with("generated code needs the crate `runtime-core`; write `runtime-core = \""),
        "{nothing:#?}"
    );
    // Nothing is known of the package, another backend is asked for, or somebody knows better.
    assert_eq!(found(None, |_| {}), [""; 0]);
    let asked = |options: &mut Options| options.backends = vec![Backend::Inproc];
    assert_eq!(found(Some(inproc), asked), [""; 0]);
    let elsewhere = |options: &mut Options| {
        options.runtimes.insert(Backend::Shm, "::other".to_owned());
    };
    assert_eq!(found(Some(inproc), elsewhere), [""; 0]);
    let elsewhere = |options: &mut Options| {
        options.runtime_core = "::other".to_owned();
        options.backends = vec![Backend::Shm];
    };
    assert_eq!(found(Some("runtime-shm = \"1\""), elsewhere), [""; 0]);
}

#[test]
fn w0801_stubs_that_nothing_connects() {
    use rpcidl::emit::{Options, advise};
    use rpcidl::ir::Backend;
    let advice = |text: &str, backends: &[Backend]| {
        let options = Options {
            backends: backends.to_vec(),
            ..Options::default()
        };
        let found = advise(&common::compile_text(text).model.unwrap(), &options);
        let said = |found: Diagnostic| {
            assert_eq!(
                (found.code, found.severity),
                (Code::W0801, Severity::Warning)
            );
            found.message
        };
        found.into_iter().map(said).collect::<Vec<_>>()
    };
    let text = |fails| example(Code::W0801, fails)[0].1.clone();
    assert_eq!(
        advice(&text(true), &[]),
        ["interface `Shop` is compiled for no backend"]
    );
    assert_eq!(advice(&text(true), &[Backend::Shm]), [""; 0]);
    assert_eq!(advice(&text(false), &[]), [""; 0]);
    // One warning, however many there are, and none about an interface that others extend.
    let many = "package a; interface Base { void f(); } interface A extends Base {} interface B {} interface C {} \
                @Backends({shm}) interface D extends Base {}";
    assert_eq!(
        advice(many, &[]),
        ["interface `A` and 2 others are compiled for no backend"]
    );
    let two = "package a; interface A {} interface B {}";
    assert_eq!(
        advice(two, &[]),
        ["interface `A` and another one are compiled for no backend"]
    );
}

#[test]
fn e0803_the_name_of_a_backend() {
    assert_eq!(backend("rdma"), Ok(rpcidl::ir::Backend::Rdma));
    let error = backend("rmda").unwrap_err();
    assert_eq!((error.code, error.severity), (Code::E0803, Severity::Error));
    assert_eq!(error.help.as_deref(), Some("write `rdma`"));
}
