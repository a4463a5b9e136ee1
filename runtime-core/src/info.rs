//! What a type looks like to people: names and offsets for error messages, kept out of the hot path.

use core::fmt;

/// Name and structure of a wire type.
#[derive(Debug)]
pub enum TypeInfo {
    /// Something without parts.
    Leaf {
        /// Its name in the language.
        name: &'static str,
    },
    /// A struct, a request or a response.
    Struct {
        /// Its name.
        name: &'static str,
        /// Its fields in offset order.
        fields: &'static [FieldInfo],
    },
    /// A tagged union.
    Union {
        /// Its name.
        name: &'static str,
        /// Where the arm's value lies.
        storage: u32,
    },
    /// An array or a vec.
    Sequence {
        /// Offset of the first element.
        first: u32,
        /// Distance from one element to the next.
        stride: u32,
        /// What an element is.
        elem: &'static TypeInfo,
    },
    /// An optional.
    Optional {
        /// Offset of the value.
        value: u32,
        /// What the value is.
        elem: &'static TypeInfo,
    },
}

/// A field of a struct.
#[derive(Debug)]
pub struct FieldInfo {
    /// Its name.
    pub name: &'static str,
    /// Its first byte.
    pub offset: u32,
    /// What it is.
    pub info: &'static TypeInfo,
}

/// An arm of a union.
#[derive(Debug)]
pub struct ArmInfo {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub info: &'static TypeInfo,
}

/// Why a message was refused, and where in it.
///
/// `Display` names the field's path, such as `Record.owners[2].tier`, worked out from the offset only when asked.
#[derive(Clone, Copy)]
pub struct Invalid {
    // Words, all of them. A response that is returned by value has its bytes where those of an error would be, and is copied in pieces that
    // fit both: narrower fields here would have whoever reads a word of it wait until two stores have reached the cache. (A blocking call
    // of 56 B took 1.34 times a polled one with them, and takes 1.09 to 1.19.)
    kind: InvalidKind,
    offset: u64,
    root: &'static TypeInfo,
    arm: Option<&'static ArmInfo>,
}

/// What is wrong with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[repr(u64)]
pub enum InvalidKind {
    /// A string, bytes or vec is longer than its bound.
    TooLong = 1,
    /// A string is not UTF-8.
    NotUtf8 = 2,
    /// A boolean or the flag of an optional is neither 0 nor 1.
    NotBool = 3,
    /// A closed enum or closed flags hold a value that is not declared.
    NotMember = 4,
    /// A closed union holds a tag that is not declared.
    UnknownTag = 5,
    /// A padding byte is not zero.
    Padding = 6,
    /// A reserved byte is not zero.
    Reserved = 7,
    /// The message has another size than its type.
    Size = 8,
}

impl InvalidKind {
    /// The kind behind a number that came over the wire.
    pub(crate) fn from_number(number: u8) -> Self {
        match number {
            1 => Self::TooLong,
            2 => Self::NotUtf8,
            3 => Self::NotBool,
            4 => Self::NotMember,
            5 => Self::UnknownTag,
            6 => Self::Padding,
            7 => Self::Reserved,
            _ => Self::Size,
        }
    }
}

impl Invalid {
    /// A finding at the start of a value of type `root`.
    pub const fn new(kind: InvalidKind, root: &'static TypeInfo) -> Self {
        Self {
            kind,
            offset: 0,
            root,
            arm: None,
        }
    }

    /// The same finding as seen from the type that holds the value at `offset`.
    #[must_use]
    pub const fn within(self, root: &'static TypeInfo, offset: u32) -> Self {
        Self {
            offset: self.offset + offset as u64,
            root,
            ..self
        }
    }

    /// Notes the arm of a union that the finding is in; the outermost one is kept.
    #[must_use]
    pub const fn in_arm(self, arm: &'static ArmInfo) -> Self {
        Self {
            arm: Some(arm),
            ..self
        }
    }

    /// A finding that the peer reported by number.
    pub(crate) fn reported(root: &'static TypeInfo, packed: u32) -> Self {
        Self {
            kind: InvalidKind::from_number((packed >> 24) as u8),
            offset: u64::from(packed & 0x00ff_ffff),
            root,
            arm: None,
        }
    }

    /// The finding as the peer is told it.
    pub(crate) fn packed(&self) -> u32 {
        (self.kind as u32) << 24 | (self.offset() & 0x00ff_ffff)
    }

    /// What is wrong.
    pub const fn kind(&self) -> InvalidKind {
        self.kind
    }

    /// The first byte of the value, from the start of the message.
    pub const fn offset(&self) -> u32 {
        self.offset as u32
    }

    /// Writes the path of the value.
    fn path(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut info = self.root;
        let mut rest = self.offset();
        let mut arm = self.arm;
        if let TypeInfo::Struct { name, .. }
        | TypeInfo::Union { name, .. }
        | TypeInfo::Leaf { name } = info
        {
            f.write_str(name)?;
        }
        loop {
            match info {
                TypeInfo::Leaf { .. } => return Ok(()),
                TypeInfo::Struct { fields, .. } => {
                    let Some(field) = fields.iter().rev().find(|field| field.offset <= rest) else {
                        return Ok(());
                    };
                    write!(f, ".{}", field.name)?;
                    rest -= field.offset;
                    info = field.info;
                }
                TypeInfo::Union { storage, .. } => match arm.take() {
                    Some(arm) if rest >= *storage => {
                        write!(f, ".{}", arm.name)?;
                        rest -= storage;
                        info = arm.info;
                    }
                    _ => return Ok(()),
                },
                TypeInfo::Sequence {
                    first,
                    stride,
                    elem,
                } => {
                    if rest < *first || *stride == 0 {
                        return Ok(());
                    }
                    let index = (rest - first) / stride;
                    write!(f, "[{index}]")?;
                    rest -= first + index * stride;
                    info = elem;
                }
                TypeInfo::Optional { value, elem } => {
                    if rest < *value {
                        return Ok(());
                    }
                    rest -= value;
                    info = elem;
                }
            }
        }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`")?;
        self.path(f)?;
        let what = match self.kind {
            InvalidKind::TooLong => "is longer than its bound",
            InvalidKind::NotUtf8 => "is not UTF-8",
            InvalidKind::NotBool => "is neither 0 nor 1",
            InvalidKind::NotMember => "is not a declared value",
            InvalidKind::UnknownTag => "has a tag that is not declared",
            InvalidKind::Padding => "has padding that is not zero",
            InvalidKind::Reserved => "has reserved bytes that are not zero",
            InvalidKind::Size => "has another size than its type",
        };
        write!(f, "` at byte {} {what}", self.offset)
    }
}

impl fmt::Debug for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Invalid({self})")
    }
}

impl PartialEq for Invalid {
    fn eq(&self, other: &Self) -> bool {
        (self.kind, self.offset) == (other.kind, other.offset)
    }
}

impl Eq for Invalid {}

impl core::error::Error for Invalid {}
