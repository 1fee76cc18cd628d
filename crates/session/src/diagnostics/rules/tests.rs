use std::time::Duration;

use bank_client::Way;

use super::*;

fn way() -> Way {
    Way {
        host: "bank.example".to_owned(),
        name: Some(true),
        connection: Some(Ok(())),
        ..Way::default()
    }
}

fn look(way: Way, answer: Option<Result<Health, ClientError>>) -> Look {
    Look {
        way,
        answer,
        took: Duration::ZERO,
    }
}

fn answered(status: u16) -> Look {
    let time_ms = Some(0);
    look(way(), Some(Ok(Health { status, time_ms })))
}

fn failed(error: ClientError) -> Look {
    look(way(), Some(Err(error)))
}

fn unconnected(why: Unconnected, no_network: bool) -> Look {
    let connection = Some(Err(why));
    let way = Way {
        connection,
        no_network,
        ..way()
    };
    look(way, None)
}

fn nameless(no_network: bool) -> Look {
    let way = Way {
        name: Some(false),
        connection: None,
        no_network,
        ..way()
    };
    look(way, None)
}

fn proxied(
    connection: Result<(), Unconnected>,
    answer: Option<Result<Health, ClientError>>,
) -> Look {
    let way = Way {
        proxy: Some("proxy.example:3128".to_owned()),
        name: None,
        connection: Some(connection),
        ..way()
    };
    look(way, answer)
}

fn good() -> Observed {
    Observed {
        reader: ReaderState::Card,
        contact: Some(Ok(())),
        keystore: Ok(true),
        enrolled: true,
        packages: PackagesSeen {
            from_bank: 2,
            ..PackagesSeen::default()
        },
        offset_ms: Some(0),
        security: answered(200),
        transaction: answered(200),
        refused: None,
    }
}

fn both(look: Look) -> Observed {
    Observed {
        security: look.clone(),
        transaction: look,
        offset_ms: None,
        ..good()
    }
}

/// What is not right, as `part: code` or `part after part`.
fn told(seen: &Observed) -> Vec<String> {
    let found = findings(seen).into_iter();
    found
        .filter(|finding| finding.state != State::Ok)
        .map(|it| match (it.code, it.after) {
            (Some(code), _) => format!("{:?}: {}", it.part, code.as_str()),
            (None, Some(first)) => format!("{:?} after {first:?}", it.part),
            (None, None) => format!("{:?} not tried", it.part),
        })
        .collect()
}

#[test]
fn where_nothing_is_wrong_every_part_is_told_once() {
    let found = findings(&good());
    assert_eq!(told(&good()), Vec::<String>::new());
    assert_eq!(found.len(), 11);
    let parts: Vec<Part> = found.iter().map(|finding| finding.part).collect();
    let mut sorted = parts.clone();
    sorted.sort();
    assert_eq!(parts, sorted, "in the order of the parts");
    sorted.dedup();
    assert_eq!(sorted.len(), 11, "each once");
}

#[test]
fn a_service_that_is_down_hides_the_reader_instead_of_accusing_it() {
    for (reader, code) in [
        (ReaderState::ServiceDown, "service-down"),
        (ReaderState::ServiceHung, "service-hung"),
        (ReaderState::NfcOff, "nfc-off"),
        (ReaderState::Denied, "reader-denied"),
    ] {
        let contact = None;
        let seen = Observed {
            reader,
            contact,
            ..good()
        };
        let behind = ["Reader after Service", "OtherPrograms after Service"];
        let service = format!("Service: {code}");
        assert_eq!(told(&seen), [service.as_str(), behind[0], behind[1]]);
    }
}

#[test]
fn a_service_that_hangs_shows_at_the_card_before_the_watch_tells_it() {
    let contact = Some(Err(LinkError::ServiceHung));
    let seen = Observed { contact, ..good() };
    let behind = ["Reader after Service", "OtherPrograms after Service"];
    assert_eq!(told(&seen), ["Service: service-hung", behind[0], behind[1]]);
}

#[test]
fn without_a_reader_or_nfc_nothing_is_said_of_other_programs() {
    for (reader, code) in [
        (ReaderState::None, "reader-none"),
        (ReaderState::NfcNone, "nfc-none"),
    ] {
        let contact = None;
        let seen = Observed {
            reader,
            contact,
            ..good()
        };
        let missing = format!("Reader: {code}");
        assert_eq!(
            told(&seen),
            [missing.as_str(), "OtherPrograms after Reader"]
        );
    }
}

