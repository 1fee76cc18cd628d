//! Members that may stand in two forms. Each form is read by its own rules, so that an error keeps its words and its
//! place: "one of these did not fit" would help no author.

use std::fmt;

use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Unexpected, Visitor};

use crate::format::{Active, Length, Source, Takes};

impl<'de> Deserialize<'de> for Length {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LengthVisitor)
    }
}

struct LengthVisitor;

impl<'de> Visitor<'de> for LengthVisitor {
    type Value = Length;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a length: a number up to 65535, or {\"min\": n, \"max\": n}")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Length, E> {
        let length = u16::try_from(number);
        let bad = |_| E::invalid_value(Unexpected::Unsigned(number), &self);
        length.map(Length::Exact).map_err(bad)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Length, E> {
        Err(E::invalid_value(Unexpected::Signed(number), &self))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Length, A::Error> {
        Deserialize::deserialize(MapAccessDeserializer::new(map)).map(Length::Range)
    }
}

impl<'de> Deserialize<'de> for Source {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SourceVisitor)
    }
}

struct SourceVisitor;

impl<'de> Visitor<'de> for SourceVisitor {
    type Value = Source;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a constant or field, or a list of such")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Source, E> {
        Ok(Source::One(name.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Source, A::Error> {
        Deserialize::deserialize(SeqAccessDeserializer::new(list)).map(Source::FirstOf)
    }
}

impl<'de> Deserialize<'de> for Active {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ActiveVisitor)
    }
}

struct ActiveVisitor;

impl<'de> Visitor<'de> for ActiveVisitor {
    type Value = Active;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a flag's name, or {\"field\": f, \"values\": [hex, ...]}")
    }

    fn visit_str<E: Error>(self, flag: &str) -> Result<Active, E> {
        Ok(Active::Flag(flag.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Active, A::Error> {
        Deserialize::deserialize(MapAccessDeserializer::new(map)).map(Active::Known)
    }
}

impl<'de> Deserialize<'de> for Takes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TakesVisitor)
    }
}

struct TakesVisitor;

impl<'de> Visitor<'de> for TakesVisitor {
    type Value = Takes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "where the bytes are: {\"at\", \"length\", \"tag\", \"mask\", \"optional\"}, or a list of such",
        )
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Takes, A::Error> {
        Deserialize::deserialize(MapAccessDeserializer::new(map)).map(Takes::One)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Takes, A::Error> {
        Deserialize::deserialize(SeqAccessDeserializer::new(list)).map(Takes::FirstOf)
    }
}
