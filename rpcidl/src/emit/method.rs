//! One method of an interface, with its names and everything that several parts of the stubs ask of it.

use std::fmt::Display;

use super::Scope;
use super::names::{MethodNames, methods};
use super::types::{ParamTy, Passing, Path, ReturnTy, Ty, passing};
use super::writer::{List, text};
use crate::ir::{Direction, Interface, Method, MethodKind, Param};

/// A method with its names.
pub(super) struct Stub<'a> {
    /// The scope of the interface's module.
    pub(super) scope: &'a Scope<'a>,
    /// The method.
    pub(super) it: &'a Method,
    /// Its names.
    pub(super) names: MethodNames,
}

/// What a parameter is called on its way.
#[derive(Clone, Copy)]
pub(super) struct ParamNames<'a> {
    /// The parameter.
    pub(super) it: &'a Param,
    /// As a parameter.
    pub(super) name: &'a str,
    /// As a field of the request.
    pub(super) request: &'a str,
    /// As a field of the response.
    pub(super) response: &'a str,
}

/// The methods and events of an interface.
pub(super) fn stubs<'a>(scope: &'a Scope<'a>, interface: &'a Interface) -> Vec<Stub<'a>> {
    interface
        .methods
        .iter()
        .zip(methods(interface))
        .map(|(it, names)| Stub { scope, it, names })
        .collect()
}

impl<'a> Stub<'a> {
    /// Its parameters.
    pub(super) fn params(&self) -> impl Iterator<Item = ParamNames<'_>> + Clone {
        let names = self
            .names
            .params
            .iter()
            .zip(&self.names.request_fields)
            .zip(&self.names.response_fields);
        let params = self.it.params.iter().zip(names);
        params.map(|(it, ((name, request), response))| ParamNames {
            it,
            name,
            request,
            response,
        })
    }

    /// The parameters that travel to the server, or with an event.
    pub(super) fn inputs(&self) -> impl Iterator<Item = ParamNames<'_>> + Clone {
        self.params()
            .filter(|param| param.it.direction != Direction::Out)
    }

    /// The parameters that travel back.
    pub(super) fn outputs(&self) -> impl Iterator<Item = ParamNames<'_>> + Clone {
        self.params()
            .filter(|param| param.it.direction != Direction::In)
    }

    /// True if it has arguments that travel to the server, or with the event.
    pub(super) fn has_request(&self) -> bool {
        self.inputs().next().is_some()
    }

    /// True if its response is a struct of its own: it has `out` or `inout` parameters.
    pub(super) fn has_response(&self) -> bool {
        self.outputs().next().is_some()
    }

    /// True for a method with a reply.
    pub(super) fn is_call(&self) -> bool {
        self.it.kind == MethodKind::Call
    }

    /// True for an event.
    pub(super) fn is_event(&self) -> bool {
        self.it.kind == MethodKind::Event
    }

    /// The type of the request, as seen from a scope at or below the interface's.
    pub(super) fn request_ty(&self, scope: &Scope<'a>) -> impl Display {
        let up = self.up(scope);
        let has = self.has_request();
        text(move |f| {
            if has {
                write!(f, "{up}{}", self.names.request)
            } else {
                f.write_str("()")
            }
        })
    }

    /// The type of the response on the wire.
    pub(super) fn response_ty(&self, scope: &'a Scope<'a>) -> impl Display {
        let up = self.up(scope);
        let has = self.has_response();
        text(move |f| match &self.it.result {
            _ if has => write!(f, "{up}{}", self.names.response),
            None => f.write_str("()"),
            Some(ty) => Ty(scope, ty).fmt(f),
        })
    }

    /// The type of the response as the blocking and async stubs return it: `bool` where `Bool8` travels.
    pub(super) fn output_ty(&self, scope: &'a Scope<'a>) -> impl Display {
        let response = self.response_ty(scope);
        let result = if self.has_response() {
            None
        } else {
            self.it.result.as_ref()
        };
        text(move |f| match result {
            Some(ty) => ReturnTy(scope, ty).fmt(f),
            None => response.fmt(f),
        })
    }

    /// The type of the error.
    pub(super) fn error_ty(&self, scope: &'a Scope<'a>) -> impl Display {
        let throws = self.it.throws;
        text(move |f| match throws {
            Some(id) => Path::of_type(scope, id).fmt(f),
            None => write!(f, "{}::NoError", scope.rt),
        })
    }

    /// The parameters that go to the server, of a function that has them as its parameters.
    pub(super) fn list_inputs(&self, list: &mut List<'_>) {
        for param in self.inputs() {
            let ty = ParamTy(self.scope, &param.it.ty);
            list.item(format_args!("{}: {ty}", param.name));
        }
    }

    /// A name for a local variable or a further parameter that no parameter has.
    pub(super) fn local(&self, name: &str) -> String {
        super::casing::free(name, |name| {
            self.names.params.iter().any(|param| param == name)
        })
    }

    /// How a parameter is passed.
    pub(super) fn passing(&self, param: ParamNames<'_>) -> Passing {
        passing(self.scope.model, &param.it.ty)
    }

    /// How many modules the interface's is above a scope.
    fn up(&self, scope: &Scope<'_>) -> &'static str {
        if scope.depth > self.scope.depth {
            "super::"
        } else {
            ""
        }
    }
}
