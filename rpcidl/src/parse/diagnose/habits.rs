//! Slips that come from the habits of other languages, one function each.

mod fields;
mod methods;
mod statements;

use super::piece::Piece;
use super::{Context, Stop};
use crate::diag::Diagnostic;

/// What a function is told: the piece, where it stands, where the strict rule stopped, and the token there.
struct View<'p, 't> {
    piece: &'p Piece<'t>,
    context: Context,
    stop: &'p Stop,
    /// Index of the token at which the strict rule stopped.
    at: usize,
}

/// The first slip that fits.
pub(super) fn find(piece: &Piece<'_>, context: Context, stop: Option<&Stop>) -> Option<Diagnostic> {
    let stop = stop?;
    let view = View {
        piece,
        context,
        stop,
        at: piece.index_at(stop.at),
    };
    let habits: [fn(&View<'_, '_>) -> Option<Diagnostic>; 33] = [
        statements::double_colon,
        fields::name_first,
        fields::numbered_name,
        fields::foreign_modifier,
        fields::array_after_name,
        fields::bit_field,
        fields::late_number,
        fields::bound_first,
        fields::optional_first,
        fields::member_with_value,
        fields::pointer,
        fields::rust_array,
        fields::angle_operator,
        fields::several_names,
        methods::method_body,
        methods::arrow,
        methods::generates,
        methods::raises,
        methods::two_errors,
        methods::param_default,
        methods::late_direction,
        methods::late_kind,
        methods::two_directions,
        methods::two_results,
        methods::qualifier,
        methods::no_param,
        statements::no_body,
        statements::alias_order,
        statements::import_forms,
        statements::conditional,
        fields::angle_semicolon,
        statements::spaced_path,
        statements::key_and_value,
    ];
    habits.iter().find_map(|habit| habit(&view))
}
