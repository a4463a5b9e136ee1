//! Lowers uses of types.

use super::{Kids, Lower, Node};
use crate::ast::{Expr, ExprKind, Path, Type, TypeKind};
use crate::diag::{Code, Diagnostic};
use crate::parse::grammar::Rule;
use crate::parse::words::{self, Generic};
use crate::resolve::{Foreign, foreign};
use crate::source::Span;

impl Lower<'_> {
    pub(super) fn ty(&mut self, node: Node<'_>) -> Type {
        let start = self.start(&node);
        let mut kids = Kids::new(node);
        let Some(base) = kids.pairs.next() else {
            return Self::invalid_type(self.span(start, start));
        };
        let mut ty = self.base_type(base);
        let mut sizes: Vec<Expr> = Vec::new();
        let mut end = ty.span.end as usize;
        for suffix in kids.pairs {
            if suffix.as_rule() == Rule::optional {
                ty = self.arrays(ty, &mut sizes, end);
                end = self.end_of(&suffix);
                ty = Type {
                    kind: TypeKind::Optional(Box::new(ty)),
                    span: self.span(start, end),
                };
            } else {
                let open = self.span(self.start(&suffix), self.start(&suffix) + 1);
                end = self.end_of(&suffix);
                let size = suffix.into_inner().next();
                let size = size.filter(|size| size.as_rule() == Rule::expr);
                sizes.push(match size {
                    Some(size) => self.value(Some(size), open),
                    None => self.no_size(&ty, open),
                });
            }
        }
        self.arrays(ty, &mut sizes, end)
    }

    /// `T[]`, which is a list in other languages.
    fn no_size(&mut self, element: &Type, open: Span) -> Expr {
        let range = element.span.range();
        let text = self.text.get(range).unwrap_or("T");
        // One that needs a bound itself.
        let text = match text {
            "string" => "string<64>",
            "bytes" => "bytes<64>",
            "byte" | "char" => "u8",
            text => match foreign(text) {
                Some((_, Foreign::Exactly(ours) | Foreign::Bounded(ours))) => ours,
                _ => text,
            },
        };
        let list = match text {
            "u8" => "bytes<N>".to_owned(),
            _ => format!("vec<{text}, N>"),
        };
        let error = Diagnostic::error(Code::E0106, open, "an array without a size")
            .label("expected a number after this")
            .help(format!(
                "write `{list}` for up to `N` elements, or `{text}[N]` for exactly `N`"
            ));
        self.report(element.span.to(open), error);
        Expr {
            kind: ExprKind::Invalid,
            span: open,
        }
    }

    /// Wraps a type in a run of array suffixes. The first is the outermost: `T[3][2]` is 3 arrays of 2.
    fn arrays(&self, element: Type, sizes: &mut Vec<Expr>, end: usize) -> Type {
        let start = element.span.start as usize;
        sizes.drain(..).rev().fold(element, |element, size| Type {
            kind: TypeKind::Array(Box::new(element), Box::new(size)),
            span: self.span(start, end),
        })
    }

    fn base_type(&mut self, node: Node<'_>) -> Type {
        let (rule, start) = (node.as_rule(), self.start(&node));
        if rule == Rule::named_type {
            return self.named_type(node);
        }
        let mut end = start;
        let (mut element, mut bound, mut access) = (None, None, None);
        for kid in node.into_inner() {
            match kid.as_rule() {
                Rule::ty => element = Some(Box::new(self.ty(kid))),
                Rule::angle_expr => bound = Some(Box::new(self.angle_expr(kid))),
                Rule::name => access = Some(self.name(&kid)),
                // Keywords and the closing bracket.
                _ => end = self.end_of(&kid),
            }
        }
        let kind = match rule {
            Rule::string_type => TypeKind::String(bound),
            Rule::bytes_type => TypeKind::Bytes(bound),
            Rule::vec_type => TypeKind::Vec(element, bound),
            Rule::buffer_type => TypeKind::Buffer(access),
            Rule::void_type => TypeKind::Void,
            _ => TypeKind::Invalid,
        };
        Type {
            kind,
            span: self.span(start, end),
        }
    }

    fn named_type(&mut self, node: Node<'_>) -> Type {
        let start = self.start(&node);
        let mut kids = Kids::new(node);
        let Some(path) = kids.take(Rule::path) else {
            return Self::invalid_type(self.span(start, start));
        };
        let path = self.path(path);
        let Some(arguments) = kids.take(Rule::bad_arguments) else {
            let span = path.span;
            return Type {
                kind: TypeKind::Named(path),
                span,
            };
        };
        let close = arguments.clone().into_inner().last();
        let end = close.map_or(path.span.end as usize, |close| self.end_of(&close));
        let span = self.span(start, end);
        let error = self.unexpected_arguments(&path, span, arguments);
        self.report(span, error);
        Self::invalid_type(span)
    }

    fn unexpected_arguments(&self, path: &Path, span: Span, arguments: Node<'_>) -> Diagnostic {
        let names: Vec<&str> = path
            .segments
            .iter()
            .map(|name| name.text.as_str())
            .collect();
        let name = names.join(".");
        let arguments: Vec<Argument<'_>> = arguments
            .into_inner()
            .filter(|node| node.as_rule() != Rule::close_angle)
            .map(|node| self.argument(&node))
            .collect();
        let error = Diagnostic::error(
            Code::E0114,
            span,
            format!("type `{name}` takes no arguments"),
        );
        let last = names.last().copied().unwrap_or_default();
        let Some(generic) = words::foreign_generic(last) else {
            // A name of another package is not a slip of one of these.
            let similar = words::similar_generic(&name);
            return match similar.filter(|keyword| fit(keyword, &arguments)) {
                Some(keyword) => error.fix(
                    format!("did you mean `{keyword}<{}>`?", joined(&arguments)),
                    path.span,
                    keyword,
                ),
                None => error
                    .label("arguments are not allowed here")
                    .help(match last {
                        "callback" | "Callback" | "function" | "delegate" | "listener" => {
                            "declare an `event`, which goes from the server to its clients"
                        }
                        "future" | "Future" | "promise" | "Promise" => {
                            "write what it yields; every call can be awaited"
                        }
                        "set" | "Set" | "HashSet" | "BTreeSet" => "write `vec<T, N>`",
                        _ => "only `string`, `bytes`, `vec` and `buffer` take arguments",
                    }),
            };
        };
        match (generic, arguments.as_slice()) {
            // The name alone is replaced, so comments between the arguments stay.
            (Generic::Keyword(keyword), arguments) if fit(keyword, arguments) => error.fix(
                format!("write `{keyword}<{}>`", joined(arguments)),
                path.span,
                keyword,
            ),
            (Generic::Keyword("vec"), arguments) => {
                error.label("a list has a bound here").help(format!(
                    "write `vec<{}, N>` with the greatest number of elements as `N`",
                    element(arguments)
                ))
            }
            (Generic::Keyword("buffer"), _) => {
                error.help("write `buffer<read>` or `buffer<write>`")
            }
            (Generic::Keyword(keyword), _) => error.help(format!(
                "write `{keyword}<N>` with the greatest number of bytes as `N`"
            )),
            // The first suffix is the outermost, so a size cannot just be put after those of an element.
            (Generic::Array, [element, size])
                if element.is_type && size.may_be_value && !element.text.ends_with(']') =>
            {
                error.fix(
                    format!("write `{}[{}]`", element.text, size.text),
                    span,
                    format!("{}[{}]", element.written, size.written),
                )
            }
            (Generic::Array, arguments) => {
                let element = Some(element(arguments)).filter(|it| !it.ends_with(']'));
                let element = element.unwrap_or("T");
                error.help(format!(
                    "write `{element}[N]` for exactly `N` elements, or `vec<{element}, N>` for up to `N`"
                ))
            }
            (Generic::Optional, [value]) if value.is_type && !value.text.ends_with('?') => error
                .fix(
                    format!("write `{}?`", value.text),
                    span,
                    format!("{}?", value.written),
                ),
            (Generic::Optional, _) => error.help("write one `?` after the type"),
            (Generic::Flags, [flags]) if flags.is_type || flags.may_be_value => error.fix(
                format!("write `{}`, the name of a `flags` type", flags.text),
                span,
                flags.written,
            ),
            (Generic::Flags, _) => error.help("write the name of a `flags` type"),
            (Generic::Map, _) => error
                .label("there are no maps")
                .help("write a `vec` of a struct with a key and a value"),
            (Generic::Result, _) => error
                .label("results are not generic")
                .help("write the result type, and the error after `throws`"),
        }
    }

    fn argument(&self, node: &Node<'_>) -> Argument<'_> {
        let text = node.as_str().trim_end().replace('\n', " ");
        let is_type = node.as_rule() == Rule::ty;
        // A constant's name is read as a type.
        let may_be_value = !is_type
            || text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.'))
                && !words::is_builtin_type(&text);
        Argument {
            text,
            written: self
                .text
                .get(self.node_span(node).range())
                .unwrap_or_default(),
            is_type,
            may_be_value,
        }
    }
}

/// An argument of a type that takes none.
struct Argument<'a> {
    /// As the grammar has read it: without comments, and in one line.
    text: String,
    /// As it was written.
    written: &'a str,
    /// True if it was read as a type.
    is_type: bool,
    /// True if it can be read as a bound or a size.
    may_be_value: bool,
}

/// True if a type with that keyword can have these arguments.
fn fit(keyword: &str, arguments: &[Argument<'_>]) -> bool {
    match (keyword, arguments) {
        ("string" | "bytes", [bound]) => bound.may_be_value,
        ("vec", [element, bound]) => element.is_type && bound.may_be_value,
        ("buffer", [access]) => matches!(access.text.as_str(), "read" | "write"),
        _ => false,
    }
}

fn joined(arguments: &[Argument<'_>]) -> String {
    let texts: Vec<&str> = arguments.iter().map(|it| it.text.as_str()).collect();
    texts.join(", ")
}

/// The first of the arguments, for a proposal.
fn element<'a>(arguments: &'a [Argument<'_>]) -> &'a str {
    match arguments.first() {
        Some(first) if first.is_type && !first.text.contains('<') => &first.text,
        _ => "T",
    }
}
