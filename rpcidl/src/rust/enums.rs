//! `#[rpc_message]` on an enum without data: an open enum, a closed one, flags, or an error type.

use super::attrs::Kept;
use super::exprs::Paths;
use super::item::{Lowered, Settings, Shape};
use super::lower::{Lower, unraw};
use super::options::Choice;
use crate::ast::{self, EnumKind, TypeKind};
use crate::diag::Code;
use crate::source::Span;

/// A variant in its Rust form.
#[derive(Debug)]
pub(super) struct VariantShape {
    /// Its name as written, which may be raw.
    pub(super) name: String,
    /// Where the name is.
    pub(super) place: Span,
}

const OPTIONS: &[&str] = &[
    "closed",
    "flags",
    "error",
    "reserved",
    "allow_alias",
    "since",
    "crate",
    "macros",
];
const INTEGERS: [&str; 8] = ["u8", "u16", "u32", "u64", "i8", "i16", "i32", "i64"];

impl Lower<'_> {
    /// Reads an enum.
    pub(super) fn enumeration(
        &mut self,
        it: &syn::ItemEnum,
        choices: &[Choice],
    ) -> Option<Lowered> {
        let name = self.type_name(&it.ident);
        self.own = unraw(&it.ident);
        self.no_generics(&it.generics, "message");
        let mut found = self.attributes(&it.attrs, &[]);
        self.no_choices(&found);
        let mut settings = Settings::default();
        let (mut kind, mut closed, mut reserved) = (EnumKind::Enum, None, Vec::new());
        for choice in choices {
            match choice.key.text.as_str() {
                _ if self.common(choice, &mut settings) => {}
                "closed" if self.is_alone(choice) => closed = Some(choice.span),
                "flags" | "error" if self.is_alone(choice) => {
                    if kind != EnumKind::Enum {
                        self.refuse(
                            Code::E0706,
                            choice.span,
                            "an enum cannot be both flags and an error type",
                            "write one of `flags` and `error`",
                        );
                    }
                    kind = if choice.key.text == "flags" {
                        EnumKind::Flags
                    } else {
                        EnumKind::Error
                    };
                }
                "reserved" => reserved = self.reserved_of(choice),
                "allow_alias" | "since" => {
                    found.attrs.annotations.extend(self.annotation_of(choice));
                }
                "closed" | "flags" | "error" => {}
                _ => self.unknown_choice(choice, "rpc_message", OPTIONS),
            }
        }
        let repr = self.repr_of(&name, &found.repr, kind);
        let (mut members, mut shapes) = (Vec::new(), Vec::new());
        for variant in &it.variants {
            let (member, shape) = self.variant(variant);
            members.push(member);
            shapes.push(shape);
        }
        let node = ast::Enum {
            attrs: found.attrs,
            kind,
            closed,
            name: name.clone(),
            repr: Some(repr),
            members,
            reserved,
            span: self.place(it),
        };
        Some(Lowered {
            item: ast::Item::Enum(node),
            name,
            vis: self.visibility(&it.vis),
            kept: found.kept,
            settings,
            shape: Shape::Enum(shapes),
        })
    }

    fn variant(&mut self, variant: &syn::Variant) -> (ast::Member, VariantShape) {
        let name = self.name(&variant.ident);
        let found = self.attributes(&variant.attrs, &[]);
        if !matches!(variant.fields, syn::Fields::Unit) {
            let place = self.place(&variant.fields);
            self.refuse(
                Code::E0703,
                place,
                format!("variant `{}` holds data", name.text),
                "move the data to a struct; a tagged union can be declared in an `.idl` file",
            );
        }
        for kept in &found.kept {
            let Kept::Whole(place) = kept else { continue };
            if self
                .slice(*place)
                .chars()
                .filter(|c| !c.is_whitespace())
                .eq("#[default]".chars())
            {
                self.ours.push(*place);
                self.refuse(
                    Code::E0703,
                    *place,
                    "the default of an enumeration is its 0",
                    "remove it, and give the value 0 to the variant that is meant",
                );
            }
        }
        let mut attrs = found.attrs;
        for choice in &found.choices {
            match choice.key.text.as_str() {
                "since" => attrs.annotations.extend(self.annotation_of(choice)),
                _ => self.unknown_choice(choice, "rpc", &["since"]),
            }
        }
        let value = variant.discriminant.as_ref().map(|(equals, value)| {
            // If the enum is left as it is, rustc need not say of the numbers what has been said already.
            self.ours.push(self.place(equals).to(self.place(value)));
            self.expr(value, Paths::None)
        });
        let shape = VariantShape {
            name: variant.ident.to_string(),
            place: name.span,
        };
        (
            ast::Member {
                attrs,
                name,
                value,
                span: self.place(variant),
            },
            shape,
        )
    }

    /// The type that carries the numbers.
    fn repr_of(&mut self, name: &ast::Name, reprs: &[(String, Span)], kind: EnumKind) -> ast::Type {
        let example = if kind == EnumKind::Error { "u32" } else { "u8" };
        let help =
            format!("write `#[repr({example})]` on it, or another integer type of fixed size");
        let is_fit = |(repr, _): &&(String, Span)| INTEGERS.contains(&repr.as_str());
        match reprs {
            [(repr, span)] if INTEGERS.contains(&repr.as_str()) => {
                let word = ast::Name {
                    text: repr.clone(),
                    span: *span,
                };
                let path = ast::Path {
                    segments: vec![word],
                    span: *span,
                };
                return ast::Type {
                    kind: TypeKind::Named(path),
                    span: *span,
                };
            }
            [] => {
                let message = format!("enum `{}` does not say which type carries it", name.text);
                self.refuse(Code::E0318, name.span, message, help);
            }
            [first, ..] => {
                let (other, span) = reprs.iter().find(|repr| !is_fit(repr)).unwrap_or(first);
                let (message, help) = match reprs.iter().find(is_fit) {
                    Some((fit, _)) => (
                        format!(
                            "an enum is carried by one integer type, and not by `{other}` as well"
                        ),
                        format!("write `#[repr({fit})]` alone"),
                    ),
                    None => (format!("an enum cannot be carried by `{other}`"), help),
                };
                self.refuse(Code::E0318, *span, message, help);
            }
        }
        ast::Type {
            kind: TypeKind::Invalid,
            span: name.span,
        }
    }
}
