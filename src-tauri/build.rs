use std::path::PathBuf;
use std::{env, fs};

use serde_json::Value;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    // `generate_context!` embeds the page and does not watch it.
    println!("cargo:rerun-if-changed=dist");
    first_linked();
    words()?;
    updates()?;
    tauri_build::build();
    Ok(())
}

/// The loader looks for each of 70,000 symbols in one library after the other, in the order in which they are named here, and nearly all
/// are in these two.
fn first_linked() {
    if env::var("CARGO_CFG_TARGET_OS").is_ok_and(|system| system == "linux") {
        for library in ["javascriptcoregtk-4.1", "webkit2gtk-4.1"] {
            println!("cargo:rustc-link-lib={library}");
        }
    }
}

/// A publisher who offers new versions must not offer them to be replaced on the way.
fn updates() -> Result<(), Failure> {
    println!("cargo:rerun-if-env-changed=TAURI_CONFIG");
    let Ok(merged) = env::var("TAURI_CONFIG") else {
        return Ok(());
    };
    let merged: Value = serde_json::from_str(&merged)?;
    let Some(updater) = merged.pointer("/plugins/updater") else {
        return Ok(());
    };
    let safe = |endpoint: &Value| {
        endpoint
            .as_str()
            .is_some_and(|it| it.starts_with("https://"))
    };
    let endpoints = updater["endpoints"].as_array();
    if !endpoints.is_some_and(|all| !all.is_empty() && all.iter().all(safe)) {
        return Err("plugins.updater.endpoints: at least one address, each with https://".into());
    }
    if updater["pubkey"].as_str().is_none_or(str::is_empty) {
        return Err("plugins.updater.pubkey: the contents of the .pub file".into());
    }
    if updater["requireSignedVersion"] != true {
        return Err("plugins.updater.requireSignedVersion: must be true".into());
    }
    if updater["allowDowngrades"] == true {
        return Err("plugins.updater.allowDowngrades: an older version is no update".into());
    }
    let lax = updater.as_object().into_iter().flat_map(|all| all.keys());
    if let Some(lax) = lax
        .into_iter()
        .find(|name| name.to_lowercase().starts_with("dangerous"))
    {
        return Err(format!("plugins.updater.{lax}: not in a release").into());
    }
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
