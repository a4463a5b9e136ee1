//! The macros that generated code invokes: they hold the `unsafe impl`s and the proofs that make them sound, so that
//! generated code has neither.

/// States the layout of a struct or union, proves it, and implements [`Wire`](crate::Wire) for it.
///
/// The proof, all of it when the program is compiled: the list names every field (a pattern without `..`), with its
/// type (a reference of that type is taken) and its offset (`offset_of!`); each field begins where the one before
/// it ends and the last one ends at the size, so there is no padding; each field's type is `Wire`. Thus the macro
/// cannot be used wrongly and needs no `unsafe` where it is invoked. It also checks the sizes and offsets that
/// rpcgen computed.
///
/// ```
/// #[derive(Clone, Copy)]
/// #[repr(C)]
/// struct Stamp {
///     unix_ns: u64,
///     node: u32,
///     seq: u32,
/// }
/// runtime_core::layout! {
///     Stamp: size 16, align 8 {
///         0 => unix_ns: u64,
///         8 => node: u32,
///         12 => seq: u32,
///     }
/// }
/// ```
///
/// A hole in the layout is refused:
///
/// ```compile_fail
/// #[derive(Clone, Copy)]
/// #[repr(C)]
/// struct Hole {
///     small: u8,
///     large: u64,
/// }
/// runtime_core::layout! { Hole: size 16, align 8 { 0 => small: u8, 8 => large: u64, } }
/// ```
#[macro_export]
macro_rules! layout {
    ($name:ident: size $size:literal, align $align:tt { $($offset:literal => $field:ident: $ty:ty,)* }) => {
        $crate::layout! { @proof $name $size $align $($offset $field: $ty,)* }

        // SAFETY: the proof above: no padding, and every part is `Wire`, so all three promises carry over.
        unsafe impl $crate::Wire for $name {
            type Align = $crate::layout!(@align $align);
            const PLAIN: bool = true $(&& <$ty as $crate::Wire>::PLAIN)*;
            const INFO: &'static $crate::TypeInfo = &$crate::TypeInfo::Struct {
                name: ::core::stringify!($name),
                fields: &[$($crate::FieldInfo {
                    name: ::core::stringify!($field),
                    offset: $offset,
                    info: <$ty as $crate::Wire>::INFO,
                }),*],
            };

            #[inline]
            fn validate(&self) -> ::core::result::Result<(), $crate::Invalid> {
                $($crate::layout! { @check self $offset $field $ty })*
                ::core::result::Result::Ok(())
            }
        }
    };

    ($name:ident: size $size:literal, align $align:tt { $($offset:literal => $field:ident: $ty:ty,)* }
        union $openness:ident $tag:ty, storage $storage:literal { $($number:literal => $arm:ident: $arm_ty:ty,)* }) => {
        $crate::layout! { @proof $name $size $align $($offset $field: $ty,)* }

        // SAFETY: the proof above: no padding, and every part is `Wire`, so all three promises carry over.
        unsafe impl $crate::Wire for $name {
            type Align = $crate::layout!(@align $align);
            const PLAIN: bool = false;
            const INFO: &'static $crate::TypeInfo = &$crate::TypeInfo::Union {
                name: ::core::stringify!($name),
                storage: $storage,
            };

            #[inline]
            fn validate(&self) -> ::core::result::Result<(), $crate::Invalid> {
                $($crate::layout! { @check self $offset $field $ty })*
                match self.tag {
                    $($number => <$arm_ty as $crate::Wire>::validate($crate::Union::value(self)).map_err(|invalid| {
                        const ARM: &$crate::ArmInfo = &$crate::ArmInfo {
                            name: ::core::stringify!($arm),
                            info: <$arm_ty as $crate::Wire>::INFO,
                        };
                        invalid.within(<Self as $crate::Wire>::INFO, $storage).in_arm(ARM)
                    }),)*
                    _ => $crate::layout!(@unknown_tag $openness),
                }
            }
        }

        impl $crate::Union for $name {
            type Tag = $tag;
            const STORAGE: usize = $storage;
        }
    };

    (@unknown_tag open) => { ::core::result::Result::Ok(()) };
    (@unknown_tag closed) => {
        ::core::result::Result::Err($crate::Invalid::new($crate::InvalidKind::UnknownTag, <Self as $crate::Wire>::INFO))
    };

    (@check $self:ident $offset:literal $field:ident $ty:ty) => {
        if !<$ty as $crate::Wire>::PLAIN {
            if let ::core::result::Result::Err(invalid) = $crate::Wire::validate(&$self.$field) {
                return ::core::result::Result::Err(invalid.within(<Self as $crate::Wire>::INFO, $offset));
            }
        }
    };

    (@proof $name:ident $size:literal $align:literal $($offset:literal $field:ident: $ty:ty,)*) => {
        const _: () = {
            const fn wire<T: $crate::Wire>() -> usize {
                ::core::mem::size_of::<T>()
            }
            let end = 0;
            $(
                ::core::assert!(
                    ::core::mem::offset_of!($name, $field) == $offset && end == $offset,
                    ::core::concat!("`", ::core::stringify!($name), ".", ::core::stringify!($field), "` is not at byte ", $offset),
                );
                let end = end + wire::<$ty>();
            )*
            ::core::assert!(
                ::core::mem::size_of::<$name>() == $size && end == $size,
                ::core::concat!("`", ::core::stringify!($name), "` is not ", $size, " bytes of fields"),
            );
            ::core::assert!(
                ::core::mem::align_of::<$name>() == $align,
                ::core::concat!("`", ::core::stringify!($name), "` is not aligned to ", $align),
            );
            #[allow(dead_code, clippy::missing_const_for_fn)]
            fn fields(value: &$name) {
                let $name { $($field: _),* } = value;
                $(let _: &$ty = &value.$field;)*
            }
        };
    };

    (@align 1) => { $crate::align::A1 };
    (@align 2) => { $crate::align::A2 };
    (@align 4) => { $crate::align::A4 };
    (@align 8) => { $crate::align::A8 };
}

