//! The table of codes. A code is never reused; its page is in `pages/`.

use std::fmt;

/// A stable code such as `E0201`, with its title and its page of the error index.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code {
    /// `E` or `W` and four digits.
    pub name: &'static str,
    /// What is wrong, in a few words.
    pub title: &'static str,
    /// The page in Markdown: why, a failing example, a mended one.
    pub page: &'static str,
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Code {
    /// The code of that name, in any case.
    pub fn find(name: &str) -> Option<Self> {
        ERROR_INDEX
            .iter()
            .copied()
            .find(|code| code.name.eq_ignore_ascii_case(name))
    }
}

macro_rules! codes {
    ($($name:ident $title:literal)*) => {
        impl Code {
            $(
                #[doc = $title]
                pub const $name: Self = Self {
                    name: stringify!($name),
                    title: $title,
                    page: include_str!(concat!("pages/", stringify!($name), ".md")),
                };
            )*
        }

        /// Every code, in order.
        pub const ERROR_INDEX: &[Code] = &[$(Code::$name),*];
    };
}

codes! {
    // 00xx: reading and splitting the text
    E0001 "a file cannot be read"
    E0002 "a file is not UTF-8"
    E0003 "a file declares nothing"
    E0004 "a character that nobody sees"
    E0005 "a character without a meaning"
    E0006 "a comment is never closed"
    E0007 "a string is never closed"
    E0008 "an unknown escape in a string"
    E0009 "a malformed number"
    E0010 "a number is too large to read"
    E0011 "brackets are nested too deeply"
    E0012 "an expression or type is too long"
    E0013 "too many errors"

    // 01xx: syntax
    E0101 "something else was expected"
    E0102 "a statement does not end with `;`"
    E0103 "members or parameters are not separated by `,`"
    E0104 "a name is missing"
    E0105 "a type is missing"
    E0106 "a value is missing"
    E0107 "a bracket is never closed"
    E0108 "a closing brace closes nothing"
    E0109 "a wrong sign between two parts"
    E0110 "a comparison or shift between `<` and `>`"
    E0111 "something in the wrong place"
    E0112 "unknown declaration"
    E0113 "the head of a file is out of order"
    E0114 "arguments of a type that takes none"
    E0115 "a modifier that has no effect"
    E0116 "a stray `;` or `,`"
    E0117 "an arm of a union without a number"
    E0118 "a declaration without a body"
    E0119 "unknown edition"
    E0120 "a malformed version"
    W0101 "documentation of nothing"

    // 02xx: names and imports
    E0201 "unknown type"
    E0202 "unknown constant or member"
    E0203 "a name is declared twice"
    E0204 "two names are one in Rust"
    E0205 "the name is taken"
    E0206 "a type name of another language"
    E0207 "an imported package is not found"
    E0208 "an imported package is found twice"
    E0209 "the package does not declare the imported name"
    E0210 "two files declare one package"
    E0211 "the file declares no package"
    E0212 "an import that imports nothing"
    E0213 "the name stands for something of another kind"
    E0214 "an interface inside another declaration"
    W0201 "an import is not used"

    // 03xx: types, constants and values
    E0301 "a bound is missing"
    E0302 "a bound or length is out of range"
    E0303 "a value depends on itself"
    E0304 "a type contains itself"
    E0305 "a value does not fit its type"
    E0306 "division by zero"
    E0307 "a shift is too far"
    E0308 "a computation overflows"
    E0309 "an operator does not apply"
    E0310 "a value of the wrong kind"
    E0311 "bitwise and comparison are mixed without parentheses"
    E0312 "a string is longer than its type"
    E0313 "a type without constants"
    E0314 "a type without defaults"
    E0315 "an optional of an optional"
    E0316 "`void` where a value is needed"
    E0317 "a `buffer` in the wrong place"
    E0318 "the carrying type is missing or unfit"
    E0319 "a member needs a value"
    E0320 "a number is used twice"
    E0321 "a reserved number is used"
    E0322 "an error number belongs to the runtime"
    E0323 "a range ends before it begins"
    E0324 "the access of a `buffer` is missing or unknown"
    E0325 "a declaration holds nothing"
    E0326 "reserved room that is not bytes"
    E0327 "an expression is nested too deeply"
    E0328 "a closed error type"
    E0329 "constants hold too much text"
    W0301 "a closed type without a 0"
    W0302 "defaults that look like numbers of fields"

    // 04xx: layout and limits
    E0401 "a type is over the size limit"
    E0402 "a message is over the size limit"
    E0403 "types are nested too deeply"
    E0404 "too many members"
    E0405 "too many parameters"
    E0406 "too many methods"
    E0407 "too many imported files"
    E0408 "a type is over its `@MaxSize`"
    E0409 "a source is over the size limit"
    E0410 "too much layout to describe"
    W0401 "an odd bound"

    // 05xx: interfaces and methods
    E0501 "a parameter has no direction"
    E0502 "a result without a reply"
    E0503 "an `out` parameter without a reply"
    E0504 "`throws` without a reply"
    E0505 "`oneway` and `event` at once"
    E0506 "two methods have one id"
    E0507 "a method has a reserved id"
    E0508 "the id of a method is out of range"
    E0509 "`throws` needs an error type"
    E0510 "`extends` needs an interface"
    E0511 "an interface extends itself"
    E0512 "a `buffer` cannot be lent here"

    // 06xx: annotations
    E0601 "unknown annotation"
    E0602 "an annotation in the wrong place"
    E0603 "an annotation is given twice"
    E0604 "an annotation has no such key"
    E0605 "an annotation is not given what it takes"
    E0606 "the value of an annotation is out of range"
    E0607 "a trait cannot be derived"
    E0608 "`@Since` is newer than the package"
    E0609 "`@Idempotent` with an `inout` parameter"

    // 07xx: definitions in Rust
    E0701 "an attribute on an item of the wrong kind"
    E0702 "a generic definition"
    E0703 "something that a definition cannot hold"
    E0704 "a Rust type that cannot travel"
    E0705 "unknown option of an attribute"
    E0706 "an option is not given what it takes"
    E0707 "a value that a macro cannot know"
    E0708 "a name that generated code would change"
    E0709 "conditional compilation inside a definition"

    // 08xx: backends and output
    E0801 "the backend cannot carry a `buffer` yet"
    E0802 "the interface does not allow the backend"
    E0803 "unknown backend"
    // E0804 was for a backend without stubs; there is none any more.
    E0805 "a crate that generated code needs is not a dependency"
    W0801 "an interface is compiled for no backend"
}
