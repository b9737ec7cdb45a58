package api

import (
	"context"
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"

	"depositd/bank"
	"depositd/platform"
	"depositd/platform/deposit"
	"depositd/reconcile"
)

// home is the overview as its page shows it.
type home struct {
	*reconcile.Overview
	Open     int64 // findings that somebody still has to see to
	Total    deposit.Fen
	AgeNames []reconcile.Age
	Ages     [len(reconcile.Ages)]int64
	Heard    []heard
	Due      []due
	Watches  bool // the visitor sees how full the pools are
	Pools    []poolCard
	Charts   []chart

	Incidents []incidentRow // the open ones of most weight
	InAll     int           // how many are open
}

// heard is what a bank sent last.
type heard struct {
	Bank              *bank.Bank
	Notice, Statement bank.InboxRow
	Sealed            bool // later notices are not told
}

// due counts what has to go back, by how late it is.
type due struct {
	Name  string
	Tone  string // the class of its figure; "" where nothing presses
	Count int64
	Sum   deposit.Fen
}

// poolCard is a pool with the picture of its forecast, where that may be seen.
type poolCard struct {
	reconcile.PoolView
	Forecast *chart
}

func (s *server) getOverview(c *gin.Context) error {
	o, err := s.overview(c)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, o)
	return nil
}

func (s *server) overview(c *gin.Context) (*reconcile.Overview, error) {
	if err := onlyParameters(c, "day"); err != nil {
		return nil, err
	}
	day, err := dayIf(c, "day")
	if err != nil {
		return nil, err
	}
	return s.Reconcile.Overview(c.Request.Context(), s.sight(c), day)
}

// pageHome shows how things stand: balances, what is open, what is due, the pools, the banks, and the month.
func (s *server) pageHome(c *gin.Context) error {
	o, err := s.overview(c)
	if err != nil {
		return err
	}
	ctx := c.Request.Context()
	h := home{Overview: o, AgeNames: reconcile.Ages[:]}
	for _, b := range o.Backlog {
		h.Open += b.Findings
		h.Total += b.Amount
		for i, n := range b.Ages {
			h.Ages[i] += n
		}
	}
	if h.Heard, err = s.lastHeard(ctx, s.sight(c)); err != nil {
		return err
	}
	if h.Due, err = s.dueSoon(ctx, s.sight(c)); err != nil {
		return err
	}
	if h.Watches = s.caller(c).Has(poolWatchers()...); h.Watches {
		if h.Pools, err = s.poolCards(ctx); err != nil {
			return err
		}
	}
	if h.Incidents, err = s.openIncidents(c); err != nil {
		return err
	}
	h.InAll, h.Incidents = len(h.Incidents), h.Incidents[:min(mostAtHome, len(h.Incidents))]
	h.Charts = monthCharts(o.Day, o.Month)
	return s.show(c, "home", "", view{Title: "总览", Menu: "/", Body: h})
}

// lastHeard tells what each bank sent last, to eyes that reach everything. While a lot is sealed, of notices only those that came
// before its announcement: the moment of a later one would tell that somebody has paid.
func (s *server) lastHeard(ctx context.Context, eyes deposit.Sight) (all []heard, err error) {
	if !eyes.Everything() {
		return nil, nil
	}
	for _, b := range s.Banks.All() {
		h := heard{Bank: b}
		for kind, last := range map[string]*bank.InboxRow{bank.KindNotice: &h.Notice, bank.KindStatement: &h.Statement} {
			if kind == bank.KindNotice && b.Notices == bank.None {
				continue
			}
			page, _, sealed, err := s.Reconcile.Inbox(ctx, eyes, bank.InboxQuery{Bank: b.Code, Kind: kind, Outcome: bank.New, Limit: 1})
			if err != nil {
				return nil, err
			}
			if len(page) > 0 {
				*last = page[0]
			}
			h.Sealed = h.Sealed || sealed
		}
		all = append(all, h)
	}
	return all, nil
}

// dueSoon counts what has to go back within the week, and what should have long ago.
func (s *server) dueSoon(ctx context.Context, eyes deposit.Sight) ([]due, error) {
	o, err := s.Refund.DueWithin(ctx, eyes, "", defaultAhead)
	overdue, today, week, stale := due{Name: "已逾期", Tone: "bad"}, due{Name: "今日到期", Tone: "warn"}, due{Name: "7 日内到期"}, due{Name: "沉淀（90 日以上）", Tone: "bad"}
	add := func(d *due, amount deposit.Fen) {
		d.Count++
		d.Sum += amount
	}
	count := func(day deposit.Day, amount deposit.Fen) {
		switch left := s.today().DaysTo(day); {
		case left < 0:
			add(&overdue, amount)
		case left == 0:
			add(&today, amount)
		default:
			add(&week, amount)
		}
	}
	for i := range o.Proposals {
		count(o.Proposals[i].Limit.Day, o.Proposals[i].Amount)
	}
	for i := range o.Lines {
		count(deposit.Day(o.Lines[i].DueOn), o.Lines[i].Amount)
	}
	for i := range o.Stale {
		add(&stale, o.Stale[i].Amount)
	}
	return []due{overdue, today, week, stale}, err
}

// poolCards shows the pools. Of one that is sealed no forecast is drawn: it tells how many bidders there are.
func (s *server) poolCards(ctx context.Context) ([]poolCard, error) {
	views, err := s.Keeper.Pools(ctx)
	cards := make([]poolCard, len(views))
	for i, v := range views {
		cards[i].PoolView = v
		if v.Sealed {
			continue
		}
		p, err := s.Keeper.Forecast(ctx, platform.Pool{Bank: v.Bank, Parent: v.Parent})
		if deposit.IsKind(err, deposit.NotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		picture := forecastChart(p)
		cards[i].Forecast = &picture
	}
	return cards, err
}

// monthCharts draws the thirty days: what was found, by reason; how much of the statements was pushed; how long people took.
func monthCharts(until deposit.Day, days []reconcile.MonthDay) []chart {
	found, pushed, took := newChart("差异（笔）", until), newChart("到账通知与对账单（笔）", until), newChart("处理用时（小时，中位数）", until)
	totals := map[reconcile.Code]int64{}
	for _, d := range days {
		for code, n := range d.Findings {
			totals[code] += n
		}
	}
	top := mostOften(totals, chartColours-1)
	for _, code := range top {
		found.names = append(found.names, code.Name())
	}
	for _, d := range days {
		var rest int64
		for code, n := range d.Findings {
			if !slices.Contains(top, code) {
				rest += n
			}
		}
		for _, code := range top {
			found.stack(d.Day, code.Name(), float64(d.Findings[code]))
		}
		found.stack(d.Day, "其他", float64(rest))
		pushed.stack(d.Day, "通知", float64(d.Notices))
		pushed.stack(d.Day, "对账单多出", float64(max(0, d.Statement-d.Notices)))
		took.stack(d.Day, "处理用时", d.HoursHalf)
	}
	return []chart{found.drawn(), pushed.drawn(), took.drawn()}
}

// mostOften are the codes with the highest counts, in the order of Codes.
func mostOften(totals map[reconcile.Code]int64, most int) (top []reconcile.Code) {
	for _, code := range reconcile.Codes() {
		if totals[code] > 0 {
			top = append(top, code)
		}
	}
	slices.SortStableFunc(top, func(a, b reconcile.Code) int { return int(totals[b] - totals[a]) })
	return top[:min(most, len(top))]
}
