//! Constants, sizes, defaults, zero and `Debug` of generated types.

use golden::generated::*;
use runtime_core::{Bool8, Bytes, List, Opt, Str, bytes_of, zeroed};

#[test]
fn constants_have_the_values_that_were_written() {
    use golden::generated::consts::consts as of_interface;
    use golden::generated::consts::*;
    assert_eq!(
        (SMALL, NEGATIVE, OCTAL, BINARY),
        (255, -128, 0o777, 0b1010_0101)
    );
    assert_eq!((LARGE, LEAST), (u64::MAX, i64::MIN));
    assert_eq!(
        (SUM, PRECEDENCE, SHIFTED, MASKED),
        (255 + 165 * 2, 1 + 2 * 3 - 4 / 2, 1022, 0xFF00)
    );
    assert_eq!((MIXED, MINUS), ((1022 & 0xF0) | 0x5 ^ 0x1, -(5 - 8) * -2));
    assert_eq!([YES, NO, COMPARED], [true, false, true]);
    assert_eq!((SINGLE, DOUBLE, WHOLE, HUGE), (1.5, -2.25e-3, 4.0, 1e300));
    assert_eq!(TEXT, "quote \" backslash \\ tab \t newline \n");
    assert_eq!(UNICODE, "grüße ☃ 😀");
    assert_eq!((LEVEL, BITS, MEMBER), (Level::HIGH, Bits::A | Bits::B, 10));
    assert_eq!((of_interface::LIMIT, of_interface::NAME), (100, "abcd"));
    assert_eq!(extends::middle::LEVEL, 2);
}

#[test]
fn sizes_are_those_of_the_design() {
    assert_eq!(
        (size_of::<kv::Record>(), align_of::<kv::Record>()),
        (1208, 8)
    );
    assert_eq!(size_of::<kv::Query>(), 66);
    // Measured in the reference of the language.
    assert_eq!(
        (size_of::<buffers::Record>(), align_of::<buffers::Record>()),
        (1224, 8)
    );
    assert_eq!(
        (
            size_of::<buffers::Stamp>(),
            size_of::<buffers::Range>(),
            align_of::<buffers::Range>()
        ),
        (16, 130, 2)
    );
    assert_eq!(size_of::<buffers::Query>(), 132);
    use buffers::kv_store::*;
    assert_eq!(
        [
            size_of::<GetRequest>(),
            size_of::<PutRequest>(),
            size_of::<ScanRequest>(),
            size_of::<LoadRequest>(),
            size_of::<TouchRequest>(),
            size_of::<HasRequest>(),
            size_of::<EvictedEvent>(),
        ],
        [80, 1232, 144, 48, 64, 64, 66]
    );
    assert_eq!(size_of::<big::Whole>(), 65_536);
}

#[test]
fn enums_have_their_numbers_and_names() {
    use golden::generated::enums::*;
    assert_eq!([Tier::HOT.0, Tier::WARM.0, Tier::COLD.0], [0, 5, 6]);
    assert_eq!(
        [
            Signed::MIN.0,
            Signed::MINUS.0,
            Signed::ZERO.0,
            Signed::PLUS.0,
            Signed::MAX.0
        ],
        [-128, -1, 0, 1, 127]
    );
    assert_eq!(Same::FIRST, Same::ALSO_FIRST);
    assert_eq!(Same::LAST.0, u32::MAX);
    assert_eq!(
        (Wide::LOW.0, Wide::HIGH.0, Widest::MAX.0),
        (i64::MIN, i64::MAX, u64::MAX)
    );
    assert_eq!([Computed::A.0, Computed::B.0, Computed::C.0], [16, 17, 12]);
    assert_eq!((Tier::WARM.name(), Tier(9).name()), (Some("WARM"), None));
    assert_eq!((Tier::from(6), u8::from(Tier::COLD)), (Tier::COLD, 6));
    assert!(Tier::HOT.is_known() && !Tier(7).is_known());
    assert_eq!(format!("{:?} {:?}", Tier::COLD, Tier(7)), "COLD Tier(7)");
    assert_eq!(format!("{:?}", Signed(-5)), "Signed(-5)");
}

