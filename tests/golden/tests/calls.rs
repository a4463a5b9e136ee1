//! Calls over the in-process backend for every interface of the corpus, through every form of stub.

use std::thread;

use golden::generated::*;
use runtime_core::{Audience, Bool8, CallError, List, Opt, Service, Str, zeroed};

/// Serves an interface on another thread while the body calls it.
macro_rules! serve {
    ($interface:path, $handler:expr, |$client:ident| $body:block) => {{
        use $interface as interface;
        let (mut client, mut server) = interface::pair::<()>().expect("a pair");
        thread::scope(|scope| {
            let served = scope.spawn(move || {
                let mut handler = $handler;
                server.serve(&mut handler);
                handler
            });
            {
                let $client = &mut client;
                $body
            }
            drop(client);
            served.join().expect("the handler does not panic")
        })
    }};
}

fn text<const N: usize, const ODD: usize>(text: &str) -> Str<N, ODD> {
    text.try_into().expect("it fits")
}

struct All;

impl scalars::scalars::Handler for All {
    fn of_u8(&mut self, value: u8) -> u8 {
        !value
    }
    fn of_u16(&mut self, value: u16) -> u16 {
        !value
    }
    fn of_u32(&mut self, value: u32) -> u32 {
        !value
    }
    fn of_u64(&mut self, value: u64) -> u64 {
        !value
    }
    fn of_i8(&mut self, value: i8) -> i8 {
        -value
    }
    fn of_i16(&mut self, value: i16) -> i16 {
        -value
    }
    fn of_i32(&mut self, value: i32) -> i32 {
        -value
    }
    fn of_i64(&mut self, value: i64) -> i64 {
        -value
    }
    fn of_f32(&mut self, value: f32) -> f32 {
        -value
    }
    fn of_f64(&mut self, value: f64) -> f64 {
        -value
    }
    fn of_bool(&mut self, value: bool) -> bool {
        !value
    }
    fn of_struct(&mut self, value: &scalars::Scalars) -> scalars::Scalars {
        scalars::Scalars {
            m: (!value.m.get()).into(),
            ..*value
        }
    }
    fn of_plain(&mut self, value: &scalars::Plain) -> scalars::Plain {
        scalars::Plain {
            a: value.a + 1,
            ..*value
        }
    }
    fn all(
        &mut self,
        a: u8,
        b: u64,
        c: bool,
        d: f32,
        e: &mut u8,
        f: &mut u64,
        g: &mut Bool8,
        h: &mut f32,
    ) {
        (*e, *f, *g, *h) = (a, b, c.into(), d);
    }
}

#[test]
fn scalars() {
    serve!(scalars::scalars, All, |client| {
        let mut calls = client.blocking();
        assert_eq!(
            (
                calls.of_u8(1),
                calls.of_u16(1),
                calls.of_u32(1),
                calls.of_u64(1)
            ),
            (Ok(!1), Ok(!1), Ok(!1), Ok(!1))
        );
        assert_eq!(
            (
                calls.of_i8(1),
                calls.of_i16(1),
                calls.of_i32(1),
                calls.of_i64(1)
            ),
            (Ok(-1), Ok(-1), Ok(-1), Ok(-1))
        );
        assert_eq!(
            (calls.of_f32(1.5), calls.of_f64(1.5), calls.of_bool(true)),
            (Ok(-1.5), Ok(-1.5), Ok(false))
        );
        let value = scalars::Scalars {
            a: 1,
            l: 2.0,
            ..Default::default()
        };
        assert_eq!(
            calls.of_struct(&value),
            Ok(scalars::Scalars {
                m: Bool8::TRUE,
                ..value
            })
        );
        assert_eq!(
            calls
                .of_plain(&scalars::Plain::default())
                .expect("a reply")
                .a,
            1
        );
        let all = calls.all(1, 2, true, 3.5).expect("a reply");
        assert_eq!((all.e, all.f, all.g.get(), all.h), (1, 2, true, 3.5));
    });
}

impl strings_bytes::texts::Handler for All {
    fn odd(&mut self, text: &Str<5, 1>) -> Str<5, 1> {
        *text
    }
    fn even(&mut self, given: &Str<62>) -> Str<62> {
        text(&given.to_uppercase())
    }
    fn raw(&mut self, data: &runtime_core::Bytes<7, 1>) -> runtime_core::Bytes<7, 1> {
        *data
    }
    fn large(&mut self, data: &runtime_core::Bytes<65000>) -> runtime_core::Bytes<65000> {
        *data
    }
    fn all(&mut self, texts: &strings_bytes::Texts) -> strings_bytes::Texts {
        *texts
    }
    fn join(
        &mut self,
        left: &Str<30>,
        right: &Str<31, 1>,
        both: &mut Str<61, 1>,
        length: &mut u16,
    ) {
        *both = text(&format!("{left}{right}"));
        *length = both.len() as u16;
    }
}

