//! Enums, flags and errors: transparent integers with constants.

use super::Scope;
use super::casing::upper;
use super::docs::{allow, docs_and_deprecation, lints};
use super::names::unique;
use super::structs::{macro_call, may_be_deprecated, zerocopy};
use super::writer::{Writer, block, line};
use crate::ir::{Enum, EnumKind, TypeDef, TypeId};

/// One enumeration.
pub(super) fn emit(w: &mut Writer, scope: &Scope<'_>, id: TypeId, def: &TypeDef, it: &Enum) {
    let name = scope.names.of_type(id);
    let repr = it.repr.keyword();
    let members = member_names(it);
    // A macro that names a deprecated item must be told that it may.
    let deprecated = def.meta.deprecated.is_some()
        || it
            .members
            .iter()
            .any(|member| member.meta.deprecated.is_some());

    w.blank();
    docs_and_deprecation(w, &def.meta, format_args!("`{}`", def.name));
    // 0 is no error, so an error has no default.
    let default = if it.kind == EnumKind::Error {
        ""
    } else {
        "Default, "
    };
    allow(w, &[lints([&def.meta])]);
    line!(
        w,
        "#[derive(Clone, Copy, {default}PartialEq, Eq, PartialOrd, Ord, Hash)]"
    );
    line!(w, "#[repr(transparent)]");
    zerocopy(w, scope);
    line!(w, "pub struct {name}(pub {repr});");

    w.blank();
    // A program that has no use for a member is told nothing.
    let lints = lints(it.members.iter().map(|member| &member.meta));
    allow(
        w,
        &[
            "dead_code",
            if deprecated { "deprecated" } else { "" },
            lints,
        ],
    );
    block!(w, "impl {name}" => {
        for (member, rust) in it.members.iter().zip(&members) {
            docs_and_deprecation(w, &member.meta, format_args!("`{} = {}`", member.name, member.value));
            line!(w, "pub const {rust}: Self = Self({});", member.value);
        }
    });

    let openness = match (it.kind, it.closed) {
        (EnumKind::Error, _) => "",
        (_, true) => "closed ",
        (_, false) => "open ",
    };
    let name_of_macro = match it.kind {
        EnumKind::Enum => "enumeration",
        EnumKind::Flags => "flags",
        EnumKind::Error => "error",
    };
    let mut allowed = may_be_deprecated(deprecated).to_vec();
    if it.kind == EnumKind::Flags && is_a_constructor(name) {
        allowed.push("clippy::self_named_constructors");
    }
    macro_call(w, scope, name_of_macro, &allowed, |w| {
        block!(w, "{openness}{name}({repr})" => {
            w.fill(&members);
        });
    });
}

/// True for flags that are named like a constructor that all flags have; clippy takes that for a slip.
fn is_a_constructor(name: &str) -> bool {
    let plain = name.replace('_', "").to_ascii_lowercase();
    matches!(plain.as_str(), "empty" | "all")
}

/// The constants of the members.
pub(super) fn member_names(it: &Enum) -> Vec<String> {
    unique(it.members.iter().map(|member| member.name.as_str()), upper)
}
