use crate::support::{ok, word};
use purse::command::{PURSE_AID, read_file15, select};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use virtual_card::{AnyProfile, Card, CardProfile, Fault, Moment, Slot, control, vpcd};

const PATIENCE: Duration = Duration::from_secs(5);

/// vpcd as Debian builds it: length and body in two writes, without NODELAY.
struct Reader {
    listener: TcpListener,
    stream: TcpStream,
}

impl Reader {
    async fn with(slot: &Slot) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        tokio::spawn(vpcd::serve(listener.local_addr().unwrap(), slot.clone()));
        let stream = Self::next_card(&listener).await;
        Self { listener, stream }
    }

    async fn next_card(listener: &TcpListener) -> TcpStream {
        timeout(PATIENCE, listener.accept())
            .await
            .expect("a card connects")
            .unwrap()
            .0
    }

    async fn send(&mut self, body: &[u8]) {
        let length = u16::try_from(body.len()).unwrap();
        self.stream.write_all(&length.to_be_bytes()).await.unwrap();
        self.stream.write_all(body).await.unwrap();
    }

    /// Next message of the card; `None` when the card left.
    async fn receive(&mut self) -> Option<Vec<u8>> {
        let length = timeout(PATIENCE, self.stream.read_u16())
            .await
            .expect("an answer")
            .ok()?;
        let mut body = vec![0; usize::from(length)];
        self.stream.read_exact(&mut body).await.ok()?;
        Some(body)
    }

    async fn transmit(&mut self, command: &[u8]) -> Option<Vec<u8>> {
        self.send(command).await;
        self.receive().await
    }
}

fn demo_slot() -> Slot {
    Slot::with_card(Card::new(CardProfile::demo()))
}

#[tokio::test]
async fn vpcd_gets_atr_power_and_replies() {
    let slot = demo_slot();
    let mut reader = Reader::with(&slot).await;
    assert_eq!(
        reader.transmit(&[4]).await.unwrap(),
        CardProfile::demo().atr
    );
    reader.send(&[1]).await;
    let reply = reader.transmit(&select(&PURSE_AID).unwrap()).await.unwrap();
    assert_eq!(ok(&reply).len(), 0x34);
    reader.send(&[2]).await;
    let reply = reader.transmit(&read_file15()).await.unwrap();
    assert_eq!(word(&reply), 0x6985, "the reset ended the session");
    reader.send(&[0]).await;
    assert!(
        reader.transmit(&[4]).await.is_some(),
        "the ATR comes without power too"
    );
    assert!(!slot.status().powered);
}

#[tokio::test]
async fn a_command_costs_no_delayed_acknowledgement() {
    let slot = demo_slot();
    let mut reader = Reader::with(&slot).await;
    reader.send(&[1]).await;
    let start = std::time::Instant::now();
    for _ in 0..50 {
        reader.transmit(&read_file15()).await.unwrap();
    }
    let each = start.elapsed() / 50;
    assert!(
        each < Duration::from_millis(10),
        "{each:?}: a delayed ACK costs 40 ms"
    );
}

#[tokio::test]
async fn removal_ends_the_connection_and_insertion_makes_a_new_one() {
    let slot = demo_slot();
    let mut reader = Reader::with(&slot).await;
    slot.remove();
    assert_eq!(reader.receive().await, None);
    slot.insert();
    reader.stream = Reader::next_card(&reader.listener).await;
    assert!(reader.transmit(&[4]).await.is_some());
}

#[tokio::test]
async fn a_tear_closes_the_connection_without_a_reply() {
    let slot = demo_slot();
    let mut reader = Reader::with(&slot).await;
    reader.send(&[1]).await;
    slot.arm(Fault::Tear {
        ins: Some(0xA4),
        moment: Moment::After,
        nth: 1,
    });
    assert_eq!(reader.transmit(&select(&PURSE_AID).unwrap()).await, None);
    let again = timeout(Duration::from_millis(900), reader.listener.accept()).await;
    assert!(again.is_err(), "no card until insert");
}

#[tokio::test]
async fn a_slow_card_taken_out_leaves_at_once() {
    let slot = demo_slot();
    let mut reader = Reader::with(&slot).await;
    reader.send(&[1]).await;
    slot.arm(Fault::Slow { ms: 60_000 });
    reader.send(&read_file15()).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    slot.remove();
    assert_eq!(reader.receive().await, None);
    assert!(slot.record().is_empty(), "the command never reached it");
}

#[tokio::test]
async fn a_reader_that_starts_late_or_again_is_found() {
    let slot = demo_slot();
    let place = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    tokio::spawn(vpcd::serve(place, slot));
    tokio::time::sleep(Duration::from_millis(50)).await;
    let listener = TcpListener::bind(place).await.unwrap();
    drop(Reader::next_card(&listener).await);
    let mut reader = Reader {
        stream: Reader::next_card(&listener).await,
        listener,
    };
    assert!(reader.transmit(&[4]).await.is_some());
}

