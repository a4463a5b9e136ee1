//! From text to tree: what is read, and that any text is survived.
#![allow(clippy::unwrap_used, reason = "a test may end where it cannot go on")]

mod common;

use common::generate::Generator;
use common::read::{at, found, read};
use proptest::prelude::*;
use rpcidl::ast::{ExprKind, InterfaceMember, Item, StructMember, TypeKind};
use rpcidl::diag::Severity;
use rpcidl::source::Span;

#[test]
fn keywords_are_names() {
    let text = "
        struct event { u32 struct; event event; string<4> string; buffer<read> buffer; u8 reserved; const.in type; }
        enum enum : u8 { reserved, closed = 1, const }
        union union : u8 { 0: void void; const: struct struct; }
        interface interface extends extends {
            event void event(in u8 in);
            event event(in in in, out out out);
            oneway oneway(in u8 throws) throws throws = id;
            const const();
        }
        alias alias = alias;
        const const const = const;
    ";
    assert_eq!(found(text), Vec::<String>::new());
    let (file, _) = read(text);
    let Some(Item::Interface(interface)) = file.items.get(3) else {
        panic!("{file:?}")
    };
    let modifiers: Vec<(bool, bool)> = interface
        .members
        .iter()
        .map(|member| match member {
            InterfaceMember::Method(method) => (method.event.is_some(), method.oneway.is_some()),
            _ => panic!("{member:?}"),
        })
        .collect();
    assert_eq!(
        modifiers,
        [
            (true, false),
            (false, false),
            (false, false),
            (false, false)
        ]
    );
}

#[test]
fn arrays_and_optionals_nest_as_written() {
    let text = "struct S { u8[3][2]?[4] a; }";
    let (file, _) = read(text);
    let Some(Item::Struct(item)) = file.items.first() else {
        panic!()
    };
    let Some(StructMember::Field(field)) = item.members.first() else {
        panic!()
    };
    let size = |expr: &rpcidl::ast::Expr| match expr.kind {
        ExprKind::Int(Some(value)) => value,
        _ => panic!(),
    };
    let TypeKind::Array(optional, four) = &field.ty.kind else {
        panic!()
    };
    let TypeKind::Optional(three) = &optional.kind else {
        panic!()
    };
    let TypeKind::Array(two, outer) = &three.kind else {
        panic!()
    };
    let TypeKind::Array(_, inner) = &two.kind else {
        panic!()
    };
    assert_eq!((size(four), size(outer), size(inner)), (4, 3, 2));
    assert_eq!(at(text, field.ty.span), "u8[3][2]?[4]");
    assert_eq!(at(text, three.span), "u8[3][2]");
}

#[test]
fn precedence_is_that_of_c() {
    let cases = [
        ("1 + 2 * 3", "(1 + (2 * 3))"),
        ("1 - 2 - 3", "((1 - 2) - 3)"),
        ("-1 + ~2 << 3", "((-1 + ~2) << 3)"),
        (
            "1 | 2 ^ 3 & 4 == 5 < 6 << 7 + 8",
            "(1 | (2 ^ (3 & (4 == (5 < (6 << (7 + 8)))))))",
        ),
        ("a && b || c && d", "((a && b) || (c && d))"),
        ("1 * (2 + 3)", "(1 * <(2 + 3)>)"),
        ("!!a.b", "!!a.b"),
    ];
    for (text, expected) in cases {
        let text = format!("const u8 A = {text};");
        let (file, errors) = read(&text);
        assert!(errors.is_empty());
        let Some(Item::Const(item)) = file.items.first() else {
            panic!()
        };
        assert_eq!(shape(&text, &item.value), expected);
    }
}

/// An expression with all of its parentheses.
fn shape(text: &str, expr: &rpcidl::ast::Expr) -> String {
    match &expr.kind {
        ExprKind::Binary(_, sign, left, right) => {
            format!(
                "({} {} {})",
                shape(text, left),
                at(text, *sign),
                shape(text, right)
            )
        }
        ExprKind::Unary(_, operand) => {
            format!("{}{}", &at(text, expr.span)[..1], shape(text, operand))
        }
        ExprKind::Paren(inner) => format!("<{}>", shape(text, inner)),
        _ => at(text, expr.span).to_owned(),
    }
}

