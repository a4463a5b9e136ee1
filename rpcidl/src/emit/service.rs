//! What the runtime is told of an interface: the service, its methods, and the enums that requests, replies and events
//! come as.

use super::Scope;
use super::literal::{Quoted, QuotedLines, grouped};
use super::method::Stub;
use super::writer::{Writer, block, line, text, variant};
use crate::ir::{Interface, MethodKind, Tuning};

/// `Service` and its implementation.
pub(super) fn service(w: &mut Writer, interface: &Interface, package: &str, stubs: &[Stub<'_>]) {
    let dot = if package.is_empty() { "" } else { "." };
    let name = format!("{package}{dot}{}", interface.name);
    w.blank();
    line!(w, "/// What the runtime knows of `{name}`.");
    line!(w, "#[derive(Clone, Copy, Debug)]");
    line!(w, "pub enum Service {{}}");
    w.blank();
    block!(w, "impl rt::Service for Service" => {
        w.assign(format_args!("const NAME: &'static str ="), &Quoted(&name));
        let hash = hash(interface.abi_hash);
        line!(w, "const ABI_HASH: rt::AbiHash = rt::AbiHash({hash});");
        let indent = " ".repeat(4 * (w.depth() + 1));
        let text = QuotedLines { text: &interface.abi_text, indent: &indent };
        line!(w, "const ABI_TEXT: &'static str = {text};");
        methods_list(w, stubs);
        tuning(w, interface);
        w.blank();
        line!(w, "type Request<'a, T: rt::ServerTransport>");
        line!(w, "    = Request<'a, T>");
        line!(w, "where");
        line!(w, "    T: 'a;");
        line!(w, "type Reply<'a> = Reply<'a>;");
        line!(w, "type Event<'a> = Event<'a>;");
        w.blank();
        request(w, stubs);
        w.blank();
        reply(w, stubs);
        w.blank();
        event(w, stubs);
    });
}

fn methods_list(w: &mut Writer, stubs: &[Stub<'_>]) {
    let info = |stub: &Stub<'_>| format!("rt::MethodInfo::of::<method::{}>()", stub.names.variant);
    let head = "const METHODS: &'static [rt::MethodInfo] =";
    if let [stub] = stubs {
        w.assign(format_args!("{head}"), &format_args!("&[{}]", info(stub)));
    } else {
        w.list(
            format_args!("{head} &["),
            |list| stubs.iter().for_each(|stub| list.item(info(stub))),
            format_args!("];"),
            60,
        );
    }
}

fn hash(hash: [u8; 16]) -> String {
    let digits = format!("{:032x}", u128::from_be_bytes(hash));
    let groups: Vec<&str> = digits
        .as_bytes()
        .chunks(4)
        .filter_map(|group| std::str::from_utf8(group).ok())
        .collect();
    format!("0x{}", groups.join("_"))
}

/// What the annotations say; a method that asks for a larger window gets it for the whole connection.
fn tuning(w: &mut Writer, interface: &Interface) {
    let methods = interface.methods.iter().map(|method| &method.tuning);
    let tunings = || std::iter::once(&interface.tuning).chain(methods.clone());
    let most = |of: fn(&Tuning) -> Option<u32>| tunings().filter_map(of).max();
    let sizes = [
        ("window", most(|tuning| tuning.inproc_depth)),
        ("shm_window", most(|tuning| tuning.shm_slots)),
        ("rdma_window", most(|tuning| tuning.rdma_recv_depth)),
        ("rdma_inline", most(|tuning| tuning.rdma_inline_max)),
        ("shm_slot", most(|tuning| tuning.shm_slot)),
    ];
    let spin = most(|tuning| tuning.shm_spin_us);
    let given = sizes.iter().filter(|(_, size)| size.is_some()).count();
    if given == 0 && spin.is_none() {
        line!(w, "const TUNING: rt::Tuning = rt::Tuning::DEFAULT;");
        return;
    }
    w.open(format_args!("const TUNING: rt::Tuning = rt::Tuning"));
    for (field, size) in sizes {
        if let Some(size) = size {
            line!(w, "{field}: {size},");
        }
    }
    if let Some(spin) = spin {
        line!(
            w,
            "spin: Some(::core::time::Duration::from_micros({spin})),"
        );
    }
    if given < sizes.len() || spin.is_none() {
        line!(w, "..rt::Tuning::DEFAULT");
    }
    w.close_with(";");
}

fn request(w: &mut Writer, stubs: &[Stub<'_>]) {
    line!(w, "#[inline]");
    line!(w, "fn request<'a, T: rt::ServerTransport>(");
    line!(w, "    incoming: rt::Incoming<'a, Self, T>,");
    w.open(format_args!(") -> rt::Opened<Request<'a, T>>"));
    let mut requests = stubs.iter().filter(|stub| !stub.is_event()).peekable();
    if requests.peek().is_none() {
        line!(w, "incoming.unimplemented()");
    } else {
        block!(w, "match incoming.method()" => {
            for stub in requests {
                let variant = &stub.names.variant;
                let before = format!("{} => ", stub.it.id);
                w.chain(&before, "incoming", &[format_args!(".open()"), format_args!(".map(Request::{variant})")], ",");
            }
            line!(w, "_ => incoming.unimplemented(),");
        });
    }
    w.close();
}

fn reply(w: &mut Writer, stubs: &[Stub<'_>]) {
    let mut calls = stubs.iter().filter(|stub| stub.is_call()).peekable();
    if calls.peek().is_none() {
        block!(w, "fn reply(_: u16, _: rt::Outcome<'_, Self>) -> Option<Reply<'_>>" => {
            line!(w, "None");
        });
        return;
    }
    line!(w, "#[inline]");
    block!(w, "fn reply(method: u16, outcome: rt::Outcome<'_, Self>) -> Option<Reply<'_>>" => {
        w.open(format_args!("Some(match method"));
        for stub in calls {
            let variant = &stub.names.variant;
            w.call_arm(
                format_args!("{}", stub.it.id),
                format_args!("Reply::{variant}"),
                format_args!("outcome.of::<method::{variant}>"),
                "",
            );
        }
        line!(w, "_ => return None,");
        w.close_with(")");
    });
}

fn event(w: &mut Writer, stubs: &[Stub<'_>]) {
    let mut events = stubs.iter().filter(|stub| stub.is_event()).peekable();
    if events.peek().is_none() {
        block!(w, "fn event(_: rt::Arrived<'_, Self>) -> Option<Event<'_>>" => {
            line!(w, "None");
        });
        return;
    }
    line!(w, "#[inline]");
    block!(w, "fn event(arrived: rt::Arrived<'_, Self>) -> Option<Event<'_>>" => {
        block!(w, "match arrived.method()" => {
            for stub in events {
                let variant = &stub.names.variant;
                w.chain(
                    &format!("{} => ", stub.it.id),
                    "arrived",
                    &[format_args!(".open::<method::{variant}>()"), format_args!(".map(Event::{variant})")],
                    ",",
                );
            }
            line!(w, "_ => None,");
        });
    });
}

/// The module `method` with one type a method.
pub(super) fn methods(w: &mut Writer, scope: &Scope<'_>, stubs: &[Stub<'_>]) {
    w.blank();
    line!(
        w,
        "/// One type a method or event, for `loan::<method::…>()` and the like."
    );
    block!(w, "pub mod method" => {
        if !stubs.is_empty() {
            line!(w, "use {} as rt;", scope.options.runtime_core);
        }
        let scope = scope.inner();
        for (index, stub) in stubs.iter().enumerate() {
            method(w, &scope, index, stub);
        }
    });
}

fn method<'a>(w: &mut Writer, scope: &'a Scope<'a>, index: usize, stub: &Stub<'a>) {
    let (it, name) = (stub.it, &stub.names.variant);
    w.blank();
    line!(w, "/// `{}`", it.name);
    line!(w, "#[derive(Clone, Copy, Debug)]");
    line!(w, "pub enum {name} {{}}");
    w.blank();
    block!(w, "impl rt::Method for {name}" => {
        line!(w, "type Service = super::Service;");
        w.typed(format_args!("type Request ="), &stub.request_ty(scope), ";");
        w.typed(format_args!("type Response ="), &stub.response_ty(scope), ";");
        w.typed(format_args!("type Output ="), &stub.output_ty(scope), ";");
        w.typed(format_args!("type Error ="), &stub.error_ty(scope), ";");
        w.blank();
        w.assign(format_args!("const NAME: &'static str ="), &Quoted(&it.name));
        line!(w, "const ID: u16 = {};", it.id);
        line!(w, "const INDEX: usize = {index};");
        match it.kind {
            MethodKind::Call => {}
            MethodKind::Oneway => line!(w, "const KIND: rt::MethodKind = rt::MethodKind::Oneway;"),
            MethodKind::Event => line!(w, "const KIND: rt::MethodKind = rt::MethodKind::Event;"),
        }
        let facts = [("THROWS", it.throws.is_some()), ("IN_PLACE", it.in_place), ("IDEMPOTENT", it.idempotent)];
        for (name, _) in facts.into_iter().filter(|(_, is)| *is) {
            line!(w, "const {name}: bool = true;");
        }
        if let Some(deadline) = it.tuning.deadline {
            let nanos = grouped(u64::try_from(deadline.as_nanos()).unwrap_or(u64::MAX));
            let value =
                text(|f| write!(f, "::core::option::Option::Some(::core::time::Duration::from_nanos({nanos}))"));
            w.assign(format_args!("const DEADLINE: ::core::option::Option<::core::time::Duration> ="), &value);
        }
    });
}

/// The enums `Request`, `Reply` and `Event`.
pub(super) fn enums<'a>(w: &mut Writer, scope: &'a Scope<'a>, stubs: &[Stub<'a>]) {
    w.blank();
    line!(w, "/// A request that a server received.");
    line!(w, "#[derive(Debug)]");
    line!(
        w,
        "#[must_use = \"a request that is dropped is answered with `Aborted`\"]"
    );
    block!(w, "pub enum Request<'a, T: rt::ServerTransport>" => {
        let mut empty = true;
        for stub in stubs.iter().filter(|stub| !stub.is_event()) {
            let name = &stub.names.variant;
            line!(w, "/// `{}`", stub.it.name);
            variant(w, name, &format_args!("rt::Call<'a, method::{name}, T>"));
            empty = false;
        }
        nothing(w, empty, "T");
    });

    w.blank();
    line!(w, "/// A reply that a client received.");
    line!(w, "#[derive(Clone, Copy, Debug)]");
    block!(w, "pub enum Reply<'a>" => {
        let mut empty = true;
        for stub in stubs.iter().filter(|stub| stub.is_call()) {
            let (response, error) = (stub.response_ty(scope), stub.error_ty(scope));
            line!(w, "/// `{}`", stub.it.name);
            variant(w, &stub.names.variant, &format_args!("Result<&'a {response}, rt::CallError<{error}>>"));
            empty = false;
        }
        nothing(w, empty, "()");
    });

    w.blank();
    line!(w, "/// An event that a client received.");
    line!(w, "#[derive(Clone, Copy, Debug)]");
    block!(w, "pub enum Event<'a>" => {
        let mut empty = true;
        for stub in stubs.iter().filter(|stub| stub.is_event()) {
            line!(w, "/// `{}`", stub.it.name);
            variant(w, &stub.names.variant, &format_args!("&'a {}", stub.request_ty(scope)));
            empty = false;
        }
        nothing(w, empty, "()");
    });
}

/// The variant of an enum that has none: without values, and using its parameters so that rustc accepts them.
fn nothing(w: &mut Writer, empty: bool, param: &str) {
    if empty {
        line!(w, "#[doc(hidden)]");
        line!(
            w,
            "Nothing(rt::NoError, ::core::marker::PhantomData<&'a {param}>),"
        );
    }
}
