//! Tokens as text, and the way back from a place in the text to a token.

use proc_macro::{Delimiter, Group, Ident, Spacing, Span, TokenStream, TokenTree};

/// A text made of tokens.
#[derive(Default)]
pub(crate) struct Input {
    /// The text.
    pub(crate) text: String,
    places: Vec<Place>,
    last: Last,
}

/// What the text ends in, as far as it must be kept apart from what follows.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Last {
    /// Nothing that would merge with anything.
    #[default]
    Open,
    Name,
    Literal,
    /// A sign that does not belong to the next one.
    Sign,
    Comma,
}

/// One token, or one bracket.
struct Place {
    start: usize,
    end: usize,
    span: Span,
    /// For an opening bracket: the group from bracket to bracket.
    group: Option<Span>,
    /// The name of the crate in which a `macro_rules` macro was defined, which has no other form than its token.
    special: Option<Ident>,
}

impl Input {
    /// The text of tokens.
    pub(crate) fn of(tokens: TokenStream) -> Self {
        let mut input = Self::default();
        input.tokens(tokens);
        input
    }

    /// Adds a text that is not the user's.
    pub(crate) fn word(&mut self, text: &str) {
        self.put(text, Span::call_site());
        self.last = Last::Open;
    }

    /// Adds tokens.
    pub(crate) fn tokens(&mut self, tokens: TokenStream) {
        for token in tokens {
            match token {
                TokenTree::Group(group) => self.group(&group),
                TokenTree::Ident(ident) => self.ident(ident),
                TokenTree::Literal(literal) => {
                    self.space(!matches!(self.last, Last::Open | Last::Sign));
                    self.put(&literal.to_string(), literal.span());
                    self.last = Last::Literal;
                }
                TokenTree::Punct(punct) => {
                    let sign = punct.as_char();
                    self.space(match self.last {
                        Last::Open => false,
                        Last::Name => matches!(sign, '\'' | '#'),
                        Last::Literal => matches!(sign, '\'' | '#' | '.'),
                        Last::Sign | Last::Comma => true,
                    });
                    self.put(sign.encode_utf8(&mut [0; 4]), punct.span());
                    self.last = match (punct.spacing(), sign) {
                        (Spacing::Joint, _) => Last::Open,
                        (Spacing::Alone, ',' | ';') => Last::Comma,
                        (Spacing::Alone, _) => Last::Sign,
                    };
                }
            }
        }
    }

    fn space(&mut self, is_needed: bool) {
        if is_needed {
            self.text.push(' ');
        }
    }

    fn ident(&mut self, ident: Ident) {
        self.space(matches!(
            self.last,
            Last::Name | Last::Literal | Last::Comma
        ));
        let text = ident.to_string();
        match text.strip_prefix('$') {
            Some(bare) => {
                self.put(bare, ident.span());
                if let Some(place) = self.places.last_mut() {
                    place.special = Some(ident);
                }
            }
            None => self.put(&text, ident.span()),
        }
        self.last = Last::Name;
    }

    fn group(&mut self, group: &Group) {
        let (open, close) = match group.delimiter() {
            Delimiter::Brace => ("{", "}"),
            Delimiter::Bracket => ("[", "]"),
            Delimiter::Parenthesis => ("(", ")"),
            // What `macro_rules` captured holds together without brackets; text needs them where it is an expression.
            Delimiter::None if holds_together(group.stream()) => {
                return self.tokens(group.stream());
            }
            Delimiter::None => ("(", ")"),
        };
        self.space(self.last == Last::Comma);
        self.put(open, group.span_open());
        if let Some(place) = self.places.last_mut() {
            place.group = Some(group.span());
        }
        self.last = Last::Open;
        self.tokens(group.stream());
        self.put(close, group.span_close());
        self.last = Last::Open;
    }

    fn put(&mut self, text: &str, span: Span) {
        let start = self.text.len();
        self.text.push_str(text);
        self.places.push(Place {
            start,
            end: self.text.len(),
            span,
            group: None,
            special: None,
        });
    }

    fn place(&self, at: usize) -> Option<&Place> {
        let after = self.places.partition_point(|place| place.start <= at);
        after
            .checked_sub(1)
            .and_then(|index| self.places.get(index))
    }

    /// The token at a place.
    pub(crate) fn span(&self, at: usize) -> Option<Span> {
        self.place(at).map(|place| place.span)
    }

    /// The group that begins at a place.
    pub(crate) fn group_span(&self, at: usize) -> Option<Span> {
        self.place(at).and_then(|place| place.group)
    }

    /// The name at a place, if it is one that only its token can be.
    pub(crate) fn special(&self, at: usize) -> Option<&Ident> {
        self.place(at)
            .filter(|place| place.start == at)
            .and_then(|place| place.special.as_ref())
    }

    /// The first and the last token of a range.
    pub(crate) fn ends(&self, range: std::ops::Range<usize>) -> (Span, Span) {
        let here = Span::call_site();
        let first = self.span(range.start).unwrap_or(here);
        let last = self.places.partition_point(|place| place.end < range.end);
        let last = self
            .places
            .get(last)
            .filter(|place| place.start < range.end)
            .map(|place| place.span);
        (
            first,
            last.or_else(|| self.span(range.end.saturating_sub(1)))
                .unwrap_or(first),
        )
    }
}

/// True if tokens mean the same without brackets around them: a name, a path, a type, a visibility, one literal.
fn holds_together(tokens: TokenStream) -> bool {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let is = |token: Option<&TokenTree>, signs: &str| match token {
        Some(TokenTree::Punct(punct)) => signs.contains(punct.as_char()),
        _ => false,
    };
    match tokens.first() {
        None => true,
        Some(_) if tokens.len() == 1 => true,
        Some(TokenTree::Ident(word))
            if matches!(
                word.to_string().as_str(),
                "pub" | "fn" | "struct" | "enum" | "trait"
            ) =>
        {
            true
        }
        Some(TokenTree::Ident(_)) => is(tokens.get(1), ":<"),
        Some(TokenTree::Punct(_)) => is(tokens.first(), ":#&"),
        _ => false,
    }
}
