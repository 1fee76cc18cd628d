//! An SMSC by SMPP 3.4: one connection, bound as transceiver, that is made again whenever it is gone.

use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use futures_util::{Stream, StreamExt};
use rusmpp::pdus::{BindTransceiver, DeliverSm, DeliverSmResp};
use rusmpp::types::COctetString;
use rusmpp::values::InterfaceVersion;
use rusmpp::{CommandStatus, Pdu};
use rusmppc::error::Error;
use rusmppc::{Client, ConnectionBuilder, Event};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use zeroize::Zeroizing;

use crate::config::{Alphabet, Long, SmppSettings};
use crate::error::StartError;
use crate::sms::alphabet::Encoded;
use crate::sms::receipt::{Arrival, Receipt};
use crate::sms::sender::{Handed, Parcel, Sender};
use crate::sms::submit::{Address, Submits};
use crate::sms::trust;
use crate::vault::random;

/// Of a bind (SMPP 3.4, 4.1.5).
const LONGEST_PASSWORD: usize = 8;
/// The longest PDU that is read, bytes.
const LONGEST_PDU: usize = 8 * 1024;
/// Between two attempts to connect.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

pub(super) struct Smpp {
    settings: SmppSettings,
    password: Zeroizing<String>,
    timeout: Duration,
    tls: Option<TlsConnector>,
    /// Bound, or none.
    client: watch::Sender<Option<Client>>,
    /// Tells the parts of one text from another's.
    reference: AtomicU8,
}

trait Link: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Link for T {}

impl Smpp {
    pub(super) fn new(
        settings: &SmppSettings,
        password: Zeroizing<String>,
        timeout: Duration,
        unusable: impl FnOnce(&str) -> StartError,
    ) -> Result<Self, StartError> {
        if password.len() > LONGEST_PASSWORD || !password.is_ascii() {
            return Err(unusable("an SMPP password has at most 8 ASCII letters"));
        }
        let tls = match settings.tls {
            true => {
                let config = trust::client_config(settings.authority.as_deref())?;
                Some(Arc::new(config).into())
            }
            false => None,
        };
        Ok(Self {
            settings: settings.clone(),
            password,
            timeout,
            tls,
            client: watch::Sender::new(None),
            reference: AtomicU8::new(random::<1>().map_or(0, |[first]| first)),
        })
    }

    pub(super) fn is_bound(&self) -> bool {
        self.client.borrow().as_ref().is_some_and(Client::is_active)
    }

    /// All parts, one after the other. The last one's number stands for the message: its receipt is the last, too.
    pub(super) async fn send(&self, parcel: &Parcel<'_>) -> Handed {
        let client = self.client.borrow().clone();
        let Some(client) = client.filter(Client::is_active) else {
            return Handed::NotNow("the SMSC is not there".to_owned());
        };
        let by_text = self.settings.alphabet == Alphabet::ByText;
        let encoded = Encoded::new(&parcel.sms.text, by_text);
        let reference = self.reference.fetch_add(1, Ordering::Relaxed);
        let submits = Submits {
            settings: &self.settings,
            source: Address::source(&self.settings),
            dest: Address::dest(&self.settings, &parcel.sms.phone),
            left: parcel.left,
        };
        let made = match self.settings.long {
            Long::Parts => submits.parts(&encoded, reference),
            Long::Payload => submits.payload(&encoded).map(|one| vec![one]),
        };
        let Some(made) = made else {
            return Handed::Refused("the text or a number is too long for SMPP".to_owned());
        };
        let mut message = None;
        for submit in made {
            match client.submit_sm(submit).await {
                Ok(answer) => message = Some(answer.message_id().to_string()),
                Err(error) => return handed(&error),
            }
        }
        Handed::Accepted(message.filter(|id| !id.is_empty()))
    }

    /// Connects, again and again.
    pub(super) async fn keep(&self, sender: &Sender, receipts: &UnboundedSender<Receipt>) {
        let mut pause = SHORTEST_PAUSE;
        loop {
            match timeout(self.timeout, self.connect()).await {
                Ok(Ok((client, events))) => {
                    pause = SHORTEST_PAUSE;
                    log::info!("the SMSC is there");
                    self.client.send_replace(Some(client.clone()));
                    sender.wake();
                    listen(&client, events, receipts).await;
                    self.client.send_replace(None);
                    log::warn!("the connection to the SMSC has ended");
                }
                Ok(Err(why)) => sender.trouble(Some(&why)),
                Err(_) => sender.trouble(Some("the SMSC does not answer")),
            }
            // Many banks that lost it together should not come back together.
            let part = random::<1>().map_or(0, |[part]| u32::from(part));
            tokio::time::sleep(pause + pause / 1_024 * part).await;
            pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
        }
    }

    /// Says goodbye, so that the SMSC need not find out.
    pub(super) async fn close(&self) {
        let Some(client) = self.client.send_replace(None) else {
            return;
        };
        let bye = async {
            let _refused = client.unbind().await;
            client.close_and_wait().await
        };
        let _late = timeout(Duration::from_secs(1), bye).await;
    }

