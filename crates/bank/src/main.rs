//! The binary: `bank run` serves, `bank check` reconciles.

mod lines;
mod reports;

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use bank::{
    Act, Anchor, Config, ConfigError, Day, OperatorError, Role, Settings, Signature, StartError,
};
use zeroize::Zeroizing;

use crate::lines::{Form, StderrLog};

const USAGE: &str = "\
bank run --dir DIR --config FILE [--security ADDRESS] [--transaction ADDRESS]
bank check --dir DIR [--config FILE]
bank audit verify --dir DIR [--config FILE] [--anchor ANCHOR]
bank reconcile --dir DIR [--config FILE] --day DAY [--out FILE]
bank revoke --dir DIR --config FILE --terminal NUMBER
bank backup --dir DIR --config FILE --file BACKUP      all rows at one moment, of a bank that runs or rests
bank restore --dir DIR --config FILE --file BACKUP     into an empty store, with the same keys in DIR; then checks
bank operator --dir DIR --config FILE --name NAME [--role ROLE]
                                                       adds one, or gives a new password (standard input)
bank remove-operator --dir DIR --config FILE --name NAME
bank open-loads --dir DIR --config FILE                all whose outcome is open, as JSON
bank lost-card --dir DIR --config FILE --reference REFERENCE --name NAME --evidence TEXT
bank decide --dir DIR --config FILE --reference REFERENCE --name NAME --as END --evidence TEXT
bank queue list --dir DIR --config FILE                the newest 1,000 of institutions' queues, as JSON
bank queue show --dir DIR --config FILE --queue QUEUE
bank queue close --dir DIR --config FILE --queue QUEUE --name NAME --evidence TEXT
bank import-issuer-key --config FILE --label LABEL     16 bytes as hex digits from standard input
bank generate-wrapping-key --config FILE --label LABEL
bank reseal --dir DIR --config FILE --label LABEL      the key files of DIR, under another wrapping key of the token

  --dir DIR              keys, certificates, database and profile.json; made when absent
  --config FILE          see docs/testing.md; check, audit and reconcile need it when the files are sealed or `bank.store` is set
  --file BACKUP          written new, readable by its owner alone; it holds no keys
  --terminal NUMBER      12 digits; it is refused everywhere from now on, and never comes back
  --name NAME            of the operator, whose password is read from standard input
  --role ROLE            viewer (may look at the console) or operator (decides as well); a new one is an operator
  --reference REFERENCE  of the load, e.g. TF-7K2M-91QX
  --queue QUEUE          32 digits
  --as END               loaded, refund or write-off: carried out when a second operator says the same
  --evidence TEXT        what you saw, without long numbers
  --label LABEL          of the key in the security module of [hsm]
  --security ADDRESS     of the security server, e.g. 127.0.0.1:8444; port 0 takes a free one
  --transaction ADDRESS  of the transaction server, e.g. 127.0.0.1:8443
  --metrics ADDRESS      of metrics and health, on the loopback interface; none when neither this nor the file gives one
  --console ADDRESS      of the operators' page, on the loopback interface; none when neither this nor the file gives one
  --anchor ANCHOR        `anchor` of an earlier `audit verify`: those rows must still be there
  --day DAY              of the bank (UTC+8), as 2026-11-23
  --out FILE             where the day's file goes; standard output when not given
  --log LEVEL            error, warn, info or debug; info when not given
  --log-form FORM        text or json; text when not given
";

#[cfg(feature = "development")]
const DEVELOPMENT: &str = "\
  --dev                  an SMS inbox at /dev/sms, and the demo bank when there is no --config
";
#[cfg(not(feature = "development"))]
const DEVELOPMENT: &str = "";

const COMMANDS: [&str; 16] = [
    "audit",
    "reconcile",
    "backup",
    "restore",
    "operator",
    "remove-operator",
    "open-loads",
    "lost-card",
    "decide",
    "queue",
    "run",
    "check",
    "revoke",
    "import-issuer-key",
    "generate-wrapping-key",
    "reseal",
];

/// The exit code by which whoever starts the program knows that it must not start it again.
const PIN_REFUSED: u8 = 4;

const QUEUE_WORDS: [&str; 3] = ["list", "show", "close"];

