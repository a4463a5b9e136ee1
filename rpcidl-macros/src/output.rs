//! From the compiler's text to tokens that lie where the user wrote what they stand for.

use proc_macro::{Delimiter, Group, Ident, Literal, Punct, Spacing, Span, TokenStream, TokenTree};
use proc_macro2::TokenTree as Lexed;
use rpcidl::rust::{Expansion, Mark, begin, finish};

use crate::error::compile_errors;
use crate::input::Input;

/// What an attribute makes of its item.
pub(crate) fn attribute(name: &str, options: TokenStream, item: TokenStream) -> TokenStream {
    crate::begin();
    let mut input = Input::default();
    for word in ["#", "[", name, "("] {
        input.word(word);
    }
    input.tokens(options);
    input.word(")");
    input.word("]");
    input.tokens(item);
    let expansion = begin(&input.text, crate::manifest());
    tokens(&input, &expansion)
}

/// What becomes of an item whose types are known.
pub(crate) fn collected(tokens: TokenStream) -> TokenStream {
    crate::begin();
    let mut collected = None;
    for token in tokens {
        if let TokenTree::Group(group) = token {
            collected = Some(group);
        }
    }
    let mut known = collected
        .map(|group| group.stream())
        .unwrap_or_default()
        .into_iter();
    let Some(TokenTree::Group(item)) = known.next() else {
        return TokenStream::new();
    };
    let input = Input::of(item.stream());
    let closures: Vec<String> = known.filter_map(|token| text_of(&token)).collect();
    let expansion = finish(&input.text, &closures, crate::manifest());
    self::tokens(&input, &expansion)
}

/// The value of a string literal.
fn text_of(token: &TokenTree) -> Option<String> {
    match token {
        TokenTree::Literal(literal) => syn::parse_str::<syn::LitStr>(&literal.to_string())
            .ok()
            .map(|text| text.value()),
        _ => None,
    }
}

fn tokens(input: &Input, expansion: &Expansion) -> TokenStream {
    // Generated code lies at the attribute, whatever macro it came through.
    let home = input.span(0).unwrap_or_else(Span::call_site);
    let mut tokens = Painter {
        input,
        marks: &expansion.marks,
        home,
    }
    .tokens(&expansion.text);
    tokens.extend(compile_errors(input, &expansion.errors));
    tokens
}

/// The tokens of a text, all at one place.
pub(crate) fn plain(text: &str, home: Span) -> TokenStream {
    Painter {
        input: &Input::default(),
        marks: &[],
        home,
    }
    .tokens(text)
}

/// Gives tokens their places.
struct Painter<'a> {
    input: &'a Input,
    marks: &'a [Mark],
    home: Span,
}

impl Painter<'_> {
    fn tokens(&self, text: &str) -> TokenStream {
        match text.parse::<proc_macro2::TokenStream>() {
            Ok(lexed) => self.paint(lexed),
            Err(error) => {
                let message = format!("rpcidl printed something that is not Rust: {error}");
                crate::error::compile_error(&message, self.home, self.home)
            }
        }
    }

    fn paint(&self, lexed: proc_macro2::TokenStream) -> TokenStream {
        lexed.into_iter().map(|token| self.token(token)).collect()
    }

    fn token(&self, token: Lexed) -> TokenTree {
        let range = token.span().byte_range();
        let source = self.source(range.start);
        let span = source
            .and_then(|at| self.input.span(at))
            .unwrap_or(self.home);
        match token {
            Lexed::Group(group) => {
                let delimiter = match group.delimiter() {
                    proc_macro2::Delimiter::Parenthesis => Delimiter::Parenthesis,
                    proc_macro2::Delimiter::Brace => Delimiter::Brace,
                    proc_macro2::Delimiter::Bracket => Delimiter::Bracket,
                    proc_macro2::Delimiter::None => Delimiter::None,
                };
                let mut painted = Group::new(delimiter, self.paint(group.stream()));
                painted.set_span(
                    source
                        .and_then(|at| self.input.group_span(at))
                        .unwrap_or(span),
                );
                painted.into()
            }
            Lexed::Ident(ident) => {
                if let Some(special) = source.and_then(|at| self.input.special(at)) {
                    return special.clone().into();
                }
                let text = ident.to_string();
                match text.strip_prefix("r#") {
                    Some(bare) => Ident::new_raw(bare, span).into(),
                    None => Ident::new(&text, span).into(),
                }
            }
            Lexed::Punct(punct) => {
                let spacing = match punct.spacing() {
                    proc_macro2::Spacing::Joint => Spacing::Joint,
                    proc_macro2::Spacing::Alone => Spacing::Alone,
                };
                let mut painted = Punct::new(punct.as_char(), spacing);
                painted.set_span(span);
                painted.into()
            }
            Lexed::Literal(literal) => {
                let text = literal.to_string();
                // What one lexer reads as a literal, the other one does as well.
                let mut painted = text
                    .parse::<Literal>()
                    .unwrap_or_else(|_| Literal::string(&text));
                painted.set_span(span);
                painted.into()
            }
        }
    }

    /// The place of the input that a place of the output stands for.
    fn source(&self, at: usize) -> Option<usize> {
        let after = self.marks.partition_point(|mark| mark.out.start <= at);
        let mark = after
            .checked_sub(1)
            .and_then(|index| self.marks.get(index))?;
        if !mark.out.contains(&at) {
            return None;
        }
        Some(if mark.whole {
            mark.source
        } else {
            mark.source + (at - mark.out.start)
        })
    }
}
