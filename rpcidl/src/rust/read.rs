//! From text to the syntax of Rust, within limits: a text may come from anywhere.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use crate::diag::{Code, Diagnostic};
use crate::limits;
use crate::source::{SourceId, Span};

/// One item.
pub(super) fn item(text: &str, source: SourceId) -> Result<syn::Item, Box<Diagnostic>> {
    let tokens = tokens(text, source)?;
    syn::parse2(tokens).map_err(|error| unread(&error, source))
}

/// A file.
pub(super) fn file(text: &str, source: SourceId) -> Result<syn::File, Box<Diagnostic>> {
    let tokens = tokens(text, source)?;
    syn::parse2(tokens).map_err(|error| unread(&error, source))
}

fn tokens(text: &str, source: SourceId) -> Result<TokenStream, Box<Diagnostic>> {
    let tokens: TokenStream = text.parse().map_err(|error: proc_macro2::LexError| {
        let range = error.span().byte_range();
        let span = Span::new(source, range.start, range.end);
        Box::new(
            Diagnostic::error(
                Code::E0101,
                span,
                "this cannot be split into the tokens of Rust",
            )
            .help("correct it"),
        )
    })?;
    guard(&tokens, source)?;
    Ok(tokens)
}

fn unread(error: &syn::Error, source: SourceId) -> Box<Diagnostic> {
    let range = error.span().byte_range();
    let span = Span::new(source, range.start, range.end);
    let message = format!("this is not Rust: {error}");
    Box::new(
        Diagnostic::error(Code::E0101, span, message).help("correct it; the text is read as Rust"),
    )
}

/// Refuses what would take a parser too far down: brackets in brackets, and signs after signs.
fn guard(tokens: &TokenStream, source: SourceId) -> Result<(), Box<Diagnostic>> {
    // Function bodies and the like are not read, but parsed all the same, and they nest deeper than types.
    const NESTING: usize = limits::SYNTAX_NESTING * 4;
    const SIGNS: usize = 4096;
    let mut open = vec![(tokens.clone().into_iter(), 0usize)];
    while let Some((level, signs)) = open.last_mut() {
        let Some(token) = level.next() else {
            open.pop();
            continue;
        };
        let range = token.span().byte_range();
        let span = Span::new(source, range.start, range.end);
        match token {
            TokenTree::Group(group) => {
                if group.delimiter() == Delimiter::Brace {
                    *signs = 0;
                }
                if open.len() > NESTING {
                    let error = Diagnostic::error(
                        Code::E0011,
                        span,
                        format!("brackets are nested deeper than {NESTING}"),
                    );
                    return Err(Box::new(error.help("flatten some of them")));
                }
                open.push((group.stream().into_iter(), 0));
            }
            TokenTree::Punct(sign) => match sign.as_char() {
                ',' | ';' => *signs = 0,
                _ => {
                    *signs += 1;
                    if *signs > SIGNS {
                        let error = Diagnostic::error(
                            Code::E0012,
                            span,
                            "an expression or type is too long",
                        );
                        return Err(Box::new(error.help("name a part of it")));
                    }
                }
            },
            TokenTree::Ident(_) | TokenTree::Literal(_) => {}
        }
    }
    Ok(())
}