#[test]
fn flags_are_sets() {
    use golden::generated::flags::*;
    assert_eq!(Options::BOTH, Options::SYNC | Options::TTL);
    assert!(Options::BOTH.contains(Options::TTL) && !Options::TTL.contains(Options::BOTH));
    assert_eq!(Options::BOTH.without(Options::TTL), Options::SYNC);
    assert_eq!(Options::BOTH & Options::SYNC, Options::SYNC);
    assert_eq!(Wide::HIGH.0, 1 << 63);
    assert_eq!(DEFAULT, Options::BOTH);
    assert_eq!(format!("{:?}", Options::SYNC), "Options(SYNC)");
    assert_eq!(
        format!("{:?}", Access::READ | Access::WRITE),
        "Access(READ | WRITE)"
    );
    assert_eq!(format!("{:?}", Options(0x8001)), "Options(SYNC | 0x8000)");
    assert_eq!(format!("{:?}", Options::empty()), "Options()");
}

#[test]
fn defaults_are_those_that_were_written() {
    use golden::generated::defaults::*;
    let all = Defaults::default();
    assert_eq!(
        (all.a, all.b, all.c, all.d, all.computed, all.none),
        (1, -5, 1.5, 2.0, 42, 0)
    );
    assert_eq!(all.e, Bool8::TRUE);
    assert_eq!((all.level, all.bits), (Level::LOW, Bits::A | Bits::C));
    assert_eq!(all.text, "hello \"you\"");
    assert_eq!((all.inner.a, all.inner.name.as_str()), (7, "inner"));
    assert!(all.inners.iter().all(|inner| *inner == Inner::default()));
    assert!(all.maybe.is_none() && all.list.is_empty());
    assert_eq!(enums::Enums::default().tier, enums::Tier::WARM);
    assert_eq!(flags::Request::default().options, flags::Options::BOTH);
    assert_eq!(nested::Image::default().size.width, 4);
    assert_eq!(
        imports::Marker::default().colour,
        imports::acme_common::Colour::BLUE
    );
    assert_eq!(runtime_core::Wire::validate(&all), Ok(()));
}

#[test]
fn zero_is_a_value_of_every_type() {
    fn holds<T: runtime_core::Wire + std::fmt::Debug>() -> String {
        let zero = zeroed::<T>();
        assert!(bytes_of(&zero).iter().all(|&byte| byte == 0));
        assert_eq!(zero.validate(), Ok(()));
        format!("{zero:?}")
    }
    assert_eq!(
        holds::<scalars::Scalars>(),
        "Scalars { a: 0, _pad0: _, b: 0, c: 0, _pad1: _, d: 0, e: 0, _pad2: _, f: 0, g: 0, _pad3: _, h: 0, i: 0, j: 0, k: 0.0, \
         _pad4: _, l: 0.0, m: false, _pad5: _ }"
    );
    assert_eq!(holds::<unions::Query>(), "All");
    assert_eq!(holds::<optionals::Optionals>().matches("None").count(), 11);
    holds::<strings_bytes::Texts>();
    holds::<vecs::Vecs>();
    holds::<arrays::Arrays>();
    holds::<unions::Holder>();
    holds::<reserved::Grown>();
    holds::<nested::Other>();
    holds::<big::Deep7>();
    holds::<kv::Record>();
    holds::<keywords::Rust>();
    holds::<clashes::Fields>();
    // A closed enum without a zero among its members would be refused; holding it is still no error.
    let zero = zeroed::<enums::Enums>();
    assert_eq!(zero.mode, enums::Mode::UPSERT);
}

#[test]
fn messages_are_shown_to_people() {
    let mut texts = strings_bytes::Texts::default();
    texts.odd.set("añb").expect("it fits");
    texts.odd_bytes.set(&[1, 2]).expect("it fits");
    let shown = format!("{texts:?}");
    assert!(
        shown.contains("odd: \"añb\"") && shown.contains("odd_bytes: [1, 2]"),
        "{shown}"
    );
    assert_eq!(
        format!(
            "{:?}",
            unions::Query::exact(&Str::try_from("x").expect("it fits"))
        ),
        "Exact(\"x\")"
    );
    assert_eq!(
        format!("{:?}", unions::Query::maybe(&Some(3).into())),
        "Maybe(Some(3))"
    );
    assert_eq!(format!("{:?}", errors::StoreError::BUSY), "BUSY");
    assert_eq!(errors::StoreError(77).to_string(), "StoreError(77)");
    let request = directions::directions::EverythingRequest { a: 1, ..zeroed() };
    assert!(
        format!("{request:?}").starts_with("EverythingRequest { a: 1, "),
        "{request:?}"
    );
}

