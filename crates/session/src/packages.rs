//! The industry packages on this device: from the bank, signature checked at every start.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use industry::{Package, Packages};
use ipc::{LocalName, PackageView};
use serde::{Deserialize, Serialize};

use crate::disk::{self, DiskError};

/// A package as the bank sends it: hex.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct SignedPackage {
    pub(crate) industry: String,
    pub(crate) version: u32,
    pub(crate) package: String,
    pub(crate) signature: String,
}

/// The file of packages, and what is loaded from it.
pub(crate) struct PackageStore {
    path: PathBuf,
    signer: [u8; 32],
    signed: Vec<SignedPackage>,
    loaded: Arc<Packages>,
}

impl PackageStore {
    pub(crate) fn open(dir: &Path, signer: [u8; 32], today: u32) -> Result<Self, DiskError> {
        let path = dir.join("packages.json");
        let signed = match disk::read(&path) {
            Ok(signed) => signed.unwrap_or_default(),
            // They come again from the bank.
            Err(DiskError::Damaged) => Vec::new(),
            Err(error) => return Err(error),
        };
        let mut store = Self {
            path,
            signer,
            signed: Vec::new(),
            loaded: Arc::default(),
        };
        store.take(signed, today);
        Ok(store)
    }

    /// Takes what the bank offers; an older version than the one here is left out. True: something changed.
    pub(crate) fn update(
        &mut self,
        offered: Vec<SignedPackage>,
        today: u32,
    ) -> Result<bool, DiskError> {
        let before = self.signed.clone();
        self.take(offered, today);
        if self.signed == before {
            return Ok(false);
        }
        disk::write_atomic(&self.path, &self.signed)?;
        Ok(true)
    }

    fn take(&mut self, offered: Vec<SignedPackage>, today: u32) {
        let mut packages = Packages::clone(&self.loaded);
        for signed in offered {
            let known = self
                .signed
                .iter()
                .find(|known| known.industry == signed.industry);
            if known.is_some_and(|known| known.version >= signed.version) {
                continue;
            }
            let taken = self
                .check(&signed)
                .ok_or("not what the bank signed".to_owned())
                .and_then(|package| {
                    packages
                        .insert(package, today)
                        .map_err(|error| error.to_string())
                });
            match taken {
                Ok(()) => {
                    self.signed
                        .retain(|known| known.industry != signed.industry);
                    self.signed.push(signed);
                }
                Err(why) => {
                    log::error!("package {} v{}: {why}", signed.industry, signed.version);
                }
            }
        }
        self.loaded = Arc::new(packages);
    }

    fn check(&self, signed: &SignedPackage) -> Option<Package> {
        let bytes = hex::decode(&signed.package).ok()?;
        let signature = hex::decode(&signed.signature).ok()?;
        envelope::package::verify_package(&self.signer, &bytes, &signature).ok()?;
        let package = Package::parse(&bytes)
            .inspect_err(|error| log::error!("{error}"))
            .ok()?;
        let same = package.industry().to_string() == signed.industry
            && package.version() == signed.version;
        same.then_some(package)
    }

    pub(crate) fn loaded(&self) -> Arc<Packages> {
        self.loaded.clone()
    }

    pub(crate) fn views(&self) -> Vec<PackageView> {
        let view = |package: &Package| PackageView {
            industry: package.industry().to_string(),
            name: name(package),
            version: package.version(),
            signer: hex::encode(&self.signer[..4]),
        };
        self.loaded.iter().map(view).collect()
    }
}

/// The package's name for people.
pub(crate) fn name(package: &Package) -> LocalName {
    LocalName {
        zh_cn: package.name().zh_cn.clone(),
        en: package.name().en.clone(),
    }
}
