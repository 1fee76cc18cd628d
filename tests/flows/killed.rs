//! An app that is killed (SIGKILL) in the middle of paying for a list: a process of its own, on the device of a test.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bank_client::Profile;
use ipc::{Command, QueueItemState, QueueStage, TapState};
use session::shells::{KeyVault, MemoryVault, SimulatedReader};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use virtual_card::{AnyProfile, Slot};

use crate::queue::{books, card, class, list, paid, school, tap, to_password};
use crate::stage::{Stage, TestClock, person};

/// The folder of a device that somebody else made.
const DEVICE: &str = "TAPFILL_TEST_DEVICE";
const KEY: &str = "master-key";
const PAUSE: Duration = Duration::from_millis(10);

/// On the way to the security server: holds what goes there, or what comes from there.
struct Gate {
    address: SocketAddr,
    state: Arc<Holding>,
}

#[derive(Default)]
struct Holding {
    requests: AtomicBool,
    answers: AtomicBool,
    /// Bytes that were held so far.
    held: AtomicUsize,
}

impl Gate {
    async fn to(bank: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::<Holding>::default();
        let shared = state.clone();
        tokio::spawn(async move {
            while let Ok((app, _)) = listener.accept().await {
                let bank = TcpStream::connect(bank).await.unwrap();
                let (from_app, to_app) = app.into_split();
                let (from_bank, to_bank) = bank.into_split();
                let holding = |it: &Holding| it.requests.load(Ordering::SeqCst);
                tokio::spawn(carry(from_app, to_bank, shared.clone(), holding));
                let holding = |it: &Holding| it.answers.load(Ordering::SeqCst);
                tokio::spawn(carry(from_bank, to_app, shared.clone(), holding));
            }
        });
        Self { address, state }
    }

    fn held(&self) -> usize {
        self.state.held.load(Ordering::SeqCst)
    }
}

