//! The binary: `bank run` serves, `bank check` reconciles.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use bank::{Act, Config, ConfigError, OperatorError, Settings, Signature, StartError};
use zeroize::Zeroizing;

const USAGE: &str = "\
bank run --dir DIR --config FILE [--security ADDRESS] [--transaction ADDRESS]
bank check --dir DIR [--config FILE]
bank revoke --dir DIR --config FILE --terminal NUMBER
bank operator --dir DIR --config FILE --name NAME      adds one, or gives a new password (standard input)
bank remove-operator --dir DIR --config FILE --name NAME
bank open-loads --dir DIR --config FILE                all whose outcome is open, as JSON
bank lost-card --dir DIR --config FILE --reference REFERENCE --name NAME --evidence TEXT
bank decide --dir DIR --config FILE --reference REFERENCE --name NAME --as END --evidence TEXT
bank import-issuer-key --config FILE --label LABEL     16 bytes as hex digits from standard input
bank generate-wrapping-key --config FILE --label LABEL

  --dir DIR              keys, certificates, database and profile.json; made when absent
  --config FILE          see docs/testing.md; check needs it when the files are sealed
  --terminal NUMBER      12 digits; it is refused everywhere from now on, and never comes back
  --name NAME            of the operator, whose password is read from standard input
  --reference REFERENCE  of the load, e.g. TF-7K2M-91QX
  --as END               loaded, refund or write-off: carried out when a second operator says the same
  --evidence TEXT        what you saw, without long numbers
  --label LABEL          of the key in the security module of [hsm]
  --security ADDRESS     of the security server, e.g. 127.0.0.1:8444; port 0 takes a free one
  --transaction ADDRESS  of the transaction server, e.g. 127.0.0.1:8443
  --log LEVEL            error, warn, info or debug; info when not given
";

#[cfg(feature = "development")]
const DEVELOPMENT: &str = "\
  --dev                  an SMS inbox at /dev/sms, and the demo bank when there is no --config
";
#[cfg(not(feature = "development"))]
const DEVELOPMENT: &str = "";

const COMMANDS: [&str; 10] = [
    "operator",
    "remove-operator",
    "open-loads",
    "lost-card",
    "decide",
    "run",
    "check",
    "revoke",
    "import-issuer-key",
    "generate-wrapping-key",
];

struct Arguments {
    command: String,
    dir: PathBuf,
    config: Option<PathBuf>,
    label: String,
    terminal: String,
    name: String,
    reference: String,
    end: String,
    evidence: String,
    #[cfg(feature = "development")]
    dev: bool,
    security: Option<SocketAddr>,
    transaction: Option<SocketAddr>,
    log: log::LevelFilter,
}

