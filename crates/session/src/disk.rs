//! Files that survive a power cut.

pub(crate) mod slots;

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
    write_anew(path, &text_of(value)?)
}

/// For people's eyes too.
fn text_of<T: Serialize>(value: &T) -> Result<Vec<u8>, DiskError> {
    serde_json::to_vec_pretty(value).map_err(|_| DiskError::Broken)
}

fn write_anew(path: &Path, bytes: &[u8]) -> Result<(), DiskError> {
    let folder = path.parent().ok_or(DiskError::Broken)?;
    let part = path.with_extension("part");
    watched((path, bytes, None), || {
        let result = write_then_rename(&part, path, folder, bytes);
        if result.is_err() {
            let _ = fs::remove_file(&part);
        }
        result
    })
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
    let Some(bytes) = read_bytes(path)? else {
        return Ok(None);
    };
    value_of(path, &bytes).map(Some)
}

fn read_bytes(path: &Path) -> Result<Option<Vec<u8>>, DiskError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn value_of<T: DeserializeOwned>(path: &Path, text: &[u8]) -> Result<T, DiskError> {
    serde_json::from_slice(text).map_err(|error| {
        log::error!("{} is damaged: {error}", path.display());
        DiskError::Damaged
    })
}

/// The file that a write is for, its bytes, and where in the file they go; none: they make it anew.
type Writing<'a> = (&'a Path, &'a [u8], Option<u64>);

#[cfg(feature = "simulator")]
fn watched(
    (path, bytes, over): Writing<'_>,
    write: impl FnOnce() -> Result<(), DiskError>,
) -> Result<(), DiskError> {
    let told = DiskWrite { path, bytes, over };
    simulated::meet(Written::Before, &told)?;
    let result = write();
    simulated::meet(Written::After, &told)?;
    result
}

#[cfg(not(feature = "simulator"))]
fn watched(_: Writing<'_>, write: impl FnOnce() -> Result<(), DiskError>) -> Result<(), DiskError> {
    write()
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

/// One write.
#[cfg(feature = "simulator")]
#[derive(Clone, Copy, Debug)]
pub struct DiskWrite<'a> {
    /// The file.
    pub path: &'a Path,
    /// What is written.
    pub bytes: &'a [u8],
    /// From this byte of the file on, over what is there; none: the file is made anew, beside it (`.part`) at first.
    pub over: Option<u64>,
}

/// Told of each write.
#[cfg(feature = "simulator")]
pub type DiskWatch = std::rc::Rc<dyn Fn(Written, &DiskWrite<'_>) -> Result<(), DiskError>>;

/// From now on every write of sessions of this thread goes past `watch`, before and after: what it refuses, the disk
/// refuses. `None` ends that.
#[cfg(feature = "simulator")]
pub fn watch_disk(watch: Option<DiskWatch>) {
    simulated::set(watch);
}

#[cfg(feature = "simulator")]
mod simulated {
    use std::cell::RefCell;

    use super::{DiskError, DiskWatch as Watch, DiskWrite, Written};

    thread_local! {
        static WATCH: RefCell<Option<Watch>> = const { RefCell::new(None) };
    }

    pub(super) fn set(watch: Option<Watch>) {
        WATCH.with(|now| *now.borrow_mut() = watch);
    }

    pub(super) fn meet(moment: Written, write: &DiskWrite<'_>) -> Result<(), DiskError> {
        let watch = WATCH.with(|now| now.borrow().clone());
        watch.map_or(Ok(()), |watch| watch(moment, write))
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
