mod accounting;
pub(crate) mod driver;
mod machine;
mod upstream;
mod waiting;
