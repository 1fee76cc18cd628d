//! The bank's directory: keys made at the first start, mode 0600.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::config::Config;
use crate::error::StartError;
use crate::token::Token;

/// A directory that only its owner reads. With a token that has a wrapping key, its secrets are sealed besides.
pub(crate) struct Directory {
    path: PathBuf,
    token: Option<Arc<Token>>,
}

/// Without it there is no bank in a folder.
pub(crate) const STORE_KEY: &str = "store.key";
/// Stands before the hex digits of a sealed file.
const SEALED: &str = "sealed:";

/// Seals the key files of `config.dir` under the token's wrapping key `label`, in place of the one that the
/// configuration still names; how many. A bank that runs has read them, and goes on.
///
/// # Errors
/// [`StartError`] when the token has no such key, or a file opens under neither of the two.
pub fn reseal(config: &Config, label: &str) -> Result<usize, StartError> {
    let missing = || StartError::Hsm {
        what: "[hsm]".to_owned(),
        cause: "missing in the configuration".to_owned(),
    };
    let settings = config.settings.hsm.as_ref().ok_or_else(missing)?;
    let old = Arc::new(Token::open(settings)?);
    let new = Arc::new(old.under(label)?);
    let from = Directory::open(&config.dir, Some(old))?;
    let to = Directory::open(&config.dir, Some(new))?;
    let mut count = 0_usize;
    for name in from.key_files()? {
        if to.take_over(&from, &name)? {
            count = count.saturating_add(1);
        }
    }
    Ok(count)
}

impl Directory {
    pub(crate) fn open(path: &Path, token: Option<Arc<Token>>) -> Result<Self, StartError> {
        fs::create_dir_all(path).map_err(|error| failed(path, &error))?;
        restrict(path, 0o700)?;
        Ok(Self {
            path: path.to_owned(),
            token,
        })
    }

