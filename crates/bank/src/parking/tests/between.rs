//! What is kept between two requests.

use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::socket::Socket;

/// The server's end of a new connection, and the peer's.
async fn line(house: &House) -> (Arc<Visitor>, Tls, Peer) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let comes = async {
        let (tcp, address) = listener.accept().await.unwrap();
        let tls = TlsAcceptor::from(house.tls.clone());
        let socket = Socket::new(tcp, PATIENCE.taking);
        (tls.accept(socket).await.unwrap(), address)
    };
    let ((stream, address), peer) = tokio::join!(comes, house.peer_at(address, &[]));
    let crowd = house.crowd.clone();
    let visitor = Arc::new(Visitor {
        server: Server::new((routes(), house.tls.clone()), crowd, || (), PATIENCE),
        presence: house.crowd.enter(address.ip()).unwrap(),
        address,
        key: PeerKey::default(),
    });
    (visitor, Box::new(stream), peer)
}

#[tokio::test]
async fn between_two_requests_nothing_is_kept_but_the_stream() {
    let house = House::open(PATIENCE);
    let (visitor, stream, mut peer) = line(&house).await;
    let head_by = Instant::now() + SOON;
    let mut stop = Stop(house.stopping.subscribe());
    send(&mut peer, &(posted("/echo", "all of it") + "GET /h")).await;
    let left = talk(&visitor, stream, Bytes::new(), head_by, &mut stop).await;
    let (stream, early) = left.expect("the connection goes on");
    assert_eq!(answer(&mut peer).await.1, "all of it");
    assert_eq!(early, "GET /h", "nothing is lost that came with it");
    assert_eq!(Arc::strong_count(&visitor), 1, "HTTP has let go");
    send(&mut peer, "ere HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    let left = talk(&visitor, stream, early, head_by, &mut stop).await;
    assert_eq!(answer(&mut peer).await.1, "here");
    assert!(left.expect("it goes on").1.is_empty());
}

#[tokio::test]
async fn while_a_body_is_unread_the_connection_stays_where_it_is() {
    let house = House::open(PATIENCE);
    let (visitor, stream, mut peer) = line(&house).await;
    let head_by = Instant::now() + SOON;
    let mut stop = Stop(house.stopping.subscribe());
    let text = posted("/deaf", &"x".repeat(100_000));
    send(&mut peer, &text[..1_000]).await;
    let left = talk(&visitor, stream, Bytes::new(), head_by, &mut stop).await;
    assert!(left.is_none(), "it ended: what comes next is not a request");
}

#[tokio::test]
async fn a_silent_connection_is_a_small_task() {
    let house = House::open(PATIENCE);
    let (visitor, stream, _peer) = line(&house).await;
    let stop = Stop(house.stopping.subscribe());
    let task = http1(visitor, stream, Instant::now(), stop);
    let size = size_of_val(&task);
    assert!(size < 700, "bytes for each that does nothing: {size}");
}
