//! The parts around the app: reader, card, bank, keystore. The demo and the window's tests use the same ones.
//!
//! They live in a process of their own, in a process group of its own, that stops them when its standard input
//! closes. So nothing stays behind however its owner ends: by itself, by Ctrl-C or by a crash.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use crate::process::Background;
use crate::session::Keyring;
use crate::surroundings::Surroundings;
use crate::{Options, Outcome, build};

const START: Duration = Duration::from_secs(30);
const READY: &str = "ready";

/// `cargo xtask rig`: starts the parts, prints their environment (`NAME=value` lines, then `ready`), obeys lines of
/// standard input (`bank stop`, `bank kill`, `bank start`, `reader stop`, `reader start`, `reader freeze`, `reader thaw`,
/// `reader unplug`, `reader plug`), and stops all when it closes.
pub(crate) fn serve(options: &Options) -> Outcome<()> {
    let mut rig = Rig::start(Plan::from(options)?)?;
    let mut out = io::stdout().lock();
    let mut say = |text: &str| {
        writeln!(out, "{text}")
            .and_then(|()| out.flush())
            .map_err(|e| e.to_string())
    };
    for (name, value) in rig.environment() {
        say(&format!("{name}={value}"))?;
    }
    say(READY)?;
    for line in io::stdin().lock().lines() {
        let Ok(line) = line else { break };
        match rig.obey(line.trim()) {
            Ok(()) => say("ok")?,
            Err(why) => say(&format!("error {}", why.replace('\n', " ")))?,
        }
    }
    Ok(())
}

struct Plan {
    dir: PathBuf,
    /// `demo`, `demo-inactive` or a file; none for a card that somebody else brings.
    card: Option<String>,
    /// The card is not on the reader yet.
    empty: bool,
    keyring: Keyring,
    reader_port: Option<u16>,
    bank_config: Option<PathBuf>,
    /// For systems without the virtual reader: the card is in the app itself.
    bank_only: bool,
}

impl Plan {
    fn from(options: &Options) -> Outcome<Self> {
        let reader_port = options.port("--external-card")?;
        let bank_only = options.has("--bank-only");
        let no_card = options.has("--no-card") || reader_port.is_some() || bank_only;
        let dir = options.value("--dir").ok_or("rig needs --dir")?;
        fs::create_dir_all(dir).map_err(|e| format!("{dir}: {e}"))?;
        Ok(Self {
            dir: fs::canonicalize(dir).map_err(|e| format!("{dir}: {e}"))?,
            card: (!no_card).then(|| options.value("--card").unwrap_or("demo").to_owned()),
            empty: options.has("--empty"),
            keyring: match options.value("--keyring") {
                None | Some("unlocked") => Keyring::Unlocked,
                Some("absent") => Keyring::Absent,
                Some(other) => return Err(format!("--keyring {other}: unlocked or absent")),
            },
            reader_port,
            bank_config: options.value("--bank-config").map(PathBuf::from),
            bank_only,
        })
    }
}

struct Rig {
    // Dropped in this order.
    bank: Option<Background>,
    card: Option<(Background, String)>,
    surroundings: Option<Surroundings>,
    bank_addresses: Option<Addresses>,
    plan: Plan,
}

struct Addresses {
    security: String,
    transaction: String,
}

impl Rig {
    fn start(plan: Plan) -> Outcome<Self> {
        let surroundings = (!plan.bank_only)
            .then(|| Surroundings::start(&plan.dir, plan.keyring, plan.reader_port))
            .transpose()?;
        let mut rig = Self {
            bank: None,
            card: None,
            surroundings,
            bank_addresses: None,
            plan,
        };
        rig.start_bank()?;
        rig.start_card()?;
        Ok(rig)
    }

    fn start_card(&mut self) -> Outcome<()> {
        let (Some(card), Some(around)) = (&self.plan.card, &self.surroundings) else {
            return Ok(());
        };
        let mut command = Command::new(build::binary("virtual-card"));
        command.args(["--vpcd", &format!("127.0.0.1:{}", around.reader_port())]);
        command.args(["--control", "127.0.0.1:0", "--card", card]);
        command.arg("--state").arg(self.plan.dir.join("card.json"));
        command
            .args(self.plan.empty.then_some("--empty"))
            .stdin(Stdio::null());
        let _ = fs::remove_file(self.plan.dir.join("virtual-card.log"));
        let mut process = Background::start("virtual-card", &mut command, &self.plan.dir)?;
        let said = process.until_written(START, "virtual-card: ready")?;
        let control = said
            .lines()
            .find_map(|line| line.strip_prefix("virtual-card: control "));
        let control = control
            .ok_or("the virtual card has no control port")?
            .to_owned();
        self.card = Some((process, control));
        Ok(())
    }

    fn start_bank(&mut self) -> Outcome<()> {
        let dir = self.plan.dir.join("bank");
        let profile = dir.join("profile.json");
        // An app that is running, or was enrolled by an earlier demo, knows the bank by these addresses.
        let known = Addresses::read(&profile).unwrap_or_else(Addresses::any);
        let mut command = Command::new(build::binary("bank"));
        command.args(["run", "--dev", "--dir"]).arg(&dir);
        command.args([
            "--security",
            &known.security,
            "--transaction",
            &known.transaction,
        ]);
        if let Some(config) = &self.plan.bank_config {
            command.arg("--config").arg(config);
        }
        command.stdin(Stdio::null());
        let mut bank = Background::start("bank", &mut command, &self.plan.dir)?;
        let addresses = bank.until(START, || {
            Addresses::read(&profile).filter(Addresses::answer)
        })?;
        self.bank_addresses = Some(addresses);
        self.bank = Some(bank);
        Ok(())
    }

