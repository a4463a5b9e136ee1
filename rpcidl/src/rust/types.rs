//! Types: those of the language under their Rust names, other messages, and what cannot travel.

use syn::{GenericArgument, PathArguments};

use super::exprs::Paths;
use super::lower::{Lower, unraw};
use crate::ast::{self, TypeKind};
use crate::diag::{Code, Diagnostic};
use crate::source::Span;

/// A type as it is written, with what its Rust form is.
#[derive(Clone, Debug)]
pub(super) struct Written {
    /// The type in the tree.
    pub(super) ty: ast::Type,
    /// True if what is written is, token by token, the type that generated code uses.
    pub(super) verbatim: bool,
    /// Which of Rust's own types it is, if it is one that does not travel as such.
    pub(super) native: Native,
}

/// Rust's own types that travel as another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Native {
    /// Not one of them.
    No,
    /// `bool`, which travels as `Bool8`.
    Bool,
    /// `Option<T>`, which travels as `Opt<T>`.
    Option,
}

/// The types of the runtime that a definition may name. No message may be called like one of them.
pub(super) const RUNTIME: [&str; 9] = [
    "Bool8", "Buffer", "Bytes", "List", "Opt", "Option", "Pad", "Reserved", "Str",
];
const SCALARS: [&str; 10] = [
    "u8", "u16", "u32", "u64", "i8", "i16", "i32", "i64", "f32", "f64",
];

/// What to write instead of a type of the standard library.
fn instead(name: &str) -> Option<&'static str> {
    Some(match name {
        "String" | "str" | "Cow" | "OsString" | "PathBuf" | "CString" => {
            "write `Str<N>`, with N the greatest length in bytes"
        }
        "Vec" | "VecDeque" | "Box" | "Rc" | "Arc" | "LinkedList" => {
            "write `List<T, N>`, or `Bytes<N>` for bytes, with N the greatest length"
        }
        "HashMap" | "BTreeMap" | "HashSet" | "BTreeSet" => {
            "write `List<T, N>` of a message with a key and a value"
        }
        "usize" => "write `u64` or `u32`, which have the same size everywhere",
        "isize" => "write `i64` or `i32`, which have the same size everywhere",
        "char" => "write `u32`, or `Str<4>` for one character of text",
        "u128" | "i128" => "write `[u64; 2]`, or `[u8; 16]`",
        "f16" | "f128" => "write `f32` or `f64`",
        "Duration" | "Instant" | "SystemTime" => {
            "write `u64` with the unit in the name, such as `timeout_ns`"
        }
        "NonZero" | "NonZeroU8" | "NonZeroU16" | "NonZeroU32" | "NonZeroU64" => {
            "write the plain integer; any bit pattern may arrive"
        }
        "Pad" => "leave it out; padding is added where it is needed",
        _ => return None,
    })
}

/// True for a name of the standard library's that is no message.
pub(super) fn is_foreign(name: &str) -> bool {
    instead(name).is_some() || SCALARS.contains(&name) || name == "bool" || RUNTIME.contains(&name)
}

