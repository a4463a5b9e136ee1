//! Types, and the names behind them, in the order of another language.

use super::super::{Context, Rule};
use super::View;
use crate::diag::{Code, Diagnostic};
use crate::parse::scan::TokenKind;
use crate::parse::words;
use crate::source::Span;

/// `key: u32;` and `const KEY: u32 = 1;`
pub(super) fn name_first(view: &View<'_, '_>) -> Option<Diagnostic> {
    if !matches!(
        view.context,
        Context::File | Context::Struct | Context::Params | Context::Interface
    ) {
        return None;
    }
    let piece = view.piece;
    let mut name = piece.first;
    let directed =
        view.context == Context::Params && matches!(piece.str(name), "in" | "out" | "inout");
    if piece.is(name, "const")
        || directed
        || (view.context == Context::Struct && piece.is(name, "pub"))
    {
        name += 1;
    } else if matches!(view.context, Context::File | Context::Interface) {
        return None;
    }
    // Rust's arrays begin with a bracket, and its references with a sign.
    let field = view.context == Context::Struct;
    let typed = piece.is_word(name + 2)
        || matches!(piece.str(name + 2), "[" | "&")
        || (field && piece.is(name + 2, "("));
    if !piece.is_word(name) || !piece.is(name + 1, ":") || !typed {
        return None;
    }
    let mut end = name + 2;
    while end < piece.tokens.len() && !matches!(piece.str(end), ";" | "," | "=" | ")" | "{") {
        end = if matches!(piece.str(end), "<" | "[" | "(") {
            piece.after_group(end)
        } else {
            end + 1
        };
    }
    let first = if piece.is(name.wrapping_sub(1), "pub") {
        name - 1
    } else {
        name
    };
    // What separates fields in Rust ends the name here.
    let last = if field && piece.is(end, ",") {
        end
    } else {
        end - 1
    };
    let span = piece.span(first).to(piece.span(last));
    let (ty, text) = (piece.between(name + 2, end), piece.str(name));
    let error = Diagnostic::error(Code::E0101, span, "the type stands before the name")
        .label("name and type are the wrong way round");
    let direction = if view.context == Context::Params && !directed {
        "in "
    } else {
        ""
    };
    let semi = if field { ";" } else { "" };
    let help = |ty: &str| format!("write `{direction}{ty} {text}{semi}`");
    Some(if piece.is_word(name + 2) {
        let semi = if last == end { ";" } else { "" };
        let written = piece.written(name + 2, end);
        error.fix(
            help(&ty),
            span,
            format!("{direction}{written} {text}{semi}"),
        )
    } else {
        match (piece.str(name + 2), piece.is_word(name + 3)) {
            ("&", true) if piece.is(name + 3, "str") => error.help(help("string<N>")),
            ("&", true) => error.help(help(piece.str(name + 3))),
            ("[", true) => error.help(help(&format!("{}[N]", piece.str(name + 3)))),
            ("(", _) => {
                error.help("declare a struct in the place of the tuple, and write its name first")
            }
            _ => error.help(help("T")),
        }
    })
}

/// `stamp @0 :UInt64;`
pub(super) fn numbered_name(view: &View<'_, '_>) -> Option<Diagnostic> {
    let piece = view.piece;
    let first = piece.first;
    let number = piece.tokens.get(first + 2)?;
    if view.context != Context::Struct
        || !piece.is_word(first)
        || !piece.is(first + 1, "@")
        || !matches!(number.kind, TokenKind::Number(_))
    {
        return None;
    }
    let span = piece.span(first + 1).to(piece.span(first + 2));
    let ty = if piece.is(first + 3, ":") && piece.is_word(first + 4) {
        piece.str(first + 4)
    } else {
        "T"
    };
    Some(
        Diagnostic::error(Code::E0101, span, "fields have no numbers")
            .label("their order is the layout")
            .help(format!(
                "write `{ty} {};`, the type first",
                piece.str(first)
            )),
    )
}

/// `public int x;`, `repeated Foo foos;`, `unsigned int x;`, `rpc get(…)`
pub(super) fn foreign_modifier(view: &View<'_, '_>) -> Option<Diagnostic> {
    let piece = view.piece;
    if !matches!(
        view.context,
        Context::Struct | Context::Interface | Context::Params
    ) {
        return None;
    }
    // Only where one word too many was read as type and name.
    let first = if view.context == Context::Params
        && matches!(piece.str(piece.first), "in" | "out" | "inout")
    {
        piece.first + 1
    } else {
        piece.first
    };
    let word = piece.str(first);
    let words = (0..3).take_while(|at| piece.is_word(first + at)).count();
    let points = words == 2 && matches!(piece.str(first + 2), "*" | "&");
    let help = match (word, piece.str(first + 1)) {
        ("const", "char") if points => {
            "write `string<N>` for text of up to `N` bytes; what is `in` is not changed"
        }
        ("const", _) => "remove it; what is `in` is not changed",
        _ => words::foreign_modifier(word)?,
    };
    let call = words == 2
        && piece.is(first + 2, "(")
        && matches!(word, "fn" | "func" | "function" | "def" | "rpc");
    let generic = words == 2 && piece.is(first + 2, "<");
    if words < 3 && !call && !generic && !points {
        return None;
    }
    let span = piece.span(first);
    let message = if words::DECLARATIONS.contains(&word) {
        format!("`{word}` cannot stand before a type")
    } else {
        format!("`{word}` is not a word of this language")
    };
    Some(
        Diagnostic::error(Code::E0101, span, message)
            .label("not needed here")
            .help(help),
    )
}

