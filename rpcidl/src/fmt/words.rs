//! Types, expressions and other parts that always stand on one line.

use crate::ast::{
    Annotation, AnnotationValue, BinaryOp, Expr, ExprKind, Path, ReservedNumbers, Type, TypeKind,
    UnaryOp,
};
use crate::source::Span;

/// Turns small parts into text.
pub(super) struct Words<'a> {
    /// The original, from which literals are taken as they were written.
    pub(super) text: &'a str,
}

impl Words<'_> {
    /// What was written at a place.
    pub(super) fn source(&self, span: Span) -> &str {
        self.text.get(span.range()).unwrap_or_default().trim()
    }

    pub(super) fn path(&self, path: &Path) -> String {
        let names: Vec<&str> = path
            .segments
            .iter()
            .map(|name| name.text.as_str())
            .collect();
        names.join(".")
    }

    pub(super) fn ty(&self, ty: &Type) -> String {
        let bounded = |name: &str, bound: &Option<Box<Expr>>| match bound {
            Some(bound) => format!("{name}<{}>", self.expr(bound)),
            None => name.to_owned(),
        };
        match &ty.kind {
            TypeKind::Void => "void".to_owned(),
            TypeKind::Named(path) => self.path(path),
            TypeKind::String(bound) => bounded("string", bound),
            TypeKind::Bytes(bound) => bounded("bytes", bound),
            TypeKind::Vec(Some(element), Some(bound)) => {
                format!("vec<{}, {}>", self.ty(element), self.expr(bound))
            }
            TypeKind::Vec(Some(element), None) => format!("vec<{}>", self.ty(element)),
            TypeKind::Vec(None, _) => "vec".to_owned(),
            TypeKind::Array(..) => self.array(ty),
            TypeKind::Optional(inner) => format!("{}?", self.ty(inner)),
            TypeKind::Buffer(Some(access)) => format!("buffer<{}>", access.text),
            TypeKind::Buffer(None) => "buffer".to_owned(),
            TypeKind::Invalid => self.source(ty.span).to_owned(),
        }
    }

    /// `T[3][2]` is kept as 3 arrays of 2, so sizes are written from the outside in.
    fn array(&self, ty: &Type) -> String {
        let mut sizes = String::new();
        let mut element = ty;
        while let TypeKind::Array(inner, size) = &element.kind {
            sizes.push_str(&format!("[{}]", self.expr(size)));
            element = inner;
        }
        format!("{}{sizes}", self.ty(element))
    }

    pub(super) fn expr(&self, expr: &Expr) -> String {
        match &expr.kind {
            ExprKind::Int(_) | ExprKind::Float(_) | ExprKind::Str(_) | ExprKind::Invalid => {
                self.source(expr.span).to_owned()
            }
            ExprKind::Bool(value) => value.to_string(),
            ExprKind::Path(path) => self.path(path),
            ExprKind::Unary(operator, operand) => {
                let sign = match operator {
                    UnaryOp::Neg => '-',
                    UnaryOp::Not => '~',
                    UnaryOp::LogicalNot => '!',
                };
                format!("{sign}{}", self.expr(operand))
            }
            ExprKind::Binary(operator, _, left, right) => {
                format!(
                    "{} {} {}",
                    self.expr(left),
                    sign(*operator),
                    self.expr(right)
                )
            }
            ExprKind::Paren(inner) => format!("({})", self.expr(inner)),
        }
    }

    pub(super) fn annotation(&self, annotation: &Annotation) -> String {
        let args: Vec<String> = annotation
            .args
            .iter()
            .map(|arg| {
                let value = match &arg.value {
                    AnnotationValue::Expr(expr) => self.expr(expr),
                    AnnotationValue::Set(names, _) => {
                        let names: Vec<&str> =
                            names.iter().map(|name| name.text.as_str()).collect();
                        format!("{{{}}}", names.join(", "))
                    }
                };
                match &arg.key {
                    Some(key) => format!("{} = {value}", key.text),
                    None => value,
                }
            })
            .collect();
        // Empty parentheses stay: without them the annotation could take those of what follows.
        if args.is_empty() && !self.source(annotation.span).ends_with(')') {
            format!("@{}", annotation.name.text)
        } else {
            format!("@{}({})", annotation.name.text, args.join(", "))
        }
    }

    pub(super) fn reserved(&self, numbers: &ReservedNumbers) -> String {
        match &numbers.last {
            Some(last) => format!(
                "reserved {}..{}",
                self.expr(&numbers.first),
                self.expr(last)
            ),
            None => format!("reserved {}", self.expr(&numbers.first)),
        }
    }
}

fn sign(operator: BinaryOp) -> &'static str {
    match operator {
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
