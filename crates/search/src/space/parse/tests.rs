use super::*;
use proptest::prelude::*;

fn space(text: &str) -> Space {
    text.parse().unwrap()
}

fn error(text: &str) -> (usize, String) {
    match text.parse::<Space>() {
        Err(SearchError::Parse { at, message }) => (at, message),
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn the_example_of_the_design() {
    let s = space("lr=log 1e-5..1, layers=2..8, wd=log 1e-6..1e-1, optimizer=sgd|adamw, warmup=0%..10%");
    assert_eq!(s.get("lr").unwrap(), &Parameter::log_float("lr", 1e-5, 1.0));
    assert_eq!(s.get("layers").unwrap(), &Parameter::int("layers", 2, 8));
    assert_eq!(s.get("optimizer").unwrap(), &Parameter::categorical("optimizer", ["sgd", "adamw"]));
    let warmup = s.get("warmup").unwrap();
    assert_eq!(warmup.domain, Domain::Float { low: 0.0, high: 0.1, scale: Scale::Linear, step: None });
    assert_eq!(warmup.show(&Value::Float(0.032)), "3.2%");
    assert_eq!(
        s.to_string(),
        "lr=log 1e-5..1, layers=2..8, wd=log 1e-6..0.1, optimizer=sgd|adamw, warmup=0%..10%"
    );
}

#[test]
fn every_form_prints_and_reads_back() {
    for text in [
        "lr=log 1e-5..1",
        "a=1..10 step 3",
        "a=float 1..10",
        "a=log float 1..10",
        "a=log 1..10",
        "a=0.5..2 step 0.25",
        "a=-3..-1",
        "every=5ep..20ep",
        "every=0.5ep..20ep",
        "share=0%..10% step 2.5%",
        "a=3",
        "a=3.0",
        "a=-2.5|true|null|x",
        "shape=cosine|1-sqrt|\"warmup 2%, linear\"",
        "a='say \"x\"'|\"it's\"",
        "a=\"1\"|1",
        "a=log|linear|step|if",
        "batch=16<32<64",
        "o=sgd|adamw, m=0.5..0.99 if o=sgd, n=1..3 if o=sgd|adamw and m >= 0.9",
        "a=1..9, b=1..9, a - b < 0",
        "a=1..9, b=1..9, 2*a + 0.5*b <= 12.5, -a > -8",
    ] {
        let s = space(text);
        assert_eq!(s.to_string(), text);
        assert_eq!(space(&s.to_string()), s);
    }
}

#[test]
fn constraints_hold_as_written() {
    let s = space("warmup=1..100, steps=1..100, warmup < steps, 2*warmup + 1e1 <= 3*steps - 4");
    for (w, t) in [(1, 10), (10, 10), (5, 8), (60, 90), (89, 90), (3, 4)] {
        let params: crate::Params = [("warmup", w), ("steps", t)].into_iter().collect();
        let expected = w < t && 2 * w + 10 <= 3 * t - 4;
        assert_eq!(s.allows(&s.raw(&params).unwrap()), expected, "{w} {t}");
    }
    // Names with a minus need blanks around a subtraction.
    assert!(space("a-b=1..3, a=1..3, b=1..3, a - b < 2, a-b < 2").constraints().len() == 2);
}

#[test]
fn errors_point_at_the_character() {
    for (text, at, part) in [
        ("", 0, "expected the name"),
        ("lr", 2, "expected name=values"),
        ("lr=", 3, "expected a value"),
        ("lr=1e-5..", 9, "expected a value"),
        ("lr=1e-5..x", 9, "expected a number, found 'x'"),
        ("lr=x..1", 3, "before '..'"),
        ("lr=log 0..1", 0, "1 or above"),
        ("lr=log 0.0..1.0", 0, "above 0"),
        ("lr=1..0.5", 0, "reversed"),
        ("a=1..2, a=1..3", 8, "twice"),
        ("a=1..2, b=1..2 if c=1", 8, "'c', which is not declared"),
        ("a=1..2, b=1..2 if a=3", 8, "can never hold"),
        ("a=x|y, b=1..2 if a >= 3", 7, "has words"),
        ("a=x|y, a < 3", 7, "needs numbers"),
        ("a=1..2, z < 3", 8, "not declared"),
        ("a=warmup 2%|x", 9, "expected ',' or the end"),
        ("a=\"x|y", 2, "not closed"),
        ("a=x|x", 0, "given twice"),
        ("a=0%..1", 6, "same suffix"),
        ("a=1..2 step 0", 0, "1 or more"),
        ("a=1.0..2 step -1", 0, "above 0"),
        ("a=log 1..9 step 2", 0, "drop one"),
        ("a=int 1.5..2", 6, "whole numbers"),
        ("a=log x|y", 6, "expected a range"),
        ("a=1e999..2", 2, "before '..'"),
        ("a=1..2,", 7, "expected the name"),
        ("1 < 2", 5, "at least one parameter"),
        ("=1", 0, "expected the name"),
    ] {
        let (found_at, message) = error(text);
        assert!(message.contains(part), "{text}: {message}");
        assert_eq!(found_at, at, "{text}: {message}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "[a-c0-9=.,|<>%'\" *+e-]{0,30}") {
        if let Ok(s) = text.parse::<Space>() {
            prop_assert_eq!(s.to_string().parse::<Space>().unwrap(), s);
        }
    }

    #[test]
    fn ranges_round_trip(low in -1e9f64..1e9, width in 1e-6f64..1e9) {
        let s = Space::new().with(Parameter::float("x", low, low + width)).unwrap();
        prop_assert_eq!(s.to_string().parse::<Space>().unwrap(), s);
    }
}
