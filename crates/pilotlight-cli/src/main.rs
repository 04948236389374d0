//! The `pilot` command.
fn main() {}
