//! Calls as Rust values: each prints as the call that `parse_call` reads.
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::{self, Write};

use super::{Converted, Surroundings, parse_call};
use crate::error::ParseError;

/// A call of another library's schedule, as a Rust value with the library's own names.
///
/// What has a default in the library is an `Option`; `None` is that default. It prints as the call in Python.
pub trait TypedCall: fmt::Display {
    /// The schedule that has the values of this call.
    ///
    /// # Errors
    /// As [`parse_call`] of the printed call.
    fn convert(&self, around: &Surroundings) -> Result<Converted, ParseError> {
        parse_call(&self.to_string(), around)
    }
}

/// A call inside another one.
#[derive(Debug, Clone, PartialEq)]
pub struct Nested(String);

impl<C: TypedCall> From<C> for Nested {
    fn from(call: C) -> Self {
        Self(call.to_string())
    }
}

/// A value as Python writes it.
pub(super) trait Argument {
    /// Whether it is written at all.
    fn is_given(&self) -> bool {
        true
    }

    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;
}

impl Argument for f64 {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl Argument for u64 {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Argument for bool {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self { "True" } else { "False" })
    }
}

impl Argument for &'static str {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{self}'")
    }
}

impl Argument for Nested {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<T: Argument> Argument for Option<T> {
    fn is_given(&self) -> bool {
        self.is_some()
    }

    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_ref().map_or(Ok(()), |value| value.write(f))
    }
}

impl<T: Argument> Argument for Vec<T> {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('[')?;
        for value in self {
            value.write(f)?;
            f.write_char(',')?;
        }
        f.write_char(']')
    }
}

impl Argument for Vec<(u64, f64)> {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('{')?;
        for (key, value) in self {
            write!(f, "{key}: {value:?},")?;
        }
        f.write_char('}')
    }
}

/// Writes `name=value`, after a comma unless it is the first one.
pub(super) fn argument(
    f: &mut fmt::Formatter<'_>,
    first: &mut bool,
    name: &str,
    value: &impl Argument,
) -> fmt::Result {
    if !value.is_given() {
        return Ok(());
    }
    f.write_str(if core::mem::take(first) { "" } else { ", " })?;
    write!(f, "{name}=")?;
    value.write(f)
}

/// The type of an argument: optional where the library has a default.
macro_rules! argument_type {
    ($type:ty) => { $type };
    ($type:ty, $default:literal) => { Option<$type> };
}
pub(super) use argument_type;

/// Literals, and perhaps one macro before them, as one.
macro_rules! idle {
    ($($text:literal)+) => { concat!($($text),+) };
    ($name:ident!() $($text:literal)*) => { concat!($name!() $(, $text)*) };
}
pub(super) use idle;

/// The calls of a library: a struct for each, and the table that `parse_call` looks them up in.
///
/// `Struct = "python name" | "alias", convert, "what comes first, " { name: type = "default" ["what follows, "], … }`;
/// what comes between the arguments does not change the schedule and has no field.
macro_rules! calls {
    (
        $library:literal $(, also [$($other:expr),* $(,)?])?;
        $(
            $(#[$doc:meta])*
            $name:ident = $python:literal $(| $alias:literal)*, $convert:expr, $head:literal {
                $($field:ident: $type:ty $(= $default:literal)? $([$($idle:tt)+])?),* $(,)?
            }
        )*
    ) => {
        pub(super) const CLASSES: &[$crate::convert::args::Class] = &[
            $($crate::convert::args::Class {
                names: &[$python $(, $alias)*],
                signature: concat!(
                    $head,
                    $(stringify!($field), $("=", $default,)? ", ", $($crate::convert::typed::idle!($($idle)+),)?)*
                ),
                convert: $convert,
            },)*
            $($($other,)*)?
        ];

        $(
            $(#[$doc])*
            #[derive(Debug, Clone, PartialEq, Default)]
            #[allow(non_snake_case, clippy::upper_case_acronyms)] // the library's own names
            pub struct $name {
                $(
                    #[doc = concat!("`", stringify!($field), "`" $(, ", default `", $default, "`")?, ".")]
                    pub $field: $crate::convert::typed::argument_type!($type $(, $default)?),
                )*
            }

            impl core::fmt::Display for $name {
                fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                    f.write_str(concat!($library, ".", $python, "("))?;
                    #[allow(unused_mut, unused_variables)] // of calls without arguments
                    let mut first = true;
                    $($crate::convert::typed::argument(f, &mut first, stringify!($field), &self.$field)?;)*
                    f.write_str(")")
                }
            }

            impl $crate::convert::TypedCall for $name {}
        )*
    };
}
pub(super) use calls;
