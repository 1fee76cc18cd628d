//! Whether a Linux desktop has a tray: some have none at all, some bring it with an extension, and it may come and go.

use std::path::PathBuf;
use std::time::Duration;

use ipc::DeskView;
use session::{Outside, Session};
use zbus::blocking::fdo::DBusProxy;
use zbus::blocking::{Connection, Proxy};

/// StatusNotifierItem, "org.kde.StatusNotifierWatcher": where icons and those who draw them meet.
const WATCHER: &str = "org.kde.StatusNotifierWatcher";
const WATCHER_PATH: &str = "/StatusNotifierWatcher";
/// A panel starts after the watcher that it registers with.
const PANEL_TRIES: u32 = 10;
const PANEL_WAIT: Duration = Duration::from_secs(1);

/// Tells the session now, and again whenever that changes.
pub(super) fn watch(session: Session) {
    let told = session.clone();
    std::thread::spawn(move || {
        // No bus is no fault of anybody's: then there is no tray.
        if let Err(error) = follow(&session) {
            log::info!("no tray: {error}");
        }
        told.tell(Outside::Desk(DeskView { tray: false }));
    });
}

fn follow(session: &Session) -> zbus::Result<()> {
    let bus = Connection::session()?;
    let names = DBusProxy::new(&bus)?;
    let mut changes = names.receive_name_owner_changed_with_args(&[(0, WATCHER)])?;
    let mut tries = 1;
    loop {
        let there = has_library() && has_panel(&bus);
        let tray = DeskView { tray: there };
        session.tell(Outside::Desk(tray));
        tries -= 1;
        if tries > 0 && !there {
            std::thread::sleep(PANEL_WAIT);
            continue;
        }
        if changes.next().is_none() {
            return Ok(());
        }
        tries = PANEL_TRIES;
    }
}

fn has_panel(bus: &Connection) -> bool {
    let watcher = Proxy::new(bus, WATCHER, WATCHER_PATH, WATCHER);
    let asked = watcher.and_then(|it| it.get_property("IsStatusNotifierHostRegistered"));
    asked.unwrap_or(false)
}

/// Loaded when an icon is first shown, and a process that can't load it then ends.
fn has_library() -> bool {
    const NAMES: [&str; 2] = ["libayatana-appindicator3.so.1", "libappindicator3.so.1"];
    let machine = format!("{}-linux-gnu", std::env::consts::ARCH);
    let own = std::env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&own).collect();
    folders.extend(["/usr/lib", "/usr/lib64", "/lib", "/lib64"].map(PathBuf::from));
    folders.push(PathBuf::from("/usr/lib").join(machine));
    let has = |folder: &PathBuf| NAMES.iter().any(|name| folder.join(name).exists());
    folders.iter().any(has)
}
