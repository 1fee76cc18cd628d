//! The industry packages on this device: from the bank, signature checked at every start.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use industry::{Package, PackageError, Packages};
use ipc::{Code, LocalName, PackageView, RefusedPackageView, TransactionKind};
use relay::Operation;
use serde::{Deserialize, Serialize};

use crate::disk::{self, DiskError};
use crate::settings::BankLimits;

/// The most industries that a device keeps: a card is read with each in turn until one knows it.
const MOST_INDUSTRIES: usize = 64;

/// A package as the bank sends it: hex.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct SignedPackage {
    pub(crate) industry: String,
    pub(crate) version: u32,
    pub(crate) package: String,
    /// Absent: unsigned.
    #[serde(default)]
    pub(crate) signature: String,
    /// The public key that signed; absent in what earlier versions kept.
    #[serde(default)]
    pub(crate) signer: String,
}

/// What the bank has: all of it, or the tag that is known already.
#[derive(Deserialize)]
pub(crate) struct Offer {
    /// Names this very list; sent back with the next question. Empty: of a bank that names none.
    #[serde(default)]
    pub(crate) etag: String,
    /// For one load of each industry that the bank loads.
    pub(crate) limits: BTreeMap<String, BankLimits>,
    /// Absent: as before.
    pub(crate) packages: Option<Vec<SignedPackage>>,
}

impl SignedPackage {
    /// The very bytes, signed with the very signature.
    fn is(&self, other: &Self) -> bool {
        self.package == other.package
            && self.signature == other.signature
            && self.version == other.version
    }
}

/// A package that was not taken.
#[derive(Clone, Debug, PartialEq)]
struct Refused {
    industry: String,
    version: u32,
    code: Code,
    why: String,
}

/// What comes with the app: most banks send these very bytes again, and reading them takes longer than anything else at
/// a start.
static SHIPPED: LazyLock<Vec<Shipped>> = LazyLock::new(|| {
    let parsed = |&(name, text): &(&'static str, &'static str)| Shipped {
        name,
        text,
        package: Package::parse(text.as_bytes()).map(Arc::new),
    };
    industries::ALL.iter().map(parsed).collect()
});

struct Shipped {
    name: &'static str,
    text: &'static str,
    package: Result<Arc<Package>, PackageError>,
}

/// These bytes as a package.
fn parse(bytes: &[u8]) -> Result<Arc<Package>, PackageError> {
    match SHIPPED.iter().find(|it| it.text.as_bytes() == bytes) {
        Some(Shipped {
            package: Ok(package),
            ..
        }) => Ok(package.clone()),
        Some(_) | None => Package::parse(bytes).map(Arc::new),
    }
}

/// Where a package comes from.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Source {
    /// This device took it before.
    Disk,
    Bank,
}

/// A package in use, in few words.
#[derive(Clone, Debug)]
pub(crate) struct PackageHere {
    pub(crate) industry: String,
    pub(crate) version: u32,
    pub(crate) from_bank: bool,
}

/// The packages in use, for comparing them with what the bank has.
#[derive(Clone, Debug)]
pub(crate) struct PackagesHere {
    pub(crate) all: Vec<PackageHere>,
    /// The first of the newest offer that was not taken.
    pub(crate) refused: Option<(String, Code)>,
}

impl PackagesHere {
    pub(crate) fn count_from_bank(&self) -> usize {
        self.all.iter().filter(|package| package.from_bank).count()
    }

    /// The first industry whose package is not here, or older than the bank's.
    pub(crate) fn newer_in(&self, offer: &Offer) -> Option<String> {
        let here = |offered: &SignedPackage| {
            let same = |package: &PackageHere| {
                package.industry == offered.industry && package.version >= offered.version
            };
            self.all.iter().any(same)
        };
        let offered = offer.packages.as_deref().unwrap_or_default();
        let newer = offered.iter().find(|offered| !here(offered));
        newer.map(|offered| offered.industry.clone())
    }
}

