//! What a message hands on to the items that use it: its definition and everything that it needs, as text.
//!
//! A macro sees one item. So a message leaves a macro behind that carries this text, and whoever names the message asks that
//! macro. The text is a definition in the language itself, with each type after those that it needs, so one message
//! tells all there is to know, and the item that asks need not be able to name what is inside.

use std::collections::BTreeMap;

use super::lower::Reference;
use crate::ast::{self, Annotation, ExprKind, Item, StructMember, TypeKind};
use crate::emit::RustNames;
use crate::parse;
use crate::print;
use crate::source::SourceMap;

/// The definitions that an item needs, under names that differ.
#[derive(Debug, Default)]
pub(super) struct Merged {
    /// The definitions, each after those that it needs.
    pub(super) items: Vec<Item>,
    /// The name of each type that the item refers to, by path as written.
    pub(super) names: BTreeMap<String, String>,
    /// The Rust path of each definition; those that the item does not name itself have an empty one.
    pub(super) elsewhere: BTreeMap<String, String>,
    /// True if one of them has an error of its own.
    pub(super) broken: bool,
}

/// Joins what the messages that an item refers to have handed on.
pub(super) fn merge(
    own: &str,
    references: &[Reference],
    closures: &[String],
    sources: &mut SourceMap,
) -> Merged {
    let mut merged = Merged {
        broken: references.len() != closures.len(),
        ..Merged::default()
    };
    let mut taken = vec![RustNames::of_type(own)];
    let mut known: BTreeMap<(String, String), String> = BTreeMap::new();
    for (reference, closure) in references.iter().zip(closures) {
        let source = sources.add(reference.path.as_str(), closure.as_str());
        let (file, found) = parse::parse(source, closure);
        merged.broken |= file.items.is_empty() || !found.is_empty();
        // Names mean something only within one text.
        let mut local: BTreeMap<String, String> = BTreeMap::new();
        let count = file.items.len();
        for (index, mut item) in file.items.into_iter().enumerate() {
            rename(&mut item, &local);
            let Some(name) = name_of(&mut item).map(|name| name.text.clone()) else {
                merged.broken = true;
                continue;
            };
            let key = (name.clone(), print::item(&item));
            let is_it = index + 1 == count;
            let same = known.get(&key).cloned();
            // One type under two paths is two definitions: generated code then says what was written, and rustc sees that
            // they are one.
            let claimed = |known: &String| {
                is_it
                    && merged
                        .elsewhere
                        .get(known)
                        .is_some_and(|path| !path.is_empty())
            };
            let unique = match same.filter(|known| !claimed(known)) {
                Some(known) => known,
                None => {
                    let unique = fresh(&name, &mut taken);
                    if let Some(place) = name_of(&mut item) {
                        place.text.clone_from(&unique);
                    }
                    merged.items.push(item);
                    known.insert(key, unique.clone());
                    merged.elsewhere.insert(unique.clone(), String::new());
                    unique
                }
            };
            if is_it {
                let path = reference
                    .path
                    .strip_prefix("self::")
                    .unwrap_or(&reference.path);
                merged.elsewhere.insert(unique.clone(), path.to_owned());
                merged.names.insert(reference.path.clone(), unique.clone());
            }
            local.insert(name, unique);
        }
    }
    merged
}

/// The text that a message hands on.
pub(super) fn text<'a>(items: impl Iterator<Item = &'a Item>) -> String {
    let mut text = String::new();
    for item in items {
        let mut item = item.clone();
        strip(&mut item);
        text.push_str(&print::item(&item));
    }
    // Indentation is for people.
    text.lines()
        .map(str::trim_start)
        .collect::<Vec<_>>()
        .join("\n")
}

/// A name that no other becomes in Rust either.
fn fresh(name: &str, taken: &mut Vec<String>) -> String {
    let mut unique = name.to_owned();
    let mut number = 1;
    while taken.contains(&RustNames::of_type(&unique)) {
        number += 1;
        unique = format!("{name}_{number}");
    }
    taken.push(RustNames::of_type(&unique));
    unique
}

fn name_of(item: &mut Item) -> Option<&mut ast::Name> {
    match item {
        Item::Struct(it) => Some(&mut it.name),
        Item::Enum(it) => Some(&mut it.name),
        _ => None,
    }
}

/// Gives the types that a definition refers to their new names.
fn rename(item: &mut Item, names: &BTreeMap<String, String>) {
    let Item::Struct(it) = item else { return };
    for member in &mut it.members {
        if let StructMember::Field(field) = member {
            rename_type(&mut field.ty, names);
            if let Some(default) = &mut field.default {
                rename_expr(default, names);
            }
        }
    }
}

fn rename_type(ty: &mut ast::Type, names: &BTreeMap<String, String>) {
    match &mut ty.kind {
        TypeKind::Named(path) => rename_path(path, names),
        TypeKind::Vec(Some(elem), _) | TypeKind::Array(elem, _) | TypeKind::Optional(elem) => {
            rename_type(elem, names);
        }
        _ => {}
    }
}

fn rename_expr(expr: &mut ast::Expr, names: &BTreeMap<String, String>) {
    match &mut expr.kind {
        ExprKind::Path(path) => rename_path(path, names),
        ExprKind::Unary(_, inner) | ExprKind::Paren(inner) => rename_expr(inner, names),
        ExprKind::Binary(_, _, left, right) => {
            rename_expr(left, names);
            rename_expr(right, names);
        }
        _ => {}
    }
}

fn rename_path(path: &mut ast::Path, names: &BTreeMap<String, String>) {
    if let Some(first) = path.segments.first_mut()
        && let Some(name) = names.get(&first.text)
    {
        first.text.clone_from(name);
    }
}

/// Leaves what the rules and the layout of other types depend on.
fn strip(item: &mut Item) {
    match item {
        Item::Struct(it) => {
            thin(&mut it.attrs);
            for member in &mut it.members {
                if let StructMember::Field(field) = member {
                    field.attrs = ast::Attrs::default();
                    field.default = None;
                }
            }
        }
        Item::Enum(it) => {
            thin(&mut it.attrs);
            for member in &mut it.members {
                thin(&mut member.attrs);
            }
        }
        _ => {}
    }
}

fn thin(attrs: &mut ast::Attrs) {
    attrs.docs.clear();
    let needed = |annotation: &Annotation| {
        matches!(
            annotation.name.text.as_str(),
            "Derive" | "Deprecated" | "AllowAlias"
        )
    };
    attrs.annotations.retain(needed);
}
