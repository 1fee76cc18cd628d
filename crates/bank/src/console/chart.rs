//! Charts as SVG, drawn here: bars on a time line. Colours come from the style sheet by class, so that dark is dark.

use maud::{Markup, html};

const WIDTH: f64 = 420.0;
const HEIGHT: f64 = 180.0;
const LEFT: f64 = 48.0;
/// Half of the last bar's label may stand out.
const RIGHT: f64 = 10.0;
const BOTTOM: f64 = 24.0;
const TOP: f64 = 8.0;

/// One bar: what stands under it, what it says in full, and its parts from the ground up with their class.
#[derive(Clone, Debug)]
pub(super) struct Bar {
    pub(super) under: String,
    pub(super) told: String,
    pub(super) parts: Vec<(&'static str, i64)>,
}

/// Bars in order; `label` says what the picture shows to whoever does not see it.
pub(super) fn bars(id: &str, label: &str, bars: &[Bar]) -> Markup {
    let highest = bars.iter().map(Bar::sum).max().unwrap_or(0);
    let top = ceiling(highest);
    let scale = (HEIGHT - BOTTOM - TOP) / float(top);
    let step = (WIDTH - LEFT - RIGHT) / float(i64::try_from(bars.len().max(1)).unwrap_or(1));
    let ground = HEIGHT - BOTTOM;
    html! {
        svg.chart role="img" aria-label=(label) data-testid=(id) viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } {
            @for part in [0, top / 2, top] {
                @let y = ground - float(part) * scale;
                line.grid x1=(LEFT) x2=(WIDTH) y1=(rounded(y)) y2=(rounded(y)) {}
                text.axis x=(LEFT - 6.0) y=(rounded(y + 4.0)) text-anchor="end" { (part) }
            }
            @for (at, bar) in bars.iter().enumerate() {
                @let x = LEFT + step * float(i64::try_from(at).unwrap_or(0));
                g {
                    title { (bar.told) }
                    rect.hover x=(rounded(x)) y=(TOP) width=(rounded(step)) height=(rounded(ground - TOP)) {}
                    @for (class, from, value) in bar.stacked() {
                        rect class=(class) x=(rounded(x + step * 0.15)) width=(rounded(step * 0.7)) rx="1.5"
                            y=(rounded(ground - float(from + value) * scale)) height=(rounded(float(value) * scale)) {}
                    }
                }
                @if !bar.under.is_empty() {
                    text.axis x=(rounded(x + step / 2.0)) y=(HEIGHT - 6.0) text-anchor="middle" { (bar.under) }
                }
            }
        }
    }
}

impl Bar {
    fn sum(&self) -> i64 {
        self.parts.iter().map(|(_, value)| value).sum()
    }

    /// Each part with the height that it stands on.
    fn stacked(&self) -> Vec<(&'static str, i64, i64)> {
        let mut from = 0;
        let parts = self.parts.iter().filter(|(_, value)| *value > 0);
        parts
            .map(|(class, value)| {
                let part = (*class, from, *value);
                from += value;
                part
            })
            .collect()
    }
}

/// The next even number that is a 1, 2 or 5 with zeros: the axis has it, half of it and 0.
fn ceiling(highest: i64) -> i64 {
    let mut unit: i64 = 1;
    loop {
        for step in [2, 4, 10] {
            let top = unit.saturating_mul(step);
            if top >= highest {
                return top;
            }
        }
        unit = unit.saturating_mul(10);
    }
}

#[allow(clippy::cast_precision_loss)] // a picture has three digits
fn float(number: i64) -> f64 {
    number as f64
}

fn rounded(number: f64) -> String {
    format!("{number:.1}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_axis_ends_above_the_highest_bar() {
        for (highest, top) in [
            (0, 2),
            (2, 2),
            (3, 4),
            (7, 10),
            (11, 20),
            (41, 100),
            (1_000, 1_000),
        ] {
            assert_eq!(ceiling(highest), top, "{highest}");
        }
    }

    #[test]
    fn a_chart_has_no_style_of_its_own_and_says_what_it_shows() {
        let bar = Bar {
            under: "10".to_owned(),
            told: "10:00: 3 <on cards>".to_owned(),
            parts: vec![("confirmed", 3), ("declined", 0), ("manual", 1)],
        };
        let drawn = bars("chart", "Loads by hour", &[bar]).into_string();
        assert!(!drawn.contains("style="), "the policy allows none: {drawn}");
        assert!(drawn.contains("aria-label=\"Loads by hour\""), "{drawn}");
        assert!(drawn.contains("3 &lt;on cards&gt;"), "{drawn}");
        assert_eq!(
            drawn.matches("<rect class=").count(),
            2 + 1,
            "no part of nothing: {drawn}"
        );
    }
}
