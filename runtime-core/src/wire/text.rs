//! `string<N>` and `bytes<N>`: bounded, inline, never truncated.

use core::borrow::Borrow;
use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::ops::Deref;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{Wire, align, zeroed};
use crate::info::{Invalid, InvalidKind, TypeInfo};

/// A value is longer than the bound of the type that should hold it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OverBound {
    /// Its length.
    pub len: usize,
    /// The greatest length allowed.
    pub bound: usize,
}

impl fmt::Display for OverBound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "length {} is over the bound of {}", self.len, self.bound)
    }
}

impl core::error::Error for OverBound {}

macro_rules! bounded {
    ($(#[$doc:meta])* $name:ident, $label:literal, $target:ty, |$bytes:ident| $read:expr) => {
        $(#[$doc])*
        ///
        /// Layout: the length in 2 bytes, `N` bytes, and for an odd `N` one byte of padding, which is then written as the
        /// second parameter. What lies after the live part is zero in every value made here.
        #[derive(Clone, Copy, FromBytes, Immutable, KnownLayout)]
        #[repr(C)]
        pub struct $name<const N: usize, const ODD: usize = 0> {
            len: u16,
            bytes: [u8; N],
            pad: [u8; ODD],
        }

        // SAFETY: `repr(C)`: 2 bytes of length, then `N + ODD` bytes. `LAYOUT` refuses any `ODD` that would leave that sum odd
        // or too long, and the alignment is 2, so there is no padding. Integers and bytes take every bit pattern.
        unsafe impl<const N: usize, const ODD: usize> Wire for $name<N, ODD> {
            type Align = align::A2;
            const PLAIN: bool = false;
            const INFO: &'static TypeInfo = {
                let () = Self::LAYOUT;
                &TypeInfo::Leaf { name: $label }
            };

            #[inline]
            fn validate(&self) -> Result<(), Invalid> {
                let kind = match self.bytes.get(..self.len as usize) {
                    None => InvalidKind::TooLong,
                    Some(_) if ODD != 0 && self.pad[0] != 0 => InvalidKind::Padding,
                    Some($bytes) if $read.is_some() => return Ok(()),
                    Some(_) => InvalidKind::NotUtf8,
                };
                Err(Invalid::new(kind, Self::INFO))
            }
        }

        // SAFETY: promise 2 of `Wire`, argued above: no byte of a value is padding.
        unsafe impl<const N: usize, const ODD: usize> IntoBytes for $name<N, ODD> {
            fn only_derive_is_allowed_to_implement_this_trait() {
                let () = Self::LAYOUT;
            }
        }

        impl<const N: usize, const ODD: usize> $name<N, ODD> {
            /// Greatest length in bytes.
            pub const BOUND: usize = N;

            const LAYOUT: () = assert!(N >= 1 && N <= u16::MAX as usize && ODD == N % 2, "the second parameter must be 1 for an odd bound and 0 for an even one");

            /// The empty value.
            #[inline]
            pub const fn new() -> Self {
                const { Self::LAYOUT };
                zeroed()
            }

            /// Length in bytes. A length over the bound, which `validate` refuses, reads as 0.
            #[inline]
            pub const fn len(&self) -> usize {
                if self.len as usize <= N { self.len as usize } else { 0 }
            }

            /// True if there is nothing in it.
            #[inline]
            pub const fn is_empty(&self) -> bool {
                self.len() == 0
            }

            /// The live part.
            #[inline]
            pub fn as_bytes(&self) -> &[u8] {
                &self.bytes[..self.len()]
            }

            /// Empties it and clears what it held.
            #[inline]
            pub fn clear(&mut self) {
                *self = Self::new();
            }

            #[inline]
            fn set_bytes(&mut self, bytes: &[u8]) -> Result<(), OverBound> {
                if bytes.len() > N {
                    return Err(OverBound { len: bytes.len(), bound: N });
                }
                let old = self.len();
                self.bytes[..bytes.len()].copy_from_slice(bytes);
                if old > bytes.len() {
                    self.bytes[bytes.len()..old].fill(0);
                }
                self.len = bytes.len() as u16;
                Ok(())
            }
        }

        impl<const N: usize, const ODD: usize> Default for $name<N, ODD> {
            fn default() -> Self {
                Self::new()
            }
        }

        impl<const N: usize, const ODD: usize> Deref for $name<N, ODD> {
            type Target = $target;
            #[inline]
            fn deref(&self) -> &$target {
                let $bytes = self.as_bytes();
                $read.unwrap_or_default()
            }
        }

        impl<const N: usize, const ODD: usize> AsRef<$target> for $name<N, ODD> {
            fn as_ref(&self) -> &$target {
                self
            }
        }

        impl<const N: usize, const ODD: usize> Borrow<$target> for $name<N, ODD> {
            fn borrow(&self) -> &$target {
                self
            }
        }

        impl<const N: usize, const ODD: usize> TryFrom<&$target> for $name<N, ODD> {
            type Error = OverBound;
            fn try_from(value: &$target) -> Result<Self, OverBound> {
                let mut new = Self::new();
                new.set(value)?;
                Ok(new)
            }
        }

        impl<const N: usize, const ODD: usize> PartialEq for $name<N, ODD> {
            fn eq(&self, other: &Self) -> bool {
                **self == **other
            }
        }

        impl<const N: usize, const ODD: usize> Eq for $name<N, ODD> {}

        impl<const N: usize, const ODD: usize> PartialEq<$target> for $name<N, ODD> {
            fn eq(&self, other: &$target) -> bool {
                **self == *other
            }
        }

        impl<const N: usize, const ODD: usize> PartialEq<&$target> for $name<N, ODD> {
            fn eq(&self, other: &&$target) -> bool {
                **self == **other
            }
        }

        impl<const N: usize, const ODD: usize> PartialOrd for $name<N, ODD> {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }

        impl<const N: usize, const ODD: usize> Ord for $name<N, ODD> {
            fn cmp(&self, other: &Self) -> Ordering {
                (**self).cmp(&**other)
            }
        }

        impl<const N: usize, const ODD: usize> Hash for $name<N, ODD> {
            fn hash<H: Hasher>(&self, state: &mut H) {
                (**self).hash(state);
            }
        }

        impl<const N: usize, const ODD: usize> fmt::Debug for $name<N, ODD> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                (**self).fmt(f)
            }
        }
    };
}

