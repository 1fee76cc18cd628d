//! A bank, a terminal that is enrolled there, and an app with packages: made once, copied for each run.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bank::{Clock, Config, Settings};
use bank_client::Profile;
use key_vault::MemoryVault;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::cards::Kind;
use crate::world::BEGINNING_MS;

/// A template for each industry package.
pub(crate) struct Templates {
    pub(crate) shipped: Template,
    /// With a package that gives the card its PIN before anything else.
    pub(crate) with_pin: Template,
}

impl Templates {
    pub(crate) fn of(&self, card: Kind) -> &Template {
        if card.pin {
            &self.with_pin
        } else {
            &self.shipped
        }
    }
}

/// The shipped package with VERIFY after each SELECT of a transaction.
pub(crate) fn package_with_pin() -> Result<String, TemplateError> {
    let mut package: Value = serde_json::from_str(PACKAGE)?;
    if let Some(constants) = package.pointer_mut("/constants") {
        constants["pin"] = json!("123456");
    }
    if let Some(commands) = package.pointer_mut("/commands") {
        commands["verify"] = json!({
            "send": "00200000 03 {pin}",
            "show": "read",
            "on": {"9403": "skip"},
        });
    }
    for phase in ["open_topup", "open_resume", "open_activate"] {
        let steps = package.pointer_mut(&format!("/phases/{phase}/steps"));
        let Some(steps) = steps.and_then(Value::as_array_mut) else {
            continue;
        };
        let select = steps.iter().position(|step| step["run"] == "select");
        if let Some(select) = select {
            steps.insert(select + 1, json!({"run": "verify"}));
        }
    }
    Ok(package.to_string())
}

const PACKAGE: &str = include_str!("../../../industries/0001.json");

/// What every run begins with.
pub(crate) struct Template {
    dir: TempDir,
    /// Where the bank finds its own package, as long as there are runs.
    packages: Option<Arc<TempDir>>,
    pub(crate) vault: MemoryVault,
    pub(crate) profile: Profile,
    pub(crate) config: Config,
    /// The same bank, which does not wait for a locked store: waiting there is real time.
    pub(crate) impatient: Arc<Settings>,
}

/// The demo bank, with a password hash that costs nothing here.
const SETTINGS: &str = concat!(
    include_str!("../../../crates/bank/src/demo.toml"),
    "\n[password]\nrounds = 1\n"
);

/// Why there is no template.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TemplateError {
    #[error("folders: {0}")]
    Disk(#[from] io::Error),
    #[error("the bank's settings: {0}")]
    Settings(#[from] bank::ConfigError),
    #[error("the bank: {0}")]
    Bank(#[from] bank::StartError),
    #[error("the bank's profile: {0}")]
    Profile(#[from] bank_client::ProfileError),
    #[error("the package: {0}")]
    Package(#[from] serde_json::Error),
    #[error("the terminal: {0}")]
    Terminal(String),
}

struct Standing;

impl Clock for Standing {
    fn now_ms(&self) -> u64 {
        BEGINNING_MS
    }
}

impl Template {
    /// Makes the bank as its first start does, on loopback; the terminal comes later.
    pub(crate) async fn without_terminal(package: Option<String>) -> Result<Self, TemplateError> {
        let dir = folder()?;
        let packages = package.map(package_folder).transpose()?;
        let settings = match &packages {
            None => SETTINGS.to_owned(),
            Some(folder) => {
                let line = format!("[bank]\npackages = {:?}", folder.path());
                SETTINGS.replacen("[bank]", &line, 1)
            }
        };
        let impatient = format!("{settings}\n[limits]\ndatabase_wait_ms = 10\n");
        let impatient = Arc::new(Settings::parse(&impatient)?);
        let settings = Settings::parse(&settings)?;
        let mut config = Config::new(&dir.path().join("bank"), settings).on_free_ports();
        config.clock = Arc::new(Standing);
        let bank = bank::start(config.clone()).await?;
        let profile = Profile::parse(&fs::read(&bank.profile_path)?)?;
        bank.stop().await;
        closed(&dir.path().join("bank"))?;
        fs::create_dir_all(dir.path().join("app"))?;
        Ok(Self {
            dir,
            packages: packages.map(Arc::new),
            vault: MemoryVault::default(),
            profile,
            config,
            impatient,
        })
    }

    /// An app that has been there once, and its bank, become what runs begin with.
    pub(crate) fn with(&self, app: &Path, bank: &Path, vault: MemoryVault) -> io::Result<Self> {
        closed(bank)?;
        let whole = folder()?;
        for (name, from) in [("app", app), ("bank", bank)] {
            let to = whole.path().join(name);
            fs::create_dir(&to)?;
            copy_folder(from, &to)?;
        }
        Ok(Self {
            dir: whole,
            packages: self.packages.clone(),
            vault,
            profile: self.profile.clone(),
            config: self.config.clone(),
            impatient: self.impatient.clone(),
        })
    }

    /// A copy of all files, for one run.
    pub(crate) fn copy(&self) -> io::Result<TempDir> {
        let to = folder()?;
        copy_folder(self.dir.path(), to.path())?;
        Ok(to)
    }
}

/// A store that closes empties its log into the database or takes it away: only then are the files whole.
fn closed(bank: &Path) -> io::Result<()> {
    let log = bank.join("bank.sqlite-wal");
    for _ in 0..2_000 {
        if fs::metadata(&log).map_or(true, |log| log.len() == 0) {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Err(io::Error::other("the store does not close"))
}

fn package_folder(package: String) -> io::Result<TempDir> {
    let folder = folder()?;
    fs::write(folder.path().join("0001.json"), package)?;
    Ok(folder)
}

/// In memory where there is a file system for it: a run forgets its files anyway.
fn folder() -> io::Result<TempDir> {
    let memory = PathBuf::from("/dev/shm");
    if memory.is_dir() {
        return TempDir::with_prefix_in("tapfill-simulation-", memory);
    }
    TempDir::with_prefix("tapfill-simulation-")
}

fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            fs::create_dir(&target)?;
            copy_folder(&entry.path(), &target)?;
        } else {
            match fs::copy(entry.path(), target) {
                // A store that closes takes the files of its log away when they are empty.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                copied => drop(copied?),
            }
        }
    }
    Ok(())
}
