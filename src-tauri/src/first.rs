//! The window and the first view in it: the page draws that at once, long before the bridge between page and core stands.

use tauri::{App, WebviewWindowBuilder};

use session::Session;

use crate::Failure;

/// What the page finds before its own first script runs.
fn script(session: &Session) -> Result<String, Failure> {
    let view = serde_json::to_string(&*session.view().borrow())?;
    Ok(format!("window.__TAPFILL_VIEW__ = {view};"))
}

/// Opens the window when the session has begun.
#[cfg(not(target_os = "linux"))]
pub(crate) fn with_window(
    app: &App,
    begin: impl FnOnce() -> Result<Session, Failure>,
) -> Result<Session, Failure> {
    let session = begin()?;
    let script = script(&session)?;
    for config in &app.config().app.windows {
        let window = WebviewWindowBuilder::from_config(app.handle(), config)?;
        window.initialization_script(&script).build()?;
    }
    Ok(session)
}

/// Opens the window and begins the session while the web view's processes start. The page is read by the loop of events,
/// which does not run yet: its script comes in time.
#[cfg(target_os = "linux")]
pub(crate) fn with_window(
    app: &App,
    begin: impl FnOnce() -> Result<Session, Failure>,
) -> Result<Session, Failure> {
    use webkit2gtk::{UserContentInjectedFrames, UserContentManagerExt, UserScript};
    use webkit2gtk::{UserScriptInjectionTime, WebViewExt};

    let windows = app.config().app.windows.iter().map(|config| {
        let window = WebviewWindowBuilder::from_config(app.handle(), config)?;
        Ok(window.build()?)
    });
    let windows = windows.collect::<Result<Vec<_>, Failure>>()?;
    let session = begin()?;
    let script = script(&session)?;
    for window in windows {
        let script = script.clone();
        window.with_webview(move |view| {
            let Some(content) = view.inner().user_content_manager() else {
                return log::error!("a web view that takes no script");
            };
            let (frames, time) = (
                UserContentInjectedFrames::TopFrame,
                UserScriptInjectionTime::Start,
            );
            content.add_script(&UserScript::new(&script, frames, time, &[], &[]));
        })?;
    }
    Ok(session)
}
