//! Declared structs, aliases, and what all laid out types share.

use std::fmt::Display;

use super::Scope;
use super::consts::{value, value_is_deprecated};
use super::docs::{allow, docs_and_deprecation, lints};
use super::names::fields;
use super::types::{Ty, names_deprecated};
use super::writer::{Writer, block, line, text};
use crate::ir::{
    AliasId, Derive, Field, FieldKind, Model, Scalar, Struct, Type, TypeDef, TypeDefKind, TypeId,
    Value,
};

/// An alias.
pub(super) fn alias(w: &mut Writer, scope: &Scope<'_>, id: AliasId) {
    let it = scope.model.alias(id);
    w.blank();
    docs_and_deprecation(w, &it.meta, format_args!("`{}`", it.name));
    let deprecated = if names_deprecated(scope.model, &it.target) {
        "deprecated"
    } else {
        ""
    };
    allow(w, &["dead_code", deprecated, lints([&it.meta])]);
    w.typed(
        format_args!("pub type {} =", scope.names.of_alias(id)),
        &Ty(scope, &it.target),
        ";",
    );
}

/// A struct.
pub(super) fn emit(w: &mut Writer, scope: &Scope<'_>, id: TypeId, def: &TypeDef, it: &Struct) {
    let name = scope.names.of_type(id);
    let fields = fields(it);
    let deprecated = def.meta.deprecated.is_some() || names_deprecated_fields(scope.model, it);

    w.blank();
    docs_and_deprecation(w, &def.meta, format_args!("`{}`", def.name));
    let metas = it.fields.iter().map(|field| &field.meta);
    let lints = lints(metas.chain([&def.meta]));
    allow(w, &[if deprecated { "deprecated" } else { "" }, lints]);
    line!(
        w,
        "#[derive(Clone, Copy, Debug, PartialEq{})]",
        derives(def)
    );
    line!(w, "#[repr(C)]");
    zerocopy(w, scope);
    block!(w, "pub struct {name}" => {
        body(w, scope, it, &fields);
    });

    w.blank();
    default(w, scope, name, it, &fields, deprecated);
    macro_call(w, scope, "layout", may_be_deprecated(deprecated), |w| {
        layout(w, scope, name, it, &fields);
    });
}

/// The fields of a struct, a request or a response.
pub(super) fn body(w: &mut Writer, scope: &Scope<'_>, it: &Struct, names: &[String]) {
    for (field, name) in it.fields.iter().zip(names) {
        match field.kind {
            FieldKind::Value { .. } => {
                docs_and_deprecation(w, &field.meta, format_args!("`{}`", field.name));
            }
            FieldKind::Pad | FieldKind::Reserved => line!(w, "#[doc(hidden)]"),
        }
        w.typed(format_args!("pub {name}:"), &field_type(scope, field), ",");
    }
}

/// The Rust type of a field.
fn field_type<'a>(scope: &'a Scope<'a>, field: &'a Field) -> impl Display + 'a {
    let rt = scope.rt;
    text(move |f| match &field.kind {
        FieldKind::Value { ty, .. } => Ty(scope, ty).fmt(f),
        FieldKind::Pad => write!(f, "{rt}::Pad<{}>", field.size),
        FieldKind::Reserved => write!(f, "{rt}::Reserved<{}>", field.size),
    })
}

/// `Default`: all zero but for the defaults that are written, here or in the struct of a field.
pub(super) fn default(
    w: &mut Writer,
    scope: &Scope<'_>,
    name: &str,
    it: &Struct,
    names: &[String],
    deprecated: bool,
) {
    let rt = scope.rt;
    let fields = it.fields.iter().zip(names);
    let mut defaults = fields
        .filter(|(field, _)| scope.names.defaults.of_field(scope.model, field))
        .peekable();
    let is_float = |field: &Field| {
        matches!(
            field.kind,
            FieldKind::Value {
                default: Some(Value::Float(_)),
                ..
            }
        )
    };
    if deprecated {
        line!(w, "#[allow(deprecated)]");
    }
    if it.fields.iter().any(is_float) {
        // A definition may well write a number that clippy knows a better constant for.
        line!(w, "#[allow(clippy::all)]");
    }
    block!(w, "impl ::core::default::Default for {name}" => {
        block!(w, "fn default() -> Self" => {
            if defaults.peek().is_none() {
                line!(w, "{rt}::zeroed()");
            } else {
                line!(w, "let mut value: Self = {rt}::zeroed();");
                for (field, name) in defaults {
                    assign_default(w, scope, field, name);
                }
                line!(w, "value");
            }
        });
    });
}

