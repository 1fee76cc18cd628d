fn main() {
    // `generate_context!` embeds the page and does not watch it.
    println!("cargo:rerun-if-changed=dist");
    tauri_build::build();
}
