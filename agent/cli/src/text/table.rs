//! Columns for terminals and pipes: two blanks between, no lines, the last column as long as it is.

/// A table with its header. Rows shorter than the header are filled up.
pub(crate) fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows
            .iter()
            .filter_map(|r| r.get(column))
            .map(|c| c.chars().count());
        let head = header.get(column).map_or(0, |h| h.len());
        cells.chain([head]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let mut out = line(header.iter().map(|h| (*h).to_owned()), &widths);
    for row in rows {
        let one_line = row.iter().map(|c| c.replace('\n', "; "));
        out.push('\n');
        out.push_str(&line(one_line, &widths));
    }
    out
}

fn line(cells: impl Iterator<Item = String>, widths: &[usize]) -> String {
    let mut out = String::new();
    for (cell, width) in cells.zip(widths) {
        let cell = if cell.is_empty() {
            "-".to_owned()
        } else {
            cell
        };
        out.push_str(&format!("{cell:<width$}  "));
    }
    out.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_nothing_trails() {
        let rows = vec![
            vec!["a".to_owned(), "länger".to_owned(), "x\ny".to_owned()],
            vec!["bbbbb".to_owned(), String::new(), "z".to_owned()],
        ];
        insta::assert_snapshot!(table(&["NAME", "TAG", "WHY"], &rows), @r"
        NAME   TAG     WHY
        a      länger  x; y
        bbbbb  -       z
        ");
    }
}
