//! `sign`: what a bank wants that does not sign packages itself.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use industry::Package;

use crate::check::{read, told};
use crate::options::Options;
use crate::{Verdict, say};

pub(crate) fn run(options: &Options) -> Result<Verdict, String> {
    let file = options.one("FILE")?;
    let key_file = options.needed("--key")?;
    let text = read(file)?;
    if let Err(error) = Package::parse(text.as_bytes()) {
        say(&told(file, &text, &error));
        return Ok(Verdict::Bad);
    }
    let secret = match options.has("--new-key") {
        true => new_key(Path::new(key_file))?,
        false => key(key_file)?,
    };
    let signature = envelope::package::sign_package(&secret, text.as_bytes());
    let beside = format!("{file}.sig");
    std::fs::write(&beside, hex::encode(signature) + "\n")
        .map_err(|why| format!("{beside}: {why}"))?;
    let public = hex::encode(envelope::package::signer_public(&secret));
    say(&format!("{beside}: written"));
    say(&format!("package_signer = \"{public}\""));
    Ok(Verdict::Good)
}

fn key(file: &str) -> Result<[u8; 32], String> {
    let text = std::fs::read_to_string(file)
        .map_err(|why| format!("{file}: {why} (--new-key makes one)"))?;
    let mut secret = [0; 32];
    hex::decode_to_slice(text.trim(), &mut secret)
        .map_err(|_| format!("{file}: an Ed25519 secret is 64 hex digits"))?;
    Ok(secret)
}

/// Readable by its owner alone, and never in the place of another.
fn new_key(path: &Path) -> Result<[u8; 32], String> {
    let failed = |why: &dyn std::fmt::Display| format!("{}: {why}", path.display());
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(|why| failed(&why))?;
    let mut how = OpenOptions::new();
    how.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut how, 0o600);
    let mut file = how.open(path).map_err(|why| failed(&why))?;
    file.write_all((hex::encode(secret) + "\n").as_bytes())
        .map_err(|why| failed(&why))?;
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sign(words: &[&str]) -> Result<Verdict, String> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        run(&Options::parse(&words, &["--new-key"], &["--key"])?)
    }

    #[test]
    fn a_new_key_signs_and_is_never_made_over_another() {
        let dir = tempfile::tempdir().unwrap_or_else(|why| panic!("{why}"));
        let at = |name: &str| dir.path().join(name).display().to_string();
        let (file, key) = (at("0001.json"), at("signer.key"));
        std::fs::write(&file, industries::ALL[0].1).unwrap_or_else(|why| panic!("{why}"));
        assert!(sign(&[&file, "--key", &key]).is_err(), "no key yet");
        let made = sign(&[&file, "--key", &key, "--new-key"]);
        assert!(matches!(made, Ok(Verdict::Good)), "{:?}", made.err());
        let again = sign(&[&file, "--key", &key, "--new-key"]);
        assert!(again.is_err(), "the key is there");
        let read = |name: &str| std::fs::read_to_string(name).unwrap_or_else(|why| panic!("{why}"));
        let secret = super::key(&key).unwrap_or_else(|why| panic!("{why}"));
        let signer = envelope::package::signer_public(&secret);
        let signature = hex::decode(read(&format!("{file}.sig")).trim());
        let signature = signature.unwrap_or_else(|why| panic!("{why}"));
        let good = envelope::package::verify_package(&signer, read(&file).as_bytes(), &signature);
        assert!(good.is_ok(), "what a bank checks");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(&key).map(|it| it.permissions().mode() & 0o777);
            assert_eq!(mode.ok(), Some(0o600), "its owner's alone");
        }
    }

    #[test]
    fn what_is_no_package_is_not_signed() {
        let dir = tempfile::tempdir().unwrap_or_else(|why| panic!("{why}"));
        let file = dir.path().join("bad.json").display().to_string();
        let key = dir.path().join("signer.key").display().to_string();
        std::fs::write(&file, "{}").unwrap_or_else(|why| panic!("{why}"));
        let made = sign(&[&file, "--key", &key, "--new-key"]);
        assert!(matches!(made, Ok(Verdict::Bad)));
        assert!(!Path::new(&key).exists() && !Path::new(&format!("{file}.sig")).exists());
    }
}
