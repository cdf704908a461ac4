//! A stateful proxy-wasm host.
