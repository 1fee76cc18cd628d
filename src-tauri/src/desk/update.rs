//! New versions, where the publisher of this build has said where they are and whose signature they carry.

use std::time::Duration;

use tauri::plugin::TauriPlugin;
use tauri::{AppHandle, Config, Manager, Wry};
use tauri_plugin_updater::{Update, UpdaterExt};
use tokio::sync::broadcast::error::RecvError;

use session::{Errand, Outside, Session};

/// A start has other things to ask the network for.
const FIRST: Duration = Duration::from_secs(if cfg!(feature = "simulator") { 1 } else { 30 });
const EVERY: Duration = Duration::from_secs(24 * 60 * 60);

type Updater = tauri_plugin_updater::Config;

/// Off in a build that names no place to ask.
pub(super) fn plugin(config: &Config) -> Option<TauriPlugin<Wry, Updater>> {
    is_configured(config).then(|| tauri_plugin_updater::Builder::new().build())
}

fn is_configured(config: &Config) -> bool {
    let endpoints = config.plugins.0.get("updater");
    let endpoints = endpoints.and_then(|updater| updater.get("endpoints")?.as_array());
    endpoints.is_some_and(|endpoints| !endpoints.is_empty())
}

/// Asks now and then, and installs when the session says so.
pub(super) fn follow(app: &AppHandle, session: &Session) {
    if !is_configured(app.config()) {
        return;
    }
    let (asking, offers) = (app.clone(), session.clone());
    tauri::async_runtime::spawn(async move {
        tokio::time::sleep(FIRST).await;
        loop {
            match newer(&asking).await {
                Ok(Some(update)) => offers.tell(Outside::Offered(update.version)),
                Ok(None) => {}
                Err(error) => log::info!("no answer about new versions: {error}"),
            }
            tokio::time::sleep(EVERY).await;
        }
    });
    let (app, mut errands) = (app.clone(), session.errands());
    tauri::async_runtime::spawn(async move {
        loop {
            match errands.recv().await {
                Ok(Errand::Update) => install(&app).await,
                Ok(Errand::Tell(_) | Errand::PickList) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            }
        }
    });
}

/// The offer is asked for anew: what was offered a week ago may have been taken back.
async fn install(app: &AppHandle) {
    let installed = match newer(app).await {
        Ok(Some(update)) => update.download_and_install(|_, _| {}, || {}).await,
        Ok(None) => Err(tauri_plugin_updater::Error::ReleaseNotFound),
        Err(error) => Err(error),
    };
    match installed {
        Ok(()) => app.restart(),
        Err(error) => {
            log::warn!("the new version was not installed: {error}");
            if let Some(session) = app.try_state::<Session>() {
                session.tell(Outside::NotUpdated);
            }
        }
    }
}

async fn newer(app: &AppHandle) -> tauri_plugin_updater::Result<Option<Update>> {
    app.updater()?.check().await
}
