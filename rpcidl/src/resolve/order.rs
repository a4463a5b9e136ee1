//! The order in which declarations are worked off: what is needed first, then what needs it.
//!
//! One graph holds constants, aliases, enumerations, structs and unions, because a constant may size a type whose
//! member gives a constant its value. The walk keeps its own stack, so a long chain cannot exhaust the thread's,
//! and it visits everything in declared order, so the result depends on nothing else.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{DeclId, Found, Node, Scope, Table};
use crate::ast::{self, ExprKind, TypeKind};
use crate::diag::{Code, Diagnostic, Findings};
use crate::limits;
use crate::source::Span;

/// The order, and what cannot be ordered.
#[derive(Debug, Default)]
pub(crate) struct Order {
    /// Every declaration but interfaces, dependencies first.
    pub(crate) decls: Vec<DeclId>,
    /// Interfaces, bases first.
    pub(crate) interfaces: Vec<DeclId>,
    /// The declarations that depend on themselves; reported.
    pub(crate) cyclic: BTreeSet<DeclId>,
}

/// Orders all declarations and reports cycles along their path.
pub(crate) fn order(table: &Table<'_>, findings: &mut Findings) -> Order {
    let mut walk = Walk {
        table,
        marks: vec![Mark::New; table.decls.len()],
        open: Vec::new(),
        visited: 0,
        out: Order::default(),
        findings,
    };
    let is_interface = |id: DeclId| matches!(table.decl(id).node, Node::Interface(_));
    for id in table.ids().filter(|&id| !is_interface(id)) {
        walk.visit(id);
    }
    for id in table.ids().filter(|&id| is_interface(id)) {
        walk.visit(id);
    }
    walk.out
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    New,
    /// Visited as the one of this number, and not yet known to be outside of every cycle that is still open.
    Open(usize),
    Done,
}

/// One declaration on the way from the root to the one being looked at.
struct Step {
    id: DeclId,
    number: usize,
    /// The least number that can be reached from here among what is open.
    low: usize,
    edges: Vec<(DeclId, Span)>,
    next: usize,
}

/// Tarjan's algorithm: whatever can reach each other comes out together, after all that it needs.
struct Walk<'t, 'a> {
    table: &'t Table<'a>,
    marks: Vec<Mark>,
    open: Vec<DeclId>,
    visited: usize,
    out: Order,
    findings: &'t mut Findings,
}

impl Walk<'_, '_> {
    fn visit(&mut self, root: DeclId) {
        if self.mark(root) != Mark::New {
            return;
        }
        let mut stack = vec![self.open(root)];
        while let Some(step) = stack.last_mut() {
            if let Some(&(to, _)) = step.edges.get(step.next) {
                step.next += 1;
                match self.mark(to) {
                    Mark::Done => {}
                    Mark::Open(number) => step.low = step.low.min(number),
                    Mark::New => {
                        let step = self.open(to);
                        stack.push(step);
                    }
                }
                continue;
            }
            let Some(step) = stack.pop() else { break };
            if let Some(above) = stack.last_mut() {
                above.low = above.low.min(step.low);
            }
            if step.low == step.number {
                self.close(&step);
            }
        }
    }

    fn open(&mut self, id: DeclId) -> Step {
        let number = self.visited;
        self.visited += 1;
        self.set(id, Mark::Open(number));
        self.open.push(id);
        Step {
            id,
            number,
            low: number,
            edges: edges(self.table, id),
            next: 0,
        }
    }

    /// Takes out everything that can reach `step` and be reached from it.
    fn close(&mut self, step: &Step) {
        let mut group = Vec::new();
        while let Some(id) = self.open.pop() {
            self.set(id, Mark::Done);
            group.push(id);
            if id == step.id {
                break;
            }
        }
        if group.len() > 1 || step.edges.iter().any(|&(to, _)| to == step.id) {
            let members: BTreeSet<DeclId> = group.iter().copied().collect();
            self.report(&self.shortest(step.id, &members));
            self.out.cyclic.extend(&members);
        }
        for id in group {
            if matches!(self.table.decl(id).node, Node::Interface(_)) {
                self.out.interfaces.push(id);
            } else {
                self.out.decls.push(id);
            }
        }
    }

