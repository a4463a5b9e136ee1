//! Collects what each file declares and binds what it imports.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use super::{Budget, Decl, DeclId, FileScope, Import, Node, Table};
use crate::ast;
use crate::diag::{Code, Diagnostic, Findings};
use crate::ir;
use crate::load::{FileInfo, dotted, package_of};
use crate::source::{SourceMap, Span};
use crate::suggest;

/// Builds the table of all declarations.
pub(crate) fn declare<'a>(
    sources: &'a SourceMap,
    trees: &'a [ast::File],
    infos: &[FileInfo],
    findings: &mut Findings,
) -> Table<'a> {
    let mut table = Table {
        sources,
        trees,
        decls: Vec::new(),
        files: Vec::new(),
    };
    for (index, (tree, info)) in trees.iter().zip(infos).enumerate() {
        let file = file_scope(sources, tree, info);
        table.files.push(file);
        add_items(&mut table, index, tree, findings);
    }
    let mut budget = Budget::default();
    for (index, (tree, info)) in trees.iter().zip(infos).enumerate() {
        bind_imports(&mut table, index, tree, info, &mut budget, findings);
    }
    table
}

fn file_scope<'a>(sources: &'a SourceMap, tree: &'a ast::File, info: &FileInfo) -> FileScope<'a> {
    let package = tree.package.as_ref();
    let version = package
        .and_then(|package| package.version.as_ref())
        .and_then(|(major, minor)| {
            Some(ir::Version {
                major: major.value?,
                minor: minor.value?,
            })
        });
    let mut unread_words = BTreeSet::new();
    for span in unread_spans(tree) {
        unread_words.extend(words(sources.text(span)));
    }
    FileScope {
        package: package
            .map(|package| dotted(&package.path))
            .unwrap_or_default(),
        version,
        is_input: info.is_input,
        broken: info.broken,
        items: BTreeMap::new(),
        imports: BTreeMap::new(),
        unread_words,
        import_place: tree
            .imports
            .last()
            .map(|import| import.span)
            .or(package.map(|package| package.span)),
    }
}

/// The places of everything that the parser could not read.
fn unread_spans(tree: &ast::File) -> Vec<Span> {
    let mut spans = Vec::new();
    for item in &tree.items {
        match item {
            ast::Item::Invalid(span) => spans.push(*span),
            ast::Item::Struct(node) => {
                spans.extend(node.members.iter().filter_map(|member| match member {
                    ast::StructMember::Invalid(span)
                    | ast::StructMember::Item(ast::Item::Invalid(span)) => Some(*span),
                    _ => None,
                }));
            }
            ast::Item::Interface(node) => {
                spans.extend(node.members.iter().filter_map(|member| match member {
                    ast::InterfaceMember::Invalid(span)
                    | ast::InterfaceMember::Item(ast::Item::Invalid(span)) => Some(*span),
                    _ => None,
                }));
            }
            _ => {}
        }
    }
    spans
}

/// The identifiers in a text.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .filter(|word| !word.is_empty())
}

/// Registers the items of a file and what is nested in them.
fn add_items<'a>(table: &mut Table<'a>, file: usize, tree: &'a ast::File, findings: &mut Findings) {
    for item in &tree.items {
        let Some(node) = node_of(item) else { continue };
        let Some(id) = add(table, file, None, node) else {
            continue;
        };
        let name = node.name();
        if let Some(scope) = table.files.get_mut(file) {
            match scope.items.get(name.text.as_str()) {
                None => {
                    scope.items.insert(&name.text, id);
                }
                Some(&first) => {
                    findings.push(duplicate(&name.text, name.span, table.span(first)));
                }
            }
        }
        add_nested(table, file, id, findings);
    }
}

fn add_nested(table: &mut Table<'_>, file: usize, owner: DeclId, findings: &mut Findings) {
    let items: Vec<&ast::Item> = match table.decl(owner).node {
        Node::Struct(node) => node
            .members
            .iter()
            .filter_map(|member| match member {
                ast::StructMember::Item(item) => Some(item),
                _ => None,
            })
            .collect(),
        Node::Interface(node) => node
            .members
            .iter()
            .filter_map(|member| match member {
                ast::InterfaceMember::Item(item) => Some(item),
                _ => None,
            })
            .collect(),
        _ => return,
    };
    for item in items {
        let Some(node) = node_of(item) else { continue };
        let name = node.name();
        if let Node::Interface(_) = node {
            findings.push(
                Diagnostic::error(
                    Code::E0214,
                    name.span,
                    format!("interface `{}` is declared inside", name.text),
                )
                .also(table.span(owner), "inside this declaration")
                .help("move it to the top of the file; only types and constants can be nested"),
            );
            continue;
        }
        let Some(id) = add(table, file, Some(owner), node) else {
            continue;
        };
        let known = table.decl(owner).nested.get(name.text.as_str()).copied();
        match known {
            None => {
                if let Some(decl) = table.decls.get_mut(owner.0 as usize) {
                    decl.nested.insert(&name.text, id);
                }
            }
            Some(first) => findings.push(duplicate(&name.text, name.span, table.span(first))),
        }
        add_nested(table, file, id, findings);
    }
}