#[test]
fn strings_and_bytes() {
    serve!(strings_bytes::texts, All, |client| {
        let mut calls = client.blocking();
        assert_eq!(calls.odd(&text("12345")), Ok(text("12345")));
        assert_eq!(calls.even(&text("abc")), Ok(text("ABC")));
        let large = runtime_core::Bytes::try_from(&[7; 65_000][..]).expect("it fits");
        assert!(calls.large(&large).expect("a reply") == large);
        assert_eq!(
            calls
                .raw(&[1, 2][..].try_into().expect("it fits"))
                .expect("a reply")[..],
            [1, 2]
        );
        let joined = calls.join(&text("left "), &text("right")).expect("a reply");
        assert_eq!((joined.both.as_str(), joined.length), ("left right", 10));
        let mut texts = strings_bytes::Texts::default();
        texts.even.set("ü").expect("it fits");
        assert_eq!(calls.all(&texts), Ok(texts));
    });
}

impl vecs::vecs::Handler for All {
    fn echo(&mut self, vecs: &vecs::Vecs) -> vecs::Vecs {
        *vecs
    }
    fn sum(&mut self, numbers: &List<u64, 7>) -> u64 {
        numbers.iter().sum()
    }
    fn reverse(&mut self, numbers: &List<u64, 7>) -> List<u64, 7> {
        let mut reversed = *numbers;
        reversed.reverse();
        reversed
    }
    fn split(
        &mut self,
        numbers: &List<i32, 8>,
        negative: &mut List<i32, 8>,
        positive: &mut List<i32, 8>,
    ) {
        assert!(
            negative.is_empty() && positive.is_empty(),
            "what is filled in starts as zero"
        );
        for &number in numbers {
            let list = if number < 0 {
                &mut *negative
            } else {
                &mut *positive
            };
            list.push(number).expect("room");
        }
    }
    fn all(&mut self, flags: &List<Bool8, 5, 1>) -> bool {
        flags.iter().all(|flag| flag.get())
    }
}

#[test]
fn vecs_of_everything() {
    serve!(vecs::vecs, All, |client| {
        let mut calls = client.blocking();
        let numbers = [1, 2, 3][..].try_into().expect("they fit");
        assert_eq!(calls.sum(&numbers), Ok(6));
        assert_eq!(calls.reverse(&numbers).expect("a reply")[..], [3, 2, 1]);
        let split = calls
            .split(&[1, -2, 3][..].try_into().expect("they fit"))
            .expect("a reply");
        assert_eq!(
            (&split.negative[..], &split.positive[..]),
            (&[-2][..], &[1, 3][..])
        );
        // The slot of the call before holds no rest.
        let split = calls.split(&List::new()).expect("a reply");
        assert!(split.negative.is_empty() && split.positive.is_empty());
        assert_eq!(
            calls.all(
                &[Bool8::TRUE, Bool8::FALSE][..]
                    .try_into()
                    .expect("they fit")
            ),
            Ok(false)
        );
        let mut vecs = vecs::Vecs::default();
        vecs.deep.push(List::new()).expect("room");
        vecs.rows.push([1, 2, 3]).expect("room");
        vecs.maybes.push(Opt::some(9)).expect("room");
        assert_eq!(calls.echo(&vecs), Ok(vecs));
    });
}

impl arrays::arrays::Handler for All {
    fn echo(&mut self, arrays: &arrays::Arrays) -> arrays::Arrays {
        *arrays
    }
    fn transpose(&mut self, matrix: &[[i64; 2]; 3]) -> [[i64; 3]; 2] {
        std::array::from_fn(|column| std::array::from_fn(|row| matrix[row][column]))
    }
    fn dot(&mut self, a: &[f32; 4], b: &[f32; 4]) -> f32 {
        a.iter().zip(b).map(|(a, b)| a * b).sum()
    }
    fn any(&mut self, flags: &[Bool8; 3]) -> bool {
        flags.iter().any(|flag| flag.get())
    }
}

#[test]
fn arrays_of_many_dimensions() {
    serve!(arrays::arrays, All, |client| {
        let mut calls = client.blocking();
        assert_eq!(
            calls.transpose(&[[1, 2], [3, 4], [5, 6]]),
            Ok([[1, 3, 5], [2, 4, 6]])
        );
        assert_eq!(calls.dot(&[1.0, 2.0, 3.0, 4.0], &[1.0; 4]), Ok(10.0));
        assert_eq!(calls.any(&[Bool8::FALSE; 3]), Ok(false));
        let mut arrays = arrays::Arrays::default();
        arrays.cube[1][2][3] = 5;
        arrays.rows[2] = arrays.matrix[1];
        assert_eq!(calls.echo(&arrays), Ok(arrays));
    });
}

impl optionals::optionals::Handler for All {
    fn echo(&mut self, all: &optionals::Optionals) -> optionals::Optionals {
        *all
    }
    fn twice(&mut self, value: &Opt<u64>) -> Opt<u64> {
        value.get().map(|value| value * 2).into()
    }
    fn both(
        &mut self,
        left: &Opt<Bool8>,
        right: &Opt<Str<6>>,
        first: &mut Opt<Bool8>,
        second: &mut Opt<Str<6>>,
    ) {
        (*first, *second) = (*left, *right);
    }
}

#[test]
fn optionals() {
    serve!(optionals::optionals, All, |client| {
        let mut calls = client.blocking();
        assert_eq!(
            (calls.twice(&Opt::some(4)), calls.twice(&Opt::NONE)),
            (Ok(Opt::some(8)), Ok(Opt::NONE))
        );
        let both = calls
            .both(&Opt::some(Bool8::TRUE), &Opt::NONE)
            .expect("a reply");
        assert_eq!(
            (both.first, both.second),
            (Opt::some(Bool8::TRUE), Opt::NONE)
        );
        let all = optionals::Optionals {
            list: Opt::some([5, 6][..].try_into().expect("they fit")),
            ..Default::default()
        };
        assert_eq!(calls.echo(&all), Ok(all));
    });
}