    pub(crate) fn token(&self) -> Option<&Arc<Token>> {
        self.token.as_ref()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// 32 secret bytes, hex in the file; made at the first start.
    pub(crate) fn secret(&self, name: &str) -> Result<Zeroizing<[u8; 32]>, StartError> {
        let text = self.text(name, || {
            let mut bytes = Zeroizing::new([0; 32]);
            getrandom::fill(bytes.as_mut_slice()).map_err(|error| error.to_string())?;
            Ok(Zeroizing::new(hex::encode(*bytes)))
        })?;
        let mut bytes = Zeroizing::new([0; 32]);
        hex::decode_to_slice(text.trim(), bytes.as_mut_slice()).map_err(|_| StartError::File {
            path: self.path(name).display().to_string(),
            cause: "not 32 bytes as hex digits".to_owned(),
        })?;
        Ok(bytes)
    }

    /// A secret text, made by `make` at the first start.
    pub(crate) fn text(
        &self,
        name: &str,
        make: impl FnOnce() -> Result<Zeroizing<String>, String>,
    ) -> Result<Zeroizing<String>, StartError> {
        let path = self.path(name);
        match fs::read_to_string(&path).map(Zeroizing::new) {
            Ok(text) => {
                restrict(&path, 0o600)?;
                match text.strip_prefix(SEALED) {
                    Some(sealed) => self.unsealed(name, sealed),
                    None => {
                        // From before there was a wrapping key.
                        self.write_secret(name, &text)?;
                        Ok(text)
                    }
                }
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let text = make().map_err(|cause| StartError::File {
                    path: path.display().to_string(),
                    cause,
                })?;
                self.write_secret(name, &text)?;
                Ok(text)
            }
            Err(error) => Err(failed(&path, &error)),
        }
    }

    fn unsealed(&self, name: &str, sealed: &str) -> Result<Zeroizing<String>, StartError> {
        let unusable = |cause: &str| StartError::File {
            path: self.path(name).display().to_string(),
            cause: cause.to_owned(),
        };
        let token = self.token.as_ref();
        let token = token.ok_or_else(|| unusable("sealed, and the configuration has no [hsm]"))?;
        let sealed = hex::decode(sealed.trim()).map_err(|_| unusable("damaged"))?;
        let plain = token.open_sealed(&sealed);
        let plain = plain.map_err(|_| unusable("the wrapping key does not open it"))?;
        let text = std::str::from_utf8(&plain).map_err(|_| unusable("damaged"))?;
        Ok(Zeroizing::new(text.to_owned()))
    }

    /// Sealed when there is a wrapping key.
    fn write_secret(&self, name: &str, text: &str) -> Result<(), StartError> {
        let sealed = self
            .token
            .as_ref()
            .and_then(|token| token.seal(text.as_bytes()));
        match sealed {
            None if self.path(name).exists() => Ok(()),
            None => self.write(name, text.as_bytes()),
            Some(Ok(sealed)) => {
                let line = format!("{SEALED}{}", hex::encode(sealed));
                self.write(name, line.as_bytes())
            }
            Some(Err(error)) => Err(StartError::Hsm {
                what: name.to_owned(),
                cause: error.to_string(),
            }),
        }
    }

    /// The names of all secret files.
    fn key_files(&self) -> Result<Vec<String>, StartError> {
        let listed = |error: std::io::Error| failed(&self.path, &error);
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(listed)? {
            let name = entry.map_err(listed)?.file_name();
            let name = name.to_str().filter(|name| name.ends_with(".key"));
            names.extend(name.map(str::to_owned));
        }
        names.sort();
        Ok(names)
    }

    /// Seals a file of `from` anew; false when it is this one's already, by an earlier try that was cut off.
    fn take_over(&self, from: &Self, name: &str) -> Result<bool, StartError> {
        let path = self.path(name);
        let text = fs::read_to_string(&path).map_err(|error| failed(&path, &error))?;
        let text = Zeroizing::new(text);
        let plain = match text.strip_prefix(SEALED) {
            None => text,
            Some(sealed) => match from.unsealed(name, sealed) {
                Ok(plain) => plain,
                Err(error) if self.unsealed(name, sealed).is_err() => return Err(error),
                Err(_taken_over) => return Ok(false),
            },
        };
        self.write_secret(name, &plain)?;
        Ok(true)
    }

    /// A text for everybody, made by `make` at the first start.
    pub(crate) fn public_text(
        &self,
        name: &str,
        make: impl FnOnce() -> Result<Zeroizing<String>, String>,
    ) -> Result<Zeroizing<String>, StartError> {
        let open = Self {
            path: self.path.clone(),
            token: None,
        };
        open.text(name, make)
    }

    /// A file that is there, empty at the first start, mode 0600: what is made beside it gets the same mode.
    pub(crate) fn private(&self, name: &Path) -> Result<PathBuf, StartError> {
        let path = self.path.join(name);
        match create_new(&path) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed(&path, &error)),
        }
        restrict(&path, 0o600)?;
        Ok(path)
    }

    /// Writes a file whole or not at all, mode 0600.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> Result<(), StartError> {
        let (path, fresh) = (self.path(name), self.path(&format!(".{name}.new")));
        let written = create(&fresh).and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        });
        written
            .and_then(|()| fs::rename(&fresh, &path))
            .map_err(|error| failed(&path, &error))
    }
}

#[cfg(unix)]
fn create(path: &Path) -> std::io::Result<fs::File> {
    use std::os::unix::fs::OpenOptionsExt;
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
}

#[cfg(not(unix))]
fn create(path: &Path) -> std::io::Result<fs::File> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)
}

/// A new file, mode 0600; an error when there is one.
pub(crate) fn create_new(path: &Path) -> std::io::Result<fs::File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(unix)]
pub(crate) fn restrict(path: &Path, mode: u32) -> Result<(), StartError> {
    use std::os::unix::fs::PermissionsExt;
    let permissions = fs::Permissions::from_mode(mode);
    fs::set_permissions(path, permissions).map_err(|error| failed(path, &error))
}

#[cfg(not(unix))]
pub(crate) fn restrict(_path: &Path, _mode: u32) -> Result<(), StartError> {
    Ok(())
}

fn failed(path: &Path, error: &std::io::Error) -> StartError {
    StartError::File {
        path: path.display().to_string(),
        cause: error.to_string(),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_is_there_is_kept_and_one_whose_disk_is_away_is_not_begun_anew() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Directory {
            path: dir.path().to_owned(),
            token: None,
        };
        let store = folder.private(Path::new("bank.sqlite")).unwrap();
        std::fs::write(&store, "books").unwrap();
        folder.private(Path::new("bank.sqlite")).unwrap();
        assert_eq!(std::fs::read(&store).unwrap(), b"books");
        let away = dir.path().join("not-mounted").with_extension("sqlite");
        std::os::unix::fs::symlink(&away, dir.path().join("linked.sqlite")).unwrap();
        assert!(folder.private(Path::new("linked.sqlite")).is_err());
        assert!(!away.exists(), "empty books beside the real ones");
    }
}
