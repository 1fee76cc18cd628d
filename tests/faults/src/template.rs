//! A bank, a terminal that is enrolled there, and an app with packages: made once, copied for each run.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bank::{Clock, Config, Settings};
use bank_client::Profile;
use key_vault::MemoryVault;
use tempfile::TempDir;

use crate::world::BEGINNING_MS;

/// What every run begins with.
pub(crate) struct Template {
    dir: TempDir,
    pub(crate) vault: MemoryVault,
    pub(crate) profile: Profile,
    pub(crate) config: Config,
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
    pub(crate) async fn without_terminal() -> Result<Self, TemplateError> {
        let dir = folder()?;
        let settings = Settings::parse(SETTINGS)?;
        let mut config = Config::new(&dir.path().join("bank"), settings).on_free_ports();
        config.clock = Arc::new(Standing);
        let bank = bank::start(config.clone()).await?;
        let profile = Profile::parse(&fs::read(&bank.profile_path)?)?;
        bank.stop().await;
        fs::create_dir_all(dir.path().join("app"))?;
        Ok(Self {
            dir,
            vault: MemoryVault::default(),
            profile,
            config,
        })
    }

    /// An app that has been there once, and its bank, become what runs begin with.
    pub(crate) fn with(&self, app: &Path, bank: &Path, vault: MemoryVault) -> io::Result<Self> {
        let whole = folder()?;
        for (name, from) in [("app", app), ("bank", bank)] {
            let to = whole.path().join(name);
            fs::create_dir(&to)?;
            copy_folder(from, &to)?;
        }
        Ok(Self {
            dir: whole,
            vault,
            profile: self.profile.clone(),
            config: self.config.clone(),
        })
    }

    /// A copy of all files, for one run.
    pub(crate) fn copy(&self) -> io::Result<TempDir> {
        let to = folder()?;
        copy_folder(self.dir.path(), to.path())?;
        Ok(to)
    }
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
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
