//! Fields of a form or of a query (`application/x-www-form-urlencoded`).

use std::collections::BTreeMap;

/// The newest value of each field; a broken escape is left as it is.
#[derive(Debug, Default, Eq, PartialEq)]
pub(super) struct Fields(BTreeMap<String, String>);

impl Fields {
    pub(super) fn read(text: &str) -> Self {
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        let fields = pairs.map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(name), decoded(value))
        });
        Self(fields.collect())
    }

    /// Without blanks around it; empty when it is not there.
    pub(super) fn get(&self, name: &str) -> &str {
        self.0
            .get(name)
            .map(|value| value.trim())
            .unwrap_or_default()
    }

    /// As it was typed.
    pub(super) fn whole(&self, name: &str) -> &str {
        self.0.get(name).map(String::as_str).unwrap_or_default()
    }
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, others)) = rest.split_first() {
        rest = others;
        match (first, others) {
            (b'+', _) => bytes.push(b' '),
            (b'%', [high, low, after @ ..]) => {
                let mut byte = [0];
                if hex::decode_to_slice([*high, *low], &mut byte).is_ok() {
                    bytes.extend(byte);
                    rest = after;
                } else {
                    bytes.push(b'%');
                }
            }
            (byte, _) => bytes.push(*byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_browser_sends_is_read() {
        let fields = Fields::read("a=1&b=%E5%8D%A1+4471&c=100%25&d&a=2&e=%zz%4");
        assert_eq!(fields.get("a"), "2");
        assert_eq!(fields.get("b"), "卡 4471");
        assert_eq!(fields.get("c"), "100%");
        assert_eq!((fields.get("d"), fields.get("x")), ("", ""));
        assert_eq!(fields.get("e"), "%zz%4");
        assert_eq!(Fields::read("p=+x+").whole("p"), " x ");
    }
}
