//! Finds places in generated text by its tokens.

use std::ops::Range;

use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};

/// The tokens of a generated text. What the emitter prints can be split into tokens; if not, rustc will say so.
pub(super) fn tokens(text: &str) -> Vec<TokenTree> {
    text.parse::<TokenStream>()
        .map(|stream| stream.into_iter().collect())
        .unwrap_or_default()
}

/// The bytes of a token.
pub(super) fn range(token: &TokenTree) -> Range<usize> {
    token.span().byte_range()
}

/// True for a word.
pub(super) fn is_word(token: Option<&TokenTree>, word: &str) -> bool {
    matches!(token, Some(TokenTree::Ident(ident)) if ident == word)
}

/// True for a sign.
pub(super) fn is_sign(token: Option<&TokenTree>, sign: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == sign)
}

/// A name.
pub(super) fn name(token: Option<&TokenTree>) -> Option<&Ident> {
    match token {
        Some(TokenTree::Ident(ident)) => Some(ident),
        _ => None,
    }
}

/// What stands in brackets of one kind.
pub(super) fn inside(token: Option<&TokenTree>, delimiter: Delimiter) -> Option<Vec<TokenTree>> {
    match token {
        Some(TokenTree::Group(group)) if group.delimiter() == delimiter => {
            Some(group.stream().into_iter().collect())
        }
        _ => None,
    }
}
