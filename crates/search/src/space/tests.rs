use super::*;
use proptest::prelude::*;

const EVERYTHING: &str = "lr=log 1e-5..1, x=-2..3, wide=-1e3..1e3, steps=0.5..2 step 0.25, units=log 1..1000, every=10..50 step 10, \
                          opt=sgd|adamw, batch=16<32<64, momentum=0.5..0.99 if opt=sgd, deep=1..4 if momentum > 0.7, one=7";

fn everything() -> Space {
    EVERYTHING.parse().unwrap()
}

#[test]
fn params_round_trip_and_conditions() {
    let s = everything();
    let raw = s.from_unit(&[0.5, 0.0, 1.0, 0.99, 0.5, 0.3, 0.0, 0.4, 0.9, 0.99, 0.2]);
    let params = s.params(&raw);
    assert_eq!(params.len(), 11);
    assert_eq!(params.int("x"), Some(-2));
    assert_eq!(params.float("wide"), Some(1e3));
    assert_eq!(params.float("steps"), Some(2.0));
    assert_eq!(params.int("units"), Some(22));
    assert_eq!(params.int("every"), Some(20));
    assert_eq!(params.int("batch"), Some(32));
    assert_eq!(params.int("one"), Some(7));
    assert_eq!(s.raw(&params).unwrap(), raw);
    // Other optimizer: momentum and what hangs on it are gone.
    let raw = s.from_unit(&[0.5, 0.0, 1.0, 0.99, 0.5, 0.3, 0.9, 0.4, 0.9, 0.99, 0.2]);
    assert!(raw[8].is_nan() && raw[9].is_nan());
    assert_eq!(s.params(&raw).len(), 9);
}

#[test]
fn wrong_params_are_refused() {
    let s: Space = "lr=log 1e-5..1, opt=a|b, m=0.0..1.0 if opt=a, k=1..9 step 2".parse().unwrap();
    let make = |pairs: &[(&str, Value)]| s.raw(&pairs.iter().cloned().collect()).unwrap_err().to_string();
    let lr = ("lr", Value::Float(0.1));
    let opt = ("opt", Value::from("b"));
    let k = ("k", Value::Int(3));
    assert!(make(&[lr.clone(), k.clone()]).contains("'opt' has no value"));
    assert!(
        make(&[("lr", Value::Float(2.0)), opt.clone(), k.clone()]).contains("lr=2 is not in log 1e-5..1")
    );
    assert!(make(&[("lr", Value::Float(f64::NAN)), opt.clone(), k.clone()]).contains("lr=NaN"));
    assert!(make(&[lr.clone(), ("opt", Value::from("c")), k.clone()]).contains("opt=c"));
    assert!(make(&[lr.clone(), opt.clone(), ("k", Value::Int(4))]).contains("k=4"));
    assert!(make(&[lr.clone(), opt.clone(), k.clone(), ("m", Value::Float(0.5))]).contains("condition"));
    assert!(make(&[lr, opt, k, ("z", Value::Int(1))]).contains("no such parameter: z"));
}

#[test]
fn fixing_keeps_the_domain() {
    let mut s = everything();
    s.fix("lr", 0.01).unwrap();
    s.fix("opt", "adamw").unwrap();
    assert!(s.fix("lr", 5.0).unwrap_err().to_string().contains("not in log 1e-5..1"));
    assert!(s.fix("nope", 5.0).is_err());
    let params = s.params(&s.from_unit(&[0.9; 11]));
    assert_eq!(params.float("lr"), Some(0.01));
    assert_eq!(params.text("opt"), Some("adamw"));
    assert!(s.same_domains(&everything()));
    assert!(!s.free().contains(&0));
    assert!(!everything().free().contains(&10), "a constant is not free");
}

#[test]
fn ends_are_exact() {
    let s = everything();
    for p in s.parameters() {
        let (first, last) = (p.domain.from_unit(0.0), p.domain.from_unit(1.0));
        let expected = match &p.domain {
            Domain::Float { low, high, .. } => (*low, *high),
            Domain::Int { low, high, .. } => (*low as f64, *high as f64),
            Domain::Categorical { choices } | Domain::Ordinal { choices } => {
                (0.0, (choices.len() - 1) as f64)
            }
        };
        assert_eq!((first, last), expected, "{}", p.name);
        assert!(p.domain.from_unit(f64::NAN).is_finite());
        assert_eq!(p.domain.from_unit(-5.0), first);
        assert_eq!(p.domain.from_unit(5.0), last);
    }
}

#[test]
fn countable_values_get_equal_shares() {
    let n = 60_000;
    for domain in [Parameter::int("x", -2, 3), Parameter::stepped("x", 0.0, 1.0, 0.2)].map(|p| p.domain) {
        let mut counts = std::collections::BTreeMap::new();
        for i in 0..n {
            *counts.entry(domain.from_unit(i as f64 / n as f64).to_bits()).or_insert(0) += 1;
        }
        assert_eq!(counts.len() as u64, domain.levels().unwrap());
        assert!(counts.values().all(|&c| (c as i64 - n / 6).abs() <= 1), "{counts:?}");
    }
}

proptest! {
    #[test]
    fn unit_round_trip(unit in prop::collection::vec(0.0..=1.0f64, 11)) {
        let s = everything();
        let raw = s.from_unit(&unit);
        prop_assert_eq!(s.raw(&s.params(&raw)).map(|r| r.iter().map(|x| x.to_bits()).collect::<Vec<_>>()),
            Ok(raw.iter().map(|x| x.to_bits()).collect::<Vec<_>>()));
        let back = s.from_unit(&s.to_unit(&raw));
        for ((p, a), b) in s.parameters().iter().zip(&raw).zip(&back) {
            if a.is_nan() { prop_assert!(b.is_nan()); continue; }
            let exact = p.domain.levels().is_some();
            prop_assert!(if exact { a == b } else { (a - b).abs() <= 1e-9 * a.abs().max(1e-3) }, "{} {} {}", p.name, a, b);
        }
        for (u, &x) in s.to_unit(&raw).iter().zip(&raw) {
            prop_assert!(x.is_nan() || (0.0..=1.0).contains(u));
        }
    }
}
