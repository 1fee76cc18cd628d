//! Each thing that can be broken between a card and its bank, broken: the diagnostics name it, and nothing else.

use std::net::TcpListener;
use std::sync::Arc;

use card_link::{CardContact, CardReader, LinkError, ReaderState, ReaderStatus};
use ipc::{
    Code, Command, DiagnosticPart as Part, DiagnosticState as State, DiagnosticView, Hop, Reply,
    TimesView, TransactionKind,
};
use session::shells::{SimulatedReader, VaultError};
use tapfill_tests::Person;
use tokio::sync::watch;

use crate::hostile::packages::{offer, shipped};
use crate::stage::Stage;

async fn checked(person: &Person) -> (Vec<DiagnosticView>, String) {
    let reply = person.give(Command::RunDiagnostics).await.unwrap();
    let Reply::Diagnostics { parts, report } = reply else {
        panic!("{reply:?}");
    };
    (parts, report)
}

/// What is not right, as `part: code`, and what could not be seen, as `part after part`.
fn told(parts: &[DiagnosticView]) -> Vec<String> {
    let faults = parts.iter().filter(|part| part.state != State::Ok);
    faults
        .map(|it| match (it.code, it.after) {
            (Some(code), _) => format!("{:?}: {}", it.part, code.as_str()),
            (None, Some(first)) => format!("{:?} after {first:?}", it.part),
            (None, None) => format!("{:?} not tried", it.part),
        })
        .collect()
}

pub(crate) async fn faults(person: &Person) -> Vec<String> {
    told(&checked(person).await.0)
}

const NOTHING: [&str; 0] = [];
/// What nobody sees while the security server is not asked.
const BEHIND_BOTH: [&str; 2] = ["Clock after SecurityServer", "Tls after SecurityServer"];