/// Implements what an enum needs beyond its constants: [`Wire`](crate::Wire), `Debug`, `name`, conversions.
///
/// The invoking code declares `#[repr(transparent)] pub struct Name(pub repr)` and the constants; that the type is its
/// number and nothing else is proved here by size and alignment.
#[macro_export]
macro_rules! enumeration {
    ($openness:ident $name:ident($repr:tt) { $($member:ident),* $(,)? }) => {
        $crate::enumeration! { @wire $name $repr }

        // SAFETY: one field of an integer type that fills size and alignment: every bit pattern is a value.
        unsafe impl $crate::Wire for $name {
            type Align = <$repr as $crate::Wire>::Align;
            const PLAIN: bool = $crate::enumeration!(@plain $openness);
            const INFO: &'static $crate::TypeInfo = &$crate::TypeInfo::Leaf { name: ::core::stringify!($name) };

            #[inline]
            fn validate(&self) -> ::core::result::Result<(), $crate::Invalid> {
                if <Self as $crate::Wire>::PLAIN || self.is_known() {
                    ::core::result::Result::Ok(())
                } else {
                    ::core::result::Result::Err($crate::Invalid::new($crate::InvalidKind::NotMember, <Self as $crate::Wire>::INFO))
                }
            }
        }

        $crate::enumeration! { @named $name $repr $($member)* }
    };

    (@plain open) => { true };
    (@plain closed) => { false };

    (@wire $name:ident $repr:tt) => {
        const _: () = {
            ::core::assert!(
                ::core::mem::size_of::<$name>() == ::core::mem::size_of::<$repr>()
                    && ::core::mem::align_of::<$name>() == ::core::mem::align_of::<$repr>(),
                ::core::concat!("`", ::core::stringify!($name), "` is not just its number"),
            );
            #[allow(dead_code, clippy::missing_const_for_fn)]
            fn field($name(number): $name) -> $repr {
                number
            }
        };

        impl ::core::convert::From<$repr> for $name {
            #[inline]
            fn from(number: $repr) -> Self {
                Self(number)
            }
        }

        impl ::core::convert::From<$name> for $repr {
            #[inline]
            fn from(value: $name) -> Self {
                value.0
            }
        }
    };

    (@named $name:ident $repr:tt $($member:ident)*) => {
        impl $name {
            /// The member's name, or `None` for a number that this build does not know.
            #[allow(unreachable_patterns)]
            pub const fn name(self) -> ::core::option::Option<&'static str> {
                match self {
                    $(Self::$member => ::core::option::Option::Some(::core::stringify!($member)),)*
                    _ => ::core::option::Option::None,
                }
            }

            /// True if this build knows the number.
            #[inline]
            pub const fn is_known(self) -> bool {
                self.name().is_some()
            }
        }

        impl ::core::fmt::Debug for $name {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                match self.name() {
                    ::core::option::Option::Some(name) => f.write_str(name),
                    ::core::option::Option::None => ::core::write!(f, ::core::concat!(::core::stringify!($name), "({})"), self.0),
                }
            }
        }
    };
}

