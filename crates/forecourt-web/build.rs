//! Stops the build with a sentence when the sites' assets have not been built yet.

use std::path::Path;

fn main() {
    println!("cargo::rerun-if-changed=assets/dist/manifest.json");
    println!("cargo::rerun-if-changed=templates");
    println!("cargo::rerun-if-changed=messages");
    if !Path::new("assets/dist/manifest.json").exists() {
        println!(
            "cargo::error=the web assets are not built: run `cargo xtask assets` (or, in \
             crates/forecourt-web/assets, `npm ci && npm run build`) and build again"
        );
    }
}
