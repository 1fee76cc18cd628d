//! Which versions of issuer keys there are, and which loads still need them.

use serde::Serialize;

use crate::config::Settings;
use crate::error::Problem;
use crate::scheme::CardIdentity;
use crate::store::Store;
use crate::vault::Vault;

/// The issuer keys of one industry and version.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct IssuerKeyUse {
    /// Its code.
    pub industry: String,
    /// As cards tell it; none: of every card.
    pub version: Option<u8>,
    /// They are in the configuration.
    pub known: bool,
    /// Loads whose outcome is open: until they are settled their cards' proofs need these keys.
    pub open_loads: i64,
}

/// All of the configuration, and those that it has no more while loads need them.
pub(super) async fn in_use(
    store: &Store,
    vault: &Vault,
    settings: &Settings,
) -> Result<Vec<IssuerKeyUse>, Problem> {
    let mut all = configured(settings);
    let mut conn = store.snapshot().await?;
    let sql = "SELECT card.industry, load.card_sealed FROM load
         JOIN card ON card.bank = load.bank AND card.id = load.card
         WHERE load.bank = $1 AND load.phase IN ('authorised', 'issued', 'in-doubt', 'manual')";
    let open: Vec<(String, Vec<u8>)> = conn.sql(sql).all().await?;
    for (industry, sealed) in open {
        let identity = vault.open("card", &sealed)?;
        let identity: CardIdentity =
            serde_json::from_slice(&identity).map_err(Problem::internal)?;
        needed(&mut all, industry, identity.key_version);
    }
    Ok(all)
}

fn configured(settings: &Settings) -> Vec<IssuerKeyUse> {
    let of_industry = settings.industries.iter().flat_map(|industry| {
        let versions = industry.key_versions();
        versions.map(|version| IssuerKeyUse {
            industry: industry.code.clone(),
            version,
            known: true,
            open_loads: 0,
        })
    });
    of_industry.collect()
}

/// Counts a load to the keys that the bank would choose for its card.
fn needed(all: &mut Vec<IssuerKeyUse>, industry: String, told: Option<u8>) {
    let fits = |keys: &&mut IssuerKeyUse| {
        let version = keys.version;
        keys.industry == industry && (told.is_none() || version.is_none() || version == told)
    };
    match all.iter_mut().find(fits) {
        Some(keys) => keys.open_loads += 1,
        None => all.push(IssuerKeyUse {
            industry,
            version: told,
            known: false,
            open_loads: 1,
        }),
    }
}
