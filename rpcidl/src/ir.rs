//! The resolved model: ids instead of names, every value, size and offset computed, every rule checked.
//!
//! Emitters, the layout report and the fingerprint see only this. A [`Model`] exists only for input
//! without errors, so nothing here can be invalid.

use std::time::Duration;

use crate::source::Span;

/// Index of a [`TypeDef`] in [`Model::types`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TypeId(pub u32);

/// Index of an [`Alias`] in [`Model::aliases`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AliasId(pub u32);

/// Index of an [`Interface`] in [`Model::interfaces`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InterfaceId(pub u32);

/// Index of a [`Package`] in [`Model::packages`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PackageId(pub u32);

/// Everything that one compilation defines.
#[derive(Clone, Debug, Default)]
pub struct Model {
    /// Packages: the inputs first, in the order given, then what they import.
    pub packages: Vec<Package>,
    /// All types, dependencies before their users.
    pub types: Vec<TypeDef>,
    /// All aliases.
    pub aliases: Vec<Alias>,
    /// All interfaces, bases before what extends them.
    pub interfaces: Vec<Interface>,
}

/// One package: the contents of one file.
#[derive(Clone, Debug)]
pub struct Package {
    /// Dotted name, such as `acme.kv`.
    pub name: String,
    /// Major and minor version, if given.
    pub version: Option<Version>,
    /// Documentation of the file (`//!`).
    pub docs: Vec<String>,
    /// Name of the source, as shown to people.
    pub source_name: String,
    /// True for a file that was asked for, false for one that is only imported.
    pub is_input: bool,
    /// Constants in declared order.
    pub consts: Vec<Const>,
    /// Aliases in declared order.
    pub aliases: Vec<AliasId>,
    /// Types in declared order, nested ones right after their owner.
    pub types: Vec<TypeId>,
    /// Interfaces in declared order.
    pub interfaces: Vec<InterfaceId>,
}

/// A `major.minor` version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// Before the dot.
    pub major: u32,
    /// After the dot.
    pub minor: u32,
}

/// What any declared thing may carry.
#[derive(Clone, Debug, Default)]
pub struct Meta {
    /// `///` lines, without the slashes and one leading space.
    pub docs: Vec<String>,
    /// The reason given in `@Deprecated("…")`.
    pub deprecated: Option<String>,
    /// The version given in `@Since(…)`.
    pub since: Option<Version>,
}

/// A named constant with its evaluated value.
#[derive(Clone, Debug)]
pub struct Const {
    /// Documentation and availability.
    pub meta: Meta,
    /// Name as written.
    pub name: String,
    /// Declared type: a scalar, a string or an enum.
    pub ty: Type,
    /// Its value, in range for the type.
    pub value: Value,
    /// Where the name is.
    pub span: Span,
}

/// A value of a constant or a default.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Any integer type.
    Int(i128),
    /// `f32` or `f64`.
    Float(f64),
    /// `bool`.
    Bool(bool),
    /// A string, within the bound of its type.
    Str(String),
    /// A member of an enum; the number is in range for its representation.
    Member {
        /// The enum.
        ty: TypeId,
        /// The member's name.
        name: String,
        /// The member's value.
        value: i128,
    },
    /// A combination of flags.
    Flags {
        /// The flags type.
        ty: TypeId,
        /// The bits.
        bits: i128,
    },
}

/// A name for another type.
#[derive(Clone, Debug)]
pub struct Alias {
    /// Documentation and availability.
    pub meta: Meta,
    /// The package it belongs to.
    pub package: PackageId,
    /// Name as written; a nested one is joined with its owner's by a dot.
    pub name: String,
    /// What it stands for.
    pub target: Type,
    /// Where the name is.
    pub span: Span,
}

/// A scalar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scalar {
    /// Unsigned, 8 bits.
    U8,
    /// Unsigned, 16 bits.
    U16,
    /// Unsigned, 32 bits.
    U32,
    /// Unsigned, 64 bits.
    U64,
    /// Signed, 8 bits.
    I8,
    /// Signed, 16 bits.
    I16,
    /// Signed, 32 bits.
    I32,
    /// Signed, 64 bits.
    I64,
    /// IEEE 754, 32 bits.
    F32,
    /// IEEE 754, 64 bits.
    F64,
    /// One byte, 0 or 1.
    Bool,
}

