use std::path::{Path, PathBuf};

use private_postgres::{Durability, PrivatePostgres};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;

use super::*;
use crate::store::server::Target;
use crate::store::{Opening, Place, Store, commit, outbox};

const SOCKET: &str = ".s.PGSQL.5432";

/// Between a bank and its server. Connections that are there when it is told to fall silent hear nothing any more, as
/// of a machine that lost its power; later ones are served.
fn front(real: PathBuf, at: &Path) -> watch::Sender<bool> {
    let (silence, heard) = watch::channel(false);
    let listener = UnixListener::bind(at).unwrap();
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            tokio::spawn(served(near, real.clone(), heard.clone()));
        }
    });
    silence
}

async fn served(mut near: UnixStream, real: PathBuf, mut silence: watch::Receiver<bool>) {
    let mut far = UnixStream::connect(real).await.unwrap();
    let is_old = !*silence.borrow();
    let falls_silent = silence.wait_for(|is_silent| *is_silent && is_old);
    tokio::select! {
        _ = copy_bidirectional(&mut near, &mut far) => return,
        _ = falls_silent => {}
    }
    // Open, and without a word.
    std::future::pending::<()>().await;
}

async fn write(store: Store) -> Result<(), Problem> {
    commit!(store, conn => { outbox::sms(conn, vec![1], 1_000_000).await })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_falls_silent_keeps_nobody_from_the_one_that_takes_its_place() {
    let Some(server) = PrivatePostgres::start(Durability::None).unwrap() else {
        return;
    };
    let url = server.schema().unwrap();
    let (_, host) = url.split_once("host=").unwrap();
    let (host, _) = host.split_once('&').unwrap();
    let real = Path::new(&host.replace("%2F", "/")).join(SOCKET);
    let dir = tempfile::tempdir().unwrap();
    let silence = front(real, &dir.path().join(SOCKET));
    let near = dir.path().display().to_string().replace('/', "%2F");
    let place = Place::parse(&url.replace(host, &near), 1).unwrap();
    let store = Opening::after(Duration::from_secs(1))
        .open(&place)
        .await
        .unwrap();
    // More connections than there are lanes, all of them old.
    let mut held = Vec::new();
    for _ in 0..12 {
        held.push(store.read().await.unwrap());
    }
    drop(held);
    write(store.clone()).await.unwrap();
    silence.send_replace(true);
    let stuck: Vec<_> = (0..16)
        .map(|_| tokio::spawn(write(store.clone())))
        .collect();
    for work in stuck {
        let ended = timeout(6 * PATIENCE, work).await;
        assert!(
            ended.is_ok(),
            "somebody waits for the silent one without end"
        );
    }
    // Each of those that nobody used yet is found out once.
    let written = async { while write(store.clone()).await.is_err() {} };
    let written = timeout(6 * PATIENCE, written).await;
    assert!(written.is_ok(), "new connections are to be had");
    store.close().await;
}

async fn opened(server: &PrivatePostgres) -> Store {
    let place = Place::parse(&server.schema().unwrap(), 1).unwrap();
    let opening = Opening::after(Duration::from_secs(1));
    opening.open(&place).await.unwrap()
}

const INSERT: &str = "INSERT INTO void (bank, id, terminal, at_ms) VALUES ($1, $2, '1', $3)";
const TOUCH: &str = "UPDATE void SET at_ms = at_ms WHERE bank = $1 AND id = $2";
/// What the schema refuses: there is no such phase.
const REFUSED: &str = "INSERT INTO transfer (bank, kind, at_ms) VALUES ($1, 'theft', $2)";

async fn voids(store: &Store) -> i64 {
    let mut conn = store.read().await.unwrap();
    let sql = "SELECT count(*) FROM void WHERE bank = $1";
    conn.sql(sql).value().await.unwrap()
}

#[tokio::test]
async fn what_nobody_waited_for_is_made_whole_or_not_at_all() {
    let Some(server) = PrivatePostgres::start(Durability::None).unwrap() else {
        return;
    };
    let store = opened(&server).await;
    let refused: Result<(), Problem> = commit!(store, conn => {
        conn.sql(INSERT).bind(&[1; 16]).bind(1_i64).send().await?;
        conn.sql(REFUSED).bind(1_i64).send().await?;
        conn.sql(INSERT).bind(&[2; 16]).bind(1_i64).send().await
    });
    let Err(Problem::Internal { cause, .. }) = refused else {
        panic!("{refused:?}");
    };
    assert!(
        cause.contains("(23514)"),
        "the first failure is told: {cause}"
    );
    assert_eq!(voids(&store).await, 0);
    let made: Result<(), Problem> = commit!(store, conn => {
        for number in 0..200 {
            conn.sql(INSERT).bind(&[number; 16]).bind(1_i64).send().await?;
        }
        Ok(())
    });
    made.unwrap();
    assert_eq!(voids(&store).await, 200, "more than one group");
    store.close().await;
}

#[tokio::test]
async fn a_row_that_had_to_be_there_is_looked_for_before_the_commit() {
    let Some(server) = PrivatePostgres::start(Durability::None).unwrap() else {
        return;
    };
    let store = opened(&server).await;
    let missing: Result<(), Problem> = commit!(store, conn => {
        conn.sql(INSERT).bind(&[1; 16]).bind(1_i64).send().await?;
        let touch = conn.sql(TOUCH).bind(&[2; 16]);
        touch.send_one(|| Problem::internal("no such row")).await?;
        conn.sql(REFUSED).bind(1_i64).send().await
    });
    let Err(Problem::Internal { cause, .. }) = missing else {
        panic!("{missing:?}");
    };
    assert_eq!(cause, "no such row", "it came first");
    assert_eq!(voids(&store).await, 0);
    let there: Result<Vec<(i64,)>, Problem> = commit!(store, conn => {
        conn.sql(INSERT).bind(&[1; 16]).bind(7_i64).send().await?;
        let later = conn.sql("SELECT at_ms FROM void WHERE bank = $1").ask().await?;
        let touch = conn.sql(TOUCH).bind(&[1; 16]);
        touch.send_one(|| Problem::internal("no such row")).await?;
        later.heard(conn).await
    });
    assert_eq!(there.unwrap(), [(7,)]);
    assert_eq!(voids(&store).await, 1);
    store.close().await;
}

#[tokio::test]
async fn whoever_goes_on_after_a_failure_commits_nothing() {
    let Some(server) = PrivatePostgres::start(Durability::None).unwrap() else {
        return;
    };
    let store = opened(&server).await;
    let done: Result<(), Problem> = commit!(store, conn => {
        conn.sql(INSERT).bind(&[1; 16]).bind(1_i64).send().await?;
        let _swallowed = conn.sql(REFUSED).bind(1_i64).execute().await;
        Ok(())
    });
    assert!(matches!(done, Err(Problem::Internal { .. })), "{done:?}");
    // And the next one has a connection that is as new.
    let next: Result<(), Problem> = commit!(store, conn => {
        conn.sql(INSERT).bind(&[2; 16]).bind(1_i64).send().await
    });
    next.unwrap();
    assert_eq!(voids(&store).await, 1);
    store.close().await;
}

/// A server that says of everything that it was this.
fn saying(tag: &'static str, at: PathBuf) {
    let listener = UnixListener::bind(at).unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut startup = vec![0; stream.read_u32().await.unwrap() as usize - 4];
        stream.read_exact(&mut startup).await.unwrap();
        // Authentication is done; ready, outside a transaction.
        let ready = b"Z\0\0\0\x05I";
        let welcome = [&b"R\0\0\0\x08\0\0\0\0"[..], ready].concat();
        stream.write_all(&welcome).await.unwrap();
        while let Ok(kind) = stream.read_u8().await {
            let mut body = vec![0; stream.read_u32().await.unwrap() as usize - 4];
            stream.read_exact(&mut body).await.unwrap();
            let answer = match kind {
                b'E' => {
                    let length = u32::try_from(tag.len()).unwrap() + 5;
                    [b"C", &length.to_be_bytes()[..], tag.as_bytes(), b"\0"].concat()
                }
                b'S' => ready.to_vec(),
                _ => Vec::new(),
            };
            stream.write_all(&answer).await.unwrap();
        }
    });
}

