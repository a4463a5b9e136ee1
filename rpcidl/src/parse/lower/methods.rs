//! Lowers the members of interfaces.

use super::{Kids, Lower, Node};
use crate::ast::{Attrs, Direction, InterfaceMember, Method, Param};
use crate::diag::{Code, Diagnostic};
use crate::parse::diagnose::Context;
use crate::parse::grammar::Rule;
use crate::source::Span;

impl Lower<'_> {
    pub(super) fn interface_member(&mut self, node: Node<'_>) -> InterfaceMember {
        let whole = self.node_span(&node);
        let mut kids = Kids::new(node);
        let (attrs, member) = self.attrs(&mut kids);
        let Some(node) = member else {
            return InterfaceMember::Invalid(whole);
        };
        match node.as_rule() {
            Rule::method => self
                .method(attrs, node)
                .map_or(InterfaceMember::Invalid(whole), InterfaceMember::Method),
            Rule::reserved_numbers => {
                self.no_attrs(&attrs, "reserved numbers");
                let Some(mut numbers) = self.reserved_numbers(node) else {
                    return InterfaceMember::Invalid(whole);
                };
                let end = self.end(
                    kids.pairs.next(),
                    numbers.span.start as usize,
                    numbers.span.end,
                    "statement",
                );
                numbers.span = self.span(numbers.span.start as usize, end);
                InterfaceMember::Reserved(numbers)
            }
            rule if Self::is_declaration(rule) => {
                InterfaceMember::Item(self.declaration(attrs, node))
            }
            _ => InterfaceMember::Invalid(whole),
        }
    }

    fn method(&mut self, attrs: Attrs, node: Node<'_>) -> Option<Method> {
        let start = self.start(&node);
        let mut kids = Kids::new(node);
        let (mut oneway, mut event) = (None, None);
        while let Some(modifier) = kids.take(Rule::modifier) {
            self.modifier(modifier, &mut oneway, &mut event);
        }
        let result = match kids.pairs.next()? {
            node if node.as_rule() == Rule::ty => self.ty(node),
            node => {
                let at = self.start(&node);
                Self::invalid_type(self.span(at, at))
            }
        };
        let name = kids.take(Rule::name).map(|name| self.name(&name))?;
        if result.span.start == result.span.end {
            let place = result.span;
            self.report(
                name.span,
                Diagnostic::error(
                    Code::E0105,
                    name.span,
                    format!("method `{}` has no result type", name.text),
                )
                .label("expected a type before this")
                .fix("write `void` if it returns nothing", place, "void "),
            );
        }
        let mut params = Vec::new();
        let mut throws = None;
        let mut id = None;
        // Without a list the closing parenthesis is all that stands between the name and the end.
        let mut last = name.span;
        let mut ended = false;
        for node in kids.pairs {
            match node.as_rule() {
                Rule::param => {
                    last = self.node_span(&node);
                    params.extend(self.param(node));
                }
                Rule::missing_param_comma => {
                    let end = self
                        .text
                        .get(..last.end as usize)
                        .unwrap_or_default()
                        .trim_end()
                        .len();
                    let place = self.span(end, end);
                    self.report(
                        last,
                        Diagnostic::error(Code::E0103, place, "missing `,` after this parameter")
                            .label("expected `,`")
                            .fix("write `,`", place, ","),
                    );
                }
                Rule::close_paren => last = self.node_span(&node),
                Rule::throws => {
                    if let Some(path) = node.into_inner().find(|kid| kid.as_rule() == Rule::path) {
                        let path = self.path(path);
                        last = path.span;
                        throws = Some(path);
                    }
                }
                Rule::method_id => {
                    let expr = self.value(node.into_inner().next(), last);
                    last = expr.span;
                    id = Some(expr);
                }
                Rule::semi | Rule::wrong_semi | Rule::missing_semi => {
                    let end = self.end(Some(node), start, last.end, "method");
                    last = self.span(start, end);
                    ended = true;
                }
                _ => {
                    self.mistake(Context::Params, &node);
                }
            }
        }
        let end = if ended {
            last.end as usize
        } else {
            name.span.end as usize
        };
        Some(Method {
            attrs,
            oneway,
            event,
            result,
            name,
            params,
            throws,
            id,
            span: self.span(start, end),
        })
    }

    fn modifier(&mut self, node: Node<'_>, oneway: &mut Option<Span>, event: &mut Option<Span>) {
        let Some(keyword) = node.into_inner().next() else {
            return;
        };
        let span = self.node_span(&keyword);
        let place = if keyword.as_rule() == Rule::kw_event {
            event
        } else {
            oneway
        };
        match *place {
            None => *place = Some(span),
            Some(first) => {
                let error = Diagnostic::error(
                    Code::E0115,
                    span,
                    format!("`{}` is written twice", keyword.as_str()),
                )
                .also(first, "first written here");
                let edit = self.span(span.start as usize, span.end as usize + 1);
                self.report(span, error.fix("remove it", edit, ""));
            }
        }
    }

    fn param(&mut self, node: Node<'_>) -> Option<Param> {
        let mut kids = Kids::new(node);
        let (attrs, node) = self.attrs(&mut kids);
        let mut node = node?;
        let start = self.start(&node);
        if node.as_rule() == Rule::bad_param {
            return self.bad_param(attrs, node);
        }
        let mut direction = None;
        if node.as_rule() == Rule::direction {
            direction = Some((self.direction(&node), self.node_span(&node)));
            node = kids.pairs.next()?;
        }
        let ty = self.ty(node);
        let name = kids.take(Rule::name).map(|name| self.name(&name))?;
        let span = self.span(start, name.span.end as usize);
        Some(Param {
            attrs,
            direction,
            ty,
            name,
            span,
        })
    }

    fn direction(&self, keyword: &Node<'_>) -> Direction {
        match keyword.as_str() {
            "in" => Direction::In,
            "out" => Direction::Out,
            _ => Direction::InOut,
        }
    }

    /// `in key`: a direction and one word.
    fn bad_param(&mut self, attrs: Attrs, node: Node<'_>) -> Option<Param> {
        let start = self.start(&node);
        let mut kids = Kids::new(node);
        let keyword = kids.take(Rule::direction)?;
        let name = kids.take(Rule::name).map(|name| self.name(&name))?;
        let direction = Some((self.direction(&keyword), self.node_span(&keyword)));
        let span = self.span(start, name.span.end as usize);
        self.report(
            span,
            Diagnostic::error(
                Code::E0105,
                name.span,
                format!("parameter `{}` has no type", name.text),
            )
            .label(format!(
                "expected a type and a name after `{}`",
                keyword.as_str()
            ))
            .help(format!(
                "write both, such as `{} u32 {}`",
                keyword.as_str(),
                name.text
            )),
        );
        let place = self.span(name.span.start as usize, name.span.start as usize);
        Some(Param {
            attrs,
            direction,
            ty: Self::invalid_type(place),
            name,
            span,
        })
    }
}