    fn mark(&self, id: DeclId) -> Mark {
        self.marks.get(id.0 as usize).copied().unwrap_or(Mark::Done)
    }

    fn set(&mut self, id: DeclId, mark: Mark) {
        if let Some(slot) = self.marks.get_mut(id.0 as usize) {
            *slot = mark;
        }
    }

    /// The shortest way from a declaration back to itself, each step with the place that leads to the next.
    fn shortest(&self, start: DeclId, members: &BTreeSet<DeclId>) -> Vec<(DeclId, Span)> {
        let mut from: BTreeMap<DeclId, (DeclId, Span)> = BTreeMap::new();
        let mut queue = VecDeque::from([start]);
        while let Some(id) = queue.pop_front() {
            for (to, span) in edges(self.table, id) {
                if to == start {
                    let mut way = vec![(id, span)];
                    let mut at = id;
                    while at != start {
                        let Some(&(before, span)) = from.get(&at) else {
                            break;
                        };
                        way.push((before, span));
                        at = before;
                    }
                    way.reverse();
                    return way;
                }
                if members.contains(&to) && !from.contains_key(&to) {
                    from.insert(to, (id, span));
                    queue.push_back(to);
                }
            }
        }
        Vec::new()
    }

    fn report(&mut self, way: &[(DeclId, Span)]) {
        let Some(&(first, place)) = way.first() else {
            return;
        };
        let name = |id: DeclId| &self.table.decl(id).path;
        let nodes = || way.iter().map(|&(id, _)| self.table.decl(id).node);
        let mut error = if nodes().any(|node| matches!(node, Node::Interface(_))) {
            Diagnostic::error(
                Code::E0511,
                place,
                format!("interface `{}` extends itself", name(first)),
            )
            .help("remove one `extends` of the circle")
        } else if nodes().all(Node::is_type) && nodes().any(|node| !matches!(node, Node::Enum(_))) {
            Diagnostic::error(Code::E0304, place, format!("type `{}` contains itself", name(first)))
                .help("messages hold their parts inline; refer to the other by a number, such as its id or index")
        } else {
            Diagnostic::error(
                Code::E0303,
                place,
                format!("the value of `{}` depends on itself", name(first)),
            )
            .help("give one of them a value of its own")
        };
        let mut path: Vec<String> = way
            .iter()
            .map(|&(id, _)| format!("`{}`", name(id)))
            .collect();
        path.push(format!("`{}`", name(first)));
        // A path of thousands is no help to anyone.
        const SHOWN: usize = 16;
        if path.len() > SHOWN {
            let end = path.split_off(path.len() - SHOWN / 2);
            path.truncate(SHOWN / 2);
            path.push("…".to_owned());
            path.extend(end);
        }
        error = error.note(format!("the path is {}", path.join(" → ")));
        let following = way.iter().skip(2).chain(way.first());
        for (&(id, span), &(next, _)) in way.iter().skip(1).zip(following).take(SHOWN) {
            error = error.also(span, format!("`{}` needs `{}` here", name(id), name(next)));
        }
        self.findings.push(error);
    }
}

/// What a declaration needs, in the order in which it is written.
fn edges(table: &Table<'_>, id: DeclId) -> Vec<(DeclId, Span)> {
    let decl = table.decl(id);
    let mut edges = Edges {
        table,
        scope: Scope {
            file: decl.file,
            owner: decl.owner,
        },
        own: id,
        out: Vec::new(),
        depth: 0,
    };
    match decl.node {
        Node::Const(node) => {
            edges.ty(&node.ty);
            edges.expr(&node.value);
        }
        Node::Alias(node) => edges.ty(&node.ty),
        Node::Enum(node) => {
            if let Some(repr) = &node.repr {
                edges.ty(repr);
            }
            for value in node
                .members
                .iter()
                .filter_map(|member| member.value.as_ref())
            {
                edges.expr(value);
            }
            edges.reserved(&node.reserved);
        }
        Node::Struct(node) => {
            edges.scope.owner = Some(id);
            for member in &node.members {
                match member {
                    ast::StructMember::Field(field) => {
                        edges.ty(&field.ty);
                        if let Some(default) = &field.default {
                            edges.expr(default);
                        }
                    }
                    ast::StructMember::Reserved { ty, .. } => edges.ty(ty),
                    ast::StructMember::Item(_) | ast::StructMember::Invalid(_) => {}
                }
            }
        }
        Node::Union(node) => {
            if let Some(tag) = &node.tag {
                edges.ty(tag);
            }
            for arm in &node.arms {
                edges.expr(&arm.tag);
                edges.ty(&arm.ty);
            }
            edges.reserved(&node.reserved);
        }
        Node::Interface(node) => {
            if let (Some(base), Some(path)) = (table.base(id), &node.base) {
                edges.out.push((base, path.span));
            }
        }
    }
    edges.out
}

