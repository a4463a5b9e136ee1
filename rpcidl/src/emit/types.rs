//! Types of the language as Rust types, and how values of them are passed.

use std::fmt::{self, Display};

use super::Scope;
use super::names::Names;
use crate::ir::{AliasId, Model, PackageId, Scalar, Type, TypeDefKind, TypeId};

/// The Rust type of a field.
pub(super) struct Ty<'a>(pub(super) &'a Scope<'a>, pub(super) &'a Type);

impl Display for Ty<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(scope, ty) = *self;
        let rt = scope.rt;
        match ty {
            Type::Scalar(Scalar::Bool) => write!(f, "{rt}::Bool8"),
            Type::Scalar(scalar) => f.write_str(scalar.keyword()),
            Type::Def(id) => Path::of_type(scope, *id).fmt(f),
            Type::Alias(id) => Path::of_alias(scope, *id).fmt(f),
            Type::String { bound } => write!(f, "{rt}::Str<{bound}{}>", odd(bound % 2 == 1)),
            Type::Bytes { bound } => write!(f, "{rt}::Bytes<{bound}{}>", odd(bound % 2 == 1)),
            Type::Vec { elem, bound } => {
                let (size, align) = extent(scope.model, elem);
                let odd = odd(align == 1 && size * u64::from(*bound) % 2 == 1);
                write!(f, "{rt}::List<{}, {bound}{odd}>", Ty(scope, elem))
            }
            Type::Array { elem, len } => write!(f, "[{}; {len}]", Ty(scope, elem)),
            Type::Optional(inner) => write!(f, "{rt}::Opt<{}>", Ty(scope, inner)),
            Type::Buffer(_) => write!(f, "{rt}::Buffer"),
        }
    }
}

/// The last parameter of a container whose bytes come to an odd number.
fn odd(odd: bool) -> &'static str {
    if odd { ", 1" } else { "" }
}

/// A path to an item of a package, as seen from a scope.
pub(super) struct Path<'a> {
    scope: &'a Scope<'a>,
    package: PackageId,
    name: &'a str,
    /// The path from where the output stands, if the item is generated elsewhere.
    elsewhere: Option<&'a str>,
}

impl<'a> Path<'a> {
    /// The path to a declared type.
    pub(super) fn of_type(scope: &'a Scope<'a>, id: TypeId) -> Self {
        let def = scope.model.def(id);
        let elsewhere = scope.options.elsewhere.get(&def.name).map(String::as_str);
        Self {
            scope,
            package: def.package,
            name: scope.names.of_type(id),
            elsewhere,
        }
    }

    /// The path to an alias.
    pub(super) fn of_alias(scope: &'a Scope<'a>, id: AliasId) -> Self {
        Self {
            scope,
            package: scope.model.alias(id).package,
            name: scope.names.of_alias(id),
            elsewhere: None,
        }
    }
}

impl Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            scope,
            package,
            name,
            elsewhere,
        } = *self;
        if let Some(path) = elsewhere {
            if !path.starts_with("::") && !path.starts_with("crate::") {
                (0..scope.depth).try_for_each(|_| f.write_str("super::"))?;
            }
            return f.write_str(path);
        }
        let same = package == scope.package;
        if !same && let Some(path) = scope.external(package) {
            return write!(f, "{path}::{name}");
        }
        for _ in 0..scope.depth {
            f.write_str("super::")?;
        }
        if !same {
            if scope.is_module(scope.package) {
                f.write_str("super::")?;
            }
            if scope.is_module(package) {
                write!(f, "{}::", scope.names.of_package(package))?;
            }
        }
        f.write_str(name)
    }
}

/// How a value is passed to and from functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Passing {
    /// As Rust's `bool`, though it is a byte on the wire.
    Bool,
    /// By value: numbers, enums, flags.
    Value,
    /// By reference.
    Reference,
}

/// How values of a type are passed.
pub(super) fn passing(model: &Model, ty: &Type) -> Passing {
    match model.strip(ty) {
        Type::Scalar(Scalar::Bool) => Passing::Bool,
        Type::Scalar(_) => Passing::Value,
        Type::Def(id) if matches!(model.def(*id).kind, TypeDefKind::Enum(_)) => Passing::Value,
        _ => Passing::Reference,
    }
}

/// The type of an `in` parameter.
pub(super) struct ParamTy<'a>(pub(super) &'a Scope<'a>, pub(super) &'a Type);

impl Display for ParamTy<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match passing(self.0.model, self.1) {
            Passing::Bool => f.write_str("bool"),
            Passing::Value => Ty(self.0, self.1).fmt(f),
            Passing::Reference => write!(f, "&{}", Ty(self.0, self.1)),
        }
    }
}

/// The type of a value that a function returns.
pub(super) struct ReturnTy<'a>(pub(super) &'a Scope<'a>, pub(super) &'a Type);

impl Display for ReturnTy<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match passing(self.0.model, self.1) {
            Passing::Bool => f.write_str("bool"),
            Passing::Value | Passing::Reference => Ty(self.0, self.1).fmt(f),
        }
    }
}

/// Size and alignment of a type.
pub(super) fn extent(model: &Model, ty: &Type) -> (u64, u64) {
    match model.strip(ty) {
        Type::Scalar(scalar) => (scalar.size().into(), scalar.size().into()),
        Type::Def(id) => (model.def(*id).size.into(), model.def(*id).align.into()),
        // `strip` follows aliases to their end, so this arm is never reached.
        Type::Alias(_) => (0, 1),
        Type::String { bound } | Type::Bytes { bound } => {
            ((2 + u64::from(*bound)).next_multiple_of(2), 2)
        }
        Type::Vec { elem, bound } => {
            let (size, align) = extent(model, elem);
            let outer = align.max(2);
            (
                (outer + size * u64::from(*bound)).next_multiple_of(outer),
                outer,
            )
        }
        Type::Array { elem, len } => {
            let (size, align) = extent(model, elem);
            (size * u64::from(*len), align)
        }
        Type::Optional(inner) => {
            let (size, align) = extent(model, inner);
            (align + size, align)
        }
        Type::Buffer(_) => (24, 8),
    }
}

/// True if an item that names the type directly would meet rustc's lint on deprecated items.
pub(super) fn names_deprecated(model: &Model, ty: &Type) -> bool {
    match ty {
        Type::Def(id) => model.def(*id).meta.deprecated.is_some(),
        Type::Alias(id) => model.alias(*id).meta.deprecated.is_some(),
        Type::Vec { elem, .. } | Type::Array { elem, .. } | Type::Optional(elem) => {
            names_deprecated(model, elem)
        }
        Type::Scalar(_) | Type::String { .. } | Type::Bytes { .. } | Type::Buffer(_) => false,
    }
}

impl Names {
    /// The path to a member of an enum, such as `Tier::HOT`; `None` if the enum has no such member.
    pub(super) fn member(scope: &Scope<'_>, id: TypeId, name: &str) -> Option<String> {
        let TypeDefKind::Enum(it) = &scope.model.def(id).kind else {
            return None;
        };
        let at = it.members.iter().position(|member| member.name == name)?;
        let member = super::enums::member_names(it).into_iter().nth(at)?;
        Some(format!("{}::{member}", Path::of_type(scope, id)))
    }
}
