// Written by the golden runner: one module a schema of `idl/`.

/// From `idl/aliases.idl`.
pub mod aliases;

/// From `idl/arrays.idl`.
pub mod arrays;

/// From `idl/big.idl`.
pub mod big;

/// From `idl/buffers.idl`.
pub mod buffers;

/// From `idl/clashes.idl`.
pub mod clashes;

/// From `idl/consts.idl`.
pub mod consts;

/// From `idl/defaults.idl`.
pub mod defaults;

/// From `idl/deprecated.idl`.
pub mod deprecated;

/// From `idl/directions.idl`.
pub mod directions;

/// From `idl/docs.idl`.
pub mod docs;

/// From `idl/empty_interface.idl`.
pub mod empty_interface;

/// From `idl/enums.idl`.
pub mod enums;

/// From `idl/errors.idl`.
pub mod errors;

/// From `idl/events.idl`.
pub mod events;

/// From `idl/extends.idl`.
pub mod extends;

/// From `idl/flags.idl`.
pub mod flags;

/// From `idl/ids.idl`.
pub mod ids;

/// From `idl/imports.idl`.
pub mod imports;

/// From `idl/in_place.idl`.
pub mod in_place;

/// From `idl/keywords.idl`.
pub mod keywords;

/// From `idl/kv.idl`.
pub mod kv;

/// From `idl/nested.idl`.
pub mod nested;

/// From `idl/oneway.idl`.
pub mod oneway;

/// From `idl/optionals.idl`.
pub mod optionals;

/// From `idl/rdma.idl`.
pub mod rdma;

/// From `idl/reserved.idl`.
pub mod reserved;

/// From `idl/scalars.idl`.
pub mod scalars;

/// From `idl/several_backends.idl`.
pub mod several_backends;

/// From `idl/shm.idl`.
pub mod shm;

/// From `idl/shm_isolated.idl`.
pub mod shm_isolated;

/// From `idl/strings_bytes.idl`.
pub mod strings_bytes;

/// From `idl/tuning.idl`.
pub mod tuning;

/// From `idl/unions.idl`.
pub mod unions;

/// From `idl/unlucky.idl`.
pub mod unlucky;

/// From `idl/vecs.idl`.
pub mod vecs;
