//! The issuer keys of an industry, version by version.

use purse::MasterKey;

use super::rules::bad;
use super::settings::KeyTexts;
use crate::config::{ConfigError, IndustrySettings};
use crate::recipe::Recipe;
use crate::scheme::Scheme;

/// A key and its recipe as the file gives them.
pub(crate) type KeyWithRecipe = (IssuerKeyText, Recipe);

/// The issuer keys of one industry and version as the file gives them.
pub(crate) struct IssuerKeyTexts {
    /// As cards tell it; none: of every card.
    pub(crate) version: Option<u8>,
    pub(crate) keys: KeysOfScheme,
}

pub(crate) enum KeysOfScheme {
    Purse {
        load: KeyWithRecipe,
        tac: KeyWithRecipe,
        /// Only beside the first version's.
        maintenance: Option<KeyWithRecipe>,
    },
    Cash {
        cryptogram: KeyWithRecipe,
        script: KeyWithRecipe,
    },
}

/// A key, or where it is.
pub(crate) enum IssuerKeyText {
    Key(MasterKey),
    /// Of a key in the security module.
    Label(String),
}

impl IndustrySettings {
    /// Those of `keys` first, then `other_keys`.
    pub(crate) fn issuer_keys(&self, at: usize) -> Result<Vec<IssuerKeyTexts>, ConfigError> {
        let path = format!("industry[{at}]");
        self.check_versions(&path)?;
        let mut all = vec![self.of_version(&path, "keys", &self.keys)?];
        for (number, keys) in self.other_keys.iter().enumerate() {
            let table = format!("other_keys[{number}]");
            if keys.maintenance.is_some() {
                let cause = "a purse that is activated tells no version: only `keys` has one";
                return Err(bad(format!("{path}.{table}.maintenance"), cause));
            }
            all.push(self.of_version(&path, &table, keys)?);
        }
        Ok(all)
    }

    /// Each card has one version's keys, and which one is never a guess.
    fn check_versions(&self, path: &str) -> Result<(), ConfigError> {
        if self.other_keys.is_empty() {
            return Ok(());
        }
        let mut seen = vec![self.keys.version];
        if self.keys.version.is_none() {
            let cause = "is missing beside other_keys";
            return Err(bad(format!("{path}.keys.version"), cause));
        }
        for (number, keys) in self.other_keys.iter().enumerate() {
            let field = format!("{path}.other_keys[{number}].version");
            if keys.version.is_none() {
                return Err(bad(field, "is missing"));
            }
            if seen.contains(&keys.version) {
                return Err(bad(field, "is there twice"));
            }
            seen.push(keys.version);
        }
        Ok(())
    }

    fn of_version(
        &self,
        path: &str,
        table: &str,
        keys: &KeyTexts,
    ) -> Result<IssuerKeyTexts, ConfigError> {
        let recipe = |name: &str, own: &Option<Vec<String>>| {
            let (field, levels) = match own {
                Some(levels) => (format!("{path}.{name}_recipe"), levels),
                None => (format!("{path}.recipe"), &self.recipe),
            };
            Recipe::parse(levels).map_err(|cause| bad(field, cause))
        };
        let pair = |name: &str, text: &Option<String>, own: &Option<Vec<String>>| {
            let field = || format!("{path}.{table}.{name}");
            let text = text.as_ref().ok_or_else(|| bad(field(), "is missing"))?;
            let recipe = recipe(name, own)?;
            Ok((key(field, text, &recipe)?, recipe))
        };
        let made = match self.scheme {
            Scheme::Purse => {
                if keys.purchase.is_some() {
                    pair("purchase", &keys.purchase, &None)?;
                }
                let own = &self.maintenance_recipe;
                let maintenance =
                    (table == "keys").then(|| pair("maintenance", &keys.maintenance, own));
                KeysOfScheme::Purse {
                    load: pair("load", &keys.load, &self.load_recipe)?,
                    tac: pair("tac", &keys.tac, &self.tac_recipe)?,
                    maintenance: maintenance.transpose()?,
                }
            }
            Scheme::Cash => KeysOfScheme::Cash {
                cryptogram: pair("cryptogram", &keys.cryptogram, &None)?,
                script: pair("script", &keys.script, &None)?,
            },
        };
        Ok(IssuerKeyTexts {
            version: keys.version,
            keys: made,
        })
    }
}

