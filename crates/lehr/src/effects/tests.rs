//! The experiments themselves, with few seeds, on the data that the lab carries with it.

use super::*;

fn run(name: &str) -> Effect {
    find(name).unwrap().run(&Setup::wine(2, 0).unwrap()).unwrap()
}

fn number(cell: &Cell) -> f64 {
    match cell {
        Cell::Number(number) => *number,
        Cell::Estimate(estimate) => estimate.mean,
        Cell::Text(text) => panic!("{text}"),
    }
}

#[test]
fn names_are_different_and_claims_are_sentences() {
    assert!(EFFECTS.iter().all(|a| EFFECTS.iter().filter(|b| a.name == b.name).count() == 1));
    assert!(EFFECTS.iter().all(|effect| effect.claim.len() > 30));
    assert!(find("nothing").is_none());
}

#[test]
fn what_mathematics_says_is_found() {
    let basins = run("basins");
    assert!(basins.shown, "{}", basins.found);
    assert!(number(&basins.table.rows[0][2]) == 0.0 && number(&basins.table.rows[2][2]) > 0.5);
    let crawl = run("crawl");
    assert!(crawl.shown, "{}", crawl.found);
}

#[test]
fn the_same_seed_gives_the_same_on_any_number_of_threads() {
    let setup = |threads| Setup { threads: Some(threads), ..Setup::wine(2, 5).unwrap() };
    let once = |threads| find("trade").unwrap().run(&setup(threads)).unwrap();
    let (one, three) = (once(1), once(3));
    assert_eq!(one, three);
    assert!(one.shown && one.plot.lines[0].points.len() == 9, "{}", one.found);
}

#[test]
fn a_setup_without_intervals_is_refused() {
    let run = |seeds, threads| {
        let setup = Setup { threads, ..Setup::wine(seeds, 0).unwrap() };
        find("basins").unwrap().run(&setup).unwrap_err().to_string()
    };
    assert!(run(1, None).contains("intervals need 2"));
    assert!(run(2, Some(0)).contains("0 threads"));
}