#[test]
fn a_card_that_another_program_holds_is_told_apart_from_no_card() {
    let contact = Some(Err(LinkError::Busy));
    let held = Observed { contact, ..good() };
    assert_eq!(told(&held), ["OtherPrograms: reader-busy"]);
    let (reader, contact) = (ReaderState::Empty, None);
    let empty = Observed {
        reader,
        contact,
        ..good()
    };
    assert_eq!(
        told(&empty),
        ["OtherPrograms not tried"],
        "nothing is wrong"
    );
    let contact = Some(Err(LinkError::NoCard));
    let went = Observed { contact, ..good() };
    assert_eq!(
        told(&went),
        ["OtherPrograms not tried"],
        "it left meanwhile"
    );
}

#[test]
fn a_keystore_without_the_key_is_a_fault_only_of_an_enrolled_device() {
    let keystore = Ok(false);
    let emptied = Observed { keystore, ..good() };
    assert_eq!(told(&emptied), ["Keystore: keystore-emptied"]);
    let enrolled = false;
    let fresh = Observed {
        keystore,
        enrolled,
        ..good()
    };
    assert_eq!(told(&fresh), Vec::<String>::new());
    let keystore = Err(Code::KeystoreLocked);
    let locked = Observed { keystore, ..good() };
    assert_eq!(told(&locked), ["Keystore: keystore-locked"]);
}

#[test]
fn packages_are_missing_refused_or_older_than_the_banks() {
    let with = |packages| Observed { packages, ..good() };
    let none = PackagesSeen::default();
    assert_eq!(told(&with(none)), ["Packages: package-none"]);
    let industry = || "0002".to_owned();
    let refused = PackagesSeen {
        from_bank: 1,
        refused: Some((industry(), Code::PackageSigner)),
        newer: Some(industry()),
    };
    assert_eq!(told(&with(refused.clone())), ["Packages: package-signer"]);
    let newer = PackagesSeen {
        refused: None,
        ..refused
    };
    let found = findings(&with(newer.clone()));
    assert_eq!(told(&with(newer)), ["Packages: package-old"]);
    let params = found.into_iter().find(|it| it.part == Part::Packages);
    let industry = params.and_then(|it| it.params.get("industry").cloned());
    assert_eq!(industry.as_deref(), Some("0002"), "and says which");
}

#[test]
fn a_clock_is_wrong_beyond_five_minutes_and_says_by_how_much() {
    let at = |offset_ms| Observed {
        offset_ms: Some(offset_ms),
        ..good()
    };
    for off_ms in [0, 300_000, -300_000] {
        assert_eq!(told(&at(off_ms)), Vec::<String>::new(), "{off_ms}");
    }
    for (offset_ms, ahead_s) in [
        (300_001, "-300"),
        (-3_600_000, "3600"),
        (i64::MIN, "9223372036854775"),
    ] {
        assert_eq!(told(&at(offset_ms)), ["Clock: clock-wrong"], "{offset_ms}");
        let clock = findings(&at(offset_ms)).remove(5);
        assert_eq!(clock.params.get("off_s").map(String::as_str), Some(ahead_s));
    }
}

#[test]
fn a_name_that_nobody_knows_stands_before_everything_behind_it() {
    let behind = |code: &str| {
        [
            "Clock after Dns".to_owned(),
            format!("Dns: {code}"),
            "Tls after Dns".to_owned(),
            "SecurityServer after Dns".to_owned(),
            "TransactionServer after Dns".to_owned(),
        ]
    };
    assert_eq!(told(&both(nameless(false))), behind("name-unknown"));
    assert_eq!(
        told(&both(nameless(true))),
        behind("network-none"),
        "no way out at all"
    );
}

#[test]
fn a_server_that_is_down_is_told_apart_from_a_network_that_leads_nowhere() {
    let cases = [
        (Unconnected::Refused, false, "server-stopped"),
        (Unconnected::Silent, false, "server-unreached"),
        (Unconnected::NoRoute, false, "server-unreached"),
        (Unconnected::NoRoute, true, "network-none"),
        (Unconnected::Silent, true, "network-none"),
    ];
    for (why, no_network, code) in cases {
        let transaction = unconnected(why, no_network);
        let one = Observed {
            transaction,
            ..good()
        };
        let expected = format!("TransactionServer: {code}");
        assert_eq!(told(&one), [expected.as_str()], "{why:?}");
        let all = told(&both(unconnected(why, no_network)));
        let security = format!("SecurityServer: {code}");
        let waits = ["Clock after SecurityServer", "Tls after SecurityServer"];
        assert_eq!(
            all,
            [waits[0], waits[1], security.as_str(), expected.as_str()],
            "{why:?}"
        );
    }
}

