//! Constant expressions: numbers, arithmetic, and members of enumerations.

use syn::spanned::Spanned;

use super::lower::{Lower, path_text, unraw};
use crate::ast::{self, BinaryOp, ExprKind, UnaryOp};
use crate::diag::Code;
use crate::source::Span;

/// What an expression may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paths {
    /// Nothing: a macro sees names but not their values.
    None,
    /// Members of enumerations, such as `Tier::HOT`.
    Members,
}

impl Lower<'_> {
    /// Reads an expression.
    pub(super) fn expr(&mut self, expr: &syn::Expr, paths: Paths) -> ast::Expr {
        let span = self.place(expr);
        let kind = match expr {
            syn::Expr::Lit(it) => self.literal(&it.lit, span),
            syn::Expr::Paren(it) => ExprKind::Paren(Box::new(self.expr(&it.expr, paths))),
            syn::Expr::Group(it) => return self.expr(&it.expr, paths),
            syn::Expr::Block(it) if it.label.is_none() => match it.block.stmts.as_slice() {
                [syn::Stmt::Expr(inner, None)] => return self.expr(inner, paths),
                _ => self.not_constant(span),
            },
            syn::Expr::Unary(it) => match unary(&it.op, &it.expr) {
                Some(op) => ExprKind::Unary(op, Box::new(self.expr(&it.expr, paths))),
                None => self.not_constant(span),
            },
            syn::Expr::Binary(it) => match binary(&it.op) {
                Some(op) => {
                    let place = self.at(it.op.span());
                    let (left, right) = (self.expr(&it.left, paths), self.expr(&it.right, paths));
                    ExprKind::Binary(op, place, Box::new(left), Box::new(right))
                }
                None => self.not_constant(span),
            },
            syn::Expr::Path(it) if it.qself.is_none() => self.named(&it.path, span, paths),
            _ => self.not_constant(span),
        };
        ast::Expr { kind, span }
    }

    fn literal(&mut self, lit: &syn::Lit, span: Span) -> ExprKind {
        match lit {
            syn::Lit::Int(it) => match it.suffix() {
                // A float without a dot, such as `1f32`.
                "f32" | "f64" => it.base10_parse().map_or(ExprKind::Invalid, ExprKind::Float),
                _ => ExprKind::Int(it.base10_digits().parse().ok()),
            },
            syn::Lit::Float(it) => it.base10_parse().map_or(ExprKind::Invalid, ExprKind::Float),
            syn::Lit::Bool(it) => ExprKind::Bool(it.value),
            syn::Lit::Str(it) => ExprKind::Str(it.value()),
            syn::Lit::Byte(it) => ExprKind::Int(Some(it.value().into())),
            _ => self.not_constant(span),
        }
    }

    fn named(&mut self, path: &syn::Path, span: Span, paths: Paths) -> ExprKind {
        let mut owner = path.clone();
        let member = owner.segments.pop();
        // What is left ends with the `::` before the member.
        owner.segments.pop_punct();
        match member {
            Some(member) if paths == Paths::Members && !owner.segments.is_empty() => {
                match self.reference(&owner) {
                    Some(mut path) => {
                        let name = unraw(&member.ident);
                        path.segments.push(ast::Name {
                            text: name,
                            span: self.at(member.ident.span()),
                        });
                        ExprKind::Path(ast::Path {
                            segments: path.segments,
                            span,
                        })
                    }
                    None => ExprKind::Invalid,
                }
            }
            _ => {
                let name = path_text(path);
                self.refuse(
                    Code::E0707,
                    span,
                    format!("the value of `{name}` is not known here"),
                    "write the number itself; a macro is given names, not what they stand for",
                );
                ExprKind::Invalid
            }
        }
    }

    fn not_constant(&mut self, span: Span) -> ExprKind {
        self.refuse(
            Code::E0707,
            span,
            "the value of this expression is not known here",
            "write a number, or arithmetic on numbers such as `(1 << 10) - 2`",
        );
        ExprKind::Invalid
    }
}

/// Rust's `!` is both; what it is applied to tells which is meant.
fn unary(op: &syn::UnOp, operand: &syn::Expr) -> Option<UnaryOp> {
    match op {
        syn::UnOp::Neg(_) => Some(UnaryOp::Neg),
        syn::UnOp::Not(_) if is_truth(operand) => Some(UnaryOp::LogicalNot),
        syn::UnOp::Not(_) => Some(UnaryOp::Not),
        _ => None,
    }
}

fn is_truth(expr: &syn::Expr) -> bool {
    match expr {
        syn::Expr::Lit(it) => matches!(it.lit, syn::Lit::Bool(_)),
        syn::Expr::Paren(it) => is_truth(&it.expr),
        syn::Expr::Group(it) => is_truth(&it.expr),
        syn::Expr::Unary(it) => matches!(it.op, syn::UnOp::Not(_)) && is_truth(&it.expr),
        syn::Expr::Binary(it) => binary(&it.op).is_some_and(|op| {
            use BinaryOp::{Eq, Ge, Gt, Le, LogicalAnd, LogicalOr, Lt, Ne};
            matches!(op, LogicalAnd | LogicalOr | Eq | Ne | Lt | Le | Gt | Ge)
        }),
        _ => false,
    }
}

fn binary(op: &syn::BinOp) -> Option<BinaryOp> {
    Some(match op {
        syn::BinOp::Add(_) => BinaryOp::Add,
        syn::BinOp::Sub(_) => BinaryOp::Sub,
        syn::BinOp::Mul(_) => BinaryOp::Mul,
        syn::BinOp::Div(_) => BinaryOp::Div,
        syn::BinOp::Rem(_) => BinaryOp::Rem,
        syn::BinOp::And(_) => BinaryOp::LogicalAnd,
        syn::BinOp::Or(_) => BinaryOp::LogicalOr,
        syn::BinOp::BitXor(_) => BinaryOp::Xor,
        syn::BinOp::BitAnd(_) => BinaryOp::And,
        syn::BinOp::BitOr(_) => BinaryOp::Or,
        syn::BinOp::Shl(_) => BinaryOp::Shl,
        syn::BinOp::Shr(_) => BinaryOp::Shr,
        syn::BinOp::Eq(_) => BinaryOp::Eq,
        syn::BinOp::Lt(_) => BinaryOp::Lt,
        syn::BinOp::Le(_) => BinaryOp::Le,
        syn::BinOp::Ne(_) => BinaryOp::Ne,
        syn::BinOp::Ge(_) => BinaryOp::Ge,
        syn::BinOp::Gt(_) => BinaryOp::Gt,
        _ => return None,
    })
}