/// What was on its way arrives, whoever has gone meanwhile.
async fn carry(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    state: Arc<Holding>,
    holds: impl Fn(&Holding) -> bool,
) {
    let mut buffer = vec![0; 32 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        if holds(&state) {
            state.held.fetch_add(length, Ordering::SeqCst);
        }
        while holds(&state) {
            tokio::time::sleep(PAUSE).await;
        }
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
    // The other side is not told that nobody is there any more.
    std::future::pending::<()>().await;
}

async fn until(what: &str, happened: impl Fn() -> bool) {
    for _ in 0..3_000 {
        if happened() {
            return;
        }
        tokio::time::sleep(PAUSE).await;
    }
    panic!("never: {what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_in_a_process_of_its_own_pays_a_list_where_the_environment_asks_for_it() {
    let Ok(device) = std::env::var(DEVICE) else {
        return;
    };
    let device = PathBuf::from(device);
    let read = |name: &str| std::fs::read(device.join(name)).unwrap();
    let profile = Profile::parse(&read("gate.json")).unwrap();
    let vault = Arc::new(MemoryVault::default());
    vault.store(KEY, &read(KEY)).unwrap();
    let reader = Arc::new(SimulatedReader::new(Slot::empty()));
    let clock = Arc::<TestClock>::default();
    let person = person(&profile, reader, &vault, &clock, &device.join("app"));
    person.ready().await.unwrap();
    to_password(&person, &class()).await;
    std::fs::write(device.join("ready"), "").unwrap();
    until("go", || device.join("go").exists()).await;
    let ended = person.submit("246810", None).await;
    panic!("it was to be killed by now: {ended:?}");
}

/// Ends with this value, whatever the test does.
struct App(Child);

impl Drop for App {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn start(device: &Path) -> App {
    let (_, module) = module_path!().split_once("::").unwrap();
    let name = "an_app_in_a_process_of_its_own_pays_a_list_where_the_environment_asks_for_it";
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", &format!("{module}::{name}")]);
    let command = command.env(DEVICE, device).stdout(Stdio::null());
    App(command.spawn().unwrap())
}

/// A school whose app waits behind a gate with everything typed.
async fn about_to_pay() -> (Stage, Gate, App) {
    let stage = school().await;
    stage.stop_app();
    let device = stage.dir.path();
    let key = stage.vault.load(KEY).unwrap().unwrap();
    std::fs::write(device.join(KEY), &*key).unwrap();
    let profile = std::fs::read(&stage.bank().profile_path).unwrap();
    let mut profile: serde_json::Value = serde_json::from_slice(&profile).unwrap();
    let gate = Gate::to(stage.bank().security_addr).await;
    profile["security_url"] = format!("https://{}", gate.address).into();
    std::fs::write(device.join("gate.json"), profile.to_string()).unwrap();
    let app = start(device);
    until("everything typed", || device.join("ready").exists()).await;
    (stage, gate, app)
}

fn go(stage: &Stage) {
    std::fs::write(stage.dir.path().join("go"), "").unwrap();
}

/// How many lists are paid for at the bank.
async fn queues(stage: &Stage) -> usize {
    let told = bank::queues(stage.bank_config()).await.unwrap();
    told.as_array().unwrap().len()
}

async fn customers(stage: &Stage) -> i64 {
    stage.bank().money().await.unwrap().customers
}

/// The payment is sent, and held on its way; then the app is killed.
async fn killed_before_it_arrives(stage: &Stage, gate: &Gate, app: App) {
    gate.state.requests.store(true, Ordering::SeqCst);
    go(stage);
    until("a request on its way", || gate.held() > 0).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    drop(app);
}

async fn nothing_waits(stage: &mut Stage) {
    stage.restart_app();
    stage.person.ready().await.unwrap();
    let none = |view: &ipc::AppView| view.queues.is_empty();
    stage.person.until("no list", none).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_killed_between_payment_and_answer_has_paid_once_and_the_list_goes_on() {
    let (mut stage, gate, app) = about_to_pay().await;
    let before = customers(&stage).await;
    gate.state.answers.store(true, Ordering::SeqCst);
    go(&stage);
    for _ in 0..1_000 {
        if customers(&stage).await < before {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    until("an answer on its way", || gate.held() > 0).await;
    drop(app);
    assert_eq!(customers(&stage).await, before - 10_000, "it is paid");

    stage.restart_app();
    let view = stage.person.ready().await.unwrap();
    assert_eq!(view.queues.len(), 1, "written before it was sent");
    let known = |view: &ipc::AppView| view.queues.iter().all(|it| it.closes_ms.is_some());
    let view = stage.person.until("the bank's word", known).await.unwrap();
    let id = view.queues[0].id.clone();
    stage.person.give(Command::OpenQueue { id }).await.unwrap();
    assert_eq!(list(&stage.person.look()).stage, QueueStage::Tap);
    for (place, tail) in ["1001", "1002"].into_iter().enumerate() {
        let loaded = tap(&stage, AnyProfile::Purse(card(tail))).await;
        assert_eq!(loaded.state, TapState::Loaded, "{loaded:?}");
        let items = list(&stage.person.look()).items;
        assert_eq!(items[place].state, QueueItemState::Loaded);
    }
    stage.person.give(Command::CloseQueue).await.unwrap();
    assert_eq!(queues(&stage).await, 1, "paid once");
    assert_eq!(
        customers(&stage).await,
        before - 3_000,
        "what no card has is back"
    );
    books(&stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_killed_before_its_payment_arrives_has_paid_nothing_and_pays_again() {
    let (mut stage, gate, app) = about_to_pay().await;
    let before = customers(&stage).await;
    killed_before_it_arrives(&stage, &gate, app).await;
    nothing_waits(&mut stage).await;
    assert_eq!(customers(&stage).await, before, "nothing moved");
    paid(&stage).await;
    assert_eq!(queues(&stage).await, 1);
    assert_eq!(customers(&stage).await, before - 10_000);
    books(&stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_arrives_after_the_app_gave_its_list_up_pays_nothing() {
    let (mut stage, gate, app) = about_to_pay().await;
    let before = customers(&stage).await;
    killed_before_it_arrives(&stage, &gate, app).await;
    nothing_waits(&mut stage).await;
    gate.state.requests.store(false, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(
        (queues(&stage).await, customers(&stage).await),
        (0, before),
        "nobody would know of it"
    );
    books(&stage).await;
}
