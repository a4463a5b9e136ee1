//! Unions: tag, pad and storage, with constructors, accessors and an enum of the arms.

use std::fmt::Arguments;

use super::Scope;
use super::docs::{allow, docs_and_deprecation, lints};
use super::names::{ArmNames, arms};
use super::structs::{derives, macro_call, may_be_deprecated, zerocopy};
use super::types::{ParamTy, Passing, Ty, names_deprecated, passing};
use super::writer::{Writer, block, line, variant};
use crate::ir::{Arm, Model, Type, TypeDef, TypeId, Union};

/// One union.
pub(super) fn emit(w: &mut Writer, scope: &Scope<'_>, id: TypeId, def: &TypeDef, it: &Union) {
    let union = Emitted {
        scope,
        name: scope.names.of_type(id),
        arms_name: scope.names.of_arms(id),
        tag: it.tag.keyword(),
        closed: it.closed,
        arms: it
            .arms
            .iter()
            .zip(arms(it.arms.iter().map(|arm| arm.name.as_str())))
            .collect(),
        deprecated: def.meta.deprecated.is_some() || names_deprecated_arms(scope.model, it),
        borrows: it.arms.iter().any(|arm| by_reference(scope.model, arm)),
    };
    union.structure(w, def, it);
    union.functions(w);
    union.traits(w);
    union.arm_enum(w);
    union.layout(w, def, it);
}

struct Emitted<'a> {
    scope: &'a Scope<'a>,
    name: &'a str,
    arms_name: &'a str,
    tag: &'static str,
    closed: bool,
    arms: Vec<(&'a Arm, ArmNames)>,
    deprecated: bool,
    /// True if an arm is handed out by reference, so that the enum of the arms has a lifetime.
    borrows: bool,
}