impl enums::enums::Handler for All {
    fn tier(&mut self, tier: enums::Tier) -> enums::Tier {
        tier
    }
    fn mode(&mut self, mode: enums::Mode) -> enums::Mode {
        mode
    }
    fn all(&mut self, enums: &enums::Enums) -> enums::Enums {
        *enums
    }
    fn several(&mut self, a: enums::Signed, b: &mut enums::Mode, c: &mut enums::Tier) {
        if a == enums::Signed::MINUS && *b == enums::Mode::INSERT {
            (*b, *c) = (enums::Mode::REPLACE, enums::Tier::COLD);
        }
    }
}

#[test]
fn enums_and_flags() {
    serve!(enums::enums, All, |client| {
        let mut calls = client.blocking();
        assert_eq!(calls.tier(enums::Tier(99)), Ok(enums::Tier(99)));
        let CallError::InvalidData(invalid) = calls.mode(enums::Mode(99)).expect_err("no member")
        else {
            panic!("another error")
        };
        assert_eq!(
            invalid.to_string(),
            "`ModeRequest.mode` at byte 0 is not a declared value"
        );
        assert_eq!(
            calls.all(&enums::Enums::default()),
            Ok(enums::Enums::default())
        );
        let several = calls
            .several(enums::Signed::MINUS, enums::Mode::INSERT)
            .expect("a reply");
        assert_eq!(
            (several.b, several.c),
            (enums::Mode::REPLACE, enums::Tier::COLD)
        );
    });
    serve!(flags::flags, All, |client| {
        let mut calls = client.blocking();
        assert_eq!(
            calls.options(flags::Options(0xF000)),
            Ok(flags::Options(0xF000))
        );
        assert!(matches!(
            calls.access(flags::Access(0x80)),
            Err(CallError::InvalidData(_))
        ));
        assert_eq!(
            calls.all(&flags::Request::default()),
            Ok(flags::Request::default())
        );
    });
}

impl flags::flags::Handler for All {
    fn options(&mut self, options: flags::Options) -> flags::Options {
        options
    }
    fn access(&mut self, access: flags::Access) -> flags::Access {
        access
    }
    fn all(&mut self, request: &flags::Request) -> flags::Request {
        *request
    }
}

impl unions::unions::Handler for All {
    fn query(&mut self, query: &unions::Query) -> unions::Query {
        *query
    }
    fn shape(&mut self, shape: &unions::Shape) -> unions::Shape {
        shape.as_circle().map_or(unions::Shape::none(), |radius| {
            unions::Shape::square(&[radius; 2])
        })
    }
    fn tight(&mut self, tight: &unions::Tight) -> unions::Tight {
        *tight
    }
    fn empty(&mut self, empty: &unions::Empty) -> unions::Empty {
        *empty
    }
    fn sparse(&mut self, sparse: &unions::Sparse) -> unions::Sparse {
        *sparse
    }
    fn all(&mut self, holder: &unions::Holder) -> unions::Holder {
        *holder
    }
}

#[test]
fn unions() {
    use golden::generated::unions::*;
    serve!(golden::generated::unions::unions, All, |client| {
        let mut calls = client.blocking();
        let query = Query::exact(&text("key"));
        assert_eq!(calls.query(&query), Ok(query));
        assert_eq!(
            calls.shape(&Shape::circle(2.0)),
            Ok(Shape::square(&[2.0; 2]))
        );
        assert_eq!(calls.tight(&Tight::byte(3)), Ok(Tight::byte(3)));
        assert_eq!(calls.empty(&Empty::second()), Ok(Empty::second()));
        assert_eq!(calls.sparse(&Sparse::low(1)), Ok(Sparse::low(1)));
        let mut holder = Holder {
            other: Opt::some(Shape::circle(1.0)),
            ..Default::default()
        };
        holder.more.push(Query::yes(true)).expect("room");
        assert_eq!(calls.all(&holder), Ok(holder));
    });
}

/// Fails with the code that it is given, unless that is 0.
fn fail<E: From<u32>>(code: u32) -> Result<(), E> {
    if code == 0 { Ok(()) } else { Err(code.into()) }
}

impl errors::errors::Handler for All {
    fn nothing(&mut self, code: u32) -> Result<(), errors::StoreError> {
        fail(code)
    }
    fn number(&mut self, code: u32) -> Result<u64, errors::StoreError> {
        fail(code).map(|()| 7)
    }
    fn truth(&mut self, code: u32) -> Result<bool, errors::SmallError> {
        if code == 0 {
            Ok(true)
        } else {
            Err(errors::SmallError(code as i32))
        }
    }
    fn large(&mut self, code: u32) -> Result<errors::Item, errors::StoreError> {
        fail(code).map(|()| errors::Item {
            id: 5,
            ..Default::default()
        })
    }
    fn outs(
        &mut self,
        code: u32,
        item: &mut errors::Item,
        count: &mut u64,
    ) -> Result<(), errors::StoreError> {
        (item.id, *count) = (3, 4);
        fail(code)
    }
    fn place(&mut self, item: &mut errors::Item, code: u32) -> Result<(), errors::SmallError> {
        item.id += 1;
        if code == 0 {
            Ok(())
        } else {
            Err(errors::SmallError::WORSE)
        }
    }
    fn both(
        &mut self,
        code: u32,
        cursor: &mut u64,
        more: &mut Bool8,
    ) -> Result<u64, errors::StoreError> {
        *cursor += 1;
        *more = Bool8::TRUE;
        fail(code).map(|()| *cursor)
    }
}

