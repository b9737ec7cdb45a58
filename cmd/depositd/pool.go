package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"depositd/bank"
	"depositd/platform"
	"depositd/platform/deposit"
	"depositd/reconcile"
)

type poolCmd struct {
	Status    poolStatusCmd    `cmd:"" help:"号池现状：颜色、数量（开标前封存）、待释放的子账号及其原因"`
	Load      poolLoadCmd      `cmd:"" help:"从文件导入子账号（txt 或 csv，每行一个）"`
	Reconcile poolReconcileCmd `cmd:"" help:"与银行核对子账号（G00013、G00005），更新差异"`
	Forecast  poolForecastCmd  `cmd:"" help:"预测子账号何时用完"`
	Release   poolReleaseCmd   `cmd:"" help:"人工确认银行已释放子账号（仅限不能由服务询问的银行）"`
}

var colourText = map[platform.PoolColour]string{"": "尚未预测"}

func colourName(c platform.PoolColour) string {
	if name, ok := colourText[c]; ok {
		return name
	}
	return c.Chinese()
}

type poolStatusCmd struct {
	JSON bool `name:"json" help:"以 JSON 打印"`
}

// poolStatus is what status prints as JSON.
type poolStatus struct {
	Pools      []reconcile.PoolView   `json:"pools"`
	Unreleased []reconcile.Unreleased `json:"unreleased"`
}

// Run prints how the pools stand. As long as a pool serves a lot that is not opened, its counts are sealed for everybody.
func (s *poolStatusCmd) Run(ctx context.Context, c *call) error {
	return c.use(ctx, asIs, func(a *app) error {
		var status poolStatus
		var err error
		if status.Pools, err = a.keeper.Pools(ctx); err != nil {
			return err
		}
		if status.Unreleased, err = a.keeper.Unreleased(ctx); err != nil {
			return err
		}
		if s.JSON {
			return printJSON(c.stdout, status)
		}
		_, err = io.WriteString(c.stdout, statusText(status, a.banks))
		return err
	})
}

func statusText(status poolStatus, banks *bank.Set) string {
	var b strings.Builder
	b.WriteString("一、号池\n\n")
	var t table
	t.add("银行", "母账户", "状态", "空闲", "已分配", "待释放", "隔离中", "已停用", "等候", "银行剩余/总数")
	for _, p := range status.Pools {
		row := []string{bankName(banks, p.Bank), p.Parent, colourName(p.Colour)}
		if p.Sealed {
			row = append(row, "已封存", "", "", "", "", "", "")
		} else {
			for _, n := range []int{p.Counts.Free, p.Counts.Leased, p.Counts.Draining, p.Counts.Quarantined, p.Counts.Retired, p.Counts.Waiting} {
				row = append(row, strconv.Itoa(n))
			}
			word := "未询问"
			if w := p.BankWord; w != nil {
				word = fmt.Sprint(w.Free, "/", w.Total)
			}
			row = append(row, word)
		}
		t.add(row...)
	}
	if len(status.Pools) == 0 {
		b.WriteString("  （没有号池；用 depositd pool load 导入子账号，或在 banks.yaml 中设置 numbers）\n")
	} else {
		t.write(&b, "  ", 3, 4, 5, 6, 7, 8, 9)
	}
	if slices.ContainsFunc(status.Pools, func(p reconcile.PoolView) bool { return p.Sealed }) {
		b.WriteString("  已封存：号池正为未开标的标段服务，数量会泄露投标人数，开标后可见\n")
	}
	fmt.Fprintf(&b, "\n二、待释放的子账号（%d 个）\n\n", len(status.Unreleased))
	writeUnreleased(&b, status.Unreleased)
	return b.String()
}

func writeUnreleased(b *strings.Builder, all []reconcile.Unreleased) {
	if len(all) == 0 {
		b.WriteString("  （没有）\n")
		return
	}
	var t table
	t.add("子账号", "标段", "待释放自", "余额", "原因")
	for _, u := range all {
		why := u.Blocked.Chinese()
		if u.Result != "" {
			why += "（" + u.Result + "）"
		}
		t.add(u.SubAccount, u.Lot, deposit.Wall(u.Since), amountText(u.Balance), why)
	}
	t.write(b, "  ", 3)
}

type poolReconcileCmd struct {
	JSON bool `name:"json" help:"以 JSON 打印差异"`
}

// Run asks the banks, keeps the findings and prints those that stand; exit code 3 when there is one, 1 when a bank was not heard.
func (r *poolReconcileCmd) Run(ctx context.Context, c *call) error {
	return c.use(ctx, asIs, func(a *app) error {
		unheard := a.keeper.Nightly(ctx, c.author(), yesterday(a.db.Now()))
		found, err := a.keeper.Findings(ctx, deposit.SightOfAll())
		if err != nil {
			return errors.Join(err, unheard)
		}
		if err := r.print(c, a.banks, found); err != nil {
			return err
		}
		switch {
		case unheard != nil:
			return unheard
		case len(found) > 0:
			return errMismatches
		}
		return nil
	})
}

