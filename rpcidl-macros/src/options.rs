//! The arguments of `include_idl!`.

use std::ops::Range;

use rpcidl::build::rust_path;
use rpcidl::diag::{Code, Diagnostic};
use rpcidl::emit;
use rpcidl::source::{SourceId, SourceMap, Span};
use rpcidl::suggest::nearest;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Expr, Ident, Lit, LitStr, Token};

/// What is asked for.
pub(crate) struct Options {
    /// The file and where it is written.
    pub(crate) file: (String, Range<usize>),
    /// Folders in which imports are looked for.
    pub(crate) include: Vec<String>,
    /// What the emitter is told.
    pub(crate) emit: emit::Options,
}

const EXAMPLE: &str = "write it like `include_idl!(\"idl/kv.idl\", backend = \"inproc\")`";
const KEYS: [&str; 6] = [
    "backend", "include", "extern", "zerocopy", "crate", "runtime",
];

/// One argument after the file.
struct Argument {
    key: Ident,
    /// The package of `extern "package" = path`.
    package: Option<LitStr>,
    value: Expr,
}

impl Parse for Argument {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let key = input.call(Ident::parse_any)?;
        let package = if key == "extern" {
            Some(input.parse()?)
        } else {
            None
        };
        input.parse::<Token![=]>()?;
        Ok(Self {
            key,
            package,
            value: input.parse()?,
        })
    }
}

/// Reads the arguments.
pub(crate) fn read(text: &str) -> Result<Options, Vec<Diagnostic>> {
    let source = SourceMap::default().add("the call", text);
    let arguments = |input: ParseStream<'_>| {
        let file: LitStr = input.parse()?;
        let mut rest = Punctuated::<Argument, Token![,]>::new();
        if !input.is_empty() {
            input.parse::<Token![,]>()?;
            rest = Punctuated::parse_terminated(input)?;
        }
        Ok((file, rest))
    };
    let (file, arguments) = match arguments.parse_str(text) {
        Ok(read) => read,
        Err(error) => {
            let range = error.span().byte_range();
            // An error at the end is about the whole.
            let range = if range.is_empty() {
                0..text.len()
            } else {
                range
            };
            let place = Span::new(source, range.start, range.end);
            let error = Diagnostic::error(
                Code::E0706,
                place,
                "`include_idl!` is not given what it takes",
            );
            return Err(vec![error.help(EXAMPLE)]);
        }
    };
    let mut reader = Reader {
        source,
        errors: Vec::new(),
        runtime: None,
        options: Options {
            file: (file.value(), file.span().byte_range()),
            include: Vec::new(),
            emit: emit::Options::default(),
        },
    };
    if !file.value().ends_with(".idl")
        && let Some(argument) = arguments.first()
    {
        let place = reader.place(&argument.key);
        let error = Diagnostic::error(
            Code::E0705,
            place,
            "what a build script wrote takes no options",
        );
        reader
            .errors
            .push(error.help("give them to `rpcidl::build::Config`, or name an `.idl` file"));
        return Err(reader.errors);
    }
    arguments
        .iter()
        .for_each(|argument| reader.argument(argument));
    reader.finish()
}

struct Reader {
    source: SourceId,
    errors: Vec<Diagnostic>,
    /// The crate of the first backend, and where it is written.
    runtime: Option<(String, Span)>,
    options: Options,
}

impl Reader {
    fn place(&self, node: &impl Spanned) -> Span {
        let range = node.span().byte_range();
        Span::new(self.source, range.start, range.end)
    }

    fn finish(mut self) -> Result<Options, Vec<Diagnostic>> {
        match (self.runtime.take(), self.options.emit.backends.first()) {
            (Some((path, _)), Some(backend)) => {
                self.options.emit.runtimes.insert(*backend, path);
            }
            // A backend that is misspelt has an error already.
            (Some((_, place)), None) if self.errors.is_empty() => {
                let error = Diagnostic::error(
                    Code::E0705,
                    place,
                    "`runtime` is the crate of the first backend, and none is asked for",
                );
                self.errors.push(
                    error.help("write `backend = \"shm\"` as well, or the backend that is meant"),
                );
            }
            _ => {}
        }
        if self.errors.is_empty() {
            Ok(self.options)
        } else {
            Err(self.errors)
        }
    }

