//! Methods and events: directions, results, errors and what each kind may carry.

use super::annotations::{Notes, Place};
use super::names::{Names, snake};
use super::{Checker, Spot, State};
use crate::ast::{self, TypeKind};
use crate::diag::{Code, Diagnostic};
use crate::ir::{self, MethodKind};
use crate::limits;
use crate::resolve::{Found, Node, Scope};
use crate::source::Span;

impl<'a> Checker<'_, 'a> {
    /// Checks a method; the second part is false if something in it has an error.
    pub(super) fn method(
        &mut self,
        node: &'a ast::Method,
        interface: &'a ast::Interface,
        inherited: &Notes,
        scope: Scope,
        id: u16,
    ) -> (ir::Method, bool) {
        let mut notes = self.notes(&node.attrs, Place::Method, scope);
        let (kind, because) = self.kind(node, interface);
        Self::inherit_deadline(&mut notes, inherited, kind);
        let word = match kind {
            MethodKind::Call => "a method",
            MethodKind::Oneway => "a `oneway` method",
            MethodKind::Event => "an event",
        };
        let silent = (kind != MethodKind::Call).then_some((word, because));
        if let Some((word, because)) = silent {
            self.about_replies(node, word, because);
        }
        let mut sound = true;
        let result = self.result(node, silent, scope, &mut sound);
        let throws = self.throws(node, silent, scope, &mut sound);
        if let Some(extra) = node.params.get(limits::PARAMS) {
            self.error(
                Diagnostic::error(
                    Code::E0405,
                    extra.name.span,
                    format!(
                        "method `{}` has {} parameters",
                        node.name.text,
                        node.params.len()
                    ),
                )
                .label("the first one over the limit")
                .help(format!(
                    "at most {} are allowed; put some into a struct",
                    limits::PARAMS
                )),
            );
            sound = false;
        }
        let mut names = Names::new(snake);
        let mut params = Vec::with_capacity(node.params.len());
        for param in node.params.iter().take(limits::PARAMS) {
            if let Some(error) = names.add(&param.name) {
                self.error(error);
                sound = false;
            }
            match self.param(param, node, silent, scope) {
                Some(param) => {
                    sound &= self.is_sound(&param.ty);
                    params.push(param);
                }
                None => sound = false,
            }
        }
        if result.is_some() {
            self.named_result(node, &params);
        }
        if let (Some(place), Some(inout)) = (
            notes.idempotent,
            params
                .iter()
                .find(|param| param.direction == ir::Direction::InOut),
        ) {
            self.error(
                Diagnostic::error(
                    Code::E0609,
                    place,
                    format!("`{}` changes what it is given", node.name.text),
                )
                .also(inout.span, "this is `inout`")
                .note("a retry would send the changed value")
                .help("remove `@Idempotent`, or pass it as `in` and `out`"),
            );
        }
        let request = message(
            params
                .iter()
                .filter(|param| param.direction != ir::Direction::Out)
                .map(|param| value(&param.name, param)),
        );
        let returned = result.as_ref().map(|ty| ir::Field {
            meta: ir::Meta::default(),
            name: "result".to_owned(),
            kind: ir::FieldKind::Value {
                ty: ty.clone(),
                default: None,
            },
            offset: 0,
            size: 0,
            span: node.result.span,
        });
        let response = message(
            returned.into_iter().chain(
                params
                    .iter()
                    .filter(|param| param.direction != ir::Direction::In)
                    .map(|param| value(&param.name, param)),
            ),
        );
        let method = ir::Method {
            meta: notes.meta(&node.attrs),
            name: node.name.text.clone(),
            id,
            kind,
            declared_in: interface.name.text.clone(),
            params,
            result,
            throws,
            request,
            response,
            in_place: false,
            idempotent: notes.idempotent.is_some(),
            tuning: notes.tuning,
            span: node.name.span,
        };
        (method, sound)
    }

    fn kind(&mut self, node: &ast::Method, interface: &ast::Interface) -> (MethodKind, Span) {
        match (node.event, node.oneway) {
            (Some(event), Some(oneway)) => {
                self.error(
                    Diagnostic::error(Code::E0505, oneway, "an event is `oneway` already")
                        .also(event, "the event")
                        .fix("remove `oneway`", oneway, ""),
                );
                (MethodKind::Event, event)
            }
            (Some(event), None) => (MethodKind::Event, event),
            (None, Some(oneway)) => (MethodKind::Oneway, oneway),
            (None, None) => match interface.oneway {
                Some(oneway) => (MethodKind::Oneway, oneway),
                None => (MethodKind::Call, node.name.span),
            },
        }
    }

    /// Annotations that speak of a reply, on a method that has none.
    fn about_replies(&mut self, node: &ast::Method, word: &str, because: Span) {
        for annotation in &node.attrs.annotations {
            let name = annotation.name.text.as_str();
            let why = match name {
                "Deadline" => "nobody waits for it, so it is never too late",
                "Idempotent" => "what has no reply is never sent again",
                _ => continue,
            };
            self.error(
                Diagnostic::error(
                    Code::E0602,
                    annotation.span,
                    format!("`@{name}` cannot be put on {word}"),
                )
                .also(because, "there is no reply")
                .note(why)
                .help("remove it"),
            );
        }
    }

    fn result(
        &mut self,
        node: &'a ast::Method,
        silent: Option<(&str, Span)>,
        scope: Scope,
        sound: &mut bool,
    ) -> Option<ir::Type> {
        if let TypeKind::Void = node.result.kind {
            return None;
        }
        if let Some((word, because)) = silent {
            let text = self.table.sources.text(node.result.span);
            self.error(
                Diagnostic::error(
                    Code::E0502,
                    node.result.span,
                    format!("{word} cannot return `{text}`"),
                )
                .also(because, "there is no reply that could carry it")
                .fix("write `void`", node.result.span, "void"),
            );
            *sound = false;
            return None;
        }
        let ty = self.ty(&node.result, scope, Spot::Result);
        let ty = ty.and_then(|ty| {
            self.no_resource(&ty, node.result.span, "the result of a method")?;
            Some(ty)
        });
        *sound &= ty.as_ref().is_some_and(|ty| self.is_sound(ty));
        ty
    }

    fn throws(
        &mut self,
        node: &'a ast::Method,
        silent: Option<(&str, Span)>,
        scope: Scope,
        sound: &mut bool,
    ) -> Option<ir::TypeId> {
        let path = node.throws.as_ref()?;
        if let Some((word, because)) = silent {
            self.error(
                Diagnostic::error(Code::E0504, path.span, format!("{word} cannot throw"))
                    .also(because, "there is no reply that could carry the error")
                    .help("remove `throws`"),
            );
            // The name is still looked up, so that its import counts as used.
            self.table.find(path, scope);
            *sound = false;
            return None;
        }
        let thrown = self.thrown(path, scope);
        *sound &= thrown.is_some();
        thrown
    }

    fn thrown(&mut self, path: &'a ast::Path, scope: Scope) -> Option<ir::TypeId> {
        let text = self.table.sources.text(path.span);
        let id = match self.table.find(path, scope) {
            Found::Decl(id) => id,
            Found::Missing(..) if crate::resolve::scalar(text).is_some() => {
                self.error(
                    Diagnostic::error(
                        Code::E0509,
                        path.span,
                        format!("`{text}` is a number, not an error type"),
                    )
                    .help(
                        "declare one, such as `error Failed : u32 { NOT_FOUND = 1 }`, and name it here",
                    ),
                );
                return None;
            }
            Found::Missing(at, inside) => {
                let error = self
                    .table
                    .unknown_type(path, scope, at, inside, &mut self.budget);
                self.error(error);
                return None;
            }
            Found::Member(id, _) => {
                self.error(
                    Diagnostic::error(
                        Code::E0509,
                        path.span,
                        format!("`{text}` is a member, not an error type"),
                    )
                    .help(format!("write `{}`", self.path_of(id))),
                );
                return None;
            }
            Found::Reported => return None,
        };
        let node = self.table.decl(id).node;
        let ty = match *self.state(id) {
            State::Type(ty) => Some(ty),
            State::Alias(alias) => match *self.draft.model.strip(&ir::Type::Alias(alias)) {
                ir::Type::Def(ty) => Some(ty),
                _ => None,
            },
            // Its own error has been reported; what cannot be thrown at all is still worth a word.
            State::Pending | State::Poisoned if node.is_type() => return None,
            State::Pending | State::Poisoned | State::Const(_) | State::Interface(_) => None,
        };
        if let Some(ty) = ty
            && self.enum_kind(ty) == Some(ir::EnumKind::Error)
        {
            return Some(ty);
        }
        let error = Diagnostic::error(
            Code::E0509,
            path.span,
            format!("`{text}` is {}, not an error type", node.what()),
        )
        .also(self.table.span(id), "declared here");
        self.error(match node {
            Node::Enum(_) => error.help("declare it with `error` instead, or return it"),
            _ => error.help("`throws` needs a type that is declared with `error`"),
        });
        None
    }

    fn param(
        &mut self,
        param: &'a ast::Param,
        method: &'a ast::Method,
        silent: Option<(&str, Span)>,
        scope: Scope,
    ) -> Option<ir::Param> {
        let notes = self.notes(&param.attrs, Place::Param, scope);
        let direction = match param.direction {
            Some((ast::Direction::In, _)) => ir::Direction::In,
            Some((ast::Direction::Out, _)) => ir::Direction::Out,
            Some((ast::Direction::InOut, _)) => ir::Direction::InOut,
            None => {
                let place = Span {
                    end: param.ty.span.start,
                    ..param.ty.span
                };
                self.error(
                    Diagnostic::error(
                        Code::E0501,
                        param.ty.span,
                        format!(
                            "parameter `{}` does not say which way it travels",
                            param.name.text
                        ),
                    )
                    .fix(
                        "write `in`, `out` or `inout` before the type",
                        place,
                        "in ",
                    ),
                );
                ir::Direction::In
            }
        };
        if let (Some((word, because)), Some((ast::Direction::Out | ast::Direction::InOut, place))) =
            (silent, param.direction)
        {
            self.error(
                Diagnostic::error(
                    Code::E0503,
                    place,
                    format!("{word} cannot hand `{}` back", param.name.text),
                )
                .also(because, "there is no reply that could carry it")
                .fix("write `in`", place, "in"),
            );
        }
        let ty = self.ty(&param.ty, scope, Spot::Param)?;
        if self.is_resource(&ty) {
            self.lend(&ty, param, method, silent, direction)?;
        }
        Some(ir::Param {
            meta: notes.meta(&param.attrs),
            name: param.name.text.clone(),
            direction,
            ty,
            span: param.name.span,
        })
    }

    /// A buffer is lent for the length of a call, so there must be a call, and it can only go one way.
    fn lend(
        &mut self,
        ty: &ir::Type,
        param: &ast::Param,
        method: &ast::Method,
        silent: Option<(&str, Span)>,
        direction: ir::Direction,
    ) -> Option<()> {
        if let Some((word, because)) = silent {
            self.error(
                Diagnostic::error(
                    Code::E0512,
                    param.ty.span,
                    format!("{word} cannot lend a `buffer`"),
                )
                .also(
                    because,
                    "without a reply nobody knows when the memory is free again",
                )
                .help(format!(
                    "let `{}` reply, or send the data as `bytes<N>`",
                    method.name.text
                )),
            );
            return None;
        }
        if direction == ir::Direction::In {
            return Some(());
        }
        let place = param.direction.map_or(param.ty.span, |(_, span)| span);
        let error = Diagnostic::error(
            Code::E0512,
            place,
            "a `buffer` can only be lent to the server",
        )
        .label("the memory is the caller's");
        let write = matches!(self.draft.model.strip(ty), ir::Type::Buffer(_));
        self.error(if write {
            error.help("write `in buffer<write>` for memory that the server fills")
        } else {
            error.help("pass it as `in`")
        });
        None
    }

    /// The return value travels beside the `out` parameters under a name of its own.
    fn named_result(&mut self, node: &'a ast::Method, params: &[ir::Param]) {
        let clash = params
            .iter()
            .find(|param| param.direction != ir::Direction::In && snake(&param.name) == "result");
        if let Some(param) = clash {
            self.error(
                Diagnostic::error(
                    Code::E0205,
                    param.span,
                    format!(
                        "`{}` is the name of the return value in the response",
                        param.name
                    ),
                )
                .also(node.result.span, "the return value")
                .help("choose another name for the parameter"),
            );
        }
    }
}

/// A parameter as a field of a message.
fn value(name: &str, param: &ir::Param) -> ir::Field {
    ir::Field {
        meta: param.meta.clone(),
        name: name.to_owned(),
        kind: ir::FieldKind::Value {
            ty: param.ty.clone(),
            default: None,
        },
        offset: 0,
        size: 0,
        span: param.span,
    }
}

/// A message that is not laid out yet.
fn message(fields: impl Iterator<Item = ir::Field>) -> ir::Struct {
    ir::Struct {
        fields: fields.collect(),
        size: 0,
        align: 1,
    }
}