func (r *poolReconcileCmd) print(c *call, banks *bank.Set, found []reconcile.FindingRow) error {
	if r.JSON {
		return printJSON(c.stdout, map[string]any{"findings": found})
	}
	var b strings.Builder
	fmt.Fprintf(&b, "子账号差异（%d 条）\n\n", len(found))
	writeFindingTable(&b, &reconcile.Report{Findings: found}, banks)
	_, err := io.WriteString(c.stdout, b.String())
	return err
}

type poolForecastCmd struct {
	JSON bool `name:"json" help:"以 JSON 打印"`
}

// poolForecast is a pool's forecast; the days are left out while it is sealed.
type poolForecast struct {
	Bank   string              `json:"bank"`
	Parent string              `json:"parent_account"`
	Colour platform.PoolColour `json:"colour"`
	Alarm  bool                `json:"alarm"`
	Sealed bool                `json:"sealed"`
	Early  deposit.Day         `json:"empty_by_10_percent,omitempty"`
	Middle deposit.Day         `json:"empty_by_50_percent,omitempty"`
	Late   deposit.Day         `json:"empty_by_90_percent,omitempty"`
	Need   int                 `json:"numbers_needed,omitempty"`
}

// Run forecasts every pool; exit code 3 when more numbers must be asked for now.
func (f *poolForecastCmd) Run(ctx context.Context, c *call) error {
	return c.use(ctx, asIs, func(a *app) error {
		pools, err := a.keeper.Pools(ctx)
		if err != nil {
			return err
		}
		var all []poolForecast
		for _, p := range pools {
			one, err := a.forecast(ctx, p)
			if err != nil {
				return err
			}
			all = append(all, one)
		}
		if err := f.print(c, a.banks, all); err != nil {
			return err
		}
		if slices.ContainsFunc(all, func(p poolForecast) bool { return p.Alarm }) {
			return errMismatches
		}
		return nil
	})
}

// forecast is the day's own where the pool is sealed: computed anew, the moment at which it turns would tell of a bid.
func (a *app) forecast(ctx context.Context, p reconcile.PoolView) (poolForecast, error) {
	one := poolForecast{Bank: p.Bank, Parent: p.Parent, Sealed: p.Sealed, Colour: p.Colour, Alarm: p.Colour == platform.PoolRed}
	if p.Sealed {
		return one, nil
	}
	prediction, err := a.keeper.Forecast(ctx, platform.Pool{Bank: p.Bank, Parent: p.Parent})
	if deposit.IsKind(err, deposit.NotFound) {
		return one, nil
	}
	one.Colour, one.Alarm, one.Need = prediction.Colour(), prediction.Alarm(), prediction.Need
	one.Early, one.Middle, one.Late = prediction.EmptyEarly, prediction.EmptyMiddle, prediction.EmptyLate
	return one, err
}

func (f *poolForecastCmd) print(c *call, banks *bank.Set, all []poolForecast) error {
	if f.JSON {
		return printJSON(c.stdout, map[string]any{"pools": append([]poolForecast{}, all...)})
	}
	var b strings.Builder
	var t table
	t.add("银行", "母账户", "状态", "用完：10%", "50%", "90%", "合计应有")
	day := func(d deposit.Day) string {
		if d == "" {
			return "一年以上"
		}
		return string(d)
	}
	for _, p := range all {
		if p.Sealed {
			t.add(bankName(banks, p.Bank), p.Parent, colourName(p.Colour), "已封存", "", "", "")
			continue
		}
		need := "未知"
		if p.Need > 0 {
			need = strconv.Itoa(p.Need)
		}
		t.add(bankName(banks, p.Bank), p.Parent, colourName(p.Colour), day(p.Early), day(p.Middle), day(p.Late), need)
	}
	if len(all) == 0 {
		b.WriteString("（没有号池）\n")
	} else {
		t.write(&b, "", 6)
	}
	_, err := io.WriteString(c.stdout, b.String())
	return err
}

type poolReleaseCmd struct {
	Bank    string   `placeholder:"CODE" help:"银行代码；只有一家银行时可省略"`
	Numbers []string `arg:"" name:"number" help:"银行已确认释放的子账号"`
}

// Run releases numbers on the word of whoever asked the bank; the first that cannot be released ends it.
func (r *poolReleaseCmd) Run(ctx context.Context, c *call) error {
	return c.use(ctx, asIs, func(a *app) error {
		b, err := a.bankNamed(r.Bank)
		if err != nil {
			return err
		}
		for _, number := range r.Numbers {
			if err := a.keeper.ConfirmReleased(ctx, c.author(), b, number); err != nil {
				return fmt.Errorf("子账号 %s：%w", number, err)
			}
			fmt.Fprintf(c.stdout, "子账号 %s 已释放，进入隔离期 %d 天\n", plain(number), b.Numbers.QuarantineDays)
		}
		return nil
	})
}
