use std::sync::Arc;

use card_link::{Future, PhoneBridge, Refused};
use serde::Serialize;
use serde_json::Value;
use tauri::Runtime;
use tauri::ipc::{Channel, InvokeResponseBody};
use tauri::plugin::PluginHandle;
use tauri::plugin::mobile::PluginInvokeError;
use tokio::sync::mpsc;

/// The one way to Kotlin or Swift.
pub(crate) struct Bridge<R: Runtime> {
    handle: Arc<PluginHandle<R>>,
}

#[derive(Serialize)]
struct Watch {
    /// Never freed by Tauri: there is one for the life of the app.
    channel: Channel<InvokeResponseBody>,
}

impl<R: Runtime> Bridge<R> {
    pub(crate) fn new(handle: PluginHandle<R>) -> (Self, mpsc::UnboundedReceiver<Value>) {
        let (tell, events) = mpsc::unbounded_channel();
        let channel = Channel::new(move |body| {
            if let InvokeResponseBody::Json(text) = body {
                match serde_json::from_str(&text) {
                    // Nobody listens any more when the app ends.
                    Ok(event) => drop(tell.send(event)),
                    Err(error) => log::warn!("the phone tells no JSON: {error}"),
                }
            }
            Ok(())
        });
        let handle = Arc::new(handle);
        let watching = handle.clone();
        tauri::async_runtime::spawn(async move {
            let watch = Watch { channel };
            let answer = watching.run_mobile_plugin_async::<Value>("watch", watch);
            if let Err(error) = answer.await {
                log::error!("the phone's reader can't be watched: {error}");
            }
        });
        (Self { handle }, events)
    }
}

impl<R: Runtime> PhoneBridge for Bridge<R> {
    fn call(&self, command: &'static str, arguments: Value) -> Future<'_, Result<Value, Refused>> {
        Box::pin(async move {
            let answer = self.handle.run_mobile_plugin_async(command, arguments);
            answer.await.map_err(refused)
        })
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "its variants differ by system, and one alone carries a code"
)]
fn refused(error: PluginInvokeError) -> Refused {
    log::debug!("the phone's side: {error}");
    let code = match error {
        PluginInvokeError::InvokeRejected(response) => response.code,
        _ => None,
    };
    Refused { code }
}
