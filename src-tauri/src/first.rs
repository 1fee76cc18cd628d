//! The window and the first view in it: the page draws that at once, long before the bridge between page and core stands.

use tauri::window::Color;
use tauri::{App, AppHandle, Manager, WebviewWindow, WebviewWindowBuilder};

use ipc::{AppView, Theme};
use session::Session;

use crate::Failure;

/// What the page finds before its own first script runs.
fn script(view: &AppView) -> serde_json::Result<String> {
    let view = serde_json::to_string(view)?;
    Ok(format!("window.__TAPFILL_VIEW__ = {view};"))
}

/// The page's own ground (`--paper` in `ui/src/styles/tokens.css`), light and dark.
const PAPER: [Color; 2] = [Color(0xf3, 0xf6, 0xf2, 0xff), Color(0x0c, 0x14, 0x11, 0xff)];

/// The window begins in the colour of the page: nobody who works in the dark is dazzled by a white one.
fn lay_paper(window: &WebviewWindow, theme: Theme) {
    let is_dark = match theme {
        Theme::System => matches!(window.theme(), Ok(tauri::Theme::Dark)),
        Theme::Light => false,
        Theme::Dark => true,
    };
    if let Err(error) = window.set_background_color(Some(PAPER[usize::from(is_dark)])) {
        log::info!("the window keeps its own colour: {error}");
    }
}

/// Keeps the ground that shows while a window grows in the colour that its person chooses.
pub(crate) fn follow(app: AppHandle, session: &Session) {
    let mut views = session.view();
    let mut laid = views.borrow().settings.theme;
    tauri::async_runtime::spawn(async move {
        while views.changed().await.is_ok() {
            let theme = views.borrow_and_update().settings.theme;
            if std::mem::replace(&mut laid, theme) != theme {
                for window in app.webview_windows().values() {
                    lay_paper(window, theme);
                }
            }
        }
    });
}

/// So long the first picture waits for the reader, so that it need not be drawn twice.
#[cfg(not(target_os = "linux"))]
const FIRST_LOOK: std::time::Duration = std::time::Duration::from_millis(30);

/// Opens the window when the session has begun.
#[cfg(not(target_os = "linux"))]
pub(crate) fn with_window(
    app: &App,
    begin: impl FnOnce() -> Result<Session, Failure>,
) -> Result<Session, Failure> {
    let session = begin()?;
    let mut views = session.view();
    // Either is fine: what comes later is drawn later.
    let _seen = tauri::async_runtime::block_on(async {
        tokio::time::timeout(FIRST_LOOK, views.changed()).await
    });
    let script = script(&session.view().borrow())?;
    for config in &app.config().app.windows {
        let window = WebviewWindowBuilder::from_config(app.handle(), config)?;
        let window = window.initialization_script(&script).build()?;
        lay_paper(&window, session.view().borrow().settings.theme);
    }
    Ok(session)
}

/// Opens the window and begins the session while the web view's processes start.
#[cfg(target_os = "linux")]
pub(crate) fn with_window(
    app: &App,
    begin: impl FnOnce() -> Result<Session, Failure>,
) -> Result<Session, Failure> {
    let windows = app.config().app.windows.iter().map(|config| {
        let window = WebviewWindowBuilder::from_config(app.handle(), config)?;
        Ok(window.build()?)
    });
    let windows = windows.collect::<Result<Vec<_>, Failure>>()?;
    let session = begin()?;
    for window in windows {
        let views = session.view();
        lay_paper(&window, views.borrow().settings.theme);
        window.with_webview(move |view| linux::follow(&view.inner(), views))?;
    }
    Ok(session)
}

#[cfg(target_os = "linux")]
mod linux {
    use std::cell::Cell;
    use std::rc::Rc;

    use gtk::glib::Propagation;
    use gtk::prelude::WidgetExt;
    use ipc::AppView;
    use tokio::sync::watch;
    use webkit2gtk::{LoadEvent, UserContentInjectedFrames, UserContentManagerExt, UserScript};
    use webkit2gtk::{UserScriptInjectionTime, WebView, WebViewExt};

    /// What a web view gets while it begins its page.
    pub(super) fn follow(view: &WebView, views: watch::Receiver<AppView>) {
        let is_read = Rc::new(Cell::new(false));
        let may_draw = Rc::clone(&is_read);
        let views = Cell::new(Some(views));
        view.connect_load_changed(move |view, event| {
            // As late as it comes in time: the reader has been looked at by now.
            if event == LoadEvent::Started
                && let Some(views) = views.take()
            {
                add_script(view, &views);
            }
            if event == LoadEvent::Finished {
                is_read.set(true);
                view.queue_draw();
            }
        });
        // Who draws a view that has no picture yet waits for its process to make one, up to half a second; and a
        // process that begins a page makes none.
        view.connect_draw(move |_, _| {
            if may_draw.get() {
                Propagation::Proceed
            } else {
                Propagation::Stop
            }
        });
    }

    fn add_script(view: &WebView, views: &watch::Receiver<AppView>) {
        let script = super::script(&views.borrow());
        let content = view.user_content_manager();
        let (Ok(script), Some(content)) = (script, content) else {
            return log::error!("the page gets its first view later");
        };
        let (frames, time) = (
            UserContentInjectedFrames::TopFrame,
            UserScriptInjectionTime::Start,
        );
        content.add_script(&UserScript::new(&script, frames, time, &[], &[]));
    }
}

#[cfg(test)]
mod tests {
    use super::PAPER;

    #[test]
    fn the_paper_is_the_page_s() {
        let tokens = include_str!("../../ui/src/styles/tokens.css");
        let papers = tokens.split("--paper: #").skip(1);
        let named: Vec<_> = papers.map(|it| it[..6].to_owned()).collect();
        let ours = PAPER.map(|it| format!("{:02x}{:02x}{:02x}", it.0, it.1, it.2));
        assert_eq!(named, ours, "light, then dark");
    }
}
