//! `try`: a package against a virtual card, a real bank and the app's own session, in this process.

mod bench;
pub(crate) mod cards;
mod faults;
mod load;
mod reading;
mod report;
mod stage;
mod torn;
mod whole;

use std::path::Path;

use virtual_card::AnyProfile;

use crate::anatomy::Anatomy;
use crate::bank_config::{self, BankConfig};
use crate::check::{read, told};
use crate::options::Options;
use crate::{Verdict, say};
use bench::Bench;
use report::Report;
use stage::Setting;

pub(crate) fn run(options: &Options) -> Result<Verdict, String> {
    let file = options.one("FILE")?;
    let text = read(file)?;
    let anatomy = match Anatomy::parse(&text) {
        Ok(anatomy) => anatomy,
        Err(error) => {
            say(&told(file, &text, &error));
            return Ok(Verdict::Bad);
        }
    };
    not_older_than_shipped(&anatomy)?;
    let name = options.needed("--card")?;
    let card = AnyProfile::find(name).map_err(|why| format!("--card {name}: {why}"))?;
    let table = match options.value("--bank-config") {
        None => bank_config::derived(&anatomy, &card)?,
        Some(file) => read(file)?
            .parse()
            .map_err(|why: toml::de::Error| format!("{file}: {}", why.message()))?,
    };
    let folder = tempfile::tempdir().map_err(|why| why.to_string())?;
    let signer = serve_from(folder.path(), &text)?;
    let config = bank_config::adapted(table, &anatomy, &card, folder.path(), &signer)?;
    let json = options.has("--json");
    let runtime = tokio::runtime::Runtime::new().map_err(|why| why.to_string())?;
    let report = runtime.block_on(tried(anatomy, card, config, json))?;
    if json {
        say(&report.json()?);
    } else {
        say(&report.sum());
    }
    Ok(match report.failed() {
        0 => Verdict::Good,
        _ => Verdict::Bad,
    })
}

/// The app keeps to the higher version, and to its own of two that are the same.
fn not_older_than_shipped(anatomy: &Anatomy) -> Result<(), String> {
    for (_, text) in industries::ALL {
        let Ok(shipped) = Anatomy::parse(text) else {
            continue;
        };
        let (ours, theirs) = (&anatomy.package, &shipped.package);
        let in_app = theirs.reads_only() && theirs.industry() == ours.industry();
        if in_app && text != anatomy.text && ours.version() <= theirs.version() {
            return Err(format!(
                "industry {} comes with the app in version {}: give yours a higher one",
                ours.industry(),
                theirs.version()
            ));
        }
    }
    Ok(())
}

/// A folder for the bank with the package, signed for this trial; the signer's public key.
fn serve_from(folder: &Path, text: &str) -> Result<[u8; 32], String> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(|why| why.to_string())?;
    let signature = envelope::package::sign_package(&secret, text.as_bytes());
    for (name, content) in [
        ("package.json", text.to_owned()),
        ("package.json.sig", hex::encode(signature)),
    ] {
        std::fs::write(folder.join(name), content).map_err(|why| why.to_string())?;
    }
    Ok(envelope::package::signer_public(&secret))
}

async fn tried(
    anatomy: Anatomy,
    card: AnyProfile,
    config: BankConfig,
    quiet: bool,
) -> Result<Report, String> {
    let reads_only = anatomy.package.reads_only();
    let setting = Setting {
        anatomy,
        card,
        config,
    };
    let mut bench = Bench::new(&setting, quiet).await?;
    reading::all(&mut bench).await?;
    if !reads_only {
        let load = whole::all(&mut bench).await?;
        torn::all(&mut bench, &load).await?;
        faults::all(&mut bench, &load).await?;
    }
    bench.end().await
}
