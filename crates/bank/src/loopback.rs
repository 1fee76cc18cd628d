//! Listeners for people and programs of this machine alone: no TLS, no terminal, and no other address.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use axum::Router;
use axum_server::Handle;
use tokio::task::JoinHandle;

use crate::error::StartError;

/// How long a peer may take for the head of a request.
const HEAD: Duration = Duration::from_secs(15);

/// A listener on `address`, and where it is.
///
/// # Errors
/// [`StartError::Address`] when the address is taken, or is not of the loopback interface.
pub(crate) fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |cause: String| StartError::Address {
        address: address.to_string(),
        cause,
    };
    if !address.ip().is_loopback() {
        return Err(failed("an address of the loopback interface".to_owned()));
    }
    let listener = TcpListener::bind(address).map_err(|error| failed(error.to_string()))?;
    let bound = listener
        .local_addr()
        .map_err(|error| failed(error.to_string()))?;
    Ok((listener, bound))
}

pub(crate) fn serve(
    listener: TcpListener,
    routes: Router,
    handle: Handle<SocketAddr>,
) -> Result<JoinHandle<()>, StartError> {
    let server = axum_server::from_tcp(listener);
    let server = server.map_err(|error| StartError::Address {
        address: "loopback".to_owned(),
        cause: error.to_string(),
    })?;
    let mut server = server.handle(handle).first_request_timeout(HEAD);
    server.http_builder().http1().header_read_timeout(HEAD);
    Ok(tokio::spawn(async move {
        let routes = routes.into_make_service_with_connect_info::<SocketAddr>();
        if let Err(error) = server.serve(routes).await {
            log::error!("a server stopped: {error}");
        }
    }))
}
