//! Rows as both engines give them.

use rusqlite::types::FromSql;

use crate::store::server::{Cell, InServer, ServerRow, Unreadable};

/// A row of either engine.
pub(crate) trait Row: InFile + InServer + Send + 'static {}

impl<T> Row for T where T: InFile + InServer + Send + 'static {}

/// A row of SQLite.
pub(crate) trait InFile: Sized {
    fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self>;
}

macro_rules! tuples {
    ($($first:ident $($name:ident)*;)+) => {$(
        impl<$first: FromSql, $($name: FromSql),*> InFile for ($first, $($name,)*) {
            fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
                let mut at = 0..;
                let mut next = || at.next().unwrap_or_default();
                Ok((row.get::<_, $first>(next())?, $(row.get::<_, $name>(next())?,)*))
            }
        }

        impl<$first: Cell, $($name: Cell),*> InServer for ($first, $($name,)*) {
            fn read(row: &ServerRow) -> Result<Self, Unreadable> {
                let mut at = 0..;
                let mut next = || at.next().unwrap_or_default();
                Ok((row.at::<$first>(next())?, $(row.at::<$name>(next())?,)*))
            }
        }
    )+};
}

tuples! {
    A;
    A B;
    A B C;
    A B C D;
    A B C D E;
    A B C D E F;
    A B C D E F G;
    A B C D E F G H;
    A B C D E F G H I;
    A B C D E F G H I J;
    A B C D E F G H I J K;
    A B C D E F G H I J K L;
    A B C D E F G H I J K L M;
    A B C D E F G H I J K L M N;
    A B C D E F G H I J K L M N O;
    A B C D E F G H I J K L M N O P;
}

/// A struct whose members are columns, by name; `..member: Row` takes those of another row.
macro_rules! row {
    (
        $(#[$about:meta])*
        $seen:vis struct $name:ident {
            $(..$part:ident: $whole:ty,)?
            $($(#[$of_member:meta])* $member_seen:vis $member:ident: $kind:ty),+ $(,)?
        }
    ) => {
        $(#[$about])*
        $seen struct $name {
            $($part: $whole,)?
            $($(#[$of_member])* $member_seen $member: $kind),+
        }

        impl $crate::store::row::InFile for $name {
            fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
                Ok(Self {
                    $($part: <$whole as $crate::store::row::InFile>::read(row)?,)?
                    $($member: row.get(stringify!($member))?),+
                })
            }
        }

        impl $crate::store::server::InServer for $name {
            fn read(
                row: &$crate::store::server::ServerRow,
            ) -> Result<Self, $crate::store::server::Unreadable> {
                Ok(Self {
                    $($part: <$whole as $crate::store::server::InServer>::read(row)?,)?
                    $($member: row.named(stringify!($member))?),+
                })
            }
        }
    };
}
pub(crate) use row;
