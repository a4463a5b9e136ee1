//! Every rule of validation, one byte changed at a time, with the path that the error names.

use golden::generated::*;
use runtime_core::{Invalid, InvalidKind, Wire, bytes_of_mut};

/// A valid value with some bytes written over, validated.
fn with<T: Wire>(mut value: T, bytes: &[(usize, u8)]) -> Result<(), Invalid> {
    assert_eq!(value.validate(), Ok(()));
    for &(offset, byte) in bytes {
        bytes_of_mut(&mut value)[offset] = byte;
    }
    value.validate()
}

#[track_caller]
fn refused<T: Wire>(value: T, bytes: &[(usize, u8)], kind: InvalidKind, text: &str) {
    let invalid = with(value, bytes).expect_err("an invalid value");
    assert_eq!((invalid.kind(), invalid.to_string().as_str()), (kind, text));
}

#[test]
fn a_text_is_not_longer_than_its_bound() {
    let texts = strings_bytes::Texts::default;
    refused(
        texts(),
        &[(0, 2)],
        InvalidKind::TooLong,
        "`Texts.one` at byte 0 is longer than its bound",
    );
    refused(
        texts(),
        &[(4, 6)],
        InvalidKind::TooLong,
        "`Texts.odd` at byte 4 is longer than its bound",
    );
    refused(
        texts(),
        &[(5, 1)],
        InvalidKind::TooLong,
        "`Texts.odd` at byte 4 is longer than its bound",
    );
    refused(
        texts(),
        &[(26, 8)],
        InvalidKind::TooLong,
        "`Texts.odd_bytes` at byte 26 is longer than its bound",
    );
    let numbers = vecs::vecs::SumRequest {
        numbers: Default::default(),
    };
    refused(
        numbers,
        &[(0, 8)],
        InvalidKind::TooLong,
        "`SumRequest.numbers` at byte 0 is longer than its bound",
    );
}

#[test]
fn a_text_is_utf8() {
    let texts = strings_bytes::Texts::default;
    refused(
        texts(),
        &[(4, 1), (6, 0xFF)],
        InvalidKind::NotUtf8,
        "`Texts.odd` at byte 4 is not UTF-8",
    );
    // Half of a character.
    refused(
        texts(),
        &[(4, 1), (6, 0xC3), (7, 0xA9)],
        InvalidKind::NotUtf8,
        "`Texts.odd` at byte 4 is not UTF-8",
    );
    assert_eq!(with(texts(), &[(4, 2), (6, 0xC3), (7, 0xA9)]), Ok(()));
    // Bytes may be anything.
    assert_eq!(with(texts(), &[(26, 1), (28, 0xFF)]), Ok(()));
}

#[test]
fn a_bool_is_0_or_1() {
    let scalars = scalars::Scalars::default();
    let place = std::mem::offset_of!(scalars::Scalars, m);
    assert_eq!(with(scalars, &[(place, 1)]), Ok(()));
    refused(
        scalars,
        &[(place, 2)],
        InvalidKind::NotBool,
        "`Scalars.m` at byte 56 is neither 0 nor 1",
    );
    let arrays = arrays::Arrays::default();
    let place = std::mem::offset_of!(arrays::Arrays, flags);
    refused(
        arrays,
        &[(place + 2, 255)],
        InvalidKind::NotBool,
        &format!("`Arrays.flags[2]` at byte {} is neither 0 nor 1", place + 2),
    );
    let flags = vecs::Vecs {
        flags: [true.into(); 3][..].try_into().expect("they fit"),
        ..Default::default()
    };
    let place = std::mem::offset_of!(vecs::Vecs, flags);
    refused(
        flags,
        &[(place + 3, 2)],
        InvalidKind::NotBool,
        &format!("`Vecs.flags[1]` at byte {} is neither 0 nor 1", place + 3),
    );
    // What lies past the length is nobody's business.
    assert_eq!(with(flags, &[(place + 6, 2)]), Ok(()));
}

#[test]
fn the_flag_of_an_optional_is_0_or_1() {
    let all = optionals::Optionals::default();
    let place = std::mem::offset_of!(optionals::Optionals, d);
    let text = format!("`Optionals.d` at byte {place} is neither 0 nor 1");
    refused(all, &[(place, 3)], InvalidKind::NotBool, &text);
    let text = format!("`Optionals.d` at byte {place} has padding that is not zero");
    refused(all, &[(place + 7, 1)], InvalidKind::Padding, &text);
    let text = std::mem::offset_of!(optionals::Optionals, text);
    assert_eq!(
        with(all, &[(text + 2, 9)]),
        Ok(()),
        "an absent value is not looked at"
    );
    refused(
        all,
        &[(text, 1), (text + 2, 9)],
        InvalidKind::TooLong,
        &format!(
            "`Optionals.text` at byte {} is longer than its bound",
            text + 2
        ),
    );
    let inner = std::mem::offset_of!(optionals::Optionals, inner);
    let message = format!(
        "`Optionals.inner._pad0` at byte {} has padding that is not zero",
        inner + 5
    );
    refused(
        all,
        &[(inner, 1), (inner + 5, 9)],
        InvalidKind::Padding,
        &message,
    );
}

#[test]
fn a_closed_enum_holds_a_member() {
    let all = enums::Enums::default();
    assert_eq!(with(all, &[(0, 200)]), Ok(()), "an open one holds anything");
    refused(
        all,
        &[(2, 9)],
        InvalidKind::NotMember,
        "`Enums.mode` at byte 2 is not a declared value",
    );
    refused(
        all,
        &[(4, 0x80 + 1)],
        InvalidKind::NotMember,
        "`Enums.signed` at byte 4 is not a declared value",
    );
    assert_eq!(with(all, &[(4, 0x80)]), Ok(()));
}

