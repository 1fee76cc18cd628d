use std::sync::Arc;

use serde_json::Value;
use tokio::sync::watch;

use super::PhoneBridge;

/// What the phone is told of again and again, e.g. how its screen should be: one call after the other, and of what was
/// wanted meanwhile only the last. Calls beside each other could arrive in another order.
pub struct Newest {
    wanted: watch::Sender<Value>,
}

impl Newest {
    /// Tells by `command`. Needs a tokio runtime.
    pub fn new(bridge: Arc<dyn PhoneBridge>, command: &'static str) -> Self {
        let (wanted, mut told) = watch::channel(Value::Null);
        tokio::spawn(async move {
            while told.changed().await.is_ok() {
                let now = told.borrow_and_update().clone();
                if let Err(refused) = bridge.call(command, now).await {
                    log::warn!("{command}: {refused}");
                }
            }
        });
        Self { wanted }
    }

    /// From now on this is wanted.
    pub fn want(&self, wanted: Value) {
        self.wanted.send_replace(wanted);
    }
}
