//! Calls of `include_idl!` that cannot be made sense of.

mod missing {
    rpcidl_macros::include_idl!("idl/missing.idl");
}

mod no_text {
    rpcidl_macros::include_idl!(idl);
}

mod nothing {
    rpcidl_macros::include_idl!();
}

mod options {
    rpcidl_macros::include_idl!("a.idl", backend = "rmda", includes = ["a"], crate = runtime_core, zerocopy = 1);
}

mod whose_runtime {
    rpcidl_macros::include_idl!("tests/idl/shop.idl", runtime = ::lanes);
}

mod built {
    rpcidl_macros::include_idl!("built", backend = "inproc");
}

mod not_built {
    rpcidl_macros::include_idl!("built");
}

fn main() {}
