//! What a phone's screen must be around the page.

use ipc::Stage;

/// Neither secret nor kept on, as every screen starts.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Screen {
    /// Something is typed that nobody may photograph.
    secret: bool,
    /// A card is at work, or on its way: a phone that falls asleep takes the field away.
    awake: bool,
}

impl Screen {
    fn around(stage: Option<Stage>) -> Self {
        Self {
            secret: matches!(stage, Some(Stage::Code | Stage::Password)),
            awake: matches!(stage, Some(Stage::WaitCard | Stage::Running)),
        }
    }
}

/// Tells the phone when that changes.
#[cfg(mobile)]
pub(crate) fn follow(app: &tauri::AppHandle, before: &mut Screen, view: &ipc::AppView) {
    use tauri_plugin_iso_dep::IsoDepExt;
    let now = Screen::around(view.transaction.as_ref().map(|it| it.stage));
    if now != *before {
        *before = now;
        app.set_screen(now.secret, now.awake);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_photographed_and_a_card_never_meets_a_phone_asleep() {
        assert_eq!(Screen::around(None), Screen::default());
        assert_eq!(Screen::around(Some(Stage::Done)), Screen::default());
        for typed in [Stage::Code, Stage::Password] {
            let screen = Screen::around(Some(typed));
            assert!(screen.secret && !screen.awake, "{typed:?}");
        }
        for at_work in [Stage::WaitCard, Stage::Running] {
            let screen = Screen::around(Some(at_work));
            assert!(screen.awake && !screen.secret, "{at_work:?}");
        }
    }
}
