use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::Outcome;
use crate::process::Background;

const START: Duration = Duration::from_secs(15);
const BUS_VARIABLE: &str = "DBUS_SESSION_BUS_ADDRESS";

/// No service is started on demand on this bus: what runs there was started by us and is stopped by us.
const BUS_CONFIGURATION: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path=SOCKET</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"#;

/// What a test wants from the keystore.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Keyring {
    Unlocked,
    /// A bus without a keystore on it.
    Absent,
}

/// A private message bus with a throw-away keystore on it, as a desktop session has.
pub(crate) struct Session {
    // Dropped in this order: the keystore before its bus.
    _keyring: Option<Background>,
    _bus: Background,
    address: String,
}

impl Session {
    /// `dir` keeps the keystore's file and the logs, `runtime` (short, private) the sockets.
    pub(crate) fn start(dir: &Path, runtime: &Path, keyring: Keyring) -> Outcome<Self> {
        let home = dir.join("home");
        fs::create_dir_all(&home).map_err(|e| format!("{}: {e}", home.display()))?;
        let socket = runtime.join("bus");
        let configuration = runtime.join("bus.conf");
        let text = BUS_CONFIGURATION.replace("SOCKET", &socket.display().to_string());
        fs::write(&configuration, text).map_err(|e| format!("{}: {e}", configuration.display()))?;
        let mut command = Command::new("dbus-daemon");
        command
            .args(["--nofork", "--nopidfile", "--config-file"])
            .arg(&configuration)
            .stdin(Stdio::null());
        let mut bus = Background::start("dbus-daemon", &mut command, dir)?;
        bus.until(START, || socket.exists().then_some(()))?;
        let address = format!("unix:path={}", socket.display());
        let keyring = match keyring {
            Keyring::Unlocked => Some(start_keyring(dir, &home, runtime, &address)?),
            Keyring::Absent => None,
        };
        Ok(Self {
            _keyring: keyring,
            _bus: bus,
            address,
        })
    }

    /// The way to the bus, for the environment of programs that use it.
    pub(crate) fn environment(&self) -> (&'static str, String) {
        (BUS_VARIABLE, self.address.clone())
    }
}

fn start_keyring(dir: &Path, home: &Path, runtime: &Path, address: &str) -> Outcome<Background> {
    let mut command = Command::new("gnome-keyring-daemon");
    command.args(["--foreground", "--unlock", "--components=secrets"]);
    command
        .env("HOME", home)
        .env("XDG_RUNTIME_DIR", runtime)
        .env(BUS_VARIABLE, address);
    command
        .env_remove("DISPLAY")
        .env_remove("XDG_DATA_HOME")
        .stdin(Stdio::piped());
    let mut keyring = Background::start("gnome-keyring-daemon", &mut command, dir)?;
    if let Some(mut input) = keyring.stdin() {
        input
            .write_all(b"throw-away\n")
            .map_err(|e| format!("the keystore: {e}"))?;
    }
    keyring.until(START, || has_default_collection(address).then_some(()))?;
    Ok(keyring)
}

fn has_default_collection(address: &str) -> bool {
    Command::new("dbus-send")
        .args([
            "--session",
            "--print-reply=literal",
            "--dest=org.freedesktop.secrets",
        ])
        .args([
            "/org/freedesktop/secrets",
            "org.freedesktop.Secret.Service.ReadAlias",
        ])
        .arg("string:default")
        .env(BUS_VARIABLE, address)
        .stderr(Stdio::null())
        .output()
        .is_ok_and(|answer| String::from_utf8_lossy(&answer.stdout).contains("/collection/"))
}

/// A folder for sockets: short, because socket paths are, and closed to others. Removed when dropped.
pub(crate) struct SocketDir(PathBuf);

impl SocketDir {
    pub(crate) fn create() -> Outcome<Self> {
        for attempt in 0..100 {
            let name = format!("tapfill-{}-{attempt}", std::process::id());
            let path = std::env::temp_dir().join(name);
            let mut builder = fs::DirBuilder::new();
            #[cfg(unix)]
            std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
            match builder.create(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(format!("{}: {e}", path.display())),
            }
        }
        Err("no free name for a folder of sockets".into())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for SocketDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
