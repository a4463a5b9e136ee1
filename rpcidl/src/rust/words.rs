//! The checks speak of definitions; whoever wrote a Rust item is told in Rust.

use crate::diag::Diagnostic;

/// What is said of definitions, and what of Rust. The longer ones stand before their parts.
const WORDS: &[(&str, &str)] = &[
    ("`@AllowAlias`", "`#[rpc_message(allow_alias)]`"),
    ("`@Backends`", "`backend`"),
    ("`@Deadline(us = 50)`", "`deadline_us = 50`"),
    ("`@Deadline`", "a deadline"),
    ("`@Derive(Eq)`", "`#[derive(Eq)]`"),
    ("`@Derive(Hash)`", "`#[derive(Hash)]`"),
    ("`@Derive(Ord)`", "`#[derive(Ord)]`"),
    ("`@Derive(PartialOrd)`", "`#[derive(PartialOrd)]`"),
    ("`@Idempotent`", "`#[rpc(idempotent)]`"),
    ("`@Inproc(", "`inproc("),
    ("`@Inproc`", "`inproc`"),
    ("`@MaxSize(1024)`", "`#[rpc_message(max_size = 1024)]`"),
    ("`@MaxSize(", "`max_size("),
    ("`@MaxSize`", "`max_size`"),
    ("`@Priority(1)`", "`#[rpc(priority = 1)]`"),
    ("`@Priority`", "`priority`"),
    ("`@Rdma(", "`rdma("),
    ("`@Rdma`", "`rdma`"),
    ("`@Shm(", "`shm("),
    ("`@Shm`", "`shm`"),
    ("`@Since(1.1)`", "`since = \"1.1\"`"),
    ("`@Since(", "`since("),
    ("`@Since`", "`since`"),
    ("`bytes<", "`Bytes<"),
    ("`string<", "`Str<"),
    ("`vec<", "`List<"),
    ("a `vec`", "a `List`"),
    ("`reserved u8[8];`", "`_reserved0: Reserved<8>`"),
    ("`reserved u8[N];`", "`_reserved0: Reserved<N>`"),
    (
        "interfaces cannot travel; let the server call the client with `event` methods",
        "services cannot travel; let the server call the client with `#[rpc(event)]` methods",
    ),
    ("an interface", "a service"),
    ("interface `", "service `"),
    (
        "declare it with `error` instead, or return it",
        "declare it with `#[rpc_message(error)]`, or return it",
    ),
    (
        "`throws` needs a type that is declared with `error`",
        "name an enum that is declared with `#[rpc_message(error)]`",
    ),
    (
        "declare one, such as `error Failed : u32 { NOT_FOUND = 1 }`, and name it here",
        "declare an enum with `#[rpc_message(error)]` and `#[repr(u32)]`, and name it here",
    ),
    ("remove `throws`", "return nothing"),
    ("write `void`", "return nothing"),
    ("write one `?`", "write one `Option`"),
    ("write `= ", "write `id = "),
    (
        "or pass it as `in` and `out`",
        "or pass it by `&` and return the new one",
    ),
    ("this is `inout`", "this is changed"),
    ("`~` inverts", "`!` inverts"),
    ("write `reserved ", "write `reserved = "),
];

/// Says a diagnostic in Rust.
pub(super) fn in_rust(mut found: Diagnostic) -> Diagnostic {
    // The whole text is an order of words in a definition, so it is replaced as a whole.
    if found.help.as_deref() == Some("write `in`") {
        found.help = Some("pass it by value or by `&`".to_owned());
    }
    found.message = translate(&found.message);
    let labels = found.primary.iter_mut().chain(&mut found.secondary);
    labels.for_each(|label| label.text = translate(&label.text));
    found
        .notes
        .iter_mut()
        .for_each(|note| *note = translate(note));
    found.help = found.help.as_deref().map(translate);
    found.edit = None;
    found
}

fn translate(text: &str) -> String {
    let text = WORDS
        .iter()
        .fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
    // Members are written `Tier.HOT` there, and methods `KvStore.get`.
    let parts: Vec<String> = text
        .split('`')
        .enumerate()
        .map(|(index, part)| {
            let is_path = index % 2 == 1 && !part.ends_with(".toml");
            let is_path = is_path && part.starts_with(|first: char| first.is_ascii_uppercase());
            let is_path = is_path
                && part
                    .chars()
                    .all(|c| c.is_alphanumeric() || c == '_' || c == '.');
            if is_path {
                part.replace('.', "::")
            } else {
                part.to_owned()
            }
        })
        .collect();
    parts.join("`")
}

#[cfg(test)]
mod tests {
    use super::translate;

    #[test]
    fn members_and_annotations() {
        assert_eq!(
            translate("write `Tier.HOT`, not 1.5 or `1.5`"),
            "write `Tier::HOT`, not 1.5 or `1.5`"
        );
        assert_eq!(
            translate("`Cargo.toml` does not name it"),
            "`Cargo.toml` does not name it"
        );
        assert_eq!(
            translate("put `@Derive(Eq)` on `Key` too"),
            "put `#[derive(Eq)]` on `Key` too"
        );
    }
}
