use bytes::Bytes;
use http::{HeaderName, Response, header};
use tower_callback_contract::{Action, Contract, Refusal};

/// The headers of a response that are about its body or its status, which are replaced.
const OF_THE_BODY: [HeaderName; 13] = [
    header::ACCEPT_RANGES,
    header::CONTENT_DISPOSITION,
    header::CONTENT_ENCODING,
    header::CONTENT_LANGUAGE,
    header::CONTENT_LENGTH,
    header::CONTENT_LOCATION,
    header::CONTENT_RANGE,
    header::CONTENT_TYPE,
    header::ETAG,
    header::LAST_MODIFIED,
    header::LOCATION,
    header::RETRY_AFTER,
    header::TRANSFER_ENCODING,
];

/// The response that asks for the action, or for the nearest that the platform can do.
pub(crate) fn said<C: Contract>(
    contract: &C,
    reply: Response<Bytes>,
    action: &Action,
) -> Response<Bytes> {
    let wire = contract.reply(action);
    let read = contract.action(&wire);
    if read != *action {
        let (contract, action, becomes) = (contract.name(), action.name(), read.name());
        tracing::warn!(contract, action, becomes, "the platform cannot do all of this action");
    }
    rewritten(reply, wire, read)
}

/// The response by which the contract refuses.
pub(crate) fn refused<C: Contract>(
    contract: &C,
    reply: Response<Bytes>,
    refusal: Refusal,
) -> Response<Bytes> {
    let wire = contract.refuse(&refusal);
    let read = contract.action(&wire);
    let mut reply = rewritten(reply, wire, read);
    reply.extensions_mut().insert(refusal);
    reply
}

/// The wire form of the action, with the handler's other headers and its extensions.
fn rewritten(reply: Response<Bytes>, wire: Response<Bytes>, action: Action) -> Response<Bytes> {
    let (mut head, _) = reply.into_parts();
    let (said, body) = wire.into_parts();
    for name in &OF_THE_BODY {
        head.headers.remove(name);
    }
    head.headers.extend(said.headers);
    head.status = said.status;
    head.extensions.insert(action);
    Response::from_parts(head, body)
}
