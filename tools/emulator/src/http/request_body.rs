//! Reading request bodies.

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};

/// Largest body that is read, in bytes: above all of Bedrock's limits, and small enough for a test
/// machine.
const BODY_LIMIT_BYTES: usize = 64 * 1024 * 1024;

/// Why a request body could not be read.
pub(super) enum BodyError {
    TooLarge,
    /// The client closed the connection.
    Gone,
}

pub(super) async fn read(mut incoming: Incoming) -> Result<Bytes, BodyError> {
    let announced = usize::try_from(incoming.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > BODY_LIMIT_BYTES {
        return Err(BodyError::TooLarge);
    }
    let mut body = BytesMut::with_capacity(announced);
    while let Some(frame) = incoming.frame().await {
        if let Ok(data) = frame.map_err(|_| BodyError::Gone)?.into_data() {
            if body.len().saturating_add(data.len()) > BODY_LIMIT_BYTES {
                return Err(BodyError::TooLarge);
            }
            body.extend_from_slice(&data);
        }
    }
    Ok(body.freeze())
}
