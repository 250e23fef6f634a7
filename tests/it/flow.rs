//! The whole way of a delegation that takes an approval and a reservation, with the process killed on it.

mod driver;
mod kill;
mod ledger;
mod rig;
