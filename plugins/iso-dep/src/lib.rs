//! Sessions with ISO 14443-4 cards on Android (Kotlin) and iOS (Swift). Empty on other systems.
//!
//! Rust is the only caller: the page has no command that reaches a card. What crosses to Kotlin and Swift is in
//! `docs/mobile.md`; what it means stands in `card-link`, which is tested with a phone that answers as both do.
#![cfg(any(target_os = "android", target_os = "ios"))]

mod bridge;

use std::sync::Arc;

use card_link::{CardReader, Newest, PhoneBridge, PhoneReader, Refused};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tauri::plugin::{Builder, TauriPlugin};
use tauri::{Manager, Runtime};

#[cfg(target_os = "android")]
const KOTLIN_PACKAGE: &str = "org.tapfill.isodep";

#[cfg(target_os = "ios")]
tauri::ios_plugin_binding!(init_plugin_iso_dep);

/// What the phone has for the app. Nothing of it is there before the plugin is set up.
pub trait IsoDepExt<R: Runtime> {
    /// The reader, for whoever starts a session.
    fn card_reader(&self) -> Option<Arc<dyn CardReader>>;
    /// Makes the screen what the page in it needs.
    fn set_screen(&self, screen: Screen);
    /// The code out of the bank's message, once it came and the person let us have it; none when nothing is to be
    /// hoped for. `about` is what that message says right behind its code.
    fn sms_code(&self, about: String) -> impl Future<Output = Option<String>> + Send + 'static;
    /// Asks the person to prove that it is them, by whatever unlocks the phone.
    fn confirm(&self) -> impl Future<Output = Confirmed> + Send + 'static;
}

/// What is around the page.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Screen {
    /// Neither a screenshot nor the list of recent apps shows it.
    pub secret: bool,
    /// It stays on.
    pub awake: bool,
    /// As it was chosen in the app, for what the system shows over the page; none: the system's own.
    pub language: Option<&'static str>,
}

/// What came of asking who is there.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum Confirmed {
    Yes,
    No,
    /// The phone has no way to ask.
    Unable,
}

#[derive(Serialize)]
struct Wanted {
    about: String,
}

#[derive(Deserialize)]
struct Code {
    code: Option<String>,
}

#[derive(Deserialize)]
struct Answer {
    answer: Confirmed,
}

impl<R: Runtime, T: Manager<R>> IsoDepExt<R> for T {
    fn card_reader(&self) -> Option<Arc<dyn CardReader>> {
        self.try_state::<Kept>().map(|kept| kept.reader.clone())
    }

    fn set_screen(&self, screen: Screen) {
        if let Some(kept) = self.try_state::<Kept>() {
            kept.screen.want(serde_json::json!(screen));
        }
    }

    fn sms_code(&self, about: String) -> impl Future<Output = Option<String>> + Send + 'static {
        let bridge = bridge_of(self);
        async move {
            let wanted = serde_json::json!(Wanted { about });
            let told = call::<Code>(bridge, "code", wanted).await;
            told.ok().and_then(|told| told.code)
        }
    }

    fn confirm(&self) -> impl Future<Output = Confirmed> + Send + 'static {
        let bridge = bridge_of(self);
        async move {
            let told = call::<Answer>(bridge, "confirm", Value::Null).await;
            told.map_or(Confirmed::Unable, |told| told.answer)
        }
    }
}

fn bridge_of<R: Runtime>(app: &impl Manager<R>) -> Option<Arc<dyn PhoneBridge>> {
    app.try_state::<Kept>().map(|kept| kept.bridge.clone())
}

async fn call<T: DeserializeOwned>(
    bridge: Option<Arc<dyn PhoneBridge>>,
    command: &'static str,
    arguments: Value,
) -> Result<T, Refused> {
    let nobody = Refused { code: None };
    let answer = bridge
        .ok_or(nobody.clone())?
        .call(command, arguments)
        .await?;
    serde_json::from_value(answer).map_err(|_| nobody)
}

struct Kept {
    reader: Arc<dyn CardReader>,
    bridge: Arc<dyn PhoneBridge>,
    screen: Newest,
}

/// The plugin.
pub fn init<R: Runtime>() -> TauriPlugin<R> {
    Builder::new("iso-dep")
        .setup(|app, api| {
            #[cfg(target_os = "android")]
            let handle = api.register_android_plugin(KOTLIN_PACKAGE, "IsoDepPlugin")?;
            #[cfg(target_os = "ios")]
            let handle = api.register_ios_plugin(init_plugin_iso_dep)?;
            let (bridge, events) = bridge::Bridge::new(handle);
            let bridge: Arc<dyn PhoneBridge> = Arc::new(bridge);
            let behind = bridge.clone();
            // On the runtime, which both need for tasks of their own.
            let (reader, screen) = tauri::async_runtime::block_on(async {
                let screen = Newest::new(behind.clone(), "screen");
                (PhoneReader::new(behind, events), screen)
            });
            app.manage(Kept {
                reader: Arc::new(reader),
                bridge,
                screen,
            });
            Ok(())
        })
        .build()
}