fn main() -> ExitCode {
    let arguments = match parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(problem) => return fail(&format!("{problem}\n\n{USAGE}{DEVELOPMENT}"), 2),
    };
    if log::set_logger(&StderrLog).is_ok() {
        log::set_max_level(arguments.log);
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("bank: {error}\n"), 1),
    };
    let done = runtime.block_on(async {
        match arguments.command.as_str() {
            "run" => run(arguments).await,
            "check" => check(arguments).await,
            "revoke" => revoke(arguments).await,
            "operator" | "remove-operator" | "open-loads" | "lost-card" | "decide" => {
                Ok(people(&arguments).await)
            }
            _ => make_key(&arguments),
        }
    });
    match done {
        Ok(code) => code,
        Err(error) => fail(&format!("bank: {error}\n"), 1),
    }
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let command = words.next();
    let command = command.filter(|word| COMMANDS.contains(&word.as_str()));
    let command = command.ok_or("bank: say what to do")?;
    let mut arguments = Arguments {
        command,
        dir: PathBuf::new(),
        config: None,
        label: String::new(),
        terminal: String::new(),
        name: String::new(),
        reference: String::new(),
        end: String::new(),
        evidence: String::new(),
        #[cfg(feature = "development")]
        dev: false,
        security: None,
        transaction: None,
        log: log::LevelFilter::Info,
    };
    while let Some(word) = words.next() {
        #[cfg(feature = "development")]
        if word == "--dev" {
            arguments.dev = true;
            continue;
        }
        let value = words.next().ok_or(format!("bank: {word} needs a value"))?;
        let address = || {
            let parsed = value.parse::<SocketAddr>();
            parsed
                .map(Some)
                .map_err(|_| format!("bank: {word} needs HOST:PORT in digits"))
        };
        match word.as_str() {
            "--dir" => arguments.dir = value.into(),
            "--config" => arguments.config = Some(value.into()),
            "--label" => arguments.label = value,
            "--terminal" => arguments.terminal = value,
            "--name" => arguments.name = value,
            "--reference" => arguments.reference = value,
            "--as" => arguments.end = value,
            "--evidence" => arguments.evidence = value,
            "--security" => arguments.security = address()?,
            "--transaction" => arguments.transaction = address()?,
            "--log" => {
                let level = value
                    .parse()
                    .map_err(|_| "bank: --log knows no such level")?;
                arguments.log = level;
            }
            _ => return Err(format!("bank: {word} is unknown")),
        }
    }
    let makes_key = arguments.command.ends_with("-key");
    if makes_key && arguments.label.is_empty() {
        return Err("bank: --label is missing".to_owned());
    }
    if !makes_key && arguments.dir.as_os_str().is_empty() {
        return Err("bank: --dir is missing".to_owned());
    }
    Ok(arguments)
}

/// The configuration that `--config` names, or the demo bank's.
fn config(arguments: &Arguments) -> Result<Config, StartError> {
    let settings = match &arguments.config {
        Some(file) => Settings::read(file)?,
        #[cfg(feature = "development")]
        None if arguments.dev => Settings::demo()?,
        None => return Err(ConfigError::Missing.into()),
    };
    let mut config = Config::new(&arguments.dir, settings);
    #[cfg(feature = "development")]
    if arguments.dev {
        config = config.with_inbox();
    }
    config.security = arguments.security;
    config.transaction = arguments.transaction;
    Ok(config)
}

async fn revoke(arguments: Arguments) -> Result<ExitCode, StartError> {
    let found = bank::revoke_terminal(config(&arguments)?, &arguments.terminal).await?;
    if found {
        say("revoked\n");
        return Ok(ExitCode::SUCCESS);
    }
    Ok(fail("bank: there is no such terminal\n", 3))
}

/// What operators do, with its exit code: 0 done, 3 refused, 1 when the bank's folder can't be used.
async fn people(arguments: &Arguments) -> ExitCode {
    match operate(arguments).await {
        Ok(said) => {
            say(&said);
            ExitCode::SUCCESS
        }
        Err(error @ OperatorError::Refused { .. }) => fail(&format!("bank: {error}\n"), 3),
        Err(error @ OperatorError::Start(_)) => fail(&format!("bank: {error}\n"), 1),
    }
}

async fn operate(arguments: &Arguments) -> Result<String, OperatorError> {
    let config = config(arguments)?;
    let name = arguments.name.as_str();
    let act = match arguments.command.as_str() {
        "open-loads" => {
            let loads = bank::open_loads(config).await?;
            let json = serde_json::to_string_pretty(&loads).unwrap_or_default();
            return Ok(format!("{json}\n"));
        }
        "operator" => {
            bank::keep_operator(config, name, &password()?).await?;
            return Ok("kept\n".to_owned());
        }
        "remove-operator" => {
            bank::remove_operator(config, name).await?;
            return Ok("removed\n".to_owned());
        }
        "lost-card" => Act::LostCard,
        _ => Act::parse(&arguments.end).map_err(|cause| OperatorError::Refused {
            code: "end-unknown",
            cause: format!("--as needs {cause}"),
        })?,
    };
    let signature = Signature {
        operator: name.to_owned(),
        password: password()?,
        evidence: arguments.evidence.clone(),
    };
    let acted = bank::act(config, &arguments.reference, act, &signature).await?;
    let word = serde_json::to_value(acted).unwrap_or_default();
    Ok(format!("{}\n", word.as_str().unwrap_or_default()))
}

