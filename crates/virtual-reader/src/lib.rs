//! A private PC/SC service with a virtual reader, for tests and the demo.
//!
//! It starts Debian's `pcscd` with the `vpcd` driver on a socket of its own, beside any service of the system: a
//! program talks to it by `PCSCLITE_CSOCK_NAME`, a virtual card connects to [`VirtualReader::port`]. The reader
//! has two slots, on that port and the next.
#![cfg(unix)]

mod place;

use std::fs;
use std::io;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use command_fds::{CommandFdExt, FdMapping};

use rustix::process::{Pid, Signal, kill_process};

use place::Place;

/// Why the service did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// `pcscd` or the driver is not installed.
    #[error("not installed: {0} (Debian packages pcscd and vsmartcard-vpcd)")]
    Missing(&'static str),
    /// `/run/pcscd` can't be made: it takes root once.
    #[error("/run/pcscd is missing and can't be made: run `sudo mkdir /run/pcscd`")]
    RunFolder,
    /// No two free ports beside each other.
    #[error("no free pair of ports")]
    Ports,
    /// The port asked for, or the next one, is in use.
    #[error("port {0} or the one after it is in use")]
    PortTaken(u16),
    /// The service ended, or does not listen.
    #[error("pcscd did not start; see {0}")]
    Silent(PathBuf),
    /// Files or processes.
    #[error("the virtual reader can't start: {0}")]
    Io(#[from] io::Error),
}

/// A running service. Ends with this value.
#[derive(Debug)]
pub struct VirtualReader {
    service: Child,
    socket: PathBuf,
    conf: PathBuf,
    log: PathBuf,
    place: Place,
}

const DRIVERS: &str = "/usr/lib/pcsc/drivers/serial";

impl VirtualReader {
    /// Starts on two free ports. `dir` takes its configuration and its log, and may be long; the socket lies elsewhere.
    pub fn start(dir: &Path) -> Result<Self, StartError> {
        Self::start_at(dir, Place::any()?)
    }

    /// Starts with the slots on `port` and `port + 1`.
    pub fn start_on(dir: &Path, port: u16) -> Result<Self, StartError> {
        Self::start_at(dir, Place::at(port)?)
    }

    fn start_at(dir: &Path, place: Place) -> Result<Self, StartError> {
        let conf = dir.join("reader.conf.d");
        fs::create_dir_all(&conf)?;
        let port = place.port;
        let driver = driver()?;
        let text = format!(
            "FRIENDLYNAME \"Tapfill Virtual Reader\"\nDEVICENAME /dev/null:{port:#06X}\nLIBPATH {}\nCHANNELID {port:#06X}\n",
            driver.display()
        );
        fs::write(conf.join("vpcd"), text)?;
        if !Path::new("/run/pcscd").is_dir() {
            fs::create_dir_all("/run/pcscd").map_err(|_| StartError::RunFolder)?;
        }
        let socket = place.socket();
        let log = dir.join("pcscd.log");
        let service = launch(&socket, &conf, &log)?;
        let mut reader = Self {
            service,
            socket,
            conf,
            log,
            place,
        };
        reader.wait()?;
        Ok(reader)
    }

    /// The value for `PCSCLITE_CSOCK_NAME`.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Where a virtual card for the first slot connects; the second slot has the next port.
    pub fn port(&self) -> u16 {
        self.place.port
    }

    /// Ends the service, as if somebody stopped it. [`Self::restart`] brings it back on the same socket.
    pub fn stop(&mut self) {
        let _ = self.service.kill();
        let _ = self.service.wait();
        let _ = fs::remove_file(&self.socket);
    }

    /// Starts the service again, after [`Self::stop`] or instead of the one that runs.
    pub fn restart(&mut self) -> Result<(), StartError> {
        self.stop();
        self.service = launch(&self.socket, &self.conf, &self.log)?;
        self.wait()
    }

    /// The service runs and answers nobody, until [`Self::thaw`], [`Self::restart`] or [`Self::stop`].
    pub fn freeze(&self) -> Result<(), StartError> {
        self.signal(Signal::STOP)
    }

    /// The service answers again, first what it was asked meanwhile.
    pub fn thaw(&self) -> Result<(), StartError> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> Result<(), StartError> {
        kill_process(Pid::from_child(&self.service), signal).map_err(io::Error::from)?;
        Ok(())
    }

    /// The service goes on without any reader, as if the cable was pulled.
    pub fn unplug(&mut self) -> Result<(), StartError> {
        self.stop();
        fs::rename(self.conf.join("vpcd"), self.unplugged())?;
        self.service = launch(&self.socket, &self.conf, &self.log)?;
        let deadline = Instant::now() + Duration::from_secs(10);
        while Instant::now() < deadline && self.service.try_wait()?.is_none() {
            if UnixStream::connect(&self.socket).is_ok() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Err(StartError::Silent(self.log.clone()))
    }

    /// The reader is back, after [`Self::unplug`].
    pub fn plug(&mut self) -> Result<(), StartError> {
        self.stop();
        fs::rename(self.unplugged(), self.conf.join("vpcd"))?;
        self.restart()
    }

    fn unplugged(&self) -> PathBuf {
        self.conf.with_extension("unplugged")
    }

    /// The driver listens for cards a moment after the service listens for programs.
    fn wait(&mut self) -> Result<(), StartError> {
        let deadline = Instant::now() + Duration::from_secs(10);
        while Instant::now() < deadline && self.service.try_wait()?.is_none() {
            let listens = TcpListener::bind(("127.0.0.1", self.place.port)).is_err();
            if listens && UnixStream::connect(&self.socket).is_ok() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Err(StartError::Silent(self.log.clone()))
    }
}

impl Drop for VirtualReader {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The service takes its socket ready-made on descriptor 3, as from systemd; `LISTEN_PID` must be its own pid, which
/// the shell knows and keeps over `exec`.
fn launch(socket: &Path, conf: &Path, log: &Path) -> Result<Child, StartError> {
    let program = ["/usr/sbin/pcscd", "/usr/bin/pcscd"]
        .into_iter()
        .find(|p| Path::new(p).exists());
    let program = program.ok_or(StartError::Missing("pcscd"))?;
    // One may be left by a process that died; the place is held, so it is nobody's now.
    let _ = fs::remove_file(socket);
    let listener: OwnedFd = UnixListener::bind(socket)?.into();
    let output = fs::OpenOptions::new().create(true).append(true).open(log)?;
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", "LISTEN_FDS=1 LISTEN_PID=$$ exec \"$0\" -f -c \"$1\""])
        .arg(program)
        .arg(conf)
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output);
    let on_three = FdMapping {
        parent_fd: listener,
        child_fd: 3,
    };
    command
        .fd_mappings(vec![on_three])
        .map_err(|_| io::Error::other("descriptor 3 is taken"))?;
    Ok(command.spawn()?)
}

fn driver() -> Result<PathBuf, StartError> {
    let entries = fs::read_dir(DRIVERS).map_err(|_| StartError::Missing("vsmartcard-vpcd"))?;
    entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .find(|path| path.to_string_lossy().contains("libifdvpcd.so"))
        .ok_or(StartError::Missing("vsmartcard-vpcd"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_service_starts_on_a_socket_of_its_own_and_leaves_nothing_behind() {
        let top = std::env::temp_dir().join(format!("tapfill-vr-test-{}", std::process::id()));
        let dir = top.join("a-folder-with-a-name-of-forty-characters".repeat(4));
        let mut reader = VirtualReader::start(&dir).unwrap();
        let socket = reader.socket().to_owned();
        assert!(UnixStream::connect(&socket).is_ok(), "though `dir` is long");
        reader.stop();
        assert!(
            UnixStream::connect(&socket).is_err(),
            "a stopped service answers nobody"
        );
        reader.restart().unwrap();
        assert!(
            UnixStream::connect(&socket).is_ok(),
            "on the same socket again"
        );
        drop(reader);
        assert!(!socket.exists());
        fs::remove_dir_all(top).unwrap();
    }
}