/// `u32 key[4];`
pub(super) fn array_after_name(view: &View<'_, '_>) -> Option<Diagnostic> {
    let piece = view.piece;
    let name = view.at.checked_sub(1)?;
    let typed = matches!(
        view.stop.rule,
        Rule::strict_field | Rule::strict_last | Rule::strict_method | Rule::strict_arm
    );
    if !typed || !piece.is(view.at, "[") || !piece.is_word(name) || name == 0 {
        return None;
    }
    let mut end = view.at;
    while piece.is(end, "[") {
        end = piece.after_group(end);
    }
    let suffix = piece.written(view.at, end);
    let span = piece.span(name).to(piece.span(end - 1));
    let text = piece.str(name);
    let blank = Span::new(
        piece.source,
        piece.span(name - 1).end as usize,
        span.end as usize,
    );
    Some(
        Diagnostic::error(
            Code::E0101,
            piece.span(view.at).to(piece.span(end - 1)),
            "the size of an array belongs to its type",
        )
        .label("not after the name")
        .fix(
            format!("write it before `{text}`"),
            blank,
            format!("{suffix} {text}"),
        ),
    )
}

/// `u32 flags : 3;`
pub(super) fn bit_field(view: &View<'_, '_>) -> Option<Diagnostic> {
    let piece = view.piece;
    let size = piece.tokens.get(view.at + 1)?;
    if view.stop.rule != Rule::strict_field
        || !piece.is(view.at, ":")
        || !matches!(size.kind, TokenKind::Number(_))
    {
        return None;
    }
    let span = piece.span(view.at).to(piece.span(view.at + 1));
    Some(
        Diagnostic::error(Code::E0101, span, "a field has no number of bits")
            .label("remove this")
            .help(
                "declare a `flags` type for single bits, or take numbers out of one field by hand",
            ),
    )
}

/// `Foo* foo`, `Foo &foo`
pub(super) fn pointer(view: &View<'_, '_>) -> Option<Diagnostic> {
    let piece = view.piece;
    let sign = piece.str(view.at);
    // `struct Foo *next` is read as a declaration without its `{`.
    let may_be = [Rule::name, Rule::ty, Rule::open_brace];
    if !matches!(sign, "*" | "&" | "&&") || !may_be.into_iter().any(|it| view.stop.expected.has(it))
    {
        return None;
    }
    if view.stop.rule == Rule::strict_import {
        return None;
    }
    let span = piece.span(view.at);
    Some(
        Diagnostic::error(Code::E0101, span, "there are no pointers and no references")
            .label("remove this")
            .help("values travel inline"),
    )
}

/// `[u8; 4] key`
pub(super) fn rust_array(view: &View<'_, '_>) -> Option<Diagnostic> {
    let piece = view.piece;
    let begins = view.context == Context::Struct && view.at == piece.first;
    if !piece.is(view.at, "[") || !(begins || view.stop.expected.has(Rule::ty)) {
        return None;
    }
    let span = piece.span(view.at);
    let element = if piece.is_word(view.at + 1) {
        piece.str(view.at + 1)
    } else {
        "T"
    };
    Some(
        Diagnostic::error(Code::E0105, span, "expected a type, found `[`")
            .label("the size of an array stands after its type")
            .help(format!(
                "write `{element}[N]` for an array or `vec<{element}, N>` for a list"
            )),
    )
}

/// `string<8 > 4>`: the first `>` has closed the type.
pub(super) fn angle_operator(view: &View<'_, '_>) -> Option<Diagnostic> {
    let piece = view.piece;
    let close = view.at.checked_sub(1)?;
    let found = piece.tokens.get(view.at)?;
    let expression = matches!(
        found.kind,
        TokenKind::Number(_) | TokenKind::Punct(b'>' | b'(' | b'=')
    );
    if !piece.is(close, ">") || !view.stop.expected.has(Rule::name) || !expression {
        return None;
    }
    let open = (0..close).rev().find(|&at| piece.is(at, "<"))?;
    let last = (view.at..piece.tokens.len().min(view.at + 16))
        .rev()
        .find(|&at| piece.is(at, ">"));
    let error = Diagnostic::error(Code::E0110, piece.span(close), "`>` between `<` and `>`")
        .label("ends the type");
    let help = "put the expression into parentheses";
    Some(match last {
        Some(last) => {
            let from = if piece.is(open.wrapping_sub(1), "vec") {
                (open..close)
                    .rev()
                    .find(|&at| piece.is(at, ","))
                    .unwrap_or(open)
            } else {
                open
            };
            let text = piece.written(from + 1, last);
            let span = piece.span(from + 1).to(piece.span(last - 1));
            error.fix(help, span, format!("({text})"))
        }
        None => error.help(help),
    })
}

