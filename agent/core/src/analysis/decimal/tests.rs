use super::*;

fn percent(text: &str) -> Percent {
    text.parse().unwrap()
}

#[test]
fn percentages_read_back_and_are_fractions() {
    for (text, shown, fraction) in [
        ("0%", "0%", 0.0_f64),
        ("0.5%", "0.5%", 0.005),
        ("0.50%", "0.5%", 0.005),
        ("1%", "1%", 0.01),
        ("99.9%", "99.9%", 0.999),
        ("0.000001%", "0.000001%", 1e-8),
        ("200%", "200%", 2.0),
        ("007.010%", "7.01%", 0.0701),
    ] {
        assert_eq!(percent(text).to_string(), shown);
        assert_eq!(
            percent(text).fraction().to_bits(),
            fraction.to_bits(),
            "{text}"
        );
        assert_eq!(percent(shown), percent(text));
    }
    for text in [
        "",
        "%",
        "1",
        "-1%",
        "1 %",
        "1%%",
        "1.%",
        ".5%",
        "1e1%",
        "0.1234567%",
        "1,5%",
    ] {
        let problem = text.parse::<Percent>().unwrap_err().to_string();
        assert!(
            problem.contains("is no percentage; write it like 1%"),
            "{text}: {problem}"
        );
    }
}

#[test]
fn percentages_compare_with_whole_ones() {
    for (text, whole, expected) in [
        ("0%", 0, Ordering::Equal),
        ("0.000001%", 0, Ordering::Greater),
        ("99.999999%", 100, Ordering::Less),
        ("100.0%", 100, Ordering::Equal),
        ("999999999999.999999%", u64::MAX, Ordering::Less),
    ] {
        assert_eq!(percent(text).against(whole), expected, "{text}");
    }
}
