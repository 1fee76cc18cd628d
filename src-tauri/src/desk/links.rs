//! Links of the app's own scheme, on their way from the system to the session.

use tauri::{App, AppHandle, Manager};
use tauri_plugin_deep_link::DeepLinkExt;

use session::{LINK_SCHEME, Outside, Session};

/// The link that this process was started with, and on macOS those that come later.
pub(super) fn of_start(app: &App, session: &Session) {
    let arguments: Vec<String> = std::env::args_os()
        .skip(1)
        .filter_map(|argument| argument.into_string().ok())
        .collect();
    tell(session, &arguments);
    if cfg!(target_os = "macos") {
        let session = session.clone();
        app.deep_link().on_open_url(move |event| {
            let links: Vec<String> = event.urls().iter().map(ToString::to_string).collect();
            tell(&session, &links);
        });
    }
    // Nothing has installed an AppImage: it tells the person's desktop of its links itself.
    if std::env::var_os("APPIMAGE").is_some()
        && let Err(error) = app.deep_link().register_all()
    {
        log::warn!("links are not registered: {error}");
    }
}

/// Those among the arguments of a second start.
pub(super) fn hand_over(app: &AppHandle, arguments: &[String]) {
    if let Some(session) = app.try_state::<Session>() {
        tell(&session, arguments);
    }
}

fn tell(session: &Session, arguments: &[String]) {
    for link in arguments.iter().filter(|argument| is_link(argument)) {
        session.tell(Outside::Link(link.clone()));
    }
}

fn is_link(argument: &str) -> bool {
    let scheme = argument.get(..LINK_SCHEME.len());
    scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(LINK_SCHEME))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_argument_of_our_scheme_is_a_link_whatever_stands_in_it() {
        for link in ["tapfill://topup", "TapFill:", "tapfill:nonsense"] {
            assert!(is_link(link), "{link}: the session says what it is worth");
        }
        for other in ["--tapfill:", "tap", "tapfill", "https://tapfill:1"] {
            assert!(!is_link(other), "{other}");
        }
    }
}