    fn wrong(&mut self, node: &impl Spanned, key: &str, example: &str) {
        let error = Diagnostic::error(
            Code::E0706,
            self.place(node),
            format!("`{key}` is not given what it takes"),
        );
        self.errors
            .push(error.help(format!("write it like `{example}`")));
    }

    fn argument(&mut self, argument: &Argument) {
        let key = argument.key.unraw().to_string();
        let value = &argument.value;
        match key.as_str() {
            "backend" => {
                for text in self.texts(value, &key, "backend = \"inproc\"") {
                    self.backend(&text);
                }
            }
            "include" => {
                let folders = self.texts(value, &key, "include = [\"idl\"]");
                self.options
                    .include
                    .extend(folders.iter().map(LitStr::value));
            }
            "extern" => {
                let path = self.path(value, &key, "extern \"acme.common\" = crate::common");
                if let (Some(package), Some(path)) = (&argument.package, path) {
                    self.options.emit.externs.insert(package.value(), path);
                }
            }
            "zerocopy" => match value {
                Expr::Lit(syn::ExprLit {
                    lit: Lit::Bool(is), ..
                }) => self.options.emit.zerocopy = is.value,
                _ => self.wrong(value, &key, "zerocopy = false"),
            },
            "crate" => {
                if let Some(path) = self.path(value, &key, "crate = ::runtime_core") {
                    self.options.emit.runtime_core = path;
                }
            }
            "runtime" => {
                let place = self.place(&argument.key);
                let path = self.path(value, &key, "runtime = ::runtime_inproc");
                self.runtime = path.map(|path| (path, place));
            }
            _ => {
                let place = self.place(&argument.key);
                let error = Diagnostic::error(
                    Code::E0705,
                    place,
                    format!("`include_idl!` has no option `{key}`"),
                );
                self.errors.push(match nearest(&key, KEYS) {
                    Some(near) => error.help(format!("write `{near}`")),
                    None => error.help(format!(
                        "its options are {}",
                        KEYS.map(|key| format!("`{key}`")).join(", ")
                    )),
                });
            }
        }
    }

    fn backend(&mut self, text: &LitStr) {
        let place = self.place(text);
        match rpcidl::backend(&text.value()) {
            Ok(backend) => {
                if !self.options.emit.backends.contains(&backend) {
                    self.options.emit.backends.push(backend);
                }
            }
            Err(error) => {
                let mut at = Diagnostic::error(error.code, place, error.message);
                at.help = error.help;
                self.errors.push(at);
            }
        }
    }

    fn texts(&mut self, value: &Expr, key: &str, example: &str) -> Vec<LitStr> {
        let items: Vec<&Expr> = match value {
            Expr::Array(it) => it.elems.iter().collect(),
            other => vec![other],
        };
        let mut texts = Vec::new();
        for item in items {
            match item {
                Expr::Lit(syn::ExprLit {
                    lit: Lit::Str(text),
                    ..
                }) => texts.push(text.clone()),
                other => self.wrong(other, key, example),
            }
        }
        texts
    }

    /// A path that goes into the output as it is.
    fn path(&mut self, value: &Expr, key: &str, example: &str) -> Option<String> {
        let path = match value {
            Expr::Path(it) if it.qself.is_none() => {
                let start = if it.path.leading_colon.is_some() {
                    "::"
                } else {
                    ""
                };
                let names: Vec<String> = it
                    .path
                    .segments
                    .iter()
                    .map(|segment| segment.ident.to_string())
                    .collect();
                rust_path(&format!("{start}{}", names.join("::"))).ok()
            }
            _ => None,
        };
        // What is relative would mean something else in each module.
        let path = path.filter(|path| path.starts_with("::") || path.starts_with("crate::"));
        if path.is_none() {
            self.wrong(value, key, example);
        }
        path
    }
}
