//! The arguments of a call, matched with the signature of what it calls.
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

use super::Surroundings;
use super::call::{Call, Placed, Value, parse};
use super::draft::Draft;
use crate::notation::nearest::nearest;
use crate::notation::node::Fault;

/// A schedule of a library: its name, its signature as in Python, and how it becomes a Lehr schedule.
pub(super) struct Class {
    pub names: &'static [&'static str],
    pub signature: &'static str,
    pub convert: fn(&Args<'_>) -> Result<Draft, Fault>,
}

/// Parameters that do not change the schedule.
const IDLE: [&str; 9] = [
    "optimizer",
    "last_epoch",
    "last_batch_iteration",
    "verbose",
    "name",
    "initialize",
    "t_in_epochs",
    "use_checkpoint_opt_param_scheduler",
    "override_opt_param_scheduler",
];

pub(super) struct Args<'c> {
    call: &'c Call,
    /// Name, and the value given or the default.
    slots: Vec<(String, Option<Placed>)>,
    pub around: Surroundings,
    /// Converts a call inside this one.
    pub inner: fn(&Call, Surroundings) -> Result<Draft, Fault>,
}

impl<'c> Args<'c> {
    pub fn new(
        call: &'c Call,
        class: &Class,
        around: Surroundings,
        inner: fn(&Call, Surroundings) -> Result<Draft, Fault>,
    ) -> Result<Self, Fault> {
        let signature = parse(&format!("f({})", class.signature))?;
        let mut slots: Vec<(String, Option<Placed>)> = signature
            .arguments
            .into_iter()
            .map(|(name, value)| match (name, value.value) {
                (Some(name), default) => (name, Some(Placed { value: default, at: call.at.clone() })),
                (None, Value::Name(name)) => (name, None),
                (None, _) => (String::new(), None),
            })
            .collect();
        let optimizer = usize::from(slots.first().is_some_and(|(name, _)| name == "optimizer"));
        let mut next = optimizer;
        let mut taken = vec![false; slots.len()];
        for (position, (name, value)) in call.arguments.iter().enumerate() {
            // `optimizer` may be left out; a variable in first place is taken for it.
            if position == 0 && name.is_none() && optimizer == 1 && matches!(value.value, Value::Name(_)) {
                continue;
            }
            let index = match name {
                Some(name) => slots.iter().position(|(known, _)| known == name).ok_or_else(|| {
                    let mut fault =
                        Fault::new(format!("`{}` has no argument `{name}`", call.name), value.at.clone())
                            .expected(listed(&slots));
                    fault.nearest = nearest(name, slots.iter().map(|(known, _)| known.as_str()))
                        .map(|near| format!("`{near}`"));
                    fault
                })?,
                None => {
                    next += 1;
                    next - 1
                }
            };
            match (slots.get_mut(index), taken.get_mut(index)) {
                (Some(slot), Some(taken @ false)) => {
                    slot.1 = Some(value.clone());
                    *taken = true;
                }
                _ => return Err(Fault::new("one value too many", value.at.clone()).expected(listed(&slots))),
            }
        }
        let args = Self { call, slots, around, inner };
        args.check_start()?;
        Ok(args)
    }

    /// A scheduler that is built in the middle of a run depends on the optimiser's state; a schedule does not.
    fn check_start(&self) -> Result<(), Fault> {
        for name in ["last_epoch", "last_batch_iteration"] {
            if self.has(name) && self.number(name)? != -1.0 {
                return Err(
                    self.wrong(name, "-1: a Lehr schedule starts at update 0, and resumes at any step")
                );
            }
        }
        Ok(())
    }

    /// A fault about the whole call.
    pub fn fault(&self, problem: impl Into<String>) -> Fault {
        Fault::new(problem, self.call.at.clone())
    }

    /// A fault about one argument.
    pub fn wrong(&self, name: &str, must_be: &str) -> Fault {
        Fault::new(format!("`{name}` must be {must_be}"), self.place(name))
    }

    /// Something that Lehr cannot say.
    pub fn cannot(&self, name: &str, why: &str) -> Fault {
        Fault::new(format!("`{name}` cannot be converted: {why}"), self.place(name))
    }

