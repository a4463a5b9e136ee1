//! Numbers, booleans and bytes that are always zero.

use core::fmt;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::{Wire, align};
use crate::info::{Invalid, InvalidKind, TypeInfo};

macro_rules! plain {
    ($($ty:ty: $align:ident, $name:literal;)*) => {$(
        // SAFETY: a number: every bit pattern is a value, no padding, nothing but its bits.
        unsafe impl Wire for $ty {
            type Align = align::$align;
            const PLAIN: bool = true;
            const INFO: &'static TypeInfo = &TypeInfo::Leaf { name: $name };
            #[inline(always)]
            fn validate(&self) -> Result<(), Invalid> {
                Ok(())
            }
        }
    )*};
}

plain! {
    u8: A1, "u8"; i8: A1, "i8"; u16: A2, "u16"; i16: A2, "i16"; u32: A4, "u32"; i32: A4, "i32";
    u64: A8, "u64"; i64: A8, "i64"; f32: A4, "f32"; f64: A8, "f64"; (): A1, "void";
}

// SAFETY: an array has the promises of its elements, which lie one after the other without gaps.
unsafe impl<T: Wire, const N: usize> Wire for [T; N] {
    type Align = T::Align;
    const PLAIN: bool = T::PLAIN;
    const INFO: &'static TypeInfo = &TypeInfo::Sequence {
        first: 0,
        stride: size_of::<T>() as u32,
        elem: T::INFO,
    };

    #[inline]
    fn validate(&self) -> Result<(), Invalid> {
        if T::PLAIN {
            return Ok(());
        }
        for (index, item) in self.iter().enumerate() {
            item.validate()
                .map_err(|invalid| invalid.within(Self::INFO, (index * size_of::<T>()) as u32))?;
        }
        Ok(())
    }
}

/// A boolean in one byte, of which only 0 and 1 are allowed.
///
/// Rust's `bool` may not be read from a peer's memory: a 2 there would be undefined behaviour. This type holds any
/// byte and `validate` refuses those above 1; until then every byte but 0 reads as `true`.
#[derive(Clone, Copy, Default, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(transparent)]
pub struct Bool8(u8);

impl Bool8 {
    /// `true`
    pub const TRUE: Self = Self(1);
    /// `false`
    pub const FALSE: Self = Self(0);

    /// The value.
    #[inline(always)]
    pub const fn get(self) -> bool {
        self.0 != 0
    }

    /// True if the byte is 0 or 1.
    #[inline(always)]
    pub const fn is_valid(self) -> bool {
        self.0 <= 1
    }
}

impl From<bool> for Bool8 {
    #[inline(always)]
    fn from(value: bool) -> Self {
        Self(value as u8)
    }
}

impl From<Bool8> for bool {
    #[inline(always)]
    fn from(value: Bool8) -> Self {
        value.get()
    }
}

impl PartialEq for Bool8 {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl Eq for Bool8 {}

impl PartialEq<bool> for Bool8 {
    fn eq(&self, other: &bool) -> bool {
        self.get() == *other
    }
}

impl PartialOrd for Bool8 {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Bool8 {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        self.get().cmp(&other.get())
    }
}

impl core::hash::Hash for Bool8 {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        self.get().hash(state);
    }
}

impl fmt::Debug for Bool8 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

// SAFETY: one byte, all of whose values are allowed.
unsafe impl Wire for Bool8 {
    type Align = align::A1;
    const PLAIN: bool = false;
    const INFO: &'static TypeInfo = &TypeInfo::Leaf { name: "bool" };

    #[inline(always)]
    fn validate(&self) -> Result<(), Invalid> {
        if self.is_valid() {
            Ok(())
        } else {
            Err(Invalid::new(InvalidKind::NotBool, Self::INFO))
        }
    }
}

macro_rules! zeros {
    ($(#[$doc:meta])* $name:ident, $kind:ident, $label:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(transparent)]
        pub struct $name<const N: usize>([u8; N]);

        impl<const N: usize> $name<N> {
            /// The only allowed value.
            pub const ZERO: Self = Self([0; N]);
        }

        impl<const N: usize> Default for $name<N> {
            #[inline(always)]
            fn default() -> Self {
                Self::ZERO
            }
        }

        impl<const N: usize> fmt::Debug for $name<N> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("_")
            }
        }

        // SAFETY: bytes.
        unsafe impl<const N: usize> Wire for $name<N> {
            type Align = align::A1;
            const PLAIN: bool = N == 0;
            const INFO: &'static TypeInfo = &TypeInfo::Leaf { name: $label };

            #[inline]
            fn validate(&self) -> Result<(), Invalid> {
                // Or-ing the bytes together has no branch for the compiler to keep, unlike an early exit.
                if self.0.iter().fold(0, |all, &byte| all | byte) == 0 {
                    Ok(())
                } else {
                    Err(Invalid::new(InvalidKind::$kind, Self::INFO))
                }
            }
        }
    };
}

zeros! {
    /// Bytes that align what follows. Only zero is allowed, so nothing of the writer's memory leaks.
    Pad, Padding, "padding"
}

zeros! {
    /// Bytes that a later version of a struct may use. Only zero is allowed until then.
    Reserved, Reserved, "reserved"
}

/// A value that can be written as a wire type: the wire type itself, a reference to it, or `bool` for [`Bool8`].
pub trait ToWire<W: Wire> {
    /// Writes the value, in one copy.
    fn write_to(self, place: &mut W);
}

impl<W: Wire> ToWire<W> for W {
    #[inline(always)]
    fn write_to(self, place: &mut W) {
        *place = self;
    }
}

impl<W: Wire> ToWire<W> for &W {
    #[inline(always)]
    fn write_to(self, place: &mut W) {
        *place = *self;
    }
}

impl ToWire<Bool8> for bool {
    #[inline(always)]
    fn write_to(self, place: &mut Bool8) {
        *place = self.into();
    }
}
