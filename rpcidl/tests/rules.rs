//! One failing case for every rule, beyond the one on its page.

mod common;

use common::{codes, compile_text, lines, style};

/// The codes in a text that begins with a package statement of its own.
fn found(items: &str) -> Vec<&'static str> {
    let compilation = compile_text(&format!("package a@1.2;\n{items}"));
    let wrong = style(&compilation);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    codes(&compilation)
}

/// Asserts the codes of many texts at once and shows every one that differs.
#[track_caller]
fn check(cases: &[(&str, &[&str])]) {
    let wrong: Vec<String> = cases
        .iter()
        .filter(|(text, expected)| found(text) != *expected)
        .map(|(text, expected)| {
            let all = lines(&compile_text(&format!("package a@1.2;\n{text}")));
            format!("{text}\n  expected {expected:?}\n  found {all:#?}")
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn names() {
    check(&[
        ("struct A { B b; }", &["E0201"]),
        ("struct A { A.B b; }", &["E0201"]),
        (
            "struct A { Outer.Inner b; } struct Outer { struct Innr { u8 x; } Innr y; }",
            &["E0201"],
        ),
        ("struct A { u8 b = C; }", &["E0202"]),
        ("enum E : u8 { X } struct A { E e = X; }", &["E0202"]),
        ("enum E : u8 { X } struct A { E e = E.Y; }", &["E0202"]),
        ("struct A { u8 x; } struct A { u8 x; }", &["E0203"]),
        ("struct A { u8 x; } const u8 A = 1;", &["E0203"]),
        ("struct A { u8 x; u16 x; }", &["E0203"]),
        ("enum E : u8 { X, X }", &["E0203"]),
        ("union U : u8 { 0: u8 a; 1: u8 a; }", &["E0203"]),
        ("interface I { void f(in u8 a, in u8 a); }", &["E0203"]),
        (
            "interface I { void f(); } interface J extends I { void f(); }",
            &["E0203"],
        ),
        (
            "struct S { struct T { u8 x; } enum T : u8 { A } T t; }",
            &["E0203"],
        ),
        (
            "struct Ab { u8 x; } struct AB { u8 x; } struct ab { u8 x; }",
            &["E0204", "E0204"],
        ),
        (
            "struct OuterInner { u8 x; } struct Outer { struct Inner { u8 x; } Inner i; }",
            &["E0204"],
        ),
        ("enum E : u8 { NOT_FOUND, NotFound }", &["E0204"]),
        ("interface I { void get_it(); void getIt(); }", &["E0204"]),
        ("const u8 A_B = 1; const u8 aB = 2;", &["E0204"]),
        ("struct S { u8 self; u8 self_; }", &["E0204"]),
        ("struct S { u8 _pad0; }", &["E0205"]),
        ("struct S { u8 _reserved12; }", &["E0205"]),
        ("struct S { u8 _padding; }", &[]),
        ("struct S { u8 _; }", &["E0205"]),
        ("struct bool { u8 x; }", &["E0205"]),
        ("interface I { u8 f(out u8 result); }", &["E0205"]),
        ("interface I { u8 f(in u8 result); }", &[]),
        ("struct S { uint32_t x; }", &["E0206"]),
        ("struct S { String x; }", &["E0206"]),
        ("struct S { Map x; }", &["E0206"]),
        ("struct int { u8 x; } struct S { int x; }", &[]),
        ("const u8 C = 1; struct S { C x; }", &["E0213"]),
        ("enum E : u8 { X } struct S { E.X x; }", &["E0213"]),
        ("struct T { u8 x; } const u8 C = T;", &["E0213"]),
        ("enum E : u8 { X } const u8 C = E;", &["E0213"]),
    ]);
}

#[test]
fn keywords_are_names_where_the_grammar_wants_one() {
    check(&[
        (
            "struct event { u32 struct; } interface I { event void event(in event in); void oneway(in event event); }",
            &[],
        ),
        (
            "struct string { u8 x; } struct S { string a; string<4> b; }",
            &[],
        ),
        (
            "struct buffer { u8 x; } struct vec { u8 x; } struct bytes { u8 x; } struct S { buffer a; vec b; bytes c; }",
            &[],
        ),
        ("struct S { type x; } struct type { u8 type; }", &[]),
    ]);
}

#[test]
fn types() {
    check(&[
        (
            "struct S { string a; bytes b; vec<u8> c; }",
            &["E0301", "E0301", "E0301"],
        ),
        (
            "struct S { string<0> a; bytes<65536> b; vec<u8, 0> c; u8[0] d; }",
            &["E0302", "E0302", "E0302", "E0302"],
        ),
        (
            "struct S { string<1.5> a; bytes<true> b; }",
            &["E0310", "E0310"],
        ),
        ("struct S { u8[-1] a; }", &["E0302"]),
        ("struct S { S s; }", &["E0304"]),
        (
            "struct A { B? b; } struct B { vec<C, 2> c; } union C : u8 { 0: A a; }",
            &["E0304"],
        ),
        ("alias A = B; alias B = A; struct S { A a; }", &["E0304"]),
        ("struct S { u8?? a; }", &["E0315"]),
        ("struct S { void a; }", &["E0316"]),
        ("struct S { vec<void, 2> a; }", &["E0316"]),
        ("alias V = void;", &["E0316"]),
        ("enum E { A }", &["E0318"]),
        ("enum E : f32 { A }", &["E0318"]),
        ("flags F : i8 { A = 1 }", &["E0318"]),
        ("error F : u8 { A = 1 }", &["E0318"]),
        ("union U { 0: u8 a; }", &["E0318"]),
        ("union U : i8 { 0: u8 a; }", &["E0318"]),
        ("enum E : Missing { A }", &["E0201"]),
        ("alias Byte = u8; enum E : Byte { A }", &[]),
        ("struct S { }", &["E0325"]),
        ("enum E : u8 { }", &["E0325"]),
        ("union U : u8 { }", &["E0325"]),
        ("struct S { u8 x; reserved u16[2]; }", &["E0326"]),
        ("struct S { u8 x; reserved u8; }", &["E0326"]),
        ("closed error E : u32 { A = 1 }", &["E0328"]),
        ("closed enum E : u8 { A = 1 }", &["W0301"]),
        ("closed union U : u8 { 1: u8 a; }", &["W0301"]),
        (
            "interface I { @Deadline(us = 5) oneway void f(); }",
            &["E0602"],
        ),
        ("interface I { @Idempotent event void f(); }", &["E0602"]),
        ("@Deadline(us = 5) interface I { oneway void f(); }", &[]),
        ("struct S { u8 a = 1; u16 b = 2; }", &["W0302"]),
        ("struct S { u8 a = 1; }", &[]),
        ("struct S { u8 a = 0x1; u16 b = 2; }", &[]),
        ("struct S { u8 a = 1; u16 b = 2; u8 c; }", &[]),
        ("struct S { bytes<7> x; }", &["W0401"]),
        ("struct S { string<65535> x; }", &["E0401"]),
    ]);
}

#[test]
fn constants() {
    check(&[
        ("const u8 A = A;", &["E0303"]),
        (
            "const u8 A = B; const u8 B = C + 1; const u8 C = A;",
            &["E0303"],
        ),
        ("enum E : u8 { A = B, B }", &["E0303"]),
        (
            "enum E : u8 { A = F.A } enum F : u8 { A = E.A }",
            &["E0303"],
        ),
        (
            "enum E : u8 { A = 1, B = A + 1, C = E.B << 1 } struct S { u8[E.C] x; }",
            &[],
        ),
        (
            "const u8 A = 256; const i8 B = -129; const u64 C = -1;",
            &["E0305", "E0305", "E0305"],
        ),
        (
            "const u8 A = 255; const i8 B = -128; const u64 C = 0xffff_ffff_ffff_ffff;",
            &[],
        ),
        ("const u8 A = ~0;", &["E0305"]),
        ("const u8 A = ~0 & 0xff;", &[]),
        ("const f32 A = 1e39; const f64 B = 1e39;", &["E0305"]),
        ("enum E : u8 { A = 255, B }", &["E0305"]),
        (
            "const u8 A = 1 / 0; const u8 B = 1 % 0; const f64 C = 1.0 / 0.0;",
            &["E0306", "E0306", "E0306"],
        ),
        (
            "const bool A = false && 1 / 0 == 1; const bool B = true || 1 / 0 == 1;",
            &[],
        ),
        (
            "const u8 A = 1 << 8; const u32 B = 1 << 31; const u32 C = 1 << 32; const u8 D = 1 >> -1;",
            &["E0307", "E0307", "E0307"],
        ),
        ("struct S { u8[1 << 127] x; }", &["E0308"]),
        ("struct S { u8[1 << 128] x; }", &["E0307"]),
        (
            "const u64 A = 0xffff_ffff_ffff_ffff * 0xffff_ffff_ffff_ffff;",
            &["E0308"],
        ),
        ("const f64 A = 1e308 * 10.0;", &["E0308"]),
        (
            "const u8 A = !1; const bool B = ~true; const u8 C = -\"x\"; const bool D = 1 && 2;",
            &["E0309", "E0309", "E0309", "E0309"],
        ),
        (
            "const f64 A = 1.0 << 2; const u8 B = true + 1;",
            &["E0309", "E0309"],
        ),
        (
            "flags F : u8 { A = 1 } flags G : u8 { B = 1 } struct S { F f = F.A | G.B; }",
            &["E0309"],
        ),
        (
            "const bool A = 1; const u8 B = true; const u8 C = 1.0; const string<4> D = 1; const f32 E = true;",
            &["E0310", "E0310", "E0310", "E0310", "E0310"],
        ),
        (
            "enum E : u8 { A } enum G : u8 { B } struct S { E e = G.B; E f = 0; }",
            &["E0310", "E0310"],
        ),
        (
            "const f64 A = 3; const f64 B = A / 2; struct S { f64 x = B; }",
            &[],
        ),
        (
            "const bool A = 1 & 1 == 1; const bool B = 1 == 1 | 0; const bool C = (1 & 1) == 1;",
            &["E0311", "E0311"],
        ),
        (
            "const string<2> A = \"abc\"; const string<2> B = \"é\"; const string<2> C = \"éa\";",
            &["E0312", "E0312"],
        ),
        (
            "struct P { u8 x; } const P A = 1; const vec<u8, 2> B = 1; const u8? C = 1; const bytes<2> D = \"ab\";",
            &["E0313", "E0313", "E0313", "E0313"],
        ),
        (
            "struct P { u8 x; } struct S { P p = 1; bytes<2> b = \"ab\"; u8? o = 1; vec<u8, 2> v = 0; }",
            &["E0314", "E0314", "E0314", "E0314"],
        ),
        (
            "enum E : u8 { A = 2 } const E X = E.A; struct S { u8[X] x; E e = X; }",
            &[],
        ),
        (
            "flags F : u8 { A = 1, B = 2, ALL = A | B } struct S { F f = F.A | F.B; F g = 0; F h = ~F.A; F i = 1; }",
            &["E0310"],
        ),
        (
            "flags F : u8 { A } error E : u32 { B }",
            &["E0319", "E0319"],
        ),
        ("enum E : u8 { A = 1, B = 1 }", &["E0320"]),
        ("@AllowAlias enum E : u8 { A = 1, B = 1 }", &[]),
        ("union U : u8 { 1: u8 a; 1: u8 b; }", &["E0320"]),
        ("enum E : u8 { A, reserved 0 }", &["E0321"]),
        ("union U : u8 { 4: u8 a; reserved 2..5; }", &["E0321"]),
        (
            "error E : i32 { A = -1, B = 0, C = 1 } error F : u32 { D = 0xffff_0000, G = 0xfffe_ffff }",
            &["E0322", "E0322", "E0322"],
        ),
        ("enum E : u8 { A, reserved 5..4 }", &["E0323"]),
        ("struct S { string<A> x; } const u8 A = 1 / 0;", &["E0306"]),
    ]);
}

#[test]
fn limits() {
    let deep = |n: usize| {
        let mut text = "struct L0 { u8 x; }".to_owned();
        for i in 1..n {
            text.push_str(&format!("struct L{i} {{ L{}? x; }}", i - 1));
        }
        text
    };
    let aliases = |n: usize| {
        let mut text = "alias A0 = u8;".to_owned();
        for i in 1..n {
            text.push_str(&format!("alias A{i} = A{};", i - 1));
        }
        text
    };
    let bases = |n: usize| {
        let mut text = "interface I0 { void f0(); }".to_owned();
        for i in 1..n {
            text.push_str(&format!(
                "interface I{i} extends I{} {{ void f{i}(); }}",
                i - 1
            ));
        }
        text
    };
    check(&[
        ("struct S { u8[65537] x; }", &["E0302"]),
        ("struct S { u8[65536] x; }", &[]),
        ("struct S { u8[65536] x; u8 y; }", &["E0401"]),
        ("alias A = u64[9000];", &["E0401"]),
        ("union U : u8 { 0: u8[65536] a; }", &["E0401"]),
        (
            "struct A { u64[8000] x; } struct B { A a; A b; } struct C { B b; }",
            &["E0401"],
        ),
        (
            "struct S { u64[65535][65535][65535][65535][65535][65535][65535] x; }",
            &["E0401"],
        ),
        (
            "interface I { u8[40000] f(in u8[40000] a, out u8[40000] b); }",
            &["E0402"],
        ),
        (&deep(17), &["E0403"]),
        (&deep(16), &[]),
        (&aliases(40), &["E0403"]),
        (&bases(40), &["E0403"]),
        (&bases(32), &[]),
        (
            "@MaxSize(8) struct S { u64 a; u8 b; } @MaxSize(3) union U : u8 { 0: u16 a; }",
            &["E0408", "E0408"],
        ),
        ("@MaxSize(16) struct S { u64 a; u8 b; }", &[]),
        ("interface I { void f() = 65535; void g(); }", &["E0406"]),
    ]);
}

#[test]
fn methods() {
    check(&[
        ("interface I { void f(u8 a); }", &["E0501"]),
        (
            "interface I { oneway u8 f(); event u8 g(); }",
            &["E0502", "E0502"],
        ),
        (
            "oneway interface I { u8 f(); void g(); event void h(); }",
            &["E0502"],
        ),
        (
            "interface I { oneway void f(out u8 a); event void g(inout u8 a); }",
            &["E0503", "E0503"],
        ),
        (
            "error E : u32 { A = 1 } interface I { oneway void f() throws E; event void g() throws E; }",
            &["E0504", "E0504"],
        ),
        ("interface I { oneway event void f(); }", &["E0505"]),
        ("interface I { void f() = 2; void g() = 2; }", &["E0506"]),
        (
            "interface B { void f() = 7; } interface I extends B { void g() = 7; }",
            &["E0506"],
        ),
        ("interface I { reserved 1; void f(); }", &["E0507"]),
        (
            "interface I { reserved 3..5; void f() = 4; void g() = 2; void h(); }",
            &["E0507", "E0507"],
        ),
        (
            "interface B { void f(); reserved 2; } interface I extends B { void g(); }",
            &["E0507"],
        ),
        (
            "interface I { void f() = 0; void g() = 65536; }",
            &["E0508", "E0508"],
        ),
        (
            "enum E : u8 { A } interface I { void f() throws E; void g() throws Missing; void h() throws I; }",
            &["E0509", "E0201", "E0509"],
        ),
        (
            "error E : u32 { A = 1 } alias F = E; interface I { void f() throws F; void g() throws E.A; }",
            &["E0509"],
        ),
        (
            "interface I extends Missing { void f(); } struct S { u8 x; } interface J extends S { void f(); }",
            &["E0510", "E0510"],
        ),
        ("interface I extends I { void f(); }", &["E0511"]),
        (
            "interface I extends J { void f(); } interface J extends K { void g(); } interface K extends I { void h(); }",
            &["E0511"],
        ),
        (
            "interface I { oneway void f(in buffer<read> a); event void g(in buffer<write> a); void h(out buffer<read> a); }",
            &["E0512", "E0512", "E0512"],
        ),
        (
            "struct R { buffer<read> b; } interface I { void f(in R r); void g(out R r); R h(); void i(in R? r); }",
            &["E0512", "E0317", "E0317"],
        ),
        (
            "struct R { buffer<read> b; } struct Q { R r; } union U : u8 { 0: R r; } interface I { void f(in Q q, in vec<R, 2> v, in R[2] w); }",
            &["E0317", "E0317", "E0317"],
        ),
        (
            "interface I { void f(in buffer a, in buffer<lend> b, in buffer<raed> c); }",
            &["E0324", "E0324", "E0324"],
        ),
        (
            "interface I { struct N { u8 x; } const u8 C = 2; N f(in u8[C] a); } interface J extends I { N g(); void h(in I.N n); }",
            &[],
        ),
    ]);
}

#[test]
fn annotations() {
    check(&[
        ("@Bakends({shm}) interface I { void f(); }", &["E0601"]),
        (
            "@X_Mine(anything, goes = {here}) interface I { void f(); }",
            &[],
        ),
        (
            "@Idempotent struct S { @Backends({shm}) u8 x; }",
            &["E0602", "E0602"],
        ),
        ("interface I { @Shm(isolated) void f(); }", &["E0602"]),
        ("@Shm(isolated) interface I { void f(); }", &[]),
        (
            "@Deprecated(\"a\") @Deprecated(\"b\") struct S { u8 x; }",
            &["E0603"],
        ),
        (
            "@Shm(slots = 2, slots = 4) interface I { void f(); }",
            &["E0603"],
        ),
        (
            "@Shm(slotz = 2) interface I { void f(); } @Derive(Serialize) struct S { u8 x; }",
            &["E0604", "E0604"],
        ),
        ("@Backends(shm) interface I { void f(); }", &["E0605"]),
        ("@Backends({}) interface I { void f(); }", &["E0605"]),
        (
            "@Backends({shm, shm}) interface I { void f(); }",
            &["E0605"],
        ),
        ("@Backends({shn}) interface I { void f(); }", &["E0803"]),
        (
            "@Shm(isolated = 1) interface I { void f(); } @Shm(slots) interface J { void f(); }",
            &["E0605", "E0605"],
        ),
        (
            "@Deadline(us = 1, ms = 1) interface I { @Idempotent(1) void f(); }",
            &["E0605", "E0605"],
        ),
        (
            "@Deprecated struct S { @Since(\"x\") u8 x; @Since(1) u8 y; @Deprecated(1) u8 z; }",
            &["E0605", "E0605", "E0605", "E0605"],
        ),
        (
            "@Inproc(depth = 3) interface I { @Shm(slots = 8192) void f(); @Rdma(recv_depth = 0) void g(); }",
            &["E0606", "E0606", "E0606"],
        ),
        (
            "@Rdma(recv_depth = 100) interface I { @Shm(slots = 1) void f(); @Inproc(depth = 1) void g(); }",
            &["E0606", "E0606", "E0606"],
        ),
        (
            "@Rdma(recv_depth = 4096) interface I { @Shm(slots = 2) void f(); @Rdma(recv_depth = 1) void g(); }",
            &["E0606"],
        ),
        (
            "interface I { @Priority(256) void f(); @Deadline(s = 0) void g(); }",
            &["E0606", "E0606"],
        ),
        (
            "@Derive(Hash) struct S { f64? x; } @Derive(PartialOrd) struct T { f32 x; }",
            &["E0607"],
        ),
        (
            "struct A { u8 x; } @Derive(Eq) struct B { vec<A, 2> a; }",
            &["E0607"],
        ),
        (
            "@Derive(Ord, Hash) struct A { u8 x; } enum E : u8 { X } @Derive(Ord, Hash) struct B { A a; E e; }",
            &[],
        ),
        (
            "@Derive(Eq, PartialEq, Debug, Clone, Copy, Default) struct A { u8 x; }",
            &[],
        ),
        (
            "@Since(1.3) struct S { @Since(1.10) u8 x; @Since(1.2) u8 y; @Since(0.9) u8 z; }",
            &["E0608", "E0608"],
        ),
        (
            "interface I { @Idempotent void f(inout u8 a); }",
            &["E0609"],
        ),
        (
            "const u32 N = 8; @Inproc(depth = 2 * N) interface I { void f(); }",
            &[],
        ),
    ]);
}

#[test]
fn helps_do_not_lead_into_another_error() {
    let cases = [
        (
            "struct S { f16 x; }",
            "E0201",
            "integers have 8, 16, 32 or 64 bits",
        ),
        (
            "struct S { i24 x; }",
            "E0201",
            "integers have 8, 16, 32 or 64 bits",
        ),
        ("struct S { event e; }", "E0201", "in an interface"),
        ("union U : int { 0: u8 a; }", "E0206", "write one of `u8`"),
        ("flags G : int { A = 1 }", "E0206", "write one of `u8`"),
        (
            "error H : uint8_t { A = 1 }",
            "E0206",
            "write one of `u32`, `i32`",
        ),
        ("enum F : boolean { A = 0 }", "E0206", "write one of `u8`"),
        ("enum Z : float { A = 0 }", "E0206", "write one of `u8`"),
        (
            "struct T { u8 a; } enum Z : TT { A = 0 }",
            "E0201",
            "write one of `u8`",
        ),
        ("flags F : u8 { A = -1 }", "E0305", "use another value"),
        ("union U : u64 { -1: u8 a; }", "E0305", "use another value"),
        ("error E : i32 { A = 0 }", "E0322", "1 to 0x7fffffff"),
        ("error E : u32 { A = 0 }", "E0322", "1 to 0xfffeffff"),
        ("struct S { byte[] a; }", "E0106", "`u8[N]`"),
        ("struct S { int[] a; }", "E0106", "write `vec<i32, N>`"),
        (
            "struct S { string<2> s = 'x'; }",
            "E0005",
            "`\"x\"` for a string",
        ),
        ("const u8 A = 0b12;", "E0009", "0 and 1"),
    ];
    for (text, code, help) in cases {
        let compilation = compile_text(&format!("package a@1.2;\n{text}"));
        let found = compilation
            .diagnostics
            .iter()
            .find(|found| found.code.to_string() == code);
        let found = found.unwrap_or_else(|| panic!("{text}: {:?}", lines(&compilation)));
        assert!(found.edit.is_none(), "{text}: {:?}", found.edit);
        let said = found.help.as_deref().unwrap_or_default();
        assert!(said.contains(help), "{text}: {said}");
    }
}

#[test]
fn what_could_not_be_read_is_told_once() {
    check(&[
        ("enum E : u8 { A(\"x\") } struct S { E e; }", &["E0101"]),
        ("enum E : u8 { 0: A, 1: B }", &["E0101", "E0101"]),
        (
            "#[derive(Debug)] struct T { u8 a; } struct U { T t; }",
            &["E0005"],
        ),
    ]);
}