#[test]
fn typed_errors() {
    use golden::generated::errors::*;
    serve!(golden::generated::errors::errors, All, |client| {
        let mut calls = client.blocking();
        assert_eq!(
            (calls.nothing(0), calls.nothing(4)),
            (Ok(()), Err(CallError::Service(StoreError::BUSY)))
        );
        assert_eq!(
            (calls.number(0), calls.number(1)),
            (Ok(7), Err(CallError::Service(StoreError::NOT_FOUND)))
        );
        assert_eq!(
            calls.number(0xFFFE_FFFF),
            Err(CallError::Service(StoreError::LAST))
        );
        assert_eq!(
            (calls.truth(0), calls.truth(1)),
            (Ok(true), Err(CallError::Service(SmallError::BAD)))
        );
        assert_eq!(
            calls.truth(0x7FFF_FFFF),
            Err(CallError::Service(SmallError::WORSE))
        );
        assert_eq!(calls.large(0).expect("a reply").id, 5);
        assert_eq!(
            calls.large(77).expect_err("an error"),
            CallError::Service(StoreError(77))
        );
        let outs = calls.outs(0).expect("a reply");
        assert_eq!((outs.item.id, outs.count), (3, 4));
        assert_eq!(
            calls.outs(4).expect_err("an error"),
            CallError::Service(StoreError::BUSY)
        );
        let item = Item {
            id: 1,
            ..Default::default()
        };
        assert_eq!(calls.place(&item, 0).expect("a reply").item.id, 2);
        assert_eq!(
            calls.place(&item, 1).expect_err("an error"),
            CallError::Service(SmallError::WORSE)
        );
        let both = calls.both(0, 9).expect("a reply");
        assert_eq!((both.result, both.cursor, both.more.get()), (10, 10, true));
        assert_eq!(
            calls.both(1, 9).expect_err("an error"),
            CallError::Service(StoreError::NOT_FOUND)
        );
    });
}

impl directions::directions::Handler for All {
    fn nothing(&mut self) {}
    fn only_in(&mut self, a: u32) {
        assert_eq!(a, 1);
    }
    fn only_result(&mut self) -> u32 {
        2
    }
    fn only_out(&mut self, a: &mut u32) {
        assert_eq!(*a, 0);
        *a = 3;
    }
    fn only_inout(&mut self, a: &mut u32) {
        *a += 1;
    }
    fn two_out(&mut self, a: &mut u8, b: &mut u64) {
        assert_eq!((*a, *b), (0, 0));
        (*a, *b) = (1, 2);
    }
    fn in_and_result(&mut self, a: u32, b: u8) -> u32 {
        a + u32::from(b)
    }
    fn result_and_out(&mut self, a: u32, b: &mut u32) -> u8 {
        *b = a + 1;
        9
    }
    fn everything(
        &mut self,
        a: u32,
        b: &mut u64,
        c: &mut u16,
        d: &mut Bool8,
        e: bool,
        f: &mut Bool8,
    ) -> u8 {
        assert_eq!((*c, f.get()), (0, false));
        *b += u64::from(a);
        *c = 5;
        *d = (!d.get()).into();
        *f = e.into();
        6
    }
    fn large(&mut self, a: &directions::Large) -> directions::Large {
        *a
    }
    fn large_out(&mut self, fill: u8, a: &mut directions::Large, last: &mut u8) {
        assert_eq!((a.words, *last), ([0; 32], 0));
        a.words.fill(fill.into());
        *last = fill;
    }
    fn large_everything(
        &mut self,
        a: &directions::Large,
        b: &mut u64,
        c: &mut directions::Large,
    ) -> bool {
        *b += a.words[0];
        assert_eq!(c.words, [0; 32]);
        *c = *a;
        true
    }
    fn large_inout_moved(&mut self, before: u8, a: &mut directions::Large, sum: &mut u16) {
        a.words[0] += u64::from(before);
        *sum = a.words[0] as u16;
    }
}

#[test]
fn every_direction() {
    use directions::Large;
    serve!(directions::directions, All, |client| {
        // Several rounds, so that every slot is used again and holds the rest of another message.
        for _ in 0..100 {
            let mut calls = client.blocking();
            assert_eq!(
                (calls.nothing(), calls.only_in(1), calls.only_result()),
                (Ok(()), Ok(()), Ok(2))
            );
            assert_eq!(calls.only_out().expect("a reply").a, 3);
            assert_eq!(calls.only_inout(41).expect("a reply").a, 42);
            let two = calls.two_out().expect("a reply");
            assert_eq!((two.a, two.b), (1, 2));
            assert_eq!(calls.in_and_result(1, 2), Ok(3));
            let both = calls.result_and_out(1).expect("a reply");
            assert_eq!((both.result, both.b), (9, 2));
            let all = calls.everything(1, 2, true, true).expect("a reply");
            assert_eq!(
                (all.result, all.b, all.c, all.d.get(), all.f.get()),
                (6, 3, 5, false, true)
            );
            let large = Large {
                words: [u64::MAX / 4; 32],
            };
            assert_eq!(calls.large(&large), Ok(large));
            let out = calls.large_out(7).expect("a reply");
            assert_eq!((out.a.words, out.last), ([7; 32], 7));
            let all = calls.large_everything(&large, 1).expect("a reply");
            assert_eq!(
                (all.result.get(), all.b, all.c),
                (true, u64::MAX / 4 + 1, large)
            );
            let moved = calls
                .large_inout_moved(3, &Large { words: [2; 32] })
                .expect("a reply");
            assert_eq!((moved.a.words[0], moved.a.words[1], moved.sum), (5, 2, 5));
        }
    });
}