    fn place(&self, name: &str) -> Range<usize> {
        let slot = self.slots.iter().find(|(known, _)| known == name);
        slot.and_then(|(_, value)| value.as_ref()).map_or(self.call.at.clone(), |value| value.at.clone())
    }

    /// The value of an argument; `None` where it is `None` or was neither given nor has a default.
    fn value(&self, name: &str) -> Option<&Placed> {
        let (_, value) = self.slots.iter().find(|(known, _)| known == name)?;
        value.as_ref().filter(|value| value.value != Value::None)
    }

    fn required(&self, name: &str) -> Result<&Placed, Fault> {
        self.value(name).ok_or_else(|| {
            self.fault(format!("`{}` needs `{name}`", self.call.name)).expected(listed(&self.slots))
        })
    }

    pub fn has(&self, name: &str) -> bool {
        self.value(name).is_some()
    }

    /// A finite number.
    pub fn number(&self, name: &str) -> Result<f64, Fault> {
        number(self.required(name)?, name)
    }

    pub fn maybe(&self, name: &str) -> Result<Option<f64>, Fault> {
        self.value(name).map(|value| number(value, name)).transpose()
    }

    /// A rate or a factor: finite and not negative.
    pub fn level(&self, name: &str) -> Result<f64, Fault> {
        match self.number(name)? {
            x if x >= 0.0 => Ok(x),
            x => Err(self.wrong(name, &format!("0 or more, not {x}"))),
        }
    }

    /// A number above 0.
    pub fn positive(&self, name: &str) -> Result<f64, Fault> {
        match self.number(name)? {
            x if x > 0.0 => Ok(x),
            x => Err(self.wrong(name, &format!("above 0, not {x}"))),
        }
    }

    /// A whole number, 0 or more.
    pub fn count(&self, name: &str) -> Result<u64, Fault> {
        whole(self.number(name)?).ok_or_else(|| self.wrong(name, "a whole number, 0 or more"))
    }

    pub fn maybe_count(&self, name: &str) -> Result<Option<u64>, Fault> {
        if self.has(name) { self.count(name).map(Some) } else { Ok(None) }
    }

    /// A whole number, 1 or more.
    pub fn at_least_one(&self, name: &str) -> Result<u64, Fault> {
        match self.count(name)? {
            0 => Err(self.wrong(name, "at least 1")),
            n => Ok(n),
        }
    }

    pub fn flag(&self, name: &str) -> Result<bool, Fault> {
        match &self.required(name)?.value {
            Value::Bool(flag) => Ok(*flag),
            _ => Err(self.wrong(name, "True or False")),
        }
    }

    /// A string.
    pub fn text(&self, name: &str) -> Result<&str, Fault> {
        match &self.required(name)?.value {
            Value::Text(text) => Ok(text),
            _ => Err(self.wrong(name, "a string")),
        }
    }

