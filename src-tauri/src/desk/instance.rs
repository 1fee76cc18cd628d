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
    #[cfg(target_os = "linux")]
    if window::is_driven() {
        driven::wait_for_the_last(&name);
    }
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

/// A test that ends one app and starts the next means two, one after the other: the first may take a moment to go.
#[cfg(target_os = "linux")]
mod driven {
    use std::time::Duration;

    use zbus::blocking::Connection;
    use zbus::blocking::fdo::DBusProxy;
    use zbus::names::BusName;

    const TRIES: u32 = 50;
    const PAUSE: Duration = Duration::from_millis(100);

    pub(super) fn wait_for_the_last(name: &str) {
        // Without a bus there is nobody to wait for.
        let Ok(bus) = Connection::session() else {
            return;
        };
        for _ in 0..TRIES {
            if !is_there(&bus, name).unwrap_or(false) {
                return;
            }
            std::thread::sleep(PAUSE);
        }
    }

    fn is_there(bus: &Connection, name: &str) -> zbus::Result<bool> {
        let name = BusName::try_from(format!("{name}.SingleInstance"))?;
        Ok(DBusProxy::new(bus)?.name_has_owner(name)?)
    }
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
