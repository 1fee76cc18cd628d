//! Serves a slot to vpcd, the virtual reader of a real pcscd.
//!
//! The card is the TCP client. Each message is a big-endian u16 length and a body; length 1 is
//! control (power off, power on, reset, give the ATR), anything else an APDU. Debian's vpcd sends
//! length and body apart and without NODELAY: without a quick ACK around every read of a length,
//! each command costs 44 ms instead of 0.09 (measured).

use crate::slot::Slot;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, sleep_until};

const POWER_OFF: u8 = 0;
const POWER_ON: u8 = 1;
const RESET: u8 = 2;
const GIVE_ATR: u8 = 4;

/// Pause between two attempts to reach vpcd.
const RETRY: Duration = Duration::from_millis(100);

/// How long a reader stays empty between two cards: pcscd looks every 400 ms and must not miss it.
const EMPTY: Duration = Duration::from_millis(700);

/// Connects to vpcd at `addr` whenever a card is in the slot, and closes the connection when it
/// leaves. Runs until dropped; a vpcd that is not there yet, or gone, is tried again.
pub async fn serve(addr: SocketAddr, slot: Slot) -> Infallible {
    let mut view = slot.watch();
    let mut earliest = Instant::now();
    loop {
        // The slot holds the sender: this ends only when a card is there.
        if view.wait_for(|view| view.present).await.is_err() {
            std::future::pending::<()>().await;
        }
        sleep_until(earliest).await;
        match TcpStream::connect(addr).await {
            Ok(stream) => {
                if let Err(error) = contact(stream, &slot).await {
                    log::info!("the reader at {addr} went away: {error}");
                }
                slot.power_off();
                earliest = Instant::now() + EMPTY;
            }
            Err(error) => {
                log::debug!("no reader at {addr}: {error}");
                sleep(RETRY).await;
            }
        }
    }
}

/// One stay of one card in the reader. `Ok` when the card left.
async fn contact(mut stream: TcpStream, slot: &Slot) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut view = slot.watch();
    let here = *view.borrow_and_update();
    if !here.present {
        return Ok(());
    }
    loop {
        tokio::select! {
            biased;
            _ = view.wait_for(|now| *now != here) => return Ok(()),
            step = exchange(&mut stream, slot) => match step? {
                Contact::Holds => {}
                Contact::Lost => return Ok(()),
            },
        }
    }
}

enum Contact {
    Holds,
    Lost,
}

async fn exchange(stream: &mut TcpStream, slot: &Slot) -> io::Result<Contact> {
    let body = read_message(stream).await?;
    match answer(slot, &body).await {
        None => Ok(Contact::Holds),
        Some(lost) if lost.is_empty() => Ok(Contact::Lost),
        Some(reply) => write_message(stream, &reply).await.map(|()| Contact::Holds),
    }
}

/// What the card says to a message; `None` to one without an answer, empty when contact was lost.
async fn answer(slot: &Slot, body: &[u8]) -> Option<Vec<u8>> {
    match *body {
        [POWER_OFF] => slot.power_off(),
        [POWER_ON] => slot.power_on(),
        [RESET] => slot.reset(),
        [GIVE_ATR] => return Some(slot.atr().unwrap_or_default()),
        [unknown] => log::warn!("vpcd control {unknown} is unknown"),
        _ => return Some(slot.transmit_async(body).await),
    }
    None
}

async fn read_message(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    acknowledge_at_once(stream)?;
    let length = stream.read_u16().await?;
    acknowledge_at_once(stream)?;
    let mut body = vec![0; usize::from(length)];
    stream.read_exact(&mut body).await?;
    Ok(body)
}

/// Length and body in one write: one packet.
async fn write_message(stream: &mut TcpStream, body: &[u8]) -> io::Result<()> {
    let length = u16::try_from(body.len()).map_err(io::Error::other)?;
    stream
        .write_all(&[&length.to_be_bytes()[..], body].concat())
        .await
}

/// The kernel leaves this mode by itself: it is asked for before and after each length.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn acknowledge_at_once(stream: &TcpStream) -> io::Result<()> {
    socket2::SockRef::from(stream).set_tcp_quickack(true)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
#[expect(clippy::unnecessary_wraps, reason = "same shape as where it can fail")]
fn acknowledge_at_once(_: &TcpStream) -> io::Result<()> {
    Ok(())
}
