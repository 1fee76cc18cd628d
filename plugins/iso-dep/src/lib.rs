//! Sessions with ISO 14443-4 cards on Android (Kotlin) and iOS (Swift). Empty on other systems.
//!
//! Rust is the only caller: the page has no command that reaches a card. What crosses to Kotlin and Swift is in
//! `docs/mobile.md`; what it means stands in `card-link`, which is tested with a phone that answers as both do.
#![cfg(any(target_os = "android", target_os = "ios"))]

mod bridge;

use std::sync::Arc;

use card_link::{CardReader, PhoneBridge, PhoneReader};
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
    /// Makes the screen secret (no screenshot, nothing in the list of recent apps) and keeps it on, or not.
    fn set_screen(&self, secret: bool, awake: bool);
}

impl<R: Runtime, T: Manager<R>> IsoDepExt<R> for T {
    fn card_reader(&self) -> Option<Arc<dyn CardReader>> {
        self.try_state::<Kept>().map(|kept| kept.reader.clone())
    }

    fn set_screen(&self, secret: bool, awake: bool) {
        let Some(bridge) = self.try_state::<Kept>().map(|kept| kept.bridge.clone()) else {
            return;
        };
        tauri::async_runtime::spawn(async move {
            let wanted = serde_json::json!({ "secret": secret, "awake": awake });
            if let Err(refused) = bridge.call("screen", wanted).await {
                log::warn!("the screen stays as it is: {refused}");
            }
        });
    }
}

struct Kept {
    reader: Arc<dyn CardReader>,
    bridge: Arc<dyn PhoneBridge>,
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
            // On the runtime, which the reader needs for its own task.
            let reader = tauri::async_runtime::block_on(async { PhoneReader::new(behind, events) });
            app.manage(Kept {
                reader: Arc::new(reader),
                bridge,
            });
            Ok(())
        })
        .build()
}