/// The first line of standard input.
fn password() -> Result<Zeroizing<String>, OperatorError> {
    let mut line = Zeroizing::new(String::new());
    let read = std::io::stdin().read_line(&mut line);
    read.map_err(|error| OperatorError::Refused {
        code: "operator-password-short",
        cause: format!("no password on standard input: {error}"),
    })?;
    Ok(Zeroizing::new(
        line.trim_end_matches(['\r', '\n']).to_owned(),
    ))
}

async fn run(arguments: Arguments) -> Result<ExitCode, StartError> {
    let config = config(&arguments)?;
    let stop = stop_signal()?;
    let running = bank::start(config).await?;
    let ready = format!(
        "bank: ready security={} transaction={} profile={}\n",
        running.security_addr,
        running.transaction_addr,
        running.profile_path.display()
    );
    say(&ready);
    stop.await;
    log::info!("stopping");
    running.stop().await;
    Ok(ExitCode::SUCCESS)
}

/// Ready before the bank is, so that no signal is missed in between.
#[cfg(unix)]
fn stop_signal() -> Result<impl Future<Output = ()>, StartError> {
    use tokio::signal::unix::{SignalKind, signal};
    let failed = |error: std::io::Error| StartError::File {
        path: "signals".to_owned(),
        cause: error.to_string(),
    };
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

#[cfg(not(unix))]
fn stop_signal() -> Result<impl Future<Output = ()>, StartError> {
    Ok(async {
        if let Err(error) = tokio::signal::ctrl_c().await {
            log::error!("no signal can be waited for: {error}");
            std::future::pending::<()>().await;
        }
    })
}

async fn check(arguments: Arguments) -> Result<ExitCode, StartError> {
    let settings = arguments.config.as_deref().map(Settings::read);
    let settings = settings.transpose()?;
    let report = bank::check(&arguments.dir, settings.as_ref()).await?;
    let json = serde_json::to_string_pretty(&report).unwrap_or_default();
    say(&format!("{json}\n"));
    Ok(if report.findings.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(3)
    })
}

/// A key in the security module.
fn make_key(arguments: &Arguments) -> Result<ExitCode, StartError> {
    let file = arguments.config.as_deref().ok_or(ConfigError::Missing)?;
    let settings = Settings::read(file)?;
    if arguments.command == "generate-wrapping-key" {
        bank::generate_wrapping_key(&settings, &arguments.label)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut text = zeroize::Zeroizing::new(String::new());
    let read = std::io::stdin().read_to_string(&mut text);
    let mut key = zeroize::Zeroizing::new([0; 16]);
    if read.is_err() || hex::decode_to_slice(text.trim(), key.as_mut_slice()).is_err() {
        let said = "bank: the key is 16 bytes as hex digits on standard input\n";
        return Ok(fail(said, 2));
    }
    bank::import_issuer_key(&settings, &arguments.label, &key)?;
    Ok(ExitCode::SUCCESS)
}

fn fail(text: &str, code: u8) -> ExitCode {
    // Nobody is left to tell when standard error is closed.
    let _closed = std::io::stderr().write_all(text.as_bytes());
    ExitCode::from(code)
}

fn say(text: &str) {
    let mut out = std::io::stdout();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    if let Err(error) = written {
        log::warn!("standard output is closed: {error}");
    }
}

struct StderrLog;

impl log::Log for StderrLog {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        // Libraries log what is theirs to debug; what matters of it comes back as an error.
        metadata.level() <= log::Level::Warn || metadata.target().starts_with("bank")
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            let line = format!(
                "{} {}: {}\n",
                record.level(),
                record.target(),
                record.args()
            );
            let _closed = std::io::stderr().write_all(line.as_bytes());
        }
    }

    fn flush(&self) {}
}
