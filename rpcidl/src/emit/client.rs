//! The client: stubs that return at once, futures, blocking and retrying stubs.

use super::Scope;
use super::docs::{deprecation, docs};
use super::method::Stub;
use super::writer::{List, Writer, block, line};

/// The client over any transport, and its blocking and retrying forms.
pub(super) fn emit<'a>(w: &mut Writer, scope: &'a Scope<'a>, stubs: &[Stub<'a>]) {
    w.blank();
    line!(
        w,
        "/// A client over any transport; it derefs to the runtime's client for `poll`, `wait`, `loan` and the rest."
    );
    line!(w, "#[derive(Debug)]");
    line!(
        w,
        "pub struct ClientOver<T: rt::ClientTransport, U = ()>(rt::Client<Service, T, U>);"
    );
    w.blank();
    let requests = || stubs.iter().filter(|stub| !stub.is_event());
    let calls = || stubs.iter().filter(|stub| stub.is_call());
    let idempotent = || calls().filter(|stub| stub.it.idempotent);
    let retrying = if idempotent().next().is_some() {
        ", Retrying"
    } else {
        ""
    };
    line!(
        w,
        "rt::client! {{ ClientOver, Service, Blocking{retrying} }}"
    );

    if requests().next().is_some() {
        w.blank();
        block!(w, "impl<T: rt::ClientTransport, U> ClientOver<T, U>" => {
            for stub in requests() {
                if stub.is_call() {
                    call(w, stub);
                    call_async(w, stub);
                } else {
                    tell(w, stub);
                }
            }
        });
    }

    w.blank();
    line!(w, "/// The same calls, each waiting for its reply.");
    waiting(w, scope, "Blocking", calls());
    if idempotent().next().is_some() {
        w.blank();
        line!(
            w,
            "/// The calls that are safe to repeat, repeated when there is no answer."
        );
        waiting(w, scope, "Retrying", idempotent());
    }
}

/// A stub that returns at once.
fn call(w: &mut Writer, stub: &Stub<'_>) {
    let user_data = stub.local("user_data");
    stub_docs(w, stub);
    line!(w, "///");
    line!(
        w,
        "/// Returns at once; the reply reaches the callback of `poll` with `{user_data}`."
    );
    line!(w, "///");
    line!(w, "/// # Errors");
    line!(
        w,
        "/// The window is full or the server is gone; `{user_data}` comes back."
    );
    deprecation(w, &stub.it.meta);
    w.signature(
        format_args!("pub fn {}", stub.names.stub),
        |list| {
            list.item("&mut self");
            stub.list_inputs(list);
            list.item(format_args!("{user_data}: U"));
        },
        format_args!(" -> Result<(), rt::Refused<U>>"),
        " {",
    );
    let fill = fill(w, stub, "request");
    w.chain(
        "",
        "self.0",
        &[format_args!(
            ".call::<method::{}>({user_data}, {fill})",
            stub.names.variant
        )],
        "",
    );
    w.close();
}

/// A stub whose reply is awaited.
fn call_async(w: &mut Writer, stub: &Stub<'_>) {
    stub_docs(w, stub);
    line!(w, "///");
    line!(
        w,
        "/// The future ends with the reply, at the deadline, or when the server is gone."
    );
    deprecation(w, &stub.it.meta);
    let variant = &stub.names.variant;
    w.signature(
        format_args!("pub fn {}", stub.names.future),
        |list| {
            list.item("&self");
            stub.list_inputs(list);
        },
        format_args!(" -> rt::Pending<'_, method::{variant}, T, U>"),
        " {",
    );
    let fill = fill(w, stub, "request");
    w.chain(
        "",
        "self.0",
        &[format_args!(".call_async::<method::{variant}>({fill})")],
        "",
    );
    w.close();
}

/// A stub that nothing comes back from.
fn tell(w: &mut Writer, stub: &Stub<'_>) {
    stub_docs(w, stub);
    line!(w, "///");
    line!(w, "/// Returns at once; nothing comes back.");
    line!(w, "///");
    line!(w, "/// # Errors");
    line!(w, "/// The window is full or the server is gone.");
    deprecation(w, &stub.it.meta);
    w.signature(
        format_args!("pub fn {}", stub.names.stub),
        |list| {
            list.item("&mut self");
            stub.list_inputs(list);
        },
        format_args!(" -> Result<(), rt::Refusal>"),
        " {",
    );
    let fill = fill(w, stub, "request");
    w.chain(
        "",
        "self.0",
        &[format_args!(
            ".tell::<method::{}>({fill})",
            stub.names.variant
        )],
        "",
    );
    w.close();
}

/// `Blocking` or `Retrying`.
fn waiting<'s, 'a: 's>(
    w: &mut Writer,
    scope: &'a Scope<'a>,
    name: &str,
    stubs: impl Iterator<Item = &'s Stub<'a>>,
) {
    line!(w, "#[derive(Debug)]");
    line!(
        w,
        "pub struct {name}<'a, T: rt::ClientTransport, U>(rt::{name}<'a, Service, T, U>);"
    );
    let mut stubs = stubs.peekable();
    if stubs.peek().is_none() {
        return;
    }
    w.blank();
    block!(w, "impl<T: rt::ClientTransport, U> {name}<'_, T, U>" => {
        for stub in stubs {
            stub_docs(w, stub);
            deprecation(w, &stub.it.meta);
            let (output, error) = (stub.output_ty(scope), stub.error_ty(scope));
            w.signature(
                format_args!("pub fn {}", stub.names.stub),
                |list| {
                    list.item("&mut self");
                    stub.list_inputs(list);
                },
                format_args!(" -> Result<{output}, rt::CallError<{error}>>"),
                " {",
            );
            let fill = fill(w, stub, "request");
            w.chain("", "self.0", &[format_args!(".call::<method::{}>({fill})", stub.names.variant)], "");
            w.close();
        }
    });
}

/// What the definition says of a method, and what it promises of its calls.
fn stub_docs(w: &mut Writer, stub: &Stub<'_>) {
    w.blank();
    docs(w, &stub.it.meta, format_args!("Calls `{}`.", stub.it.name));
    if !stub.is_call() {
        return;
    }
    if let Some(deadline) = stub.it.tuning.deadline {
        line!(w, "///");
        line!(
            w,
            "/// Deadline: {deadline:?}, unless `within` gives the call another."
        );
    }
    if stub.it.idempotent {
        line!(w, "///");
        line!(w, "/// Idempotent: `retrying` may repeat it.");
    }
}

/// Writes the closure that fills a message, and returns what it is called.
pub(super) fn fill(w: &mut Writer, stub: &Stub<'_>, message: &str) -> String {
    if !stub.has_request() {
        return "|_| {}".to_owned();
    }
    let (fill, message) = (stub.local("fill"), stub.local(message));
    let ty = stub.request_ty(stub.scope);
    let arguments = |list: &mut List<'_>| {
        for param in stub.inputs() {
            list.item(param.name);
        }
    };
    let head = format_args!("let {fill} = |{message}: &mut {ty}| {message}.set");
    if !w.try_call(head, arguments, ";") {
        w.bind_block(
            &format!("let {fill} ="),
            &format!("|{message}: &mut {ty}|"),
            |w| {
                w.call(format_args!("{message}.set"), arguments, ";");
            },
        );
    }
    fill
}
