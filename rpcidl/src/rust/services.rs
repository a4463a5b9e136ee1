//! `#[rpc_service]` on a trait.

use syn::spanned::Spanned as _;

use super::attrs::{Attributes, Kept};
use super::item::{Lowered, ServiceShape, Settings, Shape};
use super::lower::{Lower, unraw};
use super::options::Choice;
use super::types::{Native, Written};
use crate::ast::{self, Direction, InterfaceMember};
use crate::diag::{Code, Diagnostic};
use crate::source::Span;

/// A method or event in its Rust form.
#[derive(Debug)]
pub(super) struct MethodShape {
    /// Its name as written, which may be raw.
    pub(super) name: String,
    /// Where the name is.
    pub(super) place: Span,
    /// True for an event, which a server sends instead of answering it.
    pub(super) event: bool,
    /// Documentation.
    pub(super) docs: Vec<Span>,
    /// Where `#[deprecated]` is written.
    pub(super) deprecated: Option<Span>,
    /// Attributes that are handed on.
    pub(super) kept: Vec<Kept>,
    /// `fn`
    pub(super) word: Span,
    /// The brackets of the arguments.
    pub(super) brackets: Span,
    /// The `;` at the end.
    pub(super) end: Span,
    /// `&self` or `&mut self`
    pub(super) receiver: Span,
    /// The other parameters.
    pub(super) params: Vec<ParamShape>,
    /// What it returns.
    pub(super) result: Option<ValueShape>,
    /// The error type as written.
    pub(super) error: Option<Span>,
}

/// A parameter in its Rust form.
#[derive(Debug)]
pub(super) struct ParamShape {
    /// Its name as written, which may be raw.
    pub(super) name: String,
    /// Where the name is.
    pub(super) place: Span,
    /// How it is passed.
    pub(super) by: By,
    /// Its type.
    pub(super) value: ValueShape,
}

/// How a parameter is passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    Value,
    Reference,
    Mutable,
}

/// The type of a parameter or result in its Rust form.
#[derive(Debug)]
pub(super) struct ValueShape {
    /// Which of Rust's own types it is.
    pub(super) native: Native,
    /// True if what is written can stand in generated code.
    pub(super) verbatim: bool,
    /// Where it is written.
    pub(super) place: Span,
}

impl ValueShape {
    pub(super) fn new(written: &Written) -> Self {
        Self {
            native: written.native,
            verbatim: written.verbatim,
            place: written.ty.span,
        }
    }
}

const OPTIONS: &[&str] = &[
    "backend",
    "package",
    "reserved",
    "since",
    "deadline_us",
    "deadline_ms",
    "deadline_s",
    "inproc",
    "shm",
    "rdma",
    "crate",
    "macros",
    "runtime",
];
const METHOD_OPTIONS: &[&str] = &[
    "oneway",
    "event",
    "id",
    "idempotent",
    "since",
    "deadline_us",
    "deadline_ms",
    "deadline_s",
    "priority",
    "inproc",
    "shm",
    "rdma",
];
const PARAM_OPTIONS: &[&str] = &["out", "inout", "since"];
/// Supertraits that say nothing about the service.
const MARKERS: [&str; 6] = ["Send", "Sync", "Sized", "Unpin", "Debug", "Any"];

