//! From an annotated item to the Rust code that takes its place.
//!
//! [`begin`] is what the attribute does. It can check everything but the types of other items, whose definitions it asks for
//! by a chain of macros, one a type; the chain ends in [`finish`] with their texts. An item that refers to no other is
//! finished at once.

mod message;
mod service;
mod tokens;
mod visibility;

use super::closure::{self, Merged};
use super::item::{Lowered, Settings, Shape, main_attribute};
use super::lower::{Lower, Names, Reference};
use super::out::Out;
use super::words::in_rust;
use super::{Expansion, read};
use crate::ast;
use crate::compile::compile_file;
use crate::diag::{Diagnostic, Severity};
use crate::emit;
use crate::ir::Model;
use crate::source::{SourceId, SourceMap, Span};

/// What the attribute makes of an item. `text` is the item with the attribute before it, `manifest` the text of the package's
/// `Cargo.toml`, if that is known.
pub fn begin(text: &str, manifest: Option<String>) -> Expansion {
    let mut sources = SourceMap::default();
    let source = sources.add("the item", text);
    let item = match read::item(text, source) {
        Ok(item) => item,
        Err(error) => return failed(text, None, Vec::new(), vec![*error]),
    };
    let mut lower = Lower::new(text, source, Names::Unknown);
    let lowered = lower.item(&item);
    let references = std::mem::take(&mut lower.references);
    let Some(lowered) = lowered else {
        if let Some((_, attribute)) = main_attribute(super::item::attributes_of(&item)) {
            lower.ours.push(lower.place(attribute));
        }
        return failed(text, None, lower.ours, lower.findings.finish());
    };
    // What does not depend on the types of other items is checked before anything else is asked, so that its errors come
    // even if a type is not there.
    let mut errors = std::mem::take(&mut lower.findings);
    let file = tree(source, text, &lowered.settings, vec![lowered.item.clone()]);
    errors.extend(errors_of(compile_file(file, sources).diagnostics));
    if !errors.is_empty() {
        return failed(text, Some(&lowered), lower.ours, errors.finish());
    }
    if references.is_empty() {
        finish(text, &[], manifest)
    } else {
        ask(text, source, &lowered.settings, &references)
    }
}

/// What an item becomes once the definitions of the types that it refers to are known, in the order in which it refers to
/// them. `manifest` is as above.
pub fn finish(text: &str, closures: &[String], manifest: Option<String>) -> Expansion {
    let mut sources = SourceMap::default();
    let source = sources.add("the item", text);
    let item = match read::item(text, source) {
        Ok(item) => item,
        Err(error) => return failed(text, None, Vec::new(), vec![*error]),
    };
    let mut lower = Lower::new(text, source, Names::Unknown);
    lower.item(&item);
    let merged = closure::merge(&lower.own, &lower.references, closures, &mut sources);
    let mut lower = Lower::new(text, source, Names::Given(merged.names.clone()));
    let lowered = lower.item(&item);
    let errors = std::mem::take(&mut lower.findings).finish();
    let Some(lowered) = lowered else {
        return failed(text, None, lower.ours, errors);
    };
    // The error of a type is reported where the type is declared.
    if merged.broken || !errors.is_empty() {
        return failed(text, Some(&lowered), lower.ours, errors);
    }
    let mut items = merged.items.clone();
    items.push(lowered.item.clone());
    let file = tree(source, text, &lowered.settings, items);
    let compilation = compile_file(file, sources);
    let Some(model) = compilation.model else {
        let errors = errors_of(compilation.diagnostics);
        return failed(
            text,
            Some(&lowered),
            lower.ours,
            homed(errors, source, &lowered),
        );
    };
    let generate = Generate {
        text,
        lowered: &lowered,
        merged: &merged,
        model: &model,
        options: emit::Options {
            manifest,
            ..options(&lowered, &merged)
        },
    };
    match generate.all(&lower.unspoken) {
        Ok(out) => Expansion {
            text: out.text,
            marks: out.marks,
            errors: Vec::new(),
        },
        Err(errors) => failed(
            text,
            Some(&lowered),
            lower.ours,
            homed(errors, source, &lowered),
        ),
    }
}

/// What the parts of the output are made from.
struct Generate<'a> {
    text: &'a str,
    lowered: &'a Lowered,
    merged: &'a Merged,
    model: &'a Model,
    options: emit::Options,
}

impl Generate<'_> {
    fn all(&self, unspoken: &[Span]) -> Result<Out, Vec<Diagnostic>> {
        let emitted = emit::emit(self.model, &self.options)?.to_single_file();
        let mut out = match &self.lowered.shape {
            Shape::Struct(fields) => self.structure(&emitted, fields),
            Shape::Enum(variants) => self.enumeration(&emitted, variants),
            Shape::Service(shape) => self.service(&emitted, shape),
        };
        if !matches!(self.lowered.shape, Shape::Service(_)) {
            let items = self.merged.items.iter().chain([&self.lowered.item]);
            out.append(handed_on(self.text, self.lowered, &closure::text(items)));
        }
        out.append(uses(self.text, unspoken));
        Ok(out)
    }
}

