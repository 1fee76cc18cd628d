use serde::{Deserialize, Serialize};

/// What an installation knows of its bank (`docs/protocol.md`, section 3). Public values only.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// The bank's name for people.
    pub name: String,
    /// `https://host:port` of the security server.
    pub security_url: String,
    /// `https://host:port` of the transaction server.
    pub transaction_url: String,
    /// Where any browser checks receipts, below `/receipt`; null: at the security server.
    #[serde(default)]
    pub receipt_url: Option<String>,
    /// The authority's certificate, PEM.
    pub authority_pem: String,
    /// SHA-256 of the servers' public keys, 64 hex digits each; the last is the backup.
    pub pins: Vec<String>,
    /// X25519 public key for enrolment requests, 64 hex digits.
    pub enrolment_hpke: String,
    /// Ed25519 public key that signs enrolments, 64 hex digits.
    pub enrolment_signer: String,
    /// Ed25519 public key that signs industry packages, 64 hex digits.
    pub package_signer: String,
    /// The lowest suite that this installation uses.
    pub lowest_suite: u8,
    /// The bank wants each terminal's own certificate in TLS.
    #[serde(default)]
    pub client_certificate: bool,
}

/// Why a profile can't be used.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ProfileError {
    /// Not the JSON of a profile.
    #[error("the bank's profile can't be read: {0}")]
    Json(String),
    /// A field has the wrong form.
    #[error("the bank's profile has a bad {0}")]
    Field(&'static str),
    /// The TLS settings don't come together.
    #[error("the bank's profile gives no usable TLS settings")]
    Tls,
}

impl Profile {
    /// Reads and checks the JSON form.
    pub fn parse(json: &[u8]) -> Result<Self, ProfileError> {
        let profile: Self =
            serde_json::from_slice(json).map_err(|error| ProfileError::Json(error.to_string()))?;
        for (field, url) in [
            ("security_url", Some(&profile.security_url)),
            ("transaction_url", Some(&profile.transaction_url)),
            ("receipt_url", profile.receipt_url.as_ref()),
        ] {
            if url.is_some_and(|url| !is_address(url)) {
                return Err(ProfileError::Field(field));
            }
        }
        profile.enrolment_hpke_key()?;
        profile.enrolment_signer_key()?;
        profile.package_signer_key()?;
        profile.pin_list()?;
        if profile.lowest_suite > 3 {
            return Err(ProfileError::Field("lowest_suite"));
        }
        Ok(profile)
    }

    /// What a receipt's signed text is put behind, for whoever wants to check it.
    #[must_use]
    pub fn receipt_page(&self) -> String {
        let server = self.receipt_url.as_ref().unwrap_or(&self.security_url);
        format!("{server}/receipt?")
    }

    /// 32 bytes.
    pub fn enrolment_hpke_key(&self) -> Result<[u8; 32], ProfileError> {
        key(&self.enrolment_hpke, "enrolment_hpke")
    }

    /// 32 bytes.
    pub fn enrolment_signer_key(&self) -> Result<[u8; 32], ProfileError> {
        key(&self.enrolment_signer, "enrolment_signer")
    }

    /// 32 bytes.
    pub fn package_signer_key(&self) -> Result<[u8; 32], ProfileError> {
        key(&self.package_signer, "package_signer")
    }

    /// At least one pin.
    pub(crate) fn pin_list(&self) -> Result<Vec<[u8; 32]>, ProfileError> {
        if self.pins.is_empty() {
            return Err(ProfileError::Field("pins"));
        }
        self.pins.iter().map(|pin| key(pin, "pins")).collect()
    }
}

/// `https://`, a host, a port or a path maybe; what is put behind it must be all that follows.
fn is_address(url: &str) -> bool {
    url.starts_with("https://") && !url.ends_with('/') && !url.contains(['?', '#', '@', ' '])
}

fn key(text: &str, field: &'static str) -> Result<[u8; 32], ProfileError> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes).map_err(|_| ProfileError::Field(field))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(security: &str, more: &str) -> Result<Profile, ProfileError> {
        let json = format!(
            r#"{{"name":"b","security_url":"{security}","transaction_url":"https://a","authority_pem":"",
            "pins":["{k}"],"enrolment_hpke":"{k}","enrolment_signer":"{k}","package_signer":"{k}","lowest_suite":3{more}}}"#,
            k = "00".repeat(32)
        );
        Profile::parse(json.as_bytes())
    }

    #[test]
    fn a_profile_without_https_is_refused() {
        let error = parsed("http://a", "").err();
        assert_eq!(error, Some(ProfileError::Field("security_url")));
        let error = parsed("https://a", r#","receipt_url":"http://b""#).err();
        assert_eq!(error, Some(ProfileError::Field("receipt_url")));
        let error = parsed("https://a", r#","receipt_url":"https://b?x""#).err();
        assert_eq!(error, Some(ProfileError::Field("receipt_url")));
    }

    #[test]
    fn receipts_are_checked_where_the_bank_says_or_at_its_security_server() {
        let page = |more| parsed("https://a:8444", more).unwrap().receipt_page();
        assert_eq!(page(""), "https://a:8444/receipt?");
        assert_eq!(page(r#","receipt_url":null"#), "https://a:8444/receipt?");
        let public = r#","receipt_url":"https://pay.bank.example""#;
        assert_eq!(page(public), "https://pay.bank.example/receipt?");
    }
}
