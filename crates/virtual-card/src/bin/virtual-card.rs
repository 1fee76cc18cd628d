//! A virtual card as a program of its own: served to vpcd, worked through a control port.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use tokio::net::TcpListener;
use virtual_card::{AnyProfile, Slot, SmartCard, control, vpcd};

const USAGE: &str = "usage: virtual-card [--vpcd ADDR:PORT] [--control ADDR:PORT] \
    [--card FILE|NAME] [--state FILE] [--empty]
names: demo demo-inactive demo-expired demo-blocked demo-pin campus campus-blocked
    cash cash-inactive cash-blocked t-union city-union beijing wuhan shenzhen toll";

/// What the command line asks for.
#[derive(Debug)]
struct Options {
    vpcd: Option<SocketAddr>,
    control: Option<SocketAddr>,
    card: String,
    state: Option<PathBuf>,
    empty: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            let _ = writeln!(std::io::stderr(), "virtual-card: {text}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), String> {
    let options = parse(std::env::args().skip(1))?;
    let slot = Slot::with_card(make_card(&options)?);
    if options.empty {
        slot.remove();
    }
    if let Some(addr) = options.control {
        let listener = TcpListener::bind(addr)
            .await
            .map_err(|error| format!("{addr}: {error}"))?;
        if addr.port() == 0 {
            let chosen = listener.local_addr().map_err(|error| error.to_string())?;
            say(&format!("virtual-card: control {chosen}"))?;
        }
        tokio::spawn(control::serve(listener, slot.clone()));
    }
    if let Some(addr) = options.vpcd {
        tokio::spawn(vpcd::serve(addr, slot.clone()));
    }
    say("virtual-card: ready")?;
    tokio::signal::ctrl_c()
        .await
        .map_err(|error| error.to_string())
}

fn say(line: &str) -> Result<(), String> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")
        .and_then(|()| out.flush())
        .map_err(|error| error.to_string())
}

fn make_card(options: &Options) -> Result<Box<dyn SmartCard>, String> {
    let profile = AnyProfile::find(&options.card).map_err(|error| error.to_string())?;
    match &options.state {
        None => Ok(profile.into_card()),
        Some(file) => profile
            .into_stored_card(file.clone())
            .map_err(|error| error.to_string()),
    }
}

fn parse(arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut arguments = arguments;
    let mut options = Options {
        vpcd: None,
        control: None,
        card: "demo".to_owned(),
        state: None,
        empty: false,
    };
    while let Some(name) = arguments.next() {
        if name == "--empty" {
            options.empty = true;
            continue;
        }
        let value = arguments.next().ok_or(USAGE)?;
        match name.as_str() {
            "--vpcd" => options.vpcd = Some(address(&value)?),
            "--control" => options.control = Some(address(&value)?),
            "--card" => options.card = value,
            "--state" => options.state = Some(PathBuf::from(value)),
            _ => return Err(USAGE.to_owned()),
        }
    }
    if options.vpcd.is_none() && options.control.is_none() {
        return Err(USAGE.to_owned());
    }
    Ok(options)
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|error| format!("{text}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Options, String> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn the_whole_command_line_is_understood() {
        let line = "--vpcd 127.0.0.1:35963 --control 127.0.0.1:0 --card demo-pin --state a --empty";
        let options = parsed(line).unwrap();
        assert_eq!(
            options.vpcd,
            Some(SocketAddr::from(([127, 0, 0, 1], 35963)))
        );
        assert_eq!(options.card, "demo-pin");
        assert!(options.empty);
    }

    #[test]
    fn what_is_unknown_or_unfinished_gets_the_usage() {
        for line in ["", "--vpcd", "--colour red", "--card demo"] {
            assert_eq!(parsed(line).unwrap_err(), USAGE, "{line}");
        }
        assert!(parsed("--vpcd nowhere").is_err());
    }
}
