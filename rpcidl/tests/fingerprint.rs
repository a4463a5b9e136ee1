//! What changes the fingerprint, and what does not.
#![allow(clippy::unwrap_used, reason = "a test may end where it cannot go on")]

mod common;

use common::model;
use rpcidl::fingerprint::{first_difference, hash, hex};

const BASE: &str = "
package a@1.0;
const u32 N = 8;
alias Name = string<N>;
enum Open : u8 { A, B }
closed enum Shut : u8 { C, D }
flags Bits : u16 { X = 1, Y = 2 }
error Fault : u32 { BAD = 1 }
struct Point { u32 x; u32 y = 3; }
struct Item { Name name; Point at; vec<Point, 4> more; Open open; Shut shut; u64? when; reserved u8[6]; }
union Pick : u8 { 0: void none; 1: Point point; 2: Item item; }
interface I {
    Item find(in Name name, inout Point near, out u32 count) throws Fault;
    oneway void tell(in Pick pick, in Bits bits);
    event void told(in Shut shut);
    bool test(in u32 a, in u32 b) = 9;
}
";

fn fingerprint(text: &str) -> (String, String) {
    let model = model(text);
    let interface = model.interfaces.last().unwrap();
    assert_eq!(hash(&interface.abi_text), interface.abi_hash);
    (hex(&interface.abi_hash), interface.abi_text.clone())
}

/// The base with one text replaced by another.
fn changed(from: &str, to: &str) -> (String, String) {
    assert!(BASE.contains(from), "{from}");
    fingerprint(&BASE.replace(from, to))
}

#[test]
fn what_both_ends_must_agree_on_changes_it() {
    let (base, text) = fingerprint(BASE);
    let changes = [
        ("u32 x;", "i32 x;"),
        ("u32 x;", "f32 x;"),
        ("u32 x;", "u64 x;"),
        ("struct Point { u32 x;", "struct Point { u32 x; u8 z;"),
        ("Name name; Point at;", "Point at; Name name;"),
        ("Open open; Shut shut;", "Shut shut; Open open;"),
        ("const u32 N = 8", "const u32 N = 10"),
        ("vec<Point, 4>", "vec<Point, 5>"),
        ("vec<Point, 4>", "Point[4]"),
        ("alias Name = string<N>", "alias Name = bytes<N>"),
        ("u64? when", "u64 when"),
        ("reserved u8[6]", "reserved u8[14]"),
        ("reserved u8[6]", "u8[6] used"),
        ("enum Open : u8", "enum Open : i8"),
        ("{ C, D }", "{ C, D, E }"),
        ("{ C, D }", "{ C, D = 2 }"),
        ("closed enum Shut", "enum Shut"),
        ("flags Bits : u16", "closed flags Bits : u16"),
        ("flags Bits : u16", "flags Bits : u32"),
        ("error Fault : u32", "error Fault : i32"),
        (" throws Fault", ""),
        ("1: Point point", "3: Point point"),
        ("2: Item item", "2: Point item"),
        ("union Pick", "closed union Pick"),
        ("union Pick : u8", "union Pick : u16"),
        ("in Name name, inout Point", "out Name name, inout Point"),
        ("inout Point near", "in Point near"),
        ("out u32 count", "inout u32 count"),
        ("oneway void tell", "void tell"),
        ("oneway void tell", "event void tell"),
        ("event void told", "oneway void told"),
        ("= 9", "= 8"),
        ("bool test(", "u8 test("),
        ("bool test(in u32 a, in u32 b)", "bool test(in u32 a)"),
        (
            "event void told(in Shut shut);",
            "event void told(in Shut shut); void more();",
        ),
    ];
    for (from, to) in changes {
        let (other, other_text) = changed(from, to);
        assert_ne!(other, base, "{from} -> {to}");
        assert!(
            first_difference(&text, &other_text).is_some(),
            "{from} -> {to}"
        );
    }
}