fn assign_default(w: &mut Writer, scope: &Scope<'_>, field: &Field, name: &str) {
    let rt = scope.rt;
    let FieldKind::Value { ty, default } = &field.kind else {
        return;
    };
    match (scope.model.strip(ty), default) {
        (ty, None) => line!(w, "value.{name} = {};", nested_default(scope, ty)),
        (Type::Scalar(Scalar::Bool), Some(it)) => {
            let constant = if *it == Value::Bool(true) {
                "TRUE"
            } else {
                "FALSE"
            };
            line!(w, "value.{name} = {rt}::Bool8::{constant};");
        }
        // The compiler of the definition has held the text against the bound.
        (Type::String { .. }, Some(it)) => {
            line!(w, "let _ = value.{name}.set({});", value(scope, ty, it));
        }
        (_, Some(it)) => w.assign(format_args!("value.{name} ="), &value(scope, ty, it)),
    }
}

/// The default of a struct, or of an array of them.
fn nested_default(scope: &Scope<'_>, ty: &Type) -> String {
    match scope.model.strip(ty) {
        Type::Array { elem, len } => format!("[{}; {len}]", nested_default(scope, elem)),
        _ => "::core::default::Default::default()".to_owned(),
    }
}

/// Which structs have a default that is not all zero.
#[derive(Debug)]
pub(super) struct Defaults(Vec<bool>);

impl Defaults {
    /// Looks at every type once: each comes after those that it is made of.
    pub(super) fn new(model: &Model) -> Self {
        let mut defaults = Self(Vec::with_capacity(model.types.len()));
        for def in &model.types {
            let has = match &def.kind {
                TypeDefKind::Struct(it) => it
                    .fields
                    .iter()
                    .any(|field| defaults.of_field(model, field)),
                TypeDefKind::Union(_) | TypeDefKind::Enum(_) => false,
            };
            defaults.0.push(has);
        }
        defaults
    }

    fn of_field(&self, model: &Model, field: &Field) -> bool {
        match &field.kind {
            FieldKind::Value { ty, default } => default.is_some() || self.of_type(model, ty),
            FieldKind::Pad | FieldKind::Reserved => false,
        }
    }

    fn of_type(&self, model: &Model, ty: &Type) -> bool {
        match model.strip(ty) {
            Type::Def(id) => self.0.get(id.0 as usize).is_some_and(|&has| has),
            Type::Array { elem, .. } => self.of_type(model, elem),
            _ => false,
        }
    }
}

/// The part of `layout!` that a struct has: head and fields.
pub(super) fn layout(w: &mut Writer, scope: &Scope<'_>, name: &str, it: &Struct, names: &[String]) {
    w.open(format_args!("{name}: size {}, align {}", it.size, it.align));
    for (field, name) in it.fields.iter().zip(names) {
        line!(
            w,
            "{} => {name}: {},",
            field.offset,
            field_type(scope, field)
        );
    }
    w.close();
}

/// A macro of the runtime, at item level.
///
/// Attributes of a macro call have no effect, so one that needs some lints allowed, such as the one about deprecated
/// items, stands in a constant that has it.
pub(super) fn macro_call(
    w: &mut Writer,
    scope: &Scope<'_>,
    name: &str,
    allowed: &[&str],
    body: impl FnOnce(&mut Writer),
) {
    w.blank();
    if !allowed.is_empty() {
        line!(w, "#[allow({})]", allowed.join(", "));
        w.open(format_args!("const _: () ="));
    }
    block!(w, "{}::{name}!", scope.rt => {
        body(w);
    });
    if !allowed.is_empty() {
        w.close_with(";");
    }
}

/// The lint that may be broken where deprecated items are named.
pub(super) fn may_be_deprecated(deprecated: bool) -> &'static [&'static str] {
    if deprecated { &["deprecated"] } else { &[] }
}

/// zerocopy's derives, if they are wanted.
pub(super) fn zerocopy(w: &mut Writer, scope: &Scope<'_>) {
    if !scope.options.zerocopy {
        return;
    }
    let rt = scope.rt;
    line!(w, "#[derive(");
    for name in ["FromBytes", "IntoBytes", "Immutable", "KnownLayout"] {
        line!(w, "    {rt}::zerocopy::{name},");
    }
    line!(w, ")]");
    line!(w, "#[zerocopy(crate = \"{rt}::zerocopy\")]");
}

/// What `@Derive` asks for, behind the derives that are always there.
pub(super) fn derives(def: &TypeDef) -> String {
    let names = def.derives.iter().map(|derive| match derive {
        Derive::Eq => ", Eq",
        Derive::PartialOrd => ", PartialOrd",
        Derive::Ord => ", Ord",
        Derive::Hash => ", Hash",
    });
    names.collect()
}

/// True if code that handles the fields would meet rustc's lint on deprecated items.
pub(super) fn names_deprecated_fields(model: &Model, it: &Struct) -> bool {
    it.fields.iter().any(|field| match &field.kind {
        FieldKind::Value { ty, default } => {
            field.meta.deprecated.is_some()
                || names_deprecated(model, ty)
                || default
                    .as_ref()
                    .is_some_and(|value| value_is_deprecated(model, value))
        }
        FieldKind::Pad | FieldKind::Reserved => false,
    })
}