/// The file of packages, and what is loaded from it.
pub(crate) struct PackageStore {
    path: PathBuf,
    signer: [u8; 32],
    signed: Vec<SignedPackage>,
    /// Of the newest offer.
    refused: Vec<Refused>,
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
            refused: Vec::new(),
            loaded: Arc::default(),
        };
        store.take_shipped(today);
        store.take(signed, today, Source::Disk);
        Ok(store)
    }

    /// What came with the app and only reads: a card in the pocket can be looked at before any bank was asked.
    fn take_shipped(&mut self, today: u32) {
        let mut packages = Packages::clone(&self.loaded);
        for Shipped { name, package, .. } in SHIPPED.iter() {
            let taken = match package {
                Ok(package) if package.reads_only() => packages
                    .insert(package.clone(), today)
                    .map_err(|why| why.to_string()),
                Ok(_) => Ok(()),
                Err(why) => Err(why.to_string()),
            };
            if let Err(why) = taken {
                log::error!("shipped package {name}: {why}");
            }
        }
        self.loaded = Arc::new(packages);
    }

    /// Takes what the bank offers; an older version than the one here is refused. True: something changed.
    pub(crate) fn update(
        &mut self,
        offered: Vec<SignedPackage>,
        today: u32,
    ) -> Result<bool, DiskError> {
        let before = (self.signed.clone(), self.refused.clone());
        self.refused.clear();
        self.take(offered, today, Source::Bank);
        if self.signed != before.0 {
            disk::write_atomic(&self.path, &self.signed)?;
        }
        Ok((&self.signed, &self.refused) != (&before.0, &before.1))
    }

    fn take(&mut self, offered: Vec<SignedPackage>, today: u32, from: Source) {
        let mut packages = Packages::clone(&self.loaded);
        for signed in offered {
            let same = |known: &&SignedPackage| known.industry == signed.industry;
            let known = self.signed.iter().find(same);
            let again = known.is_some_and(|known| known.is(&signed));
            // Another content under a version that is here: only a higher one replaces it.
            let present = known.map(|known| known.version).filter(|_| !again);
            let room = known.is_some() || self.signed.len() < MOST_INDUSTRIES;
            let taken = self.check(&signed).and_then(|package| {
                if !room {
                    let why = format!("more than {MOST_INDUSTRIES} industries");
                    return Err((Code::PackageOversized, why));
                }
                let refused = |error: PackageError| (code_of(&error), error.to_string());
                match present.filter(|present| *present >= package.version()) {
                    Some(present) => Err(refused(PackageError::Older {
                        industry: package.industry(),
                        version: package.version(),
                        present,
                    })),
                    None => packages.insert(package, today).map_err(refused),
                }
            });
            match taken {
                Ok(()) if again => {}
                Ok(()) => {
                    self.signed
                        .retain(|known| known.industry != signed.industry);
                    self.signed.push(signed);
                }
                Err((code, why)) => {
                    log::error!("package {} v{}: {why}", signed.industry, signed.version);
                    if from == Source::Disk && code == Code::PackageEarly {
                        // It was taken on its day: a clock that went wrong must let no older one in.
                        self.signed.push(signed.clone());
                    }
                    let SignedPackage {
                        industry, version, ..
                    } = signed;
                    self.refused.push(Refused {
                        industry,
                        version,
                        code,
                        why,
                    });
                }
            }
        }
        self.loaded = Arc::new(packages);
    }

    /// Whether somebody whom this device trusts has signed these very bytes, and whether they are a package.
    fn check(&self, signed: &SignedPackage) -> Result<Arc<Package>, (Code, String)> {
        let refused = |code, why: &str| (code, why.to_owned());
        if signed.signature.is_empty() {
            return Err(refused(Code::PackageUnsigned, "no signature"));
        }
        let pinned = hex::encode(self.signer);
        if !signed.signer.is_empty() && !signed.signer.eq_ignore_ascii_case(&pinned) {
            return Err(refused(Code::PackageSigner, "another signer"));
        }
        let altered = || refused(Code::PackageAltered, "not what the bank signed");
        let bytes = hex::decode(&signed.package).map_err(|_| altered())?;
        let signature = hex::decode(&signed.signature).map_err(|_| altered())?;
        envelope::package::verify_package(&self.signer, &bytes, &signature)
            .map_err(|_| altered())?;
        let package = parse(&bytes).map_err(|error| (code_of(&error), error.to_string()))?;
        let same = package.industry().to_string() == signed.industry
            && package.version() == signed.version;
        if same { Ok(package) } else { Err(altered()) }
    }

    /// Everything that was offered last is here: the same need not be sent again.
    pub(crate) fn is_complete(&self) -> bool {
        self.refused.is_empty() && !self.signed.is_empty()
    }

    pub(crate) fn loaded(&self) -> Arc<Packages> {
        self.loaded.clone()
    }

    pub(crate) fn here(&self) -> PackagesHere {
        let here = |package: &Package| {
            let industry = package.industry().to_string();
            PackageHere {
                from_bank: self.is_from_bank(&industry),
                industry,
                version: package.version(),
            }
        };
        let first = self.refused.first();
        PackagesHere {
            all: self.loaded.iter().map(here).collect(),
            refused: first.map(|refused| (refused.industry.clone(), refused.code)),
        }
    }

    fn is_from_bank(&self, industry: &str) -> bool {
        self.signed.iter().any(|known| known.industry == industry)
    }

    pub(crate) fn views(&self) -> Vec<PackageView> {
        let view = |package: &Package| {
            let industry = package.industry().to_string();
            let from_bank = self.is_from_bank(&industry);
            PackageView {
                industry,
                name: name(package),
                version: package.version(),
                signer: from_bank.then(|| hex::encode(&self.signer[..4])),
                covers: package.operations().map(kind_of).collect(),
                applications: package.aids().map(hex::encode_upper).collect(),
            }
        };
        self.loaded.iter().map(view).collect()
    }

    pub(crate) fn refused_views(&self) -> Vec<RefusedPackageView> {
        let view = |refused: &Refused| RefusedPackageView {
            industry: refused.industry.clone(),
            version: refused.version,
            code: refused.code,
            why: refused.why.clone(),
        };
        self.refused.iter().map(view).collect()
    }
}

fn kind_of(operation: Operation) -> TransactionKind {
    match operation {
        Operation::Balance => TransactionKind::Balance,
        Operation::TopUp => TransactionKind::Topup,
        Operation::ReTopUp => TransactionKind::Resume,
        Operation::Activation => TransactionKind::Activate,
    }
}

fn code_of(error: &PackageError) -> Code {
    Code::parse(error.code()).unwrap_or(Code::PackageBad)
}

/// The package's name for people.
pub(crate) fn name(package: &Package) -> LocalName {
    LocalName {
        zh_cn: package.name().zh_cn.clone(),
        zh_tw: package.name().zh_tw.clone(),
        en: package.name().en.clone(),
    }
}

#[cfg(test)]
mod tests;
