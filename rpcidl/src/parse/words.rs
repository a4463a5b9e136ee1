//! Words of this language and of its neighbours.

use crate::suggest;

/// The words that a declaration begins with.
pub(crate) const DECLARATIONS: [&str; 10] = [
    "alias",
    "closed",
    "const",
    "enum",
    "error",
    "flags",
    "interface",
    "oneway",
    "struct",
    "union",
];

/// Those that are followed by a name and a body.
pub(crate) const BODIES: [&str; 6] = ["enum", "error", "flags", "interface", "struct", "union"];

/// What this language calls a declaration of another one.
pub(crate) fn foreign_declaration(word: &str) -> Option<&'static str> {
    Some(match word {
        "message" | "record" | "parcelable" | "table" | "class" | "data" | "compound" => "struct",
        "exception" => "error",
        "service" | "protocol" | "trait" | "rpc_service" => "interface",
        "bits" | "bitmask" | "bitfield" | "bitset" | "bit_flags" => "flags",
        "variant" | "oneof" | "choice" | "safe_union" => "union",
        "typedef" | "type" | "using" | "typealias" => "alias",
        "include" | "use" | "require" => "import",
        "namespace" | "module" | "mod" => "package",
        "enumeration" => "enum",
        "constexpr" | "let" | "static" | "define" => "const",
        _ => return None,
    })
}

/// The declaration keyword that was probably meant by a misspelt one.
pub(crate) fn similar_declaration(word: &str) -> Option<&'static str> {
    suggest::nearest(
        word,
        DECLARATIONS
            .into_iter()
            .chain(["package", "import", "edition"]),
    )
}

/// Why a word of another language before a field or a method is not needed, and what to write instead.
pub(crate) fn foreign_modifier(word: &str) -> Option<&'static str> {
    Some(match word {
        "public" | "private" | "protected" | "pub" | "final" | "static" | "abstract"
        | "virtual" | "mutable" | "volatile" | "let" | "var" | "mut" => {
            "remove it; there is nothing like it here"
        }
        "optional" | "nullable" => "remove it and write `?` after the type",
        "required" => "remove it; a field without `?` is always there",
        "repeated" | "list" => "remove it and write `vec<T, N>` as the type",
        "unsigned" => "write `u8`, `u16`, `u32` or `u64` as the type",
        "signed" | "long" | "short" => "write `i8`, `i16`, `i32` or `i64` as the type",
        "struct" | "enum" | "union" => "remove it; a type is used by its name alone",
        "fn" | "func" | "function" | "def" | "rpc" => {
            "write the result type instead, `void` if there is none"
        }
        "async" => "write `oneway` for a call without a reply; others can be awaited anyway",
        "signal" | "callback" => "write `event`",
        "stream" => {
            "write an `event` for what the server sends, and a `oneway` method for what a client sends"
        }
        "attribute" | "readonly" | "property" => {
            "write a method that returns it, and one that sets it if that may be"
        }
        _ => return None,
    })
}

/// What a type of another language that takes arguments is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Generic {
    /// The type with this keyword.
    Keyword(&'static str),
    /// `T[N]`, or a list where the number of elements varies.
    Array,
    /// `T?`.
    Optional,
    /// The name of a `flags` type.
    Flags,
    /// Nothing; a map is a list of pairs.
    Map,
    /// Nothing; methods throw.
    Result,
}

/// What this language has for a type of another one that takes arguments.
pub(crate) fn foreign_generic(word: &str) -> Option<Generic> {
    Some(match word.to_ascii_lowercase().as_str() {
        "string" | "str" | "text" | "charsequence" | "varchar" | "fixedstring" | "staticstring"
        | "arraystring" => Generic::Keyword("string"),
        "bytes" | "bytearray" | "bytestring" | "blob" | "binary" => Generic::Keyword("bytes"),
        "vec" | "list" | "arraylist" | "vector" | "arrayvec" | "staticvector" | "sequence"
        | "repeated" | "span" | "slice" => Generic::Keyword("vec"),
        "buffer" => Generic::Keyword("buffer"),
        "array" => Generic::Array,
        "option" | "optional" | "nullable" => Generic::Optional,
        "map" | "hashmap" | "dictionary" | "btreemap" => Generic::Map,
        "bitfield" | "bitset" | "bitmask" => Generic::Flags,
        "result" => Generic::Result,
        _ => return None,
    })
}

/// The type with arguments that was probably meant by a misspelt one.
pub(crate) fn similar_generic(word: &str) -> Option<&'static str> {
    suggest::nearest(
        &word.to_ascii_lowercase(),
        ["string", "bytes", "vec", "buffer"],
    )
}

/// True for types that have a keyword or a fixed name.
pub(crate) fn is_builtin_type(word: &str) -> bool {
    matches!(
        word,
        "u8" | "u16"
            | "u32"
            | "u64"
            | "i8"
            | "i16"
            | "i32"
            | "i64"
            | "f32"
            | "f64"
            | "bool"
            | "string"
            | "bytes"
            | "vec"
            | "void"
            | "buffer"
    )
}
