use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Why a file could not be kept or read.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DiskError {
    #[error("the disk is full")]
    Full,
    #[error("the disk can't be used")]
    Broken,
    #[error("a file is damaged")]
    Damaged,
}

impl From<io::Error> for DiskError {
    fn from(error: io::Error) -> Self {
        log::error!("disk: {error}");
        let full = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded];
        if full.contains(&error.kind()) {
            Self::Full
        } else {
            Self::Broken
        }
    }
}

/// Writes all or nothing, and returns only when it would survive a power cut.
pub(crate) fn write_atomic<T: Serialize>(path: &Path, value: &T) -> Result<(), DiskError> {
    let bytes = serde_json::to_vec_pretty(value).map_err(|_| DiskError::Broken)?;
    let folder = path.parent().ok_or(DiskError::Broken)?;
    let part = path.with_extension("part");
    #[cfg(feature = "simulator")]
    simulated::meet(Written::Before, path, &bytes)?;
    let result = write_then_rename(&part, path, folder, &bytes);
    #[cfg(feature = "simulator")]
    simulated::meet(Written::After, path, &bytes)?;
    if result.is_err() {
        let _ = fs::remove_file(&part);
    }
    result
}

fn write_then_rename(
    part: &Path,
    path: &Path,
    folder: &Path,
    bytes: &[u8],
) -> Result<(), DiskError> {
    let mut file = create(part)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(part, path)?;
    sync_folder(folder)
}

/// For the person's own eyes: tails of cards and amounts are in there.
#[cfg(unix)]
fn create(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = File::options();
    options.write(true).create(true).truncate(true);
    options.mode(0o600).open(path)
}

#[cfg(not(unix))]
fn create(path: &Path) -> io::Result<File> {
    File::create(path)
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> Result<(), DiskError> {
    File::open(folder)?.sync_all()?;
    Ok(())
}

/// Windows keeps the rename with the file's own flush; folders can't be opened for it.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the same shape as on Unix")]
fn sync_folder(_: &Path) -> Result<(), DiskError> {
    Ok(())
}

/// The value in a file; `None` when there is no file.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, DiskError> {
    match fs::read(path) {
        Ok(bytes) => match serde_json::from_slice(&bytes) {
            Ok(value) => Ok(Some(value)),
            Err(error) => {
                log::error!("{} is damaged: {error}", path.display());
                Err(DiskError::Damaged)
            }
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Where a write of a file stands.
#[cfg(feature = "simulator")]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Written {
    /// Nothing is on the disk yet.
    Before,
    /// All of it is.
    After,
}

/// Told of each write, with the file and what it is to hold.
#[cfg(feature = "simulator")]
pub type DiskWatch = std::rc::Rc<dyn Fn(Written, &Path, &[u8]) -> Result<(), DiskError>>;

/// From now on every file that sessions of this thread write goes past `watch` (moment, path, bytes), before and
/// after: what it refuses, the disk refuses. `None` ends that.
#[cfg(feature = "simulator")]
pub fn watch_disk(watch: Option<DiskWatch>) {
    simulated::set(watch);
}

#[cfg(feature = "simulator")]
mod simulated {
    use std::cell::RefCell;
    use std::path::Path;

    use super::{DiskError, DiskWatch as Watch, Written};

    thread_local! {
        static WATCH: RefCell<Option<Watch>> = const { RefCell::new(None) };
    }

    pub(super) fn set(watch: Option<Watch>) {
        WATCH.with(|now| *now.borrow_mut() = watch);
    }

    pub(super) fn meet(moment: Written, path: &Path, bytes: &[u8]) -> Result<(), DiskError> {
        let watch = WATCH.with(|now| now.borrow().clone());
        watch.map_or(Ok(()), |watch| watch(moment, path, bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_again_and_a_cut_file_is_told_as_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("value.json");
        assert_eq!(read::<Vec<u8>>(&path), Ok(None));
        write_atomic(&path, &vec![1, 2, 3]).unwrap();
        assert_eq!(read(&path), Ok(Some(vec![1_u8, 2, 3])));
        fs::write(&path, "[1,").unwrap();
        assert_eq!(read::<Vec<u8>>(&path), Err(DiskError::Damaged));
    }
}