impl in_place::filter::Handler for All {
    fn invert(&mut self, image: &mut in_place::Image) {
        image.pixels.iter_mut().for_each(|pixel| *pixel = !*pixel);
    }
    fn brighten(&mut self, image: &mut in_place::Image, by: u8) {
        image
            .pixels
            .iter_mut()
            .for_each(|pixel| *pixel = pixel.saturating_add(by));
    }
    fn mask(&mut self, image: &mut in_place::Image, with: &in_place::Image, twice: bool) {
        for _ in 0..1 + usize::from(twice) {
            image
                .pixels
                .iter_mut()
                .zip(with.pixels)
                .for_each(|(pixel, mask)| *pixel = pixel.wrapping_add(mask));
        }
    }
    fn checked(&mut self, image: &mut in_place::Image) -> Result<(), in_place::Fault> {
        image.pixels[0] = 99;
        if image.width == 0 {
            Err(in_place::Fault::EMPTY)
        } else {
            Ok(())
        }
    }
    fn counted(&mut self, count: &mut u64, image: &mut in_place::Image) {
        *count += 1;
        image.width += 1;
    }
    fn small(&mut self, count: &mut u32) {
        *count += 1;
    }
    fn flags(&mut self, a: &mut Bool8, b: &mut Bool8, c: u8) {
        if c == 1 {
            std::mem::swap(a, b);
        }
    }
}

#[test]
fn arguments_are_edited_in_place() {
    use in_place::*;
    serve!(in_place::filter, All, |client| {
        let mut calls = client.blocking();
        let image = Image {
            pixels: [3; 1024],
            width: 4,
        };
        assert_eq!(
            calls.invert(&image).expect("a reply").image.pixels,
            [!3; 1024]
        );
        assert_eq!(
            calls.brighten(&image, 4).expect("a reply").image.pixels,
            [7; 1024]
        );
        assert_eq!(
            calls
                .mask(&image, &image, true)
                .expect("a reply")
                .image
                .pixels,
            [9; 1024]
        );
        assert_eq!(
            calls.checked(&image).expect("a reply").image.pixels[..2],
            [99, 3]
        );
        let empty = Image { width: 0, ..image };
        assert_eq!(
            calls.checked(&empty).expect_err("an error"),
            CallError::Service(Fault::EMPTY)
        );
        let counted = calls.counted(8, &image).expect("a reply");
        assert_eq!((counted.count, counted.image.width), (9, 5));
        assert_eq!(calls.small(1).expect("a reply").count, 2);
        let flags = calls.flags(true, false, 1).expect("a reply");
        assert_eq!((flags.a.get(), flags.b.get()), (false, true));
    });
}

#[derive(Default)]
struct Seen {
    notes: Vec<String>,
    ticks: u64,
}

impl oneway::mixed::Handler for Seen {
    fn note(&mut self, note: &oneway::Note) {
        self.notes.push(format!("{} {}", note.at, note.text));
    }
    fn tick(&mut self) {
        self.ticks += 1;
    }
    fn several(&mut self, a: u8, b: bool, c: &Str<5, 1>, d: &[u64; 10]) {
        self.notes.push(format!("{a} {b} {c} {}", d[9]));
    }
    fn count(&mut self) -> u64 {
        self.ticks
    }
}

impl oneway::sink::Handler for Seen {
    fn push(&mut self, value: u64) {
        self.ticks += value;
    }
    fn flush(&mut self) {
        self.notes.push(self.ticks.to_string());
    }
}

#[test]
fn oneway_calls() {
    let seen = serve!(oneway::mixed, Seen::default(), |client| {
        client
            .note(&oneway::Note {
                text: text("hello"),
                at: 7,
                ..Default::default()
            })
            .expect("room");
        client.tick().expect("room");
        client
            .several(1, true, &text("abc"), &[5; 10])
            .expect("room");
        assert_eq!(client.blocking().count(), Ok(1));
    });
    assert_eq!(seen.notes, ["7 hello", "1 true abc 5"]);
    let seen = serve!(oneway::sink, Seen::default(), |client| {
        client.push(3).expect("room");
        client.push(4).expect("room");
        client.flush().expect("room");
    });
    assert_eq!(seen.notes, ["7"]);
}

impl events::sensors::Handler for Seen {
    fn start(&mut self, sensor: u32) {
        self.ticks += u64::from(sensor);
    }
}

