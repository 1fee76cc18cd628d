//! What a phone does around the page.

#[cfg(any(mobile, test))]
use ipc::ReaderKind;
use ipc::{Language, QueueStage, Stage};

/// As every screen starts, nothing of all this.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Screen {
    /// Something is typed that nobody may photograph.
    secret: bool,
    /// A card is at work, or on its way: a phone that falls asleep takes the field away.
    awake: bool,
    /// The code that the bank sent is waited for.
    code: bool,
    /// For what the system shows over the page; none: the system's own.
    language: Option<&'static str>,
}

impl Screen {
    #[cfg(mobile)]
    fn around(view: &ipc::AppView) -> Self {
        let stage = view.transaction.as_ref().map(|it| it.stage);
        let list = view.queue.as_ref().map(|it| it.stage);
        Self::of(stage.or(list.and_then(stage_of)), view.settings.language)
    }

    fn of(stage: Option<Stage>, language: Language) -> Self {
        Self {
            secret: matches!(stage, Some(Stage::Code | Stage::Password)),
            awake: matches!(stage, Some(Stage::WaitCard | Stage::Running)),
            code: stage == Some(Stage::Code),
            language: match language {
                Language::System => None,
                Language::ZhCn => Some("zh-CN"),
                Language::ZhTw => Some("zh-TW"),
                Language::En => Some("en"),
            },
        }
    }
}

/// A list's screens are those of a top-up, as far as a phone has to do something about them.
#[cfg(any(mobile, test))]
const fn stage_of(list: QueueStage) -> Option<Stage> {
    match list {
        QueueStage::Code => Some(Stage::Code),
        QueueStage::Password => Some(Stage::Password),
        QueueStage::Tap => Some(Stage::WaitCard),
        QueueStage::Pick | QueueStage::Check | QueueStage::Phone | QueueStage::Closed => None,
    }
}

/// Whether our own plugin's word on NFC and that of tauri-plugin-nfc, which knows no more than yes and no, are two
/// different ones.
#[cfg(any(mobile, test))]
const fn is_disputed(ours: ReaderKind, usable: bool) -> bool {
    match ours {
        ReaderKind::Empty | ReaderKind::Card => !usable,
        // No NFC, or ours has not told yet; and switched off.
        ReaderKind::None | ReaderKind::ServiceDown => usable,
    }
}

#[cfg(mobile)]
pub(crate) use on_phones::{confirm, follow, page_loads};

#[cfg(mobile)]
mod on_phones {
    use ipc::{AppView, Command};
    use session::Session;
    use session::shells::VaultError;
    use tauri::webview::{PageLoadEvent, PageLoadPayload};
    use tauri::{AppHandle, Manager, Webview};
    use tauri_plugin_iso_dep::{Confirmed, IsoDepExt};
    use tauri_plugin_nfc::NfcExt;

    use super::{Screen, is_disputed};

    /// A page that is there is the earliest moment at which tauri-plugin-nfc may be asked (decision 0021).
    pub(crate) fn page_loads(webview: &Webview, load: &PageLoadPayload<'_>) {
        if load.event() == PageLoadEvent::Finished {
            ask_other_plugin(webview.app_handle().clone());
        }
    }

    /// The second opinion on NFC goes to the log, for whoever looks into a phone that finds no card.
    fn ask_other_plugin(app: AppHandle) {
        // Its call waits for Kotlin's or Swift's answer.
        tauri::async_runtime::spawn_blocking(move || {
            let usable = match app.nfc().is_available() {
                Ok(usable) => usable,
                Err(error) => return log::warn!("tauri-plugin-nfc says nothing: {error}"),
            };
            let Some(session) = app.try_state::<Session>() else {
                return;
            };
            let ours = session.view().borrow().reader.state;
            if is_disputed(ours, usable) {
                log::warn!("NFC: {ours:?}, but tauri-plugin-nfc says that it is usable: {usable}");
            }
        });
    }

    /// Tells the phone when something of it changes.
    pub(crate) fn follow(app: &AppHandle, before: &mut Screen, view: &AppView) {
        let now = Screen::around(view);
        if now == *before {
            return;
        }
        if now.code && !before.code {
            take_code(app.clone());
        }
        *before = now;
        app.set_screen(tauri_plugin_iso_dep::Screen {
            secret: now.secret,
            awake: now.awake,
            language: now.language,
        });
    }

    /// The person let us have the bank's message: what they would type is typed. A code that came too late is refused
    /// as one that is typed too late.
    fn take_code(app: AppHandle) {
        tauri::async_runtime::spawn(async move {
            let Some(code) = app.sms_code().await else {
                return;
            };
            let Some(session) = app.try_state::<Session>().map(|it| it.inner().clone()) else {
                return;
            };
            if let Err(error) = session.run(Command::VerifyCode { code }).await {
                log::info!("the code of a message: {}", error.code.as_str());
            }
        });
    }

    /// Waits for the person, off the async threads.
    pub(crate) fn confirm(app: &AppHandle) -> Result<(), VaultError> {
        match tauri::async_runtime::block_on(app.confirm()) {
            Confirmed::Yes => Ok(()),
            Confirmed::No => Err(VaultError::Unconfirmed),
            Confirmed::Unable => Err(VaultError::CantAsk),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn around(stage: Option<Stage>) -> Screen {
        Screen::of(stage, Language::System)
    }

    #[test]
    fn a_password_is_never_photographed_and_a_card_never_meets_a_phone_asleep() {
        assert_eq!(around(None), Screen::default());
        assert_eq!(around(Some(Stage::Done)), Screen::default());
        for typed in [Stage::Code, Stage::Password] {
            let screen = around(Some(typed));
            assert!(screen.secret && !screen.awake, "{typed:?}");
        }
        for at_work in [Stage::WaitCard, Stage::Running] {
            let screen = around(Some(at_work));
            assert!(screen.awake && !screen.secret, "{at_work:?}");
        }
    }

    #[test]
    fn a_list_is_treated_as_a_top_up() {
        let of = |stage| around(stage_of(stage));
        assert!(of(QueueStage::Password).secret && of(QueueStage::Code).code);
        assert!(of(QueueStage::Tap).awake, "between two cards too");
        assert_eq!(of(QueueStage::Check), Screen::default());
    }

    #[test]
    fn a_message_is_looked_for_only_while_its_code_is_waited_for() {
        assert!(around(Some(Stage::Code)).code);
        assert!(!around(Some(Stage::Phone)).code, "no message was sent yet");
        assert!(!around(Some(Stage::Password)).code);
    }

    #[test]
    fn a_second_opinion_on_nfc_is_told_only_where_it_is_another_one() {
        for ours in [ReaderKind::ServiceDown, ReaderKind::None] {
            assert!(is_disputed(ours, true), "{ours:?}: the other finds NFC");
            assert!(!is_disputed(ours, false), "{ours:?}: it finds none either");
        }
        for ours in [ReaderKind::Empty, ReaderKind::Card] {
            assert!(is_disputed(ours, false), "{ours:?}: the other finds none");
            assert!(!is_disputed(ours, true), "{ours:?}: both find NFC");
        }
    }

    #[test]
    fn the_sheet_speaks_the_language_that_was_chosen() {
        assert_eq!(Screen::of(None, Language::ZhTw).language, Some("zh-TW"));
        assert_eq!(Screen::of(None, Language::System).language, None);
    }
}
