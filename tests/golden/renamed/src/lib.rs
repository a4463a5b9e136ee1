//! The corpus where generated code has nothing to lean on: no prelude, the runtime crates under other names, and each file
//! included in a module some levels down.

#![no_implicit_prelude]
#![forbid(unsafe_code)]
#![deny(missing_docs, warnings)]

/// One level down.
pub mod outer {
    /// Two levels down.
    pub mod inner {
        ::core::include!(::core::concat!(::core::env!("OUT_DIR"), "/index.rs"));
    }

    /// A package and what it imports, one file each.
    #[path = ""]
    pub mod directory {
        ::core::include!(::core::concat!(
            ::core::env!("OUT_DIR"),
            "/directory/mod.rs"
        ));
    }

    /// The same package, whose import was generated elsewhere.
    pub mod elsewhere {
        ::core::include!(::core::concat!(::core::env!("OUT_DIR"), "/elsewhere.rs"));
    }
}

#[cfg(test)]
mod tests {
    use crate::outer::{directory, elsewhere, inner};

    #[::core::prelude::v1::test]
    fn it_compiles_without_a_prelude() {
        let plain = inner::scalars::Plain {
            a: 1,
            ..::core::default::Default::default()
        };
        ::core::assert_eq!(plain.a, 1);
    }

    #[::core::prelude::v1::test]
    fn a_package_generated_elsewhere_is_the_same_type() {
        let id = directory::acme_common::Uuid { high: 1, low: 2 };
        let marker = elsewhere::Marker {
            id,
            ..::core::default::Default::default()
        };
        ::core::assert_eq!(marker.id.low, 2);
    }
}
