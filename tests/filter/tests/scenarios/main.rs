//! What the compiled filter does, theme by theme: everything that needs no network.
//!
//! Every VM of these tests is a [`scene::Scene`], which looks for secrets in what the filter said when it is dropped.
//! Every request that leaves is held against AWS's own signer by [`oracle`].

mod bodies;
mod failover;
mod keys;
mod oracle;
mod paths;
mod scene;
mod upstream;
