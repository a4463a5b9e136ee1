//! `vec<T, N>`: up to `N` elements, inline.

use core::fmt;
use core::mem::offset_of;
use core::ops::{Deref, DerefMut};

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{Alignment, OverBound, Wire, zeroed};
use crate::info::{Invalid, InvalidKind, TypeInfo};

/// `vec<T, N>`: up to `N` elements.
///
/// Layout: the length in 2 bytes, padding to the alignment of `T`, `N` elements, and one byte of padding (the third
/// parameter) where bytes of an odd number would leave the size odd. Elements past the length are zero in every value
/// made here.
///
/// ```
/// use runtime_core::List;
///
/// let mut page = List::<u64, 16>::new();
/// page.push(7)?;
/// page.push(9)?;
/// assert_eq!(&page[..], [7, 9]);
/// # Ok::<(), runtime_core::OverBound>(())
/// ```
#[derive(FromBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct List<T: Wire, const N: usize, const ODD: usize = 0> {
    len: u16,
    after_len: <T::Align as Alignment>::AfterLen,
    items: [T; N],
    pad: [u8; ODD],
}

// Not derived: the derive would ask for `T::Align: Copy`.
impl<T: Wire, const N: usize, const ODD: usize> Clone for List<T, N, ODD> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Wire, const N: usize, const ODD: usize> Copy for List<T, N, ODD> {}

// SAFETY: `repr(C)`; `LAYOUT` proves for each instance that the parts follow each other without gaps and fill the size. All of
// them take every bit pattern.
unsafe impl<T: Wire, const N: usize, const ODD: usize> Wire for List<T, N, ODD> {
    type Align = <T::Align as Alignment>::AtLeast2;
    const PLAIN: bool = false;
    const INFO: &'static TypeInfo = {
        let () = Self::LAYOUT;
        &TypeInfo::Sequence {
            first: offset_of!(Self, items) as u32,
            stride: size_of::<T>() as u32,
            elem: T::INFO,
        }
    };

    #[inline]
    fn validate(&self) -> Result<(), Invalid> {
        let Some(items) = self.items.get(..self.len as usize) else {
            return Err(Invalid::new(InvalidKind::TooLong, Self::INFO));
        };
        if self.after_len.validate().is_err() || self.pad != [0; ODD] {
            return Err(Invalid::new(InvalidKind::Padding, Self::INFO));
        }
        if T::PLAIN {
            return Ok(());
        }
        for (index, item) in items.iter().enumerate() {
            let offset = offset_of!(Self, items) + index * size_of::<T>();
            item.validate()
                .map_err(|invalid| invalid.within(Self::INFO, offset as u32))?;
        }
        Ok(())
    }
}

// SAFETY: promise 2 of `Wire`, which `LAYOUT` proves: no byte of a value is padding.
unsafe impl<T: Wire, const N: usize, const ODD: usize> IntoBytes for List<T, N, ODD> {
    fn only_derive_is_allowed_to_implement_this_trait() {
        let () = Self::LAYOUT;
    }
}

impl<T: Wire, const N: usize, const ODD: usize> List<T, N, ODD> {
    /// Greatest number of elements.
    pub const BOUND: usize = N;

    const LAYOUT: () = assert!(
        N >= 1
            && N <= u16::MAX as usize
            && offset_of!(Self, items) == 2 + size_of::<<T::Align as Alignment>::AfterLen>()
            && offset_of!(Self, pad) == offset_of!(Self, items) + N * size_of::<T>()
            && size_of::<Self>() == offset_of!(Self, pad) + ODD,
        "the third parameter must be 1 where bytes of an odd number leave the size odd, and 0 elsewhere",
    );

    /// The empty list.
    #[inline]
    pub const fn new() -> Self {
        const { Self::LAYOUT };
        zeroed()
    }

    /// Number of elements. A length over the bound, which `validate` refuses, reads as 0.
    #[inline]
    pub const fn len(&self) -> usize {
        if self.len as usize <= N {
            self.len as usize
        } else {
            0
        }
    }

    /// True if there is no element.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends an element.
    ///
    /// # Errors
    /// [`OverBound`] if the list is full; it stays as it was.
    #[inline]
    pub fn push(&mut self, item: T) -> Result<(), OverBound> {
        let len = self.len();
        let Some(place) = self.items.get_mut(len) else {
            return Err(OverBound {
                len: len + 1,
                bound: N,
            });
        };
        *place = item;
        self.len = len as u16 + 1;
        Ok(())
    }

    /// Replaces all elements.
    ///
    /// # Errors
    /// [`OverBound`] if they are too many; the old ones stay.
    pub fn set(&mut self, items: &[T]) -> Result<(), OverBound> {
        if items.len() > N {
            return Err(OverBound {
                len: items.len(),
                bound: N,
            });
        }
        self.truncate(items.len());
        self.items[..items.len()].copy_from_slice(items);
        self.len = items.len() as u16;
        Ok(())
    }

    /// Drops the elements from `len` on and clears what they held.
    pub fn truncate(&mut self, len: usize) {
        let old = self.len();
        if len < old {
            self.items[len..old].fill(zeroed());
            self.len = len as u16;
        }
    }

    /// Drops all elements and clears what they held.
    pub fn clear(&mut self) {
        self.truncate(0);
    }
}

impl<T: Wire, const N: usize, const ODD: usize> Default for List<T, N, ODD> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Wire, const N: usize, const ODD: usize> Deref for List<T, N, ODD> {
    type Target = [T];
    #[inline]
    fn deref(&self) -> &[T] {
        &self.items[..self.len()]
    }
}

impl<T: Wire, const N: usize, const ODD: usize> DerefMut for List<T, N, ODD> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        let len = self.len();
        &mut self.items[..len]
    }
}

impl<T: Wire, const N: usize, const ODD: usize> TryFrom<&[T]> for List<T, N, ODD> {
    type Error = OverBound;
    fn try_from(items: &[T]) -> Result<Self, OverBound> {
        let mut new = Self::new();
        new.set(items)?;
        Ok(new)
    }
}

impl<T: Wire, const N: usize, const ODD: usize> Extend<T> for List<T, N, ODD> {
    /// Appends while there is room; use [`push`](List::push) to learn of the first that does not fit.
    fn extend<I: IntoIterator<Item = T>>(&mut self, items: I) {
        for item in items.into_iter().take(N - self.len()) {
            // `take` leaves room for every element, so `push` cannot refuse one.
            let _ = self.push(item);
        }
    }
}

impl<'a, T: Wire, const N: usize, const ODD: usize> IntoIterator for &'a List<T, N, ODD> {
    type Item = &'a T;
    type IntoIter = core::slice::Iter<'a, T>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T: Wire + PartialEq, const N: usize, const ODD: usize> PartialEq for List<T, N, ODD> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T: Wire + Eq, const N: usize, const ODD: usize> Eq for List<T, N, ODD> {}

impl<T: Wire + PartialOrd, const N: usize, const ODD: usize> PartialOrd for List<T, N, ODD> {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        (**self).partial_cmp(&**other)
    }
}

impl<T: Wire + Ord, const N: usize, const ODD: usize> Ord for List<T, N, ODD> {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        (**self).cmp(&**other)
    }
}

impl<T: Wire + core::hash::Hash, const N: usize, const ODD: usize> core::hash::Hash
    for List<T, N, ODD>
{
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

impl<T: Wire + fmt::Debug, const N: usize, const ODD: usize> fmt::Debug for List<T, N, ODD> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
