//! `check`: whether the app would take a package, and advice.

use industry::PackageError;
use relay::Operation;

use crate::anatomy::Anatomy;
use crate::options::Options;
use crate::{Verdict, lint, say};

pub(crate) fn run(options: &Options) -> Result<Verdict, String> {
    let mut verdict = Verdict::Good;
    for file in options.several("FILE")? {
        let text = read(file)?;
        match Anatomy::parse(&text) {
            Ok(anatomy) => {
                for advice in lint::advice(&anatomy) {
                    say(&format!(
                        "{file}:{}: warning: {}",
                        advice.position, advice.text
                    ));
                }
                say(&format!("{file}: good: {}", summary(&anatomy)));
            }
            Err(error) => {
                say(&told(file, &text, &error));
                verdict = Verdict::Bad;
            }
        }
    }
    Ok(verdict)
}

pub(crate) fn read(file: &str) -> Result<String, String> {
    std::fs::read_to_string(file).map_err(|why| format!("{file}: {why}"))
}

/// `FILE:LINE:COLUMN: error[CODE]: what is wrong`, as editors and compilers have it.
pub(crate) fn told(file: &str, text: &str, error: &PackageError) -> String {
    let place = industry::position(text, error);
    let place = place.map_or_else(String::new, |place| format!("{place}:"));
    let what = match error {
        PackageError::Json { text, .. } => text.clone(),
        PackageError::Rule { at, why, .. } => format!("{at}: {why}"),
        PackageError::TooDeep { .. }
        | PackageError::TooLarge { .. }
        | PackageError::Older { .. }
        | PackageError::NotYetValid { .. } => error.to_string(),
    };
    format!("{file}:{place} error[{}]: {what}", error.code())
}

fn summary(anatomy: &Anatomy) -> String {
    let package = &anatomy.package;
    let covers: Vec<&str> = package.operations().map(name).collect();
    let covers = covers.join(", ");
    let commands = anatomy.members("commands").count();
    let (industry, version) = (package.industry(), package.version());
    format!("industry {industry}, version {version}: {covers}; {commands} commands")
}

fn name(operation: Operation) -> &'static str {
    match operation {
        Operation::Balance => "balance",
        Operation::TopUp => "top-up",
        Operation::ReTopUp => "re-top-up",
        Operation::Activation => "activation",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(from: &str, to: &str) -> String {
        let (_, text) = industries::ALL[0];
        assert!(text.contains(from), "the package has {from}");
        let text = text.replacen(from, to, 1);
        match Anatomy::parse(&text) {
            Ok(_) => panic!("accepted: {to}"),
            Err(error) => told("a.json", &text, &error),
        }
    }

    #[test]
    fn an_error_is_told_with_file_line_column_and_the_code_that_a_person_sees() {
        assert_eq!(
            refused(r#""format": 1,"#, r#""format": 1, "colour": 1,"#),
            "a.json:2:23: error[package-field]: unknown field `colour`, expected one of `$schema`, `format`, \
             `industry`, `version`, `name`, `currency`, `aids`, `valid_from`, `limits`, `bounds`, `constants`, `dol`, \
             `fields`, `card`, `commands`, `phases`"
        );
        assert_eq!(
            refused(r#""repeat": 10"#, r#""repeat": 99"#),
            "a.json:113:7: error[package-endless]: commands.read_log.repeat: 2 to 32 times"
        );
        assert_eq!(
            refused(r#"[{ "run": "credit" }]"#, r#"[{ "run": "debit" }]"#),
            "a.json:314:26: error[package-command]: phases.credit.steps: no command `debit`"
        );
        let large = " ".repeat(industry::MAX_PACKAGE);
        let large = refused("{", &format!("{{{large}"));
        assert!(
            large.starts_with("a.json: error[package-oversized]"),
            "{large}"
        );
    }
}
