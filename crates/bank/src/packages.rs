//! Industry packages as they are served: signed at start.

use std::collections::BTreeMap;
use std::path::Path;

use industry::Package;

use crate::config::Settings;
use crate::error::StartError;

/// One package with the bank's signature.
pub(crate) struct Served {
    pub(crate) industry: String,
    pub(crate) version: u32,
    pub(crate) package: Package,
    pub(crate) bytes: Vec<u8>,
    pub(crate) signature: [u8; 64],
}

/// The shipped packages of the industries that the bank serves, those that only read, and those of the configured
/// folder (`*.json`), which win over shipped ones of the same industry.
pub(crate) fn load(
    settings: &Settings,
    signer: &[u8; 32],
) -> Result<BTreeMap<String, Served>, StartError> {
    let mut served = BTreeMap::new();
    for (name, text) in industries::ALL {
        insert(&mut served, name, text.as_bytes().to_vec(), signer)?;
    }
    let is_served = |code: &str| settings.industries.iter().any(|it| it.code == code);
    served.retain(|code, it: &mut Served| is_served(code) || it.package.reads_only());
    let Some(folder) = settings.bank.packages.as_deref() else {
        return Ok(served);
    };
    let failed = |path: &Path, error: std::io::Error| StartError::File {
        path: path.display().to_string(),
        cause: error.to_string(),
    };
    let mut paths = Vec::new();
    for item in std::fs::read_dir(folder).map_err(|error| failed(folder, error))? {
        paths.push(item.map_err(|error| failed(folder, error))?.path());
    }
    paths.sort();
    for path in paths
        .iter()
        .filter(|path| path.extension().is_some_and(|ext| ext == "json"))
    {
        let bytes = std::fs::read(path).map_err(|error| failed(path, error))?;
        insert(&mut served, &path.display().to_string(), bytes, signer)?;
    }
    Ok(served)
}

fn insert(
    served: &mut BTreeMap<String, Served>,
    name: &str,
    bytes: Vec<u8>,
    signer: &[u8; 32],
) -> Result<(), StartError> {
    let package = Package::parse(&bytes).map_err(|error| StartError::Package {
        name: name.to_owned(),
        cause: error.to_string(),
    })?;
    let signature = envelope::package::sign_package(signer, &bytes);
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
