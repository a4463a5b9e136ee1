//! What is refused in a text, and that a slip costs no more than itself.
#![allow(clippy::unwrap_used, reason = "a test may end where it cannot go on")]

mod common;

use common::generate::tree;
use common::read::{at, found, mended, read};
use rpcidl::ast::{InterfaceMember, Item, StructMember};

#[test]
fn several_errors_are_found_at_once_and_siblings_survive() {
    let text = "\
package acme.kv@1.2;
const u32 MAX = 5
struct S {
    u32 first
    u32 key[4];
    key2: vec<u8, 4>;
    Foo* pointer;
    u32;
    u32 x = ;
    vec<u8; 4> list;
    u32 last;
}
enum E : u8 { A = 0 B = 1, 3, C : 4, D }
union U : u8 { 0: void none, void lost; 2: u32 last; }
interface I {
    get(in u32 a);
    void put(in key, in u32 a in u32 b, u32, in u32 z = 5, in u32 last);
    void body() { return; }
    void unclosed(in u32 a;
    u32 field;
    @Deadline(us 50) void annotated();
    void last();
}
strct Lost { u32 a; }
}
struct Last { u32 z; }
";
    let expected = [
        "E0102@2:18 missing `;` after this constant",
        "E0102@4:14 missing `;` after this field",
        "E0101@5:12 the size of an array belongs to its type",
        "E0101@6:5 the type stands before the name",
        "E0101@7:8 there are no pointers and no references",
        "E0104@8:8 expected a name, found `;`",
        "E0106@9:12 a value is missing",
        "E0101@10:11 the arguments of a type are separated by `,`",
        "E0103@13:20 missing `,` after this member",
        "E0101@13:28 `3` cannot begin anything in an enumeration",
        "E0109@13:33 `:` stands between the name and its value",
        "E0102@14:28 this arm ends in `,`",
        "E0117@14:30 arm `lost` has no number",
        "E0105@16:5 method `get` has no result type",
        "E0105@17:17 parameter `key` has no type",
        "E0103@17:30 missing `,` after this parameter",
        "E0104@17:44 expected a name, found `,`",
        "E0101@17:55 parameters have no defaults",
        "E0101@18:17 methods have no body",
        "E0107@19:18 this `(` is never closed",
        "E0111@20:5 a field cannot stand in an interface",
        "E0101@21:18 no `=` between `us` and its value",
        "E0112@24:1 unknown declaration `strct`",
        "E0108@25:1 this `}` closes nothing",
    ];
    assert_eq!(found(text), expected);

    let (file, _) = read(text);
    let names = |item: &Item| match item {
        Item::Const(item) => item.name.text.clone(),
        Item::Struct(item) => {
            let fields = item.members.iter().map(|member| match member {
                StructMember::Field(field) => field.name.text.clone(),
                _ => "?".to_owned(),
            });
            format!(
                "{}({})",
                item.name.text,
                fields.collect::<Vec<_>>().join(" ")
            )
        }
        Item::Enum(item) => {
            let members: Vec<&str> = item
                .members
                .iter()
                .map(|member| member.name.text.as_str())
                .collect();
            format!("{}({})", item.name.text, members.join(" "))
        }
        Item::Union(item) => {
            let arms: Vec<&str> = item.arms.iter().map(|arm| arm.name.text.as_str()).collect();
            format!("{}({})", item.name.text, arms.join(" "))
        }
        Item::Interface(item) => {
            let methods = item.members.iter().map(|member| match member {
                InterfaceMember::Method(method) => {
                    format!("{}/{}", method.name.text, method.params.len())
                }
                _ => "?".to_owned(),
            });
            format!(
                "{}({})",
                item.name.text,
                methods.collect::<Vec<_>>().join(" ")
            )
        }
        _ => "?".to_owned(),
    };
    assert_eq!(
        file.items.iter().map(names).collect::<Vec<_>>(),
        [
            "MAX",
            "S(first ? ? ? ? x ? last)",
            "E(A B C D)",
            "U(none lost last)",
            "I(get/1 put/4 ? ? ? annotated/0 last/0)",
            "?",
            "Last(z)",
        ]
    );
}

