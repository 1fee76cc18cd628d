use std::path::PathBuf;
use std::{env, fs};

use serde_json::Value;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    // `generate_context!` embeds the page and does not watch it.
    println!("cargo:rerun-if-changed=dist");
    words()?;
    tauri_build::build();
    Ok(())
}

/// The words of tray and notices, from where all other words are.
fn words() -> Result<(), Failure> {
    let mut code = String::new();
    for (name, file) in [("ZH_CN", "zh-CN"), ("ZH_TW", "zh-TW"), ("EN", "en")] {
        let path = format!("ui/messages/{file}.json");
        println!("cargo:rerun-if-changed={path}");
        let messages: Value = serde_json::from_slice(&fs::read(&path)?)?;
        let word = |pointer: &str| {
            let found = messages.pointer(pointer).and_then(Value::as_str);
            found.ok_or(format!("{path}: {pointer} is missing"))
        };
        code.push_str(&format!("const {name}: Words = Words {{\n"));
        for (field, pointer) in [
            ("app_name", "/app/name"),
            ("open", "/shell/open"),
            ("quit", "/shell/quit"),
            ("notice_title", "/shell/notice-title"),
            ("notice_text", "/shell/notice-text"),
        ] {
            code.push_str(&format!("    {field}: {:?},\n", word(pointer)?));
        }
        code.push_str("};\n");
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("no OUT_DIR")?);
    fs::write(out.join("words.rs"), code)?;
    Ok(())
}