#[test]
fn events_reach_the_client() {
    use events::sensors::{Event, pair};
    let (mut client, mut server) = pair::<()>().expect("a pair");
    let reading = events::Reading {
        sensor: 3,
        value: 1.5,
        ..Default::default()
    };
    assert_eq!(server.sampled(Audience::All, &reading), Ok(1));
    assert_eq!(server.stopped(Audience::All), Ok(1));
    assert_eq!(server.several(Audience::All, 1, true, &text("abc")), Ok(1));
    let mut seen = Vec::new();
    client
        .poll_events(|event| match event {
            Event::Sampled(event) => {
                seen.push(format!("{} {}", event.reading.sensor, event.reading.value));
            }
            Event::Stopped(()) => seen.push("stopped".to_owned()),
            Event::Several(event) => seen.push(format!("{} {:?} {}", event.a, event.b, event.c)),
        })
        .expect("the server lives");
    assert_eq!(seen, ["3 1.5", "stopped", "1 true abc"]);
    let (mut client, mut server) = events::alarm::pair::<()>().expect("a pair");
    server.rang(Audience::All, 2).expect("room");
    let mut level = 0;
    client
        .poll_events(|events::alarm::Event::Rang(event)| level = event.level)
        .expect("the server lives");
    assert_eq!(level, 2);
}

impl ids::ids::Handler for All {
    fn first(&mut self, a: u8) -> u8 {
        a + 1
    }
    fn ninth(&mut self, a: u8) -> u8 {
        a + 9
    }
    fn tenth(&mut self, a: u8) -> u8 {
        a + 10
    }
    fn far(&mut self, a: u8) -> u8 {
        a + 100
    }
    fn last(&mut self, _: u8) {}
}

#[test]
fn explicit_ids() {
    let ids: Vec<u16> = ids::ids::Service::METHODS
        .iter()
        .map(|method| method.id)
        .collect();
    assert_eq!(ids, [1, 9, 10, 3, 1001, 65_535]);
    serve!(ids::ids, All, |client| {
        client.last(1).expect("room");
        let mut calls = client.blocking();
        assert_eq!(
            (calls.first(1), calls.ninth(1), calls.tenth(1), calls.far(1)),
            (Ok(2), Ok(10), Ok(11), Ok(101))
        );
    });
}

#[derive(Default)]
struct Store(std::collections::BTreeMap<u64, u64>);

impl extends::top::Handler for Store {
    fn version(&mut self) -> u32 {
        extends::base::VERSION
    }
    fn look(&mut self, key: u64) -> Result<u64, extends::BaseError> {
        self.0.get(&key).copied().ok_or(extends::BaseError::NO)
    }
    fn store(&mut self, key: u64, value: u64) {
        self.0.insert(key, value);
    }
    fn drop_all(&mut self) {
        self.0.clear();
    }
    fn sum(&mut self) -> u64 {
        self.0.values().sum()
    }
}

#[test]
fn an_interface_has_the_methods_that_it_extends() {
    let ids: Vec<_> = extends::top::Service::METHODS
        .iter()
        .map(|method| (method.name, method.id))
        .collect();
    assert_eq!(
        ids,
        [
            ("version", 1),
            ("look", 2),
            ("changed", 3),
            ("store", 10),
            ("drop_all", 11),
            ("sum", 12)
        ]
    );
    serve!(extends::top, Store::default(), |client| {
        assert_eq!(client.blocking().version(), Ok(1));
        assert_eq!(client.blocking().store(1, 5), Ok(()));
        assert_eq!(client.blocking().look(1), Ok(5));
        assert_eq!(
            client.blocking().look(2),
            Err(CallError::Service(extends::BaseError::NO))
        );
        assert_eq!(client.blocking().sum(), Ok(5));
        client.drop_all().expect("room");
        assert_eq!(client.blocking().sum(), Ok(0));
    });
}

impl imports::markers::Handler for All {
    fn ping(&mut self, value: u64) -> Result<u64, imports::acme_common::CommonError> {
        Ok(value)
    }
    fn find(
        &mut self,
        id: &imports::acme_common::Uuid,
    ) -> Result<imports::Marker, imports::acme_common::CommonError> {
        if id.low == 0 {
            return Err(imports::acme_common::CommonError::DENIED);
        }
        Ok(imports::Marker {
            id: *id,
            ..Default::default()
        })
    }
    fn put(&mut self, marker: &imports::Marker, place: &mut imports::acme_geo::Place) {
        *place = marker.place;
    }
}

#[test]
fn imported_types_and_interfaces() {
    use imports::acme_common::{CommonError, Uuid};
    serve!(imports::markers, All, |client| {
        let mut calls = client.blocking();
        assert_eq!(calls.ping(3), Ok(3));
        assert_eq!(
            calls
                .find(&Uuid { high: 0, low: 1 })
                .expect("a reply")
                .id
                .low,
            1
        );
        assert_eq!(
            calls.find(&Uuid::default()),
            Err(CallError::Service(CommonError::DENIED))
        );
        let mut marker = imports::Marker::default();
        marker.place.name.set("here").expect("it fits");
        assert_eq!(calls.put(&marker).expect("a reply").place.name, "here");
    });
}

