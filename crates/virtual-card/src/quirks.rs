//! Ways in which cards differ.

use serde::{Deserialize, Serialize};

/// Differences between cards that a driver has to take, all found in the field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Quirks {
    /// The counter that GET TRANSACTION PROVE wants.
    pub prove_counter: ProofCounter,
    /// The counter that the log gets.
    pub log_counter: Shift,
    /// Status when there is no proof: 0x9406 or 0x6985.
    pub no_proof_status: u16,
    /// A new INITIALIZE FOR LOAD forgets the last proof.
    pub drops_proof_at_initialize: bool,
    /// GET TRANSACTION PROVE wants VERIFY first, on a card with a PIN.
    pub prove_needs_pin: bool,
    /// Status of VERIFY on a card without a PIN.
    pub no_pin_status: u16,
    /// How a wrong PIN is told.
    pub wrong_pin: WrongPin,
    /// Status of an unknown key index: 0x9403 or 0x6581.
    pub unknown_key_status: u16,
    /// How SELECT of a blocked application is answered.
    pub blocked_select: BlockedSelect,
    /// Which command refuses a load above the highest balance.
    pub overflow: Overflow,
    /// Loads and purchases are refused (6985) until the enable flag is 01.
    pub enforce_enable: bool,
    /// Answers 61xx to commands with data, as contact cards do; GET RESPONSE fetches the rest.
    pub contact_61xx: bool,
    /// Answers 6Cxx to a wrong or open Le, as contact cards do.
    pub contact_6cxx: bool,
    /// The whole log can be read at once (P2 C5).
    pub log_at_once: bool,
    /// The top bit of the balance is garbage.
    pub balance_top_bit: bool,
    /// Time that each command takes.
    pub delay_ms: u64,
}

impl Default for Quirks {
    fn default() -> Self {
        Self {
            prove_counter: ProofCounter::After,
            log_counter: Shift::Before,
            no_proof_status: 0x9406,
            drops_proof_at_initialize: false,
            prove_needs_pin: false,
            no_pin_status: 0x9403,
            wrong_pin: WrongPin::Standard,
            unknown_key_status: 0x9403,
            blocked_select: BlockedSelect::Bare,
            overflow: Overflow::Initialize,
            enforce_enable: true,
            contact_61xx: false,
            contact_6cxx: false,
            log_at_once: false,
            balance_top_bit: false,
            delay_ms: 0,
        }
    }
}

/// The counter that GET TRANSACTION PROVE wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProofCounter {
    /// As it is after the transaction (n + 1): most cards.
    After,
    /// As it was before (n).
    Before,
    /// Either.
    Both,
}

/// A counter before or after its transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shift {
    /// n.
    Before,
    /// n + 1.
    After,
}

/// How a wrong PIN is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WrongPin {
    /// 63Cx.
    Standard,
    /// 6C0x.
    #[serde(rename = "6c0x")]
    SixC,
}

/// How SELECT of a blocked application is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BlockedSelect {
    /// 6A81.
    Bare,
    /// 6A81 with an FCI.
    WithFci,
    /// 6283 with an FCI.
    Warning,
}

/// Which command refuses a load above the highest balance, with 6985.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overflow {
    /// INITIALIZE FOR LOAD.
    Initialize,
    /// CREDIT FOR LOAD.
    Credit,
}
