//! What a desktop gives the app: a PC/SC service with a reader, a message bus, a keystore. All private.

#[cfg(unix)]
pub(crate) use unix::Surroundings;

#[cfg(unix)]
mod unix {
    use std::path::Path;

    use virtual_reader::VirtualReader;

    use crate::Outcome;
    use crate::session::{Keyring, Session, SocketDir};

    pub(crate) struct Surroundings {
        // Dropped in this order.
        reader: VirtualReader,
        session: Session,
        sockets: SocketDir,
    }

    impl Surroundings {
        pub(crate) fn start(dir: &Path, keyring: Keyring, port: Option<u16>) -> Outcome<Self> {
            let sockets = SocketDir::create()?;
            let session = Session::start(dir, sockets.path(), keyring)?;
            let reader = match port {
                Some(port) => VirtualReader::start_on(dir, port),
                None => VirtualReader::start(dir),
            };
            let reader = reader.map_err(|e| format!("the virtual reader: {e}"))?;
            Ok(Self {
                reader,
                session,
                sockets,
            })
        }

        pub(crate) fn reader_port(&self) -> u16 {
            self.reader.port()
        }

        pub(crate) fn stop_reader(&mut self) {
            self.reader.stop();
        }

        pub(crate) fn start_reader(&mut self) -> Outcome<()> {
            self.reader
                .restart()
                .map_err(|e| format!("the virtual reader: {e}"))
        }

        pub(crate) fn freeze_reader(&mut self) -> Outcome<()> {
            let done = self.reader.freeze();
            done.map_err(|e| format!("the virtual reader: {e}"))
        }

        pub(crate) fn thaw_reader(&mut self) -> Outcome<()> {
            let done = self.reader.thaw();
            done.map_err(|e| format!("the virtual reader: {e}"))
        }

        pub(crate) fn unplug_reader(&mut self) -> Outcome<()> {
            let done = self.reader.unplug();
            done.map_err(|e| format!("the virtual reader: {e}"))
        }

        pub(crate) fn plug_reader(&mut self) -> Outcome<()> {
            let done = self.reader.plug();
            done.map_err(|e| format!("the virtual reader: {e}"))
        }

        pub(crate) fn environment(&self) -> [(&'static str, String); 4] {
            [
                (
                    "PCSCLITE_CSOCK_NAME",
                    self.reader.socket().display().to_string(),
                ),
                ("RIG_READER_PORT", self.reader.port().to_string()),
                ("RIG_RUNTIME_DIR", self.sockets.path().display().to_string()),
                self.session.environment(),
            ]
        }
    }
}

/// Elsewhere there is none: the demo puts the card into the app and uses the system's own keystore.
#[cfg(not(unix))]
pub(crate) enum Surroundings {}

#[cfg(not(unix))]
impl Surroundings {
    pub(crate) fn start(
        _: &std::path::Path,
        _: crate::session::Keyring,
        _: Option<u16>,
    ) -> crate::Outcome<Self> {
        Err("the virtual PC/SC reader is for Linux only".into())
    }

    pub(crate) fn reader_port(&self) -> u16 {
        match *self {}
    }

    pub(crate) fn stop_reader(&mut self) {
        match *self {}
    }

    pub(crate) fn start_reader(&mut self) -> crate::Outcome<()> {
        match *self {}
    }

    pub(crate) fn freeze_reader(&mut self) -> crate::Outcome<()> {
        match *self {}
    }

    pub(crate) fn thaw_reader(&mut self) -> crate::Outcome<()> {
        match *self {}
    }

    pub(crate) fn unplug_reader(&mut self) -> crate::Outcome<()> {
        match *self {}
    }

    pub(crate) fn plug_reader(&mut self) -> crate::Outcome<()> {
        match *self {}
    }

    pub(crate) fn environment(&self) -> [(&'static str, String); 4] {
        match *self {}
    }
}