impl Scalar {
    /// The keyword of the language, which is also the Rust type's name.
    pub fn keyword(self) -> &'static str {
        match self {
            Self::U8 => "u8",
            Self::U16 => "u16",
            Self::U32 => "u32",
            Self::U64 => "u64",
            Self::I8 => "i8",
            Self::I16 => "i16",
            Self::I32 => "i32",
            Self::I64 => "i64",
            Self::F32 => "f32",
            Self::F64 => "f64",
            Self::Bool => "bool",
        }
    }

    /// Size in bytes, which is also the alignment.
    pub fn size(self) -> u32 {
        match self {
            Self::U8 | Self::I8 | Self::Bool => 1,
            Self::U16 | Self::I16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 => 8,
        }
    }

    /// True for the integer types.
    pub fn is_integer(self) -> bool {
        !matches!(self, Self::F32 | Self::F64 | Self::Bool)
    }

    /// The least and greatest value, for an integer type.
    pub fn range(self) -> Option<(i128, i128)> {
        Some(match self {
            Self::U8 => (0, u8::MAX.into()),
            Self::U16 => (0, u16::MAX.into()),
            Self::U32 => (0, u32::MAX.into()),
            Self::U64 => (0, u64::MAX.into()),
            Self::I8 => (i8::MIN.into(), i8::MAX.into()),
            Self::I16 => (i16::MIN.into(), i16::MAX.into()),
            Self::I32 => (i32::MIN.into(), i32::MAX.into()),
            Self::I64 => (i64::MIN.into(), i64::MAX.into()),
            Self::F32 | Self::F64 | Self::Bool => return None,
        })
    }
}

/// A use of a type.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Type {
    /// A scalar.
    Scalar(Scalar),
    /// A declared type.
    Def(TypeId),
    /// An alias, kept so that generated code shows the name that was written.
    Alias(AliasId),
    /// `string<N>`: UTF-8, at most `bound` bytes.
    String {
        /// Greatest length in bytes.
        bound: u32,
    },
    /// `bytes<N>`.
    Bytes {
        /// Greatest length in bytes.
        bound: u32,
    },
    /// `vec<T, N>`.
    Vec {
        /// Element type.
        elem: Box<Type>,
        /// Greatest number of elements.
        bound: u32,
    },
    /// `T[N]`; `T[3][2]` is an array of 3 arrays of 2, as in AIDL: `Array { len: 3, elem: Array { len: 2, .. } }`.
    Array {
        /// Element type.
        elem: Box<Type>,
        /// Number of elements, at least 1.
        len: u32,
    },
    /// `T?`.
    Optional(Box<Type>),
    /// `buffer<read>` or `buffer<write>`: a 24-byte descriptor of leased memory.
    Buffer(BufferAccess),
}

/// What the peer may do with a lent buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BufferAccess {
    /// The peer may read it.
    Read,
    /// The peer may write it.
    Write,
}

/// A declared type with its layout.
#[derive(Clone, Debug)]
pub struct TypeDef {
    /// Documentation and availability.
    pub meta: Meta,
    /// The package it belongs to.
    pub package: PackageId,
    /// Name as written; a nested one is joined with its owner's by a dot, such as `Image.Format`.
    pub name: String,
    /// What it is.
    pub kind: TypeDefKind,
    /// Size in bytes.
    pub size: u32,
    /// Alignment in bytes: 1, 2, 4 or 8.
    pub align: u32,
    /// True if `validate()` has nothing to check: numbers and arrays of numbers without padding.
    pub plain: bool,
    /// True if it holds a `buffer`.
    pub resource: bool,
    /// What `@Derive(…)` asks for beyond `Clone`, `Copy`, `Debug` and `PartialEq`.
    pub derives: Vec<Derive>,
    /// Where the name is.
    pub span: Span,
}

/// A standard trait that `@Derive` may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Derive {
    /// `core::cmp::Eq`.
    Eq,
    /// `core::cmp::PartialOrd`.
    PartialOrd,
    /// `core::cmp::Ord`.
    Ord,
    /// `core::hash::Hash`.
    Hash,
}

