//! From the names of the language to Rust's: casing, keywords, primitive types.

use heck::{ToShoutySnakeCase, ToSnakeCase, ToUpperCamelCase};

/// True for words that no identifier may be, in any edition; each may be written raw.
fn is_keyword(name: &str) -> bool {
    // A `match` compares lengths first, which settles nearly every name.
    matches!(
        name,
        "abstract"
            | "as"
            | "async"
            | "await"
            | "become"
            | "box"
            | "break"
            | "const"
            | "continue"
            | "do"
            | "dyn"
            | "else"
            | "enum"
            | "extern"
            | "false"
            | "final"
            | "fn"
            | "for"
            | "gen"
            | "if"
            | "impl"
            | "in"
            | "let"
            | "loop"
            | "macro"
            | "match"
            | "mod"
            | "move"
            | "mut"
            | "override"
            | "priv"
            | "pub"
            | "ref"
            | "return"
            | "static"
            | "struct"
            | "trait"
            | "true"
            | "try"
            | "type"
            | "typeof"
            | "unsafe"
            | "unsized"
            | "use"
            | "virtual"
            | "where"
            | "while"
            | "yield"
    )
}

/// True for keywords that may not even be written raw.
fn is_strict(name: &str) -> bool {
    matches!(name, "Self" | "crate" | "self" | "super")
}

/// True for types that generated code names without a path: a type or module of that name would hide them.
fn is_primitive(name: &str) -> bool {
    matches!(
        name,
        "bool"
            | "char"
            | "f128"
            | "f16"
            | "f32"
            | "f64"
            | "i128"
            | "i16"
            | "i32"
            | "i64"
            | "i8"
            | "isize"
            | "str"
            | "u128"
            | "u16"
            | "u32"
            | "u64"
            | "u8"
            | "usize"
    )
}

/// A name in snake case, as part of a longer one.
pub(super) fn bare_snake(name: &str) -> String {
    let plain = name.starts_with(|first: char| first.is_ascii_lowercase())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        && !name.ends_with('_')
        && !name.contains("__");
    if plain {
        name.to_owned()
    } else {
        not_empty(name.to_snake_case(), "unnamed")
    }
}

/// A name in snake case, as what follows an underscore in a longer one: Rust wants no two in a row.
pub(super) fn part(name: &str) -> String {
    let name = bare_snake(name);
    name.strip_prefix('_').map(str::to_owned).unwrap_or(name)
}

/// A function, field, parameter or variable.
pub(super) fn snake(name: &str) -> String {
    escaped(bare_snake(name))
}

/// A module; it may not hide a primitive type.
pub(super) fn module(name: &str) -> String {
    escaped(visible(bare_snake(name)))
}

/// A type or variant: as written if that is how types are written in Rust.
pub(super) fn camel(name: &str) -> String {
    let plain = name.starts_with(|first: char| first.is_ascii_uppercase()) && !name.contains('_');
    let name = if plain {
        name.to_owned()
    } else {
        not_empty(name.to_upper_camel_case(), "Unnamed")
    };
    escaped(visible(name))
}

/// A constant or member: as written if it is in capitals already.
pub(super) fn upper(name: &str) -> String {
    let plain = name.starts_with(|first: char| first.is_ascii_uppercase())
        && !name.bytes().any(|byte| byte.is_ascii_lowercase());
    if plain {
        name.to_owned()
    } else {
        not_empty(name.to_shouty_snake_case(), "UNNAMED")
    }
}

/// The name without the `r#` of a raw identifier, as part of a longer one.
pub(super) fn unraw(name: &str) -> &str {
    name.strip_prefix("r#").unwrap_or(name)
}

/// `name` with as many underscores as make it differ from every name that `taken` knows.
pub(super) fn free(name: &str, taken: impl Fn(&str) -> bool) -> String {
    let mut name = name.to_owned();
    while taken(&name) {
        // A raw identifier needs no escape once it is longer than the keyword.
        name = format!("{}_", unraw(&name));
    }
    name
}

/// Casing drops underscores; what is left may be nothing, or begin with a digit.
fn not_empty(name: String, instead: &str) -> String {
    match name.chars().next() {
        None => instead.to_owned(),
        Some(first) if first.is_ascii_digit() => format!("_{name}"),
        Some(_) => name,
    }
}

fn visible(name: String) -> String {
    if is_primitive(&name) {
        name + "_"
    } else {
        name
    }
}

fn escaped(name: String) -> String {
    if is_strict(&name) {
        name + "_"
    } else if is_keyword(&name) {
        format!("r#{name}")
    } else {
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_and_fields() {
        for (name, rust) in [
            ("key", "key"),
            ("lastSeenNs", "last_seen_ns"),
            ("type", "r#type"),
            ("self", "self_"),
            ("Self", "self_"),
            ("crate", "crate_"),
            ("gen", "r#gen"),
            ("_", "unnamed"),
            ("_1", "_1"),
            ("_pad0", "pad0"),
            ("u8", "u8"),
        ] {
            assert_eq!(snake(name), rust, "{name}");
        }
    }

    #[test]
    fn types_modules_and_constants() {
        assert_eq!(camel("Record"), "Record");
        assert_eq!(camel("HTTPServer"), "HTTPServer");
        assert_eq!(camel("event"), "Event");
        assert_eq!(camel("Foo_Bar"), "FooBar");
        assert_eq!(camel("self"), "Self_");
        assert_eq!(module("u8"), "u8_");
        assert_eq!(module("type"), "r#type");
        assert_eq!(upper("MAX_VALUE"), "MAX_VALUE");
        assert_eq!(upper("maxValue"), "MAX_VALUE");
        assert_eq!(upper("_1"), "_1");
    }

    #[test]
    fn a_clash_gets_an_underscore() {
        assert_eq!(free("poll", |name| name == "poll"), "poll_");
        assert_eq!(free("r#type", |name| name == "r#type"), "type_");
    }
}
