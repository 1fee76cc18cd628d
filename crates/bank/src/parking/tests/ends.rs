//! How a connection ends: by silence, by a stop, by who leaves.

use super::*;

#[tokio::test]
async fn silence_ends_and_a_head_by_drops_has_no_more_time_than_silence() {
    let house = House::open(SHORT);
    let mut mute = house.peer(&[]).await;
    let mut silent_later = house.peer(&[]).await;
    let mut drops_later = house.peer(&[]).await;
    let mut mute_in_http2 = house.peer(&[b"h2"]).await;
    for peer in [&mut silent_later, &mut drops_later] {
        send(peer, HERE).await;
        answer(peer).await;
    }
    let began = Instant::now();
    let dropping = async {
        // Most of the time is over before the first drop.
        sleep(Duration::from_millis(1_200)).await;
        while drops_later.write_all(b"G").await.is_ok() && drops_later.flush().await.is_ok() {
            sleep(Duration::from_millis(50)).await;
        }
        began.elapsed()
    };
    let silence = async {
        assert_eq!(rest(&mut mute).await, "");
        let first = began.elapsed();
        let _greeting = rest(&mut mute_in_http2).await;
        assert_eq!(rest(&mut silent_later).await, "");
        (first, began.elapsed())
    };
    let (dropped, (first, next)) = tokio::join!(dropping, silence);
    assert!(
        first < SHORT.next_request,
        "the first in its own time: {first:?}"
    );
    for took in [dropped, next] {
        assert!(took >= Duration::from_millis(1_300), "not before: {took:?}");
        assert!(took < SHORT.next_request * 2, "and not anew: {took:?}");
    }
    house.is_left_empty().await;
}

#[tokio::test]
async fn a_stop_ends_the_silent_at_once_and_lets_a_request_in_work_finish() {
    let house = House::open(PATIENCE);
    let mut fresh = house.peer(&[]).await;
    let mut silent = house.peer(&[]).await;
    send(&mut silent, HERE).await;
    answer(&mut silent).await;
    let mut asking = house.peer(&[]).await;
    send(&mut asking, &HERE.replace("/here", "/slow")).await;
    sleep(Duration::from_millis(100)).await;
    let began = Instant::now();
    house.stopping.send(true).unwrap();
    assert_eq!(rest(&mut silent).await, "");
    assert_eq!(rest(&mut fresh).await, "");
    assert!(began.elapsed() < Duration::from_millis(300), "at once");
    let (head, said) = answer(&mut asking).await;
    assert!(head.contains("connection: close"), "{head}");
    assert_eq!(said, "at last");
    timeout(SOON, house.stopping.closed())
        .await
        .expect("nobody is left");
    assert_eq!(house.crowd.connections(), 0);
    assert!(TcpStream::connect(house.address).await.is_err(), "closed");
}

#[tokio::test]
async fn whoever_leaves_while_nothing_is_on_its_way_frees_their_share() {
    let house = House::open(PATIENCE);
    let mut peers = Vec::new();
    for _ in 0..4 {
        let mut peer = house.peer(&[]).await;
        send(&mut peer, HERE).await;
        answer(&mut peer).await;
        peers.push(peer);
    }
    assert_eq!(house.crowd.connections(), 4);
    for (at, mut peer) in peers.into_iter().enumerate() {
        if at % 2 == 0 {
            peer.shutdown().await.unwrap();
            assert_eq!(rest(&mut peer).await, "", "a goodbye is answered");
        }
    }
    house.is_left_empty().await;
}
