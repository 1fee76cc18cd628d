//! Which of the two protocols is spoken.

use axum::http::Version;

use super::*;

/// Thirty requests, ten at a time, by a client that offers these protocols: what it spoke.
async fn spoken(house: &House, protocols: &[&[u8]]) -> Version {
    let client = reqwest::Client::builder().use_preconfigured_tls(house.client(protocols));
    let client = client.build().unwrap();
    let url = format!("https://localhost:{}/echo", house.address.port());
    let mut spoken = Vec::new();
    for _ in 0..3 {
        let asked = (0..10).map(|at| client.post(&url).body(format!("{at}")).send());
        for (at, said) in futures_util::future::join_all(asked)
            .await
            .into_iter()
            .enumerate()
        {
            let said = said.unwrap();
            spoken.push(said.version());
            assert_eq!(said.text().await.unwrap(), format!("{at}"));
        }
    }
    spoken.dedup();
    assert_eq!(spoken.len(), 1, "one protocol throughout");
    spoken.remove(0)
}

#[tokio::test]
async fn http2_has_many_requests_on_one_connection_as_before() {
    let house = House::open(PATIENCE);
    assert_eq!(spoken(&house, &[b"h2"]).await, Version::HTTP_2);
    house.is_left_empty().await;
}

#[tokio::test]
async fn who_offers_both_speaks_the_one_that_costs_less_between_two_requests() {
    let house = House::open(PATIENCE);
    for both in [[&b"h2"[..], b"http/1.1"], [b"http/1.1", b"h2"]] {
        assert_eq!(spoken(&house, &both).await, Version::HTTP_11);
    }
    house.is_left_empty().await;
}
