//! The layout report: what every message costs, for tools and for people.

#[cfg(feature = "json")]
mod json;
mod lanes;
mod order;
mod text;

#[cfg(feature = "json")]
pub use json::json;
pub use lanes::{Lane, Shape, lane, shape};
pub use order::suggest_order;
pub use text::text;

use crate::ir::{
    BufferAccess, EnumKind, Field, FieldKind, Model, Type, TypeDef, TypeDefKind, Union,
};

/// Bytes in a cache line.
pub const CACHE_LINE: u32 = 64;

/// A type as it is written in the language, aliases kept.
pub fn type_name(model: &Model, ty: &Type) -> String {
    match ty {
        Type::Scalar(scalar) => scalar.keyword().to_owned(),
        Type::Def(id) => model.def(*id).name.clone(),
        Type::Alias(id) => model.alias(*id).name.clone(),
        Type::String { bound } => format!("string<{bound}>"),
        Type::Bytes { bound } => format!("bytes<{bound}>"),
        Type::Vec { elem, bound } => format!("vec<{}, {bound}>", type_name(model, elem)),
        Type::Array { .. } => {
            // The outer length is written first.
            let mut lengths = String::new();
            let mut at = ty;
            while let Type::Array { elem, len } = at {
                lengths.push_str(&format!("[{len}]"));
                at = elem;
            }
            format!("{}{lengths}", type_name(model, at))
        }
        Type::Optional(inner) => format!("{}?", type_name(model, inner)),
        Type::Buffer(BufferAccess::Read) => "buffer<read>".to_owned(),
        Type::Buffer(BufferAccess::Write) => "buffer<write>".to_owned(),
    }
}

/// The keyword that declares a type.
fn kind(def: &TypeDef) -> &'static str {
    match &def.kind {
        TypeDefKind::Struct(_) => "struct",
        TypeDefKind::Union(_) => "union",
        TypeDefKind::Enum(node) => match node.kind {
            EnumKind::Enum => "enum",
            EnumKind::Flags => "flags",
            EnumKind::Error => "error",
        },
    }
}

/// One row of a table.
struct Row {
    name: String,
    offset: u32,
    size: u32,
    /// Its type; a word for what has none.
    ty: String,
    /// Bytes that carry nothing, to align what follows.
    padding: bool,
    /// Room that is kept.
    reserved: bool,
}

fn field_rows(model: &Model, fields: &[Field]) -> Vec<Row> {
    fields
        .iter()
        .map(|field| Row {
            name: field.name.clone(),
            offset: field.offset,
            size: field.size,
            ty: match &field.kind {
                FieldKind::Value { ty, .. } => type_name(model, ty),
                FieldKind::Pad => "padding".to_owned(),
                FieldKind::Reserved => "reserved".to_owned(),
            },
            padding: matches!(field.kind, FieldKind::Pad),
            reserved: matches!(field.kind, FieldKind::Reserved),
        })
        .collect()
}

/// A union as its tag, the pad after it, and the storage that the arms share.
fn union_rows(node: &Union) -> Vec<Row> {
    let row = |name: &str, offset, size, ty: &str, padding| Row {
        name: name.to_owned(),
        offset,
        size,
        ty: ty.to_owned(),
        padding,
        reserved: false,
    };
    let tag = node.tag.size();
    let mut rows = vec![row("tag", 0, tag, node.tag.keyword(), false)];
    if node.storage_offset > tag {
        rows.push(row(
            "_pad0",
            tag,
            node.storage_offset - tag,
            "padding",
            true,
        ));
    }
    if node.storage_size > 0 {
        rows.push(row(
            "storage",
            node.storage_offset,
            node.storage_size,
            "storage",
            false,
        ));
    }
    rows
}

fn rows(model: &Model, def: &TypeDef) -> Vec<Row> {
    match &def.kind {
        TypeDefKind::Struct(node) => field_rows(model, &node.fields),
        TypeDefKind::Union(node) => union_rows(node),
        TypeDefKind::Enum(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::Scalar;

    #[test]
    fn writes_types_as_the_language_does() {
        let model = Model::default();
        let byte = || Box::new(Type::Scalar(Scalar::U8));
        let inner = Type::Array {
            elem: byte(),
            len: 2,
        };
        assert_eq!(
            type_name(
                &model,
                &Type::Array {
                    elem: Box::new(inner),
                    len: 3
                }
            ),
            "u8[3][2]"
        );
        assert_eq!(
            type_name(
                &model,
                &Type::Vec {
                    elem: byte(),
                    bound: 9
                }
            ),
            "vec<u8, 9>"
        );
        assert_eq!(type_name(&model, &Type::Optional(byte())), "u8?");
    }
}
