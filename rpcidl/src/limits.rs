//! The named limits that hostile or mistaken input meets, each with an error code of its own.

/// Greatest size of one source text in bytes.
pub const SOURCE_BYTES: usize = 16 * 1024 * 1024;

/// Greatest number of files that one compilation may import.
pub const IMPORTED_FILES: usize = 1024;

/// Greatest nesting of brackets, types and expressions in the text.
pub const SYNTAX_NESTING: usize = 64;

/// Greatest number of operators in one expression; its tree may be that deep.
pub const EXPRESSION_OPERATORS: usize = 256;

/// Greatest number of findings of one compilation; a file of another language would fill the screen for hours. One
/// more says that there were more.
pub const FINDINGS: usize = 1000;

/// Greatest size of a struct, a union, a request or a response in bytes.
pub const STRUCT_BYTES: u32 = 65_536;

/// Greatest depth of types inside types, and of interfaces that extend each other.
pub const TYPE_NESTING: u32 = 32;

/// Greatest number of members of an `enum`, `flags` or `error`, and of arms of a union.
pub const MEMBERS: usize = 4096;

/// Greatest number of parameters of a method.
pub const PARAMS: usize = 32;

/// Greatest id of a method, and so the greatest number of methods of an interface.
pub const METHOD_ID: u32 = 65_535;

/// Greatest bound of `string<N>`, `bytes<N>` and `vec<T, N>`: lengths travel as `u16`.
pub const BOUND: u32 = 65_535;

/// Least error value that belongs to the runtime; `error` types stay below it.
pub const RUNTIME_ERRORS: i128 = 0xFFFF_0000;

/// Greatest in-flight window that an annotation may ask for.
pub const WINDOW: u32 = 4096;

/// Least in-flight window: no transport works with a single slot.
pub const LEAST_WINDOW: u32 = 2;

/// Number of unknown names per compilation for which a similar name is searched; the search looks at
/// every visible name, so a file full of unknown names must not repeat it for each.
pub const SUGGESTIONS: usize = 200;

/// Greatest number of names that these searches look at together.
pub const SUGGESTION_NAMES: usize = 1_000_000;

/// Greatest size of the canonical texts of all interfaces in bytes. Interfaces that share large types are each
/// described in full, so a short source could otherwise ask for an endless text.
pub const ABI_TEXT_BYTES: usize = 64 * 1024 * 1024;

/// Greatest size, about, of all methods that the interfaces of a compilation inherit together. Each one inherits
/// all methods of its base, so a short source could otherwise ask for an endless number.
pub const INHERITED_BYTES: usize = 256 * 1024 * 1024;

/// Greatest size of the strings of all constants and defaults in bytes. A constant may repeat another, so a short
/// source could otherwise ask for an endless text.
pub const STRING_BYTES: usize = 64 * 1024 * 1024;
