//! Build script of the desktop app.
//!
//! The manifest and `tauri.conf.json` lie at the root of the repository; capabilities stay with the
//! shell in `src-tauri/`, so their place is named here.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=src-tauri/capabilities");
    let attributes =
        tauri_build::Attributes::new().capabilities_path_pattern("./src-tauri/capabilities/**/*");
    tauri_build::try_build(attributes).map_err(Into::into)
}