struct Arguments {
    command: String,
    dir: PathBuf,
    config: Option<PathBuf>,
    file: PathBuf,
    label: String,
    terminal: String,
    name: String,
    reference: String,
    queue: String,
    /// Of `queue`: what to do with it.
    word: String,
    end: String,
    evidence: String,
    #[cfg(feature = "development")]
    dev: bool,
    security: Option<SocketAddr>,
    transaction: Option<SocketAddr>,
    metrics: Option<SocketAddr>,
    console: Option<SocketAddr>,
    role: Option<Role>,
    anchor: Option<Anchor>,
    day: Option<Day>,
    out: Option<PathBuf>,
    log: log::LevelFilter,
    log_form: Form,
}

fn main() -> ExitCode {
    let arguments = match parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(problem) => return fail(&format!("{problem}\n\n{USAGE}{DEVELOPMENT}"), 2),
    };
    if log::set_logger(Box::leak(Box::new(StderrLog(arguments.log_form)))).is_ok() {
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
            "check" => reports::check(&arguments).await,
            "audit" => reports::audit(&arguments).await,
            "reconcile" => reports::reconcile(&arguments).await,
            "backup" => reports::backup(config(&arguments)?, &arguments.file).await,
            "restore" => reports::restore(config(&arguments)?, &arguments.file).await,
            "revoke" => revoke(arguments).await,
            "reseal" => reseal(&arguments),
            "operator" | "remove-operator" | "open-loads" | "lost-card" | "decide" | "queue" => {
                Ok(people(&arguments).await)
            }
            _ => make_key(&arguments),
        }
    });
    match done {
        Ok(code) => code,
        Err(error @ StartError::Pin { .. }) => fail(&format!("bank: {error}\n"), PIN_REFUSED),
        Err(error) => fail(&format!("bank: {error}\n"), 1),
    }
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let command = words.next();
    let command = command.filter(|word| COMMANDS.contains(&word.as_str()));
    let command = command.ok_or("bank: say what to do")?;
    if command == "audit" && words.next().as_deref() != Some("verify") {
        return Err("bank: audit verify is all that can be done with it".to_owned());
    }
    let mut word = String::new();
    if command == "queue" {
        let known = words.next().filter(|it| QUEUE_WORDS.contains(&it.as_str()));
        word = known.ok_or("bank: queue list, queue show or queue close")?;
    }
    let mut arguments = Arguments {
        command,
        dir: PathBuf::new(),
        config: None,
        file: PathBuf::new(),
        label: String::new(),
        terminal: String::new(),
        name: String::new(),
        reference: String::new(),
        queue: String::new(),
        word,
        end: String::new(),
        evidence: String::new(),
        #[cfg(feature = "development")]
        dev: false,
        security: None,
        transaction: None,
        metrics: None,
        console: None,
        role: None,
        anchor: None,
        day: None,
        out: None,
        log: log::LevelFilter::Info,
        log_form: Form::Text,
    };
    while let Some(word) = words.next() {
        #[cfg(feature = "development")]
        if word == "--dev" {
            arguments.dev = true;
            continue;
        }
        let value = words.next().ok_or(format!("bank: {word} needs a value"))?;
        take(&mut arguments, &word, value)?;
    }
    let makes_key = arguments.command.ends_with("-key");
    let is_labelled = makes_key || arguments.command == "reseal";
    if is_labelled && arguments.label.is_empty() {
        return Err("bank: --label is missing".to_owned());
    }
    let copies = ["backup", "restore"].contains(&arguments.command.as_str());
    if copies && arguments.file.as_os_str().is_empty() {
        return Err("bank: --file is missing".to_owned());
    }
    if !makes_key && arguments.dir.as_os_str().is_empty() {
        return Err("bank: --dir is missing".to_owned());
    }
    Ok(arguments)
}

/// One option with its value.
fn take(arguments: &mut Arguments, word: &str, value: String) -> Result<(), String> {
    let address = || {
        let parsed = value.parse::<SocketAddr>();
        parsed
            .map(Some)
            .map_err(|_| format!("bank: {word} needs HOST:PORT in digits"))
    };
    match word {
        "--dir" => arguments.dir = value.into(),
        "--config" => arguments.config = Some(value.into()),
        "--file" => arguments.file = value.into(),
        "--label" => arguments.label = value,
        "--terminal" => arguments.terminal = value,
        "--name" => arguments.name = value,
        "--reference" => arguments.reference = value,
        "--queue" => arguments.queue = value,
        "--as" => arguments.end = value,
        "--evidence" => arguments.evidence = value,
        "--security" => arguments.security = address()?,
        "--transaction" => arguments.transaction = address()?,
        "--metrics" => arguments.metrics = address()?,
        "--console" => arguments.console = address()?,
        "--role" => {
            let role = Role::ALL.into_iter().find(|role| role.name() == value);
            let wrong = || "bank: --role needs viewer or operator".to_owned();
            arguments.role = Some(role.ok_or_else(wrong)?);
        }
        "--anchor" => arguments.anchor = Some(read(word, &value)?),
        "--day" => arguments.day = Some(read(word, &value)?),
        "--out" => arguments.out = Some(value.into()),
        "--log-form" => arguments.log_form = read(word, &value)?,
        "--log" => {
            let level = value
                .parse()
                .map_err(|_| "bank: --log knows no such level")?;
            arguments.log = level;
        }
        _ => return Err(format!("bank: {word} is unknown")),
    }
    Ok(())
}