/// What a declared type is.
#[derive(Clone, Debug)]
pub enum TypeDefKind {
    /// `struct`.
    Struct(Struct),
    /// `union`.
    Union(Union),
    /// `enum`, `flags` or `error`.
    Enum(Enum),
}

/// The fields of a struct, a request or a response, laid out.
#[derive(Clone, Debug, Default)]
pub struct Struct {
    /// Fields in offset order, pads and reserved room included, without gaps.
    pub fields: Vec<Field>,
    /// Size in bytes.
    pub size: u32,
    /// Alignment in bytes.
    pub align: u32,
}

/// One field.
#[derive(Clone, Debug)]
pub struct Field {
    /// Documentation and availability.
    pub meta: Meta,
    /// Name as written, or `_pad0`, `_pad1`, … and `_reserved0`, … for the made-up ones.
    pub name: String,
    /// What it holds.
    pub kind: FieldKind,
    /// First byte.
    pub offset: u32,
    /// Size in bytes.
    pub size: u32,
    /// Where it is written; for a pad, where the field after it (or the struct) is.
    pub span: Span,
}

impl Field {
    /// The type of a field that holds a value; `None` for pads and reserved room.
    pub fn value(&self) -> Option<&Type> {
        match &self.kind {
            FieldKind::Value { ty, .. } => Some(ty),
            FieldKind::Pad | FieldKind::Reserved => None,
        }
    }
}

/// What a field holds.
#[derive(Clone, Debug)]
pub enum FieldKind {
    /// A value.
    Value {
        /// Its type.
        ty: Type,
        /// The default, if one was written.
        default: Option<Value>,
    },
    /// Bytes that align what follows; always zero.
    Pad,
    /// `reserved u8[N]`: room to grow; always zero.
    Reserved,
}

/// A tagged union: the tag at offset 0, then padding, then storage for the largest arm.
#[derive(Clone, Debug)]
pub struct Union {
    /// Type of the tag.
    pub tag: Scalar,
    /// True if `closed`: an unknown tag is an error instead of an unknown arm.
    pub closed: bool,
    /// The arms in declared order.
    pub arms: Vec<Arm>,
    /// Offset of the storage.
    pub storage_offset: u32,
    /// Size of the storage, tail padding included; 0 if every arm is `void`.
    pub storage_size: u32,
}

/// One arm of a union.
#[derive(Clone, Debug)]
pub struct Arm {
    /// Documentation and availability.
    pub meta: Meta,
    /// Name as written.
    pub name: String,
    /// Its tag.
    pub tag: i128,
    /// What it holds; `None` is `void`.
    pub ty: Option<Type>,
    /// Where the name is.
    pub span: Span,
}

/// `enum`, `flags` or `error`.
#[derive(Clone, Debug)]
pub struct Enum {
    /// Which of the three.
    pub kind: EnumKind,
    /// The integer that carries it.
    pub repr: Scalar,
    /// True if a value that is not a member is refused. Flags are refused for unknown bits only if closed.
    pub closed: bool,
    /// Members in declared order.
    pub members: Vec<Member>,
}

/// Which kind of enumeration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EnumKind {
    /// One of several values.
    Enum,
    /// A set of bits.
    Flags,
    /// A reason why a call failed; 0 is not a member.
    Error,
}

/// A member of an enumeration.
#[derive(Clone, Debug)]
pub struct Member {
    /// Documentation and availability.
    pub meta: Meta,
    /// Name as written.
    pub name: String,
    /// Its value.
    pub value: i128,
    /// Where the name is.
    pub span: Span,
}

/// A service.
#[derive(Clone, Debug)]
pub struct Interface {
    /// Documentation and availability.
    pub meta: Meta,
    /// The package it belongs to.
    pub package: PackageId,
    /// Name as written.
    pub name: String,
    /// The interface it extends.
    pub base: Option<InterfaceId>,
    /// Constants declared inside.
    pub consts: Vec<Const>,
    /// All methods and events, inherited ones first, in declared order.
    pub methods: Vec<Method>,
    /// The backends of `@Backends`, in declared order; empty if it was not given.
    pub backends: Vec<Backend>,
    /// What tunes the backends.
    pub tuning: Tuning,
    /// The fingerprint.
    pub abi_hash: [u8; 16],
    /// The canonical text that the fingerprint is made of.
    pub abi_text: String,
    /// Where the name is.
    pub span: Span,
}

