//! JSON objects whose parts have to be there.
use serde_json::Value;

/// An object.
#[derive(Clone, Copy)]
pub(super) struct Object<'a>(&'a Value);

impl<'a> Object<'a> {
    pub fn new(json: &'a Value) -> Self {
        Self(json)
    }

    fn part(&self, key: &str) -> Result<&'a Value, String> {
        self.0.get(key).ok_or_else(|| format!("lacks '{key}'"))
    }

    pub fn text(&self, key: &str) -> Result<&'a str, String> {
        self.part(key)?.as_str().ok_or_else(|| format!("'{key}' is no text"))
    }

    /// A number; what is `null` there was not finite.
    pub fn number(&self, key: &str) -> Result<f64, String> {
        number(self.part(key)?).ok_or_else(|| format!("'{key}' is no number"))
    }

    /// A number that may be absent.
    pub fn maybe(&self, key: &str) -> Option<f64> {
        self.0.get(key)?.as_f64()
    }

    pub fn flag(&self, key: &str) -> bool {
        self.0.get(key).and_then(Value::as_bool).unwrap_or(false)
    }

    pub fn object(&self, key: &str) -> Result<Object<'a>, String> {
        self.part(key).map(Object)
    }

    /// An object that may be absent.
    pub fn inner(&self, key: &str) -> Option<Object<'a>> {
        self.0.get(key).filter(|value| value.is_object()).map(Object)
    }

    pub fn list(&self, key: &str) -> Result<&'a [Value], String> {
        let list = self.part(key)?.as_array();
        list.map(Vec::as_slice).ok_or_else(|| format!("'{key}' is no list"))
    }

    pub fn objects(&self, key: &str) -> Result<Vec<Object<'a>>, String> {
        Ok(self.list(key)?.iter().map(Object).collect())
    }

    pub fn numbers(&self, key: &str) -> Result<Vec<f64>, String> {
        let wrong = || format!("'{key}' holds something that is no number");
        self.list(key)?.iter().map(|value| number(value).ok_or_else(wrong)).collect()
    }

    /// Texts; absent is none.
    pub fn texts(&self, key: &str) -> Vec<String> {
        let list = self.0.get(key).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    }
}

/// A number, or NaN for `null`.
pub(super) fn number(value: &Value) -> Option<f64> {
    if value.is_null() { Some(f64::NAN) } else { value.as_f64() }
}
