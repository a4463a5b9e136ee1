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
    if piece.is(name, "const")
        || (view.context == Context::Params && matches!(piece.str(name), "in" | "out" | "inout"))
    {
        name += 1;
    } else if matches!(view.context, Context::File | Context::Interface) {
        return None;
    }
    if !piece.is_word(name) || !piece.is(name + 1, ":") || !piece.is_word(name + 2) {
        return None;
    }
    let mut end = name + 3;
    while end < piece.tokens.len() && !matches!(piece.str(end), ";" | "," | "=" | ")" | "{") {
        end = if matches!(piece.str(end), "<" | "[") {
            piece.after_group(end)
        } else {
            end + 1
        };
    }
    let span = piece.span(name).to(piece.span(end - 1));
    let (ty, text) = (piece.between(name + 2, end), piece.str(name));
    Some(
        Diagnostic::error(Code::E0101, span, "the type stands before the name")
            .label("name and type are the wrong way round")
            .fix(
                format!("write `{ty} {text}`"),
                span,
                format!("{} {text}", piece.written(name + 2, end)),
            ),
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
    let help = words::foreign_modifier(word)?;
    let words = (0..3).take_while(|at| piece.is_word(first + at)).count();
    let call = words == 2
        && piece.is(first + 2, "(")
        && matches!(word, "fn" | "func" | "function" | "def" | "rpc");
    let generic = words == 2 && piece.is(first + 2, "<");
    if words < 3 && !call && !generic {
        return None;
    }
    let span = piece.span(first);
    Some(
        Diagnostic::error(
            Code::E0101,
            span,
            format!("`{word}` is not a word of this language"),
        )
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

/// `Foo* foo`, `Foo &foo`
pub(super) fn pointer(view: &View<'_, '_>) -> Option<Diagnostic> {
    let piece = view.piece;
    let sign = piece.str(view.at);
    if !matches!(sign, "*" | "&" | "&&")
        || !(view.stop.expected.has(Rule::name) || view.stop.expected.has(Rule::ty))
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
    if !piece.is(view.at, "[") || !view.stop.expected.has(Rule::ty) {
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
    let name = view.at.checked_sub(1)?;
    let ty = piece.between(piece.first, name);
    let next = if piece.is_word(view.at + 1) {
        piece.str(view.at + 1)
    } else {
        "name"
    };
    Some(
        Diagnostic::error(Code::E0101, span, "one statement declares one field")
            .label("expected `;`")
            .help(format!("write `{ty} {next};` as a statement of its own")),
    )
}
