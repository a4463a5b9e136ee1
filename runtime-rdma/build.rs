//! Does nothing, unless the feature `regenerate` asks for new bindings of libibverbs: then bindgen reads the installed headers.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    #[cfg(feature = "regenerate")]
    regenerate::write();
}

#[cfg(feature = "regenerate")]
mod regenerate {
    use std::{env, fs, path::Path};

    /// What this crate names of the header; bindgen adds what these are made of.
    const TYPES: &[&str] = &[
        "ibv_device",
        "ibv_context",
        "ibv_context_ops",
        "ibv_device_attr",
        "ibv_port_attr",
        "ibv_port_state",
        "ibv_port_cap_flags",
        "ibv_mtu",
        "ibv_gid",
        "ibv_gid_entry",
        "ibv_gid_type",
        "ibv_pd",
        "ibv_mr",
        "ibv_access_flags",
        "ibv_comp_channel",
        "ibv_cq",
        "ibv_wc",
        "ibv_wc_status",
        "ibv_wc_opcode",
        "ibv_wc_flags",
        "ibv_srq",
        "ibv_srq_attr",
        "ibv_srq_attr_mask",
        "ibv_srq_init_attr",
        "ibv_qp",
        "ibv_qp_attr",
        "ibv_qp_attr_mask",
        "ibv_qp_cap",
        "ibv_qp_init_attr",
        "ibv_qp_state",
        "ibv_qp_type",
        "ibv_ah_attr",
        "ibv_global_route",
        "ibv_grh",
        "ibv_sge",
        "ibv_send_wr",
        "ibv_recv_wr",
        "ibv_wr_opcode",
        "ibv_send_flags",
        "ibv_async_event",
        "ibv_event_type",
    ];

    pub(super) fn write() {
        let mut bindings = bindgen::Builder::default()
            .header_contents("verbs.h", "#include <infiniband/verbs.h>\n")
            .allowlist_var("IBV_LINK_LAYER_.*")
            // pthread_mutex_t and pthread_cond_t differ between C libraries and processors, and libc knows them all.
            .blocklist_type("(__)?(pthread|atomic)_.*")
            .raw_line("use libc::{pthread_cond_t, pthread_mutex_t};")
            .with_codegen_config(bindgen::CodegenConfig::TYPES | bindgen::CodegenConfig::VARS)
            // Any number may come from a driver that is newer than the header, so none of them is a Rust enum.
            .default_enum_style(bindgen::EnumVariation::Consts)
            .prepend_enum_name(false)
            .derive_default(true)
            .generate_comments(false)
            .layout_tests(true)
            .rust_target(bindgen::RustTarget::stable(85, 0).expect("bindgen knows Rust 1.85"))
            .rust_edition(bindgen::RustEdition::Edition2024)
            .formatter(bindgen::Formatter::Prettyplease);
        for name in TYPES {
            bindings = bindings.allowlist_type(name);
        }
        let text = bindings
            .generate()
            .expect("the headers of libibverbs and libclang are installed")
            .to_string();
        // The offsets behind a mutex are those of the machine that ran bindgen, so the assertions hold for its kind only.
        let assertion = "const _: () = {";
        assert!(
            text.contains(assertion),
            "bindgen writes its layout assertions in another form now"
        );
        let text = text.replace(
            assertion,
            "#[cfg(all(target_arch = \"x86_64\", target_env = \"gnu\", target_pointer_width = \"64\"))]\nconst _: () = {",
        );
        let out = env::var_os("OUT_DIR").expect("cargo sets OUT_DIR");
        fs::write(Path::new(&out).join("bindings.rs"), text).expect("OUT_DIR is writable");
    }
}
