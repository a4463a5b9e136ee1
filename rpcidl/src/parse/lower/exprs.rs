//! Lowers constant expressions. The grammar gives flat lists; precedence is settled here, without recursion.

use super::{Kids, Lower, Node};
use crate::ast::{BinaryOp, Expr, ExprKind, UnaryOp};
use crate::diag::{Code, Diagnostic};
use crate::parse::grammar::Rule;
use crate::source::Span;

impl Lower<'_> {
    /// An expression outside angle brackets.
    pub(super) fn expr(&mut self, node: Node<'_>) -> Expr {
        let start = self.start(&node);
        let mut bad = None;
        self.operands(Kids::new(node), start, &mut bad)
    }

    /// An expression between angle brackets, where `<` and `>` need parentheses.
    pub(super) fn angle_expr(&mut self, node: Node<'_>) -> Expr {
        let start = self.start(&node);
        let mut bad = None;
        let expr = self.operands(Kids::new(node), start, &mut bad);
        if let Some((operator, span)) = bad {
            let text = self.text.get(expr.span.range()).unwrap_or_default();
            let error = Diagnostic::error(
                Code::E0110,
                span,
                format!("`{operator}` between `<` and `>`"),
            )
            .label("could be read as a bracket")
            .fix(
                "put the expression into parentheses",
                expr.span,
                format!("({text})"),
            );
            self.report(expr.span, error);
        }
        expr
    }

    fn operands<'i>(
        &mut self,
        kids: Kids<'i>,
        start: usize,
        bad: &mut Option<(&'i str, Span)>,
    ) -> Expr {
        let mut operands: Vec<Expr> = Vec::new();
        let mut operators: Vec<(BinaryOp, Span)> = Vec::new();
        let mut prefixes: Vec<(UnaryOp, usize)> = Vec::new();
        for node in kids.pairs {
            let rule = node.as_rule();
            match rule {
                Rule::prefix => {
                    let operator = match node.as_str() {
                        "-" => UnaryOp::Neg,
                        "~" => UnaryOp::Not,
                        _ => UnaryOp::LogicalNot,
                    };
                    prefixes.push((operator, self.start(&node)));
                }
                Rule::infix | Rule::plain_infix | Rule::bad_infix => {
                    let length = node.as_str().trim_end().len();
                    let span = self.span(self.start(&node), self.start(&node) + length);
                    if rule == Rule::bad_infix && bad.is_none() {
                        *bad = Some((node.as_str().trim_end(), span));
                    }
                    let Some(operator) = binary(node.as_str().trim_end()) else {
                        continue;
                    };
                    while let Some(&(before, place)) = operators.last()
                        && binding(before) >= binding(operator)
                    {
                        operators.pop();
                        join(&mut operands, before, place);
                    }
                    operators.push((operator, span));
                }
                _ => {
                    let mut expr = self.primary(node);
                    while let Some((operator, at)) = prefixes.pop() {
                        let span = self.span(at, expr.span.end as usize);
                        expr = Expr {
                            kind: ExprKind::Unary(operator, Box::new(expr)),
                            span,
                        };
                    }
                    operands.push(expr);
                }
            }
        }
        while let Some((operator, place)) = operators.pop() {
            join(&mut operands, operator, place);
        }
        operands.pop().unwrap_or(Expr {
            kind: ExprKind::Invalid,
            span: self.span(start, start),
        })
    }

    fn primary(&mut self, node: Node<'_>) -> Expr {
        match node.as_rule() {
            Rule::number => self.number(&node),
            Rule::string => self.string(&node),
            Rule::paren => {
                let span = self.node_span(&node);
                match Kids::new(node).take(Rule::expr) {
                    Some(inner) => Expr {
                        kind: ExprKind::Paren(Box::new(self.expr(inner))),
                        span,
                    },
                    None => Expr {
                        kind: ExprKind::Invalid,
                        span,
                    },
                }
            }
            Rule::path => {
                let path = self.path(node);
                let span = path.span;
                let kind = match path.segments.as_slice() {
                    [one] if one.text == "true" => ExprKind::Bool(true),
                    [one] if one.text == "false" => ExprKind::Bool(false),
                    _ => ExprKind::Path(path),
                };
                Expr { kind, span }
            }
            _ => Expr {
                kind: ExprKind::Invalid,
                span: self.node_span(&node),
            },
        }
    }
}

/// Replaces the last two operands by the operator over them.
fn join(operands: &mut Vec<Expr>, operator: BinaryOp, place: Span) {
    let (Some(right), Some(left)) = (operands.pop(), operands.pop()) else {
        return;
    };
    let span = left.span.to(right.span);
    operands.push(Expr {
        kind: ExprKind::Binary(operator, place, Box::new(left), Box::new(right)),
        span,
    });
}

fn binary(text: &str) -> Option<BinaryOp> {
    Some(match text {
        "+" => BinaryOp::Add,
        "-" => BinaryOp::Sub,
        "*" => BinaryOp::Mul,
        "/" => BinaryOp::Div,
        "%" => BinaryOp::Rem,
        "<<" => BinaryOp::Shl,
        ">>" => BinaryOp::Shr,
        "&" => BinaryOp::And,
        "|" => BinaryOp::Or,
        "^" => BinaryOp::Xor,
        "&&" => BinaryOp::LogicalAnd,
        "||" => BinaryOp::LogicalOr,
        "==" => BinaryOp::Eq,
        "!=" => BinaryOp::Ne,
        "<" => BinaryOp::Lt,
        "<=" => BinaryOp::Le,
        ">" => BinaryOp::Gt,
        ">=" => BinaryOp::Ge,
        _ => return None,
    })
}

/// How tightly an operator binds, as in C; all of them group from the left.
fn binding(operator: BinaryOp) -> u8 {
    match operator {
        BinaryOp::Mul | BinaryOp::Div | BinaryOp::Rem => 10,
        BinaryOp::Add | BinaryOp::Sub => 9,
        BinaryOp::Shl | BinaryOp::Shr => 8,
        BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge => 7,
        BinaryOp::Eq | BinaryOp::Ne => 6,
        BinaryOp::And => 5,
        BinaryOp::Xor => 4,
        BinaryOp::Or => 3,
        BinaryOp::LogicalAnd => 2,
        BinaryOp::LogicalOr => 1,
    }
}
