//! One app for one folder of data: two would write one journal.

use std::ffi::OsStr;
use std::hash::{DefaultHasher, Hash, Hasher};

use tauri::Wry;
use tauri::plugin::TauriPlugin;
use tauri_plugin_single_instance::Builder;

use super::{links, window};

/// A second start hands over its link, brings the first one's window to the front, and ends.
pub(super) fn plugin(identifier: &str, dir: Option<&OsStr>) -> Option<TauriPlugin<Wry>> {
    let name = match dir {
        None => identifier.to_owned(),
        Some(dir) if cfg!(target_os = "linux") => beside(identifier, dir),
        // Only a name on the bus can be chosen: elsewhere an app with other data would not start at all.
        Some(_) => return None,
    };
    let second = |app: &tauri::AppHandle, arguments: Vec<String>, _folder: String| {
        links::hand_over(app, &arguments);
        window::show(app);
    };
    Some(Builder::new().dbus_id(name).callback(second).build())
}

/// The name of an app that `TAPFILL_DIR` gives other data than the installed one's.
fn beside(identifier: &str, dir: &OsStr) -> String {
    let mut hasher = DefaultHasher::new();
    dir.hash(&mut hasher);
    format!("{identifier}.d{:016x}", hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn apps_with_other_data_do_not_take_each_other_for_themselves() {
        let name = |dir: &str| beside("org.tapfill.app", OsStr::new(dir));
        assert_eq!(name("/a"), name("/a"), "the same folder is the same app");
        assert_ne!(name("/a"), name("/b"), "another folder is another");
        assert_ne!(name("/a"), "org.tapfill.app", "nor is it the installed one");
    }
}
