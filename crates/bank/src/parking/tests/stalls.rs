//! Peers that hold a connection and let nothing end on it.

use reqwest::Client;

use super::*;

/// More than the buffers of two sockets, and of TLS between them, hold together.
const LARGE: usize = 32 << 20;
const LARGE_ONE: &str = "GET /large HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// One with HTTP/2, which answers every PING, asks by its own all the time, and takes so many bytes of an answer unread.
fn lively(house: &House, window: u32) -> (Client, String) {
    let client = Client::builder()
        .use_preconfigured_tls(house.client(&[b"h2"]))
        .pool_idle_timeout(None)
        .http2_keep_alive_interval(Duration::from_millis(100))
        .http2_keep_alive_while_idle(true)
        .http2_initial_stream_window_size(window);
    let url = format!("https://localhost:{}", house.address.port());
    (client.build().unwrap(), url)
}

#[tokio::test]
async fn silence_ends_a_connection_with_http2_too_whatever_signs_of_life_it_gives() {
    let house = House::open(SHORT);
    let (client, url) = lively(&house, 65_535);
    let here = format!("{url}/here");
    let began = Instant::now();
    for _ in 0..4 {
        let said = client.get(&here).send().await.unwrap();
        assert_eq!(said.text().await.unwrap(), "here");
        assert_eq!(house.crowd.connections(), 1, "it was the same one");
        sleep(Duration::from_millis(500)).await;
    }
    assert!(
        began.elapsed() > SHORT.next_request,
        "each has its own time"
    );
    house.is_left_empty().await;
    let said = client.get(&here).send().await.unwrap();
    assert_eq!(said.text().await.unwrap(), "here", "on another one");
}

#[tokio::test]
async fn what_is_in_work_is_no_silence() {
    let house = House::open(Patience {
        next_request: Duration::from_millis(200),
        ..SHORT
    });
    let (client, url) = lively(&house, 65_535);
    let said = client.get(format!("{url}/here")).send().await.unwrap();
    assert_eq!(said.text().await.unwrap(), "here");
    let slow = async {
        let said = client.get(format!("{url}/slow")).send().await.unwrap();
        assert_eq!(said.text().await.unwrap(), "at last");
    };
    let beside = async {
        sleep(Duration::from_millis(400)).await;
        let said = client.get(format!("{url}/here")).send().await.unwrap();
        assert_eq!(said.text().await.unwrap(), "here");
        assert_eq!(house.crowd.connections(), 1, "it was the same one");
    };
    tokio::join!(slow, beside);
    house.is_left_empty().await;
}

#[tokio::test]
async fn an_answer_that_http2_has_no_leave_to_send_holds_nothing_for_long() {
    let house = House::open(SHORT);
    let (client, url) = lively(&house, 1_000);
    let unread = client.get(format!("{url}/large")).send().await.unwrap();
    assert_eq!(unread.status(), 200);
    house.is_left_empty().await;
    assert!(unread.bytes().await.is_err(), "it was cut");
}

#[tokio::test]
async fn a_peer_that_takes_nothing_of_its_answer_is_cut() {
    let house = House::open(SHORT);
    let mut one = house.peer(&[]).await;
    send(&mut one, LARGE_ONE).await;
    // Many answers that are small are not taken either.
    let mut many = house.peer(&[]).await;
    let flood = async {
        let asked = HERE.repeat(1_000);
        while many.write_all(asked.as_bytes()).await.is_ok() {}
    };
    timeout(SOON, flood).await.expect("it was cut as well");
    house.is_left_empty().await;
    let mut got = Vec::new();
    let _cut = timeout(SOON, one.read_to_end(&mut got)).await.unwrap();
    assert!(got.len() < LARGE, "the rest is not kept for it");
}

#[tokio::test]
async fn a_peer_that_is_slow_and_steady_gets_all_of_it() {
    let house = House::open(SHORT);
    let mut peer = house.peer(&[]).await;
    send(&mut peer, LARGE_ONE).await;
    let began = Instant::now();
    let mut piece = vec![0; LARGE / 100];
    for _ in 0..100 {
        let read = timeout(SOON, peer.read_exact(&mut piece)).await;
        read.expect("in time").expect("it was not cut");
        sleep(Duration::from_millis(20)).await;
    }
    assert!(began.elapsed() > SHORT.taking, "in more than one patience");
}
