//! The filter inside Envoy: gathers what the core wants to know, asks it, and does what it says. Nothing is decided
//! here. Both roles run in one VM per worker thread, so a plan made by the gateway is at hand for the signer.

mod gateway;
mod host;
mod logger;
mod plans;
mod reply;
mod root;
mod signer;

proxy_wasm::main! {{
    logger::install();
    proxy_wasm::set_root_context(|_| Box::new(root::Root::default()));
}}
