//! Types whose memory is the message.

mod buffer;
mod list;
mod opt;
mod scalar;
mod text;
mod union;

use core::mem::{MaybeUninit, align_of, size_of};

pub use buffer::Buffer;
pub use list::List;
pub use opt::Opt;
pub use scalar::{Bool8, Pad, Reserved, ToWire};
pub use text::{Bytes, OverBound, Str};
pub use union::Union;

use crate::info::{Invalid, TypeInfo};

/// A type that may be read from memory that a peer wrote.
///
/// Implemented by [`layout!`](crate::layout), which proves the promises below when the program is compiled, and
/// by the wire types of this crate. `validate` is what the stubs run before user code sees a message: the bit
/// pattern of any memory is already a value of the type, `validate` says whether it is a sensible one.
///
/// # Safety
/// 1. Every sequence of `size_of::<Self>()` initialised bytes is a value of the type.
/// 2. Every byte of every value is initialised: there is no padding.
/// 3. The type holds no reference, no pointer and nothing with interior mutability.
pub unsafe trait Wire: Copy + Send + Sync + 'static {
    /// The alignment, as a type: it decides the padding of [`Opt`] and [`List`].
    type Align: Alignment;

    /// True if `validate` has nothing to check.
    const PLAIN: bool;

    /// Names and offsets for messages.
    const INFO: &'static TypeInfo;

    /// Checks lengths, UTF-8, booleans, closed enums, tags, padding and reserved bytes.
    ///
    /// # Errors
    /// The first value that is not allowed, with its path and offset.
    fn validate(&self) -> Result<(), Invalid>;
}

/// An alignment as a type.
pub trait Alignment: 'static {
    /// What stands between the flag byte of an optional and its value.
    type AfterFlag: Wire + core::fmt::Debug + PartialEq + Eq;
    /// What stands between the two length bytes of a vec and its elements.
    type AfterLen: Wire + core::fmt::Debug + PartialEq + Eq;
    /// The greater of this alignment and 2, which is the alignment of a vec's length.
    type AtLeast2: Alignment;
}

/// The alignments there are.
pub mod align {
    use super::{Alignment, Pad};

    macro_rules! alignments {
        ($($name:ident $number:tt: $after_flag:literal $after_len:literal $at_least_2:ident;)*) => {$(
            #[doc = concat!("Alignment ", stringify!($number), ".")]
            #[derive(Clone, Copy, Debug)]
            pub enum $name {}
            impl Alignment for $name {
                type AfterFlag = Pad<$after_flag>;
                type AfterLen = Pad<$after_len>;
                type AtLeast2 = $at_least_2;
            }
        )*};
    }

    alignments! { A1 1: 0 0 A2; A2 2: 1 0 A2; A4 4: 3 2 A4; A8 8: 7 6 A8; }
}

/// The value whose bytes are all zero, which every type has.
#[inline(always)]
pub const fn zeroed<T: Wire>() -> T {
    // As in `bytes_of`.
    const {
        let _ = T::INFO;
    }
    // SAFETY: promise 1 of `Wire`: any bytes are a value, so zeros are.
    unsafe { MaybeUninit::zeroed().assume_init() }
}

/// The bytes of a message.
#[inline(always)]
pub const fn bytes_of<T: Wire>(value: &T) -> &[u8] {
    // Naming it evaluates the proof of layout of the generic wire types that `T` is made of.
    const {
        let _ = T::INFO;
    }
    // SAFETY: promise 2 of `Wire`: all bytes are initialised; the slice has the size and lifetime of `value`.
    unsafe { core::slice::from_raw_parts((value as *const T).cast(), size_of::<T>()) }
}

/// The bytes of a message, to be changed at will.
#[inline(always)]
pub const fn bytes_of_mut<T: Wire>(value: &mut T) -> &mut [u8] {
    // As in `bytes_of`.
    const {
        let _ = T::INFO;
    }
    // SAFETY: promises 1 and 2 of `Wire`: whatever is written is a value again.
    unsafe { core::slice::from_raw_parts_mut((value as *mut T).cast(), size_of::<T>()) }
}

/// Looks at bytes as a message; `None` if they are too few or not aligned for it.
#[inline(always)]
pub fn view<T: Wire>(bytes: &[u8]) -> Option<&T> {
    // As in `bytes_of`.
    const {
        let _ = T::INFO;
    }
    if bytes.len() < size_of::<T>() || !(bytes.as_ptr() as usize).is_multiple_of(align_of::<T>()) {
        return None;
    }
    // SAFETY: promise 1 of `Wire`; size and alignment were checked; the lifetime is that of `bytes`.
    Some(unsafe { &*bytes.as_ptr().cast() })
}
