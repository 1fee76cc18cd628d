//! The app's shell around the session: a window, two commands, one event.

mod commands;
mod parts;

use tauri::{Emitter, Manager};

use ipc::VIEW_EVENT;
use session::Session;

/// Runs the app until its last window closes.
///
/// # Panics
/// Never on purpose; a start that fails is told on the standard error output and ends the process with 1.
#[cfg_attr(mobile, tauri::mobile_entry_point)]
pub fn run() {
    let built = tauri::Builder::default()
        .plugin(tauri_plugin_http::init())
        .plugin(log_plugin())
        .setup(|app| {
            let session = tauri::async_runtime::block_on(async {
                Ok::<_, Box<dyn std::error::Error>>(Session::start(parts::of(app)?)?)
            })?;
            push_views(app.handle().clone(), &session);
            app.manage(session);
            Ok(())
        })
        .invoke_handler(tauri::generate_handler![commands::app_view, commands::run])
        .run(tauri::generate_context!());
    if let Err(error) = built {
        log::error!("the app can't run: {error}");
        std::process::exit(1);
    }
}

/// Each new view goes to the page as one event.
fn push_views(app: tauri::AppHandle, session: &Session) {
    let mut views = session.view();
    tauri::async_runtime::spawn(async move {
        while views.changed().await.is_ok() {
            let view = views.borrow_and_update().clone();
            if let Err(error) = app.emit(VIEW_EVENT, view) {
                log::warn!("a view did not reach the page: {error}");
            }
        }
    });
}

fn log_plugin<R: tauri::Runtime>() -> tauri::plugin::TauriPlugin<R> {
    use tauri_plugin_log::{Builder, Target, TargetKind};
    Builder::new()
        .level(log::LevelFilter::Info)
        .targets([
            Target::new(TargetKind::Stderr),
            Target::new(TargetKind::LogDir {
                file_name: Some("tapfill".to_owned()),
            }),
        ])
        .max_file_size(1_000_000)
        .build()
}
