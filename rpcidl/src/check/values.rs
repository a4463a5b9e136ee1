//! Values of constants and defaults: whether they fit the type they are given for.

use super::enums::INTEGERS;
use super::{Checker, State};
use crate::ast::{self, ExprKind, UnaryOp};
use crate::diag::{Code, Diagnostic};
use crate::eval::{Env, Val};
use crate::ir;
use crate::limits;
use crate::resolve::{DeclId, Node, Scope};

impl<'a> Checker<'_, 'a> {
    /// The value of `expr` as a value of `ty`, in both forms.
    pub(super) fn value(
        &mut self,
        expr: &'a ast::Expr,
        ty: &ir::Type,
        scope: Scope,
    ) -> Option<(Val, ir::Value)> {
        let stripped = self.draft.model.strip(ty).clone();
        let mut env = Env::new(scope);
        if let ir::Type::Scalar(scalar) = stripped
            && scalar.is_integer()
        {
            env.width = scalar.size() * 8;
        }
        let value = self.eval(expr, &env)?;
        let converted = self.convert(expr, &value, &stripped)?;
        // A constant is seen by others with its declared type, so `const f64 X = 1` is a float.
        let seen = match (&converted, value) {
            (ir::Value::Int(value), _) => Val::Int(*value),
            (ir::Value::Float(value), _) => Val::Float(*value),
            (_, value) => value,
        };
        Some((seen, converted))
    }

    fn convert(&mut self, expr: &'a ast::Expr, value: &Val, ty: &ir::Type) -> Option<ir::Value> {
        match ty {
            ir::Type::Scalar(scalar) => self.scalar_value(expr, value, *scalar),
            ir::Type::String { bound } => match value {
                Val::Str(text) if text.len() as u64 <= u64::from(*bound) => self.text(expr, text),
                Val::Str(text) => {
                    self.error(
                        Diagnostic::error(
                            Code::E0312,
                            expr.span,
                            format!(
                                "the string has {} bytes, more than `string<{bound}>` holds",
                                text.len()
                            ),
                        )
                        .help(format!("shorten it, or write `string<{}>`", text.len())),
                    );
                    None
                }
                _ => self.mismatch(expr, value, "a string"),
            },
            ir::Type::Def(id) => self.member_value(expr, value, *id),
            // The caller has refused types that have no constants.
            _ => None,
        }
    }

    /// A string that fits its type.
    fn text(&mut self, expr: &ast::Expr, text: &str) -> Option<ir::Value> {
        let before = self.string_bytes;
        self.string_bytes = before.saturating_add(text.len());
        if self.string_bytes <= limits::STRING_BYTES {
            return Some(ir::Value::Str(text.to_owned()));
        }
        // One error says it for all that follow.
        if before <= limits::STRING_BYTES {
            self.error(
                Diagnostic::error(
                    Code::E0329,
                    expr.span,
                    format!(
                        "the strings of all constants and defaults take more than {} bytes",
                        limits::STRING_BYTES
                    ),
                )
                .help("shorten them, or repeat fewer of them"),
            );
        }
        None
    }

    fn scalar_value(
        &mut self,
        expr: &'a ast::Expr,
        value: &Val,
        scalar: ir::Scalar,
    ) -> Option<ir::Value> {
        match (scalar, value) {
            (ir::Scalar::Bool, Val::Bool(value)) => Some(ir::Value::Bool(*value)),
            (ir::Scalar::Bool, _) => self.mismatch(expr, value, "`true` or `false`"),
            (ir::Scalar::F32 | ir::Scalar::F64, Val::Float(_) | Val::Int(_)) => {
                let number = match value {
                    Val::Float(number) => *number,
                    _ => value.integer()? as f64,
                };
                let fits = if scalar == ir::Scalar::F32 {
                    (number as f32).is_finite()
                } else {
                    number.is_finite()
                };
                if !fits {
                    self.error(
                        Diagnostic::error(
                            Code::E0305,
                            expr.span,
                            format!("the number is too large for `{}`", scalar.keyword()),
                        )
                        .help("use a smaller number, or `f64`"),
                    );
                    return None;
                }
                Some(ir::Value::Float(number))
            }
            (ir::Scalar::F32 | ir::Scalar::F64, _) => self.mismatch(expr, value, "a number"),
            _ => match value.integer() {
                Some(number) => self
                    .in_range(expr, number, scalar, INTEGERS)
                    .map(ir::Value::Int),
                None => self.mismatch(expr, value, "an integer"),
            },
        }
    }

    /// The number, if an integer type can hold it. Only what is `allowed` there is proposed instead.
    pub(super) fn in_range(
        &mut self,
        expr: &ast::Expr,
        number: i128,
        scalar: ir::Scalar,
        allowed: &[ir::Scalar],
    ) -> Option<i128> {
        let (least, greatest) = scalar.range()?;
        if (least..=greatest).contains(&number) {
            return Some(number);
        }
        let name = scalar.keyword();
        let error = Diagnostic::error(
            Code::E0305,
            expr.span,
            format!("{number} does not fit in `{name}`"),
        )
        .note(format!("`{name}` holds {least} to {greatest}"));
        let inverted =
            number < 0 && least == 0 && matches!(expr.kind, ExprKind::Unary(UnaryOp::Not, _));
        let wider = ["u8", "i8", "u16", "i16", "u32", "i32", "u64", "i64"]
            .into_iter()
            .find(|name| {
                // A narrower one may fit a value and not what the declaration asks for.
                crate::resolve::scalar(name).is_some_and(|other| {
                    let holds = |(least, greatest)| (least..=greatest).contains(&number);
                    allowed.contains(&other)
                        && other.size() >= scalar.size()
                        && other.range().is_some_and(holds)
                })
            });
        self.error(if inverted {
            error.help(format!("`~` inverts all 128 bits; add `& 0x{greatest:x}`"))
        } else if let Some(wider) = wider {
            error.help(format!("use `{wider}` or another value"))
        } else if allowed != INTEGERS {
            error.help("use another value")
        } else {
            error.help("no integer type holds it; use another value")
        });
        None
    }

    fn member_value(
        &mut self,
        expr: &'a ast::Expr,
        value: &Val,
        id: ir::TypeId,
    ) -> Option<ir::Value> {
        let def = self.draft.model.def(id);
        let (name, wanted) = (def.name.clone(), self.enum_kind(id));
        let given = match value {
            Val::Member { decl, .. } | Val::Flags { decl, .. } => Some(*decl),
            _ => None,
        };
        let same =
            given.is_some_and(|decl| matches!(self.state(decl), State::Type(ty) if *ty == id));
        match (wanted, value) {
            (Some(ir::EnumKind::Flags), Val::Flags { bits, .. }) if same => {
                Some(ir::Value::Flags {
                    ty: id,
                    bits: *bits,
                })
            }
            (Some(ir::EnumKind::Flags), Val::Int(0)) => Some(ir::Value::Flags { ty: id, bits: 0 }),
            (Some(_), Val::Member { decl, index, value }) if same => {
                let Node::Enum(node) = self.table.decl(*decl).node else {
                    return None;
                };
                let member = node.members.get(*index)?;
                Some(ir::Value::Member {
                    ty: id,
                    name: member.name.text.clone(),
                    value: *value,
                })
            }
            (Some(_), Val::Member { decl, .. } | Val::Flags { decl, .. }) => {
                let other = self.table.decl(*decl).path.clone();
                self.error(
                    Diagnostic::error(
                        Code::E0310,
                        expr.span,
                        format!("expected a member of `{name}`"),
                    )
                    .label(format!("this is a member of `{other}`"))
                    .help(format!("write `{name}.` and one of its members")),
                );
                None
            }
            (Some(_), _) => {
                let error = Diagnostic::error(
                    Code::E0310,
                    expr.span,
                    format!("expected a member of `{name}`"),
                )
                .label(format!("this is {}", value.what()));
                let member = self.member_of(id, value);
                self.error(match member {
                    Some(member) => error.fix(format!("write `{member}`"), expr.span, member),
                    None => error.help(format!("write `{name}.` and one of its members")),
                });
                None
            }
            (None, _) => None,
        }
    }

    /// The kind of an enumeration.
    pub(super) fn enum_kind(&self, id: ir::TypeId) -> Option<ir::EnumKind> {
        match &self.draft.model.def(id).kind {
            ir::TypeDefKind::Enum(node) => Some(node.kind),
            _ => None,
        }
    }

    /// The member that has this number.
    fn member_of(&self, id: ir::TypeId, value: &Val) -> Option<String> {
        let Val::Int(number) = value else { return None };
        let def = self.draft.model.def(id);
        let ir::TypeDefKind::Enum(node) = &def.kind else {
            return None;
        };
        let member = node.members.iter().find(|member| member.value == *number)?;
        Some(format!("{}.{}", def.name, member.name))
    }

    fn mismatch(&mut self, expr: &ast::Expr, value: &Val, wanted: &str) -> Option<ir::Value> {
        let error = Diagnostic::error(Code::E0310, expr.span, format!("expected {wanted}"))
            .label(format!("this is {}", value.what()));
        self.error(match (wanted, value) {
            ("`true` or `false`", Val::Int(0)) => error.fix("write `false`", expr.span, "false"),
            ("`true` or `false`", Val::Int(1)) => error.fix("write `true`", expr.span, "true"),
            _ => error.help(format!("write {wanted}, or change the type")),
        });
        None
    }

    /// True if constants and defaults of this type exist.
    pub(super) fn has_values(&self, ty: &ir::Type) -> bool {
        match self.draft.model.strip(ty) {
            ir::Type::Scalar(_) | ir::Type::String { .. } => true,
            ir::Type::Def(id) => self.enum_kind(*id).is_some(),
            _ => false,
        }
    }

    /// The declaration's own name for messages.
    pub(super) fn path_of(&self, id: DeclId) -> &str {
        &self.table.decl(id).path
    }
}
