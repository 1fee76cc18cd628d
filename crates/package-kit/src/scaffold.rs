//! `new`: a package to start from, out of one that is shipped.

use std::path::Path;

use industry::Package;
use relay::IndustryCode;

use crate::options::Options;
use crate::{Verdict, say};

/// Where the schema is, seen from the project's folder.
const SCHEMA: &str = "docs/industry-package.schema.json";

/// Application ids of nobody in particular begin with F; after it, this and the code in ASCII.
pub(crate) const PLACEHOLDER: &str = "F0544150";

pub(crate) fn run(options: &Options) -> Result<Verdict, String> {
    let code = options.one("CODE")?;
    let code: IndustryCode = code
        .parse()
        .map_err(|_| format!("{code}: an industry's code is four digits or capital letters"))?;
    let file = options.value("--out").map(str::to_owned);
    let file = file.unwrap_or_else(|| format!("{code}.json"));
    let path = Path::new(&file);
    let text = scaffold(
        code,
        options.value("--like").unwrap_or("0001"),
        schema_from(path).as_deref(),
    )?;
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|why| format!("{}: {why}", folder.display()))?;
    }
    let mut new = std::fs::File::create_new(path).map_err(|why| format!("{file}: {why}"))?;
    std::io::Write::write_all(&mut new, text.as_bytes()).map_err(|why| format!("{file}: {why}"))?;
    say(&format!(
        "{file}: put your card's application id for {}",
        placeholder(code)
    ));
    Ok(Verdict::Good)
}

fn placeholder(code: IndustryCode) -> String {
    format!("{PLACEHOLDER}{}..", hex::encode_upper(code.bytes()))
}

fn scaffold(code: IndustryCode, like: &str, schema: Option<&str>) -> Result<String, String> {
    let from = if like == "read-only" { "CITY" } else { like };
    let known = ["0001", "0002", "0003", "CITY"].contains(&from);
    let shipped = industries::ALL.iter().filter(|_| known);
    let mut shipped = shipped.filter(|(name, _)| name.strip_suffix(".json") == Some(from));
    let (_, text) = shipped
        .next()
        .ok_or_else(|| format!("--like {like}: 0001, 0002, 0003 or read-only"))?;
    let package = Package::parse(text.as_bytes()).map_err(|why| why.to_string())?;
    let mut made = text
        .replacen(
            &format!("\"industry\": \"{from}\""),
            &format!("\"industry\": \"{code}\""),
            1,
        )
        .replacen(&package.name().zh_cn, "新行业", 1)
        .replacen(&package.name().en, "New industry", 1)
        .replacen(
            &format!("\"version\": {}", package.version()),
            "\"version\": 1",
            1,
        );
    if let Some(name) = &package.name().zh_tw {
        made = made.replacen(name, "新行業", 1);
    }
    for (place, aid) in package.aids().enumerate() {
        made = made.replace(&hex::encode_upper(aid), &new_aid(code, aid.len(), place));
    }
    if let Some(schema) = schema {
        made = made.replacen('{', &format!("{{\n  \"$schema\": \"{schema}\","), 1);
    }
    Ok(made)
}

/// As long as the other, so that lengths in commands stay right.
fn new_aid(code: IndustryCode, length: usize, place: usize) -> String {
    let mut aid = format!("{PLACEHOLDER}{}", hex::encode_upper(code.bytes()));
    for _ in aid.len() / 2..length {
        aid.push_str("01");
    }
    // the last byte tells several apart
    let last = format!("{:02X}", place.saturating_add(1));
    match place {
        0 => aid,
        _ => {
            aid.get(..aid.len().saturating_sub(2))
                .unwrap_or_default()
                .to_owned()
                + &last
        }
    }
}

/// The schema as an editor finds it from the new file, when that is inside the project.
fn schema_from(file: &Path) -> Option<String> {
    let file = std::path::absolute(file).ok()?;
    let folders = file.parent()?.ancestors();
    let mut up = String::new();
    for folder in folders {
        if folder.join(SCHEMA).is_file() {
            return Some(format!("{up}{SCHEMA}"));
        }
        up.push_str("../");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anatomy::Anatomy;

    fn code(text: &str) -> IndustryCode {
        text.parse().unwrap_or_else(|_| panic!("{text}"))
    }

    #[test]
    fn each_scaffold_is_a_good_package_with_ids_of_its_own() {
        for like in ["0001", "0002", "0003", "read-only"] {
            let text = scaffold(code("0042"), like, Some("../docs/x.json"));
            let text = text.unwrap_or_else(|why| panic!("{why}"));
            let made = Anatomy::parse(&text).unwrap_or_else(|why| panic!("{like}: {why}"));
            assert_eq!(made.package.industry().as_str(), "0042", "{like}");
            assert_eq!(made.package.name().en, "New industry", "{like}");
            let aids: Vec<String> = made.package.aids().map(hex::encode_upper).collect();
            assert!(!aids.is_empty(), "{like}");
            for aid in &aids {
                assert!(aid.starts_with(PLACEHOLDER), "{like}: {aid}");
                let same = aids.iter().filter(|other| *other == aid).count();
                assert_eq!(same, 1, "{like}: several applications stay several");
            }
            let shipped = industries::ALL.iter().any(|(_, shipped)| *shipped == text);
            assert!(!shipped, "{like}: not the shipped one under its name");
        }
    }

    #[test]
    fn nobody_else_to_be_like() {
        assert!(scaffold(code("0042"), "TOLL", None).is_err());
        assert!(scaffold(code("0042"), "0009", None).is_err());
    }
}
