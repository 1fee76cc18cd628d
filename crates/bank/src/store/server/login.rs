//! The first words on a connection: who is there, and how that is proved.

use fallible_iterator::FallibleIterator;
use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};
use postgres_protocol::message::backend::{AuthenticationSaslBody, Message};
use postgres_protocol::message::frontend;

use super::wire::Wire;
use super::{Failed, Said};

/// As whom, and how.
pub(super) struct Account {
    pub(super) user: String,
    pub(super) password: Option<String>,
    pub(super) database: Option<String>,
    pub(super) application: String,
    /// Settings of the session, as `-c NAME=VALUE`.
    pub(super) options: String,
}

impl Account {
    pub(super) async fn log_in(&self, wire: &mut Wire) -> Result<(), Failed> {
        let mut told = vec![
            ("client_encoding", "UTF8"),
            ("user", self.user.as_str()),
            ("application_name", self.application.as_str()),
            ("options", self.options.as_str()),
        ];
        if let Some(database) = &self.database {
            told.push(("database", database));
        }
        frontend::startup_message(told, wire.unsent()).map_err(Failed::unfit)?;
        wire.flush().await?;
        loop {
            match self.asked(wire).await? {
                Asked::Nothing => {}
                Asked::Password(password) => {
                    frontend::password_message(&password, wire.unsent()).map_err(Failed::unfit)?;
                    wire.flush().await?;
                }
                Asked::Sasl(body) => self.scram(wire, &body).await?,
                Asked::ToBegin => break,
            }
        }
        wire.is_idle_now();
        Ok(())
    }

    async fn asked(&self, wire: &mut Wire) -> Result<Asked, Failed> {
        let message = heard(wire).await?;
        if let Message::AuthenticationOk | Message::BackendKeyData(_) = message {
            return Ok(Asked::Nothing);
        }
        if let Message::ReadyForQuery(_) = message {
            return Ok(Asked::ToBegin);
        }
        if let Message::AuthenticationCleartextPassword = message {
            return Ok(Asked::Password(self.password()?.as_bytes().to_vec()));
        }
        if let Message::AuthenticationMd5Password(body) = message {
            let password = self.password()?.as_bytes();
            let hash = md5_hash(self.user.as_bytes(), password, body.salt());
            return Ok(Asked::Password(hash.into_bytes()));
        }
        if let Message::AuthenticationSasl(body) = message {
            return Ok(Asked::Sasl(body));
        }
        Err(Failed::unfit(
            "the store's server wants a proof of another kind",
        ))
    }

    fn password(&self) -> Result<&str, Failed> {
        let password = self.password.as_deref();
        password.ok_or_else(|| Failed::unfit("the store's server wants a password"))
    }

    async fn scram(&self, wire: &mut Wire, body: &AuthenticationSaslBody) -> Result<(), Failed> {
        let known = body.mechanisms().any(|name| Ok(name == SCRAM_SHA_256))?;
        if !known {
            return Err(Failed::unfit("the store's server does not know SCRAM"));
        }
        let password = self.password()?.as_bytes();
        let mut scram = ScramSha256::new(password, ChannelBinding::unsupported());
        let first = scram.message();
        frontend::sasl_initial_response(SCRAM_SHA_256, first, wire.unsent())
            .map_err(Failed::unfit)?;
        wire.flush().await?;
        let Message::AuthenticationSaslContinue(body) = heard(wire).await? else {
            return Err(out_of_place());
        };
        scram.update(body.data()).map_err(Failed::unfit)?;
        frontend::sasl_response(scram.message(), wire.unsent()).map_err(Failed::unfit)?;
        wire.flush().await?;
        let Message::AuthenticationSaslFinal(body) = heard(wire).await? else {
            return Err(out_of_place());
        };
        // The server proves that it knows the password too.
        scram.finish(body.data()).map_err(Failed::unfit)
    }
}

/// What a server wants before it serves.
enum Asked {
    Nothing,
    Password(Vec<u8>),
    Sasl(AuthenticationSaslBody),
    /// It serves.
    ToBegin,
}

/// What is no refusal.
async fn heard(wire: &mut Wire) -> Result<Message, Failed> {
    let message = wire.message().await?;
    if let Message::ErrorResponse(body) = &message {
        return Err(Failed::Said(Said::read(body)?));
    }
    Ok(message)
}

fn out_of_place() -> Failed {
    Failed::unfit("the store's server says something out of its place")
}
