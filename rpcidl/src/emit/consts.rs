//! Constants, and values as expressions.

use super::Scope;
use super::casing::upper;
use super::docs::{allow, docs_and_deprecation, lints};
use super::literal::{Quoted, float};
use super::names::{Names, unique};
use super::types::{Path, Ty, names_deprecated};
use super::writer::{Writer, line};
use crate::ir::{Const, Model, Scalar, Type, Value};

/// The constants of a package or an interface, with their names.
pub(super) fn emit(w: &mut Writer, scope: &Scope<'_>, consts: &[Const], names: &[String]) {
    for (it, name) in consts.iter().zip(names) {
        w.blank();
        docs_and_deprecation(w, &it.meta, format_args!("`{}`", it.name));
        allow(w, &allowed(scope.model, it));
        let value = value(scope, &it.ty, &it.value);
        match scope.model.strip(&it.ty) {
            // The wire types of these cannot be written as constants that are of use.
            Type::Scalar(Scalar::Bool) => line!(w, "pub const {name}: bool = {value};"),
            Type::String { .. } => w.assign(format_args!("pub const {name}: &str ="), &value),
            _ => w.assign(
                format_args!("pub const {name}: {} =", Ty(scope, &it.ty)),
                &value,
            ),
        }
    }
}

/// The names of the constants of an interface.
pub(super) fn names(consts: &[Const]) -> Vec<String> {
    unique(consts.iter().map(|it| it.name.as_str()), upper)
}

/// The lints that a constant may meet.
fn allowed(model: &Model, it: &Const) -> [&'static str; 3] {
    let is_deprecated = names_deprecated(model, &it.ty) || value_is_deprecated(model, &it.value);
    let lints = lints([&it.meta]);
    [
        "dead_code",
        if is_deprecated { "deprecated" } else { "" },
        // A definition may well write a number that clippy knows a better constant for.
        if lints.is_empty() && matches!(it.value, Value::Float(_)) {
            "clippy::all"
        } else {
            lints
        },
    ]
}

/// A value as an expression of a type: `bool` and `&str` where the type is `bool` or `string`.
pub(super) fn value(scope: &Scope<'_>, ty: &Type, value: &Value) -> String {
    let number = |number: i128| match scope.model.strip(ty) {
        // A number of an enumeration that is not one of its members.
        Type::Def(id) => format!("{}({number})", Path::of_type(scope, *id)),
        _ => number.to_string(),
    };
    match value {
        Value::Int(it) => number(*it),
        Value::Float(it) => match scope.model.strip(ty) {
            Type::Scalar(Scalar::F32) => float(*it, "f32"),
            _ => float(*it, "f64"),
        },
        Value::Bool(it) => it.to_string(),
        Value::Str(it) => Quoted(it).to_string(),
        Value::Member { ty, name, value } => Names::member(scope, *ty, name)
            .unwrap_or_else(|| format!("{}({value})", Path::of_type(scope, *ty))),
        Value::Flags { ty, bits } => format!("{}({bits:#x})", Path::of_type(scope, *ty)),
    }
}

/// True if an expression of the value would meet rustc's lint on deprecated items.
pub(super) fn value_is_deprecated(model: &Model, value: &Value) -> bool {
    use crate::ir::TypeDefKind;
    match value {
        Value::Member { ty, name, .. } => {
            let def = model.def(*ty);
            let TypeDefKind::Enum(it) = &def.kind else {
                return false;
            };
            let mut members = it.members.iter();
            def.meta.deprecated.is_some()
                || members.any(|member| member.name == *name && member.meta.deprecated.is_some())
        }
        Value::Flags { ty, .. } => model.def(*ty).meta.deprecated.is_some(),
        Value::Int(_) | Value::Float(_) | Value::Bool(_) | Value::Str(_) => false,
    }
}