/// Implements what flags need beyond their constants: [`Wire`](crate::Wire), `Debug`, set operations.
#[macro_export]
macro_rules! flags {
    ($openness:ident $name:ident($repr:tt) { $($member:ident),* $(,)? }) => {
        $crate::enumeration! { @wire $name $repr }

        // SAFETY: one field of an integer type that fills size and alignment: every bit pattern is a value.
        unsafe impl $crate::Wire for $name {
            type Align = <$repr as $crate::Wire>::Align;
            const PLAIN: bool = $crate::enumeration!(@plain $openness);
            const INFO: &'static $crate::TypeInfo = &$crate::TypeInfo::Leaf { name: ::core::stringify!($name) };

            #[inline]
            fn validate(&self) -> ::core::result::Result<(), $crate::Invalid> {
                if <Self as $crate::Wire>::PLAIN || Self::all().contains(*self) {
                    ::core::result::Result::Ok(())
                } else {
                    ::core::result::Result::Err($crate::Invalid::new($crate::InvalidKind::NotMember, <Self as $crate::Wire>::INFO))
                }
            }
        }

        impl $name {
            /// No flag.
            #[inline]
            pub const fn empty() -> Self {
                Self(0)
            }

            /// Every declared flag.
            #[inline]
            pub const fn all() -> Self {
                Self(0 $(| Self::$member.0)*)
            }

            /// True if no flag is set.
            #[inline]
            pub const fn is_empty(self) -> bool {
                self.0 == 0
            }

            /// True if all flags of `other` are set.
            #[inline]
            pub const fn contains(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }

            /// The flags of both.
            #[inline]
            #[must_use]
            pub const fn union(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }

            /// The flags of this without those of `other`.
            #[inline]
            #[must_use]
            pub const fn without(self, other: Self) -> Self {
                Self(self.0 & !other.0)
            }
        }

        impl ::core::ops::BitOr for $name {
            type Output = Self;
            #[inline]
            fn bitor(self, other: Self) -> Self {
                self.union(other)
            }
        }

        impl ::core::ops::BitOrAssign for $name {
            #[inline]
            fn bitor_assign(&mut self, other: Self) {
                self.0 |= other.0;
            }
        }

        impl ::core::ops::BitAnd for $name {
            type Output = Self;
            #[inline]
            fn bitand(self, other: Self) -> Self {
                Self(self.0 & other.0)
            }
        }

        impl ::core::fmt::Debug for $name {
            #[allow(unused_mut, unused_variables, unused_assignments)]
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.write_str(::core::concat!(::core::stringify!($name), "("))?;
                let mut rest = self.0;
                let mut separator = "";
                $(
                    if Self::$member.0 != 0 && rest & Self::$member.0 == Self::$member.0 {
                        ::core::write!(f, "{separator}{}", ::core::stringify!($member))?;
                        separator = " | ";
                        rest &= !Self::$member.0;
                    }
                )*
                if rest != 0 {
                    ::core::write!(f, "{separator}{rest:#x}")?;
                }
                f.write_str(")")
            }
        }
    };
}

/// Implements what an error type needs beyond its constants: [`ServiceError`](crate::ServiceError), `Debug`, `Display`.
#[macro_export]
macro_rules! error {
    ($name:ident($repr:tt) { $($member:ident),* $(,)? }) => {
        $crate::enumeration! { @wire $name $repr }

        // SAFETY: one field of an integer type that fills size and alignment: every bit pattern is a value.
        unsafe impl $crate::Wire for $name {
            type Align = <$repr as $crate::Wire>::Align;
            const PLAIN: bool = true;
            const INFO: &'static $crate::TypeInfo = &$crate::TypeInfo::Leaf { name: ::core::stringify!($name) };

            #[inline]
            fn validate(&self) -> ::core::result::Result<(), $crate::Invalid> {
                ::core::result::Result::Ok(())
            }
        }

        $crate::enumeration! { @named $name $repr $($member)* }

        impl ::core::fmt::Display for $name {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                ::core::fmt::Debug::fmt(self, f)
            }
        }

        impl ::core::error::Error for $name {}

        impl $crate::ServiceError for $name {
            #[inline]
            fn from_code(code: u32) -> Self {
                Self(code as $repr)
            }

            #[inline]
            fn code(self) -> u32 {
                self.0 as u32
            }
        }
    };
}