impl Emitted<'_> {
    fn structure(&self, w: &mut Writer, def: &TypeDef, it: &Union) {
        w.blank();
        docs_and_deprecation(w, &def.meta, format_args!("`{}`", def.name));
        self.allow(w, lints([&def.meta]));
        line!(w, "#[derive(Clone, Copy, PartialEq{})]", derives(def));
        line!(w, "#[repr(C)]");
        zerocopy(w, self.scope);
        block!(w, "pub struct {}", self.name => {
            for (_, name, ty) in parts(self.scope, def, it) {
                line!(w, "{name}: {ty},");
            }
        });
    }

    fn functions(&self, w: &mut Writer) {
        w.blank();
        // The names of the arms are the definition's, and a program may have no use for some.
        let lints = match self.lints_of_arms() {
            "" => "clippy::all",
            lints => lints,
        };
        allow(w, &["dead_code", self.deprecated(), lints]);
        block!(w, "impl {}", self.name => {
            for (arm, names) in &self.arms {
                self.constructor(w, arm, names);
                if let Some(ty) = &arm.ty {
                    self.accessor(w, arm, names, ty);
                }
            }
            self.arm(w);
        });
    }

    fn constructor(&self, w: &mut Writer, arm: &Arm, names: &ArmNames) {
        let (rt, tag, of) = (self.scope.rt, arm.tag, &names.of);
        w.blank();
        docs_and_deprecation(w, &arm.meta, format_args!("Arm {tag}, `{}`.", arm.name));
        let Some(ty) = &arm.ty else {
            block!(w, "pub fn {of}() -> Self" => {
                line!(w, "{rt}::Union::of({tag}, &())");
            });
            return;
        };
        let passing = passing(self.scope.model, ty);
        let param = ParamTy(self.scope, ty);
        w.signature(
            format_args!("pub fn {of}"),
            |list| list.item(format_args!("value: {param}")),
            format_args!(" -> Self"),
            " {",
        );
        if passing == Passing::Bool {
            line!(
                w,
                "let value: {rt}::Bool8 = ::core::convert::From::from(value);"
            );
        }
        let reference = if passing == Passing::Reference {
            ""
        } else {
            "&"
        };
        line!(w, "{rt}::Union::of({tag}, {reference}value)");
        w.close();
    }

    fn accessor(&self, w: &mut Writer, arm: &Arm, names: &ArmNames, ty: &Type) {
        let get = &names.get;
        w.blank();
        line!(
            w,
            "/// The value of arm `{}`, if it is the one that is set.",
            arm.name
        );
        super::docs::deprecation(w, &arm.meta);
        let returned = ParamTy(self.scope, ty);
        w.signature(
            format_args!("pub fn {get}"),
            |list| list.item("&self"),
            format_args!(" -> ::core::option::Option<{returned}>"),
            " {",
        );
        block!(w, "match self.tag" => {
            self.value_arm(w, arm, ty, format_args!("::core::option::Option::Some"));
            line!(w, "_ => ::core::option::Option::None,");
        });
        w.close();
    }

    /// The arm of a `match` on the tag that hands the storage to `function` as the value of an arm.
    fn value_arm(&self, w: &mut Writer, arm: &Arm, ty: &Type, function: Arguments<'_>) {
        let rt = self.scope.rt;
        let pattern = format_args!("{}", arm.tag);
        match passing(self.scope.model, ty) {
            Passing::Bool => block!(w, "{pattern} =>" => {
                line!(w, "let value: &{rt}::Bool8 = {rt}::Union::value(self);");
                line!(w, "{function}(value.get())");
            }),
            Passing::Value => w.call_arm(
                pattern,
                function,
                format_args!("*{rt}::Union::value"),
                "self",
            ),
            Passing::Reference => w.call_arm(
                pattern,
                function,
                format_args!("{rt}::Union::value"),
                "self",
            ),
        }
    }

    fn arm(&self, w: &mut Writer) {
        let name = self.arms_name;
        let lifetime = if self.borrows { "<'_>" } else { "" };
        w.blank();
        line!(w, "/// The arm that is set.");
        block!(w, "pub fn arm(&self) -> {name}{lifetime}" => {
            block!(w, "match self.tag" => {
                for (arm, names) in &self.arms {
                    let (tag, variant) = (arm.tag, &names.variant);
                    match &arm.ty {
                        None => line!(w, "{tag} => {name}::{variant},"),
                        Some(ty) => self.value_arm(w, arm, ty, format_args!("{name}::{variant}")),
                    }
                }
                line!(w, "tag => {name}::Unknown(tag),");
            });
        });
    }

    fn traits(&self, w: &mut Writer) {
        let (name, rt) = (self.name, self.scope.rt);
        w.blank();
        self.allow(w, "");
        block!(w, "impl ::core::fmt::Debug for {name}" => {
            w.open(format_args!("fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result"));
            line!(w, "::core::fmt::Debug::fmt(&self.arm(), f)");
            w.close();
        });
        w.blank();
        self.allow(w, "");
        block!(w, "impl ::core::default::Default for {name}" => {
            block!(w, "fn default() -> Self" => {
                line!(w, "{rt}::zeroed()");
            });
        });
    }

    fn arm_enum(&self, w: &mut Writer) {
        let lifetime = if self.borrows { "<'a>" } else { "" };
        w.blank();
        line!(w, "/// The arm of a [`{}`] that is set.", self.name);
        self.allow(w, self.lints_of_arms());
        line!(w, "#[derive(Clone, Copy, Debug, PartialEq)]");
        if !self.closed {
            line!(w, "#[non_exhaustive]");
        }
        block!(w, "pub enum {}{lifetime}", self.arms_name => {
            for (arm, names) in &self.arms {
                docs_and_deprecation(w, &arm.meta, format_args!("`{}`", arm.name));
                match &arm.ty {
                    None => line!(w, "{},", names.variant),
                    Some(ty) => match passing(self.scope.model, ty) {
                        Passing::Reference => variant(w, &names.variant, &format_args!("&'a {}", Ty(self.scope, ty))),
                        Passing::Bool | Passing::Value => variant(w, &names.variant, &ParamTy(self.scope, ty)),
                    },
                }
            }
            if self.closed {
                line!(w, "/// No arm: of a value that was made of raw bytes, never of one that was received.");
            } else {
                line!(w, "/// An arm that this build does not know.");
            }
            line!(w, "Unknown({}),", self.tag);
        });
    }

    fn layout(&self, w: &mut Writer, def: &TypeDef, it: &Union) {
        let openness = if it.closed { "closed" } else { "open" };
        // Without storage, the value of every arm is nothing, right behind the tag.
        let storage = if it.storage_size == 0 {
            it.tag.size()
        } else {
            it.storage_offset
        };
        macro_call(
            w,
            self.scope,
            "layout",
            may_be_deprecated(self.deprecated),
            |w| {
                block!(w, "{}: size {}, align {}", self.name, def.size, def.align => {
                    for (offset, name, ty) in parts(self.scope, def, it) {
                        line!(w, "{offset} => {name}: {ty},");
                    }
                });
                block!(w, "union {openness} {}, storage {storage}", self.tag => {
                    for (arm, names) in &self.arms {
                        match &arm.ty {
                            None => line!(w, "{} => {}: (),", arm.tag, names.of),
                            Some(ty) => line!(w, "{} => {}: {},", arm.tag, names.of, Ty(self.scope, ty)),
                        }
                    }
                });
            },
        );
    }

    fn allow(&self, w: &mut Writer, lints: &str) {
        allow(w, &[self.deprecated(), lints]);
    }

    fn deprecated(&self) -> &'static str {
        if self.deprecated { "deprecated" } else { "" }
    }

    /// The lints that the documentation of the arms may meet.
    fn lints_of_arms(&self) -> &'static str {
        lints(self.arms.iter().map(|(arm, _)| &arm.meta))
    }
}

/// Offset, name and type of the fields.
fn parts<'a>(scope: &'a Scope<'a>, def: &TypeDef, it: &Union) -> Vec<(u32, &'static str, String)> {
    let rt = scope.rt;
    let tag = it.tag.size();
    let mut parts = vec![(0, "tag", it.tag.keyword().to_owned())];
    // Without storage, what follows the tag is padding to the end.
    let storage = if it.storage_size == 0 {
        def.size
    } else {
        it.storage_offset
    };
    if storage > tag {
        parts.push((tag, "_pad0", format!("{rt}::Pad<{}>", storage - tag)));
    }
    if it.storage_size != 0 {
        let fits = |unit: u32| {
            unit <= def.align
                && it.storage_offset.is_multiple_of(unit)
                && it.storage_size.is_multiple_of(unit)
        };
        let (unit, ty) = [(8, "u64"), (4, "u32"), (2, "u16")]
            .into_iter()
            .find(|(unit, _)| fits(*unit))
            .unwrap_or((1, "u8"));
        parts.push((
            storage,
            "storage",
            format!("[{ty}; {}]", it.storage_size / unit),
        ));
    }
    parts
}

fn by_reference(model: &Model, arm: &Arm) -> bool {
    arm.ty
        .as_ref()
        .is_some_and(|ty| passing(model, ty) == Passing::Reference)
}

fn names_deprecated_arms(model: &Model, it: &Union) -> bool {
    it.arms.iter().any(|arm| {
        arm.meta.deprecated.is_some()
            || arm
                .ty
                .as_ref()
                .is_some_and(|ty| names_deprecated(model, ty))
    })
}
