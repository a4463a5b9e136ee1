//! The infix operators.

use super::Val;
use crate::ast::BinaryOp;
use crate::check::Checker;
use crate::diag::{Code, Diagnostic};
use crate::source::Span;

impl Checker<'_, '_> {
    /// Applies an operator to two values that have been evaluated.
    pub(super) fn binary(
        &mut self,
        op: BinaryOp,
        place: Span,
        (a, a_span): (Val, Span),
        (b, b_span): (Val, Span),
        width: u32,
    ) -> Option<Val> {
        let whole = a_span.to(b_span);
        match (&a, &b) {
            (Val::Bool(a), Val::Bool(b)) => {
                let value = match op {
                    BinaryOp::LogicalAnd => *a && *b,
                    BinaryOp::LogicalOr => *a || *b,
                    BinaryOp::Eq => a == b,
                    BinaryOp::Ne => a != b,
                    _ => return self.cannot(op, place, "truth values", None),
                };
                Some(Val::Bool(value))
            }
            (Val::Flags { decl: x, bits: a }, Val::Flags { decl: y, bits: b })
                if is_bitwise(op) =>
            {
                if x != y {
                    let names = format!(
                        "`{}` and `{}`",
                        self.table.decl(*x).path,
                        self.table.decl(*y).path
                    );
                    return self.cannot(
                        op,
                        place,
                        &format!("flags of {names}"),
                        Some("combine flags of one type"),
                    );
                }
                let bits = match op {
                    BinaryOp::And => a & b,
                    BinaryOp::Or => a | b,
                    _ => a ^ b,
                };
                Some(Val::Flags { decl: *x, bits })
            }
            (Val::Float(_), _) | (_, Val::Float(_)) => {
                let (Some(a), Some(b)) = (float(&a), float(&b)) else {
                    return self.cannot(op, place, &format!("{} and {}", a.what(), b.what()), None);
                };
                self.floats(op, place, whole, (a, b), b_span)
            }
            _ => {
                let (Some(x), Some(y)) = (a.integer(), b.integer()) else {
                    return self.cannot(op, place, &format!("{} and {}", a.what(), b.what()), None);
                };
                self.integers(op, place, whole, (x, y), b_span, width)
            }
        }
    }

    fn integers(
        &mut self,
        op: BinaryOp,
        place: Span,
        whole: Span,
        (a, b): (i128, i128),
        b_span: Span,
        width: u32,
    ) -> Option<Val> {
        let result = match op {
            BinaryOp::Add => a.checked_add(b),
            BinaryOp::Sub => a.checked_sub(b),
            BinaryOp::Mul => a.checked_mul(b),
            BinaryOp::Div | BinaryOp::Rem if b == 0 => return self.by_zero(op, b_span),
            BinaryOp::Div => a.checked_div(b),
            BinaryOp::Rem => a.checked_rem(b),
            BinaryOp::And => Some(a & b),
            BinaryOp::Or => Some(a | b),
            BinaryOp::Xor => Some(a ^ b),
            BinaryOp::Shl | BinaryOp::Shr => {
                let Some(count) = u32::try_from(b)
                    .ok()
                    .filter(|&count| count < width.min(128))
                else {
                    self.error(
                        Diagnostic::error(
                            Code::E0307,
                            b_span,
                            format!("shift by {b} is out of range"),
                        )
                        .help(format!("shift by 0 to {}", width.min(128) - 1)),
                    );
                    return None;
                };
                if op == BinaryOp::Shr {
                    Some(a >> count)
                } else {
                    // The bits that leave at the top must all equal the sign that stays.
                    let shifted = a << count;
                    (shifted >> count == a).then_some(shifted)
                }
            }
            BinaryOp::Eq => return Some(Val::Bool(a == b)),
            BinaryOp::Ne => return Some(Val::Bool(a != b)),
            BinaryOp::Lt => return Some(Val::Bool(a < b)),
            BinaryOp::Le => return Some(Val::Bool(a <= b)),
            BinaryOp::Gt => return Some(Val::Bool(a > b)),
            BinaryOp::Ge => return Some(Val::Bool(a >= b)),
            BinaryOp::LogicalAnd | BinaryOp::LogicalOr => {
                return self.cannot(
                    op,
                    place,
                    "integers",
                    Some("compare them first, as in `a != 0`"),
                );
            }
        };
        match result {
            Some(value) => Some(Val::Int(value)),
            None => self.overflow(whole),
        }
    }

