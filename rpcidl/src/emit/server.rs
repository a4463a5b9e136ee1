//! The server: the trait that a service implements, dispatch to it, and events.

use super::Scope;
use super::casing::unraw;
use super::client::fill;
use super::docs::{deprecation, docs};
use super::method::{ParamNames, Stub};
use super::types::{ParamTy, Passing, ReturnTy, Ty};
use super::writer::{List, Writer, block, line, text};
use crate::ir::{Direction, FieldKind, MethodKind};

/// The trait, the server over any transport, and dispatch.
pub(super) fn emit<'a>(w: &mut Writer, scope: &'a Scope<'a>, stubs: &[Stub<'a>]) {
    handler(w, scope, stubs);

    w.blank();
    line!(
        w,
        "/// A server over any transport; it derefs to the runtime's server for `recv`, `wait` and the rest."
    );
    line!(w, "#[derive(Debug)]");
    line!(
        w,
        "pub struct ServerOver<T: rt::ServerTransport>(rt::Server<Service, T>);"
    );
    w.blank();
    line!(
        w,
        "rt::server! {{ ServerOver, Service, Handler, dispatch }}"
    );

    w.blank();
    dispatch(w, stubs);
    if stubs.iter().any(Stub::is_event) {
        w.blank();
        block!(w, "impl<T: rt::ServerTransport> ServerOver<T>" => {
            for stub in stubs.iter().filter(|stub| stub.is_event()) {
                emit_event(w, stub);
            }
        });
    }
}

fn handler<'a>(w: &mut Writer, scope: &'a Scope<'a>, stubs: &[Stub<'a>]) {
    w.blank();
    line!(w, "/// What a server does for each method.");
    block!(w, "pub trait Handler" => {
        for stub in stubs.iter().filter(|stub| !stub.is_event()) {
            w.blank();
            docs(w, &stub.it.meta, format_args!("Answers `{}`.", stub.it.name));
            let tail = text(|f| {
                use std::fmt::Display;
                match (&stub.it.result, stub.it.throws) {
                    (None, None) => Ok(()),
                    (Some(ty), None) => write!(f, " -> {}", ReturnTy(scope, ty)),
                    (None, Some(_)) => write!(f, " -> Result<(), {}>", stub.error_ty(scope)),
                    (Some(ty), Some(_)) => {
                        write!(f, " -> Result<{}, ", ReturnTy(scope, ty))?;
                        stub.error_ty(scope).fmt(f)?;
                        f.write_str(">")
                    }
                }
            });
            w.signature(
                format_args!("fn {}", stub.names.stub),
                |list| {
                    list.item("&mut self");
                    for param in stub.params() {
                        match param.it.direction {
                            Direction::In => list.item(format_args!("{}: {}", param.name, ParamTy(scope, &param.it.ty))),
                            Direction::Out | Direction::InOut => {
                                list.item(format_args!("{}: &mut {}", param.name, Ty(scope, &param.it.ty)));
                            }
                        }
                    }
                },
                format_args!("{tail}"),
                ";",
            );
        }
    });
}

