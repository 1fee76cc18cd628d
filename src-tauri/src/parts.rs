//! Puts the shells together that this build and this system have.

use std::path::PathBuf;
use std::sync::Arc;

#[cfg(desktop)]
use session::shells::PcscReader;
#[cfg(target_os = "linux")]
use session::shells::SystemProxy;
use session::shells::{BankClient, CardReader, OsVault, Profile, Proxies};
use session::{Parts, SystemClock};
use tauri::{App, Manager};

type Failure = Box<dyn std::error::Error>;

/// The parts of the app's session.
///
/// `TAPFILL_PROFILE` names the bank's profile, else it is the resource `profile.json` of the installation.
/// `TAPFILL_DIR` names the folder of the app's data.
pub(crate) fn of(app: &App) -> Result<Parts, Failure> {
    let profile = profile(app)?;
    // The bank is reached through the HTTP client that the app's HTTP plugin carries, with our pins in it.
    let builder = tauri_plugin_http::reqwest::Client::builder;
    let dir = match std::env::var_os("TAPFILL_DIR") {
        Some(dir) => PathBuf::from(dir),
        None => app.path().app_local_data_dir()?,
    };
    let documents = documents(app).unwrap_or_else(|_| dir.clone());
    Ok(Parts {
        reader: reader(app)?,
        bank: BankClient::with_builder(profile, builder, proxies())?,
        vault: Arc::new(vault(app)),
        clock: Arc::new(SystemClock),
        dir,
        documents,
        version: app.package_info().version.to_string(),
        development: cfg!(feature = "simulator"),
    })
}

/// Where exports go. iOS shows this folder in "Files" (`Info.ios.plist`): journal and keys are never below it.
#[cfg(not(target_os = "android"))]
fn documents(app: &App) -> tauri::Result<PathBuf> {
    app.path().document_dir()
}

/// Android's has none that a person reaches: exports lie here while the person says where they go (`exports`).
#[cfg(target_os = "android")]
fn documents(app: &App) -> tauri::Result<PathBuf> {
    Ok(app.path().app_cache_dir()?.join("exports"))
}

/// What environment and system say of the way out.
fn proxies() -> Proxies {
    let variable = |name: &str| std::env::var(name).ok();
    #[cfg(target_os = "linux")]
    let system = Some(desktop_proxy as SystemProxy);
    #[cfg(not(target_os = "linux"))]
    let system = None;
    Proxies::new(variable, system)
}

/// GLib knows the settings of GNOME and of those who keep them in the same place. Without such a desktop it answers
/// at once that there is none.
#[cfg(target_os = "linux")]
fn desktop_proxy(url: &str) -> Option<String> {
    use gio::prelude::ProxyResolverExt;
    let found = gio::ProxyResolver::default().lookup(url, gio::Cancellable::NONE);
    let found = found.ok()?;
    let proxy = found.iter().find(|proxy| proxy.starts_with("http://"))?;
    Some(proxy.to_string())
}

#[cfg(desktop)]
fn vault(app: &App) -> OsVault {
    OsVault::new(app.config().identifier.clone())
}

/// A phone asks who is there through its plugin, in the language of the page.
#[cfg(mobile)]
fn vault(app: &App) -> OsVault {
    let handle = app.handle().clone();
    let ask = move || crate::phone::confirm(&handle);
    OsVault::new(app.config().identifier.clone()).asking(ask)
}

#[cfg(desktop)]
fn profile(app: &App) -> Result<Profile, Failure> {
    let path = match std::env::var_os("TAPFILL_PROFILE") {
        Some(path) => PathBuf::from(path),
        None => app.path().resource_dir()?.join("profile.json"),
    };
    let bytes = std::fs::read(&path)
        .map_err(|error| format!("profile-bad: {} can't be read: {error}", path.display()))?;
    Ok(Profile::parse(&bytes).map_err(|error| format!("profile-bad: {error}"))?)
}

/// A phone has no folder of the installation: the profile is among the files of the page, `profile.json`.
#[cfg(mobile)]
fn profile(app: &App) -> Result<Profile, Failure> {
    let file = app.asset_resolver().get("profile.json".to_owned());
    let file = file.ok_or("profile-bad: this build has no profile.json")?;
    Ok(Profile::parse(&file.bytes).map_err(|error| format!("profile-bad: {error}"))?)
}

/// A simulator's card when this build and its environment have one, else the system's reader.
fn reader(app: &App) -> Result<Arc<dyn CardReader>, Failure> {
    #[cfg(feature = "simulator")]
    if let Ok(card) = std::env::var("TAPFILL_SIMULATOR") {
        return simulator::reader(&card);
    }
    system_reader(app)
}

#[cfg(desktop)]
#[expect(clippy::unnecessary_wraps, reason = "the same shape as on phones")]
fn system_reader(_: &App) -> Result<Arc<dyn CardReader>, Failure> {
    Ok(Arc::new(PcscReader::start()))
}

#[cfg(mobile)]
fn system_reader(app: &App) -> Result<Arc<dyn CardReader>, Failure> {
    use tauri_plugin_iso_dep::IsoDepExt;
    let reader = app.card_reader();
    reader.ok_or_else(|| "the phone's reader is not set up".into())
}

/// `TAPFILL_SIMULATOR` names the card of a reader inside the app (`empty`, a demo card's name or a file),
/// `TAPFILL_CONTROL` the loopback address where it takes orders.
#[cfg(feature = "simulator")]
mod simulator {
    use super::{Arc, CardReader, Failure};
    use session::shells::SimulatedReader;
    use virtual_card::{AnyProfile, Slot, control};

    pub(super) fn reader(card: &str) -> Result<Arc<dyn CardReader>, Failure> {
        let slot = match card {
            "empty" => Slot::empty(),
            card => Slot::with_card(AnyProfile::find(card)?.into_card()),
        };
        if let Ok(address) = std::env::var("TAPFILL_CONTROL") {
            let slot = slot.clone();
            tauri::async_runtime::spawn(async move {
                let served = async {
                    control::serve(tokio::net::TcpListener::bind(&address).await?, slot).await
                };
                if let Err(error) = served.await {
                    log::error!("control port {address}: {error}");
                }
            });
        }
        Ok(Arc::new(SimulatedReader::new(slot)))
    }
}