#[tokio::test]
async fn a_commit_is_one_only_where_the_server_says_so() {
    for (tag, is_made) in [("COMMIT", true), ("ROLLBACK", false)] {
        let dir = tempfile::tempdir().unwrap();
        saying(tag, dir.path().join(SOCKET));
        let near = dir.path().display().to_string().replace('/', "%2F");
        let options = format!("postgres://b@localhost/d?host={near}")
            .parse()
            .unwrap();
        let pool = Pool::new(Target::new(&options).unwrap(), 1, Duration::from_secs(1));
        let mut served = Served::take(&pool).await.unwrap();
        served.begin("BEGIN").unwrap();
        served.send(("SELECT 1".into(), Vec::new())).await.unwrap();
        assert_eq!(served.commit().await.is_ok(), is_made, "{tag}");
    }
}

#[tokio::test]
async fn a_connection_that_can_not_write_any_more_is_nobodys() {
    let Some(server) = PrivatePostgres::start(Durability::None).unwrap() else {
        return;
    };
    let store = opened(&server).await;
    let mut conn = store.read().await.unwrap();
    let demoted = "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY";
    conn.bare(demoted).execute().await.unwrap();
    let refused = conn.sql(INSERT).bind(&[1; 16]).bind(1_i64).execute().await;
    assert!(refused.is_err(), "it only reads");
    drop(conn);
    let mut conn = store.read().await.unwrap();
    let written = conn.sql(INSERT).bind(&[1; 16]).bind(1_i64).execute().await;
    assert_eq!(written.ok(), Some(1), "on another one");
    drop(conn);
    store.close().await;
}

/// A restart of the server: all connections end, and whoever has one hears of it in the middle of a write of its own.
#[tokio::test]
async fn a_write_that_was_lost_may_have_been_made_and_the_other_connections_are_as_dead() {
    let Some(server) = PrivatePostgres::start(Durability::None).unwrap() else {
        return;
    };
    let store = opened(&server).await;
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(store.read().await.unwrap());
    }
    let mut last = held.pop().unwrap();
    drop(held);
    let others = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
        WHERE pid <> pg_backend_pid() AND application_name = 'tapfill-bank'";
    let ended: i64 = last.bare(others).value().await.unwrap();
    assert!(ended >= 3, "{ended} of those that were left");
    let own = "SELECT pg_terminate_backend(pg_backend_pid())";
    let lost = last.bare(own).execute().await;
    let is_late = matches!(lost, Err(Problem::Refused { code: "late", .. }));
    assert!(is_late, "{lost:?}");
    drop(last);
    assert_eq!(voids(&store).await, 0, "the first connection is a new one");
    store.close().await;
}
