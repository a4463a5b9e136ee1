//! The syntax tree: what was written, with spans, before any name is looked up.
//!
//! Both front ends build it: the grammar from `.idl` text, the macros from Rust tokens. A part that could
//! not be read becomes an `Invalid` node, so the rest of the file is still checked.

use crate::source::{SourceId, Span};

/// One file, or one annotated Rust item.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
pub struct File {
    /// The source it was read from.
    pub source: SourceId,
    /// Leading `//!` lines.
    pub docs: Vec<Doc>,
    /// `edition N;`
    pub edition: Option<Int>,
    /// `package a.b@1.2;`; its absence is an error that the checker reports.
    pub package: Option<Package>,
    /// `import a.b.Name;`
    pub imports: Vec<Import>,
    /// Declarations in order.
    pub items: Vec<Item>,
    /// Every comment that is not documentation, in order; the formatter puts them back.
    pub comments: Vec<Comment>,
    /// The whole file.
    pub span: Span,
}

/// A name where it is written.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
pub struct Name {
    /// The text.
    pub text: String,
    /// Its place.
    pub span: Span,
}

/// Names joined by dots.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
pub struct Path {
    /// At least one.
    pub segments: Vec<Name>,
    /// From the first to the last.
    pub span: Span,
}

/// One line of documentation, without the marker and one leading space.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
pub struct Doc {
    /// The text.
    pub text: String,
    /// Its place, marker included.
    pub span: Span,
}

/// A comment that is not documentation.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
pub struct Comment {
    /// The text with its markers.
    pub text: String,
    /// Its place.
    pub span: Span,
}

/// An integer literal that is not an expression (an edition, a version).
#[derive(Clone, Debug)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
pub struct Int {
    /// Its value; `None` if it does not fit.
    pub value: Option<u32>,
    /// Its place.
    pub span: Span,
}

/// `package a.b@1.2;`
#[derive(Clone, Debug)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
pub struct Package {
    /// The dotted name.
    pub path: Path,
    /// Major and minor.
    pub version: Option<(Int, Int)>,
    /// The whole statement.
    pub span: Span,
}

/// `import a.b.Name;` or `import a.b.Name as Other;`
#[derive(Clone, Debug)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
pub struct Import {
    /// Package and name; the last segment is the name.
    pub path: Path,
    /// The local name.
    pub rename: Option<Name>,
    /// The whole statement.
    pub span: Span,
}

/// What may stand before any declaration.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
pub struct Attrs {
    /// `///` lines.
    pub docs: Vec<Doc>,
    /// `@Name(…)`, as written and not yet checked.
    pub annotations: Vec<Annotation>,
}

/// `@Name`, `@Name(value)` or `@Name(key = value, …)`.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
pub struct Annotation {
    /// The name after the `@`.
    pub name: Name,
    /// What stands in the parentheses.
    pub args: Vec<AnnotationArg>,
    /// With the `@` and the parentheses.
    pub span: Span,
}

/// One argument of an annotation.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
pub struct AnnotationArg {
    /// The key, if one is given.
    pub key: Option<Name>,
    /// The value. A bare word such as `isolated` is an [`Expr`] path.
    pub value: AnnotationValue,
}

/// The value of an annotation's argument.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
pub enum AnnotationValue {
    /// A constant expression.
    Expr(Expr),
    /// `{a, b}`
    Set(Vec<Name>, Span),
}

/// A declaration of a file, a struct or an interface.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
pub enum Item {
    /// `const T NAME = expr;`
    Const(Const),
    /// `alias Name = T;`
    Alias(Alias),
    /// `enum`, `flags`, `error`
    Enum(Enum),
    /// `struct`
    Struct(Struct),
    /// `union`
    Union(Union),
    /// `interface`
    Interface(Interface),
    /// Something that could not be read; the parser has reported it.
    Invalid(Span),
}

/// `const T NAME = expr;`
#[derive(Clone, Debug)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
pub struct Const {
    /// Documentation and annotations.
    pub attrs: Attrs,
    /// Declared type.
    pub ty: Type,
    /// Name.
    pub name: Name,
    /// Value.
    pub value: Expr,
    /// The whole declaration, without `attrs`.
    pub span: Span,
}

