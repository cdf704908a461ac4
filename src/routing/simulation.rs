//! The balancer as a simulation: thousands of requests go through the real plans of several workers
//! to regions that throttle, refuse, fail, slow down and heal. Time and chance are simulated, so each
//! run is the same.

mod fleet;
mod region;
mod sightings;
mod table;
mod tests;