/// `vec<u8; 4>`
pub(super) fn angle_semicolon(view: &View<'_, '_>) -> Option<Diagnostic> {
    let piece = view.piece;
    if !piece.is(view.at, ";") || !view.stop.expected.has(Rule::close_angle) {
        return None;
    }
    let closes = (view.at + 1..piece.tokens.len())
        .take(4)
        .any(|at| piece.is(at, ">"));
    let span = piece.span(view.at);
    closes.then(|| {
        Diagnostic::error(
            Code::E0101,
            span,
            "the arguments of a type are separated by `,`",
        )
        .label("expected `,`")
        .fix("write `,`", span, ",")
    })
}

/// `u32 a, b;`
pub(super) fn several_names(view: &View<'_, '_>) -> Option<Diagnostic> {
    let piece = view.piece;
    if view.stop.rule != Rule::strict_field
        || !piece.is(view.at, ",")
        || !view.stop.expected.has(Rule::semi)
    {
        return None;
    }
    let span = piece.span(view.at);
    if !piece.is_word(view.at + 1) || !matches!(piece.str(view.at + 2), "" | "," | ";" | "=") {
        return Some(
            Diagnostic::error(Code::E0102, span, "this field ends in `,`")
                .label("expected `;`")
                .fix("write `;`", span, ";"),
        );
    }
    let equals = (piece.first..view.at).find(|&at| piece.is(at, "="));
    let name = equals.unwrap_or(view.at).checked_sub(1)?;
    let ty = piece.between(piece.first, name);
    let next = piece.str(view.at + 1);
    Some(
        Diagnostic::error(Code::E0101, span, "one statement declares one field")
            .label("expected `;`")
            .help(format!("write `{ty} {next};` as a statement of its own")),
    )
}

/// `enum Shape { CIRCLE(u32) }`
pub(super) fn member_with_value(view: &View<'_, '_>) -> Option<Diagnostic> {
    let piece = view.piece;
    if view.context != Context::Enum || !matches!(piece.str(view.at), "(" | "{") || view.at == 0 {
        return None;
    }
    let last = piece.after_group(view.at) - 1;
    let span = piece.span(view.at).to(piece.span(last));
    Some(
        Diagnostic::error(Code::E0101, span, "a member of an enumeration holds nothing")
            .label("expected `,` or `=`")
            .help("declare a `union` for alternatives that hold values, such as `union Shape : u8 { 0: u32 circle; }`"),
    )
}

/// `u32 circle = 1;` in a union
pub(super) fn late_number(view: &View<'_, '_>) -> Option<Diagnostic> {
    let piece = view.piece;
    let equals = (piece.first..piece.tokens.len()).find(|&at| piece.is(at, "="))?;
    let number = piece.tokens.get(equals + 1)?;
    if view.context != Context::Union
        || !matches!(number.kind, TokenKind::Number(_))
        || !piece.is_word(piece.first)
    {
        return None;
    }
    let number = piece.str(equals + 1);
    let arm = piece.between(piece.first, equals);
    let span = piece.span(piece.first).to(piece.span(equals + 1));
    Some(
        Diagnostic::error(
            Code::E0101,
            piece.span(equals),
            "the number of an arm stands before it",
        )
        .label("not behind it")
        .fix(
            format!("write `{number}: {arm}`"),
            span,
            format!("{number}: {}", piece.written(piece.first, equals)),
        ),
    )
}

/// `vec<16, u8>`
pub(super) fn bound_first(view: &View<'_, '_>) -> Option<Diagnostic> {
    let piece = view.piece;
    let found = piece.tokens.get(view.at)?;
    let open = view.at.checked_sub(1)?;
    if !matches!(found.kind, TokenKind::Number(_))
        || !piece.is(open, "<")
        || !piece.is(open.checked_sub(1)?, "vec")
    {
        return None;
    }
    let bound = piece.str(view.at);
    let element = if piece.is(view.at + 1, ",") && piece.is_word(view.at + 2) {
        piece.str(view.at + 2)
    } else {
        "T"
    };
    Some(
        Diagnostic::error(
            Code::E0101,
            piece.span(view.at),
            "the type of the elements stands before their bound",
        )
        .label("expected a type")
        .help(format!("write `vec<{element}, {bound}>`")),
    )
}

/// `?u32 a;`
pub(super) fn optional_first(view: &View<'_, '_>) -> Option<Diagnostic> {
    let piece = view.piece;
    let at = view.at;
    // Behind a type it is in its place.
    let before = at.checked_sub(1);
    let behind = before.is_some_and(|before| {
        piece.is_word(before) || matches!(piece.str(before), ">" | "]" | ")")
    });
    let directed = before.is_some_and(|at| matches!(piece.str(at), "in" | "out" | "inout"));
    if !piece.is(at, "?") || !piece.is_word(at + 1) || (behind && !directed) {
        return None;
    }
    let ty = piece.str(at + 1);
    Some(
        Diagnostic::error(Code::E0101, piece.span(at), "`?` stands after the type")
            .label("not before it")
            .help(format!("write `{ty}?`")),
    )
}
