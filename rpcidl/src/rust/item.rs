//! One item with `#[rpc_message]` or `#[rpc_service]`, and what the attribute itself says.

use super::attrs::{Attributes, Kept};
use super::enums::VariantShape;
use super::lower::{Lower, unraw};
use super::messages::FieldShape;
use super::options::{Choice, Value};
use super::services::MethodShape;
use crate::ast;
use crate::diag::{Code, Diagnostic};
use crate::ir::Backend;
use crate::parse;
use crate::source::Span;

/// An item that was read.
#[derive(Debug)]
pub(super) struct Lowered {
    /// The declaration.
    pub(super) item: ast::Item,
    /// The name.
    pub(super) name: ast::Name,
    /// The visibility as written.
    pub(super) vis: Option<Span>,
    /// Attributes that are handed on.
    pub(super) kept: Vec<Kept>,
    /// What the attribute says.
    pub(super) settings: Settings,
    /// The parts in their Rust form.
    pub(super) shape: Shape,
}

/// The parts of an item in their Rust form, in the order of the declaration.
#[derive(Debug)]
pub(super) enum Shape {
    /// A struct.
    Struct(Vec<FieldShape>),
    /// An enumeration.
    Enum(Vec<VariantShape>),
    /// A trait.
    Service(ServiceShape),
}

/// A trait in its Rust form.
#[derive(Debug)]
pub(super) struct ServiceShape {
    /// What stands between the visibility and the name's end: `trait Name`.
    pub(super) head: Span,
    /// The braces.
    pub(super) body: Span,
    /// Supertraits, with the colon.
    pub(super) bounds: Option<Span>,
    /// Documentation.
    pub(super) docs: Vec<Span>,
    /// Where `#[deprecated]` is written.
    pub(super) deprecated: Option<Span>,
    /// Methods and events.
    pub(super) methods: Vec<MethodShape>,
}

/// What the attribute of an item says besides the definition.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    /// `crate = ::path`: the crate `runtime-core`.
    pub(super) runtime_core: Option<String>,
    /// `macros = ::path`: the crate of the macros.
    pub(super) macros: Option<String>,
    /// `runtime = ::path`: the crate of the first backend.
    pub(super) runtime: Option<String>,
    /// `backend = "inproc"`
    pub(super) backends: Vec<(Backend, Span)>,
    /// `package = "acme.kv@1.2"`
    pub(super) package: Option<ast::Package>,
}

/// Which of the two attributes an item has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Message,
    Service,
}

impl Kind {
    /// The name of the attribute.
    pub(super) fn attribute(self) -> &'static str {
        match self {
            Self::Message => "rpc_message",
            Self::Service => "rpc_service",
        }
    }
}

/// The attribute of this crate among others.
pub(super) fn main_attribute(attributes: &[syn::Attribute]) -> Option<(Kind, &syn::Attribute)> {
    attributes.iter().find_map(|attribute| {
        let last = attribute.path().segments.last()?;
        let kind = match unraw(&last.ident).as_str() {
            "rpc_message" => Kind::Message,
            "rpc_service" => Kind::Service,
            _ => return None,
        };
        Some((kind, attribute))
    })
}

