//! The app's shell around the session: a window, two commands, one event, and the manners of a desktop.

mod commands;
#[cfg(desktop)]
mod desk;
#[cfg(target_os = "linux")]
mod environment;
#[cfg(any(mobile, test))]
mod exports;
mod first;
mod lists;
mod parts;
#[cfg(any(mobile, test))]
mod phone;

use tauri::{App, Emitter, Manager};

use ipc::VIEW_EVENT;
use session::Session;

/// Runs the app until its last window closes.
///
/// # Panics
/// Never on purpose; a start that fails is told on the standard error output and ends the process with 1.
#[cfg_attr(mobile, tauri::mobile_entry_point)]
pub fn run() {
    #[cfg(target_os = "linux")]
    environment::settle();
    #[cfg(feature = "simulator")]
    ends_with_its_parent();
    let context = tauri::generate_context!();
    #[cfg(all(desktop, feature = "simulator"))]
    let context = desk::played(context);
    let builder = tauri::Builder::default();
    #[cfg(desktop)]
    let builder = desk::plugins(builder, context.config());
    let builder = builder
        .plugin(tauri_plugin_http::init())
        .plugin(tauri_plugin_dialog::init())
        .plugin(log_plugin());
    #[cfg(mobile)]
    let builder = builder
        .plugin(tauri_plugin_fs::init())
        .plugin(tauri_plugin_nfc::init())
        .plugin(tauri_plugin_iso_dep::init())
        .on_page_load(phone::page_loads);
    let built = builder
        .setup(|app| {
            let session = first::with_window(app, || begin(app))?;
            push_views(app.handle().clone(), &session);
            first::follow(app.handle().clone(), &session);
            lists::follow(app.handle().clone(), &session);
            #[cfg(desktop)]
            desk::start(app, &session);
            app.manage(session);
            Ok(())
        })
        .invoke_handler(tauri::generate_handler![commands::app_view, commands::run])
        .build(context);
    match built {
        Ok(app) => app.run(|_app, _event| {
            #[cfg(target_os = "macos")]
            desk::on_run_event(_app, &_event);
        }),
        Err(error) => {
            log::error!("the app can't run: {error}");
            std::process::exit(1);
        }
    }
}

/// What a start that fails has to tell.
type Failure = Box<dyn std::error::Error>;

fn begin(app: &App) -> Result<Session, Failure> {
    // Its tasks belong to the runtime that runs the app's own.
    let runtime = tauri::async_runtime::handle();
    let _entered = runtime.inner().enter();
    Ok(Session::start(parts::of(app)?)?)
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
