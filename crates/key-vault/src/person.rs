//! Who is there: Touch ID, Windows Hello, or polkit with whatever the system's login takes (a finger, a password).

use crate::VaultError;

#[cfg(any(target_os = "linux", target_os = "macos", target_os = "windows"))]
pub(crate) fn confirm() -> Result<(), VaultError> {
    use robius_authentication::{
        AndroidText, BiometricStrength, Context, PolicyBuilder, Text, WindowsText,
    };
    use std::sync::mpsc;

    /// The same as in `src-tauri/linux/org.tapfill.app.policy`.
    const POLKIT_ACTION: &str = "org.tapfill.app.unlock";

    let policy = PolicyBuilder::new()
        .action_ids([POLKIT_ACTION])
        .biometrics(Some(BiometricStrength::Strong))
        .password(true)
        .build()
        .ok_or(VaultError::CantAsk)?;
    let text = Text {
        android: AndroidText {
            title: "Tapfill",
            subtitle: None,
            description: None,
        },
        apple: "unlock your cards",
        windows: WindowsText::new_truncated("Tapfill", "Unlock your cards"),
    };
    let (tell, told) = mpsc::channel();
    let answered = move |answer| {
        // Nobody waits any more when the app ends meanwhile.
        let _ = tell.send(answer);
    };
    let asked = Context::new(()).authenticate(text, &policy, answered);
    asked.map_err(failure)?;
    told.recv()
        .map_err(|_| VaultError::CantAsk)?
        .map_err(failure)
}

#[cfg(any(target_os = "linux", target_os = "macos", target_os = "windows"))]
fn failure(error: robius_authentication::Error) -> VaultError {
    use robius_authentication::Error as Asked;
    log::warn!("nobody confirmed: {error:?}");
    let refused = matches!(
        error,
        Asked::Authentication
            | Asked::Exhausted
            | Asked::UserCanceled
            | Asked::AppCanceled
            | Asked::SystemCanceled
    );
    if refused {
        VaultError::Unconfirmed
    } else {
        VaultError::CantAsk
    }
}

/// A phone's app asks for itself ([`crate::OsVault::asking`]): it has the words, and the screen to ask on.
#[cfg(not(any(target_os = "linux", target_os = "macos", target_os = "windows")))]
pub(crate) fn confirm() -> Result<(), VaultError> {
    Err(VaultError::CantAsk)
}
