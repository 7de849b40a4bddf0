//! Draws what was measured.

use std::path::Path;

use plotters::prelude::*;

use crate::{http, load::Failure, scale};

const SIZE: (u32, u32) = (720, 400);

/// Requests a second of each variant, as bars.
pub(crate) fn http(rows: &[http::Row], out: Option<&Path>) -> Result<(), Failure> {
    let Some(out) = out else { return Ok(()) };
    // From the bottom up.
    let bars: Vec<(String, f64)> = rows.iter().rev().map(http::Row::bar).collect();
    let most = bars.iter().map(|(_, value)| *value).fold(0.0, f64::max) * 1.1;
    let path = out.join("requests-per-second.svg");
    let area = SVGBackend::new(&path, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let count = bars.len();
    let mut chart = ChartBuilder::on(&area)
        .caption("requests a second", ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(30)
        .y_label_area_size(190)
        .build_cartesian_2d(0.0..most, (0..count).into_segmented())?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .x_labels(6)
        .x_label_formatter(&whole)
        .y_labels(count)
        .y_label_formatter(&|at| match at {
            SegmentValue::CenterOf(index) => {
                bars.get(*index).map_or_else(String::new, |(name, _)| name.clone())
            }
            _ => String::new(),
        })
        .draw()?;
    chart.draw_series(
        Histogram::horizontal(&chart)
            .style(RGBColor(20, 86, 201).filled())
            .margin(3)
            .data(bars.iter().enumerate().map(|(index, (_, value))| (index, *value))),
    )?;
    area.present()?;
    Ok(())
}

/// The cost of a callback, as one line for each thing that grows.
pub(crate) fn scale(rows: &[scale::Row], out: Option<&Path>) -> Result<(), Failure> {
    let Some(out) = out else { return Ok(()) };
    let path = out.join("scale.svg");
    let area = SVGBackend::new(&path, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let costs: Vec<_> = rows.iter().filter(|row| row.unit == "ns each").collect();
    let most = costs.iter().map(|row| row.value).fold(0.0, f64::max) * 1.2;
    let mut chart = ChartBuilder::on(&area)
        .caption("nanoseconds a callback", ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(30)
        .y_label_area_size(60)
        .build_cartesian_2d((1_f64..20_000_000_f64).log_scale(), 0.0..most)?;
    chart.configure_mesh().x_label_formatter(&whole).y_label_formatter(&whole).draw()?;
    let mut names: Vec<_> = costs.iter().map(|row| row.what).collect();
    names.dedup();
    for (index, name) in names.into_iter().enumerate() {
        let color = Palette99::pick(index).to_rgba();
        #[expect(clippy::cast_precision_loss, reason = "for the eye")]
        let line =
            costs.iter().filter(|row| row.what == name).map(|row| (row.size as f64, row.value));
        chart
            .draw_series(LineSeries::new(line, color.stroke_width(2)))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], color));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .background_style(WHITE.mix(0.8))
        .draw()?;
    area.present()?;
    Ok(())
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "plotters' signature")]
fn whole(value: &f64) -> String {
    format!("{value:.0}")
}
