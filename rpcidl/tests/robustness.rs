//! Every schema of the repository, damaged in every way that tools and people damage files.
//!
//! The damage is drawn from a fixed seed, so a failure comes back. `RPCIDL_FUZZ_CASES` asks for more cases than a quick
//! run has, and `RPCIDL_FUZZ_SEED` for others.
#![allow(clippy::unwrap_used, reason = "a test may end where it cannot go on")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::generate::tree;
use rpcidl::diag::Severity;
use rpcidl::emit::{Options, emit};
use rpcidl::parse::parse;
use rpcidl::source::SourceMap;
use rpcidl::{Compilation, Input, MemoryLoader, compile, fmt};

/// Cases of a quick run.
const CASES: u64 = 800;

/// Numbers that are drawn the same everywhere (splitmix64).
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, or 0.
    fn below(&mut self, end: usize) -> usize {
        (self.next() % (end.max(1) as u64)) as usize
    }

    fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }
}

/// The schemas of the repository: their path below their folder, and their text.
fn corpus() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut found = Vec::new();
    for folder in [
        "tests/golden/idl",
        "tests/golden/errors",
        "idl-examples/idl",
    ] {
        let folder = root.join(folder);
        let mut files = Vec::new();
        collect(&folder, &mut files);
        assert!(!files.is_empty(), "{}", folder.display());
        files.sort();
        for path in files {
            // What is not UTF-8 never gets to the parser.
            if let Ok(text) = String::from_utf8(fs::read(&path).unwrap()) {
                let name = path.strip_prefix(&folder).unwrap();
                found.push((name.to_str().unwrap().to_owned(), text));
            }
        }
    }
    found
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|ending| ending == "idl") {
            files.push(path);
        }
    }
}

/// A text in words, blanks and single signs.
fn tokens(text: &str) -> Vec<&str> {
    let kind = |c: char| match c {
        c if c.is_alphanumeric() || c == '_' => 0,
        c if c.is_whitespace() => 1,
        _ => 2,
    };
    let mut found = Vec::new();
    let mut start = 0;
    let mut last = None;
    for (at, c) in text.char_indices() {
        if last.is_some_and(|last| last != kind(c) || last == 2) {
            found.push(&text[start..at]);
            start = at;
        }
        last = Some(kind(c));
    }
    found.push(&text[start..]);
    found
}

const NUMBERS: &[&str] = &[
    "0",
    "-1",
    "65536",
    "4294967296",
    "18446744073709551616",
    "170141183460469231731687303715884105728",
    "99999999999999999999999999999999999999999999",
    "0x",
    "0xFFFF_FFFF_FFFF_FFFF_FFFF_FFFF_FFFF_FFFF_F",
    "1e999",
    "1.5",
    "007",
    "1 << 200",
    "1 / 0",
];

const NESTS: &[&str] = &[
    "(",
    "[",
    "{",
    "<",
    "-",
    "~",
    "?",
    "[1]",
    "vec<",
    "a.",
    "1 + ",
    "@A(",
    "@A({",
    "struct S {",
    "interface I {",
    "/*",
    "\"",
    ")",
    "}",
    "///\n",
    "a ",
    "; ",
];

const SIGNS: &[&str] = &[
    "\u{e9}",
    "\u{1f600}",
    "\u{202e}",
    "\u{feff}",
    "\0",
    "\r",
    "\r\n",
    "\t",
    "\"",
    "\\",
    "'",
    "#",
    "$",
    "\u{2028}",
    "//",
    "/*",
    "*/",
    "/**/",
    "///",
    "//!",
    "..=",
    "::",
    "->",
    "=",
    "==",
    ",",
    ";",
    "reserved",
    "closed",
    "oneway",
    "event",
    "throws",
    "void",
    "Self",
    "self",
];

/// One kind of damage.
fn damage(text: &str, corpus: &[(String, String)], draw: &mut Draw) -> String {
    let mut parts: Vec<&str> = tokens(text);
    let at = draw.below(parts.len());
    let few = 1 + draw.below(6);
    let end = (at + few).min(parts.len());
    let nest;
    match draw.below(11) {
        0 => drop(parts.drain(at..end)),
        1 => {
            let twice = parts[at..end].to_vec();
            parts.splice(at..at, twice);
        }
        2 => {
            let other = draw.below(parts.len());
            parts.swap(at, other);
        }
        3 => {
            let mut bytes = text.as_bytes().to_vec();
            for _ in 0..few {
                let place = draw.below(bytes.len());
                if let Some(byte) = bytes.get_mut(place) {
                    *byte ^= 1 << draw.below(8);
                }
            }
            return String::from_utf8_lossy(&bytes).into_owned();
        }
        4 => parts.truncate(at),
        5 => {
            let (_, other) = &corpus[draw.below(corpus.len())];
            let other = tokens(other);
            let from = draw.below(other.len());
            return parts[..at].concat() + &other[from..].concat();
        }
        6 => {
            nest = draw.pick(NESTS).repeat(1 + draw.below(400));
            parts.insert(at, &nest);
        }
        7 => {
            let is_number = |part: &&str| part.starts_with(|c: char| c.is_ascii_digit());
            let numbers: Vec<usize> = (0..parts.len()).filter(|&n| is_number(&parts[n])).collect();
            match numbers.get(draw.below(numbers.len())) {
                Some(&place) => parts[place] = draw.pick(NUMBERS),
                None => parts.insert(at, draw.pick(NUMBERS)),
            }
        }
        8 => parts.insert(at, draw.pick(SIGNS)),
        9 => parts[at] = draw.pick(SIGNS),
        // Two names become one, or a name becomes another.
        _ => {
            let is_word = |part: &&str| part.starts_with(|c: char| c.is_ascii_alphabetic());
            let words: Vec<usize> = (0..parts.len()).filter(|&n| is_word(&parts[n])).collect();
            if let (Some(&one), Some(&other)) = (
                words.get(draw.below(words.len())),
                words.get(draw.below(words.len())),
            ) {
                parts[one] = parts[other];
            }
        }
    }
    parts.concat()
}

