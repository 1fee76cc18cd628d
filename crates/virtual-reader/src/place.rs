//! A pair of ports and a short folder for the socket, held against every other start on this machine.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::net::TcpListener;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::StartError;

/// Below the ports that systems give to outgoing connections, so that none of those takes one meanwhile.
const FIRST_PORT: u16 = 20_000;
const PAIRS: u16 = 6_000;

/// Socket paths end at 107 bytes; `/tapfill-reader-65535/pcscd.comm` needs 32 of them.
const LONGEST_PARENT: usize = 75;

/// Two ports beside each other and a folder of this user alone. Goes with this value.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) port: u16,
    folder: PathBuf,
    /// Ends with the process, however that ends.
    _lock: File,
}

impl Place {
    /// Any free pair.
    pub(crate) fn any() -> Result<Self, StartError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let seed = now.map_or(0, |now| now.subsec_nanos()) ^ std::process::id().rotate_left(16);
        let first = u16::try_from(seed % u32::from(PAIRS)).unwrap_or_default();
        (first..PAIRS)
            .chain(0..first)
            .map(|pair| FIRST_PORT + 2 * pair)
            .find_map(|port| Self::at(port).ok())
            .ok_or(StartError::Ports)
    }

    /// The pair that begins at `port`.
    pub(crate) fn at(port: u16) -> Result<Self, StartError> {
        let folder = parent().join(format!("tapfill-reader-{port}"));
        let lock = hold(&folder).map_err(|_| StartError::PortTaken(port))?;
        let place = Self {
            port,
            folder,
            _lock: lock,
        };
        // The driver binds every address.
        let free = |port: u16| TcpListener::bind(("0.0.0.0", port)).is_ok();
        if port.checked_add(1).is_some_and(free) && free(port) {
            Ok(place)
        } else {
            Err(StartError::PortTaken(port))
        }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.join("pcscd.comm")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn parent() -> PathBuf {
    let usual = std::env::temp_dir();
    if usual.as_os_str().len() <= LONGEST_PARENT {
        usual
    } else {
        PathBuf::from("/tmp")
    }
}

/// A folder left by a process that died is taken over.
fn hold(folder: &Path) -> io::Result<File> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    let path = folder.join("lock");
    let lock = File::create(&path)?;
    lock.try_lock()?;
    // Between opening and locking the holder before may have removed it.
    if fs::metadata(&path)?.ino() == lock.metadata()?.ino() {
        Ok(lock)
    } else {
        Err(io::ErrorKind::ResourceBusy.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_starts_never_share_a_pair_of_ports() {
        let first = Place::any().unwrap();
        let second = Place::any().unwrap();
        assert_ne!(first.port, second.port);
        assert!(matches!(
            Place::at(first.port),
            Err(StartError::PortTaken(port)) if port == first.port
        ));
        assert!(first.folder.exists(), "a failed start takes nothing away");
    }

    #[test]
    fn the_socket_path_fits_and_goes_with_the_place() {
        let place = Place::any().unwrap();
        let socket = place.socket();
        assert!(socket.as_os_str().len() < 108);
        drop(place);
        assert!(!socket.parent().unwrap().exists());
    }
}
