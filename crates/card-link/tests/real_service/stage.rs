//! The service's address is an environment variable, which only a new process can be given safely: each test starts
//! itself again with a service of its own.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use card_link::{CardReader, PcscReader, ReaderState, ReaderStatus};
use virtual_card::{Card, CardProfile, Slot, vpcd};
use virtual_reader::VirtualReader;

pub(crate) const CHALLENGE: [u8; 5] = [0x00, 0x84, 0x00, 0x00, 0x04];

const LONGEST_RUN: Duration = Duration::from_secs(60);

/// What the body of a test has around it.
pub(crate) struct Stage {
    port: u16,
    dir: PathBuf,
}

/// Runs the test that calls this in a new process with a service of its own; there, `body` is run.
pub(crate) fn with_service<B, F>(body: B)
where
    B: FnOnce(Stage) -> F,
    F: Future<Output = ()>,
{
    let Ok(port) = std::env::var("TAPFILL_TEST_PORT") else {
        // The closure's type names its test: `real_service::module::test::{{closure}}`.
        let path = std::any::type_name::<B>();
        let (_, test) = path.split_once("::").unwrap();
        return run_outside(test.split("::{{").next().unwrap());
    };
    let stage = Stage {
        port: port.parse().unwrap(),
        dir: std::env::var("TAPFILL_TEST_DIR").unwrap().into(),
    };
    std::fs::write(stage.dir.join("ran"), "").unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(body(stage));
    runtime.shutdown_background();
}

fn run_outside(test: &str) {
    let dir = tempfile::tempdir().unwrap();
    let mut reader = VirtualReader::start(dir.path()).unwrap();
    let mut inner = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env("PCSCLITE_CSOCK_NAME", reader.socket())
        .env("TAPFILL_TEST_PORT", reader.port().to_string())
        .env("TAPFILL_TEST_DIR", dir.path())
        .spawn()
        .unwrap();
    let asked = |what: &str| std::fs::remove_file(dir.path().join(what)).is_ok();
    let started = Instant::now();
    let status = loop {
        if let Some(status) = inner.try_wait().unwrap() {
            break status;
        }
        if asked("stop") {
            reader.stop();
        }
        if asked("restart") {
            reader.restart().unwrap();
        }
        if asked("freeze") {
            reader.freeze().unwrap();
        }
        if asked("thaw") {
            reader.thaw().unwrap();
        }
        if started.elapsed() > LONGEST_RUN {
            inner.kill().unwrap();
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    assert!(status.success(), "the inner run of {test} failed");
    assert!(asked("ran"), "the inner run found no test {test}");
}

impl Stage {
    /// Serves `slot` to the first slot of the reader.
    pub(crate) fn serve(&self, slot: &Slot) {
        self.serve_on(0, slot);
    }

    /// Serves `slot` to the reader's slot 0 or 1.
    pub(crate) fn serve_on(&self, number: u16, slot: &Slot) {
        let address = SocketAddr::from(([127, 0, 0, 1], self.port + number));
        tokio::spawn(vpcd::serve(address, slot.clone()));
    }

    /// Asks the outer run to `stop`, `restart`, `freeze` or `thaw` the service.
    pub(crate) fn ask(&self, what: &str) {
        std::fs::write(self.dir.join(what), "").unwrap();
    }

    /// Asks for it, and waits until it is done.
    pub(crate) async fn done(&self, what: &str) {
        self.ask(what);
        while self.dir.join(what).exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // The file goes before the deed, which is one signal.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

pub(crate) fn card() -> Slot {
    Slot::with_card(Card::new(CardProfile::demo()))
}

pub(crate) async fn until(reader: &PcscReader, what: ReaderState) -> ReaderStatus {
    until_status(reader, |status| status.state == what).await
}

pub(crate) async fn until_status(
    reader: &PcscReader,
    fits: impl Fn(&ReaderStatus) -> bool,
) -> ReaderStatus {
    let mut watch = reader.watch();
    let found = tokio::time::timeout(Duration::from_secs(10), watch.wait_for(fits)).await;
    match found {
        Ok(status) => status.unwrap().clone(),
        Err(_) => panic!("still {:?}", *reader.watch().borrow()),
    }
}

/// How often the card got a command with this instruction.
pub(crate) fn received(slot: &Slot, instruction: u8) -> usize {
    let record = slot.record();
    let of_it = |command: &[u8]| command.get(1) == Some(&instruction);
    record.iter().filter(|r| of_it(&r.command)).count()
}