impl keywords::interface::Handler for All {
    fn event(
        &mut self,
        event: &keywords::Event,
        flags: keywords::Flags,
    ) -> Result<keywords::Event, keywords::Error> {
        if flags == keywords::Flags::VOID {
            Err(keywords::Error::ERROR)
        } else {
            Ok(*event)
        }
    }
    fn void(&mut self, r#in: u8, out: &mut u8, inout: &mut u8) {
        *out = r#in;
        *inout += 1;
    }
    fn oneway(&mut self, _: u8) {}
    fn r#type(&mut self, r#type: u8, self_: u8, r#fn: u8) -> u8 {
        r#type + self_ + r#fn
    }
    fn r#match(&mut self, r#impl: &keywords::Rust) -> u8 {
        r#impl.r#type + r#impl.self_
    }
    fn self_(&mut self, super_: u8) -> u8 {
        super_
    }
    fn r#async(&mut self, r#await: u8) -> u8 {
        r#await
    }
}

#[test]
fn keywords_as_names() {
    serve!(keywords::interface, All, |client| {
        let mut calls = client.blocking();
        let event = keywords::Event {
            r#in: 5,
            ..Default::default()
        };
        assert_eq!(calls.event(&event, keywords::Flags::ENUM), Ok(event));
        assert_eq!(
            calls.event(&event, keywords::Flags::VOID),
            Err(CallError::Service(keywords::Error::ERROR))
        );
        let void = calls.void(1, 2).expect("a reply");
        assert_eq!((void.out, void.inout), (1, 3));
        assert_eq!(calls.r#type(1, 2, 3), Ok(6));
        assert_eq!(
            calls.r#match(&keywords::Rust {
                r#type: 1,
                self_: 2,
                ..Default::default()
            }),
            Ok(3)
        );
        assert_eq!((calls.self_(4), calls.r#async(5)), (Ok(4), Ok(5)));
    });
}

#[derive(Default)]
struct Kv(std::collections::BTreeMap<String, kv::Record>);

impl kv::kv_store::Handler for Kv {
    fn get(&mut self, key: &kv::Key) -> Result<kv::Record, kv::KvError> {
        self.0
            .get(key.as_str())
            .copied()
            .ok_or(kv::KvError::NOT_FOUND)
    }
    fn put(&mut self, record: &kv::Record, flags: kv::PutFlags) -> Result<(), kv::KvError> {
        if flags.contains(kv::PutFlags::TTL) {
            return Err(kv::KvError::BUSY);
        }
        self.0.insert(record.key.to_string(), *record);
        Ok(())
    }
    fn scan(&mut self, query: &kv::Query, cursor: &mut u64, page: &mut List<kv::Key, 16>) {
        let exact = query.as_exact();
        let keys = self
            .0
            .values()
            .map(|record| record.key)
            .filter(|key| exact.is_none_or(|exact| exact == key));
        page.extend(keys.skip(*cursor as usize));
        *cursor += page.len() as u64;
    }
    fn touch(&mut self, key: &kv::Key) {
        self.0.remove(key.as_str());
    }
    fn has(&mut self, key: &kv::Key) -> bool {
        self.0.contains_key(key.as_str())
    }
}

#[test]
fn messages_compare_and_have_defaults() {
    use kv::kv_store::ScanResponse;
    let mut answer = ScanResponse {
        cursor: 3,
        ..ScanResponse::default()
    };
    assert_eq!(answer.page.len(), 0);
    assert_ne!(answer, ScanResponse::default());
    answer.cursor = 0;
    assert_eq!(answer, ScanResponse::default());
}

#[test]
fn the_worked_example() {
    let kv = serve!(kv::kv_store, Kv::default(), |client| {
        let mut record = kv::Record::default();
        for index in 0..20 {
            record.key.set(&format!("key/{index:02}")).expect("it fits");
            record.value.set(&[index; 1000]).expect("it fits");
            assert_eq!(client.blocking().put(&record, kv::PutFlags::SYNC), Ok(()));
        }
        assert_eq!(
            client.blocking().put(&record, kv::PutFlags::TTL),
            Err(CallError::Service(kv::KvError::BUSY))
        );
        // The 50 us of the definition are for a server with a core of its own.
        let patience = std::time::Duration::from_secs(20);
        let record = client
            .blocking()
            .within(patience)
            .get(&text("key/07"))
            .expect("a record");
        assert_eq!(record.value[..], [7; 1000]);
        let none = client
            .blocking()
            .within(patience)
            .get(&text("other"))
            .expect_err("none");
        assert_eq!(none, CallError::Service(kv::KvError::NOT_FOUND));
        let page = client
            .blocking()
            .scan(&kv::Query::all(), 0)
            .expect("a page");
        assert_eq!(
            (page.cursor, page.page.len(), page.page[15].as_str()),
            (16, 16, "key/15")
        );
        let page = client
            .blocking()
            .scan(&kv::Query::all(), page.cursor)
            .expect("a page");
        assert_eq!((page.cursor, page.page.len()), (20, 4));
        client.touch(&text("key/07")).expect("room");
        #[allow(deprecated)]
        let has = client.blocking().has(&text("key/07"));
        assert_eq!(has, Ok(false));
        let mut retrying = client
            .within(patience)
            .retrying(runtime_core::Retry { attempts: 2 });
        assert_eq!(
            retrying.get(&text("key/08")).expect("a record").key,
            "key/08"
        );
    });
    assert_eq!(kv.0.len(), 19);
}

impl big::big::Handler for All {
    fn sum(&mut self, whole: &big::Whole) -> u64 {
        whole
            .first
            .bytes
            .iter()
            .chain(&whole.second.bytes)
            .map(|&byte| u64::from(byte))
            .sum()
    }
    fn fill(&mut self, with: u8) -> big::Whole {
        let half = big::Half {
            bytes: [with; 32_768],
        };
        big::Whole {
            first: half,
            second: half,
        }
    }
    fn invert(&mut self, whole: &mut big::Whole) {
        whole
            .second
            .bytes
            .iter_mut()
            .for_each(|byte| *byte = !*byte);
    }
    fn echo(&mut self, listed: &big::Listed) -> big::Listed {
        *listed
    }
    fn deep(&mut self, deep: &big::Deep7) -> big::Deep7 {
        *deep
    }
    fn many(
        &mut self,
        p1: u8,
        _: u16,
        _: u32,
        _: u64,
        _: u8,
        _: u16,
        _: u32,
        _: u64,
        _: u8,
        _: u16,
        _: u32,
        _: u64,
        _: u8,
        _: u16,
        _: u32,
        _: u64,
        _: u8,
        _: u16,
        _: u32,
        _: u64,
        _: u8,
        _: u16,
        _: u32,
        _: u64,
        _: u8,
        _: u16,
        _: u32,
        _: u64,
        _: u8,
        _: u16,
        _: u32,
        p32: u64,
    ) {
        assert_eq!((p1, p32), (1, 32));
    }
}

#[test]
fn messages_at_the_limits() {
    serve!(big::big, All, |client| {
        let mut calls = client.blocking();
        let whole = calls.fill(3).expect("a reply");
        assert_eq!(calls.sum(&whole), Ok(3 * 65_536));
        assert_eq!(
            calls.invert(&whole).expect("a reply").whole.second.bytes[32_767],
            !3
        );
        let mut listed = big::Listed::default();
        listed.numbers.set(&[9; 8000]).expect("they fit");
        assert!(calls.echo(&listed).expect("a reply") == listed);
        let deep = big::Deep7::default();
        assert!(calls.deep(&deep).expect("a reply") == deep);
        calls
            .many(
                1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23,
                24, 25, 26, 27, 28, 29, 30, 31, 32,
            )
            .expect("a reply");
    });
}

impl empty_interface::empty::Handler for All {}

#[test]
fn an_interface_without_methods_connects() {
    let (client, mut server) = empty_interface::empty::pair::<()>().expect("a pair");
    assert!(empty_interface::empty::Service::METHODS.is_empty());
    drop(client);
    server.serve(&mut All);
}

impl aliases::aliases::Handler for All {
    fn echo(&mut self, all: &aliases::Aliases) -> aliases::Aliases {
        *all
    }
    fn id(&mut self, id: aliases::Id) -> aliases::Id {
        id + 1
    }
    fn truth(&mut self, truth: bool, other: &mut aliases::Truth) -> bool {
        *other = truth.into();
        !truth
    }
    fn maybe(&mut self, maybe: &aliases::Maybe) -> aliases::Maybe {
        *maybe
    }
    fn thing(&mut self, thing: &aliases::Thing) -> aliases::Thing {
        *thing
    }
}

#[test]
fn aliases() {
    serve!(aliases::aliases, All, |client| {
        let mut calls = client.blocking();
        assert_eq!(calls.id(1), Ok(2));
        let truth = calls.truth(true).expect("a reply");
        assert_eq!((truth.result.get(), truth.other.get()), (false, true));
        assert_eq!(calls.maybe(&Opt::some(3)), Ok(Opt::some(3)));
        let all = aliases::Aliases {
            matrix: [[1.0; 2]; 2],
            ..Default::default()
        };
        assert_eq!(calls.echo(&all), Ok(all));
        assert_eq!(calls.thing(&all.thing), Ok(all.thing));
    });
}

impl tuning::tuned::Handler for All {
    fn get(&mut self, key: &tuning::Key) -> u64 {
        key.a.into()
    }
    fn put(&mut self, _: &tuning::Key, _: u64) {}
    fn has(&mut self, key: &tuning::Key) -> bool {
        key.e.get()
    }
    fn elsewhere(&mut self) {}
}

#[test]
fn tuning_reaches_the_runtime() {
    use std::time::Duration;
    let (client, _server) = tuning::tuned::pair::<()>().expect("a pair");
    assert_eq!(client.window(), 64);
    fn deadline<M: runtime_core::Method>() -> Option<Duration> {
        M::DEADLINE
    }
    use tuning::tuned::method;
    assert_eq!(deadline::<method::Get>(), Some(Duration::from_micros(50)));
    assert_eq!(deadline::<method::Put>(), Some(Duration::from_secs(1)));
    // What the interface says holds for methods that say nothing.
    assert_eq!(deadline::<method::Has>(), Some(Duration::from_millis(5)));
    assert_eq!(
        deadline::<method::Elsewhere>(),
        Some(Duration::from_millis(5))
    );
}

#[test]
fn two_definitions_do_not_talk() {
    assert_ne!(
        oneway::mixed::Service::ABI_HASH,
        oneway::sink::Service::ABI_HASH
    );
    // An extension without anything new has another name, but the same messages.
    assert_eq!(
        empty_interface::empty::Service::ABI_HASH,
        empty_interface::same::Service::ABI_HASH
    );
    let _: fn() -> keywords::Rust = zeroed;
}