#[test]
fn documentation_finds_its_place() {
    let text = "\
//! One.
package a;
//! Two.
/** Three
 *   four */
@A /// five
struct S { /// six
    u8 a; /// lost
    /* plain */ u8 b;
    /// kept
    reserved u8[4];
    /// lost too
}
";
    let (file, findings) = read(text);
    let texts =
        |docs: &[rpcidl::ast::Doc]| docs.iter().map(|doc| doc.text.clone()).collect::<Vec<_>>();
    assert_eq!(texts(&file.docs), ["One.", "Two."]);
    let Some(Item::Struct(item)) = file.items.first() else {
        panic!()
    };
    assert_eq!(texts(&item.attrs.docs), ["Three", "  four", "five"]);
    let Some(StructMember::Field(field)) = item.members.first() else {
        panic!()
    };
    assert_eq!(texts(&field.attrs.docs), ["six"]);
    let comments: Vec<&str> = file
        .comments
        .iter()
        .map(|comment| comment.text.as_str())
        .collect();
    assert_eq!(
        comments,
        ["/// lost", "/* plain */", "/// kept", "/// lost too"]
    );
    assert!(
        findings
            .iter()
            .all(|found| found.severity == Severity::Warning && found.code.name == "W0101")
    );
    assert_eq!(findings.len(), 2);
}

#[test]
fn places_are_exact_between_comments_and_line_ends() {
    let text = "\u{feff}/* é */ const /*1*/ u32 /*2*/ LIMIT /*3*/ = /*4*/ 10 /*5*/ + /*6*/ 2 /*7*/ ; // 8\r\n\
        @A(x = 1) /*9*/ struct S { vec< u8 , 4 > /*10*/ a /*11*/ ; }\r\n";
    let (file, findings) = read(text);
    assert!(findings.is_empty());
    let Some(Item::Const(item)) = file.items.first() else {
        panic!()
    };
    assert_eq!(at(text, item.ty.span), "u32");
    assert_eq!(at(text, item.name.span), "LIMIT");
    assert_eq!(at(text, item.value.span), "10 /*5*/ + /*6*/ 2");
    assert!(
        at(text, item.span).starts_with("const /*1*/") && at(text, item.span).ends_with("/*7*/ ;")
    );
    let Some(Item::Struct(item)) = file.items.get(1) else {
        panic!()
    };
    assert_eq!(
        at(text, item.attrs.annotations.first().unwrap().span),
        "@A(x = 1)"
    );
    let Some(StructMember::Field(field)) = item.members.first() else {
        panic!()
    };
    assert_eq!(at(text, field.ty.span), "vec< u8 , 4 >");
    assert_eq!(at(text, field.span), "vec< u8 , 4 > /*10*/ a /*11*/ ;");
    assert_eq!(file.comments.len(), 12);
}

/// What must hold for any text.
fn survives(text: &str) {
    let (file, findings) = read(text);
    assert_eq!(file.span.range(), 0..text.len());
    let inside = |span: Span| text.get(span.range()).is_some();
    for finding in &findings {
        let labels = finding.primary.iter().chain(&finding.secondary);
        assert!(labels.map(|label| label.span).all(inside), "{finding:?}");
        assert!(
            finding.edit.iter().all(|edit| inside(edit.span)),
            "{finding:?}"
        );
        assert!(
            !finding.message.is_empty() && !finding.message.ends_with('.'),
            "{finding:?}"
        );
    }
    let starts: Vec<u32> = findings
        .iter()
        .filter_map(|finding| finding.primary.as_ref())
        .map(|label| label.span.start)
        .collect();
    assert!(starts.is_sorted() || findings.len() > 1000);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn sound_texts_are_read(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let text = Generator::new(&bytes).file();
        let (_, findings) = read(&text);
        prop_assert!(findings.iter().all(|found| found.severity == Severity::Warning), "{findings:?}\n{text}");
        survives(&text);
    }

    #[test]
    fn damaged_texts_are_survived(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        cuts in prop::collection::vec((any::<prop::sample::Index>(), 0..4_usize, "[-;,:=(){}<>\\[\\]@.\"'/*#a0 \n\u{e9}]{0,3}"), 1..8),
    ) {
        let mut text: Vec<char> = Generator::new(&bytes).file().chars().collect();
        for (place, length, put) in cuts {
            let start = place.index(text.len());
            let end = (start + length).min(text.len());
            text.splice(start..end, put.chars());
        }
        survives(&text.into_iter().collect::<String>());
    }

    #[test]
    fn any_text_is_survived(text in "\\PC*") {
        survives(&text);
    }

    #[test]
    fn any_signs_are_survived(text in "[-+;,:=(){}<>\\[\\]@.\"'/*#?!|&a0 \n]{0,200}") {
        survives(&text);
    }
}
