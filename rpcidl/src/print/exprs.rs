//! Prints expressions with the parentheses that keep their meaning.

use crate::ast::{BinaryOp, Expr, ExprKind, UnaryOp};

/// An expression.
pub(super) fn expr(it: &Expr) -> String {
    match &it.kind {
        ExprKind::Int(value) => {
            value.map_or_else(|| u128::MAX.to_string(), |value| value.to_string())
        }
        // `{:?}` keeps the dot, without which it would be an integer.
        ExprKind::Float(value) => format!("{value:?}"),
        ExprKind::Bool(value) => value.to_string(),
        ExprKind::Str(text) => quoted(text),
        ExprKind::Path(path) => super::dotted(path),
        ExprKind::Unary(op, operand) => {
            let sign = match op {
                UnaryOp::Neg => "-",
                UnaryOp::Not => "~",
                UnaryOp::LogicalNot => "!",
            };
            format!("{sign}{}", part(operand, None))
        }
        ExprKind::Binary(op, _, left, right) => {
            // Only a chain of one operator that leans left needs no parentheses in any language.
            format!(
                "{} {} {}",
                part(left, chained(*op)),
                sign(*op),
                part(right, None)
            )
        }
        ExprKind::Paren(inner) => format!("({})", expr(inner)),
        ExprKind::Invalid => "0 /* unreadable */".to_owned(),
    }
}

/// An expression between `<` and `>`, where some operators need parentheses.
pub(super) fn bound(it: &Expr) -> String {
    match it.kind {
        ExprKind::Binary(..) => format!("({})", expr(it)),
        _ => expr(it),
    }
}

/// A version, which is written like a number.
pub(super) fn version(it: &Expr) -> String {
    match &it.kind {
        ExprKind::Str(text)
            if text
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte == b'.') =>
        {
            text.clone()
        }
        _ => expr(it),
    }
}

fn part(it: &Expr, chain: Option<BinaryOp>) -> String {
    match &it.kind {
        ExprKind::Binary(op, ..) if chain != Some(*op) => format!("({})", expr(it)),
        _ => expr(it),
    }
}

fn chained(op: BinaryOp) -> Option<BinaryOp> {
    use BinaryOp::{Add, And, LogicalAnd, LogicalOr, Mul, Or, Xor};
    matches!(op, Add | Mul | And | Or | Xor | LogicalAnd | LogicalOr).then_some(op)
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

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0' => out.push_str("\\0"),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
