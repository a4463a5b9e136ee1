//! What stands in the parentheses of `#[rpc(…)]`, `#[rpc_message(…)]` and `#[rpc_service(…)]`.

use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Ident, Token};

use super::lower::Lower;
use crate::ast;
use crate::diag::{Code, Diagnostic};
use crate::source::Span;
use crate::suggest;

/// One option.
#[derive(Clone)]
pub(super) struct Choice {
    /// Its name.
    pub(super) key: ast::Name,
    /// What it is set to.
    pub(super) value: Value,
    /// The whole option.
    pub(super) span: Span,
}

/// What an option is set to.
#[derive(Clone)]
pub(super) enum Value {
    /// It stands alone.
    None,
    /// `key = value`
    Expr(Box<syn::Expr>),
    /// `key(…)`
    List(Vec<Choice>),
}

/// An option as it is parsed.
struct Raw {
    key: Ident,
    value: RawValue,
}

enum RawValue {
    None,
    Expr(Box<syn::Expr>),
    List(Vec<Raw>),
}

impl Lower<'_> {
    /// The options in an attribute.
    pub(super) fn choices(&mut self, attribute: &syn::Attribute) -> Vec<Choice> {
        let parsed = match &attribute.meta {
            syn::Meta::Path(_) => return Vec::new(),
            syn::Meta::List(list) => raws.parse2(list.tokens.clone()),
            syn::Meta::NameValue(it) => Err(syn::Error::new_spanned(&it.path, "")),
        };
        match parsed {
            Ok(raw) => raw.into_iter().map(|raw| self.choice(raw)).collect(),
            Err(error) => {
                let (whole, name) = (
                    self.place(attribute),
                    self.slice(self.place(attribute.path())),
                );
                let place = self.at(error.span());
                // What is missing has no place.
                let is_inside = place.start >= whole.start && place.start < place.end;
                let place = if is_inside { place } else { whole };
                let help = format!(
                    "write options with commas between them, such as `#[{name}(key = value, key)]`"
                );
                self.refuse(
                    Code::E0706,
                    place,
                    format!("`#[{name}]` is not given a list of options"),
                    help,
                );
                Vec::new()
            }
        }
    }

    fn choice(&self, raw: Raw) -> Choice {
        let key_span = self.at(raw.key.span());
        // The word `crate` and its like are options too, so a keyword is a name here.
        let key = ast::Name {
            text: raw.key.unraw().to_string(),
            span: key_span,
        };
        let (value, end) = match raw.value {
            RawValue::None => (Value::None, key_span),
            RawValue::Expr(expr) => {
                let end = self.place(&*expr);
                (Value::Expr(expr), end)
            }
            RawValue::List(raws) => {
                let inner: Vec<Choice> = raws.into_iter().map(|raw| self.choice(raw)).collect();
                let end = inner.last().map_or(key_span, |last| last.span);
                (Value::List(inner), end)
            }
        };
        Choice {
            key,
            value,
            span: key_span.to(end),
        }
    }

    /// An option that does not exist in its place.
    pub(super) fn unknown_choice(
        &mut self,
        choice: &Choice,
        attribute: &str,
        known: &[&'static str],
    ) {
        let name = &choice.key.text;
        let error = Diagnostic::error(
            Code::E0705,
            choice.key.span,
            format!("`#[{attribute}]` has no option `{name}`"),
        );
        if name == "deadline" && known.contains(&"deadline_us") {
            return self.error(
                error.help("write `deadline_us`, `deadline_ms` or `deadline_s`, by its unit"),
            );
        }
        self.error(match suggest::nearest(name, known.iter().copied()) {
            Some(near) => error.fix(format!("write `{near}`"), choice.key.span, near),
            None if known.is_empty() => error.help("remove it"),
            None => {
                let names: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
                error.help(format!("its options are {}", names.join(", ")))
            }
        });
    }

    /// An option is not given what it takes.
    pub(super) fn wrong_choice(&mut self, choice: &Choice, example: &str) {
        let name = &choice.key.text;
        self.refuse(
            Code::E0706,
            choice.span,
            format!("`{name}` is not given what it takes"),
            format!("write it like `{example}`"),
        );
    }

    /// True if the option stands alone, as it must.
    pub(super) fn is_alone(&mut self, choice: &Choice) -> bool {
        let alone = matches!(choice.value, Value::None);
        if !alone {
            self.wrong_choice(choice, &choice.key.text.clone());
        }
        alone
    }

    /// The text that an option is set to, and its place.
    pub(super) fn text_of(&mut self, choice: &Choice, example: &str) -> Option<(String, Span)> {
        if let Value::Expr(expr) = &choice.value
            && let Some(lit) = string(expr)
        {
            return Some((lit.value(), self.at(lit.span())));
        }
        self.wrong_choice(choice, example);
        None
    }

    /// The path that an option is set to. It must mean the same in every module.
    pub(super) fn path_of(&mut self, choice: &Choice, example: &str) -> Option<String> {
        let path = match &choice.value {
            Value::Expr(expr) => match &**expr {
                syn::Expr::Path(it) if it.qself.is_none() => {
                    Some(super::lower::path_text(&it.path))
                }
                other => string(other).map(|lit| lit.value()),
            },
            _ => None,
        };
        match path.filter(|path| is_absolute(path)) {
            Some(path) => Some(path),
            None => {
                self.wrong_choice(choice, example);
                None
            }
        }
    }
}

/// True for a path that means the same in every module.
fn is_absolute(path: &str) -> bool {
    let rooted = path.starts_with("::") || path == "crate" || path.starts_with("crate::");
    rooted && syn::parse_str::<syn::Path>(path).is_ok()
}

fn string(expr: &syn::Expr) -> Option<&syn::LitStr> {
    match expr {
        syn::Expr::Lit(syn::ExprLit {
            lit: syn::Lit::Str(lit),
            ..
        }) => Some(lit),
        syn::Expr::Group(it) => string(&it.expr),
        _ => None,
    }
}

fn raws(input: ParseStream<'_>) -> syn::Result<Vec<Raw>> {
    Ok(
        Punctuated::<Raw, Token![,]>::parse_terminated_with(input, raw)?
            .into_iter()
            .collect(),
    )
}

fn raw(input: ParseStream<'_>) -> syn::Result<Raw> {
    let key = input.call(Ident::parse_any)?;
    let value = if input.peek(Token![=]) {
        input.parse::<Token![=]>()?;
        RawValue::Expr(input.parse()?)
    } else if input.peek(syn::token::Paren) {
        let inner;
        syn::parenthesized!(inner in input);
        RawValue::List(raws(&inner)?)
    } else {
        RawValue::None
    };
    Ok(Raw { key, value })
}
