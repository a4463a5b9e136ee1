//! Attributes: documentation, deprecation, derives, the options of this crate, and what is handed on.

use syn::Meta;

use super::exprs::Paths;
use super::lower::{Lower, unraw};
use super::options::{Choice, Value};
use crate::ast::{self, AnnotationArg, AnnotationValue, ExprKind};
use crate::diag::{Code, Diagnostic};
use crate::source::Span;

/// What stands before an item or a part of one.
#[derive(Clone, Default)]
pub(super) struct Attributes {
    /// Documentation and annotations of the tree.
    pub(super) attrs: ast::Attrs,
    /// The options of `#[rpc(…)]`.
    pub(super) choices: Vec<Choice>,
    /// The types in `#[repr(…)]` and their places.
    pub(super) repr: Vec<(String, Span)>,
    /// Attributes that are no concern of this crate.
    pub(super) kept: Vec<Kept>,
    /// Documentation as it is written.
    pub(super) docs: Vec<Span>,
    /// Where `#[deprecated]` is written.
    pub(super) deprecated: Option<Span>,
}

/// An attribute that is handed on.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kept {
    /// As it stands.
    Whole(Span),
    /// A derive that this crate does not know.
    Derive(Span),
}

/// The derives that generated types have anyway.
const ALWAYS: [&str; 5] = ["Clone", "Copy", "Debug", "PartialEq", "Default"];
/// The derives that are had for asking.
const ASKED: [&str; 4] = ["Eq", "PartialOrd", "Ord", "Hash"];