    fn obey(&mut self, command: &str) -> Outcome<()> {
        match (command, &mut self.surroundings) {
            ("bank stop", _) => self.bank = None,
            ("bank kill", _) => self.bank.take().into_iter().for_each(Background::kill),
            ("bank start", _) if self.bank.is_none() => self.start_bank()?,
            ("reader stop", Some(around)) => around.stop_reader(),
            ("reader start", Some(around)) => around.start_reader()?,
            ("reader freeze", Some(around)) => around.freeze_reader()?,
            ("reader thaw", Some(around)) => around.thaw_reader()?,
            ("reader unplug", Some(around)) => around.unplug_reader()?,
            ("reader plug", Some(around)) => around.plug_reader()?,
            (other, _) => return Err(format!("unknown, or not now: {other}")),
        }
        Ok(())
    }

    fn environment(&self) -> Vec<(&'static str, String)> {
        let shown = |path: &Path| path.display().to_string();
        let dir = &self.plan.dir;
        let mut environment = vec![
            ("TAPFILL_DIR", shown(&dir.join("app"))),
            ("TAPFILL_PROFILE", shown(&dir.join("bank/profile.json"))),
        ];
        if let Some(around) = &self.surroundings {
            environment.extend(around.environment());
            environment.push(("RIG_HOME", shown(&dir.join("home"))));
        }
        if let Some((_, control)) = &self.card {
            environment.push(("TAPFILL_CARD_CONTROL", control.clone()));
        }
        if let Some(at) = &self.bank_addresses {
            environment.push((
                "TAPFILL_INBOX",
                format!("https://{}/dev/sms.json", at.security),
            ));
        }
        environment
    }
}

impl Addresses {
    fn any() -> Self {
        let free = || "127.0.0.1:0".to_owned();
        Self {
            security: free(),
            transaction: free(),
        }
    }

    fn answer(&self) -> bool {
        [&self.security, &self.transaction]
            .iter()
            .all(|at| TcpStream::connect(at).is_ok())
    }

    /// The two addresses in a profile that is written completely.
    fn read(profile: &Path) -> Option<Self> {
        let text = fs::read_to_string(profile).ok()?;
        let is_whole = text.trim_end().ends_with('}');
        let address = |name: &str| {
            let rest = text.split_once(&format!("\"{name}\""))?.1;
            let url = rest.split('"').nth(1)?;
            Some(
                url.strip_prefix("https://")?
                    .trim_end_matches('/')
                    .to_owned(),
            )
        };
        let addresses = Self {
            security: address("security_url")?,
            transaction: address("transaction_url")?,
        };
        is_whole.then_some(addresses)
    }
}

/// The rig in its own process, as the demo holds it.
pub(crate) struct RigProcess {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    environment: Vec<(String, String)>,
}

impl RigProcess {
    pub(crate) fn start(arguments: &[String]) -> Outcome<Self> {
        let program = std::env::current_exe().map_err(|e| format!("this program: {e}"))?;
        let mut command = Command::new(program);
        command
            .arg("rig")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn().map_err(|e| format!("the rig: {e}"))?;
        let input = child.stdin.take();
        let output = child.stdout.take().ok_or("the rig has no output")?;
        let mut rig = Self {
            child,
            input,
            output: BufReader::new(output),
            environment: Vec::new(),
        };
        rig.read_environment()?;
        Ok(rig)
    }

    fn read_environment(&mut self) -> Outcome<()> {
        loop {
            let mut line = String::new();
            let read = self
                .output
                .read_line(&mut line)
                .map_err(|e| format!("the rig: {e}"))?;
            match line.trim_end() {
                READY => return Ok(()),
                _ if read == 0 => return Err("the parts around the app did not start".into()),
                line => self.environment.extend(
                    line.split_once('=')
                        .map(|(name, value)| (name.to_owned(), value.to_owned())),
                ),
            }
        }
    }

    /// Gives one line to the rig and waits until it is done.
    pub(crate) fn order(&mut self, line: &str) -> Outcome<()> {
        let input = self.input.as_mut().ok_or("the rig has no input")?;
        writeln!(input, "{line}").map_err(|e| format!("the rig: {e}"))?;
        let mut answer = String::new();
        let read = self.output.read_line(&mut answer);
        read.map_err(|e| format!("the rig: {e}"))?;
        match answer.trim_end() {
            "ok" => Ok(()),
            other => Err(format!("{line}: {other}")),
        }
    }

    pub(crate) fn environment(&self) -> impl Iterator<Item = (&str, &str)> {
        self.environment
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.environment()
            .find(|(given, _)| *given == name)
            .map(|(_, value)| value)
    }
}

impl Drop for RigProcess {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_addresses_come_from_a_whole_profile_only() {
        let file = std::env::temp_dir().join(format!("xtask-profile-{}", std::process::id()));
        let text = r#"{"name": "Demo Bank", "security_url": "https://127.0.0.1:8444",
            "transaction_url":"https://127.0.0.1:8443", "lowest_suite": 3}"#;
        fs::write(&file, &text[..text.len() - 4]).expect("a temporary file");
        assert!(
            Addresses::read(&file).is_none(),
            "the bank is still writing it"
        );
        fs::write(&file, text).expect("a temporary file");
        let addresses = Addresses::read(&file).expect("now it is whole");
        assert_eq!(addresses.security, "127.0.0.1:8444");
        assert_eq!(addresses.transaction, "127.0.0.1:8443");
        fs::remove_file(&file).expect("the file is ours");
    }
}
