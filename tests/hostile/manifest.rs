//! What the hostile guests share. They are made from the contract alone, without the SDK: what its
//! macros embed has to be written here.

/// Embeds `plugin.toml` of the crate as the custom section that the host reads.
macro_rules! embed_manifest {
    () => {
        #[cfg(target_arch = "wasm32")]
        #[expect(unsafe_code, reason = "a custom section needs its link_section")]
        #[used]
        #[unsafe(link_section = "sluice:manifest")]
        static MANIFEST: [u8; include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/plugin.toml"))
            .len()] = *include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/plugin.toml"));
    };
}

pub(crate) use embed_manifest;
