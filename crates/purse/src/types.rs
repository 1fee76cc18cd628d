//! Small values that commands, replies and codes share.

/// A terminal's number: 12 BCD digits in 6 bytes.
pub type Terminal = [u8; 6];

/// The type byte of a transaction, in codes, in the log and in GET TRANSACTION PROVE.
///
/// Source: JR/T 0025.2, transaction type identifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TransactionType {
    /// 01: load into the electronic deposit.
    DepositLoad,
    /// 02: load into the electronic purse.
    Load,
    /// 05: purchase from the electronic deposit.
    DepositPurchase,
    /// 06: purchase from the electronic purse.
    Purchase,
    /// 09: compound (CAPP) purchase.
    CompoundPurchase,
    /// Any other byte, as found.
    Other(u8),
}

impl TransactionType {
    /// The type that `byte` names; never fails.
    #[must_use]
    pub fn from_byte(byte: u8) -> Self {
        match byte {
            0x01 => Self::DepositLoad,
            0x02 => Self::Load,
            0x05 => Self::DepositPurchase,
            0x06 => Self::Purchase,
            0x09 => Self::CompoundPurchase,
            other => Self::Other(other),
        }
    }

    /// The byte on the wire.
    #[must_use]
    pub fn byte(self) -> u8 {
        match self {
            Self::DepositLoad => 0x01,
            Self::Load => 0x02,
            Self::DepositPurchase => 0x05,
            Self::Purchase => 0x06,
            Self::CompoundPurchase => 0x09,
            Self::Other(byte) => byte,
        }
    }
}

/// Which balance GET BALANCE asks for.
///
/// Source: JR/T 0025.2 for deposit and purse; T-Union's own values are field practice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Balance {
    /// P1 P2 `0001`: the electronic deposit.
    Deposit,
    /// P1 P2 `0002`: the electronic purse.
    Purse,
    /// P1 P2 `0302`: a T-Union purse.
    TransitUnion,
    /// P1 P2 `0202`: overdraft used, T-Union.
    OverdraftUsed,
    /// P1 P2 `0102`: overdraft limit, T-Union.
    OverdraftLimit,
}

impl Balance {
    /// P1 and P2 of the command.
    #[must_use]
    pub fn parameters(self) -> [u8; 2] {
        match self {
            Self::Deposit => [0x00, 0x01],
            Self::Purse => [0x00, 0x02],
            Self::TransitUnion => [0x03, 0x02],
            Self::OverdraftUsed => [0x02, 0x02],
            Self::OverdraftLimit => [0x01, 0x02],
        }
    }
}