/// `alias Name = T;`
#[derive(Clone, Debug)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
pub struct Alias {
    /// Documentation and annotations.
    pub attrs: Attrs,
    /// Name.
    pub name: Name,
    /// What it stands for.
    pub ty: Type,
    /// The whole declaration, without `attrs`.
    pub span: Span,
}

/// `enum E : u8 { … }`, `flags F : u16 { … }`, `error E : u32 { … }`
#[derive(Clone, Debug)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
pub struct Enum {
    /// Documentation and annotations.
    pub attrs: Attrs,
    /// Which of the three.
    pub kind: EnumKind,
    /// Where `closed` is written.
    pub closed: Option<Span>,
    /// Name.
    pub name: Name,
    /// The type after the colon; its absence is an error that the checker reports.
    pub repr: Option<Type>,
    /// Members in order.
    pub members: Vec<Member>,
    /// `reserved 7` and `reserved 8..15`, in order.
    pub reserved: Vec<ReservedNumbers>,
    /// The whole declaration, without `attrs`.
    pub span: Span,
}

/// The keyword that an enumeration begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
pub enum EnumKind {
    /// `enum`
    Enum,
    /// `flags`
    Flags,
    /// `error`
    Error,
}

/// `NAME = expr` in an enumeration.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
pub struct Member {
    /// Documentation and annotations.
    pub attrs: Attrs,
    /// Name.
    pub name: Name,
    /// Value; without one it is one more than the member before it (flags and errors must give one).
    pub value: Option<Expr>,
    /// Without `attrs`.
    pub span: Span,
}

/// Numbers that may not be used (again).
#[derive(Clone, Debug)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
pub struct ReservedNumbers {
    /// First number.
    pub first: Expr,
    /// Last number, for `reserved a..b` (both included).
    pub last: Option<Expr>,
    /// With the keyword.
    pub span: Span,
}

/// `struct S { … }`
#[derive(Clone, Debug)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
pub struct Struct {
    /// Documentation and annotations.
    pub attrs: Attrs,
    /// Name.
    pub name: Name,
    /// Fields, reserved room and nested declarations in order.
    pub members: Vec<StructMember>,
    /// The whole declaration, without `attrs`.
    pub span: Span,
}

/// What a struct's braces may hold.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
pub enum StructMember {
    /// `T name = default;`
    Field(Field),
    /// `reserved u8[N];`
    Reserved {
        /// Normally `u8[N]`; anything else is an error that the checker reports.
        ty: Type,
        /// The whole statement.
        span: Span,
    },
    /// A nested const, alias, enum, flags, error, struct or union.
    Item(Item),
    /// Something that could not be read.
    Invalid(Span),
}

/// `T name = default;`
#[derive(Clone, Debug)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
pub struct Field {
    /// Documentation and annotations.
    pub attrs: Attrs,
    /// Type.
    pub ty: Type,
    /// Name.
    pub name: Name,
    /// Default.
    pub default: Option<Expr>,
    /// Without `attrs`.
    pub span: Span,
}

/// `union U : u8 { 0: T name; … }`
#[derive(Clone, Debug)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
pub struct Union {
    /// Documentation and annotations.
    pub attrs: Attrs,
    /// Where `closed` is written.
    pub closed: Option<Span>,
    /// Name.
    pub name: Name,
    /// The tag's type; its absence is an error that the checker reports.
    pub tag: Option<Type>,
    /// Arms in order.
    pub arms: Vec<Arm>,
    /// `reserved 7;`
    pub reserved: Vec<ReservedNumbers>,
    /// The whole declaration, without `attrs`.
    pub span: Span,
}

/// `0: T name;`
#[derive(Clone, Debug)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
pub struct Arm {
    /// Documentation and annotations.
    pub attrs: Attrs,
    /// The number before the colon.
    pub tag: Expr,
    /// What it holds; [`TypeKind::Void`] for nothing.
    pub ty: Type,
    /// Name.
    pub name: Name,
    /// Without `attrs`.
    pub span: Span,
}

/// `interface I extends B { … }`
#[derive(Clone, Debug)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
pub struct Interface {
    /// Documentation and annotations.
    pub attrs: Attrs,
    /// Where a `oneway` before `interface` is written: every method is oneway.
    pub oneway: Option<Span>,
    /// Name.
    pub name: Name,
    /// What it extends.
    pub base: Option<Path>,
    /// Methods, reserved ids and nested declarations in order.
    pub members: Vec<InterfaceMember>,
    /// The whole declaration, without `attrs`.
    pub span: Span,
}

