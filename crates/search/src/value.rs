//! Values of parameters and named sets of them.
use std::fmt;
use std::sync::Arc;

use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The value of one parameter: a JSON scalar.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// `null`, as a choice of a categorical parameter.
    Null,
    /// A truth value, as a choice.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A real number.
    Float(f64),
    /// A word or a longer text, as a choice.
    Text(String),
}

impl Value {
    /// The number in it, if it is one.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Value::Int(i) => Some(*i as f64),
            Value::Float(f) => Some(*f),
            _ => None,
        }
    }

    /// Whether two values mean the same: as `==`, and `1` is `1.0`.
    pub fn same(&self, other: &Value) -> bool {
        self == other || matches!((self.as_f64(), other.as_f64()), (Some(a), Some(b)) if a == b)
    }
}

/// `{}` reads back as the same value; `{:#}` shows real numbers to four significant digits, for people.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => write!(f, "null"),
            Value::Bool(b) => write!(f, "{b}"),
            Value::Int(i) => write!(f, "{i}"),
            Value::Float(x) if f.alternate() => {
                write!(f, "{}", Short(format!("{x:.3e}").parse().unwrap_or(*x)))
            }
            Value::Float(x) => write!(f, "{}", Short(*x)),
            Value::Text(t) => write!(f, "{t}"),
        }
    }
}

/// Prints a number in the shortest form that reads back as the same number (`3e-5`, not `0.00003`).
pub(crate) struct Short(pub f64);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let x = self.0;
        if x != 0.0 && x.is_finite() && !(1e-4..1e15).contains(&x.abs()) {
            write!(f, "{x:e}")
        } else {
            write!(f, "{x}")
        }
    }
}

macro_rules! value_from {
    ($($from:ty => |$x:ident| $make:expr),* $(,)?) => {$(
        impl From<$from> for Value {
            fn from($x: $from) -> Self {
                $make
            }
        }
    )*};
}
value_from! {
    bool => |x| Value::Bool(x),
    i64 => |x| Value::Int(x),
    i32 => |x| Value::Int(i64::from(x)),
    f64 => |x| Value::Float(x),
    &str => |x| Value::Text(x.to_owned()),
    String => |x| Value::Text(x),
}

/// A named set of values: what one trial is run with. Inactive (conditional) parameters are absent.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Params(Vec<(Arc<str>, Value)>);

impl Params {
    /// An empty set.
    pub fn new() -> Self {
        Params::default()
    }

    /// Sets a value, replacing one of the same name.
    pub fn set(&mut self, name: impl Into<Arc<str>>, value: impl Into<Value>) {
        let (name, value) = (name.into(), value.into());
        match self.0.iter_mut().find(|(n, _)| *n == name) {
            Some(slot) => slot.1 = value,
            None => self.0.push((name, value)),
        }
    }

    /// Appends a value whose name is known to be new.
    pub(crate) fn push(&mut self, name: Arc<str>, value: Value) {
        self.0.push((name, value));
    }

    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(n, _)| &**n == name).map(|(_, v)| v)
    }

    /// The number of a name, if it is there and is one.
    pub fn float(&self, name: &str) -> Option<f64> {
        self.get(name).and_then(Value::as_f64)
    }

    /// The whole number of a name, if it is there and is one.
    pub fn int(&self, name: &str) -> Option<i64> {
        match self.get(name) {
            Some(Value::Int(i)) => Some(*i),
            _ => None,
        }
    }

    /// The text of a name, if it is there and is one.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.get(name) {
            Some(Value::Text(t)) => Some(t),
            _ => None,
        }
    }

    /// The names and values, in the order of the space.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.0.iter().map(|(n, v)| (&**n, v))
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<N: Into<Arc<str>>, V: Into<Value>> FromIterator<(N, V)> for Params {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let mut params = Params::new();
        pairs.into_iter().for_each(|(n, v)| params.set(n, v));
        params
    }
}

/// `{:#}` shows real numbers to four significant digits, as for a value.
impl fmt::Display for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (name, value)) in self.iter().enumerate() {
            write!(f, "{}{name}=", if i == 0 { "" } else { " " })?;
            value.fmt(f)?;
        }
        Ok(())
    }
}

impl Serialize for Params {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.len()))?;
        for (name, value) in self.iter() {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Params {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Params;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                write!(f, "a map from parameter names to values")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Params, A::Error> {
                let mut params = Params::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    params.set(name, value);
                }
                Ok(params)
            }
        }
        deserializer.deserialize_map(Pairs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_round_trip() {
        let text = r#"{"lr":0.0001,"layers":3,"nesterov":true,"opt":"sgd","clip":null}"#;
        let params: Params = serde_json::from_str(text).unwrap();
        assert_eq!(params.int("layers"), Some(3));
        assert_eq!(params.float("layers"), Some(3.0));
        assert_eq!(params.text("opt"), Some("sgd"));
        assert_eq!(serde_json::to_string(&params).unwrap(), text);
        assert_eq!(params.to_string(), "lr=0.0001 layers=3 nesterov=true opt=sgd clip=null");
    }

    #[test]
    fn numbers_for_people_have_four_digits() {
        let params: Params = [("lr", 0.008904695612499075), ("wd", 3.2034801984832127e-6), ("steps", 2.0)]
            .into_iter()
            .collect();
        assert_eq!(format!("{params:#}"), "lr=0.008905 wd=3.203e-6 steps=2");
        assert_eq!(format!("{:#} {:#}", Value::Float(f64::NAN), Value::Float(f64::INFINITY)), "NaN inf");
        assert_eq!(format!("{:#} {:#}", Value::Int(123456), Value::Text("a".into())), "123456 a");
    }

    #[test]
    fn short_numbers_read_back() {
        for (x, text) in
            [(3e-5, "3e-5"), (0.001, "0.001"), (-2e-7, "-2e-7"), (1e20, "1e20"), (0.0, "0"), (12.5, "12.5")]
        {
            assert_eq!(Short(x).to_string(), text);
            assert_eq!(text.parse::<f64>().unwrap(), x);
        }
    }
}