impl Lower<'_> {
    /// Reads an item; `None` if it is of the wrong kind.
    pub(super) fn item(&mut self, item: &syn::Item) -> Option<Lowered> {
        let (kind, attribute) = main_attribute(attributes_of(item))?;
        let choices = self.choices(attribute);
        self.no_repeats(&choices);
        match (kind, item) {
            (Kind::Message, syn::Item::Struct(it)) => self.structure(it, &choices),
            (Kind::Message, syn::Item::Enum(it)) => self.enumeration(it, &choices),
            (Kind::Service, syn::Item::Trait(it)) => self.service(it, &choices),
            _ => {
                self.wrong_kind(kind, item, attribute);
                None
            }
        }
    }

    fn wrong_kind(&mut self, kind: Kind, item: &syn::Item, attribute: &syn::Attribute) {
        let place = match keyword(item) {
            Some(span) => self.at(span),
            None => self.place(attribute),
        };
        let (what, help) = match kind {
            Kind::Message => (
                "a struct or an enum",
                match item {
                    syn::Item::Trait(_) => "for a trait, write `#[rpc_service]`",
                    syn::Item::Union(_) => "declare a tagged union in an `.idl` file",
                    syn::Item::Type(_) => "remove it, and write the type itself where it is used",
                    _ => "put it on a struct or an enum",
                },
            ),
            Kind::Service => (
                "a trait",
                match item {
                    syn::Item::Struct(_) | syn::Item::Enum(_) => {
                        "for a message, write `#[rpc_message]`"
                    }
                    syn::Item::Impl(_) => "put it on the trait, which both ends can see",
                    _ => "put it on a trait with a method for each call",
                },
            ),
        };
        let attribute = kind.attribute();
        self.refuse(
            Code::E0701,
            place,
            format!("`#[{attribute}]` belongs on {what}"),
            help,
        );
    }

    /// Reads an option that every attribute has; false if it is none of them.
    pub(super) fn common(&mut self, choice: &Choice, settings: &mut Settings) -> bool {
        match choice.key.text.as_str() {
            "crate" => settings.runtime_core = self.path_of(choice, "crate = ::runtime_core"),
            "macros" => settings.macros = self.path_of(choice, "macros = ::rpcidl_macros"),
            _ => return false,
        }
        true
    }

    /// `backend = "inproc"`
    pub(super) fn backends(&mut self, choice: &Choice, settings: &mut Settings) {
        let items: Vec<&syn::Expr> = match &choice.value {
            Value::Expr(expr) => match &**expr {
                syn::Expr::Array(it) if !it.elems.is_empty() => it.elems.iter().collect(),
                other => vec![other],
            },
            Value::None | Value::List(_) => Vec::new(),
        };
        if items.is_empty() {
            self.wrong_choice(choice, "backend = \"inproc\"");
        }
        for item in items {
            let syn::Expr::Lit(syn::ExprLit {
                lit: syn::Lit::Str(lit),
                ..
            }) = item
            else {
                self.wrong_choice(choice, "backend = \"inproc\"");
                continue;
            };
            let (name, span) = (lit.value(), self.at(lit.span()));
            match crate::backend(&name) {
                Ok(backend) if settings.backends.iter().any(|(other, _)| *other == backend) => {
                    self.refuse(
                        Code::E0605,
                        span,
                        format!("backend `{name}` is named twice"),
                        "name it once",
                    );
                }
                Ok(backend) => settings.backends.push((backend, span)),
                Err(error) => {
                    let mut error = *error;
                    error.primary = Some(crate::diag::Label {
                        span,
                        text: String::new(),
                    });
                    self.error(error);
                }
            }
        }
    }

    /// `package = "acme.kv@1.2"`
    pub(super) fn package(&mut self, choice: &Choice) -> Option<ast::Package> {
        const EXAMPLE: &str = "package = \"acme.kv@1.2\"";
        let (text, span) = self.text_of(choice, EXAMPLE)?;
        let statement = format!("package {text};");
        let (file, found) = parse::parse(self.source, &statement);
        match file.package {
            Some(mut package)
                if found.is_empty() && file.items.is_empty() && file.imports.is_empty() =>
            {
                for name in &mut package.path.segments {
                    name.span = span;
                }
                package.path.span = span;
                package.span = span;
                if let Some((major, minor)) = &mut package.version {
                    (major.span, minor.span) = (span, span);
                }
                Some(package)
            }
            _ => {
                let error = Diagnostic::error(
                    Code::E0706,
                    span,
                    format!("`{text}` is not the name of a package"),
                );
                self.error(error.help(format!(
                    "write it like `{EXAMPLE}`; the version may be left out"
                )));
                None
            }
        }
    }

    /// Refuses parameters and bounds of an item.
    pub(super) fn no_generics(&mut self, generics: &syn::Generics, what: &str) {
        let place = match (generics.params.is_empty(), &generics.where_clause) {
            (false, _) => self.place(&generics.params),
            (true, Some(clause)) => self.place(clause),
            (true, None) => return,
        };
        let help = format!("write one {what} for each type that it is needed with");
        self.refuse(
            Code::E0702,
            place,
            format!("a {what} cannot be generic"),
            help,
        );
    }

    /// Refuses options of `#[rpc(…)]` where none are known.
    pub(super) fn no_choices(&mut self, attributes: &Attributes) {
        for choice in &attributes.choices {
            self.unknown_choice(choice, "rpc", &[]);
        }
    }
}

/// The attributes of an item.
pub(super) fn attributes_of(item: &syn::Item) -> &[syn::Attribute] {
    match item {
        syn::Item::Const(it) => &it.attrs,
        syn::Item::Enum(it) => &it.attrs,
        syn::Item::ExternCrate(it) => &it.attrs,
        syn::Item::Fn(it) => &it.attrs,
        syn::Item::Impl(it) => &it.attrs,
        syn::Item::Macro(it) => &it.attrs,
        syn::Item::Mod(it) => &it.attrs,
        syn::Item::Static(it) => &it.attrs,
        syn::Item::Struct(it) => &it.attrs,
        syn::Item::Trait(it) => &it.attrs,
        syn::Item::TraitAlias(it) => &it.attrs,
        syn::Item::Type(it) => &it.attrs,
        syn::Item::Union(it) => &it.attrs,
        syn::Item::Use(it) => &it.attrs,
        _ => &[],
    }
}

/// The word that says what an item is.
fn keyword(item: &syn::Item) -> Option<proc_macro2::Span> {
    Some(match item {
        syn::Item::Const(it) => it.const_token.span,
        syn::Item::Enum(it) => it.enum_token.span,
        syn::Item::Fn(it) => it.sig.fn_token.span,
        syn::Item::Impl(it) => it.impl_token.span,
        syn::Item::Mod(it) => it.mod_token.span,
        syn::Item::Static(it) => it.static_token.span,
        syn::Item::Struct(it) => it.struct_token.span,
        syn::Item::Trait(it) => it.trait_token.span,
        syn::Item::Type(it) => it.type_token.span,
        syn::Item::Union(it) => it.union_token.span,
        syn::Item::Use(it) => it.use_token.span,
        _ => return None,
    })
}
