//! What a phone does around the page.

use ipc::{Language, QueueStage, QueueView, ReaderKind, Stage, TransactionView};

/// As every screen starts, nothing of all this.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Screen {
    /// Something is typed that nobody may photograph.
    secret: bool,
    /// A card is at work, or on its way: a phone that falls asleep takes the field away.
    awake: bool,
    /// The code that the bank sent is waited for.
    code: Option<Awaited>,
    /// For what the system shows over the page; none: the system's own.
    language: Option<&'static str>,
}

/// One code that the bank sent. The next one, of the same request too, is another.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Awaited {
    /// Of the transaction or the list.
    id: String,
    expires_ms: u64,
    /// What the bank's message says right behind the code (`docs/mobile.md`).
    about: String,
}

impl Awaited {
    #[cfg(mobile)]
    fn around(view: &ipc::AppView) -> Option<Self> {
        let of_one = view.transaction.as_ref().and_then(Self::of_one);
        of_one.or_else(|| view.queue.as_ref().and_then(Self::of_list))
    }

    fn of_one(transaction: &TransactionView) -> Option<Self> {
        let sms = transaction.sms.as_ref()?;
        let card = transaction.card.as_ref()?;
        (transaction.stage == Stage::Code).then(|| Self {
            id: transaction.id.clone(),
            expires_ms: sms.expires_at_ms,
            about: format!("for topping up the card ending in {}.", card.tail),
        })
    }

    fn of_list(list: &QueueView) -> Option<Self> {
        let sms = list.sms.as_ref()?;
        let all = list.totals.all;
        (list.stage == QueueStage::Code).then(|| Self {
            id: list.id.clone(),
            expires_ms: sms.expires_at_ms,
            about: format!(
                "for paying {}.{:02} yuan for {} cards.",
                all.fen / 100,
                all.fen % 100,
                all.cards
            ),
        })
    }
}

impl Screen {
    #[cfg(mobile)]
    fn around(view: &ipc::AppView) -> Self {
        let stage = view.transaction.as_ref().map(|it| it.stage);
        let list = view.queue.as_ref().map(|it| it.stage);
        Self {
            code: Awaited::around(view),
            ..Self::of(stage.or(list.and_then(stage_of)), view.settings.language)
        }
    }

    fn of(stage: Option<Stage>, language: Language) -> Self {
        Self {
            secret: matches!(stage, Some(Stage::Code | Stage::Password)),
            awake: matches!(stage, Some(Stage::WaitCard | Stage::Running)),
            code: None,
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
const fn is_disputed(ours: ReaderKind, usable: bool) -> bool {
    match ours {
        ReaderKind::Empty | ReaderKind::Card => !usable,
        // No NFC, or ours has not told yet; and switched off.
        ReaderKind::None | ReaderKind::ServiceDown | ReaderKind::ServiceHung => usable,
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

    use super::{Awaited, Screen, is_disputed};

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
        if let Some(awaited) = now.code.clone()
            && before.code.as_ref() != Some(&awaited)
        {
            take_code(app.clone(), awaited);
        }
        app.set_screen(tauri_plugin_iso_dep::Screen {
            secret: now.secret,
            awake: now.awake,
            language: now.language,
        });
        *before = now;
    }

    /// The person let us have the bank's message: what they would type is typed. It is not when another code, or none,
    /// is waited for by then: a dialog may be answered late.
    fn take_code(app: AppHandle, awaited: Awaited) {
        tauri::async_runtime::spawn(async move {
            let Some(code) = app.sms_code(awaited.about.clone()).await else {
                return;
            };
            let Some(session) = app.try_state::<Session>().map(|it| it.inner().clone()) else {
                return;
            };
            if Awaited::around(&session.view().borrow()) != Some(awaited) {
                return log::info!("the code of a message is for another request");
            }
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
    use serde_json::json;

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
        assert!(of(QueueStage::Password).secret && of(QueueStage::Code).secret);
        assert!(of(QueueStage::Tap).awake, "between two cards too");
        assert_eq!(of(QueueStage::Check), Screen::default());
    }

    fn top_up(stage: &str, tail: &str, expires_ms: u64) -> TransactionView {
        serde_json::from_value(json!({
            "id": "00", "kind": "topup", "stage": stage,
            "card": {
                "industry": "0001", "name": { "zh-CN": "", "zh-TW": "", "en": "" },
                "tail": tail, "mark": null, "balance": 0, "expiry": null, "active": true, "log": []
            },
            "sms": { "phoneMasked": "", "resendAtMs": 0, "expiresAtMs": expires_ms },
            "pinDigits": 0, "limits": null, "refund": false, "amount": null, "steps": [],
            "place": "account", "canCancel": true, "error": null, "receipt": null,
            "resume": null, "contact": null, "busy": false
        }))
        .unwrap()
    }

    #[test]
    fn a_message_is_looked_for_only_while_its_code_is_waited_for() {
        let awaited = Awaited::of_one(&top_up("code", "4471", 1));
        let about = awaited.as_ref().map(|it| it.about.as_str());
        assert_eq!(about, Some("for topping up the card ending in 4471."));
        for stage in ["phone", "password", "running"] {
            assert_eq!(Awaited::of_one(&top_up(stage, "4471", 1)), None, "{stage}");
        }
        let sent_again = Awaited::of_one(&top_up("code", "4471", 2));
        assert_ne!(sent_again, awaited, "the code of before is good no more");
    }

    #[test]
    fn the_message_about_a_list_names_the_number_of_its_cards_and_the_total() {
        let none = json!({ "cards": 0, "fen": 0 });
        let list = json!({
            "id": "00", "stage": "code", "name": null, "industry": null, "items": [],
            "totals": {
                "all": { "cards": 25, "fen": 125_005 }, "loaded": none, "returned": none,
                "waiting": none, "unsettled": none, "writtenOff": none
            },
            "flaws": [], "flawCount": 0,
            "sms": { "phoneMasked": "", "resendAtMs": 0, "expiresAtMs": 1 },
            "pinDigits": 0, "closesMs": null, "tap": null, "busy": false, "error": null
        });
        let list = serde_json::from_value(list).unwrap();
        let about = Awaited::of_list(&list).map(|it| it.about);
        let worded = "for paying 1250.05 yuan for 25 cards.";
        assert_eq!(about.as_deref(), Some(worded), "as the bank words it");
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