    async fn connect(&self) -> Result<(Client, impl Stream<Item = Event> + Unpin), String> {
        let link = self.link().await.map_err(|error| match error.get_ref() {
            Some(tls) => format!("no TLS to the SMSC: {tls}"),
            None => format!("no connection to the SMSC: {}", error.kind()),
        })?;
        let (client, events) = ConnectionBuilder::new()
            .max_command_length(LONGEST_PDU)
            .enquire_link_interval(Duration::from_secs(self.settings.enquire_s))
            .enquire_link_response_timeout(self.timeout)
            .response_timeout(self.timeout)
            // What an SMSC of 3.4 says is a part of 5.0, which this crate speaks.
            .disable_interface_version_check()
            .connected(link);
        let bind = self
            .bind()
            .ok_or("the bank's sign-in is too long for SMPP")?;
        match client.bind_transceiver(bind).await {
            Ok(_) => Ok((client, events)),
            Err(Error::UnexpectedResponse { response }) => {
                let status = status_name(response.status());
                Err(format!("the SMSC refuses the bank: {status}"))
            }
            Err(_) => Err("the SMSC ends the connection before it is bound".to_owned()),
        }
    }

    fn bind(&self) -> Option<BindTransceiver> {
        let bind = BindTransceiver::builder()
            .system_id(COctetString::from_str(&self.settings.system_id).ok()?)
            .password(COctetString::from_str(&self.password).ok()?)
            .system_type(COctetString::from_str(&self.settings.system_type).ok()?)
            .interface_version(InterfaceVersion::Smpp3_4)
            .build();
        Some(bind)
    }

    async fn link(&self) -> std::io::Result<Box<dyn Link>> {
        let unusable = || std::io::Error::from(std::io::ErrorKind::InvalidInput);
        let (host, port) = self.settings.host_and_port().ok_or_else(unusable)?;
        let stream = TcpStream::connect((host, port)).await?;
        stream.set_nodelay(true)?;
        let Some(tls) = &self.tls else {
            return Ok(Box::new(stream));
        };
        let name = ServerName::try_from(host.to_owned()).map_err(|_| unusable())?;
        Ok(Box::new(tls.connect(name, stream).await?))
    }
}

/// Until the connection is over.
async fn listen(
    client: &Client,
    mut events: impl Stream<Item = Event> + Unpin,
    receipts: &UnboundedSender<Receipt>,
) {
    while let Some(event) = events.next().await {
        let Event::Incoming(command) = event else {
            continue;
        };
        let Some(Pdu::DeliverSm(told)) = command.pdu() else {
            continue;
        };
        if let Some(receipt) = receipt(told) {
            // Nobody writes receipts any more: the bank stops.
            let _stopping = receipts.send(receipt);
        }
        // What people answer to a code goes nowhere, and is answered so that it does not come again.
        let answer = client.deliver_sm_resp(command.sequence_number(), DeliverSmResp::default());
        let _gone = answer.await;
    }
}

/// By the TLVs where there are any, else by the text.
fn receipt(told: &DeliverSm) -> Option<Receipt> {
    use rusmpp::tlvs::TlvValue;
    let mut message = None;
    let mut arrival = None;
    for tlv in told.tlvs() {
        match tlv.value() {
            Some(TlvValue::ReceiptedMessageId(id)) => message = Some(id.to_string()),
            Some(TlvValue::MessageState(state)) => arrival = Arrival::of_state(u8::from(*state)),
            Some(_) | None => {}
        }
    }
    if let (Some(message), Some(arrival)) = (message, arrival) {
        return Some(Receipt { message, arrival });
    }
    // 0x04 of the message types is a receipt of the SMSC (SMPP 3.4, 5.2.12).
    let is_receipt = u8::from(told.esm_class) & 0x3C == 0x04;
    let text = String::from_utf8_lossy(told.short_message().as_ref()).into_owned();
    is_receipt.then(|| Receipt::of_text(&text)).flatten()
}

fn handed(error: &Error) -> Handed {
    if let Error::UnexpectedResponse { response } = error {
        return refused(u32::from(response.status()));
    }
    if matches!(error, Error::Encode(_)) {
        return Handed::Refused("SMPP can't say it".to_owned());
    }
    // Whatever broke, it may have been after the SMSC took it.
    Handed::Unanswered("the SMSC does not answer".to_owned())
}

/// SMPP 3.4, 5.1.3.
fn refused(status: u32) -> Handed {
    let why = format!(
        "the SMSC answers {}",
        status_name(CommandStatus::from(status))
    );
    match status {
        THROTTLED | QUEUE_FULL => Handed::TooMuch(why, None),
        // System error, not bound any more, submit failed, temporary error of an application.
        0x08 | 0x04 | 0x45 | 0x64 => Handed::NotNow(why),
        _ => Handed::Refused(why),
    }
}

const QUEUE_FULL: u32 = 0x14;
const THROTTLED: u32 = 0x58;

/// As the specification calls those that people look for; others by their number.
fn status_name(status: CommandStatus) -> String {
    let status = u32::from(status);
    let name = match status {
        0x04 => "ESME_RINVBNDSTS",
        0x05 => "ESME_RALYBND",
        0x08 => "ESME_RSYSERR",
        0x0A => "ESME_RINVSRCADR",
        0x0B => "ESME_RINVDSTADR",
        0x0D => "ESME_RBINDFAIL",
        0x0E => "ESME_RINVPASWD",
        0x0F => "ESME_RINVSYSID",
        QUEUE_FULL => "ESME_RMSGQFUL",
        0x45 => "ESME_RSUBMITFAIL",
        0x53 => "ESME_RINVSYSTYP",
        THROTTLED => "ESME_RTHROTTLED",
        0x64 => "ESME_RX_T_APPN",
        _ => return format!("status {status:#010x}"),
    };
    name.to_owned()
}
