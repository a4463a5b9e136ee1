//! Diagnostics as `compile_error!` at the tokens that they are about.

use proc_macro::{Delimiter, Group, Ident, Literal, Punct, Spacing, Span, TokenStream, TokenTree};
use rpcidl::diag::Diagnostic;

use crate::input::Input;

/// All of them.
pub(crate) fn compile_errors(input: &Input, errors: &[Diagnostic]) -> TokenStream {
    let error = |error: &Diagnostic| {
        let range = error
            .primary
            .as_ref()
            .map_or(0..input.text.len(), |label| label.span.range());
        let (first, last) = input.ends(range);
        compile_error(&message(input, error), first, last)
    };
    errors.iter().map(error).collect()
}

/// The words of one.
fn message(input: &Input, error: &Diagnostic) -> String {
    let mut text = format!("{}: {}", error.code, error.message);
    if let Some(label) = error
        .primary
        .as_ref()
        .filter(|label| !label.text.is_empty())
    {
        text += &format!("\nnote: {}", label.text);
    }
    // A macro can point at one place only.
    for label in &error.secondary {
        match input.span(label.span.range().start) {
            Some(span) => text += &format!("\nnote: {}, in line {}", label.text, span.line()),
            None => text += &format!("\nnote: {}", label.text),
        }
    }
    for note in &error.notes {
        text += &format!("\nnote: {note}");
    }
    if let Some(help) = &error.help {
        text += &format!("\nhelp: {help}");
    }
    text
}

/// `::core::compile_error! { "message" }`, which rustc shows from the first token to the last.
pub(crate) fn compile_error(message: &str, first: Span, last: Span) -> TokenStream {
    let sign = |sign, spacing| {
        let mut punct = Punct::new(sign, spacing);
        punct.set_span(first);
        TokenTree::from(punct)
    };
    let mut text = Literal::string(message);
    text.set_span(last);
    let mut body = Group::new(Delimiter::Brace, TokenTree::from(text).into());
    body.set_span(last);
    let colons = || [sign(':', Spacing::Joint), sign(':', Spacing::Alone)];
    let mut tokens = TokenStream::new();
    tokens.extend(colons());
    tokens.extend([TokenTree::from(Ident::new("core", first))]);
    tokens.extend(colons());
    tokens.extend([
        Ident::new("compile_error", first).into(),
        sign('!', Spacing::Alone),
        body.into(),
    ]);
    tokens
}