fn add<'a>(
    table: &mut Table<'a>,
    file: usize,
    owner: Option<DeclId>,
    node: Node<'a>,
) -> Option<DeclId> {
    let id = DeclId(u32::try_from(table.decls.len()).ok()?);
    let name = node.name().text.as_str();
    let path = match owner {
        Some(owner) => format!("{}.{name}", table.decl(owner).path),
        None => name.to_owned(),
    };
    let mut members = BTreeMap::new();
    if let Node::Enum(node) = node {
        for (index, member) in node.members.iter().enumerate() {
            members.entry(member.name.text.as_str()).or_insert(index);
        }
    }
    table.decls.push(Decl {
        node,
        path,
        file,
        owner,
        nested: BTreeMap::new(),
        members,
    });
    Some(id)
}

fn node_of(item: &ast::Item) -> Option<Node<'_>> {
    Some(match item {
        ast::Item::Const(node) => Node::Const(node),
        ast::Item::Alias(node) => Node::Alias(node),
        ast::Item::Enum(node) => Node::Enum(node),
        ast::Item::Struct(node) => Node::Struct(node),
        ast::Item::Union(node) => Node::Union(node),
        ast::Item::Interface(node) => Node::Interface(node),
        ast::Item::Invalid(_) => return None,
    })
}

/// Two declarations of one name in one scope.
pub(crate) fn duplicate(name: &str, second: Span, first: Span) -> Diagnostic {
    Diagnostic::error(
        Code::E0203,
        second,
        format!("name `{name}` is declared twice"),
    )
    .label("declared again here")
    .also(first, "first declared here")
    .help("rename one of them")
}

fn bind_imports<'a>(
    table: &mut Table<'a>,
    file: usize,
    tree: &'a ast::File,
    info: &FileInfo,
    budget: &mut Budget,
    findings: &mut Findings,
) {
    let mut bound: BTreeMap<&'a str, Import> = BTreeMap::new();
    for (import, target) in tree.imports.iter().zip(&info.imports) {
        let Some(name) = import.path.segments.last() else {
            continue;
        };
        let local = import.rename.as_ref().unwrap_or(name);
        // What a file imports from itself or from nowhere may be declared in it; the loader has reported the import.
        let from = package_of(import);
        let declared = table.file(file).items.contains_key(local.text.as_str());
        if declared && (from.is_empty() || from == table.file(file).package) {
            continue;
        }
        if let Some(&first) = table.file(file).items.get(local.text.as_str()) {
            findings.push(
                duplicate(&local.text, table.span(first), local.span).help(format!(
                    "import it by another name: `import {} as Other{};`",
                    dotted(&import.path),
                    name.text
                )),
            );
            continue;
        }
        if let Some(first) = bound.get(local.text.as_str()) {
            findings.push(duplicate(&local.text, local.span, first.span).help(format!(
                "import it by another name: `import {} as Other{};`",
                dotted(&import.path),
                name.text
            )));
            continue;
        }
        let found = target.and_then(|target| {
            let there = table.file(target);
            let found = there.items.get(name.text.as_str()).copied();
            if found.is_none() && !there.unread_words.contains(name.text.as_str()) {
                findings.push(not_declared(table, target, import, name, budget));
            }
            found
        });
        bound.insert(
            &local.text,
            Import {
                target: found,
                span: import.span,
                used: Cell::new(false),
            },
        );
    }
    if let Some(scope) = table.files.get_mut(file) {
        scope.imports = bound;
    }
}

/// The package exists, but the name does not.
fn not_declared(
    table: &Table<'_>,
    target: usize,
    import: &ast::Import,
    name: &ast::Name,
    budget: &mut Budget,
) -> Diagnostic {
    let package = package_of(import);
    let there = table.file(target);
    let error = Diagnostic::error(
        Code::E0209,
        name.span,
        format!("package `{package}` declares no `{}`", name.text),
    );
    let near = if budget.take(there.items.len()) {
        suggest::nearest(&name.text, there.items.keys().copied())
    } else {
        None
    };
    match near {
        Some(near) => error.fix(format!("it declares `{near}`"), name.span, near),
        None if there.items.is_empty() => {
            error.help("declare it there; the package declares nothing")
        }
        None => {
            let names: Vec<String> = there
                .items
                .keys()
                .take(8)
                .map(|name| format!("`{name}`"))
                .collect();
            error.help(format!("it declares {}", names.join(", ")))
        }
    }
}