impl Lower<'_> {
    /// Reads the type of a value.
    pub(super) fn ty(&mut self, ty: &syn::Type) -> Written {
        let span = self.place(ty);
        match ty {
            syn::Type::Paren(it) => self.ty(&it.elem),
            syn::Type::Group(it) => self.ty(&it.elem),
            syn::Type::Path(it) if it.qself.is_none() => self.path(&it.path, span),
            syn::Type::Array(it) => {
                let elem = self.ty(&it.elem);
                let len = self.expr(&it.len, Paths::None);
                Written {
                    ty: ast::Type {
                        kind: TypeKind::Array(Box::new(elem.ty), Box::new(len)),
                        span,
                    },
                    verbatim: elem.verbatim && elem.native == Native::No,
                    native: Native::No,
                }
            }
            _ => {
                let (what, help) = unfit(ty);
                self.refuse(Code::E0704, span, format!("{what} cannot travel"), help);
                invalid(span)
            }
        }
    }

    fn path(&mut self, path: &syn::Path, span: Span) -> Written {
        let Some(last) = path.segments.last() else {
            return invalid(span);
        };
        let name = unraw(&last.ident);
        let alone = path.segments.len() == 1 && path.leading_colon.is_none();
        let arguments = match &last.arguments {
            PathArguments::AngleBracketed(it) => Some(it),
            _ => None,
        };
        let whole = |kind| ast::Type { kind, span };
        if (alone || is_primitive(path))
            && arguments.is_none()
            && (SCALARS.contains(&name.as_str()) || name == "bool")
        {
            let native = if name == "bool" {
                Native::Bool
            } else {
                Native::No
            };
            return Written {
                ty: whole(scalar(name, span)),
                verbatim: true,
                native,
            };
        }
        match name.as_str() {
            "Bool8" if arguments.is_none() => Written {
                ty: whole(scalar("bool".to_owned(), span)),
                verbatim: true,
                native: Native::No,
            },
            "Str" | "Bytes" => {
                let bound = self.bound_of(&name, arguments, span);
                // The runtime's type has a second parameter, which only an odd bound needs.
                let verbatim = is_even_literal(bound.as_deref());
                let kind = if name == "Str" {
                    TypeKind::String
                } else {
                    TypeKind::Bytes
                };
                let kind = bound.map_or(TypeKind::Invalid, |bound| kind(Some(bound)));
                self.container(path, whole(kind), verbatim)
            }
            "List" => {
                let kind = self.list(arguments, span);
                let (kind, verbatim) = kind.unwrap_or((TypeKind::Invalid, false));
                self.container(path, whole(kind), verbatim)
            }
            "Option" | "Opt" => {
                let Some(inner) = self.only_type(&name, arguments, span) else {
                    return invalid(span);
                };
                let inner = self.ty(inner);
                let verbatim = inner.verbatim && inner.native == Native::No;
                let native = if name == "Option" {
                    Native::Option
                } else {
                    Native::No
                };
                let ty = whole(TypeKind::Optional(Box::new(inner.ty)));
                if name == "Opt" {
                    self.container(path, ty, verbatim)
                } else {
                    Written {
                        ty,
                        verbatim,
                        native,
                    }
                }
            }
            "Buffer" => {
                self.refuse(
                    Code::E0704,
                    span,
                    "a `Buffer` cannot be described by a Rust type",
                    "declare the service in an `.idl` file, which says whether the peer reads or writes it",
                );
                invalid(span)
            }
            "Reserved" => {
                self.refuse(
                    Code::E0704,
                    span,
                    "`Reserved` has no value",
                    "make it a field of a message, such as `_reserved0: Reserved<8>`",
                );
                invalid(span)
            }
            _ => self.other(path, &name, arguments.is_some(), alone, span),
        }
    }

    /// A type that is none of the language's.
    fn other(
        &mut self,
        path: &syn::Path,
        name: &str,
        arguments: bool,
        alone: bool,
        span: Span,
    ) -> Written {
        let standard = path
            .segments
            .first()
            .is_some_and(|first| ["std", "core", "alloc"].iter().any(|it| first.ident == it));
        // `String` without a path is the prelude's, unless a message of that name hides it, which nobody would read well.
        let own = name == self.own && alone;
        if !own
            && (alone || standard)
            && let Some(help) = instead(name)
        {
            let place = if arguments {
                span
            } else {
                path.segments
                    .last()
                    .map_or(span, |it| self.at(it.ident.span()))
            };
            self.error(
                Diagnostic::error(Code::E0206, place, format!("`{name}` cannot travel")).help(help),
            );
            return invalid(span);
        }
        if name == "Self" {
            self.refuse(
                Code::E0704,
                span,
                "`Self` is not a message",
                "write the name of a message",
            );
            return invalid(span);
        }
        let stray = path
            .segments
            .iter()
            .find(|it| !matches!(it.arguments, PathArguments::None));
        if let Some(stray) = stray {
            let place = self.place(&stray.arguments);
            let name = &stray.ident;
            self.refuse(
                Code::E0702,
                place,
                format!("`{name}` cannot have arguments here"),
                "messages have no parameters; write the name of a message alone",
            );
            return invalid(span);
        }
        let kind = self
            .reference(path)
            .map_or(TypeKind::Invalid, TypeKind::Named);
        Written {
            ty: ast::Type { kind, span },
            verbatim: true,
            native: Native::No,
        }
    }

    /// A type of the runtime. If it does not come out as written, its import must still count as used.
    fn container(&mut self, path: &syn::Path, ty: ast::Type, verbatim: bool) -> Written {
        if !matches!(ty.kind, TypeKind::Invalid) {
            self.speak(path);
        }
        Written {
            ty,
            verbatim,
            native: Native::No,
        }
    }

    /// Notes the path of a type of the runtime, without its arguments.
    pub(super) fn speak(&mut self, path: &syn::Path) {
        let start = self.place(path);
        if let Some(last) = path.segments.last() {
            let end = self.at(last.ident.span());
            self.unspoken.push(Span {
                end: end.end,
                ..start
            });
        }
    }

    fn list(
        &mut self,
        arguments: Option<&syn::AngleBracketedGenericArguments>,
        span: Span,
    ) -> Option<(TypeKind, bool)> {
        let args: Vec<&GenericArgument> = arguments.into_iter().flat_map(|it| &it.args).collect();
        let elem = match args.first() {
            Some(GenericArgument::Type(elem)) if args.len() <= 3 => elem,
            _ => {
                self.refuse(
                    Code::E0301,
                    span,
                    "`List` needs an element type and a bound",
                    "write `List<u32, 16>` with the type and the bound that fit",
                );
                return None;
            }
        };
        let elem = self.ty(elem);
        let Some(bound) = args.get(1) else {
            let shown = self.slice(elem.ty.span);
            self.error(
                Diagnostic::error(Code::E0301, span, "`List` needs a bound")
                    .note("values lie inline in the message, so the bound is part of its layout")
                    .help(format!(
                        "write `List<{shown}, 16>` with the bound that fits"
                    )),
            );
            return None;
        };
        let bound = self.bound(bound)?;
        // Whether the runtime's third parameter is needed depends on the element, so only plain numbers are left as written.
        let verbatim = elem.verbatim && elem.native == Native::No && is_even_literal(Some(&bound));
        Some((
            TypeKind::Vec(Some(Box::new(elem.ty)), Some(Box::new(bound))),
            verbatim,
        ))
    }

    fn bound_of(
        &mut self,
        name: &str,
        arguments: Option<&syn::AngleBracketedGenericArguments>,
        span: Span,
    ) -> Option<Box<ast::Expr>> {
        let args: Vec<&GenericArgument> = arguments.into_iter().flat_map(|it| &it.args).collect();
        match args.as_slice() {
            // The second parameter of the runtime's type follows from the first.
            [bound] | [bound, GenericArgument::Const(_)] => self.bound(bound).map(Box::new),
            _ => {
                self.error(
                    Diagnostic::error(Code::E0301, span, format!("`{name}` needs a bound"))
                        .note(
                            "values lie inline in the message, so the bound is part of its layout",
                        )
                        .help(format!("write `{name}<64>` with the bound that fits")),
                );
                None
            }
        }
    }

    fn bound(&mut self, bound: &GenericArgument) -> Option<ast::Expr> {
        match bound {
            GenericArgument::Const(expr) => Some(self.expr(expr, Paths::None)),
            // A lone name reads like a type.
            GenericArgument::Type(syn::Type::Path(it))
                if it.qself.is_none() && !names_type(&it.path) =>
            {
                let expr = syn::Expr::Path(syn::ExprPath {
                    attrs: Vec::new(),
                    qself: None,
                    path: it.path.clone(),
                });
                self.expr(&expr, Paths::None);
                None
            }
            other => {
                let place = self.place(other);
                self.refuse(
                    Code::E0301,
                    place,
                    "a bound is a number",
                    "write the greatest length, such as `64`",
                );
                None
            }
        }
    }

    fn only_type<'a>(
        &mut self,
        name: &str,
        arguments: Option<&'a syn::AngleBracketedGenericArguments>,
        span: Span,
    ) -> Option<&'a syn::Type> {
        let mut args = arguments.into_iter().flat_map(|it| &it.args);
        match (args.next(), args.next()) {
            (Some(GenericArgument::Type(inner)), None) => Some(inner),
            _ => {
                let help = format!("write `{name}<u64>` with the type that fits");
                self.refuse(
                    Code::E0105,
                    span,
                    format!("`{name}` needs the type of its value"),
                    help,
                );
                None
            }
        }
    }
}

