//! A provider's HTTP API: one POST for each SMS.

use std::time::Duration;

use base64::Engine;
use reqwest::StatusCode;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::config::{Auth, Form, ProviderSettings};
use crate::error::StartError;
use crate::sms::sender::{Handed, Parcel};
use crate::sms::trust;

/// Of an answer, bytes; the rest is not read.
const LONGEST_ANSWER: usize = 64 * 1024;
/// What an SMPP message has too; more is no number of a message.
const LONGEST_ID: usize = 64;

pub(super) struct Provider {
    http: reqwest::Client,
    url: String,
    form: Form,
    body: Map<String, Value>,
    id: Option<String>,
}

impl Provider {
    pub(super) fn new(
        settings: &ProviderSettings,
        secret: &str,
        timeout: Duration,
    ) -> Result<Self, StartError> {
        let failed = |cause: &str| StartError::Tls(cause.to_owned());
        let secret = authorization(settings, secret)?;
        let http = reqwest::Client::builder()
            .use_preconfigured_tls(trust::client_config(settings.authority.as_deref())?)
            .https_only(true)
            .redirect(reqwest::redirect::Policy::none())
            .default_headers(HeaderMap::from_iter([(AUTHORIZATION, secret)]))
            .timeout(timeout)
            .build()
            .map_err(|_| failed("no client for sms.http"))?;
        Ok(Self {
            http,
            url: settings.url.clone(),
            form: settings.form,
            body: settings.body.clone(),
            id: settings.id.clone(),
        })
    }

    pub(super) async fn send(&self, parcel: &Parcel<'_>) -> Handed {
        let body = filled(&Value::Object(self.body.clone()), parcel);
        let request = self.http.post(&self.url);
        // What some of them understand, so that the same SMS again is no second one.
        let request = request.header("Idempotency-Key", &parcel.key);
        let request = match self.form {
            Form::Json => request
                .header(CONTENT_TYPE, "application/json")
                .body(body.to_string()),
            Form::Urlencoded => request.form(&body),
        };
        match request.send().await {
            Ok(answer) => self.answered(answer).await,
            Err(error) => failure(&error),
        }
    }

    async fn answered(&self, answer: reqwest::Response) -> Handed {
        let status = answer.status();
        if !status.is_success() {
            let after = answer.headers().get(RETRY_AFTER).and_then(seconds);
            return refused(status, after);
        }
        let Some(pointer) = &self.id else {
            return Handed::Accepted(None);
        };
        // It has been taken, whatever comes of the rest.
        let told = read(answer).await;
        let told: Option<Value> = told.and_then(|told| serde_json::from_slice(&told).ok());
        Handed::Accepted(told.and_then(|told| message_id(&told, pointer)))
    }
}

fn authorization(settings: &ProviderSettings, secret: &str) -> Result<HeaderValue, StartError> {
    let value = Zeroizing::new(match settings.auth {
        Auth::Bearer => format!("Bearer {secret}"),
        Auth::Basic => {
            let pair = Zeroizing::new(format!("{}:{secret}", settings.user));
            let pair = base64::engine::general_purpose::STANDARD.encode(pair.as_bytes());
            format!("Basic {pair}")
        }
    });
    let mut value = HeaderValue::from_str(&value)
        .map_err(|_| StartError::Tls("the secret of sms.http is no header's text".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

/// The body with what is this SMS's in the place of `{phone}`, `{text}` and `{key}`.
fn filled(value: &Value, parcel: &Parcel<'_>) -> Value {
    match value {
        Value::String(text) => Value::String(replaced(text, parcel)),
        Value::Array(all) => all.iter().map(|it| filled(it, parcel)).collect(),
        Value::Object(all) => {
            let all = all.iter();
            Value::Object(all.map(|(k, v)| (k.clone(), filled(v, parcel))).collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

/// In one go: what a text of the bank says in braces is not looked at again.
fn replaced(text: &str, parcel: &Parcel<'_>) -> String {
    let places = [
        ("{phone}", parcel.sms.phone.as_str()),
        ("{text}", parcel.sms.text.as_str()),
        ("{key}", parcel.key.as_str()),
    ];
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('{') {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let found = places.iter().find(|(name, _)| from.starts_with(name));
        let (name, value) = found.copied().unwrap_or(("{", "{"));
        out.push_str(value);
        rest = from.get(name.len()..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

fn refused(status: StatusCode, after: Option<Duration>) -> Handed {
    let why = format!("the provider answers {}", status.as_u16());
    match status.as_u16() {
        429 | 503 => Handed::TooMuch(why, after),
        408 | 425 | 500..=599 => Handed::NotNow(why),
        _ => Handed::Refused(why),
    }
}

/// Whatever breaks after the handshake, the request may have arrived.
fn failure(error: &reqwest::Error) -> Handed {
    if error.is_connect() || error.is_builder() {
        return Handed::NotNow("the provider can't be reached".to_owned());
    }
    Handed::Unanswered("the provider does not answer".to_owned())
}

fn seconds(value: &HeaderValue) -> Option<Duration> {
    let seconds = value.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

async fn read(mut answer: reqwest::Response) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.ok()? {
        if body.len() + chunk.len() > LONGEST_ANSWER {
            return None;
        }
        body.extend_from_slice(&chunk);
    }
    Some(body)
}

fn message_id(told: &Value, pointer: &str) -> Option<String> {
    let id = match told.pointer(pointer)? {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    (!id.is_empty() && id.len() <= LONGEST_ID).then_some(id)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sms::Sms;

    fn sms() -> Sms {
        Sms {
            phone: "13800006021".to_owned(),
            card_tail: "4471".to_owned(),
            code: "123456".to_owned(),
            text: "[{phone}] Code 123456".to_owned(),
            sent_ms: 1,
        }
    }

    #[test]
    fn a_body_is_filled_in_at_any_depth_and_only_once() {
        let sms = sms();
        let parcel = Parcel {
            sms: &sms,
            key: "1-2".to_owned(),
            left: Duration::ZERO,
        };
        let body =
            json!({"to": ["+86{phone}"], "m": {"text": "{text}", "n": 1}, "k": "{key} {x} {"});
        let expected = json!({
            "to": ["+8613800006021"],
            "m": {"text": "[{phone}] Code 123456", "n": 1},
            "k": "1-2 {x} {",
        });
        assert_eq!(filled(&body, &parcel), expected);
    }

    #[test]
    fn an_answer_says_whether_to_come_again() {
        let of = |status| refused(StatusCode::from_u16(status).unwrap(), None);
        for status in [429, 503] {
            assert!(matches!(of(status), Handed::TooMuch(..)), "{status}");
        }
        for status in [408, 500, 502, 504] {
            assert!(matches!(of(status), Handed::NotNow(_)), "{status}");
        }
        for status in [301, 400, 401, 403, 404, 422] {
            assert!(matches!(of(status), Handed::Refused(_)), "{status}");
        }
    }

    #[test]
    fn the_providers_own_number_is_read_where_the_configuration_says() {
        let told = json!({"messages": [{"id": "a-1", "n": 7}]});
        let read = |pointer| message_id(&told, pointer);
        assert_eq!(read("/messages/0/id"), Some("a-1".to_owned()));
        assert_eq!(read("/messages/0/n"), Some("7".to_owned()));
        assert_eq!(read("/messages"), None);
        assert_eq!(read("/id"), None);
    }
}
