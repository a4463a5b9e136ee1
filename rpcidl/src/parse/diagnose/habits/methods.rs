//! Methods and parameters with what other languages let them have.

use super::super::{Context, Rule};
use super::View;
use crate::diag::{Code, Diagnostic};

/// `void f() { … }`
pub(super) fn method_body(view: &View<'_, '_>) -> Option<Diagnostic> {
    let piece = view.piece;
    if view.stop.rule != Rule::strict_method
        || !piece.is(view.at, "{")
        || !view.stop.expected.has(Rule::semi)
    {
        return None;
    }
    Some(
        Diagnostic::error(Code::E0101, piece.span(view.at), "methods have no body")
            .label("expected `;`")
            .help("end the method with `;`; the server implements it"),
    )
}

/// `get(in Key key) -> Record;`
pub(super) fn arrow(view: &View<'_, '_>) -> Option<Diagnostic> {
    let piece = view.piece;
    let at = (view.at.saturating_sub(1)..piece.tokens.len()).find(|&at| {
        piece.is(at, "-") && piece.is(at + 1, ">") && piece.span(at).end == piece.span(at + 1).start
    })?;
    if view.context != Context::Interface {
        return None;
    }
    let span = piece.span(at).to(piece.span(at + 1));
    let result = if piece.is_word(at + 2) {
        piece.str(at + 2)
    } else {
        "the result type"
    };
    Some(
        Diagnostic::error(
            Code::E0101,
            span,
            "the result type stands before the name of the method",
        )
        .label("not after an arrow")
        .help(format!("write `{result}` before the name")),
    )
}

/// `get(Key key) generates (Record record);`
pub(super) fn generates(view: &View<'_, '_>) -> Option<Diagnostic> {
    let piece = view.piece;
    // Such a method has no result type, so the rule stops before its parentheses already.
    let at = (view.at..piece.tokens.len()).find(|&at| {
        matches!(piece.str(at), "generates" | "returns")
            && at
                .checked_sub(1)
                .is_some_and(|before| piece.is(before, ")"))
    })?;
    if view.stop.rule != Rule::strict_method {
        return None;
    }
    let word = piece.str(at);
    Some(
        Diagnostic::error(
            Code::E0101,
            piece.span(at),
            format!("results are not written after `{word}`"),
        )
        .label("not a word of this language")
        .help(
            "write the first result before the name of the method, and others as `out` parameters",
        ),
    )
}

/// `throws A, B`
pub(super) fn two_errors(view: &View<'_, '_>) -> Option<Diagnostic> {
    let piece = view.piece;
    let thrown = (0..view.at).rev().take(8).any(|at| piece.is(at, "throws"));
    if view.stop.rule != Rule::strict_method || !piece.is(view.at, ",") || !thrown {
        return None;
    }
    Some(
        Diagnostic::error(
            Code::E0101,
            piece.span(view.at),
            "a method throws one error type",
        )
        .label("expected `;`")
        .help("declare one `error` with the members of both"),
    )
}

/// `in u32 limit = 5`
pub(super) fn param_default(view: &View<'_, '_>) -> Option<Diagnostic> {
    let piece = view.piece;
    if view.context != Context::Params || !piece.is(view.at, "=") {
        return None;
    }
    Some(
        Diagnostic::error(
            Code::E0101,
            piece.span(view.at),
            "parameters have no defaults",
        )
        .label("expected `,` or `)`")
        .help("remove it, or pass a struct whose field has a default"),
    )
}

/// `Key in key`
pub(super) fn late_direction(view: &View<'_, '_>) -> Option<Diagnostic> {
    let piece = view.piece;
    let at = view.at.checked_sub(1)?;
    if view.context != Context::Params
        || !matches!(piece.str(at), "in" | "out" | "inout")
        || !piece.is_word(view.at)
    {
        return None;
    }
    let span = piece.span(at);
    Some(
        Diagnostic::error(
            Code::E0101,
            span,
            format!("`{}` stands before the type", piece.str(at)),
        )
        .label("not after it")
        .help(format!(
            "write `{} {} {}`",
            piece.str(at),
            piece.between(piece.first, at),
            piece.str(view.at)
        )),
    )
}
