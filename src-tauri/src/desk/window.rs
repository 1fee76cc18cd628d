//! The window: where it was, whether it is in sight, and that it can always be reached.

use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

use tauri::plugin::TauriPlugin;
use tauri::{AppHandle, Manager, PhysicalSize, WebviewWindow, Window, WindowEvent, Wry};
use tauri_plugin_window_state::StateFlags;

use session::{Outside, Session};

use super::tray;

/// A window manager tells that it took the focus before it has taken the window away.
const SETTLED: Duration = Duration::from_millis(300);
/// So much of a window's upper edge can be taken hold of.
const GRIP_WIDTH: i64 = 120;
const GRIP_HEIGHT: i64 = 32;

/// Size, place and whether it fills the screen, kept with the app's other data. Not whether it was in sight: a start
/// is a wish to see it.
pub(super) fn remembered(dir: Option<&OsStr>) -> TauriPlugin<Wry> {
    let kept = StateFlags::SIZE | StateFlags::POSITION | StateFlags::MAXIMIZED;
    let builder = tauri_plugin_window_state::Builder::new().with_state_flags(kept);
    match dir {
        Some(dir) => builder.with_filename(Path::new(dir).join("window.json").to_string_lossy()),
        None => builder.with_filename("window.json"),
    }
    .build()
}

/// Tests drive it: each finds the window of a first start, and no system moves it.
pub(super) fn is_driven() -> bool {
    std::env::var_os("TAURI_WEBVIEW_AUTOMATION").is_some()
}

/// To the front, wherever it is.
pub(super) fn show(app: &AppHandle) {
    let Some(window) = main(app) else { return };
    let shown = window
        .show()
        .and_then(|()| window.unminimize())
        .and_then(|()| window.set_focus());
    if let Err(error) = shown {
        log::warn!("the window does not come to the front: {error}");
    }
    look(app);
}

/// Closing hides it only while there is an icon that brings it back.
pub(super) fn on_event(window: &Window, event: &WindowEvent) {
    let app = window.app_handle();
    if let WindowEvent::CloseRequested { api, .. } = event
        && tray::is_shown(app)
    {
        api.prevent_close();
        if let Err(error) = window.hide() {
            log::warn!("the window can't be hidden: {error}");
        }
        look(app);
    }
    if matches!(event, WindowEvent::Focused(_)) {
        look(app);
    }
}

/// Tells the session whether the window is in sight, when it has come to rest.
fn look(app: &AppHandle) {
    let app = app.clone();
    tauri::async_runtime::spawn(async move {
        tokio::time::sleep(SETTLED).await;
        if let (Some(window), Some(session)) = (main(&app), app.try_state::<Session>()) {
            session.tell(Outside::Hidden(is_out_of_sight(&window)));
        }
    });
}

pub(super) fn is_out_of_sight(window: &WebviewWindow) -> bool {
    let visible = window.is_visible().unwrap_or(true);
    !visible || window.is_minimized().unwrap_or(false)
}

pub(super) fn main(app: &AppHandle) -> Option<WebviewWindow> {
    app.get_webview_window("main")
}

/// After a screen was taken away or became smaller: no larger than the screen, and with an edge to take hold of.
pub(super) fn fit(app: &AppHandle) {
    let Some(window) = main(app).filter(|_| !is_driven()) else {
        return;
    };
    if let Err(error) = fit_window(&window) {
        log::warn!("the window stays where it is: {error}");
    }
}

fn fit_window(window: &WebviewWindow) -> tauri::Result<()> {
    let place = window.outer_position()?;
    let size = window.inner_size()?;
    let screens: Vec<Area> = window
        .available_monitors()?
        .iter()
        .map(Area::from)
        .collect();
    let Some(largest) = screens
        .iter()
        .max_by_key(|screen| screen.width * screen.height)
    else {
        return Ok(());
    };
    let (width, height) = (i64::from(size.width), i64::from(size.height));
    if width > largest.width || height > largest.height {
        let fitted = (width.min(largest.width), height.min(largest.height));
        window.set_size(PhysicalSize::<u32> {
            width: u32::try_from(fitted.0).unwrap_or(size.width),
            height: u32::try_from(fitted.1).unwrap_or(size.height),
        })?;
    }
    let area = Area {
        x: place.x.into(),
        y: place.y.into(),
        width,
        height,
    };
    if area.is_out_of_reach(&screens) {
        window.center()?;
    }
    Ok(())
}

/// A screen or a window, in pixels.
#[derive(Clone, Copy, Debug)]
struct Area {
    x: i64,
    y: i64,
    width: i64,
    height: i64,
}

impl From<&tauri::Monitor> for Area {
    fn from(monitor: &tauri::Monitor) -> Self {
        Self {
            x: monitor.position().x.into(),
            y: monitor.position().y.into(),
            width: monitor.size().width.into(),
            height: monitor.size().height.into(),
        }
    }
}

impl Area {
    /// Of its upper edge too little is on any screen to move it by.
    fn is_out_of_reach(&self, screens: &[Self]) -> bool {
        screens.iter().all(|screen| {
            let left = self.x.max(screen.x);
            let right = (self.x + self.width).min(screen.x + screen.width);
            let top = self.y.max(screen.y);
            let bottom = (self.y + GRIP_HEIGHT).min(screen.y + screen.height);
            right - left < GRIP_WIDTH || bottom - top < GRIP_HEIGHT / 2
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCREEN: Area = Area {
        x: 0,
        y: 0,
        width: 1920,
        height: 1080,
    };

    fn at(x: i64, y: i64) -> Area {
        Area {
            x,
            y,
            width: 390,
            height: 844,
        }
    }

    #[test]
    fn a_window_whose_screen_was_taken_away_is_out_of_reach() {
        for place in [(-2000, 0), (1900, 10), (100, -844), (100, 1075)] {
            let window = at(place.0, place.1);
            assert!(window.is_out_of_reach(&[SCREEN]), "{place:?}");
        }
        for place in [(0, 0), (1790, 900), (-200, 100), (100, -10)] {
            let window = at(place.0, place.1);
            assert!(!window.is_out_of_reach(&[SCREEN]), "{place:?}");
        }
    }

    #[test]
    fn a_window_on_the_second_screen_stays_there() {
        let second = Area { x: 1920, ..SCREEN };
        assert!(!at(2500, 50).is_out_of_reach(&[SCREEN, second]));
        assert!(at(2500, 50).is_out_of_reach(&[SCREEN]));
    }
}