fn dispatch(w: &mut Writer, stubs: &[Stub<'_>]) {
    let mut requests = stubs.iter().filter(|stub| !stub.is_event()).peekable();
    let handler = if requests.peek().is_none() {
        "_"
    } else {
        "handler"
    };
    line!(w, "#[inline]");
    w.signature(
        format_args!("fn dispatch<T: rt::ServerTransport, H: Handler + ?Sized>"),
        |list| {
            list.item(format_args!("{handler}: &mut H"));
            list.item("request: Request<'_, T>");
        },
        format_args!(""),
        " {",
    );
    block!(w, "match request" => {
        if requests.peek().is_none() {
            line!(w, "Request::Nothing(never, _) => match never {{}},");
        }
        for stub in requests {
            block!(w, "Request::{}(call) =>", stub.names.variant => {
                if stub.it.kind == MethodKind::Oneway {
                    oneway(w, stub);
                } else if stub.it.in_place {
                    in_place(w, stub);
                } else if stub.has_response() {
                    respond(w, stub);
                } else {
                    plain(w, stub);
                }
            });
        }
    });
    w.close();
}

fn oneway(w: &mut Writer, stub: &Stub<'_>) {
    borrow_request(w, stub);
    handle(
        w,
        stub,
        "",
        |list, param| list.item(from_request(stub, param)),
        ";",
    );
    line!(w, "call.done();");
}

/// No `out` or `inout`: the result is the response.
fn plain(w: &mut Writer, stub: &Stub<'_>) {
    borrow_request(w, stub);
    let arguments =
        |list: &mut List<'_>, param: ParamNames<'_>| list.item(from_request(stub, param));
    match (&stub.it.result, stub.it.throws) {
        (None, None) => {
            handle(w, stub, "", arguments, ";");
            line!(w, "let _ = call.reply(());");
        }
        (Some(_), None) => {
            handle(w, stub, "let result =", arguments, ";");
            line!(w, "let _ = call.reply(result);");
        }
        (_, Some(_)) => {
            handle(w, stub, "let result =", arguments, ";");
            line!(w, "let _ = call.finish(result);");
        }
    }
}

/// `out` or `inout`: the response is built where it will travel from.
fn respond(w: &mut Writer, stub: &Stub<'_>) {
    let request = if stub.has_request() { "request" } else { "_" };
    w.open(format_args!("let _ = call.respond(|{request}, response|"));
    for param in stub
        .outputs()
        .filter(|param| param.it.direction == Direction::InOut)
    {
        w.assign(
            format_args!("response.{} =", param.response),
            &format_args!("request.{}", param.request),
        );
    }
    let arguments = |list: &mut List<'_>, param: ParamNames<'_>| match param.it.direction {
        Direction::In => list.item(from_request(stub, param)),
        Direction::Out | Direction::InOut => {
            list.item(format_args!("&mut response.{}", param.response));
        }
    };
    call_and_store(w, stub, arguments);
    w.close_with(");");
}

/// The `inout` arguments are edited where they arrived. What else the response has lies where the `in` arguments were.
fn in_place(w: &mut Writer, stub: &Stub<'_>) {
    for param in stub
        .inputs()
        .filter(|param| param.it.direction == Direction::In)
    {
        let get = if stub.passing(param) == Passing::Bool {
            ".get()"
        } else {
            ""
        };
        w.assign(
            format_args!("let {} =", kept(param)),
            &format_args!("call.data().{}{get}", param.request),
        );
    }
    line!(w, "let mut reply = call.edit();");
    line!(w, "let response = &mut *reply;");
    let mut outputs = stub.outputs();
    let mut result = stub.it.result.is_some();
    for field in &stub.it.response.fields {
        match field.kind {
            FieldKind::Pad => line!(w, "response.{} = rt::Pad::ZERO;", field.name),
            FieldKind::Reserved => line!(w, "response.{} = rt::Reserved::ZERO;", field.name),
            // The result comes first and is stored below.
            FieldKind::Value { .. } if result => result = false,
            FieldKind::Value { .. } => match outputs.next() {
                Some(param) if param.it.direction == Direction::Out => {
                    line!(w, "response.{} = rt::zeroed();", param.response);
                }
                _ => {}
            },
        }
    }
    let arguments = |list: &mut List<'_>, param: ParamNames<'_>| match param.it.direction {
        Direction::In => {
            let reference = if stub.passing(param) == Passing::Reference {
                "&"
            } else {
                ""
            };
            list.item(format_args!("{reference}{}", kept(param)));
        }
        Direction::Out | Direction::InOut => {
            list.item(format_args!("&mut response.{}", param.response));
        }
    };
    if stub.it.throws.is_some() {
        handle(w, stub, "let result =", arguments, ";");
        store_result(w, stub);
        line!(w, "let _ = reply.finish(result);");
    } else {
        let before = if stub.it.result.is_some() {
            "let result ="
        } else {
            ""
        };
        handle(w, stub, before, arguments, ";");
        store_result(w, stub);
        line!(w, "let _ = reply.send();");
    }
}

/// The variable that keeps an `in` argument while the reply is written over it.
fn kept(param: ParamNames<'_>) -> String {
    format!("in_{}", unraw(param.name).trim_start_matches('_'))
}

/// Calls the handler and stores its result, as the end of a closure that returns `Result<(), Error>`.
fn call_and_store(
    w: &mut Writer,
    stub: &Stub<'_>,
    arguments: impl Fn(&mut List<'_>, ParamNames<'_>),
) {
    let question = if stub.it.throws.is_some() { "?" } else { "" };
    if stub.it.result.is_some() {
        handle(w, stub, "let result =", arguments, ";");
        line!(w, "response.result = result{question}{};", into(stub));
    } else {
        handle(w, stub, "", arguments, &format!("{question};"));
    }
    line!(w, "Ok(())");
}

/// Stores the result of the handler, and leaves `Result<(), Error>` as `result` if the method throws.
fn store_result(w: &mut Writer, stub: &Stub<'_>) {
    let into = into(stub);
    match (&stub.it.result, stub.it.throws) {
        (None, _) => {}
        (Some(_), None) => line!(w, "response.result = result{into};"),
        (Some(_), Some(_)) => line!(
            w,
            "let result = result.map(|result| response.result = result{into});"
        ),
    }
}

fn into(stub: &Stub<'_>) -> &'static str {
    match &stub.it.result {
        Some(ty) if super::types::passing(stub.scope.model, ty) == Passing::Bool => ".into()",
        _ => "",
    }
}

fn borrow_request(w: &mut Writer, stub: &Stub<'_>) {
    if stub.has_request() {
        line!(w, "let request = call.data();");
    }
}

/// `before handler.method(arguments)end`
fn handle(
    w: &mut Writer,
    stub: &Stub<'_>,
    before: &str,
    argument: impl Fn(&mut List<'_>, ParamNames<'_>),
    end: &str,
) {
    w.method_call(
        before,
        "handler",
        &stub.names.stub,
        |list| stub.params().for_each(|param| argument(list, param)),
        end,
    );
}

/// A parameter, read from `request`.
fn from_request(stub: &Stub<'_>, param: ParamNames<'_>) -> String {
    let field = param.request;
    match stub.passing(param) {
        Passing::Bool => format!("request.{field}.get()"),
        Passing::Value => format!("request.{field}"),
        Passing::Reference => format!("&request.{field}"),
    }
}

fn emit_event(w: &mut Writer, stub: &Stub<'_>) {
    let to = stub.local("to");
    w.blank();
    docs(
        w,
        &stub.it.meta,
        format_args!("Sends the event `{}`.", stub.it.name),
    );
    line!(w, "///");
    line!(
        w,
        "/// Returns at once, with the number of clients that it left for."
    );
    line!(w, "///");
    line!(w, "/// # Errors");
    line!(
        w,
        "/// The event window of a client is full, or the one client that it is for is gone."
    );
    deprecation(w, &stub.it.meta);
    w.signature(
        format_args!("pub fn {}", stub.names.stub),
        |list| {
            list.item("&mut self");
            list.item(format_args!("{to}: rt::Audience"));
            stub.list_inputs(list);
        },
        format_args!(" -> Result<usize, rt::EmitError>"),
        " {",
    );
    let fill = fill(w, stub, "event");
    w.chain(
        "",
        "self.0",
        &[format_args!(
            ".emit::<method::{}>({to}, {fill})",
            stub.names.variant
        )],
        "",
    );
    w.close();
}
