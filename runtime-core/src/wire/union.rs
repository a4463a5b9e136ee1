//! What generated unions are made with.

use super::{Wire, bytes_of, bytes_of_mut, view, zeroed};

/// A tagged union: the tag at offset 0, storage for the largest arm at [`STORAGE`](Self::STORAGE).
///
/// Implemented by [`layout!`](crate::layout); generated constructors and accessors call it.
pub trait Union: Wire {
    /// The integer that holds the tag.
    type Tag: Wire + PartialEq;

    /// Where an arm's value lies.
    const STORAGE: usize;

    /// A union with the arm `tag` set to `value`; the rest of the storage is zero.
    #[inline]
    fn of<V: Wire>(tag: Self::Tag, value: &V) -> Self {
        let mut new: Self = zeroed();
        let bytes = bytes_of_mut(&mut new);
        bytes[..size_of::<Self::Tag>()].copy_from_slice(bytes_of(&tag));
        bytes[Self::STORAGE..Self::STORAGE + size_of::<V>()].copy_from_slice(bytes_of(value));
        new
    }

    /// The storage as a value of an arm's type, whatever the tag says: any bytes are one.
    #[inline]
    fn value<V: Wire>(&self) -> &V {
        const {
            assert!(
                Self::STORAGE + size_of::<V>() <= size_of::<Self>()
                    && align_of::<V>() <= align_of::<Self>()
                    && Self::STORAGE.is_multiple_of(align_of::<V>()),
                "the union's storage does not hold this arm",
            );
        }
        match view(&bytes_of(self)[Self::STORAGE..]) {
            Some(value) => value,
            None => unreachable!("the constant above proves size and alignment"),
        }
    }
}