fn key(
    field: impl Fn() -> String,
    text: &str,
    recipe: &Recipe,
) -> Result<IssuerKeyText, ConfigError> {
    if let Some(label) = text.strip_prefix("hsm:") {
        // A key that stays inside can only make others.
        return if label.is_empty() || recipe.is_empty() {
            Err(bad(
                field(),
                "hsm:LABEL, and a recipe of one level at least",
            ))
        } else {
            Ok(IssuerKeyText::Label(label.to_owned()))
        };
    }
    let rule = "8 or 16 bytes as hex digits, or hsm:LABEL";
    let bytes = hex::decode(text).map(zeroize::Zeroizing::new);
    let bytes = bytes.map_err(|_| bad(field(), rule))?;
    let key = MasterKey::from_bytes(&bytes).map_err(|_| bad(field(), rule))?;
    Ok(IssuerKeyText::Key(key))
}

#[cfg(test)]
mod tests {
    use crate::config::{ConfigError, DEMO, Settings};

    /// The demo bank with these tables after the first industry's keys.
    fn refusal(version: &str, others: &str) -> String {
        let keys = "[industry.keys]\n";
        let text = DEMO.replacen(keys, &format!("{keys}{version}\n"), 1);
        let end = "maintenance = \"33445566778899AABBCCDDEEFF001122\"\n";
        let text = text.replacen(end, &format!("{end}{others}\n"), 1);
        match Settings::parse(&text).err() {
            Some(ConfigError::Field { field, .. }) => field,
            Some(other) => other.to_string(),
            None => "fine".to_owned(),
        }
    }

    fn other(version: &str) -> String {
        let keys = "load = \"A1112233445566778899AABBCCDDEEFF\"
            tac = \"B12233445566778899AABBCCDDEEFF00\"";
        format!("[[industry.other_keys]]\n{version}\n{keys}\n")
    }

    #[test]
    fn keys_of_several_versions_stand_side_by_side_when_each_has_its_own() {
        let (one, three) = (other("version = 1"), other("version = 3"));
        assert_eq!(refusal("version = 2", &format!("{one}{three}")), "fine");
        assert_eq!(refusal("version = 2", ""), "fine", "one version alone");
    }

    #[test]
    fn which_keys_are_a_cards_is_never_a_guess() {
        let (one, none) = (other("version = 1"), other(""));
        for (version, others, field) in [
            ("", &one, "industry[0].keys.version"),
            ("version = 2", &none, "industry[0].other_keys[0].version"),
            ("version = 1", &one, "industry[0].other_keys[0].version"),
            (
                "version = 2",
                &format!("{one}{one}"),
                "industry[0].other_keys[1].version",
            ),
        ] {
            assert_eq!(refusal(version, others), field, "{version} {others}");
        }
    }

    #[test]
    fn a_wrong_key_of_another_version_is_named() {
        let short = other("version = 1").replace("A111", "A1");
        assert_eq!(
            refusal("version = 2", &short),
            "industry[0].other_keys[0].load"
        );
        let maintenance = "maintenance = \"33445566778899AABBCCDDEEFF001122\"";
        assert_eq!(
            refusal(
                "version = 2",
                &other(&format!("version = 1\n{maintenance}"))
            ),
            "industry[0].other_keys[0].maintenance"
        );
        let large = refusal("version = 256", "");
        assert!(large.contains("config-syntax"), "a byte: {large}");
    }
}
