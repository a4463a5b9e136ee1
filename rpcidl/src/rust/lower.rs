//! The state of reading one Rust item: places, diagnostics, and what the item refers to.

use std::collections::BTreeMap;

use proc_macro2::{Ident, Span as TokenSpan};
use syn::spanned::Spanned;

use crate::ast;
use crate::diag::{Code, Diagnostic, Findings};
use crate::source::{SourceId, Span};

/// How the path of a type that is declared elsewhere becomes a name of the tree.
#[derive(Clone, Debug)]
pub(super) enum Names {
    /// Nothing is known yet: such a type becomes an invalid node, which the checks pass over.
    Unknown,
    /// The names by path as written.
    Given(BTreeMap<String, String>),
    /// The last segment is the name, for a whole file.
    LastSegment,
}

/// A type of another item that an item refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reference {
    /// The path as written, without spaces.
    pub(super) path: String,
    /// Where it is first written.
    pub(super) span: Span,
}

/// Reads Rust items of one text into the tree.
#[derive(Debug)]
pub(super) struct Lower<'t> {
    /// The text.
    pub(super) text: &'t str,
    /// Its id.
    pub(super) source: SourceId,
    /// What was found.
    pub(super) findings: Findings,
    /// Types of other items, each path once, in the order in which they are first written.
    pub(super) references: Vec<Reference>,
    /// What is known of them.
    pub(super) names: Names,
    /// The name of the item itself, which needs no other definition.
    pub(super) own: String,
    /// The paths of the runtime's types that are written but do not reach the output, so that importing them has an effect.
    pub(super) unspoken: Vec<Span>,
    /// Attributes of this crate, which no other may see.
    pub(super) ours: Vec<Span>,
}

impl<'t> Lower<'t> {
    /// Reads items of `text`.
    pub(super) fn new(text: &'t str, source: SourceId, names: Names) -> Self {
        Self {
            text,
            source,
            findings: Findings::default(),
            references: Vec::new(),
            names,
            own: String::new(),
            unspoken: Vec::new(),
            ours: Vec::new(),
        }
    }

    /// The place of a token.
    pub(super) fn at(&self, span: TokenSpan) -> Span {
        let range = span.byte_range();
        Span::new(self.source, range.start, range.end)
    }

    /// The place of a part of the syntax.
    pub(super) fn place(&self, node: &impl Spanned) -> Span {
        self.at(node.span())
    }

    /// The text of a place.
    pub(super) fn slice(&self, span: Span) -> &'t str {
        self.text.get(span.range()).unwrap_or("")
    }

    /// Records an error.
    pub(super) fn error(&mut self, error: Diagnostic) {
        self.findings.push(error);
    }

    /// Records an error that has a help text.
    pub(super) fn refuse(
        &mut self,
        code: Code,
        span: Span,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.error(Diagnostic::error(code, span, message).help(help));
    }

    /// A name. The language has only ASCII names, so that they look the same to everybody.
    pub(super) fn name(&mut self, ident: &Ident) -> ast::Name {
        let text = unraw(ident);
        let span = self.at(ident.span());
        if !text.is_ascii() {
            self.refuse(
                Code::E0708,
                span,
                format!("name `{text}` has letters outside of ASCII"),
                "write it with the letters `a` to `z`, digits and `_`",
            );
        }
        ast::Name { text, span }
    }

    /// The name in the tree of a type that another item declares, or `None` if it is not known.
    pub(super) fn reference(&mut self, path: &syn::Path) -> Option<ast::Path> {
        let span = self.place(path);
        let written = path_text(path);
        let last = path.segments.last()?;
        let name = if written == self.own {
            Some(written)
        } else {
            if self.references.iter().all(|other| other.path != written) {
                self.references.push(Reference {
                    path: written.clone(),
                    span,
                });
            }
            match &self.names {
                Names::Unknown => None,
                Names::Given(names) => names.get(&written).cloned(),
                Names::LastSegment => Some(unraw(&last.ident)),
            }
        };
        name.map(|text| ast::Path {
            segments: vec![ast::Name { text, span }],
            span,
        })
    }
}

/// A name without `r#`.
pub(super) fn unraw(ident: &Ident) -> String {
    let text = ident.to_string();
    match text.strip_prefix("r#") {
        Some(bare) => bare.to_owned(),
        None => text,
    }
}

/// A path as it is written, without spaces.
pub(super) fn path_text(path: &syn::Path) -> String {
    let start = if path.leading_colon.is_some() {
        "::"
    } else {
        ""
    };
    let segments: Vec<String> = path
        .segments
        .iter()
        .map(|segment| segment.ident.to_string())
        .collect();
    format!("{start}{}", segments.join("::"))
}

/// A generated name without `r#`.
pub(super) fn bare(name: &str) -> String {
    name.strip_prefix("r#").unwrap_or(name).to_owned()
}

/// A name as it is written in Rust, with `r#` if it is a keyword.
pub(super) fn escaped(name: &str) -> String {
    if syn::parse_str::<Ident>(name).is_ok() {
        name.to_owned()
    } else {
        format!("r#{name}")
    }
}
