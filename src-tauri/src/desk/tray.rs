//! The icon in the tray, while the person wants it and the desktop has a place for it.

#[cfg(target_os = "linux")]
mod host;

use tauri::menu::{Menu, MenuItem};
use tauri::tray::{MouseButton, MouseButtonState, TrayIconBuilder, TrayIconEvent};
use tauri::{AppHandle, Manager};

use ipc::{AppView, DeskView, Language};
use session::{Outside, Session};

use super::{window, words};

const ID: &str = "main";
const OPEN: &str = "open";
const QUIT: &str = "quit";

pub(super) fn is_shown(app: &AppHandle) -> bool {
    app.tray_by_id(ID).is_some()
}

/// Puts the icon there and takes it away as the view says.
pub(super) fn follow(app: AppHandle, session: &Session) {
    #[cfg(target_os = "linux")]
    host::watch(session.clone());
    #[cfg(not(target_os = "linux"))]
    session.tell(Outside::Desk(DeskView { tray: true }));
    let mut views = session.view();
    tauri::async_runtime::spawn(async move {
        let mut before = None;
        loop {
            let wanted = wanted(&views.borrow_and_update());
            if wanted != before {
                before = wanted;
                let here = app.clone();
                // Whatever the desktop draws is drawn by the thread of the window.
                let _ = app.run_on_main_thread(move || change(&here, wanted));
            }
            if views.changed().await.is_err() {
                return;
            }
        }
    });
}

/// The icon's language, when there should be one.
fn wanted(view: &AppView) -> Option<Language> {
    let place = view.desk.is_some_and(|desk| desk.tray);
    (place && view.settings.tray).then_some(view.settings.language)
}

fn change(app: &AppHandle, wanted: Option<Language>) {
    app.remove_tray_by_id(ID);
    let shown = match wanted {
        Some(language) => put(app, language),
        None => Ok(()),
    };
    if let Err(error) = &shown {
        log::warn!("no icon in the tray: {error}");
        if let Some(session) = app.try_state::<Session>() {
            session.tell(Outside::Desk(DeskView { tray: false }));
        }
    }
    // A hidden window without an icon would be lost.
    if !is_shown(app)
        && let Some(window) = window::main(app)
        && !window.is_visible().unwrap_or(true)
    {
        window::show(app);
    }
}

fn put(app: &AppHandle, language: Language) -> tauri::Result<()> {
    let words = words::of(language);
    let open = MenuItem::with_id(app, OPEN, words.open, true, None::<&str>)?;
    let quit = MenuItem::with_id(app, QUIT, words.quit, true, None::<&str>)?;
    let mut builder = TrayIconBuilder::with_id(ID)
        .tooltip(words.app_name)
        .menu(&Menu::with_items(app, &[&open, &quit])?)
        .show_menu_on_left_click(false)
        .on_menu_event(|app, event| match event.id().as_ref() {
            OPEN => window::show(app),
            QUIT => app.exit(0),
            _ => {}
        })
        .on_tray_icon_event(|tray, event| {
            if let TrayIconEvent::Click {
                button: MouseButton::Left,
                button_state: MouseButtonState::Up,
                ..
            } = event
            {
                window::show(tray.app_handle());
            }
        });
    if let Some(icon) = app.default_window_icon() {
        builder = builder.icon(icon.clone());
    }
    builder.build(app)?;
    Ok(())
}