struct Edges<'t, 'a> {
    table: &'t Table<'a>,
    scope: Scope,
    own: DeclId,
    out: Vec<(DeclId, Span)>,
    depth: usize,
}

impl Edges<'_, '_> {
    fn path(&mut self, path: &ast::Path) {
        if let [name] = path.segments.as_slice()
            && self
                .table
                .decl(self.own)
                .members
                .contains_key(name.text.as_str())
        {
            return;
        }
        match self.table.find(path, self.scope) {
            Found::Decl(id) => self.push(id, path.span),
            // A member may be given by others of its own enumeration; that is checked where it is evaluated.
            Found::Member(id, _) if id != self.own => self.push(id, path.span),
            Found::Member(..) | Found::Reported | Found::Missing(..) => {}
        }
    }

    fn push(&mut self, id: DeclId, span: Span) {
        if !matches!(self.table.decl(id).node, Node::Interface(_)) {
            self.out.push((id, span));
        }
    }

    fn ty(&mut self, ty: &ast::Type) {
        if self.depth > limits::SYNTAX_NESTING {
            return;
        }
        self.depth += 1;
        match &ty.kind {
            TypeKind::Named(path) => self.path(path),
            TypeKind::String(bound) | TypeKind::Bytes(bound) => {
                if let Some(bound) = bound {
                    self.expr(bound);
                }
            }
            TypeKind::Vec(elem, bound) => {
                if let Some(elem) = elem {
                    self.ty(elem);
                }
                if let Some(bound) = bound {
                    self.expr(bound);
                }
            }
            TypeKind::Array(elem, len) => {
                self.ty(elem);
                self.expr(len);
            }
            TypeKind::Optional(inner) => self.ty(inner),
            TypeKind::Void | TypeKind::Buffer(_) | TypeKind::Invalid => {}
        }
        // A keyword without its bound may be the name of a declared type.
        if let Some(word) = super::bare_keyword(ty)
            && let Some(Found::Decl(id)) = self.table.find_name(word, self.scope)
        {
            self.push(id, ty.span);
        }
        self.depth -= 1;
    }

    fn expr(&mut self, expr: &ast::Expr) {
        // The left operand is followed in the loop: a long sum leans left and must not cost stack.
        let mut at = expr;
        let mut rights = Vec::new();
        loop {
            match &at.kind {
                ExprKind::Binary(_, _, left, right) => {
                    rights.push(right);
                    at = left;
                }
                ExprKind::Unary(_, inner) | ExprKind::Paren(inner) => at = inner,
                ExprKind::Path(path) => {
                    self.path(path);
                    break;
                }
                ExprKind::Int(_)
                | ExprKind::Float(_)
                | ExprKind::Bool(_)
                | ExprKind::Str(_)
                | ExprKind::Invalid => break,
            }
        }
        if self.depth > limits::SYNTAX_NESTING {
            return;
        }
        self.depth += 1;
        for right in rights.into_iter().rev() {
            self.expr(right);
        }
        self.depth -= 1;
    }

    fn reserved(&mut self, reserved: &[ast::ReservedNumbers]) {
        for numbers in reserved {
            self.expr(&numbers.first);
            if let Some(last) = &numbers.last {
                self.expr(last);
            }
        }
    }
}
