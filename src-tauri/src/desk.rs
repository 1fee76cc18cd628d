//! What a desktop expects of an app: one of it, a window that comes back where it was, links, a tray, notices.
//!
//! Nothing is decided here. Links go to the session as they came; it says when there is something to tell.

mod instance;
mod links;
mod notices;
mod tray;
mod update;
mod window;
mod words;

use tauri::{App, Builder, Config, Wry};

use session::Session;

/// The plugins, the one that may end this process first.
pub(crate) fn plugins(builder: Builder<Wry>, config: &Config) -> Builder<Wry> {
    let dir = std::env::var_os("TAPFILL_DIR");
    let builder = match instance::plugin(&config.identifier, dir.as_deref()) {
        Some(plugin) => builder.plugin(plugin),
        None => builder,
    };
    let builder = match update::plugin(config) {
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

/// Who tests new versions says in `TAPFILL_UPDATES` what a publisher says in `plugins.updater`. A release takes its
/// publisher's word alone.
#[cfg(feature = "simulator")]
pub(crate) fn played(mut context: tauri::Context<Wry>) -> tauri::Context<Wry> {
    let said = std::env::var("TAPFILL_UPDATES").ok();
    if let Some(said) = said.and_then(|text| serde_json::from_str(&text).ok()) {
        let plugins = &mut context.config_mut().plugins.0;
        plugins.insert("updater".to_owned(), said);
    }
    context
}

/// Once there is a window and a session.
pub(crate) fn start(app: &App, session: &Session) {
    window::fit(app.handle());
    links::of_start(app, session);
    notices::follow(app.handle().clone(), session);
    tray::follow(app.handle().clone(), session);
    update::follow(app.handle(), session);
}

/// Somebody clicked the app's icon in the dock.
#[cfg(target_os = "macos")]
pub(crate) fn on_run_event(app: &tauri::AppHandle, event: &tauri::RunEvent) {
    if let tauri::RunEvent::Reopen { .. } = event {
        window::show(app);
    }
}