fn run(name: &str, text: &str, loader: &MemoryLoader) -> Compilation {
    compile(&[Input::new(name, text)], &[], loader)
}

/// What must hold for any text.
fn survives(name: &str, text: &str, loader: &MemoryLoader) {
    let compilation = run(name, text, loader);
    let errors = compilation
        .diagnostics
        .iter()
        .any(|found| found.severity == Severity::Error);
    assert_eq!(compilation.model.is_none(), errors);
    for found in &compilation.diagnostics {
        let labels = found.primary.iter().chain(&found.secondary);
        let spans = labels.map(|label| label.span);
        for span in spans.chain(found.edit.iter().map(|edit| edit.span)) {
            let text = &compilation.sources.get(span.source).text;
            assert!(text.get(span.range()).is_some(), "{found:?}");
        }
        assert!(
            !found.message.contains('\n'),
            "one line is promised: {found:?}"
        );
        shown(found, &compilation.sources);
    }
    formatted(name, text, &compilation, loader);
    if compilation.model.is_some() {
        assert_eq!(emitted(&compilation), emitted(&run(name, text, loader)));
    }
}

#[cfg(feature = "render")]
fn shown(found: &rpcidl::diag::Diagnostic, sources: &SourceMap) {
    use rpcidl::diag::render::{Style, human, short};
    let human = human(found, sources, Style::Plain);
    assert!(human.contains(found.code.name), "{found:?}");
    assert!(!short(found, sources).contains('\n'), "{found:?}");
    #[cfg(feature = "json")]
    assert!(!rpcidl::json::diagnostic_to_json(found, sources).contains('\n'));
}

#[cfg(not(feature = "render"))]
fn shown(found: &rpcidl::diag::Diagnostic, sources: &SourceMap) {
    if let Some(label) = &found.primary {
        let (line, column) = sources.line_column(label.span);
        assert!(line > 0 && column > 0, "{found:?}");
    }
}

/// The output, or the codes of what is in its way.
fn emitted(compilation: &Compilation) -> Result<String, Vec<&'static str>> {
    let options = Options::default();
    match emit(compilation.model.as_ref().unwrap(), &options) {
        Ok(output) => Ok(output.to_single_file()),
        Err(found) => Err(found.iter().map(|found| found.code.name).collect()),
    }
}

/// Whatever can be read is the same after it was formatted, and what it becomes is the same, too.
fn formatted(name: &str, text: &str, compilation: &Compilation, loader: &MemoryLoader) {
    let (file, found) = parse(SourceMap::default().add(name, text), text);
    if found.iter().any(|found| found.severity == Severity::Error) {
        return;
    }
    let once = fmt::format(&file, text);
    let (after, _) = parse(SourceMap::default().add(name, once.as_str()), &once);
    assert!(tree(&file) == tree(&after), "{once}");
    assert_eq!(fmt::format(&after, &once), once);
    if compilation.model.is_some() {
        let after = run(name, &once, loader);
        assert!(after.model.is_some(), "{once}");
        assert!(emitted(compilation) == emitted(&after), "{once}");
    }
}

fn asked(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).map_or(otherwise, |value| value.parse().unwrap())
}

#[test]
fn damaged_schemas_are_survived() {
    let corpus = corpus();
    let mut loader = MemoryLoader::new();
    for (name, text) in &corpus {
        loader.add(name, text.as_str());
    }
    let (cases, seed) = (
        asked("RPCIDL_FUZZ_CASES", CASES),
        asked("RPCIDL_FUZZ_SEED", 1),
    );
    for case in 0..cases {
        // Each case for itself, so that one that fails needs no others before it.
        let mut draw = Draw(seed.wrapping_mul(0x0001_0000_0001).wrapping_add(case));
        let (name, text) = &corpus[draw.below(corpus.len())];
        let mut text = text.clone();
        for _ in 0..1 + draw.below(4) {
            text = damage(&text, &corpus, &mut draw);
        }
        let survived = std::panic::catch_unwind(|| survives(name, &text, &loader));
        assert!(
            survived.is_ok(),
            "case {case} of seed {seed}, from {name}:\n{text}"
        );
    }
}

#[test]
fn undamaged_schemas_are_survived() {
    let corpus = corpus();
    let mut loader = MemoryLoader::new();
    for (name, text) in &corpus {
        loader.add(name, text.as_str());
    }
    for (name, text) in &corpus {
        survives(name, text, &loader);
    }
}