#[tokio::test(flavor = "multi_thread")]
async fn where_all_is_well_every_part_is_so_and_the_report_tells_nothing_private() {
    let stage = Stage::ready().await;
    stage.person.top_up(500).await.unwrap();
    stage.person.give(Command::Leave).await.unwrap();
    let (parts, report) = checked(&stage.person).await;
    assert_eq!(told(&parts), NOTHING);
    assert_eq!(parts.len(), 11);
    let view = stage.person.look();
    let home = stage.dir.path().display().to_string();
    let terminal = view.terminal.unwrap();
    for private in [
        "13800006021",
        "6021",
        "4471",
        "246810",
        terminal.id.as_str(),
        terminal.key_check_value.as_str(),
        home.as_str(),
        "5.00",
    ] {
        assert!(!report.contains(private), "{private} in\n{report}");
    }
    for useful in [
        "tls: ok",
        "packages: 0001 v1 (bank)",
        "times of topup, 1 runs",
        "readers: Tapfill Simulator",
    ] {
        assert!(report.contains(useful), "{useful} in\n{report}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_does_not_resolve_stands_before_all_behind_it() {
    let mut stage = Stage::ready().await;
    // Longer than a name may be (RFC 1035, 2.3.4): no server is asked for it.
    let nobody = format!("https://{}.invalid:8443", "a".repeat(64));
    stage.restart_with(|profile| {
        profile.security_url.clone_from(&nobody);
        profile.transaction_url = nobody;
    });
    let expected = [
        "Clock after Dns",
        "Dns: name-unknown",
        "Tls after Dns",
        "SecurityServer after Dns",
        "TransactionServer after Dns",
    ];
    let found = faults(&stage.person).await;
    // A machine without any network says so instead.
    let found: Vec<_> = found
        .iter()
        .map(|it| it.replace("network-none", "name-unknown"))
        .collect();
    assert_eq!(found, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_pin_is_a_matter_of_trust() {
    let mut stage = Stage::ready().await;
    stage.restart_with(|profile| profile.pins = vec!["00".repeat(32)]);
    let expected = [
        "Clock after Tls",
        "Tls: certificate-swapped",
        "SecurityServer after Tls",
        "TransactionServer after Tls",
    ];
    assert_eq!(faults(&stage.person).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bank_that_is_down_is_told_apart_from_this_devices_own_faults() {
    let mut stage = Stage::ready().await;
    stage.stop_bank().await;
    let servers = [
        "SecurityServer: server-stopped",
        "TransactionServer: server-stopped",
    ];
    let expected = [BEHIND_BOTH, servers].concat();
    assert_eq!(faults(&stage.person).await, expected);
    stage.start_bank().await;
    assert_eq!(faults(&stage.person).await, NOTHING, "and heals");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_server_is_down_and_the_other_well() {
    let mut stage = Stage::ready().await;
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", free.local_addr().unwrap());
    drop(free);
    stage.restart_with(|profile| profile.transaction_url = url);
    stage.person.ready().await.unwrap();
    assert_eq!(
        faults(&stage.person).await,
        ["TransactionServer: server-stopped"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_up_in_the_handshake_is_neither_down_nor_distrusted() {
    let stage = Stage::wired().await;
    stage.wire().cut(crate::wire::Mode::Dead, 0);
    // A connection that stood before goes on; the app that starts now has none.
    let fresh = stage.second_device();
    let expected = ["Tls: connection-cut", "TransactionServer after Tls"];
    let found = faults(&fresh).await;
    assert_eq!(found[found.len() - 2..], expected, "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_off_says_by_how_much() {
    let stage = Stage::ready().await;
    stage.clock.ahead(3_600_000);
    let (parts, report) = checked(&stage.person).await;
    assert_eq!(told(&parts), ["Clock: clock-wrong"]);
    let clock = parts.iter().find(|part| part.part == Part::Clock).unwrap();
    let ahead_s: i64 = clock.params["off_s"].parse().unwrap();
    assert!((3_590..=3_610).contains(&ahead_s), "{ahead_s}");
    assert!(report.contains("clock: clock-wrong, off_s 3"), "{report}");
    stage.clock.ahead(-120_000);
    assert_eq!(
        faults(&stage.person).await,
        NOTHING,
        "two minutes are no fault"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keystore_is_locked_or_has_lost_its_key() {
    let stage = Stage::ready().await;
    stage.vault.fail_with(Some(VaultError::Locked));
    assert_eq!(faults(&stage.person).await, ["Keystore: keystore-locked"]);
    stage.vault.fail_with(None);
    stage.vault.empty();
    assert_eq!(faults(&stage.person).await, ["Keystore: keystore-emptied"]);
}

/// A reader of a system that has none to give.
struct NoReader(watch::Sender<ReaderStatus>);

impl NoReader {
    fn because(state: ReaderState) -> Arc<Self> {
        let status = ReaderStatus {
            state,
            ..ReaderStatus::default()
        };
        Arc::new(Self(watch::channel(status).0))
    }
}

impl CardReader for NoReader {
    fn watch(&self) -> watch::Receiver<ReaderStatus> {
        self.0.subscribe()
    }

    fn choose(&self, _: Option<String>) {}

    fn open(&self) -> card_link::Future<'_, Result<Box<dyn CardContact>, LinkError>> {
        Box::pin(std::future::ready(Err(LinkError::ServiceDown)))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_readers_service_is_down_or_forbidden_or_has_no_reader() {
    let stage = Stage::ready().await;
    for (state, expected) in [
        (
            ReaderState::ServiceDown,
            vec![
                "Service: service-down",
                "Reader after Service",
                "OtherPrograms after Service",
            ],
        ),
        (
            ReaderState::Denied,
            vec![
                "Service: reader-denied",
                "Reader after Service",
                "OtherPrograms after Service",
            ],
        ),
        (
            ReaderState::None,
            vec!["Reader: reader-none", "OtherPrograms after Reader"],
        ),
    ] {
        stage.stop_app();
        let person = stage.person_with(NoReader::because(state));
        person.ready().await.unwrap();
        assert_eq!(faults(&person).await, expected, "{state:?}");
        person.session.kill();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_held_by_another_program_is_told_and_no_command_reaches_it() {
    let stage = Stage::ready().await;
    stage.stop_app();
    let reader = Arc::new(SimulatedReader::new(stage.slot.clone()));
    let person = stage.person_with(reader.clone());
    person.ready().await.unwrap();
    let held = reader.open().await.unwrap();
    assert_eq!(faults(&person).await, ["OtherPrograms: reader-busy"]);
    drop(held);
    assert_eq!(faults(&person).await, NOTHING, "free again");
    assert_eq!(stage.slot.record().len(), 0, "the card was asked nothing");
    stage.slot.remove();
    let gone = |view: &ipc::AppView| view.reader.state == ipc::ReaderKind::Empty;
    person.until("an empty reader", gone).await.unwrap();
    assert_eq!(
        faults(&person).await,
        ["OtherPrograms not tried"],
        "no card is no fault"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_package_of_the_bank_no_card_can_be_loaded() {
    let mut stage = Stage::new().await;
    stage.stop_bank().await;
    let fresh = stage.second_device();
    let found = faults(&fresh).await;
    assert!(
        found.contains(&"Packages: package-none".to_owned()),
        "{found:?}"
    );
    assert!(
        !found.iter().any(|it| it.starts_with("Keystore")),
        "no key yet is no fault: {found:?}"
    );
    stage.start_bank().await;
    fresh.ready().await.unwrap();
    let from_bank = |view: &ipc::AppView| view.packages.iter().any(|it| it.signer.is_some());
    fresh
        .until("packages of the bank", from_bank)
        .await
        .unwrap();
    assert_eq!(faults(&fresh).await, NOTHING);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_package_that_is_older_than_the_banks_is_told_and_fetched() {
    let mut stage = Stage::ready().await;
    let liar = stage.lied_to();
    stage.person.ready().await.unwrap();
    let online = |view: &ipc::AppView| view.network == ipc::NetworkState::Online;
    stage.person.until("the bank", online).await.unwrap();
    let next = shipped("0001").replacen(r#""version": 1"#, r#""version": 2"#, 1);
    liar.serve(&[offer(&stage, "0001", 2, &next)]);
    let (parts, _) = checked(&stage.person).await;
    assert_eq!(told(&parts), ["Packages: package-old"]);
    let packages = parts
        .iter()
        .find(|part| part.part == Part::Packages)
        .unwrap();
    assert_eq!(packages.params["industry"], "0001");
    let second = |it: &ipc::PackageView| it.industry == "0001" && it.version == 2;
    let newer = |view: &ipc::AppView| view.packages.iter().any(second);
    stage
        .person
        .until("the newer package", newer)
        .await
        .unwrap();
    assert_eq!(faults(&stage.person).await, NOTHING);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_package_that_was_not_taken_keeps_its_own_code() {
    let mut stage = Stage::ready().await;
    let liar = stage.lied_to();
    let mut unsigned = offer(&stage, "0002", 9, shipped("0002"));
    unsigned["signature"] = serde_json::json!("");
    liar.serve(&[unsigned]);
    stage.person.ready().await.unwrap();
    stage.person.give(Command::RenewKey).await.unwrap();
    let refused = |view: &ipc::AppView| !view.refused_packages.is_empty();
    stage.person.until("a refusal", refused).await.unwrap();
    let found = faults(&stage.person).await;
    assert_eq!(
        found,
        [format!("Packages: {}", Code::PackageUnsigned.as_str())]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_that_the_bank_blocked_hears_it_from_the_check() {
    let stage = Stage::ready().await;
    let id = stage.person.look().terminal.unwrap().id;
    assert!(stage.bank().revoke(&id).await.unwrap());
    assert_eq!(
        faults(&stage.person).await,
        ["SecurityServer: terminal-revoked"]
    );
}

async fn times(person: &Person) -> Vec<TimesView> {
    let reply = person.give(Command::Times).await.unwrap();
    let Reply::Times { kinds } = reply else {
        panic!("{reply:?}");
    };
    kinds
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_of_each_hop_is_kept_over_a_start_and_forgotten_with_the_device() {
    let mut stage = Stage::ready().await;
    assert_eq!(times(&stage.person).await, []);
    stage.person.balance().await.unwrap();
    stage.person.top_up(500).await.unwrap();
    stage.person.top_up(500).await.unwrap();
    stage.person.give(Command::Leave).await.unwrap();
    let kinds = times(&stage.person).await;
    let counts: Vec<_> = kinds.iter().map(|it| (it.kind, it.runs)).collect();
    let expected = [(TransactionKind::Topup, 2), (TransactionKind::Balance, 1)];
    assert_eq!(
        counts, expected,
        "reading the card for a top-up is no balance"
    );
    let hops: Vec<_> = kinds[0].hops.iter().map(|hop| hop.hop).collect();
    let all = [
        Hop::Card,
        Hop::App,
        Hop::Cipher,
        Hop::Network,
        Hop::Bank,
        Hop::Total,
    ];
    assert_eq!(hops, all, "the bank tells its own time");
    let of = |hop: Hop| kinds[0].hops.iter().find(|it| it.hop == hop).unwrap();
    let away_ms = of(Hop::Network).p95_ms + of(Hop::Bank).p95_ms;
    assert!(away_ms > 0.0, "{kinds:?}");
    for hop in &kinds[0].hops {
        assert!(
            hop.p50_ms <= hop.p95_ms && hop.p95_ms <= of(Hop::Total).p95_ms,
            "{hop:?}"
        );
    }
    stage.restart_app();
    stage.person.ready().await.unwrap();
    assert_eq!(times(&stage.person).await, kinds, "kept");
    stage.person.give(Command::EraseDevice).await.unwrap();
    assert_eq!(times(&stage.person).await, [], "forgotten");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_broke_off_is_no_measure() {
    let stage = Stage::ready().await;
    stage
        .slot
        .arm(crate::hostile::tear(0x52, virtual_card::Moment::Before));
    stage.person.top_up(500).await.unwrap_err();
    assert_eq!(times(&stage.person).await, []);
}
