//! What a desktop expects of an app: one of it, a window that comes back where it was, links, a tray, notices.
//!
//! Nothing is decided here. Links go to the session as they came; it says when there is something to tell.

mod instance;
mod links;
mod notices;
mod tray;
mod window;
mod words;

use tauri::{App, Builder, Wry};

use session::Session;

/// The plugins, the one that may end this process first.
pub(crate) fn plugins(builder: Builder<Wry>, identifier: &str) -> Builder<Wry> {
    let dir = std::env::var_os("TAPFILL_DIR");
    let builder = match instance::plugin(identifier, dir.as_deref()) {
        Some(plugin) => builder.plugin(plugin),
        None => builder,
    };
    let builder = builder
        .plugin(tauri_plugin_deep_link::init())
        .plugin(tauri_plugin_notification::init())
        .on_window_event(window::on_event);
    if window::is_driven() {
        return builder;
    }
    builder.plugin(window::remembered(dir.as_deref()))
}

/// Once there is a window and a session.
pub(crate) fn start(app: &App, session: &Session) {
    window::fit(app.handle());
    links::of_start(app, session);
    notices::follow(app.handle().clone(), session);
    tray::follow(app.handle().clone(), session);
}

/// Somebody clicked the app's icon in the dock.
#[cfg(target_os = "macos")]
pub(crate) fn on_run_event(app: &tauri::AppHandle, event: &tauri::RunEvent) {
    if let tauri::RunEvent::Reopen { .. } = event {
        window::show(app);
    }
}
