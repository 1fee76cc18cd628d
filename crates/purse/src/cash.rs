//! PBOC electronic cash: an EMV-style application whose balance an issuer script sets.
//!
//! Source: JR/T 0025 parts 5, 10 and 13 (and EMV book 2 and 3, which they follow). Where the issuer
//! chooses, the choice is named here. A load is an online transaction: the card sends an ARQC, the
//! issuer answers an ARPC and the script that writes the new balance, the card confirms by a TC.

mod amount;
mod codes;
mod command;
mod issuer_data;
mod pan;

pub use amount::{AmountError, amount_from_bcd, amount_to_bcd, balance_from_bcd, balance_to_bcd};
pub use codes::{
    Cryptogram, SessionKey, Terms, arpc, balance_mac, card_key, cryptogram, same, script_mac,
    session_key,
};
pub use command::{
    AID, APPLICATION_BLOCK, APPLICATION_UNBLOCK, CryptogramKind, PUT_DATA, external_authenticate,
    generate_ac, get_data, get_processing_options, put_balance, read_record, script, tag,
};
pub use issuer_data::{CardVerification, IssuerData, IssuerDataError};
pub use pan::{Pan, PanError};