#[test]
fn a_server_that_is_not_the_bank_is_a_matter_of_trust_and_not_of_the_server() {
    for (why, code) in [
        (Distrust::Expired, "certificate-expired"),
        (Distrust::Foreign, "certificate-foreign"),
        (Distrust::Name, "certificate-name"),
        (Distrust::Swapped, "certificate-swapped"),
        (Distrust::NotTls, "network-login"),
        (Distrust::Other, "bank-untrusted"),
    ] {
        let seen = both(failed(ClientError::Untrusted(why)));
        let tls = format!("Tls: {code}");
        let expected = [
            "Clock after Tls",
            tls.as_str(),
            "SecurityServer after Tls",
            "TransactionServer after Tls",
        ];
        assert_eq!(told(&seen), expected, "{why:?}");
    }
    let transaction = failed(ClientError::Untrusted(Distrust::Swapped));
    let one = Observed {
        transaction,
        ..good()
    };
    assert_eq!(
        told(&one),
        ["Tls: certificate-swapped", "TransactionServer after Tls"]
    );
}

#[test]
fn a_line_that_breaks_in_the_handshake_is_neither_trust_nor_server() {
    let seen = both(failed(ClientError::Offline));
    let found = told(&seen);
    assert!(
        found.contains(&"Tls: connection-cut".to_owned()),
        "{found:?}"
    );
    assert!(
        found.contains(&"SecurityServer after Tls".to_owned()),
        "{found:?}"
    );
}

#[test]
fn a_server_that_answers_badly_or_not_at_all_has_been_trusted() {
    for (look, code) in [
        (answered(500), "bank-error"),
        (answered(404), "bank-error"),
        (answered(503), "bank-busy"),
        (answered(429), "too-many"),
        (failed(ClientError::Silent), "bank-timeout"),
        (failed(ClientError::BadAnswer), "bank-untrusted"),
    ] {
        let security = look;
        let seen = Observed { security, ..good() };
        assert_eq!(told(&seen), [format!("SecurityServer: {code}")]);
    }
}

#[test]
fn a_proxy_is_away_or_refuses_or_does_its_work() {
    let away = both(proxied(Err(Unconnected::Refused), None));
    let servers = [
        "SecurityServer after Proxy",
        "TransactionServer after Proxy",
    ];
    assert_eq!(
        told(&away),
        [
            "Clock after Proxy",
            "Proxy: proxy-away",
            "Tls after Proxy",
            servers[0],
            servers[1]
        ]
    );
    let refuses = both(proxied(Ok(()), Some(Err(ClientError::Offline))));
    assert_eq!(
        told(&refuses),
        [
            "Clock after Proxy",
            "Proxy: proxy-refused",
            "Tls after Proxy",
            servers[0],
            servers[1]
        ]
    );
    let healthy = Health {
        status: 200,
        time_ms: Some(0),
    };
    let works = Observed {
        offset_ms: Some(0),
        ..both(proxied(Ok(()), Some(Ok(healthy))))
    };
    assert_eq!(told(&works), Vec::<String>::new());
    let proxy = findings(&works).remove(7);
    assert_eq!(
        proxy.params.get("proxy").map(String::as_str),
        Some("proxy.example:3128")
    );
    let looked_into = both(proxied(
        Ok(()),
        Some(Err(ClientError::Untrusted(Distrust::Foreign))),
    ));
    assert!(told(&looked_into).contains(&"Tls: certificate-foreign".to_owned()));
}

#[test]
fn a_server_that_does_not_want_this_terminal_is_told_though_it_is_well() {
    let refused = Some(Code::TerminalRevoked);
    let seen = Observed { refused, ..good() };
    assert_eq!(told(&seen), ["SecurityServer: terminal-revoked"]);
    let silent = Observed {
        security: failed(ClientError::Silent),
        ..seen
    };
    assert_eq!(
        told(&silent),
        ["SecurityServer: bank-timeout"],
        "what is nearer first"
    );
}
