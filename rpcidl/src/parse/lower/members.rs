//! Lowers the members of structs, enumerations and unions.

use super::{Kids, Lower, Node};
use crate::ast::{
    Arm, Attrs, Expr, ExprKind, Field, Member, ReservedNumbers, StructMember, Type, TypeKind,
};
use crate::diag::{Code, Diagnostic};
use crate::parse::grammar::Rule;
use crate::source::Span;

impl Lower<'_> {
    pub(super) fn struct_member(&mut self, node: Node<'_>) -> StructMember {
        let whole = self.node_span(&node);
        let mut kids = Kids::new(node);
        let (attrs, member) = self.attrs(&mut kids);
        let Some(node) = member else {
            return StructMember::Invalid(whole);
        };
        match node.as_rule() {
            Rule::field => self.field(attrs, node),
            Rule::reserved_room => {
                self.no_attrs(&attrs, "reserved room");
                let start = self.start(&node);
                let mut kids = Kids::new(node);
                kids.take(Rule::kw_reserved);
                let Some(ty) = kids.take(Rule::ty) else {
                    return StructMember::Invalid(whole);
                };
                let ty = self.ty(ty);
                let end = self.end(kids.pairs.next(), start, ty.span.end, "statement");
                StructMember::Reserved {
                    ty,
                    span: self.span(start, end),
                }
            }
            rule if Self::is_declaration(rule) => StructMember::Item(self.declaration(attrs, node)),
            _ => StructMember::Invalid(whole),
        }
    }

    /// Reports annotations on something whose node has no place for them.
    pub(super) fn no_attrs(&mut self, attrs: &Attrs, what: &str) {
        if let Some(annotation) = attrs.annotations.first() {
            let span = annotation.span;
            self.report(
                span,
                Diagnostic::error(
                    Code::E0111,
                    span,
                    format!("annotation `@{}` on {what}", annotation.name.text),
                )
                .label("has no effect here")
                .help("remove it"),
            );
        }
    }

    fn field(&mut self, attrs: Attrs, node: Node<'_>) -> StructMember {
        let whole = self.node_span(&node);
        let start = self.start(&node);
        let mut kids = Kids::new(node);
        let (Some(ty), Some(name)) = (kids.take(Rule::ty), kids.take(Rule::name)) else {
            return StructMember::Invalid(whole);
        };
        let ty = self.ty(ty);
        let name = self.name(&name);
        let mut last = name.span.end;
        let mut default = None;
        if matches!(kids.peek(), Some(Rule::expr | Rule::missing_value)) {
            let value = self.value(kids.pairs.next(), name.span);
            last = value.span.end;
            default = Some(value);
        }
        let end = self.end(kids.pairs.next(), start, last, "field");
        StructMember::Field(Field {
            attrs,
            ty,
            name,
            default,
            span: self.span(start, end),
        })
    }

    pub(super) fn enum_member(
        &mut self,
        node: Node<'_>,
        members: &mut Vec<Member>,
        reserved: &mut Vec<ReservedNumbers>,
    ) {
        let mut kids = Kids::new(node);
        let (attrs, member) = self.attrs(&mut kids);
        let Some(node) = member else { return };
        let start = self.start(&node);
        let last = if node.as_rule() == Rule::reserved_numbers {
            self.no_attrs(&attrs, "reserved numbers");
            let Some(numbers) = self.reserved_numbers(node) else {
                return;
            };
            let last = numbers.span;
            reserved.push(numbers);
            last
        } else {
            let mut kids = Kids::new(node);
            let Some(name) = kids.take(Rule::name) else {
                return;
            };
            let name = self.name(&name);
            let mut last = name.span.end as usize;
            self.member_sign(&mut kids);
            let mut value = None;
            if let Some(node) = kids.pairs.next() {
                let expr = self.value(Some(node), name.span);
                last = expr.span.end as usize;
                value = Some(expr);
            }
            let span = self.span(start, last);
            members.push(Member {
                attrs,
                name,
                value,
                span,
            });
            span
        };
        match kids.pairs.next() {
            Some(node) if node.as_rule() == Rule::wrong_comma => {
                let span = self.node_span(&node);
                self.report(
                    last.to(span),
                    Diagnostic::error(Code::E0103, span, "members are separated by `,`")
                        .label("expected `,`")
                        .fix("write `,`", span, ","),
                );
            }
            Some(node) if node.as_rule() == Rule::missing_comma => {
                let place = self.span(last.end as usize, last.end as usize);
                self.report(
                    last,
                    Diagnostic::error(Code::E0103, place, "missing `,` after this member")
                        .label("expected `,`")
                        .fix("write `,`", place, ","),
                );
            }
            _ => {}
        }
    }

    fn member_sign(&mut self, kids: &mut Kids<'_>) {
        for (rule, sign, fix) in [(Rule::wrong_colon, ":", " ="), (Rule::wrong_at, "@", "= ")] {
            let Some(node) = kids.take(rule) else {
                continue;
            };
            let span = self.node_span(&node);
            let message = format!("`{sign}` stands between the name and its value");
            self.report(
                span,
                Diagnostic::error(Code::E0109, span, message)
                    .label("expected `=`")
                    .fix("write `=`", span, fix),
            );
        }
    }

    /// `reserved 7` or `reserved 8..15`, without what ends it.
    pub(super) fn reserved_numbers(&mut self, node: Node<'_>) -> Option<ReservedNumbers> {
        let start = self.start(&node);
        let mut kids = Kids::new(node);
        kids.take(Rule::kw_reserved);
        let first = kids.take(Rule::expr).map(|expr| self.expr(expr))?;
        let mut end = first.span.end as usize;
        let mut last = None;
        if let Some(range) = kids.take(Rule::range) {
            let span = self.node_span(&range);
            if range.as_str() == "..=" {
                self.report(
                    span,
                    Diagnostic::error(
                        Code::E0101,
                        span,
                        "a range of reserved numbers is written with `..`",
                    )
                    .note("both ends of the range are reserved")
                    .fix("write `..`", span, ".."),
                );
            }
            let expr = kids.take(Rule::expr).map(|expr| self.expr(expr))?;
            end = expr.span.end as usize;
            last = Some(expr);
        }
        Some(ReservedNumbers {
            first,
            last,
            span: self.span(start, end),
        })
    }

    pub(super) fn union_member(
        &mut self,
        node: Node<'_>,
        arms: &mut Vec<Arm>,
        reserved: &mut Vec<ReservedNumbers>,
    ) {
        let mut kids = Kids::new(node);
        let (attrs, member) = self.attrs(&mut kids);
        let Some(node) = member else { return };
        if node.as_rule() == Rule::reserved_numbers {
            self.no_attrs(&attrs, "reserved numbers");
            let Some(mut numbers) = self.reserved_numbers(node) else {
                return;
            };
            let end = self.end(
                kids.pairs.next(),
                numbers.span.start as usize,
                numbers.span.end,
                "statement",
            );
            numbers.span = self.span(numbers.span.start as usize, end);
            reserved.push(numbers);
        } else if let Some(arm) = self.arm(attrs, node) {
            arms.push(arm);
        }
    }

    fn arm(&mut self, attrs: Attrs, node: Node<'_>) -> Option<Arm> {
        let start = self.start(&node);
        let mut kids = Kids::new(node);
        let tag = kids.take(Rule::expr).map(|expr| self.expr(expr));
        if let Some(sign) = kids.take(Rule::wrong_equals) {
            let span = self.node_span(&sign);
            self.report(
                span,
                Diagnostic::error(
                    Code::E0109,
                    span,
                    "`=` stands between the number and the type of this arm",
                )
                .label("expected `:`")
                .fix("write `:`", span, ":"),
            );
        }
        kids.take(Rule::missing_tag);
        let (ty, name) = (kids.take(Rule::ty)?, kids.take(Rule::name)?);
        let ty = self.ty(ty);
        let name = self.name(&name);
        let tag = tag.unwrap_or_else(|| {
            let place = self.span(start, start);
            self.report(
                name.span,
                Diagnostic::error(
                    Code::E0117,
                    ty.span.to(name.span),
                    format!("arm `{}` has no number", name.text),
                )
                .label("expected a number and `:` before this")
                .help("number the arms, such as `0: void none;`; the number travels and must stay"),
            );
            Expr {
                kind: ExprKind::Invalid,
                span: place,
            }
        });
        let end = self.end(kids.pairs.next(), start, name.span.end, "arm");
        Some(Arm {
            attrs,
            tag,
            ty,
            name,
            span: self.span(start, end),
        })
    }

    /// An expression, or the report that it is missing after `last`.
    pub(super) fn value(&mut self, node: Option<Node<'_>>, last: Span) -> Expr {
        match node {
            Some(node) if node.as_rule() == Rule::expr => self.expr(node),
            node => {
                let at = node.map_or(last.end as usize, |node| self.start(&node));
                let text = self.text.get(..at).unwrap_or_default();
                let end = text.trim_end().len();
                let place = self.span(end, end);
                self.report(
                    last.to(place),
                    Diagnostic::error(Code::E0106, place, "a value is missing")
                        .label("expected a value here")
                        .help("write a number, a name of a constant, or an expression"),
                );
                Expr {
                    kind: ExprKind::Invalid,
                    span: place,
                }
            }
        }
    }

    /// A type that could not be read.
    pub(super) fn invalid_type(span: Span) -> Type {
        Type {
            kind: TypeKind::Invalid,
            span,
        }
    }
}
