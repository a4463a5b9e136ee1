//! Evaluates constant expressions: integers in 128 bits with every overflow found, never a silent wrap.

mod operators;

use std::rc::Rc;

use crate::ast::{self, BinaryOp, ExprKind, UnaryOp};
use crate::check::{Checker, State};
use crate::diag::{Code, Diagnostic};
use crate::limits;
use crate::resolve::{DeclId, Found, Scope};
use crate::source::Span;

/// What an expression evaluates to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Val {
    /// An integer.
    Int(i128),
    /// A float.
    Float(f64),
    /// A truth value.
    Bool(bool),
    /// A text.
    Str(Rc<str>),
    /// A member of an enum or error type.
    Member {
        /// The type.
        decl: DeclId,
        /// Which member.
        index: usize,
        /// Its number.
        value: i128,
    },
    /// Flags of one type.
    Flags {
        /// The type.
        decl: DeclId,
        /// The bits.
        bits: i128,
    },
}

impl Val {
    /// What to call it in a message.
    pub(crate) fn what(&self) -> &'static str {
        match self {
            Self::Int(_) => "an integer",
            Self::Float(_) => "a float",
            Self::Bool(_) => "a truth value",
            Self::Str(_) => "a string",
            Self::Member { .. } => "a member",
            Self::Flags { .. } => "flags",
        }
    }

    /// Its number, if it is or stands for an integer.
    pub(crate) fn integer(&self) -> Option<i128> {
        match self {
            Self::Int(value) | Self::Member { value, .. } | Self::Flags { bits: value, .. } => {
                Some(*value)
            }
            Self::Float(_) | Self::Bool(_) | Self::Str(_) => None,
        }
    }
}

/// What an expression is evaluated in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Env {
    /// Where names are looked up.
    pub(crate) scope: Scope,
    /// Bits of the declared type, which no shift may exceed.
    pub(crate) width: u32,
    /// The enumeration whose members are being given values; they are visible without its name.
    pub(crate) own: Option<DeclId>,
}

impl Env {
    /// Names as seen from `scope`, and no declared width.
    pub(crate) fn new(scope: Scope) -> Self {
        Self {
            scope,
            width: 128,
            own: None,
        }
    }
}

