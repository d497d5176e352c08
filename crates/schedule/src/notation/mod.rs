//! The three notations of a schedule. Text and data (JSON, TOML through serde) both pass through [`node::Node`],
//! a word with its settings, so that they cannot drift apart.
pub(crate) mod args;
pub(crate) mod data;
mod lexer;
pub(crate) mod nearest;
pub(crate) mod node;
pub(crate) mod text;
