//! Requests on one connection, in whatever pieces they come.

use super::*;

#[tokio::test]
async fn requests_one_after_another_are_all_answered_on_one_connection() {
    let house = House::open(PATIENCE);
    for protocols in [&[][..], &[&b"http/1.1"[..]]] {
        let mut peer = house.peer(protocols).await;
        for round in 0..50 {
            let body = format!("{round}").repeat(round * 20);
            send(&mut peer, &posted("/echo", &body)).await;
            let (head, said) = answer(&mut peer).await;
            assert!(head.starts_with("HTTP/1.1 200"), "{head}");
            assert!(!head.contains("connection:"), "it goes on: {head}");
            assert_eq!(said, body);
        }
        assert_eq!(house.crowd.connections(), 1, "it was the same one");
        drop(peer);
        house.is_left_empty().await;
    }
}

#[tokio::test]
async fn requests_that_come_at_once_are_answered_in_turn_and_half_a_one_when_it_is_whole() {
    let house = House::open(PATIENCE);
    let mut peer = house.peer(&[]).await;
    let mut text = String::new();
    for at in 0..100 {
        text.push_str(&posted("/echo", &format!("{at}")));
        text.push_str(HERE);
    }
    let (half, other_half) = HERE.split_at(11);
    send(&mut peer, &(text + half)).await;
    for at in 0..100 {
        assert_eq!(answer(&mut peer).await.1, format!("{at}"));
        assert_eq!(answer(&mut peer).await.1, "here");
    }
    sleep(Duration::from_millis(50)).await;
    send(&mut peer, other_half).await;
    assert_eq!(answer(&mut peer).await.1, "here");
}

#[tokio::test]
async fn a_request_may_come_in_single_bytes() {
    let house = House::open(PATIENCE);
    let mut peer = house.peer(&[]).await;
    for body in ["first", "second"] {
        for byte in posted("/echo", body).chars() {
            send(&mut peer, &byte.to_string()).await;
            sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(answer(&mut peer).await.1, body);
    }
}

#[tokio::test]
async fn a_body_that_nobody_reads_is_never_taken_for_a_request() {
    let house = House::open(PATIENCE);
    for early in [0, 10, 500] {
        let mut peer = house.peer(&[]).await;
        let text = posted("/deaf", &HERE.repeat(200));
        let (now, later) = text.split_at(text.find("GET").unwrap() + early);
        send(&mut peer, now).await;
        assert_eq!(answer(&mut peer).await.1, "heard nothing");
        let _refused = peer.write_all(later.as_bytes()).await;
        let _refused = peer.shutdown().await;
        assert_eq!(rest(&mut peer).await, "", "no other answer");
    }
    house.is_left_empty().await;
}

#[tokio::test]
async fn who_asks_for_the_end_gets_it_at_once() {
    let house = House::open(PATIENCE);
    for text in [
        "GET /here HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
        "GET /here HTTP/1.0\r\n\r\n",
        "nonsense\r\n\r\n",
    ] {
        let mut peer = house.peer(&[]).await;
        send(&mut peer, HERE).await;
        answer(&mut peer).await;
        send(&mut peer, text).await;
        let said = rest(&mut peer).await;
        assert!(said.starts_with("HTTP/1.") && said.len() > 20, "{said}");
    }
    house.is_left_empty().await;
}
