package main

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

// curve is one line of a plot.
type curve struct {
	name string
	ys   []float64 // one per tick of the plot
}

// plot is a drawing of some curves over the same places. The vertical axis is logarithmic, so that twice as much is as far everywhere.
type plot struct {
	title, unit string
	ticks       []string
	curves      []curve
}

// Sizes of the drawing in its own units, and what surrounds the axes.
const (
	plotWidth, plotHeight  = 720, 420
	plotLeft, plotRight    = 70, 170
	plotTop, plotBottom    = 40, 40
	plotInner, plotVisible = plotWidth - plotLeft - plotRight, plotHeight - plotTop - plotBottom
)

// plotColours can be told apart by people who see red and green alike (Okabe and Ito).
func plotColours() []string {
	return []string{"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"}
}

// svg draws the plot as an SVG 1.1 document.
func (p plot) svg() string {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="13">`+"\n", plotWidth, plotHeight)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="white"/>`+"\n", plotWidth, plotHeight)
	fmt.Fprintf(&b, `<text x="%d" y="22" font-size="15">%s</text>`+"\n", plotLeft, p.title)
	low, high := p.decades()
	for e := low; e <= high; e++ {
		y := height(math.Pow10(e), low, high)
		fmt.Fprintf(&b, `<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="#ddd"/>`, plotLeft, plotLeft+plotInner, y, y)
		fmt.Fprintf(&b, `<text x="%d" y="%.1f" text-anchor="end">%g %s</text>`+"\n", plotLeft-8, y+4, math.Pow10(e), p.unit)
	}
	for i, name := range p.ticks {
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" text-anchor="middle">%s</text>`+"\n", p.across(i), plotHeight-plotBottom+22, name)
	}
	labels := p.labels(low, high)
	for i, c := range p.curves {
		p.draw(&b, c, plotColours()[i%len(plotColours())], low, high)
		fmt.Fprintf(&b, `<text x="%.1f" y="%.1f" fill="%s">%s</text>`+"\n", p.across(len(p.ticks)-1)+8, labels[i]+4, plotColours()[i%len(plotColours())], c.name)
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// decades are the powers of ten around all values.
func (p plot) decades() (low, high int) {
	lowest, highest := math.Inf(1), math.Inf(-1)
	for _, c := range p.curves {
		for _, y := range c.ys {
			lowest, highest = min(lowest, y), max(highest, y)
		}
	}
	return int(math.Floor(math.Log10(lowest))), int(math.Ceil(math.Log10(highest)))
}

// labelHeight is what a line of text takes.
const labelHeight = 15

// labels are the heights of the curves' names: at their ends, or lower where names would cover each other.
func (p plot) labels(low, high int) []float64 {
	at, order := make([]float64, len(p.curves)), make([]int, len(p.curves))
	for i, c := range p.curves {
		at[i], order[i] = height(c.ys[len(c.ys)-1], low, high), i
	}
	slices.SortFunc(order, func(i, j int) int { return cmp.Compare(at[i], at[j]) })
	for k := 1; k < len(order); k++ {
		at[order[k]] = max(at[order[k]], at[order[k-1]]+labelHeight)
	}
	return at
}

// draw draws a curve.
func (p plot) draw(b *strings.Builder, c curve, colour string, low, high int) {
	var points []string
	for i, y := range c.ys {
		points = append(points, fmt.Sprintf("%.1f,%.1f", p.across(i), height(y, low, high)))
		fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>`, p.across(i), height(y, low, high), colour)
	}
	fmt.Fprintf(b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>`, strings.Join(points, " "), colour)
}

// across is where the i-th tick is.
func (p plot) across(i int) float64 {
	return plotLeft + (float64(i)+0.5)*plotInner/float64(len(p.ticks))
}

// height is where a value is on an axis from 10^low to 10^high.
func height(y float64, low, high int) float64 {
	share := (math.Log10(y) - float64(low)) / float64(high-low)
	return plotTop + plotVisible*(1-share)
}

// growthPlot shows what single operations take in each tree.
func (r *results) growthPlot() plot {
	p := plot{title: "One operation by the number of files", unit: "µs", ticks: r.columns}
	for _, key := range []string{keyGrowList, keyGrowCreate, keyGrowUnlink, keyGrowRename, keyGrowLookup, keyGrowStat} {
		m := r.measure(key)
		c := curve{name: strings.TrimPrefix(m.name, "mount: ")}
		for _, t := range r.columns {
			c.ys = append(c.ys, r.median(key, t))
		}
		p.curves = append(p.curves, c)
	}
	return p
}
