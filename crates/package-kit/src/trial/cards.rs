//! The card that was given, in other states.

use virtual_card::{AnyProfile, CashProfile};

use crate::anatomy::Anatomy;

const LONG_AGO: [u8; 4] = [0x20, 0x20, 0x12, 0x31];

/// Before its activation; none for kinds that have no such thing.
pub(crate) fn inactive(card: &AnyProfile, anatomy: &Anatomy) -> Option<AnyProfile> {
    match card {
        AnyProfile::Purse(profile) => {
            let mut profile = profile.clone();
            if anatomy.has_phase("unblock") {
                profile.blocked = true;
            } else {
                profile.enable_flag = 0;
            }
            Some(AnyProfile::Purse(profile))
        }
        AnyProfile::ElectronicCash(profile) => Some(AnyProfile::ElectronicCash(CashProfile {
            balance: 0,
            balance_limit: 0,
            single_limit: 0,
            ..profile.clone()
        })),
        AnyProfile::Recorded(_) => None,
    }
}

/// Its last day is over.
pub(crate) fn expired(card: &AnyProfile) -> Option<AnyProfile> {
    match card {
        AnyProfile::Purse(profile) => {
            let mut profile = profile.clone();
            profile.expiry = LONG_AGO;
            Some(AnyProfile::Purse(profile))
        }
        AnyProfile::ElectronicCash(profile) => {
            let mut profile = profile.clone();
            let [_, year, month, day] = LONG_AGO;
            profile.expiry = [year, month, day];
            Some(AnyProfile::ElectronicCash(profile))
        }
        AnyProfile::Recorded(_) => None,
    }
}

/// Blocked by its issuer.
pub(crate) fn blocked(card: &AnyProfile) -> Option<AnyProfile> {
    match card {
        AnyProfile::Purse(profile) => {
            let mut profile = profile.clone();
            profile.blocked = true;
            Some(AnyProfile::Purse(profile))
        }
        AnyProfile::ElectronicCash(profile) => {
            let mut profile = profile.clone();
            profile.blocked = true;
            Some(AnyProfile::ElectronicCash(profile))
        }
        AnyProfile::Recorded(_) => None,
    }
}

/// A card of the same kind and issuer with another number.
pub(crate) fn another(card: &AnyProfile) -> Option<AnyProfile> {
    match card {
        AnyProfile::Purse(profile) => {
            let mut profile = profile.clone();
            let [.., last] = &mut profile.serial;
            *last = if *last == 0x11 { 0x22 } else { 0x11 };
            Some(AnyProfile::Purse(profile))
        }
        AnyProfile::ElectronicCash(profile) => {
            let numbers = ["cash", "cash-inactive"].into_iter();
            let mut others = numbers.filter_map(CashProfile::named).map(|it| it.pan);
            let pan = others.find(|pan| pan.to_bcd(0) != profile.pan.to_bcd(0))?;
            let mut profile = profile.clone();
            profile.pan = pan;
            Some(AnyProfile::ElectronicCash(profile))
        }
        AnyProfile::Recorded(_) => None,
    }
}
