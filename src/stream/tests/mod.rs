mod accounting;
pub(crate) mod driver;
mod machine;
mod signed;
mod upstream;
mod waiting;
