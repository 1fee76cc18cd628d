//! A card's memory in a file: replaced as a whole or not at all.

use crate::profile::ProfileError;
use serde::Serialize;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Writes the profile next to `path` and renames it into place.
pub(crate) fn save(path: &Path, profile: &impl Serialize) -> Result<(), ProfileError> {
    let text = serde_json::to_vec_pretty(profile)?;
    let fail = |source| ProfileError::File {
        path: path.to_owned(),
        source,
    };
    let beside = beside(path);
    let mut file = std::fs::File::create(&beside).map_err(fail)?;
    file.write_all(&text)
        .and_then(|()| file.sync_all())
        .map_err(fail)?;
    std::fs::rename(&beside, path).map_err(fail)
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    PathBuf::from(name)
}