fn read<T: std::str::FromStr<Err = String>>(word: &str, value: &str) -> Result<T, String> {
    value
        .parse()
        .map_err(|what| format!("bank: {word} needs {what}"))
}

/// Commands that make a bank's folder; for all others there must be one.
const MAKERS: [&str; 2] = ["run", "restore"];

/// The configuration that `--config` names, or the demo bank's.
fn config(arguments: &Arguments) -> Result<Config, StartError> {
    if !MAKERS.contains(&arguments.command.as_str()) && !arguments.command.ends_with("-key") {
        bank::existing_bank(&arguments.dir)?;
    }
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
    config.metrics = arguments.metrics;
    config.console = arguments.console;
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

/// What operators do, with its exit code: 0 done, 3 refused, 4 a refused PIN, 1 when the bank's folder can't be used.
async fn people(arguments: &Arguments) -> ExitCode {
    match operate(arguments).await {
        Ok(said) => {
            say(&said);
            ExitCode::SUCCESS
        }
        Err(error @ OperatorError::Refused { .. }) => fail(&format!("bank: {error}\n"), 3),
        Err(error @ OperatorError::Start(StartError::Pin { .. })) => {
            fail(&format!("bank: {error}\n"), PIN_REFUSED)
        }
        Err(error @ OperatorError::Start(_)) => fail(&format!("bank: {error}\n"), 1),
    }
}

async fn operate(arguments: &Arguments) -> Result<String, OperatorError> {
    let config = config(arguments)?;
    let name = arguments.name.as_str();
    let act = match arguments.command.as_str() {
        "open-loads" => return Ok(pretty(&bank::open_loads(config).await?)),
        "queue" => return queue(arguments, config).await,
        "operator" => {
            bank::keep_operator_as(config, name, &password()?, arguments.role).await?;
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
    let signature = signature(arguments)?;
    let acted = bank::act(config, &arguments.reference, act, &signature).await?;
    let word = serde_json::to_value(acted).unwrap_or_default();
    Ok(format!("{}\n", word.as_str().unwrap_or_default()))
}

async fn queue(arguments: &Arguments, config: Config) -> Result<String, OperatorError> {
    match arguments.word.as_str() {
        "list" => Ok(pretty(&bank::queues(config).await?)),
        "show" => Ok(pretty(&bank::one_queue(config, &arguments.queue).await?)),
        _ => {
            let signature = signature(arguments)?;
            bank::close_queue(config, &arguments.queue, &signature).await?;
            Ok("closed\n".to_owned())
        }
    }
}

fn pretty(told: &serde_json::Value) -> String {
    format!(
        "{}\n",
        serde_json::to_string_pretty(told).unwrap_or_default()
    )
}

fn signature(arguments: &Arguments) -> Result<Signature, OperatorError> {
    Ok(Signature {
        operator: arguments.name.clone(),
        password: password()?,
        evidence: arguments.evidence.clone(),
    })
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
        "bank: ready security={} transaction={}{}{} profile={}\n",
        running.security_addr,
        running.transaction_addr,
        told("metrics", running.metrics_addr),
        told("console", running.console_addr),
        running.profile_path.display()
    );
    say(&ready);
    stop.await;
    log::info!("stopping");
    running.stop().await;
    Ok(ExitCode::SUCCESS)
}

/// Of a listener that need not be there.
fn told(name: &str, address: Option<SocketAddr>) -> String {
    address.map_or_else(String::new, |address| format!(" {name}={address}"))
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

fn reseal(arguments: &Arguments) -> Result<ExitCode, StartError> {
    let count = bank::reseal(&config(arguments)?, &arguments.label)?;
    say(&format!("{count} files\n"));
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