    fn floats(
        &mut self,
        op: BinaryOp,
        place: Span,
        whole: Span,
        (a, b): (f64, f64),
        b_span: Span,
    ) -> Option<Val> {
        let value = match op {
            BinaryOp::Add => a + b,
            BinaryOp::Sub => a - b,
            BinaryOp::Mul => a * b,
            BinaryOp::Div | BinaryOp::Rem if b == 0.0 => return self.by_zero(op, b_span),
            BinaryOp::Div => a / b,
            BinaryOp::Rem => a % b,
            BinaryOp::Eq => return Some(Val::Bool(a == b)),
            BinaryOp::Ne => return Some(Val::Bool(a != b)),
            BinaryOp::Lt => return Some(Val::Bool(a < b)),
            BinaryOp::Le => return Some(Val::Bool(a <= b)),
            BinaryOp::Gt => return Some(Val::Bool(a > b)),
            BinaryOp::Ge => return Some(Val::Bool(a >= b)),
            _ => return self.cannot(op, place, "floats", None),
        };
        if value.is_finite() {
            Some(Val::Float(value))
        } else {
            self.overflow(whole)
        }
    }

    /// The value does not fit in what is computed with.
    pub(super) fn overflow(&mut self, span: Span) -> Option<Val> {
        self.error(
            Diagnostic::error(Code::E0308, span, "the computation overflows")
                .help("use smaller numbers"),
        );
        None
    }

    fn by_zero(&mut self, op: BinaryOp, span: Span) -> Option<Val> {
        let what = if op == BinaryOp::Div {
            "division"
        } else {
            "remainder of a division"
        };
        self.error(
            Diagnostic::error(Code::E0306, span, format!("{what} by zero"))
                .label("this is 0")
                .help("divide by another number"),
        );
        None
    }

    fn cannot(&mut self, op: BinaryOp, place: Span, what: &str, help: Option<&str>) -> Option<Val> {
        self.error(
            Diagnostic::error(
                Code::E0309,
                place,
                format!("`{}` cannot be applied to {what}", sign(op)),
            )
            .help(help.unwrap_or("compute with numbers, or write the value as it is")),
        );
        None
    }
}

fn is_bitwise(op: BinaryOp) -> bool {
    matches!(op, BinaryOp::And | BinaryOp::Or | BinaryOp::Xor)
}

fn float(value: &Val) -> Option<f64> {
    match value {
        Val::Float(value) => Some(*value),
        Val::Int(value) => Some(*value as f64),
        _ => None,
    }
}

fn sign(op: BinaryOp) -> &'static str {
    match op {
        BinaryOp::Add => "+",
        BinaryOp::Sub => "-",
        BinaryOp::Mul => "*",
        BinaryOp::Div => "/",
        BinaryOp::Rem => "%",
        BinaryOp::Shl => "<<",
        BinaryOp::Shr => ">>",
        BinaryOp::And => "&",
        BinaryOp::Or => "|",
        BinaryOp::Xor => "^",
        BinaryOp::LogicalAnd => "&&",
        BinaryOp::LogicalOr => "||",
        BinaryOp::Eq => "==",
        BinaryOp::Ne => "!=",
        BinaryOp::Lt => "<",
        BinaryOp::Le => "<=",
        BinaryOp::Gt => ">",
        BinaryOp::Ge => ">=",
    }
}