    /// One of some words.
    pub fn choice(&self, name: &str, among: &[&'static str]) -> Result<&'static str, Fault> {
        let text = match &self.required(name)?.value {
            // `SchedulerType.COSINE` and the like.
            Value::Text(text) | Value::Name(text) => text.as_str(),
            _ => "",
        };
        among.iter().copied().find(|word| *word == text).ok_or_else(|| {
            let mut fault = self.wrong(name, &format!("one of {}", among.join(", ")));
            fault.nearest = nearest(text, among.iter().copied()).map(|near| format!("`{near}`"));
            fault
        })
    }

    /// A list of numbers.
    pub fn numbers(&self, name: &str) -> Result<Vec<f64>, Fault> {
        match &self.required(name)?.value {
            Value::List(list) => list.iter().map(|item| number(item, name)).collect(),
            _ => Err(self.wrong(name, "a list of numbers")),
        }
    }

    /// A list of whole numbers.
    pub fn counts(&self, name: &str) -> Result<Vec<u64>, Fault> {
        let found: Option<Vec<u64>> = self.numbers(name)?.into_iter().map(whole).collect();
        found.ok_or_else(|| self.wrong(name, "a list of whole numbers, each 0 or more"))
    }

    /// A dictionary from steps to numbers, by step.
    pub fn pairs(&self, name: &str) -> Result<Vec<(u64, f64)>, Fault> {
        let Some(value) = self.value(name) else { return Ok(Vec::new()) };
        let Value::Pairs(pairs) = &value.value else {
            return Err(self.wrong(name, "a dictionary from steps to numbers, such as {1000: 0.1}"));
        };
        let mut found = Vec::with_capacity(pairs.len());
        for (key, value) in pairs {
            let step = whole(number(key, name)?).ok_or_else(|| self.wrong(name, "keyed by whole numbers"))?;
            found.push((step, number(value, name)?));
        }
        found.sort_by_key(|(step, _)| *step);
        Ok(found)
    }

    /// The one factor of a lambda that does not look at its parameter, or of a bare number.
    pub fn constant_lambda(&self, name: &str) -> Result<f64, Fault> {
        let value = self.required(name)?;
        let body = match &value.value {
            Value::Lambda(body) => body,
            _ => value,
        };
        match body.value {
            Value::Number(factor) if factor >= 0.0 => Ok(factor),
            _ => Err(self.cannot(name, "only a constant factor can be read, such as `lambda epoch: 0.95`")),
        }
    }

    /// The calls in a list.
    pub fn calls(&self, name: &str) -> Result<Vec<&Call>, Fault> {
        let Value::List(list) = &self.required(name)?.value else {
            return Err(self.wrong(name, "a list of schedules"));
        };
        let calls = list.iter().map(|item| match &item.value {
            Value::Call(call) => Ok(call),
            _ => Err(Fault::new("this is not a schedule", item.at.clone())
                .expected("a schedule with its arguments, written out here")),
        });
        calls.collect()
    }

    /// The dictionaries in a list, or in a list of `dict(…)`, as arguments by name.
    pub fn dicts(&self, name: &str) -> Result<Vec<Call>, Fault> {
        let Value::List(list) = &self.required(name)?.value else {
            return Err(self.wrong(name, "a list of dictionaries"));
        };
        list.iter()
            .map(|item| as_dict(item).ok_or_else(|| self.wrong(name, "a list of dictionaries")))
            .collect()
    }

    /// The arguments of a dictionary argument, for a schedule of that name.
    pub fn dict(&self, name: &str) -> Result<Option<Call>, Fault> {
        let read = |value| as_dict(value).ok_or_else(|| self.wrong(name, "a dictionary of arguments"));
        self.value(name).map(read).transpose()
    }

    /// The arguments as given, for another signature.
    pub fn given(&self) -> &Call {
        self.call
    }
}

/// `{'a': 1}` or `dict(a=1)` as a call.
fn as_dict(value: &Placed) -> Option<Call> {
    match &value.value {
        Value::Call(call) if call.name == "dict" => Some(call.clone()),
        Value::Pairs(pairs) => {
            let arguments = pairs.iter().map(|(key, value)| match &key.value {
                Value::Text(name) => Some((Some(name.clone()), value.clone())),
                _ => None,
            });
            Some(Call {
                name: "dict".into(),
                arguments: arguments.collect::<Option<_>>()?,
                at: value.at.clone(),
            })
        }
        _ => None,
    }
}

fn number(value: &Placed, name: &str) -> Result<f64, Fault> {
    match value.value {
        Value::Number(x) if x.is_finite() => Ok(x),
        Value::Name(ref variable) => {
            Err(Fault::new(format!("`{variable}` is a variable: write its value here"), value.at.clone()))
        }
        _ => Err(Fault::new(format!("`{name}` must be a finite number"), value.at.clone())),
    }
}

/// A float that is a whole number, and not so large that it may have been rounded.
fn whole(x: f64) -> Option<u64> {
    ((0.0..=9_007_199_254_740_992.0).contains(&x) && libm::floor(x) == x).then_some(x as u64)
}

/// What may be given, in order.
fn listed(slots: &[(String, Option<Placed>)]) -> String {
    let names: Vec<&str> =
        slots.iter().map(|(name, _)| name.as_str()).filter(|name| !IDLE.contains(name)).collect();
    match names.is_empty() {
        true => "no arguments".into(),
        false => format!("its arguments: {}", names.join(", ")),
    }
}
