//! Whose database it is: every process of a bank has the same store key, and no other bank's process works on it.

use subtle::ConstantTimeEq;

use crate::error::Problem;
use crate::store::{Conn, Store, commit};
use crate::vault::{Purpose, Vault};

/// Makes the database this bank's, or finds that it is.
///
/// False when it is another's, or the store key is not the one that it was made with.
pub(crate) async fn claim(store: &Store, vault: &Vault) -> Result<bool, Problem> {
    let ours = vault.hash(Purpose::Owner, &[]);
    let mut conn = store.read().await?;
    if let Some(known) = known(&mut conn).await? {
        return Ok(known.ct_eq(&ours[..]).into());
    }
    drop(conn);
    commit!(store, conn => {
        if let Some(known) = self::known(conn).await? {
            return Ok(known.ct_eq(&ours[..]).into());
        }
        conn.sql("INSERT INTO owner (bank, key_check) VALUES ($1, $2)")
            .bind(&ours)
            .execute()
            .await?;
        Ok(true)
    })
}

/// Whether it is this bank's, or nobody's yet; makes nothing.
pub(crate) async fn is_free_or_ours(conn: &mut Conn, vault: &Vault) -> Result<bool, Problem> {
    let ours = vault.hash(Purpose::Owner, &[]);
    let known = known(conn).await?;
    Ok(known.is_none_or(|known| known.ct_eq(&ours[..]).into()))
}

async fn known(conn: &mut Conn) -> Result<Option<Vec<u8>>, Problem> {
    let sql = "SELECT key_check FROM owner WHERE bank = $1";
    let known: Option<(Vec<u8>,)> = conn.sql(sql).optional().await?;
    Ok(known.map(|(known,)| known))
}