/// What an interface's braces may hold.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
pub enum InterfaceMember {
    /// A method or an event.
    Method(Method),
    /// `reserved 7;`: ids that may not be used.
    Reserved(ReservedNumbers),
    /// A nested const, alias, enum, flags, error, struct or union.
    Item(Item),
    /// Something that could not be read.
    Invalid(Span),
}

/// `Ret name(in T a, …) throws E = id;`
#[derive(Clone, Debug)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
pub struct Method {
    /// Documentation and annotations.
    pub attrs: Attrs,
    /// Where `oneway` is written.
    pub oneway: Option<Span>,
    /// Where `event` is written.
    pub event: Option<Span>,
    /// Return type.
    pub result: Type,
    /// Name.
    pub name: Name,
    /// Parameters in order.
    pub params: Vec<Param>,
    /// The type after `throws`.
    pub throws: Option<Path>,
    /// The expression after `=`.
    pub id: Option<Expr>,
    /// Without `attrs`.
    pub span: Span,
}

/// `in T name`
#[derive(Clone, Debug)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
pub struct Param {
    /// Documentation and annotations.
    pub attrs: Attrs,
    /// The keyword; its absence is an error that the checker reports.
    pub direction: Option<(Direction, Span)>,
    /// Type.
    pub ty: Type,
    /// Name.
    pub name: Name,
    /// Without `attrs`.
    pub span: Span,
}

/// Which way a parameter travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
pub enum Direction {
    /// `in`
    In,
    /// `out`
    Out,
    /// `inout`
    InOut,
}

/// A use of a type.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
pub struct Type {
    /// What it is.
    pub kind: TypeKind,
    /// Its place.
    pub span: Span,
}

/// The forms of a type.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
pub enum TypeKind {
    /// `void`
    Void,
    /// A scalar or a declared type, by name; the resolver tells them apart.
    Named(Path),
    /// `string<N>`; the bound may be missing, which the checker reports.
    String(Option<Box<Expr>>),
    /// `bytes<N>`
    Bytes(Option<Box<Expr>>),
    /// `vec<T, N>`
    Vec(Option<Box<Type>>, Option<Box<Expr>>),
    /// `T[N]`; `T[3][2]` is `Array(T[2], 3)`: 3 arrays of 2, as in AIDL and Java.
    Array(Box<Type>, Box<Expr>),
    /// `T?`
    Optional(Box<Type>),
    /// `buffer<read>`; the access may be missing or wrong, which the checker reports.
    Buffer(Option<Name>),
    /// Something that could not be read.
    Invalid,
}

/// A constant expression.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Its place.
    pub span: Span,
}

/// The forms of an expression.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
pub enum ExprKind {
    /// An integer literal; `None` if it does not fit in a `u128`. Serialised as text by the JSON form.
    Int(
        #[cfg_attr(feature = "json", serde(serialize_with = "crate::json::int_as_text"))]
        Option<u128>,
    ),
    /// A float literal.
    Float(f64),
    /// `true` or `false`
    Bool(bool),
    /// A string literal, unescaped.
    Str(String),
    /// A constant, a member (`Tier.HOT`), or a bare word of an annotation.
    Path(Path),
    /// `-a`, `~a`, `!a`
    Unary(UnaryOp, Box<Expr>),
    /// `a + b`
    Binary(BinaryOp, Span, Box<Expr>, Box<Expr>),
    /// `(a)`; kept for the formatter and for the rule that bitwise and comparison may not be mixed without.
    Paren(Box<Expr>),
    /// Something that could not be read.
    Invalid,
}

/// A prefix operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
pub enum UnaryOp {
    /// `-`
    Neg,
    /// `~`
    Not,
    /// `!`
    LogicalNot,
}

/// An infix operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[allow(missing_docs, reason = "each variant is the operator of that name")]
pub enum BinaryOp {
    Add,
    Sub,
    Mul,
    Div,
    Rem,
    Shl,
    Shr,
    And,
    Or,
    Xor,
    LogicalAnd,
    LogicalOr,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}