impl<'a> Checker<'_, 'a> {
    /// The value of an expression, or `None` after an error.
    pub(crate) fn eval(&mut self, expr: &'a ast::Expr, env: &Env) -> Option<Val> {
        // A long sum leans left; its operators are collected in a loop, so that only brackets cost stack.
        let mut operators = Vec::new();
        let mut first = expr;
        while let ExprKind::Binary(op, place, left, right) = &first.kind {
            operators.push((*op, *place, &**left, &**right));
            first = left;
        }
        if self.depth > limits::SYNTAX_NESTING * 2 {
            self.error(
                Diagnostic::error(
                    Code::E0327,
                    expr.span,
                    "the expression is nested too deeply",
                )
                .help("name a part of it with a constant"),
            );
            return None;
        }
        self.depth += 1;
        let mut value = self.operand(first, env);
        for (op, place, left, right) in operators.into_iter().rev() {
            let mixed = self.mixed(op, place, left, right);
            value = match (op, value) {
                // What cannot be reached is not evaluated, so `n != 0 && 10 / n > 2` is safe to write.
                (BinaryOp::LogicalAnd, Some(Val::Bool(false))) => Some(Val::Bool(false)),
                (BinaryOp::LogicalOr, Some(Val::Bool(true))) => Some(Val::Bool(true)),
                (_, value) => {
                    let other = self.eval(right, env);
                    match (value, other) {
                        (Some(a), Some(b)) if !mixed => {
                            self.binary(op, place, (a, left.span), (b, right.span), env.width)
                        }
                        _ => None,
                    }
                }
            };
        }
        self.depth -= 1;
        value
    }

    /// The value of an expression that must be an integer.
    pub(crate) fn integer(&mut self, expr: &'a ast::Expr, env: &Env, what: &str) -> Option<i128> {
        let value = self.eval(expr, env)?;
        let number = value.integer();
        if number.is_none() {
            self.error(
                Diagnostic::error(Code::E0310, expr.span, format!("{what} must be an integer"))
                    .label(format!("this is {}", value.what()))
                    .help("write an integer"),
            );
        }
        number
    }

    fn operand(&mut self, expr: &'a ast::Expr, env: &Env) -> Option<Val> {
        match &expr.kind {
            ExprKind::Int(Some(value)) => match i128::try_from(*value) {
                Ok(value) => Some(Val::Int(value)),
                Err(_) => self.too_large(expr.span),
            },
            ExprKind::Float(value) => Some(Val::Float(*value)),
            ExprKind::Bool(value) => Some(Val::Bool(*value)),
            ExprKind::Str(value) => Some(Val::Str(value.as_str().into())),
            ExprKind::Path(path) => self.path_value(path, env),
            ExprKind::Paren(inner) => self.eval(inner, env),
            ExprKind::Unary(op, _) => {
                let mut operators = vec![(*op, expr.span)];
                let mut inner = expr;
                while let ExprKind::Unary(_, next) = &inner.kind {
                    inner = next;
                    if let ExprKind::Unary(op, _) = &inner.kind {
                        operators.push((*op, inner.span));
                    }
                }
                let mut value = self.eval(inner, env)?;
                for (op, span) in operators.into_iter().rev() {
                    value = self.unary(op, span, &value)?;
                }
                Some(value)
            }
            // Binary operators were taken apart by the caller; the parser has reported the rest.
            ExprKind::Binary(..) | ExprKind::Int(None) | ExprKind::Invalid => None,
        }
    }

    fn too_large(&mut self, span: Span) -> Option<Val> {
        self.error(
            Diagnostic::error(Code::E0308, span, "the number does not fit in 128 bits")
                .help("the greatest integer of any type is 18446744073709551615"),
        );
        None
    }

    fn unary(&mut self, op: UnaryOp, span: Span, value: &Val) -> Option<Val> {
        let result = match (op, value) {
            (UnaryOp::Neg, Val::Float(value)) => Some(Val::Float(-value)),
            (UnaryOp::Neg, Val::Int(value) | Val::Member { value, .. }) => {
                match value.checked_neg() {
                    Some(value) => Some(Val::Int(value)),
                    None => return self.overflow(span),
                }
            }
            (UnaryOp::Not, Val::Int(value) | Val::Member { value, .. }) => Some(Val::Int(!value)),
            (UnaryOp::Not, Val::Flags { decl, bits }) => Some(Val::Flags {
                decl: *decl,
                bits: self.all_bits(*decl) & !bits,
            }),
            (UnaryOp::LogicalNot, Val::Bool(value)) => Some(Val::Bool(!value)),
            _ => None,
        };
        if result.is_none() {
            let sign = match op {
                UnaryOp::Neg => "-",
                UnaryOp::Not => "~",
                UnaryOp::LogicalNot => "!",
            };
            let error = Diagnostic::error(
                Code::E0309,
                span,
                format!("`{sign}` cannot be applied to {}", value.what()),
            );
            self.error(match (op, value) {
                (UnaryOp::LogicalNot, Val::Int(_)) => {
                    error.help("`~` inverts bits; `== 0` tests for zero")
                }
                (UnaryOp::Not, Val::Bool(_)) => error.help("write `!`"),
                _ => error.help("`-` and `~` take numbers, `!` takes `true` or `false`"),
            });
        }
        result
    }

    /// Every bit that a flags type's carrier has.
    fn all_bits(&self, decl: DeclId) -> i128 {
        self.reprs
            .get(&decl)
            .and_then(|repr| repr.range())
            .map_or(i128::MAX, |(_, greatest)| greatest)
    }

    fn path_value(&mut self, path: &'a ast::Path, env: &Env) -> Option<Val> {
        // Inside an enumeration its own members come first.
        if let (Some(own), [name]) = (env.own, path.segments.as_slice())
            && let Some(&index) = self.table.decl(own).members.get(name.text.as_str())
        {
            return self.member(own, index, path.span);
        }
        match self.table.find(path, env.scope) {
            Found::Member(decl, index) => self.member(decl, index, path.span),
            Found::Decl(id) => match self.state(id) {
                State::Const(value) => Some(value.clone()),
                State::Pending | State::Poisoned if !self.table.decl(id).node.is_type() => None,
                _ => {
                    let node = self.table.decl(id).node;
                    let text = self.table.sources.text(path.span);
                    let mut error = Diagnostic::error(
                        Code::E0213,
                        path.span,
                        format!("`{text}` is {}, not a value", node.what()),
                    )
                    .also(self.table.span(id), "declared here");
                    error = match self.table.decl(id).members.keys().next() {
                        Some(member) => {
                            error.help(format!("name a member, such as `{text}.{member}`"))
                        }
                        None => error.help("name a constant or a member"),
                    };
                    self.error(error);
                    None
                }
            },
            Found::Missing(at, inside) => {
                let error = self
                    .table
                    .unknown_value(path, env.scope, at, inside, &mut self.budget);
                self.error(error);
                None
            }
            Found::Reported => None,
        }
    }

    fn member(&mut self, decl: DeclId, index: usize, span: Span) -> Option<Val> {
        let value = match self.members.get(&decl).map(|values| values.get(index)) {
            Some(Some(value)) => (*value)?,
            Some(None) => {
                self.error(
                    Diagnostic::error(
                        Code::E0303,
                        span,
                        "the member is used before it has a value",
                    )
                    .help("move it before the member that uses it"),
                );
                return None;
            }
            // It is part of a cycle, which has been reported.
            None => return None,
        };
        let crate::resolve::Node::Enum(node) = self.table.decl(decl).node else {
            return None;
        };
        Some(match node.kind {
            ast::EnumKind::Flags => Val::Flags { decl, bits: value },
            ast::EnumKind::Enum | ast::EnumKind::Error => Val::Member { decl, index, value },
        })
    }

    /// Bitwise operators bind weaker than comparisons in C and stronger in Rust; brackets end the doubt.
    fn mixed(&mut self, op: BinaryOp, place: Span, left: &ast::Expr, right: &ast::Expr) -> bool {
        let kind = |expr: &ast::Expr| match &expr.kind {
            ExprKind::Binary(op, ..) => family(*op),
            _ => Family::Other,
        };
        let own = family(op);
        let other = match own {
            Family::Bitwise => Family::Comparison,
            Family::Comparison => Family::Bitwise,
            Family::Other => return false,
        };
        let Some(inner) = [left, right].into_iter().find(|expr| kind(expr) == other) else {
            return false;
        };
        self.error(
            Diagnostic::error(
                Code::E0311,
                place,
                "a bitwise operator and a comparison are mixed without parentheses",
            )
            .also(inner.span, "this is evaluated first")
            .help("put parentheses around the part that is meant to come first"),
        );
        true
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    Bitwise,
    Comparison,
    Other,
}

fn family(op: BinaryOp) -> Family {
    match op {
        BinaryOp::And | BinaryOp::Or | BinaryOp::Xor => Family::Bitwise,
        BinaryOp::Eq | BinaryOp::Ne | BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge => {
            Family::Comparison
        }
        _ => Family::Other,
    }
}