#[test]
fn one_slip_is_one_error() {
    let cases = [
        // Lexical.
        (
            "const u8 A = 1; /* open",
            "E0006@1:17 comment is never closed",
        ),
        (
            "const string<4> A = \"abc;\nconst u8 B = 1;",
            "E0007@1:21 string is never closed",
        ),
        (
            "const string<4> A = \"\\q\";",
            "E0008@1:22 unknown escape `\\q`",
        ),
        ("const u8 A = 0x;", "E0009@1:14 number `0x` has no digits"),
        (
            "const u8 A = 010;",
            "E0009@1:14 number `010` begins with a zero",
        ),
        ("const u8 A = 1u;", "E0009@1:14 number `1u` ends in letters"),
        (
            "const u8 A = 'a';",
            "E0005@1:14 there are no character literals",
        ),
        (
            "#include <a>\nconst u8 A = 1;",
            "E0005@1:1 there is no preprocessor",
        ),
        (
            "struct S { u8 gr\u{f6}\u{df}e; }",
            "E0005@1:17 unexpected character `\u{f6}`",
        ),
        (
            "struct S { u8\0 a; }",
            "E0004@1:14 NUL character in the text",
        ),
        (
            "struct S { // \u{202e}\n u8 a; }",
            "E0004@1:15 control character U+202E in the text",
        ),
        (
            "#[derive(Debug, A = \"]\")] struct S { u8 a; }",
            "E0005@1:1 there are no attributes",
        ),
        ("const u8 A = 0b12;", "E0009@1:14 `2` is not a binary digit"),
        ("const u8 A = 0o9;", "E0009@1:14 `9` is not an octal digit"),
        // Heads.
        ("package a@v1;", "E0120@1:11 `v1` is not a version"),
        ("package a.b@1.2.3;", "E0120@1:13 `1.2.3` is not a version"),
        ("package a@1.x;", "E0120@1:11 `1.x` is not a version"),
        (
            "import a.b as c.d;",
            "E0101@1:15 the name after `as` is one word",
        ),
        (
            "import a . b;",
            "E0101@1:10 names are joined by `.` without blanks",
        ),
        (
            "structS : { u8 a; }",
            "E0112@1:1 unknown declaration `structS`",
        ),
        (
            "struct S { u8 a, b; }",
            "E0101@1:16 one statement declares one field",
        ),
        (
            "struct S { u8 a = 1, b, c; }",
            "E0101@1:20 one statement declares one field",
        ),
        ("struct { u8 a; }", "E0104@1:7 this struct has no name"),
        (
            "struct S : B { u8 a; }",
            "E0101@1:10 expected `{` after the head of this struct, found `: B`",
        ),
        (
            "struct S<T> { T a; }",
            "E0101@1:9 expected `{` after the head of this struct, found `<T>`",
        ),
        (
            "enum E = u8 { A }",
            "E0109@1:8 `=` stands between the name and its type",
        ),
        (
            "enum E : { A }",
            "E0101@1:8 expected `{` after the head of this enum, found `:`",
        ),
        (
            "interface I : B { }",
            "E0109@1:13 `:` stands before the interface that this one extends",
        ),
        (
            "interface I extends A, B { }",
            "E0101@1:22 expected `{` after the head of this interface, found `, B`",
        ),
        ("struct S;", "E0118@1:1 this declaration has no body"),
        (
            "closed struct S { u8 a; }",
            "E0115@1:1 `closed` means nothing before `struct`",
        ),
        ("typedef u8 A;", "E0112@1:1 unknown declaration `typedef`"),
        ("service S { }", "E0112@1:1 unknown declaration `service`"),
        (
            "const u8 A = 1; hello world",
            "E0112@1:17 unknown declaration `hello`",
        ),
        // Files.
        (
            "const u8 A = 1; package a;",
            "E0113@1:17 the package does not stand first",
        ),
        ("package a; package b;", "E0113@1:12 a file has one package"),
        (
            "package a; edition 1;",
            "E0113@1:12 the edition does not stand first",
        ),
        ("edition 2;", "E0119@1:9 unknown edition `2`"),
        ("package a@1;", "E0120@1:11 `1` is not a version"),
        ("import a.*;", "E0101@1:10 names are imported one by one"),
        (
            "import \"a.idl\";",
            "E0101@1:8 an import names a package and a name in it, not a file",
        ),
        (
            "import a.B\nimport a.C;",
            "E0102@1:11 missing `;` after this import",
        ),
        (
            "u8 a;",
            "E0111@1:1 a field cannot stand among the declarations of a file",
        ),
        // Constants and types.
        ("const A = 1;", "E0104@1:7 this constant has no name"),
        ("const AB = 1;", "E0105@1:7 constant `AB` has no type"),
        (
            "const A: u8 = 1;",
            "E0101@1:7 the type stands before the name",
        ),
        (
            "const u8 A: 1;",
            "E0109@1:11 `:` stands between the name and its value",
        ),
        (
            "const u8 A = B ? 1 : 2;",
            "E0101@1:16 there are no conditional expressions",
        ),
        ("const u8 A = B::C;", "E0101@1:15 names are joined by `.`"),
        (
            "alias u8 A;",
            "E0101@1:7 an alias is written as `alias Name = type;`",
        ),
        (
            "alias A = string<1 << 4>;",
            "E0110@1:20 `<<` between `<` and `>`",
        ),
        (
            "alias A = string<8 >> 1>;",
            "E0110@1:20 `>>` between `<` and `>`",
        ),
        (
            "struct S { string<8 > 1> a; }",
            "E0110@1:21 `>` between `<` and `>`",
        ),
        (
            "struct S { List<u8> a; }",
            "E0114@1:12 type `List` takes no arguments",
        ),
        (
            "struct S { string<4 a; }",
            "E0107@1:21 expected `>`, found `a`",
        ),
        (
            "struct S { [u8; 4] a; }",
            "E0105@1:12 expected a type, found `[`",
        ),
        (
            "struct S { unsigned int a; }",
            "E0101@1:12 `unsigned` is not a word of this language",
        ),
        (
            "struct S { u8 a, b; }",
            "E0101@1:16 one statement declares one field",
        ),
        (
            "struct S { u8 a;; }",
            "E0116@1:17 nothing stands before this `;`",
        ),
        (
            "struct S { 0: u8 a; }",
            "E0111@1:12 a numbered arm cannot stand in a struct",
        ),
        (
            "struct S { void f(); }",
            "E0111@1:12 a method cannot stand in a struct",
        ),
        (
            "enum E : u8 { reserved 1..=3 }",
            "E0101@1:25 a range of reserved numbers is written with `..`",
        ),
        (
            "enum E : u8 { A; B }",
            "E0103@1:16 members are separated by `,`",
        ),
        (
            "union U : u8 { 0 = u8 a; }",
            "E0109@1:18 `=` stands between the number and the type of this arm",
        ),
        // Methods.
        (
            "interface I { get(in u8 a) -> u8; }",
            "E0101@1:28 the result type stands before the name of the method",
        ),
        (
            "interface I { get() generates (u8 a); }",
            "E0101@1:21 results are not written after `generates`",
        ),
        (
            "interface I { u8 get() throws A, B; }",
            "E0101@1:32 a method throws one error type",
        ),
        (
            "interface I { oneway oneway void f(); }",
            "E0115@1:22 `oneway` is written twice",
        ),
        (
            "interface I { @A(b = 1, us 5) void f(); }",
            "E0101@1:28 no `=` between `us` and its value",
        ),
        (
            "interface I { @A({a b}) void f(); }",
            "E0101@1:21 expected `,` or `}`, found `b`",
        ),
        (
            "interface I { @A(us: 5) void f(); }",
            "E0109@1:20 `:` stands between the key and its value",
        ),
        (
            "interface I { void f(Key in key); }",
            "E0101@1:26 `in` stands before the type",
        ),
        (
            "interface I { void f(in key: Key); }",
            "E0101@1:25 the type stands before the name",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(found(text), [expected], "{text}");
    }
}

#[test]
fn braces_are_closed_where_the_lines_say() {
    let text = "struct A {\n    u8 a;\n\nstruct B {\n    u8 b;\n}\n\ninterface I {\n    struct C {\n        u8 c;\n\n    void f();\n}\n";
    assert_eq!(
        found(text),
        [
            "E0107@1:10 this `{` is never closed",
            "E0107@9:14 this `{` is never closed"
        ]
    );
    let closed = "struct A {\n    u8 a;\n\n}struct B {\n    u8 b;\n}\n\ninterface I {\n    struct C {\n        u8 c;\n\n    }void f();\n}\n";
    assert_eq!(tree(&read(text).0).replace(" ", ""), {
        let (mut file, _) = read(closed);
        // Only the length of the text differs.
        file.span = read(text).0.span;
        tree(&file).replace(" ", "")
    });
    assert_eq!(
        found("struct A { u8 a;"),
        ["E0107@1:10 this `{` is never closed"]
    );
}

#[test]
fn edits_mend() {
    let cases = [
        (
            "const u8 A = 1\nconst u8 B = 2;",
            "const u8 A = 1;\nconst u8 B = 2;",
        ),
        ("const A: u8 = 1;", "const u8 A = 1;"),
        ("alias u8 A;", "alias A = u8;"),
        ("alias A = string<1 << 4>;", "alias A = string<(1 << 4)>;"),
        (
            "struct S { string<8 > 1> a; }",
            "struct S { string<(8 > 1)> a; }",
        ),
        (
            "struct S { vec<u8, 8 > 1> a; }",
            "struct S { vec<u8, (8 > 1)> a; }",
        ),
        ("struct S { u8 a[4][2]; }", "struct S { u8[4][2] a; }"),
        ("struct S { a: vec<u8, 4>; }", "struct S { vec<u8, 4> a; }"),
        ("struct S { Option<u8> a; }", "struct S { u8? a; }"),
        ("struct S { Option<u8 // why\n> a; }", "struct S { u8? a; }"),
        ("struct S { strng<3> a; }", "struct S { string<3> a; }"),
        ("struct S { String<30> a; }", "struct S { string<30> a; }"),
        ("struct S { Vec<u8, 4> a; }", "struct S { vec<u8, 4> a; }"),
        ("struct S { array<u8, 4> a; }", "struct S { u8[4] a; }"),
        (
            "enum E = u8 { A: 1; B = 2 C }",
            "enum E : u8 { A = 1, B = 2, C }",
        ),
        (
            "union U : u8 { 0 = u8 a, 1: u8 b; }",
            "union U : u8 { 0 : u8 a; 1: u8 b; }",
        ),
        (
            "interface I : B { get(in u8 a in u8 b); }",
            "interface I extends B { void get(in u8 a, in u8 b); }",
        ),
        ("closed struct S { u8 a;; }", "struct S { u8 a; }"),
        ("message S { u8 a; }", "struct S { u8 a; }"),
        ("package a@1;", "package a@1.0;"),
        ("structS { u8 a; }", "struct S { u8 a; }"),
        (
            "interface I { structS { u8 a; } void f(); }",
            "interface I { struct S { u8 a; } void f(); }",
        ),
        (
            "struct S {\n  Key a,\n  Key? b\n}",
            "struct S {\n  Key a;\n  Key? b;\n}",
        ),
        (
            "struct S { u8 a, u8[2] b, string<4> c = \"d\", vec<u8, 3> e }",
            "struct S { u8 a; u8[2] b; string<4> c = \"d\"; vec<u8, 3> e; }",
        ),
        ("struct S { u8 a, @A u8 b }", "struct S { u8 a; @A u8 b; }"),
        (
            "interface I { @A({b}, us 5) void f(); }",
            "interface I { @A({b}, us = 5) void f(); }",
        ),
        ("const u8 A = 12u + 089;", "const u8 A = 12 + 89;"),
        (
            "const string<4> A = \"\\d\";",
            "const string<4> A = \"\\\\d\";",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(mended(text), expected);
        assert_eq!(found(expected), Vec::<String>::new(), "{expected}");
    }
}

#[test]
fn too_many_errors_end_the_list() {
    let text = "struct S { ? }\n".repeat(2000);
    let findings = found(&text);
    assert_eq!(findings.len(), 1001);
    assert!(findings.last().unwrap().starts_with("E0013"));
}

/// What would be found in the rest would not be told.
#[test]
fn too_many_errors_end_the_reading() {
    let text = "nonsense here;\n".repeat(5000) + "struct Last {}";
    let (file, findings) = read(&text);
    assert_eq!(findings.len(), 1001);
    // One error was too many, and what follows it is one piece.
    assert_eq!(file.items.len(), 1002);
    let Some(Item::Invalid(rest)) = file.items.last() else {
        panic!()
    };
    assert!(
        at(&text, *rest).starts_with("nonsense") && at(&text, *rest).ends_with("struct Last {}")
    );
}

/// Also where the text that they repeat has several lines.
#[test]
fn proposals_are_one_line() {
    let cases = [
        "alias.\n    u32 queue(in Name name);\n",
        "struct S { List<// of\n u8\n> a; }",
        "typedef // a\n u8 // b\n A;",
        "struct S { key: vec<u8, // few\n 4>; }",
        "struct S { u8 // small\n a, b; }",
        "interface I { void f(Key // first\n in key); }",
    ];
    for text in cases {
        let (_, findings) = read(text);
        assert!(!findings.is_empty(), "{text}");
        for found in findings {
            assert!(!found.message.contains('\n'), "{found:?}");
            assert!(!found.help.unwrap_or_default().contains('\n'), "{text}");
        }
    }
    assert_eq!(
        mended("struct S { key: vec<u8, // few\n 4>; }"),
        "struct S { vec<u8, // few\n 4> key; }"
    );
}