#[test]
fn closed_flags_hold_declared_bits() {
    let all = flags::Request::default();
    assert_eq!(with(all, &[(1, 0xFF)]), Ok(()), "open ones hold anything");
    refused(
        all,
        &[(2, 8)],
        InvalidKind::NotMember,
        "`Request.access` at byte 2 is not a declared value",
    );
}

#[test]
fn a_closed_union_holds_a_declared_arm() {
    use golden::generated::unions::*;
    assert_eq!(
        with(Query::default(), &[(0, 99)]),
        Ok(()),
        "an open one may hold an arm that this build does not know"
    );
    refused(
        Shape::default(),
        &[(0, 3)],
        InvalidKind::UnknownTag,
        "`Shape` at byte 0 has a tag that is not declared",
    );
    refused(
        Shape::default(),
        &[(3, 1)],
        InvalidKind::UnknownTag,
        "`Shape` at byte 0 has a tag that is not declared",
    );
    refused(
        Empty::default(),
        &[(0, 1)],
        InvalidKind::UnknownTag,
        "`Empty` at byte 0 has a tag that is not declared",
    );
    refused(
        Query::default(),
        &[(3, 1)],
        InvalidKind::Padding,
        "`Query` at byte 1 has padding that is not zero",
    );
    refused(
        Query::yes(true),
        &[(8, 2)],
        InvalidKind::NotBool,
        "`Query.yes` at byte 8 is neither 0 nor 1",
    );
    refused(
        Tight::side(Side::LEFT),
        &[(1, 2)],
        InvalidKind::NotMember,
        "`Tight.side` at byte 1 is not a declared value",
    );
    let big = Query::big(&Big::default());
    refused(
        big,
        &[(16, 6)],
        InvalidKind::TooLong,
        "`Query.big.b` at byte 16 is longer than its bound",
    );
}

#[test]
fn errors_in_unions_in_lists_name_their_path() {
    use golden::generated::unions::*;
    let mut holder = Holder::default();
    holder
        .more
        .set(&[Query::all(), Query::yes(false)])
        .expect("they fit");
    let first = std::mem::offset_of!(Holder, more) + 8;
    let place = first + size_of::<Query>() + 8;
    refused(
        holder,
        &[(place, 7)],
        InvalidKind::NotBool,
        &format!("`Holder.more[1].yes` at byte {place} is neither 0 nor 1"),
    );
}

#[test]
fn padding_and_reserved_bytes_are_zero() {
    let scalars = scalars::Scalars::default();
    refused(
        scalars,
        &[(1, 1)],
        InvalidKind::Padding,
        "`Scalars._pad0` at byte 1 has padding that is not zero",
    );
    refused(
        scalars,
        &[(63, 1)],
        InvalidKind::Padding,
        "`Scalars._pad5` at byte 57 has padding that is not zero",
    );
    let texts = strings_bytes::Texts::default();
    refused(
        texts,
        &[(11, 1)],
        InvalidKind::Padding,
        "`Texts.odd` at byte 4 has padding that is not zero",
    );
    let grown = reserved::Grown::default();
    refused(
        grown,
        &[(6, 1)],
        InvalidKind::Reserved,
        "`Grown._reserved0` at byte 4 has reserved bytes that are not zero",
    );
    refused(
        grown,
        &[(15, 1)],
        InvalidKind::Reserved,
        "`Grown._reserved1` at byte 8 has reserved bytes that are not zero",
    );
    refused(
        grown,
        &[(24, 1)],
        InvalidKind::Reserved,
        "`Grown._reserved2` at byte 24 has reserved bytes that are not zero",
    );
    refused(
        grown,
        &[(25, 1)],
        InvalidKind::Padding,
        "`Grown._pad0` at byte 25 has padding that is not zero",
    );
}

#[test]
fn nested_findings_name_the_whole_path() {
    use vecs::Vecs;
    let mut vecs = Vecs::default();
    let inner = runtime_core::List::<u8, 3, 1>::new();
    vecs.nested.set(&[inner; 3]).expect("they fit");
    let place = std::mem::offset_of!(Vecs, nested) + 2 + 2 * 6;
    refused(
        vecs,
        &[(place, 4)],
        InvalidKind::TooLong,
        &format!("`Vecs.nested[2]` at byte {place} is longer than its bound"),
    );
    refused(
        vecs,
        &[(place + 5, 4)],
        InvalidKind::Padding,
        &format!("`Vecs.nested[2]` at byte {place} has padding that is not zero"),
    );
    let mut vecs = Vecs::default();
    vecs.names.set(&[Default::default(); 2]).expect("they fit");
    let place = std::mem::offset_of!(Vecs, names) + 2 + 8;
    refused(
        vecs,
        &[(place, 1), (place + 2, 0x80)],
        InvalidKind::NotUtf8,
        &format!("`Vecs.names[1]` at byte {place} is not UTF-8"),
    );
}

#[test]
fn plain_types_have_nothing_to_check() {
    const {
        assert!(<scalars::Plain as Wire>::PLAIN);
        assert!(<big::Half as Wire>::PLAIN);
        assert!(<enums::Tier as Wire>::PLAIN);
        assert!(<flags::Options as Wire>::PLAIN);
        assert!(!<scalars::Scalars as Wire>::PLAIN);
        assert!(!<enums::Mode as Wire>::PLAIN);
        assert!(!<reserved::Future as Wire>::PLAIN);
    }
}
