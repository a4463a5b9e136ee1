//! The report for people.

use std::fmt::Write as _;

use crate::fingerprint::hex;
use crate::ir::{Interface, Method, MethodKind, Model, Package, TypeDef, TypeDefKind};

use super::{CACHE_LINE, Lane, Row, Shape, field_rows, kind, lane, rows, shape, type_name};

/// Least and greatest width that tables are drawn in.
const WIDTHS: (usize, usize) = (60, 200);

/// Tables of every type and message that the inputs declare, at most `width` columns wide where names allow it.
pub fn text(model: &Model, width: usize) -> String {
    let width = width.clamp(WIDTHS.0, WIDTHS.1);
    let mut page = Page {
        model,
        width,
        out: String::new(),
    };
    for package in model.packages.iter().filter(|package| package.is_input) {
        page.package(package);
    }
    page.out
}

struct Page<'a> {
    model: &'a Model,
    width: usize,
    out: String,
}

impl Page<'_> {
    fn line(&mut self, text: &str) {
        self.out.push_str(text.trim_end());
        self.out.push('\n');
    }

    fn package(&mut self, package: &Package) {
        let version = package.version.map_or(String::new(), |version| {
            format!("@{}.{}", version.major, version.minor)
        });
        self.line(&format!(
            "package {}{version}  ({})",
            package.name, package.source_name
        ));
        let model = self.model;
        for &id in &package.types {
            self.line("");
            self.declared(model.def(id));
        }
        for &id in &package.interfaces {
            self.line("");
            self.interface(model.interface(id));
        }
        self.line("");
    }

    fn declared(&mut self, def: &TypeDef) {
        let name = &def.name;
        match &def.kind {
            TypeDefKind::Enum(node) => {
                let open = if node.closed { "closed " } else { "" };
                let members = count(node.members.len(), "member");
                self.line(&format!(
                    "{open}{} {name} : {}  {members}",
                    kind(def),
                    node.repr.keyword()
                ));
            }
            TypeDefKind::Struct(_) => {
                let rows = rows(self.model, def);
                self.head(&format!("struct {name}"), def.size, def.align, &rows);
                self.table(&rows, def.size);
            }
            TypeDefKind::Union(node) => {
                let rows = rows(self.model, def);
                let open = if node.closed { "closed " } else { "" };
                self.head(&format!("{open}union {name}"), def.size, def.align, &rows);
                self.table(&rows, def.size);
                for arm in &node.arms {
                    let (ty, size) = match &arm.ty {
                        Some(ty) => (type_name(self.model, ty), self.model.size_of(ty)),
                        None => ("void".to_owned(), 0),
                    };
                    let free = node.storage_size.saturating_sub(size);
                    let line = format!(
                        "    tag {:<5} {size:>6}  {ty} {}  ({free} unused)",
                        arm.tag, arm.name
                    );
                    self.line(&line);
                }
            }
        }
    }

    fn head(&mut self, what: &str, size: u32, align: u32, rows: &[Row]) {
        let padding: u32 = rows
            .iter()
            .filter(|row| row.padding)
            .map(|row| row.size)
            .sum();
        let mut line = format!("{what}  {}, align {align}", count(size as usize, "byte"));
        if size > CACHE_LINE {
            let _ = write!(line, ", {} cache lines", size.div_ceil(CACHE_LINE));
        }
        if padding > 0 {
            let _ = write!(
                line,
                ", {padding} of padding ({:.1} %)",
                f64::from(padding) * 100.0 / f64::from(size)
            );
        }
        self.line(&line);
    }

    /// Offset, size, type and name of each row, with a rule where a cache line ends; `·` marks padding and `+`
    /// room that is kept.
    fn table(&mut self, rows: &[Row], size: u32) {
        if rows.is_empty() {
            return;
        }
        // What stays for types once offset, size, the gaps and a name have their room.
        let room = self.width.saturating_sub(20) / 2;
        let types = rows
            .iter()
            .map(|row| row.ty.chars().count())
            .max()
            .unwrap_or(0)
            .clamp(4, room.max(4));
        self.line(&format!(
            "    {:>6} {:>6}  {:<types$}  name",
            "offset", "size", "type"
        ));
        let mut before = 0;
        for row in rows {
            let line = row.offset / CACHE_LINE;
            if line != before {
                self.rule(line * CACHE_LINE);
                before = line;
            }
            let mark = match (row.padding, row.reserved) {
                (true, _) => "·",
                (false, true) => "+",
                (false, false) => " ",
            };
            let ty = shorten(&row.ty, types);
            let name = if row.padding { "(padding)" } else { &row.name };
            let last = (row.offset + row.size).saturating_sub(1) / CACHE_LINE;
            let spans = match (last.saturating_sub(line), row.size <= CACHE_LINE) {
                (0, _) => String::new(),
                _ if row.padding || row.reserved => String::new(),
                (_, true) => "  crosses a cache line".to_owned(),
                (_, false) => format!("  lines {line} to {last}"),
            };
            self.line(&format!(
                "  {mark} {:>6} {:>6}  {ty:<types$}  {name}{spans}",
                row.offset, row.size
            ));
            before = before.max(last.min((row.offset + row.size) / CACHE_LINE));
        }
        self.line(&format!("    {size:>6}"));
    }

    fn rule(&mut self, offset: u32) {
        let label = format!("    {offset:>6} ");
        let rest = self.width.min(72).saturating_sub(label.chars().count());
        self.line(&format!("{label}{}", "-".repeat(rest)));
    }

    fn slots(&mut self, lane: &Lane) {
        if lane.response > 0 {
            let (slot, request, response) = (lane.slot(), lane.request, lane.response);
            self.line(&format!(
                "    slot    {slot} bytes (request {request}, response {response})"
            ));
        } else {
            self.line(&format!(
                "    slot    {} bytes (replies overlay their requests)",
                lane.slot()
            ));
        }
        let events = match lane.event_slots {
            0 => String::new(),
            slots => format!(" + {slots} x {} for events", lane.event),
        };
        self.line(&format!(
            "    inproc  window {}: {} x {}{events} = {} bytes per connection",
            lane.inproc_window,
            Lane::slots(lane.inproc_window),
            lane.slot(),
            lane.inproc_bytes()
        ));
        // Isolated, the control block and what either side writes have pages of their own.
        let isolated = if lane.shm_isolated { "isolated, " } else { "" };
        self.line(&format!(
            "    shm     window {}: {isolated}512 + {} x {}{events}, in pages = {} bytes per connection",
            lane.shm_window,
            Lane::slots(lane.shm_window),
            lane.shm_slot(),
            lane.shm_bytes()
        ));
        self.line(&format!(
            "    rdma    window {}: client {} + server {} = {} bytes per connection",
            lane.rdma_window,
            lane.rdma_client_bytes(),
            lane.rdma_server_bytes(),
            lane.rdma_bytes()
        ));
    }

    fn interface(&mut self, interface: &Interface) {
        self.line(&format!(
            "interface {}  abi {}",
            interface.name,
            hex(&interface.abi_hash)
        ));
        let mut methods: Vec<&Method> = interface.methods.iter().collect();
        methods.sort_by_key(|method| method.id);
        let names = methods
            .iter()
            .map(|method| method.name.chars().count())
            .max()
            .unwrap_or(0)
            .max(4);
        self.line(&format!(
            "    {:>5}  {:<6}  {:<names$}  {:>7}  {:>8}  slot",
            "id", "kind", "name", "request", "response"
        ));
        for method in &methods {
            let (word, response) = match method.kind {
                MethodKind::Call => ("call", method.response.size.to_string()),
                MethodKind::Oneway => ("oneway", "-".to_owned()),
                MethodKind::Event => ("event", "-".to_owned()),
            };
            let slot = match (shape(method), method.kind) {
                (_, MethodKind::Event) => "to the client",
                (Shape::OneLine, _) => "one line",
                (Shape::InPlace, _) => "in place",
                (Shape::InARow, _) => "split, overlaid in a row",
                (Shape::Split, _) => "split",
                (Shape::OneWay, _) => "no reply",
            };
            let (id, name, request) = (method.id, &method.name, method.request.size);
            self.line(&format!(
                "    {id:>5}  {word:<6}  {name:<names$}  {request:>7}  {response:>8}  {slot}"
            ));
        }
        self.slots(&lane(interface));
        for method in methods {
            let call = method.kind == MethodKind::Call;
            let arguments = match method.kind {
                MethodKind::Call | MethodKind::Oneway => "request",
                MethodKind::Event => "event",
            };
            for (what, message) in [
                (arguments, Some(&method.request)),
                ("response", call.then_some(&method.response)),
            ] {
                let Some(message) = message.filter(|message| message.size > 0) else {
                    continue;
                };
                let rows = field_rows(self.model, &message.fields);
                self.line("");
                self.head(
                    &format!("{what} {}.{}", interface.name, method.name),
                    message.size,
                    message.align,
                    &rows,
                );
                self.table(&rows, message.size);
            }
        }
    }
}

fn count(number: usize, what: &str) -> String {
    if number == 1 {
        format!("1 {what}")
    } else {
        format!("{number} {what}s")
    }
}

fn shorten(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    format!("{kept}…")
}
