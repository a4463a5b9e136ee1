//! Which field order would save padding.

use std::fmt::Write as _;

use crate::ir::{Field, FieldKind, Model, TypeDefKind};
use crate::layout;

use super::type_name;

/// For each struct of the inputs whose padding could be less, the field order that saves it.
///
/// Nothing is changed: the order of fields is part of the layout and stays the author's choice.
pub fn suggest_order(model: &Model) -> String {
    let mut out = String::new();
    for package in model.packages.iter().filter(|package| package.is_input) {
        for def in package.types.iter().map(|&id| model.def(id)) {
            let TypeDefKind::Struct(node) = &def.kind else {
                continue;
            };
            let mut fields: Vec<Field> = node
                .fields
                .iter()
                .filter(|field| !matches!(field.kind, FieldKind::Pad))
                .cloned()
                .collect();
            // The sort is stable, so fields that are aligned alike stay in the order in which they were written.
            fields.sort_by_key(|field| {
                std::cmp::Reverse(match &field.kind {
                    FieldKind::Value { ty, .. } => model.align_of(ty),
                    FieldKind::Pad | FieldKind::Reserved => 1,
                })
            });
            let (better, size) = layout::place(model, fields, def.span);
            let Some(saved) = u64::from(def.size)
                .checked_sub(size)
                .filter(|&saved| saved > 0)
            else {
                continue;
            };
            // Writing to a string cannot fail.
            let _ = writeln!(
                out,
                "struct {}.{}: {} instead of {} bytes, saves {saved}",
                package.name, def.name, size, def.size
            );
            for field in &better.fields {
                let _ = match &field.kind {
                    FieldKind::Value { ty, .. } => {
                        writeln!(out, "    {} {};", type_name(model, ty), field.name)
                    }
                    FieldKind::Reserved => writeln!(out, "    reserved u8[{}];", field.size),
                    FieldKind::Pad => continue,
                };
            }
        }
    }
    out
}