async fn tell(lines: &mut BufReader<TcpStream>, line: &str) -> String {
    lines
        .get_mut()
        .write_all(format!("{line}\n").as_bytes())
        .await
        .unwrap();
    let mut answer = String::new();
    timeout(PATIENCE, lines.read_line(&mut answer))
        .await
        .expect("an answer")
        .unwrap();
    answer.trim_end().to_owned()
}

#[tokio::test]
async fn the_control_port_works_the_slot() {
    let slot = demo_slot();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = listener.local_addr().unwrap();
    tokio::spawn(control::serve(listener, slot.clone()));
    let mut lines = BufReader::new(TcpStream::connect(place).await.unwrap());
    for line in [
        "remove",
        "insert",
        "tear 52 after",
        "tear any before 3",
        "slow 5",
        "garbage B0",
    ] {
        assert_eq!(tell(&mut lines, line).await, "ok", "{line}");
    }
    assert_eq!(slot.status().faults.len(), 4);
    assert_eq!(tell(&mut lines, "clear").await, "ok");
    assert_eq!(tell(&mut lines, "replace demo-inactive").await, "ok");
    let status = tell(&mut lines, "status").await;
    let status: serde_json::Value =
        serde_json::from_str(status.strip_prefix("ok ").unwrap()).unwrap();
    assert_eq!(status["card"]["serial"], "00006217000000008826");
    assert_eq!(status["present"], true);
    slot.power_on();
    let _ = slot.transmit(&select(&PURSE_AID).unwrap());
    let record = tell(&mut lines, "record").await;
    let head = r#"{"head":"00A4040009","length":15,"reply_length":54,"status":"9000"}"#;
    assert_eq!(record, format!("ok [{head}]"));
    let json = serde_json::to_string(&CardProfile::demo_pin()).unwrap();
    assert_eq!(tell(&mut lines, &format!("swap {json}")).await, "ok");
    assert!(slot.profile().unwrap().pin.is_some());
}

#[test]
fn the_control_port_takes_cards_of_every_technology() {
    let slot = demo_slot();
    let card = |line: &str| {
        assert_eq!(control::obey(&slot, line), "ok", "{line}");
        let status = control::obey(&slot, "status");
        let json: serde_json::Value =
            serde_json::from_str(status.strip_prefix("ok ").unwrap()).unwrap();
        json["card"].clone()
    };
    let purse = card("spend 850");
    assert_eq!(purse["technology"], "purse");
    assert_eq!(
        (&purse["balance"], &purse["offline_counter"]),
        (&12_000.into(), &43.into())
    );
    assert_eq!(purse["log"][0]["amount"], 850);
    let cash = card("replace cash");
    assert_eq!(cash["technology"], "electronic-cash");
    assert_eq!(
        cash["serial"], "5520",
        "no more of the number than may be shown"
    );
    assert_eq!(
        (&cash["balance"], &cash["atc"]),
        (&8_650.into(), &23.into())
    );
    assert_eq!(card("spend 50")["balance"], 8_600);
    let json = serde_json::to_string(&AnyProfile::named("cash-inactive").unwrap()).unwrap();
    assert_eq!(card(&format!("swap {json}"))["balance_limit"], 0);
}

#[test]
fn bad_lines_get_a_code_and_a_text() {
    let slot = demo_slot();
    for (line, code) in [
        ("", "unknown"),
        ("dance", "unknown"),
        ("insert", "no-card"),
        ("tear", "usage"),
        ("tear 52", "usage"),
        ("tear 52 later", "usage"),
        ("tear XY after", "usage"),
        ("tear 52 after 0", "usage"),
        ("slow", "usage"),
        ("slow -1", "usage"),
        ("replace /no/such/file", "profile"),
        ("replace {", "profile"),
        (r#"replace {"technology":"abacus"}"#, "profile"),
        ("spend", "usage"),
        ("spend 12851", "card"),
    ] {
        let answer = control::obey(&slot, line);
        assert!(
            answer.starts_with(&format!("error {code} ")),
            "{line}: {answer}"
        );
    }
    assert_eq!(control::obey(&slot, "remove"), "ok");
    assert!(control::obey(&slot, "remove").starts_with("error empty "));
}

#[tokio::test]
async fn a_line_without_end_is_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = listener.local_addr().unwrap();
    tokio::spawn(control::serve(listener, Slot::empty()));
    let mut stream = TcpStream::connect(place).await.unwrap();
    stream.write_all(&vec![b'a'; 64 * 1024]).await.unwrap();
    let mut answer = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut answer))
        .await
        .expect("the end")
        .unwrap();
    assert!(answer.starts_with("error too-long"));
}
