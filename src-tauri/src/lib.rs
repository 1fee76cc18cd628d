//! The app's shell around the session: a window, two commands, one event.

mod commands;
mod parts;
#[cfg(any(mobile, test))]
mod phone;

use tauri::{Emitter, Manager};

use ipc::VIEW_EVENT;
use session::Session;

/// Runs the app until its last window closes.
///
/// # Panics
/// Never on purpose; a start that fails is told on the standard error output and ends the process with 1.
#[cfg_attr(mobile, tauri::mobile_entry_point)]
pub fn run() {
    #[cfg(all(target_os = "linux", not(feature = "simulator")))]
    automation::refuse();
    #[cfg(feature = "simulator")]
    ends_with_its_parent();
    let builder = tauri::Builder::default()
        .plugin(tauri_plugin_http::init())
        .plugin(log_plugin());
    #[cfg(mobile)]
    let builder = builder.plugin(tauri_plugin_iso_dep::init());
    let built = builder
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

/// The demo holds our standard input: when that closes, the bank and the card around us are gone too.
#[cfg(feature = "simulator")]
fn ends_with_its_parent() {
    if std::env::var_os("TAPFILL_LEASH").is_none() {
        return;
    }
    std::thread::spawn(|| {
        let _ended = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(0);
    });
}

/// The window of an installed app is driven by its person alone.
#[cfg(all(target_os = "linux", not(feature = "simulator")))]
mod automation {
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    /// Whoever sets one of these reads the page and types into it.
    const OPENERS: [&str; 3] = [
        "TAURI_WEBVIEW_AUTOMATION",
        "WEBKIT_INSPECTOR_SERVER",
        "WEBKIT_INSPECTOR_HTTP_SERVER",
    ];

    /// Starts this program over without them: an environment can't be changed safely once threads may run.
    pub(super) fn refuse() {
        if OPENERS.iter().all(|name| std::env::var_os(name).is_none()) {
            return;
        }
        let Ok(program) = std::env::current_exe() else {
            std::process::exit(1);
        };
        let mut again = Command::new(program);
        again.args(std::env::args_os().skip(1));
        for name in OPENERS {
            again.env_remove(name);
        }
        // Comes back only when it could not start.
        let _failed = again.exec();
        std::process::exit(1);
    }
}

/// Each new view goes to the page as one event.
fn push_views(app: tauri::AppHandle, session: &Session) {
    let mut views = session.view();
    #[cfg(mobile)]
    let mut screen = phone::Screen::default();
    tauri::async_runtime::spawn(async move {
        while views.changed().await.is_ok() {
            let view = views.borrow_and_update().clone();
            #[cfg(mobile)]
            phone::follow(&app, &mut screen, &view);
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
        // What travels to the keystore is nobody's business, and there is a lot of it.
        .level_for("zbus", log::LevelFilter::Warn)
        .level_for("tracing", log::LevelFilter::Warn)
        .targets([
            Target::new(TargetKind::Stderr),
            Target::new(TargetKind::LogDir {
                file_name: Some("tapfill".to_owned()),
            }),
        ])
        .max_file_size(1_000_000)
        .build()
}
