//! Industry packages as they are served: signed at start, or elsewhere.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use industry::{Package, PackageError};
use sha2::{Digest, Sha256};

use crate::config::Settings;
use crate::error::StartError;

/// One package with its signature.
pub(crate) struct Served {
    pub(crate) industry: String,
    pub(crate) version: u32,
    pub(crate) package: Arc<Package>,
    pub(crate) bytes: Vec<u8>,
    pub(crate) signature: [u8; 64],
}

/// The shipped ones, read once in a process however many banks it starts.
static SHIPPED: LazyLock<Vec<(&[u8], Arc<Package>)>> = LazyLock::new(|| {
    let texts = industries::ALL.iter().map(|(_, text)| text.as_bytes());
    let parsed = |text| Some((text, Arc::new(Package::parse(text).ok()?)));
    texts.filter_map(parsed).collect()
});

/// These bytes as a package.
fn parse(bytes: &[u8]) -> Result<Arc<Package>, PackageError> {
    match SHIPPED.iter().find(|(text, _)| *text == bytes) {
        Some((_, package)) => Ok(package.clone()),
        None => Package::parse(bytes).map(Arc::new),
    }
}

/// Everything that is served, by industry code.
pub(crate) struct Shelf {
    pub(crate) served: BTreeMap<String, Served>,
    /// The public key whose signatures they carry.
    pub(crate) signer: [u8; 32],
    /// Names this very list.
    pub(crate) etag: String,
}

/// Who signs.
enum Signer<'a> {
    /// This bank, with the key of its folder.
    Here(&'a [u8; 32]),
    /// Somebody else: signatures lie beside the packages (`NAME.json.sig`, hex digits).
    Elsewhere([u8; 32]),
}

impl Shelf {
    pub(crate) fn get(&self, industry: &str) -> Option<&Served> {
        self.served.get(industry)
    }

    /// The shipped packages of the industries that the bank serves, those that only read, and those of the configured
    /// folder (`*.json`), which win over shipped ones of the same industry. What is signed elsewhere is in the folder.
    pub(crate) fn load(settings: &Settings, secret: &[u8; 32]) -> Result<Self, StartError> {
        let signer = match settings.bank.package_signer {
            Some(public) => Signer::Elsewhere(public),
            None => Signer::Here(secret),
        };
        let mut served = BTreeMap::new();
        if let Signer::Here(_) = signer {
            for (name, text) in industries::ALL {
                let bytes = text.as_bytes().to_vec();
                insert(&mut served, &PathBuf::from(name), bytes, &signer)?;
            }
        }
        let is_served = |code: &str| settings.industries.iter().any(|it| it.code == code);
        served.retain(|code, it: &mut Served| is_served(code) || it.package.reads_only());
        for path in files(settings.bank.packages.as_deref())? {
            let bytes = std::fs::read(&path).map_err(|error| failed(&path, &error))?;
            insert(&mut served, &path, bytes, &signer)?;
        }
        let mut names = Sha256::new();
        for package in served.values() {
            names.update(package.signature);
        }
        Ok(Self {
            signer: signer.public(),
            etag: hex::encode(names.finalize()),
            served,
        })
    }
}

impl Signer<'_> {
    fn public(&self) -> [u8; 32] {
        match self {
            Self::Here(secret) => envelope::package::signer_public(secret),
            Self::Elsewhere(public) => *public,
        }
    }

    fn sign(&self, path: &Path, bytes: &[u8]) -> Result<[u8; 64], StartError> {
        let public = match self {
            Self::Here(secret) => return Ok(envelope::package::sign_package(secret, bytes)),
            Self::Elsewhere(public) => public,
        };
        let mut beside = path.as_os_str().to_owned();
        beside.push(".sig");
        let beside = PathBuf::from(beside);
        let text = std::fs::read_to_string(&beside).map_err(|error| failed(&beside, &error))?;
        let mut signature = [0; 64];
        let good = hex::decode_to_slice(text.trim(), &mut signature).is_ok()
            && envelope::package::verify_package(public, bytes, &signature).is_ok();
        if good {
            return Ok(signature);
        }
        Err(StartError::Package {
            name: path.display().to_string(),
            cause: "the signature beside it is not one of `bank.package_signer`".to_owned(),
        })
    }
}

fn files(folder: Option<&Path>) -> Result<Vec<PathBuf>, StartError> {
    let Some(folder) = folder else {
        return Ok(Vec::new());
    };
    let mut paths = Vec::new();
    for item in std::fs::read_dir(folder).map_err(|error| failed(folder, &error))? {
        paths.push(item.map_err(|error| failed(folder, &error))?.path());
    }
    paths.retain(|path| path.extension().is_some_and(|ext| ext == "json"));
    paths.sort();
    Ok(paths)
}

fn failed(path: &Path, error: &std::io::Error) -> StartError {
    StartError::File {
        path: path.display().to_string(),
        cause: error.to_string(),
    }
}

fn insert(
    served: &mut BTreeMap<String, Served>,
    path: &Path,
    bytes: Vec<u8>,
    signer: &Signer<'_>,
) -> Result<(), StartError> {
    let package = parse(&bytes).map_err(|error| StartError::Package {
        name: path.display().to_string(),
        cause: error.to_string(),
    })?;
    let signature = signer.sign(path, &bytes)?;
    let (industry, version) = (package.industry().to_string(), package.version());
    served.insert(
        industry.clone(),
        Served {
            industry,
            version,
            package,
            bytes,
            signature,
        },
    );
    Ok(())
}
