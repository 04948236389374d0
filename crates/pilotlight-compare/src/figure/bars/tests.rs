use super::*;
use crate::figure::tests::Shown;

fn chart(n_groups: usize, n_bars: usize, largest: f64) -> Bars {
    let group = |index| format!("wgpu:{index} (llvmpipe (LLVM 15.0.6, 256 bits))");
    let bar = |index: usize| {
        let value = largest * (index + 1) as f64 / n_bars as f64;
        Bar {
            label: format!("prompt tuning & more, batch {index}"),
            group: index % n_groups,
            value,
            low: 0.8 * value,
            high: 1.3 * value,
            remark: format!("{value:.1} ms · 1,234,567 tokens/s"),
        }
    };
    Bars {
        title: "Time of a training step".into(),
        subtitle: "tiny · batch 8".into(),
        axis: "median time of a step (ms)".into(),
        groups: (0..n_groups).map(group).collect(),
        bars: (0..n_bars).map(bar).collect(),
    }
}

#[test]
fn bars_hide_no_text() {
    for (n_groups, n_bars) in [(1, 1), (1, 5), (2, 10), (5, 40)] {
        for largest in [1e-6, 0.7, 3.0, 9.99, 1234.0, 1e9] {
            let chart = chart(n_groups, n_bars, largest);
            let shown = Shown::of_svg(&chart.draw());
            assert_eq!(
                shown.clashes(),
                Vec::<String>::new(),
                "{n_groups} {n_bars} {largest}"
            );
            let legend = if n_groups > 1 { n_groups } else { 0 };
            assert_eq!(shown.points.len(), n_bars + legend);
            for bar in &chart.bars {
                let found = shown.texts.iter().filter(|(text, _)| *text == bar.label);
                assert_eq!(found.count(), 1, "{}", bar.label);
            }
        }
    }
}

#[test]
fn ticks_are_round() {
    let names = |end| {
        let ticks = ticks(end, 400);
        ticks.into_iter().map(|(_, name)| name).collect::<Vec<_>>()
    };
    assert_eq!(
        names(0.36),
        [
            "0.00", "0.05", "0.10", "0.15", "0.20", "0.25", "0.30", "0.35"
        ]
    );
    assert_eq!(names(7.0), ["0", "1", "2", "3", "4", "5", "6", "7"]);
    assert_eq!(names(450.0), ["0", "100", "200", "300", "400"]);
}