bounded! {
    /// `string<N>`: UTF-8 of at most `N` bytes.
    ///
    /// ```
    /// use runtime_core::Str;
    ///
    /// let key: Str<62> = "user/42".try_into()?;
    /// assert_eq!(key, "user/42");
    /// assert!(Str::<4>::try_from("user/42").is_err());
    /// # Ok::<(), runtime_core::OverBound>(())
    /// ```
    Str, "string", str, |bytes| core::str::from_utf8(bytes).ok()
}

bounded! {
    /// `bytes<N>`: at most `N` bytes.
    ///
    /// ```
    /// use runtime_core::Bytes;
    ///
    /// let hello: Bytes<16> = b"hello".try_into()?;
    /// assert_eq!(&hello[..], b"hello");
    ///
    /// let mut value = Bytes::<1024>::new();
    /// value.set(b"abc")?;
    /// assert_eq!(&value[..], b"abc");
    /// # Ok::<(), runtime_core::OverBound>(())
    /// ```
    Bytes, "bytes", [u8], |bytes| Some(bytes)
}

impl<const N: usize, const ODD: usize> Str<N, ODD> {
    /// Replaces the text.
    ///
    /// # Errors
    /// [`OverBound`] if it is too long; the old text stays.
    #[inline]
    pub fn set(&mut self, text: &str) -> Result<(), OverBound> {
        self.set_bytes(text.as_bytes())
    }

    /// The text.
    #[inline]
    pub fn as_str(&self) -> &str {
        self
    }
}

impl<const N: usize, const ODD: usize> fmt::Display for Str<N, ODD> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self)
    }
}

impl<const N: usize, const ODD: usize, const M: usize> TryFrom<&[u8; M]> for Bytes<N, ODD> {
    type Error = OverBound;

    /// From an array such as a byte string literal.
    fn try_from(value: &[u8; M]) -> Result<Self, OverBound> {
        Self::try_from(value.as_slice())
    }
}

impl<const N: usize, const ODD: usize> Bytes<N, ODD> {
    /// Replaces the bytes.
    ///
    /// # Errors
    /// [`OverBound`] if they are too many; the old ones stay.
    #[inline]
    pub fn set(&mut self, bytes: &[u8]) -> Result<(), OverBound> {
        self.set_bytes(bytes)
    }

    /// Makes it `len` bytes long and lends them to be filled; new ones are zero.
    ///
    /// # Errors
    /// [`OverBound`] if `len` is over the bound; nothing changes.
    pub fn resize(&mut self, len: usize) -> Result<&mut [u8], OverBound> {
        if len > N {
            return Err(OverBound { len, bound: N });
        }
        let old = self.len();
        if old > len {
            self.bytes[len..old].fill(0);
        }
        self.len = len as u16;
        Ok(&mut self.bytes[..len])
    }
}