impl Lower<'_> {
    /// Reads a trait.
    pub(super) fn service(&mut self, it: &syn::ItemTrait, choices: &[Choice]) -> Option<Lowered> {
        let name = self.name(&it.ident);
        self.own = unraw(&it.ident);
        self.no_generics(&it.generics, "service");
        let mut found = self.attributes(&it.attrs, &[]);
        self.no_choices(&found);
        let mut settings = Settings::default();
        let mut members = Vec::new();
        for choice in choices {
            match choice.key.text.as_str() {
                _ if self.common(choice, &mut settings) => {}
                "runtime" => settings.runtime = self.path_of(choice, "runtime = ::runtime_inproc"),
                "backend" => self.backends(choice, &mut settings),
                "package" => settings.package = self.package(choice),
                "reserved" => members.extend(
                    self.reserved_of(choice)
                        .into_iter()
                        .map(InterfaceMember::Reserved),
                ),
                key if OPTIONS.contains(&key) => {
                    found.attrs.annotations.extend(self.annotation_of(choice));
                }
                _ => self.unknown_choice(choice, "rpc_service", OPTIONS),
            }
        }
        let given = |key: &str| choices.iter().find(|choice| choice.key.text == key);
        if let (Some(runtime), None) = (given("runtime"), given("backend")) {
            self.refuse(
                Code::E0705,
                runtime.key.span,
                "`runtime` is the crate of the first backend, and none is asked for",
                "write `backend = \"shm\"` as well, or the backend that is meant",
            );
        }
        found
            .attrs
            .annotations
            .extend(backends_annotation(&settings));
        self.trait_words(it);
        let mut methods = Vec::new();
        for item in &it.items {
            if let Some((method, shape)) = self.trait_item(item) {
                members.push(InterfaceMember::Method(method));
                methods.push(shape);
            }
        }
        let node = ast::Interface {
            attrs: found.attrs,
            oneway: None,
            name: name.clone(),
            base: None,
            members,
            span: self.place(it),
        };
        let bounds = it.colon_token.filter(|_| !it.supertraits.is_empty());
        let shape = ServiceShape {
            head: self.at(it.trait_token.span).to(name.span),
            body: self.at(it.brace_token.span.join()),
            bounds: bounds.map(|colon| self.place(&colon).to(self.place(&it.supertraits))),
            docs: found.docs,
            deprecated: found.deprecated,
            methods,
        };
        Some(Lowered {
            item: ast::Item::Interface(node),
            name,
            vis: self.visibility(&it.vis),
            kept: found.kept,
            settings,
            shape: Shape::Service(shape),
        })
    }

    /// What a trait may be besides a list of methods, and a service may not.
    fn trait_words(&mut self, it: &syn::ItemTrait) {
        if let Some(word) = &it.unsafety {
            let place = self.at(word.span);
            self.refuse(
                Code::E0703,
                place,
                "a service cannot be `unsafe`",
                "remove `unsafe`",
            );
        }
        if let Some(word) = &it.modifiers.auto_token {
            let place = self.at(word.span);
            self.refuse(
                Code::E0703,
                place,
                "a service cannot be an `auto` trait",
                "remove `auto`",
            );
        }
        for bound in &it.supertraits {
            let known = match bound {
                syn::TypeParamBound::Lifetime(it) => it.ident == "static",
                syn::TypeParamBound::Trait(it) => it
                    .path
                    .segments
                    .last()
                    .is_some_and(|last| MARKERS.contains(&unraw(&last.ident).as_str())),
                _ => false,
            };
            if !known {
                let place = self.place(bound);
                let text = self.slice(place).to_owned();
                self.error(
                    Diagnostic::error(Code::E0703, place, format!("a service cannot extend `{text}` here"))
                        .note("a macro sees only this trait, not the methods of another")
                        .help("write the methods of both in one trait, or use `extends` in an `.idl` file"),
                );
            }
        }
    }

    fn trait_item(&mut self, item: &syn::TraitItem) -> Option<(ast::Method, MethodShape)> {
        let (place, what, help) = match item {
            syn::TraitItem::Fn(it) => return self.method(it),
            syn::TraitItem::Const(it) => (
                self.at(it.const_token.span),
                "an associated constant",
                "move it out of the trait",
            ),
            syn::TraitItem::Type(it) => (
                self.at(it.type_token.span),
                "an associated type",
                "name a message where the type is used; both ends must know it",
            ),
            syn::TraitItem::Macro(it) => (
                self.place(&it.mac.path),
                "a macro",
                "write the methods out; a macro does not see what another gives",
            ),
            other => (
                self.place(other),
                "something other than methods",
                "remove it",
            ),
        };
        self.refuse(
            Code::E0703,
            place,
            format!("a service cannot hold {what}"),
            help,
        );
        None
    }

    fn method(&mut self, it: &syn::TraitItemFn) -> Option<(ast::Method, MethodShape)> {
        let sig = &it.sig;
        let name = self.name(&sig.ident);
        let mut found = self.attributes(&it.attrs, &["oneway", "event", "idempotent"]);
        self.method_words(it);
        let (mut oneway, mut event, mut id) = (None, None, None);
        for choice in std::mem::take(&mut found.choices) {
            match choice.key.text.as_str() {
                "oneway" if self.is_alone(&choice) => oneway = Some(choice.span),
                "event" if self.is_alone(&choice) => event = Some(choice.span),
                "oneway" | "event" => {}
                "id" => id = self.value_of(&choice, "id = 9"),
                key if METHOD_OPTIONS.contains(&key) => {
                    found.attrs.annotations.extend(self.annotation_of(&choice));
                }
                _ => self.unknown_choice(&choice, "rpc", METHOD_OPTIONS),
            }
        }
        let receiver = self.receiver(sig);
        let (mut params, mut shapes) = (Vec::new(), Vec::new());
        for input in &sig.inputs {
            let syn::FnArg::Typed(input) = input else {
                continue;
            };
            if let Some((param, shape)) = self.param(input) {
                params.push(param);
                shapes.push(shape);
            }
        }
        let (result, throws, result_shape, error) = self.output(&sig.output, name.span);
        let Attributes {
            attrs,
            kept,
            docs,
            deprecated,
            ..
        } = found;
        let shape = MethodShape {
            name: sig.ident.to_string(),
            place: name.span,
            event: event.is_some(),
            docs,
            deprecated,
            kept,
            word: self.at(sig.fn_token.span),
            brackets: self.at(sig.paren_token.span.join()),
            end: it.semi_token.map_or(name.span, |end| self.at(end.span)),
            receiver: receiver?,
            params: shapes,
            result: result_shape,
            error,
        };
        let span = self.place(sig);
        Some((
            ast::Method {
                attrs,
                oneway,
                event,
                result,
                name,
                params,
                throws,
                id,
                span,
            },
            shape,
        ))
    }

    /// What a function may be besides a method of a service.
    fn method_words(&mut self, it: &syn::TraitItemFn) {
        let sig = &it.sig;
        let mut found: Vec<(proc_macro2::Span, &str, &str)> = Vec::new();
        if let Some(word) = &sig.asyncness {
            let help =
                "remove `async`; every method has an asynchronous stub as well, named `…_async`";
            found.push((word.span, "a method of a service cannot be `async`", help));
        }
        if let Some(word) = &sig.constness {
            found.push((
                word.span,
                "a method of a service cannot be `const`",
                "remove `const`",
            ));
        }
        if let syn::Safety::Unsafe(word) = &sig.safety {
            found.push((
                word.span,
                "a method of a service cannot be `unsafe`",
                "remove `unsafe`",
            ));
        }
        if let Some(abi) = &sig.abi {
            found.push((
                abi.extern_token.span,
                "a method of a service cannot be `extern`",
                "remove it",
            ));
        }
        if let Some(variadic) = &sig.variadic {
            let message = "a method of a service has a fixed number of arguments";
            found.push((variadic.span(), message, "write a `List<T, N>`"));
        }
        if let Some(body) = &it.default {
            let help = "end the declaration with `;`; the server implements it";
            found.push((
                body.span(),
                "a method of a service cannot have a body",
                help,
            ));
        }
        for (span, message, help) in found {
            let place = self.at(span);
            self.refuse(Code::E0703, place, message, help);
        }
        self.no_generics(&sig.generics, "method");
    }

    fn receiver(&mut self, sig: &syn::Signature) -> Option<Span> {
        let help = "write `&self` or `&mut self`";
        let Some(syn::FnArg::Receiver(receiver)) = sig.inputs.first() else {
            let place = self.at(sig.ident.span());
            self.refuse(
                Code::E0703,
                place,
                "a method of a service needs a receiver",
                help,
            );
            return None;
        };
        let place = self.place(receiver);
        match &receiver.kind {
            syn::ReceiverKind::Reference(_, None, _) => Some(place),
            syn::ReceiverKind::Reference(_, Some(lifetime), _) => {
                let place = self.at(lifetime.span());
                self.refuse(Code::E0702, place, "a method cannot have lifetimes", help);
                None
            }
            _ => {
                self.refuse(
                    Code::E0703,
                    place,
                    "a method cannot take the server apart",
                    help,
                );
                None
            }
        }
    }

    fn param(&mut self, input: &syn::PatType) -> Option<(ast::Param, ParamShape)> {
        let span = self.place(input);
        let found = self.attributes(&input.attrs, &["out", "inout"]);
        let mut attrs = found.attrs;
        let mut flag = None;
        for choice in &found.choices {
            match choice.key.text.as_str() {
                "out" if self.is_alone(choice) => flag = Some((Direction::Out, choice.span)),
                "inout" if self.is_alone(choice) => {
                    flag = flag.or(Some((Direction::InOut, choice.span)));
                }
                "out" | "inout" => {}
                "since" => attrs.annotations.extend(self.annotation_of(choice)),
                _ => self.unknown_choice(choice, "rpc", PARAM_OPTIONS),
            }
        }
        let ident = match &*input.pat {
            syn::Pat::Ident(it)
                if it.by_ref.is_none() && it.mutability.is_none() && it.subpat.is_none() =>
            {
                &it.ident
            }
            other => {
                let place = self.place(other);
                let help = "give the argument a name, such as `key: &Key`";
                self.refuse(
                    Code::E0703,
                    place,
                    "an argument of a method is a name and a type",
                    help,
                );
                return None;
            }
        };
        let name = self.name(ident);
        let (written, by, direction) = self.passed(&input.ty, flag);
        let value = ValueShape::new(&written);
        let shape = ParamShape {
            name: ident.to_string(),
            place: name.span,
            by,
            value,
        };
        Some((
            ast::Param {
                attrs,
                direction: Some(direction),
                ty: written.ty,
                name,
                span,
            },
            shape,
        ))
    }

    /// The type of a parameter, how it is passed, and which way it travels.
    fn passed(
        &mut self,
        ty: &syn::Type,
        flag: Option<(Direction, Span)>,
    ) -> (Written, By, (Direction, Span)) {
        let place = self.place(ty);
        match ty {
            syn::Type::Paren(it) => self.passed(&it.elem, flag),
            syn::Type::Group(it) => self.passed(&it.elem, flag),
            syn::Type::Reference(it) => {
                if let Some(lifetime) = &it.lifetime {
                    let place = self.at(lifetime.span());
                    let help = "remove it; an argument is borrowed for the call";
                    self.refuse(Code::E0702, place, "a method cannot have lifetimes", help);
                }
                let written = self.ty(&it.elem);
                match (&it.mutability, flag) {
                    (Some(_), flag) => (
                        written,
                        By::Mutable,
                        flag.unwrap_or((Direction::InOut, place)),
                    ),
                    (None, None) => (written, By::Reference, (Direction::In, place)),
                    (None, Some((direction, span))) => {
                        let and = self.at(it.and_token.span);
                        let help = "write `&mut`, for the server writes it";
                        self.refuse(
                            Code::E0706,
                            and,
                            "an argument that comes back is passed by `&mut`",
                            help,
                        );
                        (written, By::Mutable, (direction, span))
                    }
                }
            }
            _ => {
                let written = self.ty(ty);
                match flag {
                    // Without `&mut` the meaning is clear as well; the trait gets it.
                    Some(direction) => (written, By::Mutable, direction),
                    None => (written, By::Value, (Direction::In, place)),
                }
            }
        }
    }
}

/// `@Backends`, as the option says it; `None` if it names none.
fn backends_annotation(settings: &Settings) -> Option<ast::Annotation> {
    let names: Vec<ast::Name> = settings
        .backends
        .iter()
        .map(|(backend, span)| ast::Name {
            text: crate::backend_name(*backend).to_owned(),
            span: *span,
        })
        .collect();
    let place = names.iter().map(|name| name.span).reduce(Span::to)?;
    let set = ast::AnnotationValue::Set(names, place);
    Some(super::attrs::annotation(
        "Backends",
        place,
        vec![ast::AnnotationArg {
            key: None,
            value: set,
        }],
    ))
}
