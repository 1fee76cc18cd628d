//! Shows what the session wants told while the window is out of sight.

use tauri::AppHandle;
use tauri_plugin_notification::NotificationExt;
use tokio::sync::broadcast::error::RecvError;

use session::{Errand, Notice, Session};

use super::{window, words};

pub(super) fn follow(app: AppHandle, session: &Session) {
    let mut errands = session.errands();
    let clicked = app.clone();
    let watched = app
        .notification()
        .on_action(move |_| window::show(&clicked));
    if let Err(error) = watched {
        log::warn!("clicks on notices lead nowhere: {error}");
    }
    tauri::async_runtime::spawn(async move {
        loop {
            match errands.recv().await {
                Ok(Errand::Tell(notice)) => show(&app, notice),
                Ok(Errand::Update | Errand::PickList) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            }
        }
    });
}

fn show(app: &AppHandle, notice: Notice) {
    let words = words::of(notice.language);
    let text = words.notice_text.replace("{amount}", &yuan(notice.amount));
    let shown = app.notification().builder();
    if let Err(error) = shown.title(words.notice_title).body(text).show() {
        log::warn!("a notice was not shown: {error}");
    }
}

/// As the page writes it: two decimals, and commas from 1,000 on.
fn yuan(fen: u32) -> String {
    let whole = (fen / 100).to_string();
    let mut text = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    format!("{text}.{:02}", fen % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_written_as_on_the_page() {
        for (fen, text) in [
            (5, "0.05"),
            (5000, "50.00"),
            (123_456, "1,234.56"),
            (100_000_000, "1,000,000.00"),
        ] {
            assert_eq!(yuan(fen), text);
        }
    }
}