/// The chain of macros that collects the definitions of the types that an item refers to.
///
/// Each of them is given the rest of the chain and what was collected, adds its own and calls the next.
fn ask(text: &str, source: SourceId, settings: &Settings, references: &[Reference]) -> Expansion {
    let mut out = Out::default();
    if let Some((first, rest)) = references.split_first() {
        out.copy(text, first.span);
        out.push("! { [");
        for reference in rest {
            out.push(" { ");
            out.copy(text, reference.span);
            out.push(" }");
        }
        let macros = settings.macros.as_deref().unwrap_or("::rpcidl_macros");
        out.push(&format!(" {{ {macros}::__expand }} ] {{ {{ "));
        out.copy(text, Span::new(source, 0, text.len()));
        out.push(" } } }");
    }
    Expansion {
        text: out.text,
        marks: out.marks,
        errors: Vec::new(),
    }
}

/// The macro that a message leaves behind, under the name of the message: types and macros have names of their own, so a
/// `use` of the message brings both.
fn handed_on(text: &str, lowered: &Lowered, closure: &str) -> Out {
    let mut out = Out::default();
    let name = &lowered.name.text;
    let mine = format!("__rpcidl_{name}");
    out.push(&format!(
        "#[doc(hidden)] #[allow(unused_macros)] macro_rules! {mine} {{ \
         ([ {{ $($next:tt)* }} $($rest:tt)* ] {{ $($known:tt)* }}) => {{ \
         $($next)* ! {{ [ $($rest)* ] {{ $($known)* {closure:?} }} }} }}; }} \
         #[doc(hidden)] #[allow(unused_imports, unreachable_pub)] "
    ));
    // A macro that is not exported can be seen in the whole crate at most.
    match lowered.vis {
        Some(vis) if text.get(vis.range()) == Some("pub") => out.push("pub(crate)"),
        Some(vis) => out.copy(text, vis),
        None => {}
    }
    out.push(&format!(" use {mine} as {};", super::lower::escaped(name)));
    out
}

/// Makes imports of the runtime's types count as used, though generated code names the types by their full paths.
fn uses(text: &str, paths: &[Span]) -> Out {
    let mut out = Out::default();
    let mut seen: Vec<&str> = Vec::new();
    for span in paths {
        let path = text.get(span.range()).unwrap_or("");
        if seen.contains(&path) {
            continue;
        }
        if seen.is_empty() {
            out.push("const _: () = {");
        }
        seen.push(path);
        out.push(" #[allow(unused_imports)] use ");
        out.copy(text, *span);
        out.push(" as _;");
    }
    if !seen.is_empty() {
        out.push(" };");
    }
    out
}

/// The item as it was, without the attributes that mean nothing to rustc, so that whatever uses it still finds it.
fn failed(
    text: &str,
    lowered: Option<&Lowered>,
    mut ours: Vec<Span>,
    errors: Vec<Diagnostic>,
) -> Expansion {
    ours.sort();
    ours.dedup();
    let mut out = Out::default();
    let mut done = 0;
    for span in ours {
        if span.range().start >= done {
            out.copy(text, Span::new(span.source, done, span.range().start));
            done = span.range().end;
        }
    }
    if let Some(rest) = text.get(done..) {
        let start = out.text.len();
        out.push(rest);
        out.marks.push(super::Mark {
            out: start..out.text.len(),
            source: done,
            whole: false,
        });
    }
    if let Some(lowered) = lowered
        && !matches!(lowered.shape, Shape::Service(_))
    {
        out.append(handed_on(text, lowered, ""));
    }
    Expansion {
        text: out.text,
        marks: out.marks,
        errors: errors.into_iter().map(in_rust).collect(),
    }
}

/// A tree of the items.
fn tree(source: SourceId, text: &str, settings: &Settings, items: Vec<ast::Item>) -> ast::File {
    ast::File {
        source,
        docs: Vec::new(),
        edition: None,
        package: settings.package.clone(),
        imports: Vec::new(),
        items,
        comments: Vec::new(),
        span: Span::new(source, 0, text.len()),
    }
}

/// Warnings cannot be given by a macro.
fn errors_of(found: Vec<Diagnostic>) -> Vec<Diagnostic> {
    found
        .into_iter()
        .filter(|found| found.severity == Severity::Error)
        .collect()
}

/// Puts errors about the definitions of other items at the name of this one, which is all that can be pointed at.
fn homed(errors: Vec<Diagnostic>, source: SourceId, lowered: &Lowered) -> Vec<Diagnostic> {
    let home = |mut error: Diagnostic| {
        if let Some(primary) = &mut error.primary
            && primary.span.source != source
        {
            primary.span = lowered.name.span;
        }
        error.secondary.retain(|label| label.span.source == source);
        error
    };
    errors.into_iter().map(home).collect()
}

fn options(lowered: &Lowered, merged: &Merged) -> emit::Options {
    let settings = &lowered.settings;
    let mut options = emit::Options {
        elsewhere: merged.elsewhere.clone(),
        ..emit::Options::default()
    };
    if let Some(path) = &settings.runtime_core {
        options.runtime_core.clone_from(path);
    }
    if let (Some(path), Some((backend, _))) = (&settings.runtime, settings.backends.first()) {
        options.runtimes.insert(*backend, path.clone());
    }
    options
}
