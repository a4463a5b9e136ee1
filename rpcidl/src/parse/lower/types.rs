//! Lowers uses of types.

use super::{Kids, Lower, Node};
use crate::ast::{Expr, Path, Type, TypeKind};
use crate::diag::{Code, Diagnostic};
use crate::parse::grammar::Rule;
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
                sizes.push(self.value(size, open));
            }
        }
        self.arrays(ty, &mut sizes, end)
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
        // As the grammar has read them: without comments, and in one line.
        let inner = arguments.as_str().trim_end().replace('\n', " ");
        let inner = inner.strip_prefix('<').unwrap_or(&inner);
        let inner = inner.strip_suffix('>').unwrap_or(inner);
        let written = self.start(&arguments) + 1..end.saturating_sub(1);
        let written = self.text.get(written).unwrap_or_default().trim();
        let error = Self::unexpected_arguments(&path, span, inner.trim(), written);
        self.report(span, error);
        Self::invalid_type(span)
    }

    fn unexpected_arguments(path: &Path, span: Span, inner: &str, written: &str) -> Diagnostic {
        let names: Vec<&str> = path
            .segments
            .iter()
            .map(|name| name.text.as_str())
            .collect();
        let name = names.join(".");
        let error = Diagnostic::error(
            Code::E0114,
            span,
            format!("type `{name}` takes no arguments"),
        );
        let last = names.last().copied().unwrap_or_default();
        match last.to_ascii_lowercase().as_str() {
            "list" | "arraylist" | "vector" | "sequence" | "array" | "repeated" | "span"
            | "slice" => error.label("a list has a bound here").help(format!(
                "write `vec<{}, N>` with the greatest number of elements as `N`",
                element(inner)
            )),
            "option" | "optional" => {
                error.fix("write `?` after the type", span, format!("{written}?"))
            }
            "map" | "hashmap" | "dictionary" | "btreemap" => error
                .label("there are no maps")
                .help("write a `vec` of a struct with a key and a value"),
            "result" => error
                .label("results are not generic")
                .help("write the result type, and the error after `throws`"),
            "str" | "text" | "fixedstring" | "staticstring" => {
                error.help(format!("write `string<{}>`", element(inner)))
            }
            _ => error
                .label("arguments are not allowed here")
                .help("only `string`, `bytes`, `vec` and `buffer` take arguments"),
        }
    }
}

/// The first of the arguments, for a proposal.
fn element(inner: &str) -> &str {
    let first = inner.split(',').next().unwrap_or_default().trim();
    if first.is_empty() || first.contains('<') {
        "T"
    } else {
        first
    }
}