#[test]
fn unions_give_the_arm_that_is_set() {
    use golden::generated::unions::*;
    let big = Big {
        a: 5,
        b: "xyz".try_into().expect("it fits"),
    };
    let query = Query::big(&big);
    assert_eq!(
        (query.as_big(), query.as_exact(), query.as_yes()),
        (Some(&big), None, None)
    );
    assert_eq!(query.arm(), QueryArm::Big(&big));
    assert_eq!(Query::yes(true).as_yes(), Some(true));
    assert_eq!(
        (Query::default().arm(), Query::all()),
        (QueryArm::All, Query::default())
    );
    assert_eq!(Shape::square(&[1.0, 2.0]).as_square(), Some(&[1.0, 2.0]));
    assert_eq!(Tight::side(Side::RIGHT).as_side(), Some(Side::RIGHT));
    assert_eq!(Empty::second().arm(), EmptyArm::Second);
    assert_eq!(Sparse::high(7).arm(), SparseArm::High(7));
    assert_eq!(bytes_of(&Sparse::high(7))[..8], [0xFF; 8]);
    // Setting another arm leaves nothing of the one before.
    assert_eq!(bytes_of(&Query::yes(true))[9..], [0; 23]);
}

#[test]
fn nothing_is_truncated() {
    let mut text = Str::<5, 1>::new();
    assert_eq!(text.set("123456").expect_err("too long").len, 6);
    assert!(text.is_empty());
    text.set("12345").expect("it fits");
    text.set("1").expect("it fits");
    assert_eq!(
        bytes_of(&text),
        [1, 0, b'1', 0, 0, 0, 0, 0],
        "nothing of the longer text is left"
    );
    assert!(Bytes::<7, 1>::try_from(&[0; 8][..]).is_err());
    let mut list = List::<u64, 3>::new();
    assert!(list.set(&[1, 2, 3, 4]).is_err() && list.is_empty());
    list.set(&[1, 2, 3]).expect("they fit");
    assert!(list.push(4).is_err());
    list.truncate(1);
    assert_eq!(bytes_of(&list)[16..], [0; 16]);
    assert_eq!(Opt::<u64>::some(3).get(), Some(&3));
}

#[test]
fn asked_for_derives_are_there() {
    use std::collections::BTreeSet;
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut key = tuning::Key::default();
    let mut keys = BTreeSet::from([key]);
    key.a = 1;
    assert!(keys.insert(key) && !keys.insert(key));
    let hash = |value: &tuning::Key| {
        let mut hasher = DefaultHasher::new();
        value.hash(&mut hasher);
        hasher.finish()
    };
    assert_eq!(hash(&key), hash(&key.clone()));
    assert!(tuning::Measured { a: 1.0 } < tuning::Measured { a: 2.0 });
    fn eq<T: Eq + Hash>() {}
    eq::<tuning::Either>();
    eq::<tuning::Level>();
    eq::<tuning::Bits>();
}

#[test]
fn zerocopy_reads_and_writes_messages() {
    use runtime_core::zerocopy::{FromBytes, IntoBytes};
    let mut record = kv::Record::default();
    record.key.set("user/42").expect("it fits");
    record
        .owners
        .push(kv::acme_common::Uuid { high: 1, low: 2 })
        .expect("room");
    let copy = kv::Record::read_from_bytes(record.as_bytes()).expect("the size is right");
    assert_eq!(copy, record);
    let query = unions::Query::yes(true);
    assert_eq!(
        unions::Query::read_from_bytes(query.as_bytes()).expect("the size is right"),
        query
    );
}

/// The arms of a closed union are all there will ever be, so a `match` needs no `_`, also in another crate.
fn area(shape: &unions::Shape) -> Option<f32> {
    use unions::ShapeArm;
    match shape.arm() {
        ShapeArm::None => Some(0.0),
        ShapeArm::Circle(radius) => Some(3.0 * radius * radius),
        ShapeArm::Square([width, height]) => Some(width * height),
        ShapeArm::Unknown(_) => None,
    }
}

#[test]
fn closed_unions_are_matched_without_a_wildcard() {
    assert_eq!(area(&unions::Shape::none()), Some(0.0));
    assert_eq!(area(&unions::Shape::circle(2.0)), Some(12.0));
    assert_eq!(area(&unions::Shape::square(&[2.0, 3.0])), Some(6.0));
    // Bytes that were never received need not be an arm, and what is made of them is no undefined behaviour.
    let raw: unions::Shape = zeroed_but_for_its_tag(7);
    assert_eq!(area(&raw), None);
}

fn zeroed_but_for_its_tag(tag: u8) -> unions::Shape {
    let mut shape: unions::Shape = zeroed();
    if let Some(first) = runtime_core::zerocopy::IntoBytes::as_mut_bytes(&mut shape).first_mut() {
        *first = tag;
    }
    shape
}
