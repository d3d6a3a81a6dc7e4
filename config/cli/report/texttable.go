package report

import (
	"strings"

	"github.com/mattn/go-runewidth"
)

// column is one column of a table of the text form, of right-aligned figures. The first one is the name: it is
// left-aligned, and as wide as there is room.
type column struct {
	head  string
	width int
	rank  int // where there is no room, the column with the highest rank goes; those of rank 0 stay
}

// cell is one text in a table, with its style.
type cell struct{ text, style string }

// textTable is a table of the text form. A row may be shorter than the others.
type textTable struct {
	columns []column
	least   int // columns of the terminal that the name is to have
	rows    [][]cell
}

func (t *textTable) add(row ...cell) { t.rows = append(t.rows, row) }

// mostName is how wide a name is at most, in columns: more room would tear it from its figures.
const mostName = 48

// shown returns the places of the columns for which there is room in width, and how wide the name may be.
func (t *textTable) shown(width int) (places []int, name int) {
	for rank := t.highestRank(); ; rank-- {
		places, name = nil, width
		for i, c := range t.columns[1:] {
			if c.rank <= rank {
				places, name = append(places, i+1), name-1-t.widthOf(i+1)
			}
		}
		if name >= t.least || rank <= 0 {
			return places, min(max(name, 1), mostName)
		}
	}
}

func (t *textTable) highestRank() (highest int) {
	for _, c := range t.columns {
		highest = max(highest, c.rank)
	}
	return highest
}

func (t *textTable) widthOf(place int) int {
	return max(t.columns[place].width, columnsOf(t.columns[place].head))
}

// table prints the columns of in for which there is room.
func (t *text) table(in *textTable) {
	places, name := in.shown(t.width)
	head := make([]cell, len(in.columns))
	for i, c := range in.columns {
		head[i] = cell{c.head, dim}
	}
	for _, row := range append([][]cell{head}, in.rows...) {
		if len(row) == 1 {
			t.WriteString(t.style(row[0].style, shorten(row[0].text, t.width)) + "\n")
			continue
		}
		line := t.style(row[0].style, pad(row[0].text, name))
		for _, i := range places {
			if i < len(row) {
				text := shorten(row[i].text, in.widthOf(i))
				line += strings.Repeat(" ", 1+in.widthOf(i)-columnsOf(text)) + t.style(row[i].style, text)
			}
		}
		t.WriteString(strings.TrimRight(line, " ") + "\n")
	}
}

// columnsOf returns how many columns of a terminal s takes.
func columnsOf(s string) int { return runewidth.StringWidth(s) }

// pad returns s in exactly width columns.
func pad(s string, width int) string {
	return runewidth.FillRight(shorten(s, width), width)
}
