//! Type names of other languages, known only to say which name to write instead.

/// What a foreign type name is called here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Foreign {
    /// A type that can replace it unseen.
    Exactly(&'static str),
    /// A type that needs a bound, which only the author knows.
    Bounded(&'static str),
    /// Nothing; the text says what to do instead.
    Nothing(&'static str),
}

/// The language that the name comes from, and what to write.
pub(crate) fn foreign(name: &str) -> Option<(&'static str, Foreign)> {
    use Foreign::{Bounded, Exactly, Nothing};
    Some(match name {
        // What these are depends on the language that the author comes from.
        "byte" => (
            "another language's",
            Nothing("write `u8`; the `byte` of AIDL and Java is `i8`"),
        ),
        "char" => (
            "another language's",
            Nothing(
                "write `u8` for a byte, and `string<N>` for text; the `char` of AIDL and Java is `u16`",
            ),
        ),
        "int" => ("AIDL's", Exactly("i32")),
        "long" => ("AIDL's", Exactly("i64")),
        "short" => ("Java's", Exactly("i16")),
        "float" => ("AIDL's", Exactly("f32")),
        "double" => ("AIDL's", Exactly("f64")),
        "boolean" => ("AIDL's", Exactly("bool")),
        "unsigned" => ("C's", Exactly("u32")),
        "uint" => ("another language's", Exactly("u32")),
        "ubyte" => ("another language's", Exactly("u8")),
        "ushort" => ("another language's", Exactly("u16")),
        "ulong" => ("another language's", Exactly("u64")),
        "int8_t" => ("C's", Exactly("i8")),
        "int8" => ("FIDL's", Exactly("i8")),
        "int16_t" => ("C's", Exactly("i16")),
        "int16" => ("FIDL's", Exactly("i16")),
        "int32_t" => ("C's", Exactly("i32")),
        "int32" | "sint32" | "sfixed32" => ("protobuf's", Exactly("i32")),
        "int64_t" => ("C's", Exactly("i64")),
        "int64" | "sint64" | "sfixed64" => ("protobuf's", Exactly("i64")),
        "uint8_t" => ("C's", Exactly("u8")),
        "uint8" => ("FIDL's", Exactly("u8")),
        "uint16_t" => ("C's", Exactly("u16")),
        "uint16" => ("FIDL's", Exactly("u16")),
        "uint32_t" => ("C's", Exactly("u32")),
        "uint32" | "fixed32" => ("protobuf's", Exactly("u32")),
        "uint64_t" | "size_t" => ("C's", Exactly("u64")),
        "uint64" | "fixed64" => ("protobuf's", Exactly("u64")),
        "float32" => ("FIDL's", Exactly("f32")),
        "float64" => ("FIDL's", Exactly("f64")),
        "usize" => ("Rust's", Exactly("u64")),
        "isize" => ("Rust's", Exactly("i64")),
        "u128" | "i128" => (
            "Rust's",
            Nothing("write `u64[2]`; integers have at most 64 bits"),
        ),
        "String" | "CharSequence" | "str" => ("another language's", Bounded("string<64>")),
        "List" | "Vec" | "vector" | "ArrayList" => ("another language's", Bounded("vec<T, 16>")),
        "Map" | "HashMap" | "BTreeMap" | "map" => (
            "another language's",
            Nothing("write a `vec` of a struct with a key and a value"),
        ),
        "Option" | "Optional" => ("another language's", Nothing("write `T?`")),
        "IBinder" | "ParcelFileDescriptor" | "FileDescriptor" | "handle" | "memory" => (
            "another language's",
            Nothing("handles cannot travel; send a number that both sides know the thing by"),
        ),
        _ => return None,
    })
}
