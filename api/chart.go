package api

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"depositd/platform"
	"depositd/platform/deposit"
)

// chart is a picture of columns or a band over days, in the coordinates of its SVG. Templates draw it; nothing is computed in the
// browser.
type chart struct {
	Title  string
	Empty  bool
	Bars   []bar
	Lines  []line
	Ticks  []tick // of the value axis
	Days   []tick // of the day axis
	Legend []legend

	until  deposit.Day
	names  []string
	values map[deposit.Day]map[string]float64
}

type bar struct {
	X, Y, W, H float64
	Colour     int
	Title      string
}

// line is a polyline, or the outline of an area.
type line struct {
	Points string
	Colour int
	Area   bool
}

type tick struct {
	At   float64
	Text string
}

type legend struct {
	Name   string
	Colour int
	Total  string
}

// The picture's measures: 600 × 180 units, with room for the axes.
const (
	chartWidth, chartHeight            = 600.0, 180.0
	chartLeft, chartTop, chartFoot     = 44.0, 10.0, 22.0
	chartDays                          = 30
	chartInner                         = chartWidth - chartLeft - 6
	chartTall                          = chartHeight - chartTop - chartFoot
	columnShare                        = 0.68 // of a day's width that its column takes
	poolChartDays, poolChartLabelEvery = 60, 10
)

// chartColours is how many colours the stylesheet has for columns: its classes c0 to c5.
const chartColours = 6

func newChart(title string, until deposit.Day) *chart {
	return &chart{Title: title, until: until, values: map[deposit.Day]map[string]float64{}}
}

// stack puts a value on top of a day's column.
func (c *chart) stack(day deposit.Day, name string, value float64) {
	if value == 0 {
		return
	}
	if !slices.Contains(c.names, name) {
		c.names = append(c.names, name)
	}
	if c.values[day] == nil {
		c.values[day] = map[string]float64{}
	}
	c.values[day][name] += value
}

// drawn is the picture of the columns.
func (c *chart) drawn() chart {
	highest := 0.0
	for _, stack := range c.values {
		sum := 0.0
		for _, v := range stack {
			sum += v
		}
		highest = max(highest, sum)
	}
	c.Empty = highest == 0
	scale := c.axis(0, highest)
	first, each := c.until.Add(1-chartDays), chartInner/chartDays
	totals := map[string]float64{}
	for i := range chartDays {
		day := first.Add(i)
		x := chartLeft + float64(i)*each
		if i%5 == 4 {
			c.Days = append(c.Days, tick{x + each/2, string(day[5:])})
		}
		sum := 0.0
		for n, name := range c.names {
			v := c.values[day][name]
			if v == 0 {
				continue
			}
			sum += v
			totals[name] += v
			top := scale(sum)
			c.Bars = append(c.Bars, bar{round(x + each*(1-columnShare)/2), round(top), round(each * columnShare), round(scale(sum-v) - top), n % chartColours,
				fmt.Sprint(day, " ", name, " ", plainNumber(v))})
		}
	}
	for n, name := range c.names {
		if totals[name] == 0 {
			continue
		}
		c.Legend = append(c.Legend, legend{name, n % chartColours, plainNumber(totals[name])})
	}
	return *c
}

// axis makes the ticks of the value axis, and the way from a value to its height.
func (c *chart) axis(lowest, highest float64) func(float64) float64 {
	step := niceStep((highest - lowest) / 4)
	bottom, top := math.Floor(lowest/step)*step, math.Ceil(highest/step)*step
	if top == bottom {
		top = bottom + step
	}
	scale := func(v float64) float64 { return chartTop + chartTall*(top-v)/(top-bottom) }
	for v := bottom; v <= top+step/2; v += step {
		c.Ticks = append(c.Ticks, tick{round(scale(v)), plainNumber(v)})
	}
	return scale
}

// niceStep is the next of 1, 2, 5, 10, 20 …
func niceStep(raw float64) float64 {
	if raw <= 1 {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, m := range []float64{1, 2, 5} {
		if m*power >= raw {
			return m * power
		}
	}
	return 10 * power
}

func round(v float64) float64 { return math.Round(v*10) / 10 }

// plainNumber prints a number without needless decimals.
func plainNumber(v float64) string { return strconv.FormatFloat(round(v), 'f', -1, 64) }

// forecastChart draws how many numbers are free: the middle path, and the band in which eight of ten lie.
func forecastChart(p platform.Prediction) chart {
	c := chart{Title: "可用子账号预测（60 天）"}
	free := p.Free[:min(poolChartDays+1, len(p.Free))]
	if len(free) < 2 {
		c.Empty = true
		return c
	}
	lowest, highest := 0, 1
	for _, f := range free {
		lowest, highest = min(lowest, f.Low), max(highest, f.High)
	}
	scale, each := c.axis(float64(lowest), float64(highest)), chartInner/float64(len(free)-1)
	var band, back, middle string
	for i, f := range free {
		x := round(chartLeft + float64(i)*each)
		band += fmt.Sprint(x, ",", round(scale(float64(f.High))), " ")
		back = fmt.Sprint(x, ",", round(scale(float64(f.Low))), " ") + back
		middle += fmt.Sprint(x, ",", round(scale(float64(f.Middle))), " ")
		if i%poolChartLabelEvery == 0 {
			c.Days = append(c.Days, tick{max(x, chartLeft+12), string(f.Day[5:])})
		}
	}
	c.Lines = []line{{band + back, 0, true}, {middle, 0, false}}
	return c
}
