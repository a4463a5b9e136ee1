//! `T?`: a value or nothing.

use core::fmt;
use core::mem::offset_of;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{Alignment, Bool8, ToWire, Wire, zeroed};
use crate::info::{Invalid, InvalidKind, TypeInfo};

/// `T?`: a flag byte, padding to the alignment of `T`, the value (zero if there is none).
///
/// ```
/// use runtime_core::Opt;
///
/// let mut expires = Opt::<u64>::NONE;
/// assert_eq!(expires.get(), None);
/// expires = Some(5).into();
/// assert_eq!(expires.get(), Some(&5));
/// ```
#[derive(FromBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Opt<T: Wire> {
    some: Bool8,
    after_flag: <T::Align as Alignment>::AfterFlag,
    value: T,
}

// Not derived: the derive would ask for `T::Align: Copy`.
impl<T: Wire> Clone for Opt<T> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Wire> Copy for Opt<T> {}

// SAFETY: `repr(C)`; `LAYOUT` proves for each instance that the parts follow each other without gaps and fill the size. All of
// them take every bit pattern.
unsafe impl<T: Wire> Wire for Opt<T> {
    type Align = T::Align;
    const PLAIN: bool = false;
    const INFO: &'static TypeInfo = {
        let () = Self::LAYOUT;
        &TypeInfo::Optional {
            value: offset_of!(Self, value) as u32,
            elem: T::INFO,
        }
    };

    #[inline]
    fn validate(&self) -> Result<(), Invalid> {
        if !self.some.is_valid() {
            return Err(Invalid::new(InvalidKind::NotBool, Self::INFO));
        }
        if self.after_flag.validate().is_err() {
            return Err(Invalid::new(InvalidKind::Padding, Self::INFO));
        }
        if T::PLAIN || !self.some.get() {
            return Ok(());
        }
        self.value
            .validate()
            .map_err(|invalid| invalid.within(Self::INFO, offset_of!(Self, value) as u32))
    }
}

// SAFETY: promise 2 of `Wire`, which `LAYOUT` proves: no byte of a value is padding.
unsafe impl<T: Wire> IntoBytes for Opt<T> {
    fn only_derive_is_allowed_to_implement_this_trait() {
        let () = Self::LAYOUT;
    }
}

impl<T: Wire> Opt<T> {
    const LAYOUT: () = assert!(
        offset_of!(Self, value) == 1 + size_of::<<T::Align as Alignment>::AfterFlag>()
            && size_of::<Self>() == offset_of!(Self, value) + size_of::<T>(),
        "an optional has a gap in its layout",
    );

    /// Nothing.
    pub const NONE: Self = {
        let () = Self::LAYOUT;
        zeroed()
    };

    /// A value.
    #[inline]
    pub fn some(value: T) -> Self {
        Self {
            some: Bool8::TRUE,
            value,
            ..Self::NONE
        }
    }

    /// The value, if there is one.
    #[inline]
    pub const fn get(&self) -> Option<&T> {
        if self.some.get() {
            Some(&self.value)
        } else {
            None
        }
    }

    /// The value, if there is one, to be changed.
    #[inline]
    pub const fn get_mut(&mut self) -> Option<&mut T> {
        if self.some.get() {
            Some(&mut self.value)
        } else {
            None
        }
    }

    /// Sets or clears it.
    #[inline]
    pub fn set(&mut self, value: Option<T>) {
        *self = value.into();
    }

    /// True if there is a value.
    #[inline]
    pub const fn is_some(&self) -> bool {
        self.some.get()
    }

    /// True if there is none.
    #[inline]
    pub const fn is_none(&self) -> bool {
        !self.some.get()
    }
}

impl<T: Wire> Default for Opt<T> {
    fn default() -> Self {
        Self::NONE
    }
}

impl<T: Wire> From<Option<T>> for Opt<T> {
    #[inline]
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::NONE, Self::some)
    }
}

impl<T: Wire> From<Opt<T>> for Option<T> {
    #[inline]
    fn from(value: Opt<T>) -> Self {
        value.get().copied()
    }
}

impl<T: Wire> ToWire<Opt<T>> for Option<T> {
    #[inline]
    fn write_to(self, place: &mut Opt<T>) {
        *place = self.into();
    }
}

impl<T: Wire + PartialEq> PartialEq for Opt<T> {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl<T: Wire + Eq> Eq for Opt<T> {}

impl<T: Wire + PartialOrd> PartialOrd for Opt<T> {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        self.get().partial_cmp(&other.get())
    }
}

impl<T: Wire + Ord> Ord for Opt<T> {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        self.get().cmp(&other.get())
    }
}

impl<T: Wire + core::hash::Hash> core::hash::Hash for Opt<T> {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        self.get().hash(state);
    }
}

impl<T: Wire + fmt::Debug> fmt::Debug for Opt<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}
