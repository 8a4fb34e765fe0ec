//! `sheaf verify`: honest batches hold, and every change is refused, by the name under which the contract refuses it.

mod api;
mod chain;
mod http;
mod l1;
mod refused;
mod shapes;
mod world;