/// A transport that stubs can be emitted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Backend {
    /// SPSC lanes between threads.
    Inproc,
    /// Shared-memory slots between processes.
    Shm,
    /// RC + SRQ between nodes.
    Rdma,
}

impl Backend {
    /// Every backend, whether stubs can be emitted for it yet or not.
    pub const ALL: [Self; 3] = [Self::Inproc, Self::Shm, Self::Rdma];
}

/// Values that tune a backend and never change the ABI.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tuning {
    /// In-flight window of inproc (`@Inproc(depth = N)`).
    pub inproc_depth: Option<u32>,
    /// In-flight window of shm (`@Shm(slots = N)`).
    pub shm_slots: Option<u32>,
    /// Least slot size of shm in bytes (`@Shm(slot = N)`).
    pub shm_slot: Option<u32>,
    /// Spin budget of shm in microseconds (`@Shm(spin_us = N)`).
    pub shm_spin_us: Option<u32>,
    /// `@Shm(isolated)`.
    pub shm_isolated: bool,
    /// In-flight window of RDMA (`@Rdma(recv_depth = N)`).
    pub rdma_recv_depth: Option<u32>,
    /// Largest inline send of RDMA in bytes (`@Rdma(inline_max = N)`).
    pub rdma_inline_max: Option<u32>,
    /// Deadline of calls that give none (`@Deadline`).
    pub deadline: Option<Duration>,
    /// `@Priority(N)`.
    pub priority: Option<u32>,
}

/// One method or event.
#[derive(Clone, Debug)]
pub struct Method {
    /// Documentation and availability.
    pub meta: Meta,
    /// Name as written.
    pub name: String,
    /// The number on the wire, unique among methods and events of the interface; from 1.
    pub id: u16,
    /// Request with reply, oneway, or event.
    pub kind: MethodKind,
    /// The interface that declares it: this one or a base.
    pub declared_in: String,
    /// Parameters in declared order.
    pub params: Vec<Param>,
    /// The return type; `None` is `void`.
    pub result: Option<Type>,
    /// The `error` type of `throws`.
    pub throws: Option<TypeId>,
    /// `in` and `inout` parameters in declared order. For an event: its arguments.
    pub request: Struct,
    /// The return value (as `result`), then `out` and `inout` parameters in declared order.
    pub response: Struct,
    /// True if every `inout` parameter has one offset in request and response, so that it is edited in place.
    pub in_place: bool,
    /// `@Idempotent`.
    pub idempotent: bool,
    /// What tunes the backends; `deadline` already falls back to the interface's.
    pub tuning: Tuning,
    /// Where the name is.
    pub span: Span,
}

/// How a method talks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MethodKind {
    /// Request and reply.
    Call,
    /// Request without reply.
    Oneway,
    /// From server to client, without reply.
    Event,
}

/// One parameter.
#[derive(Clone, Debug)]
pub struct Param {
    /// Documentation and availability.
    pub meta: Meta,
    /// Name as written.
    pub name: String,
    /// Which way it travels.
    pub direction: Direction,
    /// Its type.
    pub ty: Type,
    /// Where the name is.
    pub span: Span,
}

/// Which way a parameter travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// To the server.
    In,
    /// To the client.
    Out,
    /// Both.
    InOut,
}

impl Model {
    /// The declared type behind an id.
    pub fn def(&self, id: TypeId) -> &TypeDef {
        &self.types[id.0 as usize]
    }

    /// The alias behind an id.
    pub fn alias(&self, id: AliasId) -> &Alias {
        &self.aliases[id.0 as usize]
    }

    /// The interface behind an id.
    pub fn interface(&self, id: InterfaceId) -> &Interface {
        &self.interfaces[id.0 as usize]
    }

    /// The package behind an id.
    pub fn package(&self, id: PackageId) -> &Package {
        &self.packages[id.0 as usize]
    }

    /// The type with its aliases followed.
    pub fn strip<'a>(&'a self, mut ty: &'a Type) -> &'a Type {
        while let Type::Alias(id) = ty {
            ty = &self.alias(*id).target;
        }
        ty
    }
}