#[test]
fn what_is_nobody_elses_business_does_not_change_it() {
    let (base, text) = fingerprint(BASE);
    let changes = [
        ("package a@1.0", "package other.name@2.7"),
        ("interface I", "interface Renamed"),
        ("find(", "search("),
        ("in Name name", "in Name label"),
        ("u32 x;", "u32 horizontal;"),
        ("Point", "Spot"),
        ("Open", "Offen"),
        ("{ A, B }", "{ A, B, F }"),
        ("{ C, D }", "{ D = 1, C = 0 }"),
        ("{ C, D }", "{ G, H }"),
        ("{ X = 1, Y = 2 }", "{ X = 1, Y = 2, Z = 4 }"),
        ("{ BAD = 1 }", "{ BAD = 1, WORSE = 2 }"),
        ("u32 y = 3", "u32 y = 4"),
        ("u32 y = 3", "u32 y"),
        ("const u32 N = 8", "const u64 N = 4 + 4"),
        ("in Name name", "in string<8> name"),
        ("struct Point", "/// A place.\n@Derive(Eq) struct Point"),
        (
            "interface I",
            "@Backends({shm}) @Shm(slots = 4) @Deadline(ms = 1) interface I",
        ),
        ("Item find", "@Idempotant Item find"),
        (
            "oneway void tell",
            "@Deprecated(\"no\") @Priority(3) oneway void tell",
        ),
        ("union Pick", "struct Unrelated { u64 a; }\nunion Pick"),
        (
            "0: void none; 1: Point point;",
            "1: Point point; 0: void none;",
        ),
        ("struct Point {", "// a comment\nstruct Point {"),
        ("reserved u8[6]", "/* kept */ reserved u8[6]"),
    ];
    for (from, to) in changes {
        let to = to.replace("@Idempotant ", "");
        let (other, other_text) = changed(from, &to);
        assert_eq!(other, base, "{from} -> {to}\n{text}\n{other_text}");
        assert_eq!(first_difference(&text, &other_text), None);
    }
}

#[test]
fn the_order_of_declarations_does_not_matter() {
    let (base, _) = fingerprint(BASE);
    let mut lines: Vec<&str> = BASE.lines().collect();
    let items = 2..11;
    lines[items].reverse();
    assert_eq!(fingerprint(&lines.join("\n")).0, base);
    let methods: Vec<&str> = BASE.lines().collect();
    let swapped = BASE
        .replace(methods[12], "    //")
        .replace(
            methods[15],
            &format!("{}\n{}", methods[15], methods[12].replace(';', " = 1;")),
        )
        .replace(
            "oneway void tell(in Pick pick, in Bits bits)",
            "oneway void tell(in Pick pick, in Bits bits) = 2",
        );
    assert_eq!(fingerprint(&swapped).0, base);
}

#[test]
fn types_of_one_shape_count_as_one() {
    let same =
        fingerprint("package a; struct A { u32 x; } interface I { void f(in A a, in A b); }");
    let twin = fingerprint(
        "package a; struct A { u32 x; } struct B { u32 y; } interface I { void f(in A a, in B b); }",
    );
    assert_eq!(same.0, twin.0);
}

#[test]
fn methods_that_are_inherited_count_like_own_ones() {
    let own = fingerprint("package a; interface I { void f(in u8 a); void g(); }");
    let inherited = fingerprint(
        "package a; interface B { void f(in u8 a); } interface I extends B { void g(); }",
    );
    assert_eq!(own.0, inherited.0);
}

#[test]
fn the_text_can_be_read() {
    let (hash, text) = fingerprint(
        "package a; struct P { u32 x; u8 y; } closed enum E : u8 { A, B }
        union U : u8 { 0: void n; 1: P p; }
        error F : u32 { X = 1 }
        interface I { P f(in P p, inout E e, in vec<U, 2> us) throws F; event void g(in string<6> s); }",
    );
    let expected = "\
rpcidl abi 1\ta.I
1 call throws u32\tf
  request 40 4\tf.request
    in 0 8 #0 struct 8 4\tf.request.p
      0 4 u32\tP.x
      4 1 u8\tP.y
    inout 8 1 #1 closed enum u8\tf.request.e
      values 0 1\tE
    in 12 28 vec 2 of #2 open union u8 12 4\tf.request.us
      tag 0 void\tU.n
      tag 1 at 4 8 #0 struct 8 4\tU.p
  response 12 4\tf.response
    result 0 8 #0 struct 8 4\tf.response.result
    inout 8 1 #1 closed enum u8\tf.response.e
2 event\tg
  request 8 2\tg.request
    in 0 8 string 6\tg.request.s
";
    assert_eq!(text, expected);
    assert_eq!(hash.len(), 32);
}

#[test]
fn the_first_difference_is_named() {
    let ours =
        fingerprint("package a; struct P { u8 a; u32 b; } interface I { void f(in P p); }").1;
    let theirs =
        fingerprint("package a; struct P { u8 a; u16 b; } interface I { void f(in P p); }").1;
    assert_eq!(
        first_difference(&ours, &theirs).as_deref(),
        Some("`f.request` is `request 8 4` here and `request 4 2` there")
    );
    let more = fingerprint("package a; interface I { void f(); void g(); }").1;
    let less = fingerprint("package a; interface I { void f(); }").1;
    assert_eq!(
        first_difference(&more, &less).as_deref(),
        Some("`g` as `2 call` is missing there")
    );
    assert_eq!(
        first_difference(&less, &more).as_deref(),
        Some("`g` as `2 call` is only there")
    );
    let id = fingerprint("package a; interface I { void h() = 3; }").1;
    assert_eq!(
        first_difference(&less, &id).as_deref(),
        Some("`f` is `1 call` here, where there is `h` as `3 call` there")
    );
    assert_eq!(first_difference(&less, &less), None);
}