impl Lower<'_> {
    /// Reads the attributes of an item, a field, a variant, a method or a parameter. `words` are attributes that are short
    /// for an option.
    pub(super) fn attributes(
        &mut self,
        attributes: &[syn::Attribute],
        words: &[&str],
    ) -> Attributes {
        let mut found = Attributes::default();
        for attribute in attributes {
            let place = self.place(attribute);
            let name = match attribute.path().segments.last() {
                Some(last) => unraw(&last.ident),
                None => continue,
            };
            match name.as_str() {
                "doc" => self.doc(attribute, place, &mut found),
                "deprecated" => {
                    found.deprecated = Some(place);
                    let reason = self.reason(attribute);
                    let reason = ast::Expr { kind: ExprKind::Str(reason), span: place };
                    let arg = AnnotationArg { key: None, value: AnnotationValue::Expr(reason) };
                    found.attrs.annotations.push(annotation("Deprecated", place, vec![arg]));
                }
                "rpc" => {
                    let choices = self.choices(attribute);
                    found.choices.extend(choices);
                    self.ours.push(place);
                }
                "rpc_message" | "rpc_service" => self.ours.push(place),
                "cfg" | "cfg_attr" => self.refuse(
                    Code::E0709,
                    place,
                    format!("`#[{name}]` inside a definition"),
                    "remove it; both ends must agree on the definition, however each of them was built",
                ),
                "derive" => self.derives(attribute, place, &mut found),
                "repr" => self.repr_list(attribute, &mut found),
                word if words.contains(&word) && matches!(attribute.meta, Meta::Path(_)) => {
                    self.ours.push(place);
                    let key = ast::Name { text: name, span: place };
                    found.choices.push(Choice { key, value: Value::None, span: place });
                }
                _ => found.kept.push(Kept::Whole(place)),
            }
        }
        self.no_repeats(&found.choices);
        found
    }

    /// Refuses options that are given twice.
    pub(super) fn no_repeats(&mut self, choices: &[Choice]) {
        for (index, choice) in choices.iter().enumerate() {
            let name = &choice.key.text;
            if let Some(earlier) = choices
                .iter()
                .take(index)
                .find(|other| other.key.text == *name)
            {
                let error =
                    Diagnostic::error(Code::E0603, choice.span, format!("`{name}` is given twice"));
                self.error(
                    error
                        .also(earlier.span, "first given here")
                        .help("keep one of them"),
                );
            }
        }
    }

    fn doc(&mut self, attribute: &syn::Attribute, place: Span, found: &mut Attributes) {
        let text = match &attribute.meta {
            Meta::NameValue(it) => match &it.value {
                syn::Expr::Lit(syn::ExprLit {
                    lit: syn::Lit::Str(lit),
                    ..
                }) => Some(lit.value()),
                // The text of a file, such as `include_str!("…")`, is known only to rustc.
                _ => None,
            },
            _ => None,
        };
        found.docs.push(place);
        for line in text.iter().flat_map(|text| text.split('\n')) {
            let line = line.strip_prefix(' ').unwrap_or(line).trim_end();
            found.attrs.docs.push(ast::Doc {
                text: line.to_owned(),
                span: place,
            });
        }
    }

    fn reason(&mut self, attribute: &syn::Attribute) -> String {
        let fallback = "it will be removed".to_owned();
        let literal = |expr: &syn::Expr| match expr {
            syn::Expr::Lit(syn::ExprLit {
                lit: syn::Lit::Str(lit),
                ..
            }) => Some(lit.value()),
            _ => None,
        };
        match &attribute.meta {
            Meta::Path(_) => fallback,
            Meta::NameValue(it) => literal(&it.value).unwrap_or(fallback),
            Meta::List(_) => {
                let choices = self.choices(attribute);
                let note = choices.iter().find(|choice| choice.key.text == "note");
                note.and_then(|note| match &note.value {
                    Value::Expr(expr) => literal(expr),
                    _ => None,
                })
                .unwrap_or(fallback)
            }
        }
    }

    fn derives(&mut self, attribute: &syn::Attribute, place: Span, found: &mut Attributes) {
        use syn::punctuated::Punctuated;
        let Ok(paths) =
            attribute.parse_args_with(Punctuated::<syn::Path, syn::Token![,]>::parse_terminated)
        else {
            found.kept.push(Kept::Whole(place));
            return;
        };
        let mut args = Vec::new();
        let kept = found.kept.len();
        for path in &paths {
            let span = self.place(path);
            let Some(last) = path.segments.last() else {
                continue;
            };
            let name = unraw(&last.ident);
            let root = path
                .segments
                .first()
                .map(|first| unraw(&first.ident))
                .unwrap_or_default();
            let standard = path.segments.len() == 1 || root == "core" || root == "std";
            if standard && ALWAYS.contains(&name.as_str()) {
                continue;
            }
            if standard && ASKED.contains(&name.as_str()) {
                let word = ast::Path {
                    segments: vec![ast::Name { text: name, span }],
                    span,
                };
                let value = AnnotationValue::Expr(ast::Expr {
                    kind: ExprKind::Path(word),
                    span,
                });
                args.push(AnnotationArg { key: None, value });
            } else {
                found.kept.push(Kept::Derive(span));
            }
        }
        if kept == found.kept.len() {
            // Without what is generated for a message there is nothing that these could be derived for.
            self.ours.push(place);
        }
        if args.is_empty() {
            return;
        }
        // Rust allows several derives on one item, an annotation stands once.
        match found
            .attrs
            .annotations
            .iter_mut()
            .find(|other| other.name.text == "Derive")
        {
            Some(earlier) => earlier.args.append(&mut args),
            None => found
                .attrs
                .annotations
                .push(annotation("Derive", place, args)),
        }
    }

    fn repr_list(&mut self, attribute: &syn::Attribute, found: &mut Attributes) {
        self.ours.push(self.place(attribute));
        for choice in self.choices(attribute) {
            found.repr.push((choice.key.text.clone(), choice.span));
        }
    }

    /// The annotation that an option stands for, if it stands for one. The options are the same for every part.
    pub(super) fn annotation_of(&mut self, choice: &Choice) -> Option<ast::Annotation> {
        let span = choice.span;
        let key = choice.key.text.as_str();
        let named = |text: &str| {
            Some(ast::Name {
                text: text.to_owned(),
                span: choice.key.span,
            })
        };
        Some(match key {
            "idempotent" if self.is_alone(choice) => annotation("Idempotent", span, Vec::new()),
            "allow_alias" if self.is_alone(choice) => annotation("AllowAlias", span, Vec::new()),
            "since" | "priority" | "max_size" => {
                let (name, example) = match key {
                    "since" => ("Since", "since = \"1.1\""),
                    "priority" => ("Priority", "priority = 1"),
                    _ => ("MaxSize", "max_size = 1024"),
                };
                let value = self.value_of(choice, example)?;
                annotation(
                    name,
                    span,
                    vec![AnnotationArg {
                        key: None,
                        value: AnnotationValue::Expr(value),
                    }],
                )
            }
            "deadline_us" | "deadline_ms" | "deadline_s" => {
                let unit = key.trim_start_matches("deadline_");
                let value = self.value_of(choice, "deadline_us = 50")?;
                let arg = AnnotationArg {
                    key: named(unit),
                    value: AnnotationValue::Expr(value),
                };
                annotation("Deadline", span, vec![arg])
            }
            "inproc" | "shm" | "rdma" => {
                let (name, example) = match key {
                    "inproc" => ("Inproc", "inproc(depth = 64)"),
                    "shm" => ("Shm", "shm(slots = 64)"),
                    _ => ("Rdma", "rdma(recv_depth = 64)"),
                };
                let Value::List(inner) = &choice.value else {
                    self.wrong_choice(choice, example);
                    return None;
                };
                let mut args = Vec::new();
                for inner in inner {
                    args.push(self.knob(inner, example)?);
                }
                annotation(name, span, args)
            }
            _ => return None,
        })
    }

    fn knob(&mut self, choice: &Choice, example: &str) -> Option<AnnotationArg> {
        match &choice.value {
            Value::None => {
                let name = choice.key.clone();
                let path = ast::Path {
                    span: name.span,
                    segments: vec![name],
                };
                let expr = ast::Expr {
                    span: path.span,
                    kind: ExprKind::Path(path),
                };
                Some(AnnotationArg {
                    key: None,
                    value: AnnotationValue::Expr(expr),
                })
            }
            Value::Expr(expr) => {
                let value = self.expr(expr, Paths::None);
                Some(AnnotationArg {
                    key: Some(choice.key.clone()),
                    value: AnnotationValue::Expr(value),
                })
            }
            Value::List(_) => {
                self.wrong_choice(choice, example);
                None
            }
        }
    }

    /// The expression that an option is set to.
    pub(super) fn value_of(&mut self, choice: &Choice, example: &str) -> Option<ast::Expr> {
        match &choice.value {
            Value::Expr(expr) => Some(self.expr(expr, Paths::None)),
            Value::None | Value::List(_) => {
                self.wrong_choice(choice, example);
                None
            }
        }
    }

    /// The numbers of `reserved = [7, 8..=15]`.
    pub(super) fn reserved_of(&mut self, choice: &Choice) -> Vec<ast::ReservedNumbers> {
        const EXAMPLE: &str = "reserved = [7, 8..=15]";
        let Value::Expr(expr) = &choice.value else {
            self.wrong_choice(choice, EXAMPLE);
            return Vec::new();
        };
        let items: Vec<&syn::Expr> = match &**expr {
            syn::Expr::Array(it) => it.elems.iter().collect(),
            other => vec![other],
        };
        let mut numbers = Vec::new();
        for item in items {
            let span = self.place(item);
            let (first, last) = match item {
                syn::Expr::Range(it) => match (&it.start, &it.limits, &it.end) {
                    (Some(first), syn::RangeLimits::Closed(_), Some(last)) => {
                        (&**first, Some(&**last))
                    }
                    _ => {
                        self.wrong_choice(choice, EXAMPLE);
                        continue;
                    }
                },
                other => (other, None),
            };
            let first = self.expr(first, Paths::None);
            let last = last.map(|last| self.expr(last, Paths::None));
            numbers.push(ast::ReservedNumbers { first, last, span });
        }
        numbers
    }
}

/// An annotation as if it had been written there.
pub(super) fn annotation(name: &str, span: Span, args: Vec<AnnotationArg>) -> ast::Annotation {
    ast::Annotation {
        name: ast::Name {
            text: name.to_owned(),
            span,
        },
        args,
        span,
    }
}