/// True for `::core::primitive::u8` and the like.
fn is_primitive(path: &syn::Path) -> bool {
    let names: Vec<String> = path
        .segments
        .iter()
        .map(|segment| unraw(&segment.ident))
        .collect();
    matches!(
        names
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>()
            .as_slice(),
        ["core" | "std", "primitive", _]
    )
}

/// True for a name that everybody knows as a type.
fn names_type(path: &syn::Path) -> bool {
    path.get_ident()
        .is_some_and(|ident| is_foreign(&unraw(ident)))
}

/// A part that could not be read.
pub(super) fn invalid(span: Span) -> Written {
    Written {
        ty: ast::Type {
            kind: TypeKind::Invalid,
            span,
        },
        verbatim: false,
        native: Native::No,
    }
}

fn scalar(text: String, span: Span) -> TypeKind {
    TypeKind::Named(ast::Path {
        segments: vec![ast::Name { text, span }],
        span,
    })
}

fn is_even_literal(expr: Option<&ast::Expr>) -> bool {
    matches!(expr.map(|it| &it.kind), Some(ast::ExprKind::Int(Some(value))) if value % 2 == 0)
}

/// What a type is that has no form in a message, and what to write instead.
fn unfit(ty: &syn::Type) -> (&'static str, &'static str) {
    match ty {
        syn::Type::Reference(it) => match &*it.elem {
            syn::Type::Slice(_) => ("a slice", "write `List<T, N>`, or `Bytes<N>` for bytes"),
            syn::Type::Path(path) if path.path.is_ident("str") => (
                "a borrowed string",
                "write `Str<N>`, with N the greatest length in bytes",
            ),
            _ => (
                "a reference",
                "write the type itself; only the arguments of a method may be references",
            ),
        },
        syn::Type::Slice(_) => ("a slice", "write `List<T, N>`, or `[T; N]` for exactly N"),
        syn::Type::Tuple(it) if it.elems.is_empty() => ("`()`", "leave it out"),
        syn::Type::Tuple(_) => (
            "a tuple",
            "declare a struct with `#[rpc_message]`, so that its parts have names",
        ),
        syn::Type::Ptr(_) => (
            "a pointer",
            "write the value itself; the peer has another memory",
        ),
        syn::Type::FnPtr(_) => (
            "a function",
            "let the server send an event, a method with `#[rpc(event)]`",
        ),
        syn::Type::ImplTrait(_) | syn::Type::TraitObject(_) => {
            ("a value of unknown type", "write the type of a message")
        }
        syn::Type::Never(_) => ("`!`", "leave the result out"),
        syn::Type::Infer(_) => ("`_`", "write the type"),
        syn::Type::Macro(_) => (
            "the type of a macro",
            "write the type itself; a macro does not see what another gives",
        ),
        _ => (
            "a type of this form",
            "write a scalar, `Str<N>`, `Bytes<N>`, `List<T, N>`, `[T; N]` or a message",
        ),
    }
}
