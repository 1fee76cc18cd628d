//! Rows of a server, in their binary form.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use fallible_iterator::FallibleIterator;
use postgres_protocol::Oid;
use postgres_protocol::message::backend::{DataRowBody, RowDescriptionBody};

use crate::store::sql::Value;

/// Numbers of the types that the store has (`pg_type`).
pub(super) const BYTEA: Oid = 17;
pub(super) const INT8: Oid = 20;
pub(super) const TEXT: Oid = 25;
/// What a server's own tables have for a name.
const NAME: Oid = 19;

/// A column of a statement's rows.
pub(super) struct Column {
    name: String,
    kind: Oid,
}

pub(super) fn columns(body: &RowDescriptionBody) -> std::io::Result<Vec<Column>> {
    let columns = body.fields().map(|field| {
        Ok(Column {
            name: field.name().to_owned(),
            kind: field.type_oid(),
        })
    });
    columns.collect()
}

/// One row.
pub(crate) struct ServerRow {
    columns: Arc<[Column]>,
    bytes: Bytes,
    cells: Vec<Option<Range<usize>>>,
}

/// A row that is not what its reader takes it for.
#[derive(Debug)]
pub(crate) struct Unreadable(String);

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a column of another type: {}", self.0)
    }
}

/// A row as a server has it.
pub(crate) trait InServer: Sized {
    fn read(row: &ServerRow) -> Result<Self, Unreadable>;
}

/// What a cell can be read as; none where it is of another type.
pub(crate) trait Cell: Sized {
    fn read(kind: Oid, bytes: Option<&[u8]>) -> Option<Self>;
}

impl ServerRow {
    pub(super) fn new(columns: Arc<[Column]>, body: &DataRowBody) -> std::io::Result<Self> {
        Ok(Self {
            columns,
            cells: body.ranges().collect()?,
            bytes: body.buffer_bytes().clone(),
        })
    }

    /// The cell of the column at this place, from 0.
    pub(crate) fn at<T: Cell>(&self, place: usize) -> Result<T, Unreadable> {
        let column = self.columns.get(place);
        let column = column.ok_or_else(|| Unreadable(format!("{place}, which is not there")))?;
        let read = self.bytes_at(place).and_then(|it| T::read(column.kind, it));
        read.ok_or_else(|| Unreadable(column.name.clone()))
    }

    /// The cell of the column of this name.
    pub(crate) fn named<T: Cell>(&self, name: &str) -> Result<T, Unreadable> {
        let place = self.columns.iter().position(|column| column.name == name);
        self.at(place.ok_or_else(|| Unreadable(format!("{name}, which is not there")))?)
    }

    /// All cells, as values of a statement.
    pub(crate) fn values(&self) -> Result<Vec<Value>, Unreadable> {
        let values = self.columns.iter().enumerate().map(|(place, column)| {
            Ok(match column.kind {
                INT8 => Value::Number(self.at(place)?),
                TEXT => Value::Text(self.at(place)?),
                _ => Value::Bytes(self.at(place)?),
            })
        });
        values.collect()
    }

    /// None: no such cell. Within: none of a null.
    fn bytes_at(&self, place: usize) -> Option<Option<&[u8]>> {
        match self.cells.get(place)? {
            None => Some(None),
            Some(range) => Some(Some(self.bytes.get(range.clone())?)),
        }
    }
}

impl Cell for i64 {
    fn read(kind: Oid, bytes: Option<&[u8]>) -> Option<Self> {
        let bytes = bytes.filter(|_| kind == INT8)?;
        bytes.try_into().ok().map(Self::from_be_bytes)
    }
}

impl Cell for String {
    fn read(kind: Oid, bytes: Option<&[u8]>) -> Option<Self> {
        let bytes = bytes.filter(|_| kind == TEXT || kind == NAME)?;
        Self::from_utf8(bytes.to_vec()).ok()
    }
}

impl Cell for Vec<u8> {
    fn read(kind: Oid, bytes: Option<&[u8]>) -> Option<Self> {
        bytes.filter(|_| kind == BYTEA).map(<[u8]>::to_vec)
    }
}

impl<T: Cell> Cell for Option<T> {
    fn read(kind: Oid, bytes: Option<&[u8]>) -> Option<Self> {
        match bytes {
            None => Some(None),
            Some(_) => T::read(kind, bytes).map(Some),
        }
    }
}
