//! What the web view takes from the environment, settled before it starts.

use std::ffi::OsString;
use std::fs;

use gio::glib;

/// Whoever sets one of these reads the page and types into it: the window of an installed app is driven by its person
/// alone.
const OPENERS: [&str; 3] = [
    "TAURI_WEBVIEW_AUTOMATION",
    "WEBKIT_INSPECTOR_SERVER",
    "WEBKIT_INSPECTOR_HTTP_SERVER",
];
/// Without a GPU the web view shares pictures with itself through memory all the same; this way it needs less of it
/// and starts sooner (docs/performance.md).
const NO_DMABUF: &str = "WEBKIT_DISABLE_DMABUF_RENDERER";

/// Changes the environment of this process and of those that it starts. Must come first: no thread may read it yet.
pub(crate) fn settle() {
    let is_set = |name: &str| std::env::var_os(name).is_some();
    let may_be_driven = cfg!(feature = "simulator");
    if !may_be_driven {
        OPENERS.into_iter().for_each(glib::unsetenv);
        if OPENERS.into_iter().any(is_set) {
            std::process::exit(1);
        }
    }
    // A driven web view that draws this way often never answers when a picture of it is asked for.
    let is_driven = may_be_driven && is_set("TAURI_WEBVIEW_AUTOMATION");
    if is_driven || is_set(NO_DMABUF) || has_gpu(names_in("/dev/dri")) {
        return;
    }
    // A web view that takes a little more does no harm.
    if let Err(error) = glib::setenv(NO_DMABUF, "1", true) {
        let _told = std::io::Write::write_fmt(
            &mut std::io::stderr(),
            format_args!("tapfill: started as it is: {error}\n"),
        );
    }
}

fn names_in(folder: &str) -> Vec<OsString> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name()).collect()
}

/// Whether there is something to draw with: a render node of the kernel.
fn has_gpu(devices: Vec<OsString>) -> bool {
    let is_render = |name: &OsString| name.to_string_lossy().starts_with("renderD");
    devices.iter().any(is_render)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_render_node_is_a_gpu_and_a_screen_alone_is_none() {
        let named = |names: &[&str]| has_gpu(names.iter().map(OsString::from).collect());
        assert!(named(&["by-path", "card0", "renderD128"]));
        assert!(
            !named(&["by-path", "card0"]),
            "a server's picture memory draws nothing"
        );
        assert!(!named(&[]));
    }
}
